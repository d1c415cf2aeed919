//! Work is divided over threads here, and the core knows nothing about threads.
//!
//! An [`Executor`] runs a closure over jobs. `divide` splits one job into more parts than there are workers: whichever
//! worker is free takes the next part, so a worker that the system holds up delays the others by one part at most.
//! Splitting moves disjoint slices into the parts, so the borrow checker proves that they are disjoint. With one worker the
//! executor is not called at all. Parts are rows of an output and never ranges of a summed dimension: results do not depend
//! on the number of workers, nor on which worker runs which part.

use heapless::Vec;

/// Workers that run several jobs at once: a thread pool, or [`Serial`].
pub trait Executor: Sync {
    /// The number of jobs that can run at once; at least 1.
    fn workers(&self) -> usize;
    /// Calls `work` once with each of the jobs, in any order and perhaps at once, and returns when all are done.
    fn for_each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync));
}

/// An executor that runs all jobs on the calling thread, one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Serial;

impl Executor for Serial {
    fn workers(&self) -> usize {
        1
    }
    fn for_each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
        jobs.iter_mut().for_each(work);
    }
}

/// A job over rows that can be split in two.
pub(crate) trait Divide: Sized + Send {
    /// The rows that it is split along; of several blocks, those of the largest.
    fn rows(&self) -> usize;
    /// About the first `part / of` of the rows, and the rest.
    fn divide(self, part: usize, of: usize) -> (Self, Self);
}

/// Parts per worker that a job is split into.
const PARTS_PER_WORKER: usize = 2;
/// The maximum number of parts of a job; they are on the stack.
const MAX_PARTS: usize = 32;
/// Parts are multiples of this many rows, which the tiles of every backend divide with no or few rows left over.
const TILE_ROWS: usize = 8;

/// Splits `job` into parts, runs `work` on each and adds up what it returns.
#[inline]
pub(crate) fn divide<T, J, W>(executor: &T, job: J, work: &W) -> u32
where
    T: Executor,
    J: Divide,
    W: Fn(J) -> u32 + Sync,
{
    let workers = executor.workers();
    if workers <= 1 { work(job) } else { run_in_parts(executor, workers, job, work) }
}

fn run_in_parts<T: Executor, J: Divide>(
    executor: &T,
    workers: usize,
    job: J,
    work: &(impl Fn(J) -> u32 + Sync),
) -> u32 {
    let (rows, tiles) = (job.rows(), job.rows().div_ceil(TILE_ROWS));
    let parts = (PARTS_PER_WORKER * workers).min(tiles.max(workers)).min(rows).min(MAX_PARTS);
    let mut jobs: Vec<(Option<J>, u32), MAX_PARTS> = Vec::new();
    let mut rest = job;
    for left in (2..=parts).rev() {
        let (first, after) = rest.divide(1, left);
        rest = after;
        let _ = jobs.push((Some(first), 0));
    }
    let _ = jobs.push((Some(rest), 0));
    executor.for_each(&mut jobs, &|(job, sum)| *sum = job.take().map_or(0, work));
    jobs.iter().map(|(_, sum)| sum).sum()
}

/// About `part / of` of the rows, rounded up to whole register tiles where there are enough rows.
pub(crate) const fn portion(rows: usize, part: usize, of: usize) -> usize {
    let exact = rows * part / of;
    if rows >= TILE_ROWS * of { exact.next_multiple_of(TILE_ROWS) } else { exact }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::sync::Mutex;
    use std::vec::Vec;

    use super::{Divide, Executor, divide, portion};

    struct Rows(usize);

    impl Divide for Rows {
        fn rows(&self) -> usize {
            self.0
        }
        fn divide(self, part: usize, of: usize) -> (Self, Self) {
            let rows = portion(self.0, part, of);
            (Self(rows), Self(self.0 - rows))
        }
    }

    /// Runs one job after the other, however many workers it claims to have.
    struct Claimed(usize);

    impl Executor for Claimed {
        fn workers(&self) -> usize {
            self.0
        }
        fn for_each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
            jobs.iter_mut().for_each(work);
        }
    }

    #[test]
    fn work_is_divided_evenly() {
        for workers in 1..40 {
            for rows in 0..700 {
                let parts = Mutex::new(Vec::new());
                let sum = divide(&Claimed(workers), Rows(rows), &|Rows(part)| {
                    parts.lock().unwrap().push(part);
                    part as u32
                });
                let parts = parts.into_inner().unwrap();
                assert_eq!(sum as usize, rows);
                let expected = if workers == 1 { 1 } else { workers.min(rows).clamp(1, 32) };
                assert!(
                    (expected..=(2 * workers).min(32)).contains(&parts.len()),
                    "{workers} {rows}: {parts:?}"
                );
                // Whole tiles where there are some for each part.
                let max = if rows >= 8 * parts.len() { rows.div_ceil(parts.len()) + 7 } else { 8 };
                assert!(
                    parts.iter().all(|&part| part <= max && (part > 0 || rows == 0)),
                    "{workers} {rows}: {parts:?}"
                );
            }
        }
    }

    #[test]
    fn portions_are_within_the_rows() {
        for rows in 0..200 {
            for of in 2..10 {
                let part = of / 2;
                assert!(portion(rows, part, of) <= rows);
            }
        }
        assert_eq!((portion(64, 1, 2), portion(784, 1, 2), portion(10, 1, 2)), (32, 392, 5));
    }
}
