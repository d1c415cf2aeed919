//! `selvedge bench`: how fast every kernel is on this CPU, and how much of the peak it reaches.
//!
//! A [`Case`] is one benchmark; [`cases`] lists them and [`select`] filters them. The candidates that a case compares (the
//! kernel, the peak of its backend, the naive loops, `matrixmultiply`) run in turn, round after round, and the result is the
//! median of the ratios within rounds, so that changes of the clock rate and other load affect the ratios little. Measuring a
//! product takes a tenth of a second, less than many disturbances last, so products are measured in several passes over the
//! list, of which the median counts. Each bound that the project has set itself is a record of its own.
//!
//! The naive loops are those of [`selvedge::naive`], compiled with the same flags as everything else: row-major, the sum
//! over `k` in the middle, the innermost loop along the rows of `B` and `C`, which the compiler vectorizes.

mod bounds;
mod busy;
mod compare;
mod integers;
mod measurement;
mod network;
mod products;
mod run;
mod table;

use std::fmt;

use selvedge::Backend;
use selvedge::simd::Precision;
use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

pub use bounds::{Bound, bounds};
pub use busy::occupy_a_core;
pub use measurement::{Measurement, Peak, Record};
pub use table::table;

/// Passes over the list of cases.
pub const PASSES: usize = 3;
/// The widths of the reference network.
pub(crate) const WIDTHS: [usize; 3] = [784, 128, 10];
/// The batch size of the reference network.
pub(crate) const BATCH: usize = 64;

/// The operation that a case measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Multiply-adds in registers.
    Peak,
    /// `Z = relu(X W + bias)`, shape `[b, i, o]`.
    Forward,
    /// `W -= rate Xᵀ dZ`, shape `[i, b, o]`.
    WeightGradient,
    /// `dX = dZ Wᵀ` where the activation is positive, shape `[b, o, i]`.
    InputGradient,
    /// A training step, shape `[b, widths..]`.
    Step,
    /// An epoch, as the mean of a run of five, with validation on 10,000 other images; shape `[images, widths..]`.
    Epoch,
    /// Predictions, shape `[images, widths..]`.
    Infer,
    /// Reading a data set of 60,000 and 10,000 images; shape `[images, rows, columns]`.
    Load,
}

impl Operation {
    /// Its name in the JSON.
    pub fn text(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Forward => "gemm.forward",
            Self::WeightGradient => "gemm.weights",
            Self::InputGradient => "gemm.delta",
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Infer => "infer",
            Self::Load => "load",
        }
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// The number type of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// f32.
    F32,
    /// Operands rounded to bf16, sums in f32.
    Bf16,
    /// 8-bit integers; their operations are counted like those of floats.
    I8,
}

/// One benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The operation.
    pub name: Operation,
    /// The number type.
    pub dtype: Dtype,
    /// The backend, with its precision.
    pub backend: Backend,
    /// The number of threads.
    pub threads: usize,
    /// The dimensions; [`Operation`] says which.
    pub shape: Vec<usize>,
    /// Whether other processes keep all other cores busy.
    pub busy: bool,
}

impl fmt::Display for Case {
    /// The text that `--filter` searches: `gemm.forward f32 avx2 64x784x128 threads=1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let (name, backend) = (self.name.text(), self.backend.name());
        write!(f, "{name} {} {backend} {shape} threads={}", self.dtype.text(), self.threads)?;
        if self.busy { f.write_str(" busy") } else { Ok(()) }
    }
}

impl Dtype {
    fn text(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::I8 => "i8",
        }
    }
}

impl Case {
    /// A case in floats with one thread on idle cores.
    fn new(name: Operation, backend: Backend, shape: &[usize]) -> Self {
        let dtype = match backend.precision() {
            Precision::F32 => Dtype::F32,
            Precision::Bf16 => Dtype::Bf16,
        };
        Self { name, dtype, backend, threads: 1, shape: shape.to_vec(), busy: false }
    }

    /// The same backend in single precision, for a case in bf16.
    fn single(&self) -> Option<Backend> {
        (self.dtype == Dtype::Bf16).then(|| self.backend.with_precision(Precision::F32))
    }

