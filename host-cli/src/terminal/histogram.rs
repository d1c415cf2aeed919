//! Histograms of values as one line of block characters.

use std::fmt::{self, Display, Formatter};

use super::block;

/// So few distinct values get a bin each, in their order.
const DISTINCT: usize = 8;

/// Values counted in bins, with their minimum, median and maximum. Values that are not finite are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Values in each bin, from the smallest; at least one bin.
    pub counts: Vec<usize>,
    /// The smallest value.
    pub min: f64,
    /// The median: of an even number of values, the mean of the two in the middle.
    pub median: f64,
    /// The largest value.
    pub max: f64,
}

/// One line: the [`blocks`](Histogram::blocks), then minimum, median and maximum in four significant digits.
impl Display for Histogram {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [min, median, max] = [self.min, self.median, self.max].map(significant);
        write!(f, "{}  min {min}, median {median}, max {max}", self.blocks())
    }
}

impl Histogram {
    /// Counts values in at most `bins` bins (at least one). Up to eight distinct values get a bin each if there are so many
    /// bins. More get bins of equal width from minimum to maximum, 2 · interquartile range / ∛n wide (Freedman and
    /// Diaconis, 1981) or wider, where the bins are not enough; where the interquartile range is 0, since half of the values
    /// are equal, there are `bins` bins.
    ///
    /// `None` where no value is finite.
    pub fn new(values: impl IntoIterator<Item = f64>, bins: usize) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let median = quantile(&sorted, 0.5);
        let mut distinct: Vec<usize> =
            sorted.chunk_by(|a, b| a == b).take(DISTINCT + 1).map(<[f64]>::len).collect();
        if distinct.len() > DISTINCT.min(bins) {
            distinct = equal_widths(&sorted, bins.max(1));
        }
        Some(Self { counts: distinct, min, median, max })
    }

    /// The bins as block characters whose height is the count, up to that of the fullest; an empty bin is a space.
    pub fn blocks(&self) -> String {
        let fullest = self.counts.iter().copied().max().unwrap_or(1) as f64;
        self.counts.iter().map(|&n| if n == 0 { ' ' } else { block(n as f64 / fullest) }).collect()
    }
}

/// Counts of bins of equal width; an edge belongs to the bin above, the maximum to the last.
fn equal_widths(sorted: &[f64], bins: usize) -> Vec<usize> {
    let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
    // Halves, since the range of two finite values may not be finite.
    let range = max / 2.0 - min / 2.0;
    let quartiles = quantile(sorted, 0.75) / 2.0 - quantile(sorted, 0.25) / 2.0;
    let width = 2.0 * quartiles / (sorted.len() as f64).cbrt();
    let wanted = if width > 0.0 { (range / width).ceil() as usize } else { bins };
    let mut counts = vec![0; wanted.clamp(1, bins)];
    let last = counts.len() - 1;
    for value in sorted {
        let place = (value / 2.0 - min / 2.0) / range;
        counts[((place * (last + 1) as f64) as usize).min(last)] += 1;
    }
    counts
}

/// The quantile `q`, linear between two values, as NumPy's default.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    let share = place.fract();
    low * (1.0 - share) + high * share
}

