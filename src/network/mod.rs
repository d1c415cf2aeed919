//! A network that owns its parameters and its memory: train, evaluate, predict, save, load and quantize in one call each.
//!
//! It is a front over the modules below, and runs the same code: every step is [`Mlp::step_regularized`], every optimizer an
//! [`OptimizerStep`](crate::optim::OptimizerStep), every file a [`format::Builder`](crate::format::Builder). Where memory
//! is fixed, or for another training loop, use those directly.
//!
//! ```
//! use selvedge::optim::{Optimizer, Schedule};
//! use selvedge::{FitOptions, Network};
//!
//! // Images of 2x2 pixels: is the upper row brighter (class 0), or the lower (class 1)?
//! let images = [200, 255, 9, 0, 180, 90, 30, 10, 0, 7, 255, 190, 20, 0, 80, 240u8];
//! let labels = [0, 0, 1, 1];
//! let options = FitOptions::default()
//!     .with_epochs(50)
//!     .with_batch_size(2)
//!     .with_optimizer(Optimizer::Sgd { momentum: 0.9, nesterov: true })
//!     .with_learning_rate(0.1)
//!     .with_schedule(Schedule::Cosine)
//!     .with_seed(3);
//! let mut network = Network::new(&[4, 8, 2], 1)?;
//! let history = network.fit(&images, &labels, options)?;
//! assert!(history[49].loss() < history[0].loss());
//! assert_eq!(network.predict_all(&images)?, [0, 0, 1, 1]);
//! # Ok::<(), selvedge::Error>(())
//! ```

mod file;
mod fit;
mod memory;

use alloc::vec::Vec;
use core::fmt;

pub use file::ModelFile;
pub use fit::FitOptions;

use crate::arena::Arena;
use crate::error::Error;
use crate::mlp::{Activations, Init, Mlp, StepStats, Workspace};
use crate::naive::argmax;
use crate::parallel::Serial;
use crate::rng::Rng;
use crate::samples::Samples;
use crate::shape::Shape;
use crate::simd::Backend;
use memory::Floats;

/// Rows that go through the network together outside training.
const MAX_ROWS: usize = 256;

/// A classifier that owns its parameters. See the [module](self) for an example.
///
/// Samples are rows of `f32` features or of `u8` pixels, of which it reads `p / 255`; see [`Samples`]. Labels are numbers of
/// classes, from 0. Results depend on the [`Backend`] in their last bits: [`Backend::PORTABLE`] gives the same bits on every
/// machine.
#[derive(Clone)]
pub struct Network {
    mlp: Mlp,
    params: Floats,
}

/// How well a network does on some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The number of samples.
    pub samples: usize,
    /// The number of samples whose class is their label.
    pub correct: usize,
    /// The sum of the losses of all samples: cross entropy in nats.
    pub loss_sum: f64,
}

impl Evaluation {
    const NONE: Self = Self { samples: 0, correct: 0, loss_sum: 0.0 };

    fn add(&mut self, samples: usize, stats: StepStats) {
        self.samples += samples;
        self.correct += stats.correct as usize;
        self.loss_sum += stats.loss_sum;
    }

    /// The fraction of the samples whose class is their label.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// The mean loss of a sample.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.samples as f64
    }
}

impl Network {
    /// A network of these widths, the inputs first and the classes last, with ReLU between layers and weights drawn as
    /// [`Init::HeLinear`] from a seed. It computes on the fastest backend of this CPU.
    ///
    /// # Errors
    /// [`Error::Layers`], [`Error::Width`] and [`Error::TooLarge`] for widths outside the limits of a [`Shape`],
    /// [`Error::OutOfMemory`] where the parameters do not fit.
    pub fn new(widths: &[usize], seed: u64) -> Result<Self, Error> {
        Self::with_init(widths, Init::HeLinear, seed)
    }

