//! The results of a benchmark, each of which is printed as a line of JSON.

use serde::Serialize;

use super::compare::median;
use super::{Bound, Dtype, Operation};

/// The measurement of a case. Fields that do not apply are `None`; the names are those of the JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measurement {
    /// The operation of the case.
    pub name: Operation,
    /// The number type of the case.
    pub dtype: Dtype,
    /// The backend of the case.
    pub backend: &'static str,
    /// The threads of the case.
    pub threads: usize,
    /// The dimensions of the case.
    pub shape: Vec<usize>,
    /// The median time.
    pub seconds: f64,
    /// Operations per time; a multiply-add is two operations.
    pub gflops: Option<f64>,
    /// Relative to the peak of one thread times the threads.
    pub percent_of_peak: Option<f64>,
    /// Speed-up over the naive loops.
    pub vs_naive: Option<f64>,
    /// Speed-up over `matrixmultiply`, or over an engine that uses it.
    pub vs_matrixmultiply: Option<f64>,
    /// Speed-up over one thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vs_one_thread: Option<f64>,
    /// Speed-up over single precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vs_f32: Option<f64>,
    /// The percentage of a step's time that the products of the last layer take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_layer_percent: Option<f64>,
    /// Whether multiplications by zero were skipped; the other figures count them all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leaves_out_zeros: bool,
    /// Whether other processes kept the other cores busy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub busy: bool,
}

/// The peak of a backend: `{"name":"peak","backend":..,"gflops":..}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peak {
    /// Always [`Operation::Peak`].
    pub name: Operation,
    /// The backend.
    pub backend: &'static str,
    /// Operations per time on one thread.
    pub gflops: f64,
    /// The number type.
    pub dtype: Dtype,
}

/// A line of the output.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Record {
    /// The peak of a backend.
    Peak(Peak),
    /// The measurement of any other case.
    Measurement(Measurement),
    /// The result of a bound.
    Bound(Bound),
}

impl Measurement {
    /// The medians of several passes over one case.
    ///
    /// # Panics
    /// Without a pass.
    pub fn median_of(passes: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> Option<f64>| {
            let figures: Vec<_> = passes.iter().filter_map(figure).collect();
            (!figures.is_empty()).then(|| median(figures))
        };
        Self {
            seconds: median(passes.iter().map(|measurement| measurement.seconds).collect()),
            gflops: of(|measurement| measurement.gflops),
            percent_of_peak: of(|measurement| measurement.percent_of_peak),
            vs_naive: of(|measurement| measurement.vs_naive),
            vs_matrixmultiply: of(|measurement| measurement.vs_matrixmultiply),
            vs_one_thread: of(|measurement| measurement.vs_one_thread),
            vs_f32: of(|measurement| measurement.vs_f32),
            output_layer_percent: of(|measurement| measurement.output_layer_percent),
            ..passes[0].clone()
        }
    }
}
