//! Points with error bars, and the Pareto front of accuracy against cost.

use std::fmt::Write;

use super::super::{COLOURS, escape};
use super::{Axis, Chart, MARGINS};

impl Chart {
    /// Points `(x, y, standard deviation, name)` with error bars.
    pub(in super::super) fn points(title: &str, points: &[(f64, f64, f64, String)]) -> Self {
        let ys = points.iter().flat_map(|p| [p.1 - p.2, p.1 + p.2]);
        let x = Axis::of(points.iter().map(|p| p.0)).with_padding();
        let mut chart = Self::empty(title, x, Axis::of(ys).with_padding());
        for (x, y, standard_deviation, name) in points {
            let (left, top) = (chart.left(*x), chart.top(*y));
            let (high, low) = (chart.top(y + standard_deviation), chart.top(y - standard_deviation));
            let _ = write!(
                chart.body,
                "<line x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{high:.1}\" y2=\"{low:.1}\" stroke=\"{0}\"/><circle cx=\"{left:.1}\" \
                 cy=\"{top:.1}\" r=\"4\" fill=\"{0}\"/><text x=\"{1:.1}\" y=\"{2:.1}\">{3}</text>",
                COLOURS[0],
                left + 6.0,
                top - 5.0,
                escape(name)
            );
        }
        chart
    }

    /// [`points`](Self::points), and a line through the Pareto front.
    pub(in super::super) fn pareto(title: &str, points: &[(f64, f64, f64, String)]) -> Self {
        let mut chart = Self::points(title, points);
        let front: Vec<_> = pareto_front(points)
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", chart.left(*x), chart.top(*y)))
            .collect();
        let _ = write!(
            chart.body,
            "<polyline class=\"front\" fill=\"none\" stroke=\"{0}\" stroke-width=\"2\" stroke-dasharray=\"6 3\" \
             points=\"{1}\"/><text x=\"{2}\" y=\"18\" style=\"fill:{0}\">Pareto front</text>",
            COLOURS[1],
            front.join(" "),
            MARGINS[0]
        );
        chart
    }
}

/// The points that are better than all that cost as much or less, the cheapest first.
fn pareto_front(points: &[(f64, f64, f64, String)]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> = points.iter().map(|p| (p.0, p.1)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut best = f64::NEG_INFINITY;
    sorted.retain(|(_, y)| {
        *y > best && {
            best = *y;
            true
        }
    });
    sorted
}

#[cfg(test)]
mod tests {
    use super::pareto_front;

    #[test]
    fn the_pareto_front_has_the_points_that_no_cheaper_one_beats() {
        let of = |points: &[(f64, f64)]| {
            pareto_front(&points.iter().map(|&(x, y)| (x, y, 0.0, String::new())).collect::<Vec<_>>())
        };
        assert_eq!(
            of(&[(3.0, 9.0), (1.0, 5.0), (2.0, 4.0), (1.0, 6.0), (4.0, 9.0)]),
            [(1.0, 6.0), (3.0, 9.0)]
        );
        assert!(of(&[]).is_empty());
    }
}
