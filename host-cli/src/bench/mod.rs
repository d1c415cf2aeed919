//! `selvedge bench`: how fast every kernel is on this CPU, and how much of the peak it reaches.
//!
//! A [`Case`] is one figure to find out; [`cases`] lists them and [`select`] picks some by their words. Whatever is
//! compared in a case (the kernel, the peak of its backend, the plain loops, `matrixmultiply`) runs in turn, round after
//! round, and the median of the rounds' ratios counts, so that a machine that changes its pace or has other work changes
//! the ratios little. A product takes a tenth of a second, less than many disturbances last, so that products are measured
//! in several passes over the list, of which the median counts. A figure against a bound that the project has set itself becomes a line of its own.
//!
//! The plain loops are those of [`selvedge::naive`], compiled with the same flags as everything else: row-major, the sum
//! over `k` in the middle, the innermost loop along the rows of `B` and `C`, which the compiler vectorizes.

mod bounds;
mod busy;
mod integers;
mod line;
mod measure;
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
pub use line::{Entry, Line, Peak};
pub use table::table;

/// Passes over the list of cases.
pub const PASSES: usize = 3;
/// The widths of the network that the figures are about.
pub(crate) const WIDTHS: [usize; 3] = [784, 128, 10];
/// Its batch.
pub(crate) const BATCH: usize = 64;

/// What a case measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// Multiply-adds in registers.
    Peak,
    /// `Z = relu(X W + bias)`, shape `[b, i, o]`.
    Forward,
    /// `W -= rate Xᵀ dZ`, shape `[i, b, o]`.
    Weights,
    /// `dX = dZ Wᵀ` where the activation is positive, shape `[b, o, i]`.
    Delta,
    /// A training step, shape `[b, widths..]`.
    Step,
    /// The mean epoch of a run of five, each validated on 10,000 images more; shape `[images, widths..]`.
    Epoch,
    /// Predictions, shape `[images, widths..]`.
    Infer,
    /// Reading a data set of 60,000 and 10,000 images; shape `[images, rows, columns]`.
    Load,
}

impl Name {
    /// As the JSON has it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Forward => "gemm.forward",
            Self::Weights => "gemm.weights",
            Self::Delta => "gemm.delta",
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Infer => "infer",
            Self::Load => "load",
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// The numbers of the data, of which a case uses some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Floats of 32 bits.
    F32,
    /// Operands rounded to floats of 16 bits, sums of 32.
    Bf16,
    /// Integers of 8 bits; their operations count as a float's do.
    I8,
}

/// One figure to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What.
    pub name: Name,
    /// In which numbers.
    pub dtype: Dtype,
    /// Who computes, and how its products take their operands.
    pub backend: Backend,
    /// On how many threads.
    pub threads: usize,
    /// The lengths.
    pub shape: Vec<usize>,
    /// Whether every other core is kept busy by another process meanwhile.
    pub busy: bool,
}

impl fmt::Display for Case {
    /// The words that `--filter` looks at: `gemm.forward f32 avx2 64x784x128 threads=1`.
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
    /// A case of one thread on idle cores, in floats.
    fn new(name: Name, backend: Backend, shape: &[usize]) -> Self {
        let dtype = match backend.precision() {
            Precision::F32 => Dtype::F32,
            Precision::Bf16 => Dtype::Bf16,
        };
        Self { name, dtype, backend, threads: 1, shape: shape.to_vec(), busy: false }
    }

    /// Who computes the same in single precision, if the case does not.
    fn single(&self) -> Option<Backend> {
        (self.dtype == Dtype::Bf16).then(|| self.backend.with_precision(Precision::F32))
    }

    /// Multiply-adds of the case.
    fn macs(&self) -> f64 {
        let product = |shape: &[usize]| shape.iter().map(|&n| n as f64).product::<f64>();
        match self.name {
            Name::Forward | Name::Weights | Name::Delta => product(&self.shape),
            Name::Step => network::step_macs(&self.shape),
            Name::Epoch => network::step_macs(&self.shape) + run::validation_macs(&self.shape),
            Name::Infer => network::forward_macs(&self.shape),
            Name::Peak | Name::Load => 0.0,
        }
    }

    /// Whether what it measures leaves out zeros, as all do with a single image, and `scalar` with every product of floats.
    fn leaves_out_zeros(&self) -> bool {
        let single = self.name == Name::Infer && self.shape[0] == 1;
        let products = ![Name::Peak, Name::Load].contains(&self.name);
        single || products && self.backend == Backend::SCALAR && self.dtype == Dtype::F32
    }

    /// A line of the case, from its time and its share of the peak, if it has one.
    fn line(&self, seconds: f64, of_peak: Option<f64>) -> Line {
        let macs = self.macs();
        Line {
            name: self.name,
            dtype: self.dtype,
            backend: self.backend.name(),
            threads: self.threads,
            shape: self.shape.clone(),
            seconds,
            gflops: (macs > 0.0).then_some(2.0 * macs / seconds / 1e9),
            percent_of_peak: of_peak.map(|share| 100.0 * share),
            vs_naive: None,
            vs_matrixmultiply: None,
            vs_one_thread: None,
            vs_f32: None,
            output_layer_percent: None,
            leaves_out_zeros: self.leaves_out_zeros(),
            busy: self.busy,
        }
    }

    /// Passes over the list in which it is measured, the last ones.
    pub fn passes(&self) -> usize {
        let product = matches!(self.name, Name::Forward | Name::Weights | Name::Delta);
        if product { PASSES } else { 1 }
    }

    /// Measures it once.
    ///
    /// # Errors
    /// Exit code 1 without the memory, or where a file or a process is refused.
    pub fn measure(&self) -> Result<Entry> {
        match self.name {
            Name::Peak => Ok(Entry::Peak(measure::peak_line(self))),
            Name::Forward | Name::Weights | Name::Delta => products::measure(self).map(Entry::Line),
            Name::Step => network::step(self).map(Entry::Line),
            Name::Infer if self.dtype == Dtype::I8 => integers::infer(self).map(Entry::Line),
            Name::Infer => network::infer(self).map(Entry::Line),
            Name::Epoch => run::epoch(self).map(Entry::Line),
            Name::Load => run::load(self).map(Entry::Line),
        }
    }
}

/// Every case of this CPU.
pub fn cases() -> Vec<Case> {
    let best = Backend::detect();
    let own: Vec<_> =
        Backend::available().filter(|b| !["naive", "matrixmultiply"].contains(&b.name())).collect();
    // Emulated products of bf16 pairs would only show that they are slow.
    let halves = own.iter().filter(|b| b.has_bf16()).map(|b| b.with_precision(Precision::Bf16));
    let all: Vec<_> = own.iter().copied().chain(halves).collect();
    let peak = |&backend: &Backend| Case::new(Name::Peak, backend, &[]);
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

/// The cases in whose words every word of `filter` occurs; words are separated by spaces or commas.
///
/// # Errors
/// Exit code 2 where there are none.
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
        return Err(Error::misused(format!(
            "--filter {filter}: no case has all these words; words are those of lines such as `gemm.forward f32 {} \
             64x784x128 threads=1`, whose names are peak, gemm.forward, gemm.weights, gemm.delta, step, epoch, infer, \
             load",
            Backend::detect().name()
        )));
    }
    Ok(chosen)
}
