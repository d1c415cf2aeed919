//! Charts as SVG: lines, histograms, points with error bars.

use std::fmt::Write;

use super::{COLOURS, escape};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
/// The margins: left, right, top, bottom.
const MARGINS: [f64; 4] = [56.0, 16.0, 28.0, 40.0];

/// The range of an axis.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        match (low.is_finite(), low < high) {
            (false, _) => Self { low: 0.0, high: 1.0 },
            (true, true) => Self { low, high },
            (true, false) => Self { low: low - 0.5, high: low + 0.5 },
        }
    }

    /// Extends the range, so that points at its ends and their labels are visible.
    fn with_padding(self) -> Self {
        let padding = 0.05 * (self.high - self.low);
        Self { low: self.low - padding, high: self.high + padding }
    }

    /// About five ticks at multiples of 1, 2 or 5 times a power of ten.
    fn ticks(self) -> Vec<f64> {
        let min_step = (self.high - self.low) / 5.0;
        let power = 10f64.powf(min_step.log10().floor());
        let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= min_step).unwrap_or(10.0);
        let first = (self.low / step).ceil() as i64;
        (first..).map(|n| n as f64 * step).take_while(|t| *t <= self.high + step * 1e-9).collect()
    }
}

/// A chart and its title, which is also its alternative text.
pub(super) struct Chart {
    x: Axis,
    y: Axis,
    body: String,
    title: String,
}

impl Chart {
    /// Lines over a common `x`, each with a name.
    pub(super) fn lines(title: &str, series: &[(&str, Vec<(f64, f64)>)]) -> Self {
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

    /// A histogram of equal bins between two values.
    pub(super) fn histogram(title: &str, low: f64, high: f64, counts: &[usize]) -> Self {
        let max = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        let mut chart = Self::empty(title, Axis::of([low, high].into_iter()), Axis { low: 0.0, high: max });
        let width = (high - low) / counts.len().max(1) as f64;
        for (n, &count) in counts.iter().enumerate() {
            let (left, right) =
                (chart.left(low + width * n as f64), chart.left(low + width * (n + 1) as f64));
            let top = chart.top(count as f64);
            let _ = write!(
                chart.body,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                (right - left).max(0.5),
                chart.top(0.0) - top,
                COLOURS[0]
            );
        }
        chart
    }

    /// Points `(x, y, standard deviation, name)` with error bars.
    pub(super) fn points(title: &str, points: &[(f64, f64, f64, String)]) -> Self {
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
    pub(super) fn pareto(title: &str, points: &[(f64, f64, f64, String)]) -> Self {
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

    fn empty(title: &str, x: Axis, y: Axis) -> Self {
        Self { x, y, body: String::new(), title: title.into() }
    }

    fn left(&self, x: f64) -> f64 {
        MARGINS[0] + (x - self.x.low) / (self.x.high - self.x.low) * (WIDTH - MARGINS[0] - MARGINS[1])
    }

    fn top(&self, y: f64) -> f64 {
        HEIGHT
            - MARGINS[3]
            - (y - self.y.low) / (self.y.high - self.y.low) * (HEIGHT - MARGINS[2] - MARGINS[3])
    }

    /// Adds a vertical line with a label.
    pub(super) fn mark(mut self, x: f64, label: &str) -> Self {
        let left = self.left(x);
        let _ = write!(
            self.body,
            "<line x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"var(--mark)\" stroke-dasharray=\"2 3\"/><text \
             dx=\"{}\" x=\"{left:.1}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
            MARGINS[2],
            HEIGHT - MARGINS[3],
            if left > WIDTH / 2.0 { -6 } else { 6 },
            HEIGHT - MARGINS[3] - 6.0,
            if left > WIDTH / 2.0 { "end" } else { "start" },
            escape(label)
        );
        self
    }

    /// The SVG with its axes; `x` names the horizontal axis.
    pub(super) fn finish(self, x: &str) -> String {
        let title = escape(&self.title);
        let mut text = format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
        );
        // Epochs and configs are integers.
        let whole = ["epoch", "config"].contains(&x);
        for tick in self.x.ticks().into_iter().filter(|t| !whole || t.fract() == 0.0) {
            let left = self.left(tick);
            let _ = write!(
                text,
                "<text x=\"{left:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                HEIGHT - 22.0,
                short(tick)
            );
        }
        for tick in self.y.ticks() {
            let top = self.top(tick);
            let _ = write!(
                text,
                "<line x1=\"{}\" x2=\"{}\" y1=\"{top:.1}\" y2=\"{top:.1}\" stroke=\"var(--tick)\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                MARGINS[0],
                WIDTH - MARGINS[1],
                MARGINS[0] - 6.0,
                top + 4.0,
                short(tick)
            );
        }
        let _ = writeln!(
            text,
            "{}<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></svg><figcaption>{title}</figcaption></figure>",
            self.body,
            (MARGINS[0] + WIDTH - MARGINS[1]) / 2.0,
            HEIGHT - 6.0,
            escape(x)
        );
        text
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

/// At most four decimals, without trailing zeros.
fn short(x: f64) -> String {
    let text = format!("{x:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Chart, pareto_front, short};

    #[test]
    fn ticks_are_round() {
        let ticks = Axis { low: 0.83, high: 0.91 }.ticks();
        assert_eq!(ticks.iter().map(|t| short(*t)).collect::<Vec<_>>(), ["0.84", "0.86", "0.88", "0.9"]);
        assert_eq!(Axis::of([3.0].into_iter()).ticks().len(), 5);
    }

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

    #[test]
    fn charts_have_an_alternative_text() {
        let svg = Chart::lines("loss <by> epoch", &[("loss", vec![(1.0, 2.0), (2.0, 1.0)])])
            .mark(2.0, "best")
            .finish("epoch");
        assert!(svg.contains("aria-label=\"loss &lt;by&gt; epoch\"") && svg.contains("polyline"), "{svg}");
        assert!(!svg.contains("NaN"));
        assert!(!Chart::histogram("h", 0.0, 0.0, &[0]).finish("x").contains("NaN"));
    }
}
