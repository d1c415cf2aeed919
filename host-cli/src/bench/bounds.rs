//! The performance bounds of the project. Of all measurements that a bound applies to, the worst counts.

use serde::Serialize;

use super::{BATCH, Dtype, Measurement, Operation, WIDTHS, products};

/// The result of a bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// Always `bound`.
    pub name: &'static str,
    /// What it is about.
    pub what: &'static str,
    /// The worst of the values.
    pub value: f64,
    /// The lower limit, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The upper limit, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Whether the value is within the limit.
    pub met: bool,
}

#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}
use Limit::{AtLeast, AtMost};

/// The value that a bound takes from a measurement; `None` where it does not apply.
type Figure = fn(&Measurement) -> Option<f64>;

/// The bounds: a description, a limit and a value.
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
        by_peak(l, l.name == Operation::Epoch && l.dtype == Dtype::F32 && l.threads == 1)
    }),
    ("a whole run in bf16 by one in f32", AtMost(0.65), |l| {
        l.vs_f32.filter(|_| l.name == Operation::Epoch && is_fast(l)).map(f64::recip)
    }),
    ("a step on two idle cores by one", AtLeast(1.65), |l| {
        l.vs_one_thread.filter(|_| l.name == Operation::Step && !l.busy)
    }),
    ("a step on two threads by one, the other cores busy", AtLeast(0.7), |l| {
        l.vs_one_thread.filter(|_| l.name == Operation::Step && l.busy)
    }),
    ("one image, microseconds", AtMost(2.5), |l| {
        (l.name == Operation::Infer && l.dtype == Dtype::F32 && l.shape[0] == 1 && is_fast(l))
            .then_some(1e6 * l.seconds)
    }),
    ("10,000 images by their multiply-adds at the peak", AtMost(1.15), |l| {
        by_peak(l, l.name == Operation::Infer && l.dtype == Dtype::F32 && l.shape[0] > 1 && l.threads == 1)
    }),
    ("10,000 images on two threads by one", AtLeast(1.65), |l| {
        l.vs_one_thread.filter(|_| l.name == Operation::Infer)
    }),
    ("one image in integers, microseconds", AtMost(0.9), |l| is_integer(l, 1).then_some(1e6 * l.seconds)),
    ("10,000 images in integers, milliseconds", AtMost(2.8), |l| {
        is_integer(l, 10_000).then_some(1e3 * l.seconds)
    }),
    ("10,000 images in integers by their multiply-adds at the peak", AtMost(1.4), |l| {
        by_peak(l, is_integer(l, 10_000))
    }),
    ("reading 70,000 images, seconds", AtMost(0.35), |l| (l.name == Operation::Load).then_some(l.seconds)),
];

/// Whether it is of the fastest backend of this CPU, which the bounds on whole steps apply to.
fn is_fast(line: &Measurement) -> bool {
    line.backend == selvedge::Backend::detect().name()
}

/// Whether it is integer inference of so many images by the fastest backend.
fn is_integer(line: &Measurement, images: usize) -> bool {
    line.name == Operation::Infer && line.dtype == Dtype::I8 && line.shape[0] == images && is_fast(line)
}

/// Whether it is a product in single precision, which the bounds on products apply to.
fn is_product(line: &Measurement) -> bool {
    line.dtype == Dtype::F32
        && matches!(line.name, Operation::Forward | Operation::WeightGradient | Operation::InputGradient)
}

/// Whether it is a product of the reference network.
fn is_own(line: &Measurement) -> bool {
    let [i, h, o] = WIDTHS;
    let sorted = |mut shape: Vec<usize>| {
        shape.sort_unstable();
        shape
    };
    let shape = sorted(line.shape.clone());
    is_product(line) && (shape == sorted(vec![BATCH, i, h]) || shape == sorted(vec![BATCH, h, o]))
}

/// Whether it is a product of the first layer of the reference network.
fn is_large(line: &Measurement) -> bool {
    is_own(line) && line.shape.contains(&WIDTHS[0])
}

fn of_peak(line: &Measurement, backend: &str, applies: bool) -> Option<f64> {
    line.percent_of_peak.filter(|_| applies && line.backend == backend)
}

/// The ratio of the time to that at the peak.
fn by_peak(line: &Measurement, applies: bool) -> Option<f64> {
    line.percent_of_peak.filter(|_| applies && is_fast(line)).map(|percent| 100.0 / percent)
}

/// The results of the bounds that apply to some of the measurements.
pub fn bounds(lines: &[Measurement]) -> Vec<Bound> {
    RULES
        .into_iter()
        .filter_map(|(what, limit, figure)| {
            let values = lines.iter().filter_map(figure);
            let worst = match limit {
                AtLeast(_) => values.reduce(f64::min),
                AtMost(_) => values.reduce(f64::max),
            };
            worst.map(|value| match limit {
                AtLeast(min) => bound(what, value, Some(min), None, value >= min),
                AtMost(max) => bound(what, value, None, Some(max), value <= max),
            })
        })
        .collect()
}

fn bound(what: &'static str, value: f64, at_least: Option<f64>, at_most: Option<f64>, met: bool) -> Bound {
    Bound { name: "bound", what, value, at_least, at_most, met }
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Measurement, Operation};
    use super::bounds;
    use selvedge::Backend;

    #[test]
    fn the_worst_measurement_counts() {
        let line = |seconds: f64| Measurement {
            ..Case::new(Operation::Load, Backend::PORTABLE, &[70_000, 28, 28]).measurement(seconds, None)
        };
        let found = bounds(&[line(0.1), line(0.5), line(0.2)]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].value, found[0].at_most, found[0].met), (0.5, Some(0.35), false));
        assert!(bounds(&[line(0.1)])[0].met);
        assert!(bounds(&[]).is_empty());
    }

    #[test]
    fn bounds_apply_to_their_measurements_only() {
        let product = |shape: &[usize]| Case::new(Operation::Forward, Backend::PORTABLE, shape);
        let large = product(&[64, 784, 128]).measurement(1.0, Some(0.5));
        let found = bounds(&[large, product(&[64, 128, 10]).measurement(1.0, Some(0.1))]);
        let portable = found.iter().find(|b| b.what.starts_with("portable")).unwrap();
        assert_eq!((portable.value, portable.met), (50.0, false));
    }
}
