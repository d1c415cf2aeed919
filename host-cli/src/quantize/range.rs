//! Ranges of signed values: of the columns of a table, and of the sums and outputs of layers that are no ReLU.
//!
//! Integers of `0..=levels` represent a range from its low end on. A wide range has large rounding errors, a narrow one clips
//! what lies outside; the least squared error is in between, as for the [clip limits](super::clip) of values above 0.

use selvedge::{Activation, naive};

use super::calibrate::MIN_TRUSTED_IMAGES;
use super::clip::Clip;

/// The ends of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The value of the integer 0.
    pub low: f64,
    /// The value of the largest integer.
    pub high: f64,
}

impl Range {
    /// The distance of the ends.
    pub fn width(self) -> f64 {
        self.high - self.low
    }

    /// The same range, longer by a fraction of its width at both ends.
    pub fn widened(self, fraction: f64) -> Self {
        let more = fraction * self.width();
        Self { low: self.low - more, high: self.high + more }
    }
}

/// The fractions of the values beyond an end that are tried for the least squared error.
const TAILS: [f64; 8] = [0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05];
/// The bins of a [`SignedHistogram`].
const BINS: usize = 4096;

/// A histogram of values within known ends.
#[derive(Debug, Clone)]
pub struct SignedHistogram {
    ends: Range,
    counts: Vec<u64>,
}

impl SignedHistogram {
    /// An empty histogram for values between these ends.
    pub fn new(ends: Range) -> Self {
        Self { ends, counts: vec![0; BINS] }
    }

    /// The histogram of some values.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let ends = values.clone().fold(Range { low: f64::INFINITY, high: f64::NEG_INFINITY }, |ends, v| {
            Range { low: ends.low.min(v), high: ends.high.max(v) }
        });
        let ends = if ends.low <= ends.high { ends } else { Range { low: 0.0, high: 0.0 } };
        let mut histogram = Self::new(ends);
        values.for_each(|v| histogram.add(v));
        histogram
    }

    /// Counts a value.
    pub fn add(&mut self, value: f64) {
        let bin = if self.ends.width() > 0.0 {
            ((value - self.ends.low) / self.ends.width() * BINS as f64) as usize
        } else {
            0
        };
        self.counts[bin.min(BINS - 1)] += 1;
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The middle of a bin.
    fn value(&self, bin: usize) -> f64 {
        self.ends.low + (bin as f64 + 0.5) * self.ends.width() / BINS as f64
    }

    /// The range without this fraction of the values below it and that fraction above.
    fn without(&self, below: f64, above: f64) -> Range {
        let total = self.total() as f64;
        let bins = |mut left: u64, counts: &mut dyn Iterator<Item = &u64>| {
            counts
                .take_while(|&&n| {
                    let more = n <= left;
                    left = left.saturating_sub(n);
                    more
                })
                .count()
        };
        let low = bins((total * below) as u64, &mut self.counts.iter()).min(BINS - 1);
        let high = bins((total * above) as u64, &mut self.counts.iter().rev()).min(BINS - 1 - low);
        let width = self.ends.width() / BINS as f64;
        let [skipped, cut] = [low, high].map(|bins| bins as f64 * width);
        Range {
            low: self.ends.low + if below > 0.0 { skipped } else { 0.0 },
            high: self.ends.high - if above > 0.0 { cut } else { 0.0 },
        }
    }

    /// The range for integers of `0..=levels`. The ends of few `samples` are no bounds for others, so that their range is
    /// widened.
    pub fn range(&self, clip: Clip, levels: u32, samples: usize) -> Range {
        match clip {
            Clip::Max => self.ends,
            Clip::Percentile(percent) => {
                let beyond = 1.0 - percent / 100.0;
                self.without(beyond, beyond)
            }
            Clip::Mse if samples < MIN_TRUSTED_IMAGES => self.ends.widened(1.0 / samples.max(1) as f64),
            Clip::Mse => {
                let ranges = TAILS.iter().flat_map(|&below| TAILS.map(|above| self.without(below, above)));
                let best = ranges.filter(|range| range.width() > 0.0).fold(None, |best, range| {
                    let error = self.error(range, levels);
                    best.filter(|&(_, least)| least <= error).or(Some((range, error)))
                });
                best.map_or(self.ends, |(range, _)| range)
            }
        }
    }

    /// The sum of the squared errors of the values.
    fn error(&self, range: Range, levels: u32) -> f64 {
        let step = range.width() / f64::from(levels);
        let of = |(bin, &n): (usize, &u64)| {
            let value = self.value(bin);
            let beyond = (value - range.high).max(range.low - value);
            n as f64 * if beyond > 0.0 { beyond * beyond } else { step * step / 12.0 }
        };
        self.counts.iter().enumerate().filter(|(_, n)| **n > 0).map(of).sum()
    }

    /// The step of sums that are rounded to −128..=127 before `activation`, with the least squared error of its outputs.
    pub fn sum_step(&self, activation: Activation, clip: Clip) -> f64 {
        let largest = self.ends.low.abs().max(self.ends.high.abs());
        if largest == 0.0 {
            return f64::from(f32::MIN_POSITIVE);
        }
        let steps: Vec<f64> = match clip {
            Clip::Max => vec![largest / 127.0],
            _ => (0..CANDIDATES).map(|n| largest / 127.0 * RATIO.powi(n)).collect(),
        };
        let exact: Vec<(f64, f64, f64)> = (0..BINS)
            .filter(|&bin| self.counts[bin] > 0)
            .map(|bin| (self.value(bin), self.counts[bin] as f64))
            .map(|(z, n)| (z, output(activation, z), n))
            .collect();
        let error = |step: f64| {
            let table: Vec<f64> = (-128..=127).map(|t| output(activation, f64::from(t) * step)).collect();
            let of = |&(z, y, n): &(f64, f64, f64)| {
                let t = (z / step).round().clamp(-128.0, 127.0) as i32;
                n * (table[(t + 128) as usize] - y).powi(2)
            };
            exact.iter().map(of).sum::<f64>()
        };
        let best = steps.into_iter().fold((largest / 127.0, f64::INFINITY), |best, step| {
            let error = error(step);
            if error < best.1 { (step, error) } else { best }
        });
        best.0
    }
}

