//! Times things in turn, round after round.
//!
//! A round runs every entrant of a [`Race`] for about the same time, one after the other, after a run that does not
//! count. Figures are medians over the rounds; a ratio is the median of the ratios within rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use selvedge::{Backend, kernel};

use super::{Case, Dtype, Name, Peak};

/// How long an entrant runs in a round, at least.
const SAMPLE: Duration = Duration::from_micros(150);
/// Rounds that an entrant takes part in at least, unless they would take so many times its time.
const FEW: usize = 5;
/// Rounds at most.
const MANY: usize = 301;
/// An entrant that takes longer than this is not run to find out how long it takes the second time.
const SLOW: Duration = Duration::from_millis(5);

/// Things to be timed in turn.
pub(super) struct Race<'a> {
    entrants: Vec<Entrant<'a>>,
    sample: Duration,
}

struct Entrant<'a> {
    run: Box<dyn FnMut() + 'a>,
    /// Times that it runs in a round.
    calls: u32,
    /// Seconds of one run, by round.
    seconds: Vec<f64>,
    spent: Duration,
}

/// Which entrant, in the order of their entering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(usize);

impl<'a> Race<'a> {
    /// A race whose rounds give every entrant a moment.
    pub(super) fn new() -> Self {
        Self { entrants: Vec::new(), sample: SAMPLE }
    }

    /// A race whose rounds give every entrant `sample`, for what takes a while to get going.
    pub(super) fn with_sample(sample: Duration) -> Self {
        Self { entrants: Vec::new(), sample }
    }

    /// Takes part.
    pub(super) fn enter(&mut self, run: impl FnMut() + 'a) -> Number {
        self.entrants.push(Entrant {
            run: Box::new(run),
            calls: 1,
            seconds: Vec::new(),
            spent: Duration::ZERO,
        });
        Number(self.entrants.len() - 1)
    }

    /// Takes part with the multiply-adds of `backend` in registers; the operations of a run come with the number. Of plain
    /// loops over single floats the compiler makes vectors where the target always has some, so that the peak of `scalar`
    /// is that of `portable`.
    pub(super) fn enter_peak(&mut self, backend: Backend) -> (Number, f64) {
        /// 100 µs, about, at 14 multiply-adds in 5 cycles.
        const PEAK_ROUNDS: usize = 50_000;
        let backend = if backend == Backend::SCALAR { Backend::PORTABLE } else { backend };
        let operations = kernel::peak(backend, PEAK_ROUNDS);
        let run = move || {
            black_box(kernel::peak(backend, black_box(PEAK_ROUNDS)));
        };
        (self.enter(run), operations)
    }

    /// The same with the integer dot products of `backend`.
    pub(super) fn enter_dot_peak(&mut self, backend: Backend) -> (Number, f64) {
        /// 100 µs, about, at 14 dot products in 7 to 14 cycles.
        const PEAK_ROUNDS: usize = 30_000;
        let operations = 2.0 * kernel::dot_peak(backend, PEAK_ROUNDS);
        let run = move || {
            black_box(kernel::dot_peak(backend, black_box(PEAK_ROUNDS)));
        };
        (self.enter(run), operations)
    }

    /// Runs for about `budget`. An entrant that has had its share of it takes part in no further rounds.
    pub(super) fn run(mut self, budget: Duration) -> Times {
        for entrant in &mut self.entrants {
            let first = time(&mut entrant.run, 1);
            let again = if first < SLOW { time(&mut entrant.run, 1).min(first) } else { first };
            let fits = self.sample.as_secs_f64() / again.as_secs_f64().max(1e-9);
            entrant.calls = (fits.ceil() as u32).clamp(1, 1_000_000);
        }
        let share = budget / self.entrants.len() as u32;
        for round in 0..MANY {
            let mut on = false;
            for entrant in self.entrants.iter_mut().filter(|e| e.may_go(round, share)) {
                entrant.sample();
                on = true;
            }
            if !on {
                break;
            }
        }
        Times(self.entrants.into_iter().map(|e| e.seconds).collect())
    }
}

impl Entrant<'_> {
    /// Whether it takes part in a round: in the first, while it has time left, and in a few if they are not too long.
    fn may_go(&self, round: usize, share: Duration) -> bool {
        round == 0 || self.spent < share || (round < FEW && self.spent < FEW as u32 * share)
    }

    fn sample(&mut self) {
        let begin = Instant::now();
        // Caches and threads as they are in the middle of the work.
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

/// Seconds by entrant and round.
pub(super) struct Times(Vec<Vec<f64>>);

impl Times {
    /// The median seconds of one run.
    pub(super) fn seconds(&self, of: Number) -> f64 {
        median(self.0[of.0].clone())
    }

    /// How many times faster `fast` was than `slow`.
    pub(super) fn speed_up(&self, fast: Number, slow: Number) -> f64 {
        median(self.0[fast.0].iter().zip(&self.0[slow.0]).map(|(fast, slow)| slow / fast).collect())
    }

    /// What share of the peak `of` reached, whose run has `operations`.
    pub(super) fn of_peak(&self, of: Number, operations: f64, peak: (Number, f64)) -> f64 {
        self.speed_up(of, peak.0) * operations / peak.1
    }
}

/// The value in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The peak alone.
pub(super) fn peak_line(case: &Case) -> Peak {
    let mut race = Race::new();
    let (peak, operations) = match case.dtype {
        Dtype::I8 => race.enter_dot_peak(case.backend),
        Dtype::F32 | Dtype::Bf16 => race.enter_peak(case.backend),
    };
    let seconds = race.run(Duration::from_millis(100)).seconds(peak);
    let gflops = operations / seconds / 1e9;
    Peak { name: Name::Peak, backend: case.backend.name(), gflops, dtype: case.dtype }
}

#[cfg(test)]
mod tests {
    use super::{Race, median};
    use std::time::Duration;

    #[test]
    fn ratios_are_those_of_the_work() {
        let spin = |n: u64| {
            move || {
                std::hint::black_box((0..n).fold(0, |a, b| std::hint::black_box(a ^ b)));
            }
        };
        let mut race = Race::new();
        let (one, four) = (race.enter(spin(20_000)), race.enter(spin(80_000)));
        let times = race.run(Duration::from_millis(30));
        let ratio = times.speed_up(one, four);
        // The work is four times as much; what a busy machine makes of it is another matter.
        assert!(ratio > 1.0, "{ratio}");
        assert!(times.seconds(one) > 0.0);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![5.0]), 5.0);
    }
}
