//! Learning-rate schedules: the learning rate of each step of a run.

use core::f32::consts::PI;

/// The course of the learning rate from its peak, which ends the warm-up, to the last step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// Stays at the peak.
    Constant,
    /// Falls to 0 in a straight line.
    Linear,
    /// Falls to 0 along half a cosine.
    Cosine,
    /// Rises from 1/25 of the peak along half a cosine over the first three tenths, whatever the warm-up, then falls to
    /// 1/250,000 of it along another (Smith, 2018; PyTorch's figures).
    OneCycle,
    /// Step decay: multiplied by `factor` after each `every`, a fraction of the run.
    Step {
        /// A fraction of the run, above 0.
        every: f32,
        /// What remains of the learning rate, 0 to 1.
        factor: f32,
    },
}

impl Schedule {
    /// The learning rate of step `step` of `steps`, counted from 0. It rises to `peak` in a straight line over the first
    /// `warmup` of the run, a fraction, and then follows the schedule. After the last step it keeps its final value.
    #[must_use]
    pub fn learning_rate(self, peak: f32, warmup: f32, step: u32, steps: u32) -> f32 {
        let done = (step as f32 / steps.max(1) as f32).min(1.0);
        if self == Self::OneCycle {
            const RISE: f32 = 0.3;
            let (from, to, progress) = match done {
                d if d < RISE => (peak / 25.0, peak, d / RISE),
                d => (peak, peak / 250_000.0, (d - RISE) / (1.0 - RISE)),
            };
            return to + (from - to) * half_cosine(progress);
        }
        let warmup_steps = libm::ceilf(warmup * steps as f32);
        if (step as f32) < warmup_steps {
            return peak * (step + 1) as f32 / warmup_steps;
        }
        let progress = ((step as f32 - warmup_steps) / (steps as f32 - warmup_steps).max(1.0)).min(1.0);
        peak * match self {
            Self::Constant | Self::OneCycle => 1.0,
            Self::Linear => 1.0 - progress,
            Self::Cosine => half_cosine(progress),
            Self::Step { every, factor } => libm::powf(factor, libm::floorf(done / every)),
        }
    }
}

/// Falls from 1 at 0 to 0 at 1.
fn half_cosine(progress: f32) -> f32 {
    0.5 * (1.0 + libm::cosf(PI * progress))
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn rises_and_falls() {
        for schedule in [Schedule::Constant, Schedule::Linear, Schedule::Cosine] {
            let at = |step| schedule.learning_rate(2.0, 0.1, step, 100);
            assert_eq!((at(0), at(4), at(9), at(10)), (0.2, 1.0, 2.0, 2.0), "{schedule:?}");
            let (middle, last) = match schedule {
                Schedule::Constant => (2.0, 2.0),
                Schedule::Linear => (1.0, 2.0 / 90.0),
                _ => (1.0, 2.0 * 3.046e-4),
            };
            assert!(
                (at(55) - middle).abs() < 1e-6 && (at(99) - last).abs() < 1e-6,
                "{schedule:?} {}",
                at(99)
            );
        }
        let cycle = |step| Schedule::OneCycle.learning_rate(1.0, 0.5, step, 1000);
        assert!((cycle(0) - 0.04).abs() < 1e-6 && cycle(300) == 1.0);
        assert!((cycle(150) - 0.52).abs() < 1e-6 && cycle(999) < 1e-5 && cycle(999) >= 4e-6);
        let step_schedule = Schedule::Step { every: 0.25, factor: 0.5 };
        let halves = |step| step_schedule.learning_rate(1.0, 0.0, step, 100);
        assert_eq!([halves(0), halves(24), halves(25), halves(99)], [1.0, 1.0, 0.5, 0.125]);
        assert_eq!(Schedule::Cosine.learning_rate(1.0, 0.05, 0, 0), 1.0);
    }

    #[test]
    fn the_final_value_stays_after_the_last_step() {
        let ends = [(Schedule::Constant, 1.0), (Schedule::Linear, 0.0), (Schedule::Cosine, 0.0)];
        let step = (Schedule::Step { every: 0.25, factor: 0.5 }, 0.0625);
        for (schedule, end) in ends.into_iter().chain([(Schedule::OneCycle, 4e-6), step]) {
            for after in [100, 101, 150, u32::MAX] {
                let rate = schedule.learning_rate(1.0, 0.1, after, 100);
                assert!((rate - end).abs() < 1e-7, "{schedule:?} {after}: {rate}");
            }
        }
    }
}
