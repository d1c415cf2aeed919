//! Clip limits: the scales at which integers represent real numbers with the smallest error.
//!
//! A coarse scale has large rounding errors, a fine one clips large values. The least squared error is in between; errors of
//! weights are weighted by the mean square of their inputs.

use std::fmt;
use std::str::FromStr;

/// How to choose a clip limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// The largest value: nothing is clipped.
    Max,
    /// The limit with the least squared error.
    Mse,
    /// The limit that this percentage of the values does not exceed.
    Percentile(f64),
}

impl FromStr for Clip {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => return Ok(Self::Max),
            "mse" => return Ok(Self::Mse),
            _ => {}
        }
        let percent = text.strip_prefix("percentile:").and_then(|p| p.parse::<f64>().ok());
        match percent.filter(|p| *p > 0.0 && *p <= 100.0) {
            Some(percent) => Ok(Self::Percentile(percent)),
            None => {
                Err("write max, mse, or percentile: and a number up to 100, such as percentile:99.9".into())
            }
        }
    }
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Mse => f.write_str("mse"),
            Self::Percentile(percent) => write!(f, "percentile:{percent}"),
        }
    }
}

/// The number of limits that are tried for the least squared error.
const CANDIDATES: u32 = 100;
/// The smallest of them, as a fraction of the largest value.
const MIN_FRACTION: f64 = 0.2;

/// The candidates, the largest value first.
fn candidates(max: f64) -> impl Iterator<Item = f64> {
    (0..CANDIDATES).map(move |n| max * (1.0 - (1.0 - MIN_FRACTION) * f64::from(n) / f64::from(CANDIDATES)))
}

/// The candidate with the least error; the larger one of equals.
fn least_error(max: f64, error: impl Fn(f64) -> f64) -> f64 {
    let mut best = (max, f64::INFINITY);
    for threshold in candidates(max) {
        let error = error(threshold);
        if error < best.1 {
            best = (threshold, error);
        }
    }
    best.0
}

/// The bins of a [`Histogram`].
const BINS: usize = 4096;

/// A histogram of values of `0..=max`.
#[derive(Debug, Clone)]
pub struct Histogram {
    max: f64,
    counts: Vec<u64>,
}

impl Histogram {
    /// An empty histogram for values of `0..=max`.
    pub fn new(max: f32) -> Self {
        Self { max: f64::from(max), counts: vec![0; BINS] }
    }

    /// Counts the values above 0; zeros are exact at any scale.
    pub fn count(&mut self, values: &[f32]) {
        let bins = BINS as f64 / self.max;
        for &x in values.iter().filter(|x| **x > 0.0) {
            self.counts[((f64::from(x) * bins) as usize).min(BINS - 1)] += 1;
        }
    }

    /// The quantization step for integers of `0..=levels`; `None` where the histogram is empty.
    pub fn step(&self, clip: Clip, levels: u32) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        if total == 0 {
            return None;
        }
        let width = self.max / BINS as f64;
        let threshold = match clip {
            Clip::Max => self.max,
            Clip::Percentile(percent) => {
                let mut left = (total as f64 * percent / 100.0).ceil() as u64;
                let bin = self.counts.iter().position(|&n| {
                    left = left.saturating_sub(n);
                    left == 0
                });
                (bin.unwrap_or(BINS - 1) + 1) as f64 * width
            }
            Clip::Mse => least_error(self.max, |threshold| {
                let step = threshold / f64::from(levels);
                let of = |(bin, &n): (usize, &u64)| {
                    let beyond = (bin as f64 + 0.5) * width - threshold;
                    n as f64 * if beyond > 0.0 { beyond * beyond } else { step * step / 12.0 }
                };
                self.counts.iter().enumerate().map(of).sum()
            }),
        };
        Some(threshold / f64::from(levels))
    }
}

/// The quantization step for integers of `-levels..=levels`, for rows of weights that share it. `mean_square` is that of the
/// input of each column. 1 where all weights are 0.
pub fn weight_step(clip: Clip, levels: u32, rows: &[&[f32]], mean_square: &[f64]) -> f64 {
    let values = || rows.iter().flat_map(|row| row.iter()).map(|w| f64::from(w.abs()));
    let max = values().fold(0.0, f64::max);
    if max == 0.0 {
        return 1.0;
    }
    let levels = f64::from(levels);
    let threshold = match clip {
        Clip::Max => max,
        Clip::Percentile(percent) => {
            let mut sorted: Vec<f64> = values().collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let at = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
            // Where nearly all weights are 0 the percentile may be 0, too.
            Some(sorted[at.clamp(1, sorted.len()) - 1]).filter(|&t| t > 0.0).unwrap_or(max)
        }
        Clip::Mse => least_error(max, |threshold| {
            let step = threshold / levels;
            let error = |row: &&[f32]| -> f64 {
                let of = |(&w, &square): (&f32, &f64)| {
                    let w = f64::from(w);
                    let off = w - (w / step).round_ties_even().clamp(-levels, levels) * step;
                    square * off * off
                };
                row.iter().zip(mean_square).map(of).sum()
            };
            rows.iter().map(error).sum()
        }),
    };
    threshold / levels
}

#[cfg(test)]
mod tests {
    use super::{Clip, Histogram, weight_step};

    #[test]
    fn text_round_trips() {
        for text in ["max", "mse", "percentile:99.9"] {
            assert_eq!(text.parse::<Clip>().unwrap().to_string(), text);
        }
        for text in ["", "percentile", "percentile:0", "percentile:101", "percentile:nan", "least"] {
            text.parse::<Clip>().unwrap_err();
        }
    }

    #[test]
    fn an_outlier_is_clipped_where_that_helps() {
        let mut histogram = Histogram::new(127.0);
        histogram.count(&[0.5, 1.0, 2.0].repeat(1000));
        histogram.count(&[127.0]);
        let step = |clip| histogram.step(clip, 127).unwrap();
        assert!((step(Clip::Max) - 1.0).abs() < 1e-9);
        assert!(step(Clip::Percentile(99.0)) < 0.02);
        // Clipping the outlier to T costs (127 - T)² once, a step T / 127 its square / 12 three thousand times.
        let expected = (127.0 / (1.0 + 3000.0 / 12.0 / 127.0 / 127.0)) / 127.0;
        assert!((step(Clip::Mse) - expected).abs() < 0.01, "{expected}");

        let row: Vec<f32> =
            (0..200).map(|n| if n == 7 { 2.0 } else { 0.3 * (n as f32 * 0.7).sin() }).collect();
        let squares = vec![1.0; 200];
        let step = |clip| weight_step(clip, 7, &[&row], &squares);
        assert!((step(Clip::Max) - 2.0 / 7.0).abs() < 1e-6);
        assert!(step(Clip::Percentile(99.0)) < 0.05);
        assert!(step(Clip::Mse) < 0.26);
        // A column whose input is always 0 does not count.
        let unused: Vec<f64> = (0..200).map(|n| f64::from(u8::from(n != 7))).collect();
        assert!(weight_step(Clip::Mse, 7, &[&row], &unused) < step(Clip::Mse));
    }

    #[test]
    fn an_empty_histogram_has_no_step() {
        assert_eq!(Histogram::new(0.0).step(Clip::Mse, 127), None);
        assert!((weight_step(Clip::Mse, 7, &[&[0.0; 4]], &[1.0; 4]) - 1.0).abs() < 1e-9);
    }
}
