//! The thread-count tuner: measures numbers of workers while the work goes on, since results never depend on it.
//!
//! A trial times iterations of a workload (a training step, or a batch of predictions) with half as many workers as before,
//! then with twice as many, and so on as long as that is clearly faster. The fastest number is kept for a while and then
//! tried again, since the load of the machine changes: soon after a change, later and later while it stays the same. In the
//! long run trials take less than one iteration in a hundred.

use std::time::Duration;

/// Iterations of a trial. The median of the second half is used, when sleeping threads have woken up on cores of their own.
const TRIAL_ITERATIONS: usize = 24;
/// Iterations for which a new choice is kept.
const MIN_KEPT_ITERATIONS: usize = 250;
/// Iterations for which a choice is kept at most.
const MAX_KEPT_ITERATIONS: usize = 8000;
/// The ratio of times below which more workers are clearly faster.
const CLEARLY_FASTER: f64 = 0.95;

/// Chooses among 1, 2, 4, ... and all workers.
#[derive(Debug, Clone)]
pub(super) struct ThreadTuner {
    /// The numbers of workers to choose from, ascending.
    choices: Vec<usize>,
    /// The index of the choice in use.
    current: usize,
    /// The index of the choice of the last trial, and the iterations for which it is kept.
    chosen: (usize, usize),
    phase: Phase,
}

#[derive(Debug, Clone)]
enum Phase {
    /// The seconds of the iterations with the current choice, and the best choice of this trial before it.
    Trying(Vec<f64>, Option<(usize, f64)>),
    /// The remaining iterations with the current choice.
    Keeping(usize),
}

impl ThreadTuner {
    /// A tuner of up to `max` workers, which begins with a trial of one.
    pub(super) fn new(max: usize) -> Self {
        let mut choices: Vec<_> = (0..).map(|p| 1 << p).take_while(|&n| n < max).collect();
        choices.push(max.max(1));
        let phase = Phase::Trying(Vec::new(), None);
        Self { choices, current: 0, chosen: (0, MIN_KEPT_ITERATIONS), phase }
    }

    /// The number of workers for the next iteration.
    pub(super) fn workers(&self) -> usize {
        self.choices[self.current]
    }

    /// Records how long an iteration took with [`workers`](Self::workers).
    pub(super) fn record(&mut self, took: Duration) {
        if self.choices.len() == 1 {
            return;
        }
        match &mut self.phase {
            Phase::Keeping(left @ 1..) => *left -= 1,
            Phase::Keeping(_) => {
                self.current = self.current.saturating_sub(1);
                self.phase = Phase::Trying(Vec::new(), None);
            }
            Phase::Trying(seconds, best) => {
                seconds.push(took.as_secs_f64());
                if seconds.len() == TRIAL_ITERATIONS {
                    let second_half = &mut seconds[TRIAL_ITERATIONS / 2..];
                    second_half.sort_by(f64::total_cmp);
                    let (median, best) = (second_half[second_half.len() / 2], *best);
                    self.end_choice(median, best);
                }
            }
        }
    }

    /// Tries the next choice if this one is better than those before, else ends the trial.
    fn end_choice(&mut self, seconds: f64, best: Option<(usize, f64)>) {
        let better = best.is_none_or(|(_, best)| seconds < CLEARLY_FASTER * best);
        let best = best.filter(|_| !better).unwrap_or((self.current, seconds));
        if better && self.current + 1 < self.choices.len() {
            self.current += 1;
            self.phase = Phase::Trying(Vec::new(), Some(best));
            return;
        }
        let (before, kept) = self.chosen;
        let keep = if best.0 == before { (2 * kept).min(MAX_KEPT_ITERATIONS) } else { MIN_KEPT_ITERATIONS };
        self.chosen = (best.0, keep);
        self.current = best.0;
        self.phase = Phase::Keeping(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_KEPT_ITERATIONS, TRIAL_ITERATIONS, ThreadTuner};
    use std::time::Duration;

    /// Runs iterations that take `micros(workers)` each; returns the iterations at each number of workers.
    fn run(tuner: &mut ThreadTuner, iterations: usize, micros: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut at = vec![0; 33];
        for _ in 0..iterations {
            at[tuner.workers()] += 1;
            tuner.record(Duration::from_micros(micros(tuner.workers())));
        }
        at
    }

    #[test]
    fn it_finds_the_fastest_number_and_keeps_it() {
        let perfect = |n: usize| 960 / n as u64;
        let costly = |n: usize| 100 + 5 * n as u64;
        let to_four = |n: usize| if n <= 4 { 100 / n as u64 } else { 40 };
        for (micros, expected) in [(&perfect as &dyn Fn(usize) -> u64, 12), (&costly, 1), (&to_four, 4)] {
            let mut tuner = ThreadTuner::new(12);
            let at = run(&mut tuner, 20_000, micros);
            assert!(at[expected] > 19_400, "{expected}: {at:?}");
        }
    }

    #[test]
    fn it_follows_a_machine_that_gets_busy() {
        let mut tuner = ThreadTuner::new(2);
        let until_retried = MAX_KEPT_ITERATIONS + 2 * TRIAL_ITERATIONS;
        run(&mut tuner, 1000, |n| 100 / n as u64);
        assert_eq!(tuner.workers(), 2);
        run(&mut tuner, until_retried, |n| 100 * n as u64);
        assert_eq!(tuner.workers(), 1);
        run(&mut tuner, until_retried, |n| 100 / n as u64);
        assert_eq!(tuner.workers(), 2);
    }

    #[test]
    fn one_worker_is_never_tried_against_itself() {
        let mut tuner = ThreadTuner::new(1);
        assert_eq!(run(&mut tuner, 5000, |_| 10)[1], 5000);
        assert_eq!(ThreadTuner::new(0).workers(), 1);
    }
}