    /// The multiply-adds of the case.
    fn macs(&self) -> f64 {
        let product = |shape: &[usize]| shape.iter().map(|&n| n as f64).product::<f64>();
        match self.name {
            Operation::Forward | Operation::WeightGradient | Operation::InputGradient => product(&self.shape),
            Operation::Step => network::step_macs(&self.shape),
            Operation::Epoch => network::step_macs(&self.shape) + run::validation_macs(&self.shape),
            Operation::Infer => network::forward_macs(&self.shape),
            Operation::Peak | Operation::Load => 0.0,
        }
    }

    /// Whether its kernels skip zeros, as all do for a single image, and `scalar` for every product of floats.
    fn leaves_out_zeros(&self) -> bool {
        let single = self.name == Operation::Infer && self.shape[0] == 1;
        let products = ![Operation::Peak, Operation::Load].contains(&self.name);
        single || products && self.backend == Backend::SCALAR && self.dtype == Dtype::F32
    }

    /// The measurement of the case, from its time and the fraction of the peak, if it has one.
    fn measurement(&self, seconds: f64, of_peak: Option<f64>) -> Measurement {
        let macs = self.macs();
        Measurement {
            name: self.name,
            dtype: self.dtype,
            backend: self.backend.name(),
            threads: self.threads,
            shape: self.shape.clone(),
            seconds,
            gflops: (macs > 0.0).then_some(2.0 * macs / seconds / 1e9),
            percent_of_peak: of_peak.map(|fraction| 100.0 * fraction),
            vs_naive: None,
            vs_matrixmultiply: None,
            vs_one_thread: None,
            vs_f32: None,
            output_layer_percent: None,
            leaves_out_zeros: self.leaves_out_zeros(),
            busy: self.busy,
        }
    }

    /// The number of passes in which it is measured; they are the last ones.
    pub fn passes(&self) -> usize {
        let product =
            matches!(self.name, Operation::Forward | Operation::WeightGradient | Operation::InputGradient);
        if product { PASSES } else { 1 }
    }

    /// Measures it once.
    ///
    /// # Errors
    /// `Failed` without the memory, or where a file or a process is refused.
    pub fn measure(&self) -> Result<Record> {
        match self.name {
            Operation::Peak => Ok(Record::Peak(compare::peak(self))),
            Operation::Forward | Operation::WeightGradient | Operation::InputGradient => {
                products::measure(self).map(Record::Measurement)
            }
            Operation::Step => network::step(self).map(Record::Measurement),
            Operation::Infer if self.dtype == Dtype::I8 => integers::infer(self).map(Record::Measurement),
            Operation::Infer => network::infer(self).map(Record::Measurement),
            Operation::Epoch => run::epoch(self).map(Record::Measurement),
            Operation::Load => run::load(self).map(Record::Measurement),
        }
    }
}

/// All cases of this CPU.
pub fn cases() -> Vec<Case> {
    let best = Backend::detect();
    let own: Vec<_> =
        Backend::available().filter(|b| !["naive", "matrixmultiply"].contains(&b.name())).collect();
    // Emulated bf16 products are known to be slow.
    let halves = own.iter().filter(|b| b.has_bf16()).map(|b| b.with_precision(Precision::Bf16));
    let all: Vec<_> = own.iter().copied().chain(halves).collect();
    let peak = |&backend: &Backend| Case::new(Operation::Peak, backend, &[]);
    let integer = |&backend: &Backend| Case { dtype: Dtype::I8, ..peak(&backend) };
    let mut cases: Vec<_> = all.iter().map(peak).chain(own.iter().map(integer)).collect();
    for &backend in &all {
        cases.extend(products::cases(backend, backend == best));
    }
    for &backend in &all {
        cases.extend(network::cases(backend, backend == best));
    }
    cases.extend(run::cases(&all, best));
    cases
}

/// The cases whose text contains every word of `filter`; words are separated by spaces or commas.
///
/// # Errors
/// `Usage` where no case does.
pub fn select(cases: Vec<Case>, filter: &str) -> Result<Vec<Case>> {
    let words: Vec<_> = filter.split([' ', ',']).filter(|w| !w.is_empty()).collect();
    let chosen: Vec<_> = cases
        .into_iter()
        .filter(|case| {
            let text = case.to_string();
            words.iter().all(|word| text.contains(word))
        })
        .collect();
    if chosen.is_empty() {
        return Err(Error::usage(format!(
            "--filter {filter}: no case has all these words; a case is written as `gemm.forward f32 {} 64x784x128 \
             threads=1`, and the names are peak, gemm.forward, gemm.weights, gemm.delta, step, epoch, infer, load",
            Backend::detect().name()
        )));
    }
    Ok(chosen)
}
