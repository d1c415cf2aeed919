//! How many workers pay off: found by trying while the work goes on, which it may be, since results never depend on it.
//!
//! A trial times some beats (a beat is one step, or one batch of predictions) with half as many workers as before, then
//! with twice as many, and so on as long as that is faster by a clear margin. The fastest number is kept for a while,
//! and then tried again, since other processes come and go: soon after it changed, later and later while it stays. In
//! the long run trials take less than one beat in a hundred.

use std::time::Duration;

/// Beats that a number of workers is tried for. The median of the second half counts: by then sleepers have woken up,
/// on cores of their own.
const TRIAL: usize = 24;
/// Beats to keep a choice for that is new, and the most beats to keep one for.
const KEEP: (usize, usize) = (250, 8000);
/// What more workers must save to be worth it: a twentieth.
const MARGIN: f64 = 0.95;

/// Chooses among 1, 2, 4, ... and all workers.
#[derive(Debug, Clone)]
pub(super) struct ThreadTuner {
    /// The numbers of workers to choose from, rising.
    choices: Vec<usize>,
    /// The choice in use, an index.
    current: usize,
    /// What the last trial chose, and the beats that it is kept for.
    chosen: (usize, usize),
    phase: Phase,
}

#[derive(Debug, Clone)]
enum Phase {
    /// The beats so far with the current choice, in seconds, and the best choice of this trial before it.
    Trying(Vec<f64>, Option<(usize, f64)>),
    /// Beats to go with the current choice.
    Keeping(usize),
}

impl ThreadTuner {
    /// A choice among up to `most` workers, which begins with a trial of one.
    pub(super) fn new(most: usize) -> Self {
        let mut choices: Vec<_> = (0..).map(|p| 1 << p).take_while(|&n| n < most).collect();
        choices.push(most.max(1));
        Self { choices, current: 0, chosen: (0, KEEP.0), phase: Phase::Trying(Vec::new(), None) }
    }

    /// Workers to use for the next beat.
    pub(super) fn workers(&self) -> usize {
        self.choices[self.current]
    }

    /// Learns how long a beat took with [`workers`](Self::workers).
    pub(super) fn beat(&mut self, took: Duration) {
        if self.choices.len() == 1 {
            return;
        }
        match &mut self.phase {
            Phase::Keeping(left @ 1..) => *left -= 1,
            Phase::Keeping(_) => {
                self.current = self.current.saturating_sub(1);
                self.phase = Phase::Trying(Vec::new(), None);
            }
            Phase::Trying(beats, best) => {
                beats.push(took.as_secs_f64());
                if beats.len() == TRIAL {
                    let late = &mut beats[TRIAL / 2..];
                    late.sort_by(f64::total_cmp);
                    let (median, best) = (late[late.len() / 2], *best);
                    self.tried(median, best);
                }
            }
        }
    }

    /// Goes on to the next choice while choices get better, and ends the trial when they do not.
    fn tried(&mut self, seconds: f64, best: Option<(usize, f64)>) {
        let better = best.is_none_or(|(_, best)| seconds < MARGIN * best);
        let best = best.filter(|_| !better).unwrap_or((self.current, seconds));
        if better && self.current + 1 < self.choices.len() {
            self.current += 1;
            self.phase = Phase::Trying(Vec::new(), Some(best));
            return;
        }
        let (before, kept) = self.chosen;
        let keep = if best.0 == before { (2 * kept).min(KEEP.1) } else { KEEP.0 };
        self.chosen = (best.0, keep);
        self.current = best.0;
        self.phase = Phase::Keeping(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::{KEEP, TRIAL, ThreadTuner};
    use std::time::Duration;

    /// Runs `beats` beats that take `micros(workers)` each; the beats at each number of workers.
    fn run(pace: &mut ThreadTuner, beats: usize, micros: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut at = vec![0; 33];
        for _ in 0..beats {
            at[pace.workers()] += 1;
            pace.beat(Duration::from_micros(micros(pace.workers())));
        }
        at
    }

    #[test]
    fn it_finds_what_pays_off_and_keeps_to_it() {
        let perfect = |n: usize| 960 / n as u64;
        let costly = |n: usize| 100 + 5 * n as u64;
        let to_four = |n: usize| if n <= 4 { 100 / n as u64 } else { 40 };
        for (micros, expected) in [(&perfect as &dyn Fn(usize) -> u64, 12), (&costly, 1), (&to_four, 4)] {
            let mut pace = ThreadTuner::new(12);
            let at = run(&mut pace, 20_000, micros);
            assert!(at[expected] > 19_400, "{expected}: {at:?}");
        }
    }

    #[test]
    fn it_follows_a_machine_that_gets_busy() {
        let mut pace = ThreadTuner::new(2);
        run(&mut pace, 1000, |n| 100 / n as u64);
        assert_eq!(pace.workers(), 2);
        run(&mut pace, KEEP.1 + 2 * TRIAL, |n| 100 * n as u64);
        assert_eq!(pace.workers(), 1);
        run(&mut pace, KEEP.1 + 2 * TRIAL, |n| 100 / n as u64);
        assert_eq!(pace.workers(), 2);
    }

    #[test]
    fn one_worker_is_never_tried_against_itself() {
        let mut pace = ThreadTuner::new(1);
        assert_eq!(run(&mut pace, 5000, |_| 10)[1], 5000);
        assert_eq!(ThreadTuner::new(0).workers(), 1);
    }
}
