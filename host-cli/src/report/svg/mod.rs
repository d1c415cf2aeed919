//! Charts as SVG: the axes, which all share. [`lines`], [`histogram`], [`points`] and [`scatter`] draw into them.

mod histogram;
mod lines;
mod points;
mod scatter;

use std::fmt::Write;

use super::escape;

pub(super) use histogram::counts;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
/// The margins: left, right, top, bottom.
const MARGINS: [f64; 4] = [56.0, 16.0, 28.0, 40.0];

/// The range of an axis.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
    /// Whether both are decimal logarithms.
    log: bool,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        match (low.is_finite(), low < high) {
            (false, _) => Self { low: 0.0, high: 1.0, log: false },
            (true, true) => Self { low, high, log: false },
            (true, false) => {
                let half = (0.01 * low.abs()).max(0.5);
                Self { low: low - half, high: low + half, log: false }
            }
        }
    }

    /// Extends the range, so that points at its ends and their labels are visible.
    fn with_padding(self) -> Self {
        let padding = 0.05 * (self.high - self.low);
        Self { low: self.low - padding, high: self.high + padding, ..self }
    }

    /// The distance of ticks, so that there are about five: 1, 2 or 5 times a power of ten; whole powers on a logarithmic axis.
    fn step(self) -> f64 {
        let min_step = (self.high - self.low) / 5.0;
        let power = 10f64.powf(min_step.log10().floor());
        let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= min_step).unwrap_or(10.0);
        if self.log { step.max(1.0) } else { step }
    }

    /// The multiples of the step.
    fn ticks(self) -> Vec<f64> {
        let step = self.step();
        let first = (self.low / step).ceil() as i64;
        (first..).map(|n| n as f64 * step).take_while(|t| *t <= self.high + step * 1e-9).collect()
    }

    /// The number at a tick, with the decimals that tell it from the next.
    fn label(self, tick: f64) -> String {
        if self.log {
            return short(10f64.powf(tick), 10f64.powf(tick));
        }
        short(tick, self.step())
    }
}

/// A chart and its title, which is also its alternative text.
pub(super) struct Chart {
    x: Axis,
    y: Axis,
    height: f64,
    /// Whether labels of marks stand above, since bars stand below.
    labels_above: bool,
    body: String,
    title: String,
}

impl Chart {
    fn empty(title: &str, x: Axis, y: Axis) -> Self {
        Self { x, y, height: HEIGHT, labels_above: false, body: String::new(), title: title.into() }
    }

    fn left(&self, x: f64) -> f64 {
        MARGINS[0] + (x - self.x.low) / (self.x.high - self.x.low) * (WIDTH - MARGINS[0] - MARGINS[1])
    }

    fn top(&self, y: f64) -> f64 {
        let range = self.height - MARGINS[2] - MARGINS[3];
        self.height - MARGINS[3] - (y - self.y.low) / (self.y.high - self.y.low) * range
    }

    /// Adds a vertical line with a label.
    pub(super) fn mark(mut self, x: f64, label: &str) -> Self {
        let left = self.left(x);
        let _ = write!(
            self.body,
            "<line x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"var(--mark)\" stroke-dasharray=\"2 3\"/><text \
             dx=\"{}\" x=\"{left:.1}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
            MARGINS[2],
            self.height - MARGINS[3],
            if left > WIDTH / 2.0 { -6 } else { 6 },
            if self.labels_above { MARGINS[2] + 12.0 } else { self.height - MARGINS[3] - 6.0 },
            if left > WIDTH / 2.0 { "end" } else { "start" },
            escape(label)
        );
        self
    }

    /// Names the vertical axis, above it.
    fn name_y(mut self, name: &str) -> Self {
        let _ = write!(self.body, "<text x=\"{}\" y=\"18\">{}</text>", MARGINS[0], escape(name));
        self
    }

    /// The SVG with its axes; `x` names the horizontal axis.
    pub(super) fn finish(self, x: &str) -> String {
        let title = escape(&self.title);
        let mut text = format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>",
            self.height
        );
        // Epochs and configs are integers.
        let whole = ["epoch", "config"].contains(&x);
        for tick in self.x.ticks().into_iter().filter(|t| !whole || t.fract() == 0.0) {
            let left = self.left(tick);
            let _ = write!(
                text,
                "<text x=\"{left:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                self.height - 22.0,
                self.x.label(tick)
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
                self.y.label(tick)
            );
        }
        let _ = writeln!(
            text,
            "{}<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></svg><figcaption>{title}</figcaption></figure>",
            self.body,
            (MARGINS[0] + WIDTH - MARGINS[1]) / 2.0,
            self.height - 6.0,
            escape(x)
        );
        text
    }
}

/// A number with the decimals that a step of this size needs, without trailing zeros; with an exponent where it would be long.
fn short(x: f64, step: f64) -> String {
    let decimals = -step.abs().log10().floor();
    if !(-6.0..=5.0).contains(&decimals) {
        return if x == 0.0 { "0".into() } else { format!("{:e}", format!("{x:.2e}").parse().unwrap_or(x)) };
    }
    let text = format!("{x:.*}", decimals.max(0.0) as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Chart};

    #[test]
    fn ticks_are_round() {
        let labels = |low, high, log| {
            let axis = Axis { low, high, log };
            axis.ticks().into_iter().map(|tick| axis.label(tick)).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.83, 0.91, false), ["0.84", "0.86", "0.88", "0.9"]);
        assert_eq!(labels(-1e-7, 3e-7, false), ["-1e-7", "0", "1e-7", "2e-7", "3e-7"]);
        assert_eq!(labels(0.0, 250_000.0, false), ["0", "50000", "100000", "150000", "200000", "250000"]);
        assert_eq!(labels(-2.5, 1.2, true), ["0.01", "0.1", "1", "10"]);
        assert_eq!(Axis::of([3.0].into_iter()).ticks().len(), 5);
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
