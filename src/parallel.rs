//! How work is spread over threads without the core knowing of threads.
//!
//! A [`Executor`] runs a closure over jobs; `divide` cuts one job into more parts than there are workers, so that whoever is
//! free takes the next and a worker that the system holds up delays the others by one part at most. Cutting moves
//! disjoint slices into the parts, which makes disjointness the borrow checker's business, and a team of one is never
//! asked. Parts are rows of an output and never ranges of a summed dimension: results do not depend on how many workers
//! there are, nor on who does what.

use heapless::Vec;

/// Workers that run several jobs at once.
pub trait Executor: Sync {
    /// How many jobs can run at once; at least 1.
    fn workers(&self) -> usize;
    /// Calls `work` once with each of the jobs, in any order and perhaps at once, and returns when all are done.
    fn each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync));
}

/// A team of the calling thread alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serial;

impl Executor for Serial {
    fn workers(&self) -> usize {
        1
    }
    fn each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
        jobs.iter_mut().for_each(work);
    }
}

/// A job over rows that can be cut in two.
pub(crate) trait Divide: Sized + Send {
    /// The rows that it is cut along; of several blocks, those of the largest.
    fn rows(&self) -> usize;
    /// The first `part / of` of the rows, about, and the rest.
    fn divide(self, part: usize, of: usize) -> (Self, Self);
}

/// Parts that a job is cut into for each worker.
const PARTS: usize = 2;
/// Parts that a job is cut into at most; they lie on the stack.
const MOST_PARTS: usize = 32;
/// Rows that the tiles of every backend divide without a remainder, or nearly.
const TILE: usize = 8;

/// Cuts `job` into parts, has the team run `work` on each and adds up what it returns.
#[inline]
pub(crate) fn divide<T, J, W>(team: &T, job: J, work: &W) -> u32
where
    T: Executor,
    J: Divide,
    W: Fn(J) -> u32 + Sync,
{
    let workers = team.workers();
    if workers <= 1 { work(job) } else { spread(team, workers, job, work) }
}

fn spread<T: Executor, J: Divide>(
    team: &T,
    workers: usize,
    job: J,
    work: &(impl Fn(J) -> u32 + Sync),
) -> u32 {
    let (rows, tiles) = (job.rows(), job.rows().div_ceil(TILE));
    let parts = (PARTS * workers).min(tiles.max(workers)).min(rows).min(MOST_PARTS);
    let mut jobs: Vec<(Option<J>, u32), MOST_PARTS> = Vec::new();
    let mut rest = job;
    for left in (2..=parts).rev() {
        let (first, behind) = rest.divide(1, left);
        rest = behind;
        let _ = jobs.push((Some(first), 0));
    }
    let _ = jobs.push((Some(rest), 0));
    team.each(&mut jobs, &|(job, sum)| *sum = job.take().map_or(0, work));
    jobs.iter().map(|(_, sum)| sum).sum()
}

/// The share of `rows` that comes first: `part / of` of them, to whole register tiles where that leaves any.
pub(crate) const fn share(rows: usize, part: usize, of: usize) -> usize {
    let exact = rows * part / of;
    if rows >= TILE * of { exact.next_multiple_of(TILE) } else { exact }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::sync::Mutex;
    use std::vec::Vec;

    use super::{Divide, Executor, divide, share};

    struct Rows(usize);

    impl Divide for Rows {
        fn rows(&self) -> usize {
            self.0
        }
        fn divide(self, part: usize, of: usize) -> (Self, Self) {
            let rows = share(self.0, part, of);
            (Self(rows), Self(self.0 - rows))
        }
    }

    /// Does one job after the other, as many workers as it claims to have.
    struct Claimed(usize);

    impl Executor for Claimed {
        fn workers(&self) -> usize {
            self.0
        }
        fn each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
            jobs.iter_mut().for_each(work);
        }
    }

    #[test]
    fn work_is_cut_into_even_parts_for_every_worker() {
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
                let most = if rows >= 8 * parts.len() { rows.div_ceil(parts.len()) + 7 } else { 8 };
                assert!(
                    parts.iter().all(|&part| part <= most && (part > 0 || rows == 0)),
                    "{workers} {rows}: {parts:?}"
                );
            }
        }
    }

    #[test]
    fn shares_are_within_the_rows() {
        for rows in 0..200 {
            for of in 2..10 {
                let part = of / 2;
                assert!(share(rows, part, of) <= rows);
            }
        }
        assert_eq!((share(64, 1, 2), share(784, 1, 2), share(10, 1, 2)), (32, 392, 5));
    }
}
