//! Where to clip: the scale at which a few integers stand for many reals with the least harm.
//!
//! A coarse scale rounds everything, a fine one cuts off what is large. The least squared error lies between; weights
//! count as much as the inputs they meet.

use std::fmt;
use std::str::FromStr;

/// How a scale is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// The largest value is representable: nothing is cut off.
    Max,
    /// The least squared error.
    Mse,
    /// So many per cent of the values are representable.
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

/// Thresholds tried for the least squared error, as parts of the largest value.
const CANDIDATES: u32 = 100;
const LEAST: f64 = 0.2;

/// The candidates, the largest value first.
fn candidates(most: f64) -> impl Iterator<Item = f64> {
    (0..CANDIDATES).map(move |n| most * (1.0 - (1.0 - LEAST) * f64::from(n) / f64::from(CANDIDATES)))
}

/// The candidate with the least error; the larger of equals.
fn least(most: f64, error: impl Fn(f64) -> f64) -> f64 {
    let mut best = (most, f64::INFINITY);
    for threshold in candidates(most) {
        let error = error(threshold);
        if error < best.1 {
            best = (threshold, error);
        }
    }
    best.0
}

/// The bins of a [`Histogram`].
const BINS: usize = 4096;

/// How often values of `0..=most` occur.
#[derive(Debug, Clone)]
pub struct Histogram {
    most: f64,
    counts: Vec<u64>,
}

impl Histogram {
    /// Counts nothing yet; values lie in `0..=most`.
    pub fn new(most: f32) -> Self {
        Self { most: f64::from(most), counts: vec![0; BINS] }
    }

    /// Counts the values above 0. Zeros are exact at any scale.
    pub fn count(&mut self, values: &[f32]) {
        let bins = BINS as f64 / self.most;
        for &x in values.iter().filter(|x| **x > 0.0) {
            self.counts[((f64::from(x) * bins) as usize).min(BINS - 1)] += 1;
        }
    }

    /// The value of the step between two of `0..=levels`; `None` where there was nothing to count.
    pub fn step(&self, clip: Clip, levels: u32) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        if total == 0 {
            return None;
        }
        let width = self.most / BINS as f64;
        let threshold = match clip {
            Clip::Max => self.most,
            Clip::Percentile(percent) => {
                let mut left = (total as f64 * percent / 100.0).ceil() as u64;
                let bin = self.counts.iter().position(|&n| {
                    left = left.saturating_sub(n);
                    left == 0
                });
                (bin.unwrap_or(BINS - 1) + 1) as f64 * width
            }
            Clip::Mse => least(self.most, |threshold| {
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

/// The step between two of `-levels..=levels` for rows of weights that share it; `mean_square` is that of the input
/// that each column meets. 1 where all weights are 0: such rows have no step of their own.
pub fn weight_step(clip: Clip, levels: u32, rows: &[&[f32]], mean_square: &[f64]) -> f64 {
    let values = || rows.iter().flat_map(|row| row.iter()).map(|w| f64::from(w.abs()));
    let most = values().fold(0.0, f64::max);
    if most == 0.0 {
        return 1.0;
    }
    let levels = f64::from(levels);
    let threshold = match clip {
        Clip::Max => most,
        Clip::Percentile(percent) => {
            let mut sorted: Vec<f64> = values().collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let at = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
            // Where nearly all weights are 0 the percentile may be, too.
            Some(sorted[at.clamp(1, sorted.len()) - 1]).filter(|&t| t > 0.0).unwrap_or(most)
        }
        Clip::Mse => least(most, |threshold| {
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
    fn words() {
        for text in ["max", "mse", "percentile:99.9"] {
            assert_eq!(text.parse::<Clip>().unwrap().to_string(), text);
        }
        for text in ["", "percentile", "percentile:0", "percentile:101", "percentile:nan", "least"] {
            text.parse::<Clip>().unwrap_err();
        }
    }

    #[test]
    fn an_outlier_is_cut_off_where_that_helps() {
        let mut histogram = Histogram::new(127.0);
        histogram.count(&[0.5, 1.0, 2.0].repeat(1000));
        histogram.count(&[127.0]);
        let step = |clip| histogram.step(clip, 127).unwrap();
        assert!((step(Clip::Max) - 1.0).abs() < 1e-9);
        assert!(step(Clip::Percentile(99.0)) < 0.02);
        // Cutting the outlier to T costs (127 - T)² once, a step T / 127 its square / 12 three thousand times.
        let expected = (127.0 / (1.0 + 3000.0 / 12.0 / 127.0 / 127.0)) / 127.0;
        assert!((step(Clip::Mse) - expected).abs() < 0.01, "{expected}");

        let row: Vec<f32> =
            (0..200).map(|n| if n == 7 { 2.0 } else { 0.3 * (n as f32 * 0.7).sin() }).collect();
        let squares = vec![1.0; 200];
        let step = |clip| weight_step(clip, 7, &[&row], &squares);
        assert!((step(Clip::Max) - 2.0 / 7.0).abs() < 1e-6);
        assert!(step(Clip::Percentile(99.0)) < 0.05);
        assert!(step(Clip::Mse) < 0.26);
        // A column that meets no input does not count.
        let unused: Vec<f64> = (0..200).map(|n| f64::from(u8::from(n != 7))).collect();
        assert!(weight_step(Clip::Mse, 7, &[&row], &unused) < step(Clip::Mse));
    }

    #[test]
    fn nothing_to_count_sets_no_step() {
        assert_eq!(Histogram::new(0.0).step(Clip::Mse, 127), None);
        assert!((weight_step(Clip::Mse, 7, &[&[0.0; 4]], &[1.0; 4]) - 1.0).abs() < 1e-9);
    }
}