/// A number in four significant digits at least and without trailing zeros; in scientific notation below 0.001 and from ten
/// million.
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".into(); // not -0
    }
    if !value.is_finite() {
        return value.to_string();
    }
    if !(1e-3..1e7).contains(&magnitude) {
        let text = format!("{value:.3e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", without_zeros(mantissa));
    }
    let decimals = (3 - magnitude.log10().floor() as i32).max(0) as usize;
    without_zeros(&format!("{value:.decimals$}")).to_string()
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, significant};

    #[test]
    fn a_line_says_minimum_median_and_maximum() {
        let histogram = Histogram::new([-0.5, 1.0, 1.0, 20_000.0], 20).unwrap();
        assert_eq!(histogram.to_string(), "▅█▅  min -0.5, median 1, max 20000");
    }

    #[test]
    fn numbers_have_four_significant_digits() {
        let expected = [
            (0.0, "0"),
            (-0.0, "0"),
            (f64::NEG_INFINITY, "-inf"),
            (1.0, "1"),
            (100.0, "100"),
            (-3.25, "-3.25"),
            (1.0 / 3.0, "0.3333"),
            (0.001_234_56, "0.001235"),
            (0.000_123_456, "1.235e-4"),
            (9.999_96, "10"),
            (123_456.7, "123457"),
            (1e7, "1e7"),
            (-1.5e30, "-1.5e30"),
        ];
        for (value, text) in expected {
            assert_eq!(significant(value), text, "{value}");
        }
    }

    fn of(values: &[f64], bins: usize) -> (String, [f64; 3]) {
        let histogram = Histogram::new(values.iter().copied(), bins).unwrap();
        assert!(histogram.counts.len() <= bins);
        (histogram.blocks(), [histogram.min, histogram.median, histogram.max])
    }

    #[test]
    fn bins_are_those_of_freedman_and_diaconis() {
        // numpy.histogram(values, bins="fd") of the squares of 0 to 99.
        let squares: Vec<f64> = (0..100).map(|n| f64::from(n * n)).collect();
        let histogram = Histogram::new(squares.iter().copied(), 40).unwrap();
        assert_eq!(histogram.counts, [45, 18, 14, 12, 11]);
        assert_eq!((histogram.min, histogram.median, histogram.max), (0.0, 2450.5, 9801.0));
        // Bounded by the width.
        let (blocks, _) = of(&squares, 3);
        assert_eq!(blocks, "█▄▃"); // 58, 23, 19
    }

    #[test]
    fn one_value_and_constant_columns_are_one_bin() {
        assert_eq!(of(&[3.5], 20), ("█".into(), [3.5; 3]));
        assert_eq!(of(&[3.5; 7], 20), ("█".into(), [3.5; 3]));
        assert_eq!(of(&[0.0, -0.0], 20).0, "█");
    }

    #[test]
    fn few_distinct_values_have_a_bin_each() {
        assert_eq!(of(&[0.0, 1.0, 1.0, 1.0, 1.0, 100.0, 100.0], 20), ("▃█▅".into(), [0.0, 1.0, 100.0]));
        // Not where the bins are not enough.
        assert_eq!(of(&[0.0, 1.0, 1.0, 1.0, 1.0, 100.0, 100.0], 2).0, "█▄");
        assert_eq!(of(&[1.0, 2.0], 1).0, "█");
    }

    #[test]
    fn empty_bins_are_spaces_and_single_values_are_seen() {
        let mut values = vec![0.0; 1000];
        values.extend((1..=9).map(f64::from));
        // The interquartile range is 0.
        assert_eq!(of(&values, 10).0, "█▁▁▁▁▁▁▁▁▁");
        values.push(99.0);
        assert_eq!(of(&values, 10).0, "█        ▁");
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        assert_eq!(of(&[f64::NAN, 1.0, f64::INFINITY, 2.0], 9), ("██".into(), [1.0, 1.5, 2.0]));
        assert_eq!(Histogram::new([f64::NAN], 9), None);
        assert_eq!(Histogram::new([], 9), None);
    }

    #[test]
    fn huge_ranges_do_not_overflow() {
        let values: Vec<f64> = (-10..=10).map(|n| f64::MAX / 10.0 * f64::from(n)).collect();
        let (blocks, [.., max]) = of(&values, 3);
        assert_eq!((blocks.chars().count(), max), (3, f64::MAX));
        let tiny: Vec<f64> = (0..20).map(f64::from_bits).collect();
        assert_eq!(Histogram::new(tiny, 5).unwrap().counts.iter().sum::<usize>(), 20);
    }
}
