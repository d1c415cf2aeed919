//! What the project asks of itself, as figures: of all lines that a rule is about, the worst counts.

use serde::Serialize;

use super::{BATCH, Dtype, Line, Name, WIDTHS, products};

/// A figure against its bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// Always `bound`.
    pub name: &'static str,
    /// What about.
    pub what: &'static str,
    /// The worst of the lines.
    pub value: f64,
    /// What it must reach, if it must reach something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// What it must not exceed, if it must not exceed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Whether it does.
    pub met: bool,
}

#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}
use Limit::{AtLeast, AtMost};

/// What a rule asks of a line: the figure, if the rule is about the line.
type Figure = fn(&Line) -> Option<f64>;

/// The rules.
const RULES: [(&str, Limit, Figure); 18] = [
    ("avx512: percent of peak, large products of the network", AtLeast(90.0), |l| {
        of_peak(l, "avx512", is_large(l))
    }),
    ("avx512: percent of peak, every layer of the grid", AtLeast(80.0), |l| {
        of_peak(l, "avx512", is_product(l) && products::is_on_grid(&l.shape))
    }),
    ("avx512: times matrixmultiply, products of the network", AtLeast(1.2), |l| {
        l.vs_matrixmultiply.filter(|_| l.backend == "avx512" && is_own(l))
    }),
    ("avx2: percent of peak, large products of the network", AtLeast(85.0), |l| {
        of_peak(l, "avx2", is_large(l))
    }),
    ("portable: percent of peak, large products of the network", AtLeast(75.0), |l| {
        of_peak(l, "portable", is_large(l))
    }),
    ("times the plain loops, large products of the network", AtLeast(15.0), |l| {
        l.vs_naive.filter(|_| is_large(l) && is_fast(l))
    }),
    ("percent of a step that its output layer takes", AtMost(8.0), |l| {
        l.output_layer_percent.filter(|_| is_fast(l) && l.dtype == Dtype::F32)
    }),
    ("a whole run by its multiply-adds at the peak", AtMost(1.15), |l| {
        by_peak(l, l.name == Name::Epoch && l.dtype == Dtype::F32 && l.threads == 1)
    }),
    ("a whole run in bf16 by one in f32", AtMost(0.65), |l| {
        l.vs_f32.filter(|_| l.name == Name::Epoch && is_fast(l)).map(f64::recip)
    }),
    ("a step on two idle cores by one", AtLeast(1.65), |l| {
        l.vs_one_thread.filter(|_| l.name == Name::Step && !l.busy)
    }),
    ("a step on two threads by one, the other cores busy", AtLeast(0.7), |l| {
        l.vs_one_thread.filter(|_| l.name == Name::Step && l.busy)
    }),
    ("one image, microseconds", AtMost(2.5), |l| {
        (l.name == Name::Infer && l.dtype == Dtype::F32 && l.shape[0] == 1 && is_fast(l))
            .then_some(1e6 * l.seconds)
    }),
    ("10,000 images by their multiply-adds at the peak", AtMost(1.15), |l| {
        by_peak(l, l.name == Name::Infer && l.dtype == Dtype::F32 && l.shape[0] > 1 && l.threads == 1)
    }),
    ("10,000 images on two threads by one", AtLeast(1.65), |l| {
        l.vs_one_thread.filter(|_| l.name == Name::Infer)
    }),
    ("one image in integers, microseconds", AtMost(0.9), |l| is_integer(l, 1).then_some(1e6 * l.seconds)),
    ("10,000 images in integers, milliseconds", AtMost(2.8), |l| {
        is_integer(l, 10_000).then_some(1e3 * l.seconds)
    }),
    ("10,000 images in integers by their multiply-adds at the peak", AtMost(1.4), |l| {
        by_peak(l, is_integer(l, 10_000))
    }),
    ("reading 70,000 images, seconds", AtMost(0.35), |l| (l.name == Name::Load).then_some(l.seconds)),
];

/// Whether it is the fastest backend of this CPU, which the bounds on whole steps are about.
fn is_fast(line: &Line) -> bool {
    line.backend == selvedge::Backend::detect().name()
}

/// Predictions of so many images in integers, by the fastest backend.
fn is_integer(line: &Line, images: usize) -> bool {
    line.name == Name::Infer && line.dtype == Dtype::I8 && line.shape[0] == images && is_fast(line)
}

/// A product in single precision, which the bounds on products are about.
fn is_product(line: &Line) -> bool {
    line.dtype == Dtype::F32 && matches!(line.name, Name::Forward | Name::Weights | Name::Delta)
}

/// A product of the network's own layers.
fn is_own(line: &Line) -> bool {
    let [i, h, o] = WIDTHS;
    let sorted = |mut shape: Vec<usize>| {
        shape.sort_unstable();
        shape
    };
    let shape = sorted(line.shape.clone());
    is_product(line) && (shape == sorted(vec![BATCH, i, h]) || shape == sorted(vec![BATCH, h, o]))
}

/// One of the two large products of the network: those of its first layer.
fn is_large(line: &Line) -> bool {
    is_own(line) && line.shape.contains(&WIDTHS[0])
}

fn of_peak(line: &Line, backend: &str, about: bool) -> Option<f64> {
    line.percent_of_peak.filter(|_| about && line.backend == backend)
}

/// Time by the time at the peak.
fn by_peak(line: &Line, about: bool) -> Option<f64> {
    line.percent_of_peak.filter(|_| about && is_fast(line)).map(|percent| 100.0 / percent)
}

/// The bounds that some of the lines are about.
pub fn bounds(lines: &[Line]) -> Vec<Bound> {
    RULES
        .into_iter()
        .filter_map(|(what, limit, figure)| {
            let values = lines.iter().filter_map(figure);
            let worst = match limit {
                AtLeast(_) => values.reduce(f64::min),
                AtMost(_) => values.reduce(f64::max),
            };
            worst.map(|value| match limit {
                AtLeast(least) => bound(what, value, Some(least), None, value >= least),
                AtMost(most) => bound(what, value, None, Some(most), value <= most),
            })
        })
        .collect()
}

fn bound(what: &'static str, value: f64, at_least: Option<f64>, at_most: Option<f64>, met: bool) -> Bound {
    Bound { name: "bound", what, value, at_least, at_most, met }
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Line, Name};
    use super::bounds;
    use selvedge::Backend;

    #[test]
    fn the_worst_line_counts() {
        let line = |seconds: f64| Line {
            ..Case::new(Name::Load, Backend::PORTABLE, &[70_000, 28, 28]).line(seconds, None)
        };
        let found = bounds(&[line(0.1), line(0.5), line(0.2)]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].value, found[0].at_most, found[0].met), (0.5, Some(0.35), false));
        assert!(bounds(&[line(0.1)])[0].met);
        assert!(bounds(&[]).is_empty());
    }

    #[test]
    fn rules_are_about_their_lines_only() {
        let product = |shape: &[usize]| Case::new(Name::Forward, Backend::PORTABLE, shape);
        let large = product(&[64, 784, 128]).line(1.0, Some(0.5));
        let found = bounds(&[large, product(&[64, 128, 10]).line(1.0, Some(0.1))]);
        let portable = found.iter().find(|b| b.what.starts_with("portable")).unwrap();
        assert_eq!((portable.value, portable.met), (50.0, false));
    }
}