/// The number of steps that are tried for sums.
const CANDIDATES: i32 = 80;
/// Each is this much of the one before.
const RATIO: f64 = 0.95;

/// The output of an activation.
pub(super) fn output(activation: Activation, z: f64) -> f64 {
    let mut z = [z];
    naive::activate(activation, &mut z);
    z[0]
}

#[cfg(test)]
mod tests {
    use selvedge::Activation;

    use super::{Range, SignedHistogram};
    use crate::quantize::clip::Clip;

    #[test]
    fn an_outlier_is_cut_off_where_that_helps() {
        let values = (0..4000).map(|n| if n == 7 { 500.0 } else { f64::from(n % 100) / 50.0 - 1.0 });
        let histogram = SignedHistogram::of(values);
        assert_eq!(histogram.range(Clip::Max, 127, 4000), Range { low: -1.0, high: 500.0 });
        let cut = histogram.range(Clip::Percentile(99.0), 127, 4000);
        assert!(cut.low >= -1.0 && cut.high < 1.3, "{cut:?}");
        // Cutting the outlier off costs 499², a step of 501 / 127 its square / 12 four thousand times: far less.
        assert_eq!(histogram.range(Clip::Mse, 127, 4000), Range { low: -1.0, high: 500.0 });
        let crowd = SignedHistogram::of(
            (0..90_000).map(|n| if n == 7 { 50.0 } else { f64::from(n % 100) / 50.0 - 1.0 }),
        );
        assert!(crowd.range(Clip::Mse, 7, 90_000).high < 1.3);
        let few = histogram.range(Clip::Mse, 127, 10);
        assert_eq!((few.low, few.high), (-1.0 - 50.1, 500.0 + 50.1));
    }

    #[test]
    fn steps_of_sums_follow_the_activation() {
        let histogram = SignedHistogram::of((-3000..=3000).map(|n| f64::from(n) / 100.0));
        let tanh = histogram.sum_step(Activation::Tanh, Clip::Mse);
        assert!((2.0..6.0).contains(&(127.0 * tanh)), "{tanh}");
        let linear = histogram.sum_step(Activation::Identity, Clip::Mse);
        assert!((28.0..=30.0).contains(&(127.0 * linear)), "{linear}");
        assert_eq!(histogram.sum_step(Activation::Tanh, Clip::Max), 30.0 / 127.0);
    }

    #[test]
    fn no_values_and_one_value_have_a_range() {
        let none = SignedHistogram::of(std::iter::empty());
        assert_eq!(none.range(Clip::Mse, 127, 2048), Range { low: 0.0, high: 0.0 });
        let one = SignedHistogram::of([3.0; 200].into_iter());
        assert_eq!(one.range(Clip::Mse, 127, 200), Range { low: 3.0, high: 3.0 });
    }
}
