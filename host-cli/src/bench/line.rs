//! What was measured, as it is printed: a line of JSON each.

use serde::Serialize;

use super::measure::median;
use super::{Bound, Dtype, Name};

/// What a case came to. What does not apply is none; the names are the JSON's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Of the case.
    pub name: Name,
    /// Of the case.
    pub dtype: Dtype,
    /// Of the case.
    pub backend: &'static str,
    /// Of the case.
    pub threads: usize,
    /// Of the case.
    pub shape: Vec<usize>,
    /// The median.
    pub seconds: f64,
    /// Multiply-adds, each counted as two operations, by time.
    pub gflops: Option<f64>,
    /// Of the peak of one thread, times the threads.
    pub percent_of_peak: Option<f64>,
    /// How many times faster than plain loops.
    pub vs_naive: Option<f64>,
    /// How many times faster than `matrixmultiply`, or than an engine that uses it.
    pub vs_matrixmultiply: Option<f64>,
    /// How many times faster than one thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vs_one_thread: Option<f64>,
    /// How many times faster than the same in single precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vs_f32: Option<f64>,
    /// What the last layer's products take of a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_layer_percent: Option<f64>,
    /// Whether terms with a zero in them were left out; they count in the other figures all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leaves_out_zeros: bool,
    /// Whether other processes kept the other cores busy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub busy: bool,
}

/// A line of the peak: `{"name":"peak","backend":..,"gflops":..}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peak {
    /// Always [`Name::Peak`].
    pub name: Name,
    /// Whose.
    pub backend: &'static str,
    /// On one thread.
    pub gflops: f64,
    /// Of which numbers.
    pub dtype: Dtype,
}

/// What is printed, line by line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// The peak of a backend.
    Peak(Peak),
    /// Anything else that was measured.
    Line(Line),
    /// A figure against a bound.
    Bound(Bound),
}

impl Line {
    /// The medians of several passes of one case.
    ///
    /// # Panics
    /// Without a pass.
    pub fn median_of(passes: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> Option<f64>| {
            let figures: Vec<_> = passes.iter().filter_map(figure).collect();
            (!figures.is_empty()).then(|| median(figures))
        };
        Self {
            seconds: median(passes.iter().map(|line| line.seconds).collect()),
            gflops: of(|line| line.gflops),
            percent_of_peak: of(|line| line.percent_of_peak),
            vs_naive: of(|line| line.vs_naive),
            vs_matrixmultiply: of(|line| line.vs_matrixmultiply),
            vs_one_thread: of(|line| line.vs_one_thread),
            vs_f32: of(|line| line.vs_f32),
            output_layer_percent: of(|line| line.output_layer_percent),
            ..passes[0].clone()
        }
    }
}
