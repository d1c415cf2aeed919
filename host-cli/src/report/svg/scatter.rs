//! Charts around a diagonal: predicted against true values, and how often probabilities are right.

use std::fmt::Write;

use super::super::COLOURS;
use super::{Axis, Chart};

/// The height of a chart whose axes have the same range.
const SQUARE: f64 = 360.0;

impl Chart {
    /// Points `(true, predicted)` on axes of the same range, with the diagonal where a perfect prediction lies.
    pub(in super::super) fn scatter(title: &str, points: &[(f64, f64)]) -> Self {
        let axis = Axis::of(points.iter().flat_map(|p| [p.0, p.1])).with_padding();
        let mut chart = Self { height: SQUARE, ..Self::empty(title, axis, axis) };
        let _ = write!(chart.body, "<g fill=\"{}\" fill-opacity=\"0.5\">", COLOURS[0]);
        for &(x, y) in points {
            let (left, top) = (chart.left(x), chart.top(y));
            let _ = write!(chart.body, "<circle cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"3\"/>");
        }
        chart.body += "</g>";
        chart.diagonal().name_y("predicted")
    }

    /// A reliability diagram: for each bin of probabilities their mean, the fraction of right answers, and the rows, which the
    /// area of its mark shows.
    pub(in super::super) fn reliability(title: &str, bins: &[(f64, f64, usize)]) -> Self {
        let axis = Axis { low: 0.0, high: 1.0, log: false };
        let mut chart = Self::empty(title, axis, axis).diagonal();
        let most = bins.iter().map(|bin| bin.2).max().unwrap_or(1).max(1) as f64;
        for &(x, y, rows) in bins {
            let (left, top, ideal) = (chart.left(x), chart.top(y), chart.top(x));
            let _ = write!(
                chart.body,
                "<line x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{ideal:.1}\" y2=\"{top:.1}\" stroke=\"{0}\"/><circle \
                 cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"{1:.1}\" fill=\"{0}\" fill-opacity=\"0.75\"/>",
                COLOURS[0],
                2.0 + 8.0 * (rows as f64 / most).sqrt()
            );
        }
        chart.name_y("fraction of right answers")
    }

    fn diagonal(mut self) -> Self {
        let [x1, x2] = [self.x.low, self.x.high].map(|x| self.left(x));
        let [y1, y2] = [self.y.low, self.y.high].map(|y| self.top(y));
        let _ = write!(
            self.body,
            "<line class=\"diagonal\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"var(--mark)\" \
             stroke-dasharray=\"4 3\"/>"
        );
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Chart;

    #[test]
    fn perfect_predictions_lie_on_the_diagonal() {
        let svg = Chart::scatter("t", &[(1.0, 1.0), (3.0, 3.0)]).finish("true");
        let number = |text: &str, key: &str| -> f64 {
            text.split_once(&format!("{key}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
        };
        let line = svg.split_once("class=\"diagonal\"").unwrap().1;
        let [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map(|key| number(line, key));
        for circle in svg.split("<circle").skip(1) {
            let (x, y) = (number(circle, "cx"), number(circle, "cy"));
            let on_line = y1 + (x - x1) / (x2 - x1) * (y2 - y1);
            assert!((y - on_line).abs() < 0.11, "{x} {y} {on_line}");
        }
        // One value for all has a range too.
        assert!(!Chart::scatter("t", &[(2.0, 2.0)]).finish("true").contains("NaN"));
        assert!(!Chart::reliability("t", &[]).finish("p").contains("NaN"));
    }
}
