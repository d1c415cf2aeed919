//! Interleaved timing of several candidates.
//!
//! A round runs every candidate of a [`Comparison`] for about the same time, one after the other, each after a warm-up run.
//! Times are medians over the rounds; a ratio is the median of the ratios within rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use selvedge::{Backend, kernel};

use super::{Case, Dtype, Operation, Peak};

/// The minimum time of a candidate in a round.
const SAMPLE: Duration = Duration::from_micros(150);
/// The minimum number of rounds of a candidate, unless they would take as many times its share of the budget.
const MIN_ROUNDS: usize = 5;
/// The maximum number of rounds.
const MAX_ROUNDS: usize = 301;
/// A candidate whose first run takes longer than this is not run a second time to estimate its duration.
const SLOW: Duration = Duration::from_millis(5);

/// Candidates to be timed in turn.
pub(super) struct Comparison<'a> {
    candidates: Vec<Candidate<'a>>,
    sample: Duration,
}

struct Candidate<'a> {
    run: Box<dyn FnMut() + 'a>,
    /// Runs per round.
    calls: u32,
    /// Seconds of one run, by round.
    seconds: Vec<f64>,
    spent: Duration,
}

/// The index of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CandidateId(usize);

impl<'a> Comparison<'a> {
    /// A comparison with short rounds.
    pub(super) fn new() -> Self {
        Self { candidates: Vec::new(), sample: SAMPLE }
    }

    /// A comparison whose rounds give every candidate the time `sample`, for those that need a while to reach their speed.
    pub(super) fn with_sample(sample: Duration) -> Self {
        Self { candidates: Vec::new(), sample }
    }

    /// Adds a candidate.
    pub(super) fn add(&mut self, run: impl FnMut() + 'a) -> CandidateId {
        self.candidates.push(Candidate {
            run: Box::new(run),
            calls: 1,
            seconds: Vec::new(),
            spent: Duration::ZERO,
        });
        CandidateId(self.candidates.len() - 1)
    }

    /// Adds the peak of `backend`: multiply-adds in registers. Also returns the operations of a run. The compiler vectorizes
    /// loops over single floats where the target always has vectors, so the peak of `scalar` is that of `portable`.
    pub(super) fn add_peak(&mut self, backend: Backend) -> (CandidateId, f64) {
        /// 100 µs, about, at 14 multiply-adds in 5 cycles.
        const PEAK_ROUNDS: usize = 50_000;
        let backend = if backend == Backend::SCALAR { Backend::PORTABLE } else { backend };
        let operations = kernel::peak(backend, PEAK_ROUNDS);
        let run = move || {
            black_box(kernel::peak(backend, black_box(PEAK_ROUNDS)));
        };
        (self.add(run), operations)
    }

    /// Adds the peak of the integer dot products of `backend`.
    pub(super) fn add_dot_peak(&mut self, backend: Backend) -> (CandidateId, f64) {
        /// 100 µs, about, at 14 dot products in 7 to 14 cycles.
        const PEAK_ROUNDS: usize = 30_000;
        let operations = 2.0 * kernel::dot_peak(backend, PEAK_ROUNDS);
        let run = move || {
            black_box(kernel::dot_peak(backend, black_box(PEAK_ROUNDS)));
        };
        (self.add(run), operations)
    }

    /// Runs for about `budget`, of which every candidate gets an equal share. One that has used its share is in no further
    /// round.
    pub(super) fn run(mut self, budget: Duration) -> Times {
        for candidate in &mut self.candidates {
            let first = time(&mut candidate.run, 1);
            let again = if first < SLOW { time(&mut candidate.run, 1).min(first) } else { first };
            let fits = self.sample.as_secs_f64() / again.as_secs_f64().max(1e-9);
            candidate.calls = (fits.ceil() as u32).clamp(1, 1_000_000);
        }
        let share = budget / self.candidates.len() as u32;
        for round in 0..MAX_ROUNDS {
            let mut any = false;
            for candidate in self.candidates.iter_mut().filter(|e| e.has_time(round, share)) {
                candidate.sample();
                any = true;
            }
            if !any {
                break;
            }
        }
        Times(self.candidates.into_iter().map(|e| e.seconds).collect())
    }
}

impl Candidate<'_> {
    /// Whether it runs in a round: always in the first, while it has time left, and in a minimum of rounds that are not too
    /// long.
    fn has_time(&self, round: usize, share: Duration) -> bool {
        round == 0 || self.spent < share || (round < MIN_ROUNDS && self.spent < MIN_ROUNDS as u32 * share)
    }

    fn sample(&mut self) {
        let begin = Instant::now();
        // Warms up caches and threads.
        (self.run)();
        let took = time(&mut self.run, self.calls);
        self.seconds.push(took.as_secs_f64() / f64::from(self.calls));
        self.spent += begin.elapsed();
    }
}

fn time(run: &mut dyn FnMut(), calls: u32) -> Duration {
    let begin = Instant::now();
    (0..calls).for_each(|_| run());
    begin.elapsed()
}

/// The seconds of every candidate and round.
pub(super) struct Times(Vec<Vec<f64>>);

impl Times {
    /// The median seconds of one run.
    pub(super) fn seconds(&self, of: CandidateId) -> f64 {
        median(self.0[of.0].clone())
    }

    /// How many times faster `fast` was than `slow`.
    pub(super) fn speed_up(&self, fast: CandidateId, slow: CandidateId) -> f64 {
        median(self.0[fast.0].iter().zip(&self.0[slow.0]).map(|(fast, slow)| slow / fast).collect())
    }

    /// The fraction of the peak that `of`, whose run has `operations`, reached.
    pub(super) fn of_peak(&self, of: CandidateId, operations: f64, peak: (CandidateId, f64)) -> f64 {
        self.speed_up(of, peak.0) * operations / peak.1
    }
}

/// The median.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures the peak alone.
pub(super) fn peak(case: &Case) -> Peak {
    let mut comparison = Comparison::new();
    let (peak, operations) = match case.dtype {
        Dtype::I8 => comparison.add_dot_peak(case.backend),
        Dtype::F32 | Dtype::Bf16 => comparison.add_peak(case.backend),
    };
    let seconds = comparison.run(Duration::from_millis(100)).seconds(peak);
    let gflops = operations / seconds / 1e9;
    Peak { name: Operation::Peak, backend: case.backend.name(), gflops, dtype: case.dtype }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, median};
    use std::time::Duration;

    #[test]
    fn ratios_are_those_of_the_work() {
        let spin = |n: u64| {
            move || {
                std::hint::black_box((0..n).fold(0, |a, b| std::hint::black_box(a ^ b)));
            }
        };
        let mut comparison = Comparison::new();
        let (one, four) = (comparison.add(spin(20_000)), comparison.add(spin(80_000)));
        let times = comparison.run(Duration::from_millis(30));
        let ratio = times.speed_up(one, four);
        // The work is four times as much, but a busy machine may distort the ratio.
        assert!(ratio > 1.0, "{ratio}");
        assert!(times.seconds(one) > 0.0);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![5.0]), 5.0);
    }
}
