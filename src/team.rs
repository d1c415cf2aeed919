//! How work is spread over threads without the core knowing of threads.
//!
//! A [`Team`] joins two closures; `divide` cuts a job in halves of its rows until every worker has one part, so that
//! disjointness is the borrow checker's business and a team of one costs nothing. Parts are rows of an output and never
//! ranges of a summed dimension: results do not depend on how many workers there are.

/// Somebody who can run two closures at once.
pub trait Team: Sync {
    /// How many parts of a job can run at once; at least 1.
    fn workers(&self) -> usize;
    /// Runs both, perhaps at once, each with the part of the team that is left to it, and returns when both are done.
    fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&Self) -> RA + Send,
        B: FnOnce(&Self) -> RB + Send,
        RA: Send,
        RB: Send;
}

/// A team of the calling thread alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solo;

impl Team for Solo {
    fn workers(&self) -> usize {
        1
    }
    fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(&Self) -> RA + Send,
        B: FnOnce(&Self) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        (a(self), b(self))
    }
}

/// A job over rows that can be cut in two.
pub(crate) trait Divide: Sized + Send {
    /// The first `part / of` of the rows, about, and the rest.
    fn divide(self, part: usize, of: usize) -> (Self, Self);
}

/// Cuts `job` into a part for each worker, runs `work` on each and adds up what it returns.
pub(crate) fn divide<T, J, W>(team: &T, job: J, work: &W) -> u32
where
    T: Team,
    J: Divide,
    W: Fn(J) -> u32 + Sync,
{
    let workers = team.workers();
    if workers <= 1 {
        return work(job);
    }
    let (left, right) = job.divide(workers.div_ceil(2), workers);
    let (a, b) = team.join(|team| divide(team, left, work), |team| divide(team, right, work));
    a + b
}

/// The share of `rows` that comes first: `part / of` of them, to whole register tiles where that leaves any.
pub(crate) const fn share(rows: usize, part: usize, of: usize) -> usize {
    /// Rows that the tiles of every backend divide without a remainder, or nearly.
    const TILES: usize = 8;
    let exact = rows * part / of;
    if rows >= TILES * of { exact.next_multiple_of(TILES) } else { exact }
}

#[cfg(test)]
mod tests {
    use super::share;

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
