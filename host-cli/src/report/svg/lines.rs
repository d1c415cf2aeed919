//! Lines over a common axis, such as learning curves.

use std::fmt::Write;

use super::super::{COLOURS, escape};
use super::{Axis, Chart, MARGINS};

/// A range with a larger ratio hides its small values on a linear axis.
const MAX_LINEAR: f64 = 100.0;

impl Chart {
    /// Lines over a common `x`, each with a name; on a logarithmic axis where `y` is above 0 and differs by more than
    /// [`MAX_LINEAR`].
    pub(in super::super) fn log_lines(title: &str, series: &[(&str, Vec<(f64, f64)>)]) -> Self {
        let ys = || series.iter().flat_map(|(_, points)| points.iter().map(|p| p.1));
        let (low, high) = (ys().fold(f64::INFINITY, f64::min), ys().fold(0.0, f64::max));
        if low <= 0.0 || high <= MAX_LINEAR * low {
            return Self::lines(title, series);
        }
        let logarithm = |points: &[(f64, f64)]| points.iter().map(|&(x, y)| (x, y.log10())).collect();
        let series: Vec<_> = series.iter().map(|(name, points)| (*name, logarithm(points))).collect();
        let mut chart = Self::lines(title, &series);
        chart.y.log = true;
        chart
    }

    /// Lines over a common `x`, each with a name.
    pub(in super::super) fn lines(title: &str, series: &[(&str, Vec<(f64, f64)>)]) -> Self {
        let points = || series.iter().flat_map(|(_, points)| points.iter());
        let mut chart = Self::empty(title, Axis::of(points().map(|p| p.0)), Axis::of(points().map(|p| p.1)));
        for (n, (name, points)) in series.iter().enumerate() {
            let colour = COLOURS[n % COLOURS.len()];
            let path: Vec<_> =
                points.iter().map(|&(x, y)| format!("{:.1},{:.1}", chart.left(x), chart.top(y))).collect();
            let dash = if n == 0 { "" } else { " stroke-dasharray=\"6 3\"" };
            let _ = write!(
                chart.body,
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dash} points=\"{}\"/><text x=\"{:.0}\" \
                 y=\"18\" style=\"fill:{colour}\">{}</text>",
                path.join(" "),
                MARGINS[0] + 110.0 * n as f64,
                escape(name)
            );
            for (x, y) in points {
                let _ = write!(
                    chart.body,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\"/>",
                    chart.left(*x),
                    chart.top(*y)
                );
            }
        }
        chart
    }
}