    /// As [`new`](Self::new), with other initial weights.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_init(widths: &[usize], init: Init, seed: u64) -> Result<Self, Error> {
        let shape = Shape::new(widths)?;
        let mut params = Floats::zeroed(shape.params())?;
        init.draw(shape, &mut Rng::new(seed), &mut params)?;
        Ok(Self { mlp: Mlp::new(shape, Backend::detect()), params })
    }

    /// A network with given parameters, in the layout of [`Shape`].
    ///
    /// # Errors
    /// [`Error::Length`] where they do not fit the shape, [`Error::OutOfMemory`] where there is no memory for a copy.
    pub fn from_params(shape: Shape, params: &[f32]) -> Result<Self, Error> {
        shape.split(params)?;
        Ok(Self { mlp: Mlp::new(shape, Backend::detect()), params: Floats::copy_of(params)? })
    }

    /// The same network, computed by another backend.
    #[must_use]
    pub fn with_backend(self, backend: Backend) -> Self {
        Self { mlp: self.mlp.with_backend(backend), ..self }
    }

    /// The widths.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.mlp.shape
    }

    /// The backend that does the arithmetic.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.mlp.backend
    }

    /// The parameters, in the layout of [`Shape`].
    #[must_use]
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// The parameters, to change.
    pub fn params_mut(&mut self) -> &mut [f32] {
        &mut self.params
    }

    /// The class of one sample: the position of its largest logit, the first of equals.
    ///
    /// # Errors
    /// [`Error::Length`] where the sample does not have one element for each input, [`Error::NotFinite`] for a feature that
    /// is not a finite number.
    pub fn predict<'a>(&self, sample: impl Into<Samples<'a>>) -> Result<usize, Error> {
        let logits = self.logits(sample)?;
        let (expected, actual) = (self.shape().outputs(), logits.len());
        if actual != expected {
            let inputs = self.shape().inputs();
            return Err(Error::Length {
                what: "sample",
                expected: inputs,
                actual: inputs * (actual / expected),
            });
        }
        Ok(argmax(&logits))
    }

    /// The class of each sample.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn predict_all<'a>(&self, samples: impl Into<Samples<'a>>) -> Result<Vec<usize>, Error> {
        let mut classes = Vec::new();
        self.forward(samples.into(), |_, logits| {
            classes.extend(logits.chunks_exact(self.shape().outputs()).map(argmax));
        })?;
        Ok(classes)
    }

    /// The logits `(b, o)` of `b` samples: the outputs before the softmax.
    ///
    /// # Errors
    /// [`Error::NoSamples`] where there is none, [`Error::Length`] where the last one is not complete,
    /// [`Error::NotFinite`] for a feature that is not a finite number.
    pub fn logits<'a>(&self, samples: impl Into<Samples<'a>>) -> Result<Vec<f32>, Error> {
        let mut all = Vec::new();
        self.forward(samples.into(), |_, logits| all.extend_from_slice(logits))?;
        Ok(all)
    }

    /// The accuracy and the loss on samples whose classes are known.
    ///
    /// # Errors
    /// As [`logits`](Self::logits); [`Error::Length`] for another number of labels than samples, [`Error::Label`] for a
    /// label that is not an output.
    pub fn evaluate<'a>(&self, samples: impl Into<Samples<'a>>, labels: &[u8]) -> Result<Evaluation, Error> {
        let samples = samples.into();
        let rows = self.check(samples, labels)?;
        let (shape, batch) = (self.shape(), rows.min(MAX_ROWS));
        let mut memory = Floats::zeroed(Workspace::floats(shape, batch))?;
        let mut workspace = Workspace::new(shape, batch, &mut Arena::new(&mut memory))?;
        let index: Vec<u32> = (0..rows as u32).collect();
        let mut sum = Evaluation::NONE;
        for (index, labels) in index.chunks(batch).zip(labels.chunks(batch)) {
            let fill = self.fill(samples, index);
            sum.add(labels.len(), self.mlp.evaluate(&Serial, &self.params, &mut workspace, labels, &fill)?);
        }
        Ok(sum)
    }

    /// Calls `batch` with the activations and the logits of all samples, some rows at a time.
    fn forward(
        &self,
        samples: Samples<'_>,
        mut batch: impl FnMut(&Activations<'_>, &[f32]),
    ) -> Result<(), Error> {
        let shape = self.shape();
        let rows = samples.rows(shape.inputs())?;
        samples.check_finite(shape.inputs())?;
        let together = rows.min(MAX_ROWS);
        let mut memory = Floats::zeroed(Activations::floats(shape, together))?;
        let mut activations = Activations::new(shape, together, &mut Arena::new(&mut memory))?;
        let index: Vec<u32> = (0..rows as u32).collect();
        for index in index.chunks(together) {
            let fill = self.fill(samples, index);
            self.mlp.forward(&Serial, &self.params, &mut activations, index.len(), &fill)?;
            batch(&activations, activations.logits(index.len()));
        }
        Ok(())
    }

    /// What writes the rows of `index` into a batch.
    fn fill<'a>(
        &self,
        samples: Samples<'a>,
        index: &'a [u32],
    ) -> impl Fn(usize, &mut [f32]) + Sync + use<'a> {
        let (backend, inputs) = (self.mlp.backend, self.shape().inputs());
        move |first, rows| samples.gather(backend, &index[first..][..rows.len() / inputs], rows)
    }

    /// The number of samples, after everything about them and their labels was checked.
    fn check(&self, samples: Samples<'_>, labels: &[u8]) -> Result<usize, Error> {
        let rows = samples.rows(self.shape().inputs())?;
        if labels.len() != rows {
            return Err(Error::Length { what: "labels", expected: rows, actual: labels.len() });
        }
        let classes = self.shape().outputs();
        if let Some(row) = labels.iter().position(|&label| usize::from(label) >= classes) {
            return Err(Error::Label { row, label: labels[row], classes });
        }
        samples.check_finite(self.shape().inputs())?;
        Ok(rows)
    }
}

/// Its shape and backend, without the parameters.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("shape", &self.shape())
            .field("backend", &self.backend().name())
            .finish_non_exhaustive()
    }
}
