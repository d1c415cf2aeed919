//! A recipe: everything that decides how a run comes out. It is the run's `config.toml` and lies in the model's metadata.

pub mod config;
pub mod preset;
mod values;

pub use values::{Hidden, OptimizerKind, Precision, ScheduleKind, Standardise, TrainOn, WeightInit};

use selvedge::optim::Optimizer;
use selvedge::shape::{MAX_LAYERS, MAX_WIDTH};
use selvedge::{Backend, Init, Shape};
use serde::{Deserialize, Serialize};

use crate::data::idx::Images;
use crate::data::normalise::Normalisation;
use crate::data::{Reading, Source};
use crate::error::{Error, Result};
use crate::sampling::{Generator, Split};

/// AdamW's guard against a division by 0.
const ADAM_EPSILON: f32 = 1e-8;
/// The most pixels that images are moved by.
const MOST_SHIFT: usize = 8;

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// `fashion-mnist`, `demo` or a folder.
    pub data: String,
    /// Whether rows and columns of its images are swapped.
    pub transpose: bool,
    /// The label of its first class.
    pub first_label: usize,
    /// The model that training goes on from; empty to draw weights.
    pub from: String,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    /// The learning rate.
    pub lr: f32,
    /// How parameters follow the gradient.
    pub optimizer: OptimizerKind,
    /// SGD's momentum, 0 to below 1.
    pub momentum: f32,
    /// Whether SGD's momentum looks ahead.
    pub nesterov: bool,
    /// AdamW's keeping of the first moment.
    pub beta1: f32,
    /// AdamW's keeping of the second moment.
    pub beta2: f32,
    /// How the learning rate goes over the run.
    pub schedule: ScheduleKind,
    /// The fraction of the run in which it rises to its peak.
    pub warmup: f32,
    /// What weights lose of themselves, in units of the learning rate; biases lose nothing.
    pub weight_decay: f32,
    /// The most that the gradient's norm may be; 0 for no limit.
    pub clip: f32,
    /// The share of the label that is spread over all classes.
    pub label_smoothing: f32,
    /// The share of hidden units that drop out of a step.
    pub dropout: f32,
    /// What is kept of the running mean of the parameters at each step; 0 for no mean.
    pub ema: f32,
    /// The exponent of the pixels' table, `255 (p / 255)^gamma`.
    pub gamma: f32,
    /// What is done to pixels behind the table.
    pub standardise: Standardise,
    /// Whether training images are mirrored at random.
    pub flip: bool,
    /// The most pixels that training images are moved by at random.
    pub shift: usize,
    /// Epochs without a better validation accuracy before the run ends, with the best model; 0 for never.
    pub patience: usize,
    /// Which images to train on.
    pub train_on: TrainOn,
    /// ε of the loss that is printed, −ln(p + ε); the gradient is that of −ln p whatever it is.
    pub loss_epsilon: f32,
    /// The initial weights.
    pub init: WeightInit,
    /// Decides the split, the initial weights and the shuffles.
    pub seed: u64,
    /// Whose random numbers.
    pub rng: Generator,
    /// Who does the arithmetic; `auto` is the fastest that the CPU has.
    pub backend: String,
    /// How a step's products take their operands.
    pub precision: Precision,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            data: "fashion-mnist".into(),
            transpose: false,
            first_label: 0,
            from: String::new(),
            hidden: vec![128],
            epochs: 5,
            batch: 64,
            lr: 0.1,
            optimizer: OptimizerKind::Sgd,
            momentum: 0.0,
            nesterov: false,
            beta1: 0.9,
            beta2: 0.999,
            schedule: ScheduleKind::Constant,
            warmup: 0.0,
            weight_decay: 0.0,
            clip: 0.0,
            label_smoothing: 0.0,
            dropout: 0.0,
            ema: 0.0,
            gamma: 1.0,
            standardise: Standardise::None,
            flip: false,
            shift: 0,
            patience: 0,
            train_on: TrainOn::Split,
            loss_epsilon: 0.0,
            init: WeightInit(Init::Normal { standard_deviation: 0.01 }),
            seed: 42,
            rng: Generator::Selvedge,
            backend: "auto".into(),
            precision: Precision::F32,
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
        self.check_ranges()?;
        if self.data.is_empty() {
            return Err(Error::misused("--data is empty: name fashion-mnist, demo, or a folder"));
        }
        if self.nesterov && (self.optimizer != OptimizerKind::Sgd || self.momentum == 0.0) {
            return Err(Error::misused(
                "--nesterov looks ahead along SGD's --momentum; give one, such as 0.9",
            ));
        }
        if self.shift > MOST_SHIFT {
            return Err(Error::misused(format!(
                "--shift {}: images move by at most {MOST_SHIFT} pixels",
                self.shift
            )));
        }
        if self.patience > 0 && self.train_on == TrainOn::All {
            return Err(Error::misused(
                "--patience waits for a better validation accuracy, and --train-on all leaves no images to validate on",
            ));
        }
        self.backend().map(|_| ())
    }

    fn check_ranges(&self) -> Result<()> {
        let parts = [
            ("momentum", self.momentum),
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("label-smoothing", self.label_smoothing),
            ("dropout", self.dropout),
            ("ema", self.ema),
        ];
        if let Some((flag, value)) = parts.into_iter().find(|(_, x)| !(0.0..1.0).contains(x)) {
            return Err(Error::misused(format!("--{flag} {value}: it is a number from 0 to below 1")));
        }
        let whole = [("warmup", self.warmup), ("loss-epsilon", self.loss_epsilon)];
        if let Some((flag, value)) = whole.into_iter().find(|(_, x)| !(0.0..=1.0).contains(x)) {
            return Err(Error::misused(format!("--{flag} {value}: it is a number from 0 to 1")));
        }
        let any = [("weight-decay", self.weight_decay), ("clip", self.clip)];
        if let Some((flag, value)) = any.into_iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            return Err(Error::misused(format!("--{flag} {value}: it is a number of 0 or more")));
        }
        if !(0.1..=10.0).contains(&self.gamma) {
            return Err(Error::misused(format!("--gamma {}: it is a number from 0.1 to 10", self.gamma)));
        }
        Ok(())
    }

    /// The optimizer that follows the gradient; `None` is plain descent, which writes no gradient.
    pub fn optimizer(&self) -> Option<Optimizer> {
        match self.optimizer {
            OptimizerKind::Adamw => {
                Some(Optimizer::AdamW { beta1: self.beta1, beta2: self.beta2, epsilon: ADAM_EPSILON })
            }
            OptimizerKind::Sgd => {
                let plain = self.momentum == 0.0 && self.weight_decay == 0.0 && self.clip == 0.0;
                (!plain).then_some(Optimizer::Sgd { momentum: self.momentum, nesterov: self.nesterov })
            }
        }
    }

    /// The learning rate of step `step` of `steps`, counted from 0.
    pub fn rate(&self, step: u32, steps: u32) -> f32 {
        self.schedule.schedule(self.epochs).learning_rate(self.lr, self.warmup, step, steps)
    }

    /// What makes inputs of pixels, measured on the training images of `split`.
    pub fn normalisation(&self, images: &Images, split: &Split) -> Normalisation {
        let (pixels, size) = (&images.pixels, images.pixels_per_image());
        Normalisation::new(self.gamma, self.standardise, pixels, size, &split.train)
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

    /// The data set that the recipe names.
    pub fn source(&self) -> Source {
        let Ok(source) = self.data.parse();
        source
    }

    /// How the files of the data set are read.
    pub fn reading(&self) -> Reading {
        Reading { transpose: Some(self.transpose), first_label: self.first_label }
    }

    /// The split of `images` training images.
    pub fn split(&self, images: usize) -> Split {
        let mut split = Split::new(self.rng, self.seed, images);
        if self.train_on == TrainOn::All {
            split.train.append(&mut split.val);
        }
        split
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
