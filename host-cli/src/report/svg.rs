//! A small writer of charts as SVG: lines, bars, points with whiskers.

use std::fmt::Write;

use super::{COLOURS, escape};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
/// Room for the axes: left, right, top, bottom.
const ROOM: [f64; 4] = [56.0, 16.0, 28.0, 40.0];

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

    /// With room around the values, so that what is drawn at an end can be seen and named.
    fn with_room(self) -> Self {
        let room = 0.05 * (self.high - self.low);
        Self { low: self.low - room, high: self.high + room }
    }

    /// Steps of 1, 2 or 5 times a power of ten, about five of them.
    fn ticks(self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= rough).unwrap_or(10.0);
        let first = (self.low / step).ceil() as i64;
        (first..).map(|n| n as f64 * step).take_while(|t| *t <= self.high + step * 1e-9).collect()
    }
}

/// A chart: what is drawn in it, and what it says in words.
pub(super) struct Chart {
    x: Axis,
    y: Axis,
    body: String,
    words: String,
}

impl Chart {
    /// Lines over a common `x`, each with a name.
    pub(super) fn lines(words: &str, series: &[(&str, Vec<(f64, f64)>)]) -> Self {
        let points = || series.iter().flat_map(|(_, points)| points.iter());
        let mut chart = Self::empty(words, Axis::of(points().map(|p| p.0)), Axis::of(points().map(|p| p.1)));
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
                ROOM[0] + 110.0 * n as f64,
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

    /// Bars that touch each other, from equal bins between two ends.
    pub(super) fn histogram(words: &str, low: f64, high: f64, counts: &[usize]) -> Self {
        let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        let mut chart = Self::empty(words, Axis::of([low, high].into_iter()), Axis { low: 0.0, high: most });
        let wide = (high - low) / counts.len().max(1) as f64;
        for (n, &count) in counts.iter().enumerate() {
            let (left, right) = (chart.left(low + wide * n as f64), chart.left(low + wide * (n + 1) as f64));
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

    /// Points with a whisker of `± deviation` and a name each.
    pub(super) fn points(words: &str, points: &[(f64, f64, f64, String)]) -> Self {
        let ys = points.iter().flat_map(|p| [p.1 - p.2, p.1 + p.2]);
        let x = Axis::of(points.iter().map(|p| p.0)).with_room();
        let mut chart = Self::empty(words, x, Axis::of(ys).with_room());
        for (x, y, deviation, name) in points {
            let (left, top) = (chart.left(*x), chart.top(*y));
            let (high, low) = (chart.top(y + deviation), chart.top(y - deviation));
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

    /// [`points`](Self::points), and a line through those that no cheaper one beats.
    pub(super) fn pareto(words: &str, points: &[(f64, f64, f64, String)]) -> Self {
        let mut chart = Self::points(words, points);
        let front: Vec<_> = front(points)
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", chart.left(*x), chart.top(*y)))
            .collect();
        let _ = write!(
            chart.body,
            "<polyline class=\"front\" fill=\"none\" stroke=\"{0}\" stroke-width=\"2\" stroke-dasharray=\"6 3\" \
             points=\"{1}\"/><text x=\"{2}\" y=\"18\" style=\"fill:{0}\">none cheaper is better</text>",
            COLOURS[1],
            front.join(" "),
            ROOM[0]
        );
        chart
    }

    fn empty(words: &str, x: Axis, y: Axis) -> Self {
        Self { x, y, body: String::new(), words: words.into() }
    }

    fn left(&self, x: f64) -> f64 {
        ROOM[0] + (x - self.x.low) / (self.x.high - self.x.low) * (WIDTH - ROOM[0] - ROOM[1])
    }

    fn top(&self, y: f64) -> f64 {
        HEIGHT - ROOM[3] - (y - self.y.low) / (self.y.high - self.y.low) * (HEIGHT - ROOM[2] - ROOM[3])
    }

    /// A vertical line with a word.
    pub(super) fn mark(mut self, x: f64, word: &str) -> Self {
        let left = self.left(x);
        let _ = write!(
            self.body,
            "<line x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"var(--mark)\" stroke-dasharray=\"2 3\"/><text \
             dx=\"{}\" x=\"{left:.1}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
            ROOM[2],
            HEIGHT - ROOM[3],
            if left > WIDTH / 2.0 { -6 } else { 6 },
            HEIGHT - ROOM[3] - 6.0,
            if left > WIDTH / 2.0 { "end" } else { "start" },
            escape(word)
        );
        self
    }

    /// The SVG with its axes; `x` names the horizontal one.
    pub(super) fn finish(self, x: &str) -> String {
        let words = escape(&self.words);
        let mut text = format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{words}\"><title>{words}</title>"
        );
        // Half an epoch is none.
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
                ROOM[0],
                WIDTH - ROOM[1],
                ROOM[0] - 6.0,
                top + 4.0,
                short(tick)
            );
        }
        let _ = writeln!(
            text,
            "{}<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></svg><figcaption>{words}</figcaption></figure>",
            self.body,
            (ROOM[0] + WIDTH - ROOM[1]) / 2.0,
            HEIGHT - 6.0,
            escape(x)
        );
        text
    }
}

/// The points that are better than all that cost as much or less, the cheapest first.
fn front(points: &[(f64, f64, f64, String)]) -> Vec<(f64, f64)> {
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

/// Six figures at most, without a tail of zeros.
fn short(x: f64) -> String {
    let text = format!("{x:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Chart, front, short};

    #[test]
    fn ticks_are_round() {
        let ticks = Axis { low: 0.83, high: 0.91 }.ticks();
        assert_eq!(ticks.iter().map(|t| short(*t)).collect::<Vec<_>>(), ["0.84", "0.86", "0.88", "0.9"]);
        assert_eq!(Axis::of([3.0].into_iter()).ticks().len(), 5);
    }

    #[test]
    fn the_front_has_what_no_cheaper_one_beats() {
        let of = |points: &[(f64, f64)]| {
            front(&points.iter().map(|&(x, y)| (x, y, 0.0, String::new())).collect::<Vec<_>>())
        };
        assert_eq!(
            of(&[(3.0, 9.0), (1.0, 5.0), (2.0, 4.0), (1.0, 6.0), (4.0, 9.0)]),
            [(1.0, 6.0), (3.0, 9.0)]
        );
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn charts_say_what_they_show() {
        let svg = Chart::lines("loss <by> epoch", &[("loss", vec![(1.0, 2.0), (2.0, 1.0)])])
            .mark(2.0, "best")
            .finish("epoch");
        assert!(svg.contains("aria-label=\"loss &lt;by&gt; epoch\"") && svg.contains("polyline"), "{svg}");
        assert!(!svg.contains("NaN"));
        assert!(!Chart::histogram("h", 0.0, 0.0, &[0]).finish("x").contains("NaN"));
    }
}
