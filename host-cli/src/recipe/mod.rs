//! A recipe: everything that decides how a run comes out. It is the run's `config.toml` and lies in the model's metadata.

pub mod config;
pub mod preset;
mod values;

pub use values::{Hidden, Weights};

use selvedge::shape::{MAX_LAYERS, MAX_WIDTH};
use selvedge::{Backend, Init, Shape};
use serde::{Deserialize, Serialize};

use crate::draws::{Generator, Split};
use crate::error::{Error, Result};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// `fashion-mnist`, `demo` or a folder.
    pub data: String,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    /// The learning rate.
    pub lr: f32,
    /// ε of the loss that is printed, −ln(p + ε); the gradient is that of −ln p whatever it is.
    pub loss_epsilon: f32,
    /// The initial weights.
    pub init: Weights,
    /// Decides the split, the initial weights and the shuffles.
    pub seed: u64,
    /// Whose random numbers.
    pub rng: Generator,
    /// Who does the arithmetic; `auto` is the fastest that the CPU has.
    pub backend: String,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            data: "fashion-mnist".into(),
            hidden: vec![128],
            epochs: 5,
            batch: 64,
            lr: 0.1,
            loss_epsilon: 0.0,
            init: Weights(Init::Normal { deviation: 0.01 }),
            seed: 42,
            rng: Generator::Selvedge,
            backend: "auto".into(),
        }
    }
}

impl Recipe {
    /// Refuses what cannot be trained, before any data is read.
    ///
    /// # Errors
    /// Exit code 2 with the flag, its value and what it may be.
    pub fn check(&self) -> Result<()> {
        if let Some(width) = self.hidden.iter().find(|w| !(1..=MAX_WIDTH).contains(*w)) {
            return Err(Error::misused(format!("--hidden {width}: a layer has 1 to {MAX_WIDTH} units")));
        }
        if self.hidden.len() >= MAX_LAYERS {
            return Err(Error::misused(format!(
                "--hidden with {} layers: a network has at most {} hidden layers",
                self.hidden.len(),
                MAX_LAYERS - 1
            )));
        }
        if self.epochs == 0 {
            return Err(Error::misused("--epochs 0: train for at least 1 epoch"));
        }
        if self.batch == 0 {
            return Err(Error::misused("--batch 0: a batch has at least 1 image"));
        }
        if !self.lr.is_finite() || self.lr <= 0.0 {
            return Err(Error::misused(format!("--lr {}: the learning rate is a number above 0", self.lr)));
        }
        if !(0.0..=1.0).contains(&self.loss_epsilon) {
            return Err(Error::misused(format!(
                "--loss-epsilon {}: it is a number from 0 to 1",
                self.loss_epsilon
            )));
        }
        self.backend().map(|_| ())
    }

    /// Refuses a batch larger than the training set.
    ///
    /// # Errors
    /// Exit code 2 with both numbers.
    pub fn check_batch(&self, images: usize) -> Result<()> {
        if self.batch <= images {
            return Ok(());
        }
        Err(Error::misused(format!("--batch {}: there are {images} training images", self.batch)))
    }

    /// The backend that the recipe names.
    ///
    /// # Errors
    /// Exit code 2 with the backends that this CPU has.
    pub fn backend(&self) -> Result<Backend> {
        if self.backend == "auto" {
            return Ok(Backend::detect());
        }
        Backend::by_name(&self.backend).ok_or_else(|| {
            let names: Vec<_> = Backend::available().map(Backend::name).collect();
            Error::misused(format!("--backend {}: this CPU has auto, {}", self.backend, names.join(", ")))
        })
    }

    /// The network for images of `inputs` pixels and `classes` classes.
    ///
    /// # Errors
    /// Exit code 3 where the data set itself is too wide.
    pub fn shape(&self, inputs: usize, classes: usize) -> Result<Shape> {
        let widths: Vec<_> =
            [inputs].into_iter().chain(self.hidden.iter().copied()).chain([classes]).collect();
        Shape::new(&widths).map_err(|e| Error::data(format!("images of {inputs} pixels: {e}")))
    }

    /// The split of `images` training images.
    pub fn split(&self, images: usize) -> Split {
        Split::new(self.rng, self.seed, images)
    }

    /// The recipe as a config file: a line for each key.
    ///
    /// # Errors
    /// Exit code 1 where it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::failed(e.to_string()))
    }

    /// `784-128-10`'s middle, for names: `128`, `128x64`, `linear`.
    pub fn hidden_name(&self) -> String {
        if self.hidden.is_empty() {
            return "linear".into();
        }
        self.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
    }
}
