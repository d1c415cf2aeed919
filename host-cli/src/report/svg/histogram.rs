//! Histograms of one series of numbers, or of two on the same bins.

use std::fmt::Write;

use super::super::{COLOURS, escape};
use super::{Axis, Chart, MARGINS};

/// The numbers in each of `bins` equal bins between two values; numbers outside count in the bin at their end.
pub(in super::super) fn counts(
    values: impl IntoIterator<Item = f64>,
    low: f64,
    high: f64,
    bins: usize,
) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for v in values {
        counts[(((v - low) / (high - low) * bins as f64).max(0.0) as usize).min(bins - 1)] += 1;
    }
    counts
}

impl Chart {
    /// A histogram of equal bins between two values.
    pub(in super::super) fn histogram(title: &str, low: f64, high: f64, counts: &[usize]) -> Self {
        Self::histograms(title, [low, high], false, &[("", counts)])
    }

    /// Histograms of several series on the same bins, one over the other; each has a name, or none where it is alone. On a
    /// logarithmic axis the ends are decimal logarithms.
    pub(in super::super) fn histograms(
        title: &str,
        [low, high]: [f64; 2],
        log: bool,
        series: &[(&str, &[usize])],
    ) -> Self {
        let x = Axis { log, ..Axis::of([low, high].into_iter()) };
        let max = series.iter().flat_map(|(_, counts)| counts.iter()).copied().max().unwrap_or(0).max(1);
        let y = Axis { low: 0.0, high: max as f64, log: false };
        let mut chart = Self { labels_above: true, ..Self::empty(title, x, y) };
        let opacity = if series.len() > 1 { " fill-opacity=\"0.6\"" } else { "" };
        for (s, (name, counts)) in series.iter().enumerate() {
            let (colour, mut text) = (COLOURS[s % COLOURS.len()], String::new());
            let width = (x.high - x.low) / counts.len().max(1) as f64;
            for (n, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let (left, right) =
                    (chart.left(x.low + width * n as f64), chart.left(x.low + width * (n + 1) as f64));
                let top = chart.top(count as f64);
                let _ = write!(
                    text,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"{opacity}/>",
                    (right - left).max(0.5),
                    chart.top(0.0) - top,
                );
            }
            if !name.is_empty() {
                let _ = write!(
                    text,
                    "<text x=\"{:.0}\" y=\"18\" style=\"fill:{colour}\">{}</text>",
                    MARGINS[0] + 130.0 * s as f64,
                    escape(name)
                );
            }
            chart.body += &text;
        }
        chart
    }
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn numbers_outside_count_at_the_ends() {
        assert_eq!(counts([-1.0, 0.0, 0.9, 1.0, 3.9, 4.0, 99.0], 0.0, 4.0, 4), [3, 1, 0, 3]);
    }
}
