//! A recipe: all settings that determine the result of a run. It is stored as the run's `config.toml` and in the model's
//! metadata.

pub mod config;
pub mod preset;
mod values;

pub use crate::data::normalise::Standardisation;
pub use values::{Hidden, OptimizerKind, Precision, ScheduleKind, TrainOn, WeightInit};

use selvedge::optim::Optimizer;
use selvedge::shape::{MAX_LAYERS, MAX_WIDTH};
use selvedge::{Backend, Init, Shape};
use serde::{Deserialize, Serialize};

use crate::data::normalise::Normalisation;
use crate::data::{Features, Reading, Samples, Source};
use crate::error::{Error, Result};
use crate::sampling::{Generator, Split};

/// The epsilon of AdamW.
const ADAM_EPSILON: f32 = 1e-8;
/// The maximum random shift of images.
const MAX_SHIFT_PIXELS: usize = 8;

/// The settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// `fashion-mnist`, `demo` or a folder.
    pub data: String,
    /// Whether the rows and columns of its images are swapped.
    pub transpose: bool,
    /// The label of its first class.
    pub first_label: usize,
    /// The model to start from; empty for random weights.
    pub from: String,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// The peak learning rate.
    pub lr: f32,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// Momentum of SGD, from 0 to below 1.
    pub momentum: f32,
    /// Whether SGD uses Nesterov momentum.
    pub nesterov: bool,
    /// AdamW's decay rate of the first moment.
    pub beta1: f32,
    /// AdamW's decay rate of the second moment.
    pub beta2: f32,
    /// The learning-rate schedule.
    pub schedule: ScheduleKind,
    /// The fraction of the run in which the learning rate rises to its peak.
    pub warmup: f32,
    /// Decoupled weight decay: `w -= lr * weight_decay * w`. Biases are excluded.
    pub weight_decay: f32,
    /// The maximum norm of the gradient; 0 for no limit.
    pub clip: f32,
    /// The fraction of the label's probability that is spread over all classes.
    pub label_smoothing: f32,
    /// The fraction of hidden units that are zeroed in a step.
    pub dropout: f32,
    /// The decay of the exponential moving average of the parameters per step; 0 for none.
    pub ema: f32,
    /// The exponent of the table that pixels go through, `255 (p / 255)^gamma`.
    pub gamma: f32,
    /// How pixels are standardised after the table.
    pub standardise: Standardisation,
    /// Whether training images are mirrored at random.
    pub flip: bool,
    /// The maximum random shift of training images, in pixels.
    pub shift: usize,
    /// Early stopping: epochs without a better validation accuracy before the run ends with the best model; 0 for never.
    pub patience: usize,
    /// The images to train on.
    pub train_on: TrainOn,
    /// ε of the printed loss, −ln(p + ε); the gradient is that of −ln p in any case.
    pub loss_epsilon: f32,
    /// The initial weights.
    pub init: WeightInit,
    /// The seed of the split, the initial weights and the shuffles.
    pub seed: u64,
    /// The random number generator.
    pub rng: Generator,
    /// The backend of the kernels; `auto` is the fastest that the CPU has.
    pub backend: String,
    /// The precision of the operands of a step's matrix products.
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
            standardise: Standardisation::None,
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
    /// Refuses invalid settings, before any data is read.
    ///
    /// # Errors
    /// `Usage` with the flag, its value and the valid values.
    pub fn check(&self) -> Result<()> {
        if let Some(width) = self.hidden.iter().find(|w| !(1..=MAX_WIDTH).contains(*w)) {
            return Err(Error::usage(format!("--hidden {width}: a layer has 1 to {MAX_WIDTH} units")));
        }
        if self.hidden.len() >= MAX_LAYERS {
            return Err(Error::usage(format!(
                "--hidden with {} layers: a network has at most {} hidden layers",
                self.hidden.len(),
                MAX_LAYERS - 1
            )));
        }
        if self.epochs == 0 {
            return Err(Error::usage("--epochs 0: train for at least 1 epoch"));
        }
        if self.batch == 0 {
            return Err(Error::usage("--batch 0: a batch has at least 1 image"));
        }
        if !self.lr.is_finite() || self.lr <= 0.0 {
            return Err(Error::usage(format!("--lr {}: the learning rate is a number above 0", self.lr)));
        }
        self.check_ranges()?;
        if self.data.is_empty() {
            return Err(Error::usage("--data is empty: name fashion-mnist, demo, or a folder"));
        }
        if self.nesterov && (self.optimizer != OptimizerKind::Sgd || self.momentum == 0.0) {
            return Err(Error::usage("--nesterov looks ahead along SGD's --momentum; give one, such as 0.9"));
        }
        if self.shift > MAX_SHIFT_PIXELS {
            return Err(Error::usage(format!(
                "--shift {}: images move by at most {MAX_SHIFT_PIXELS} pixels",
                self.shift
            )));
        }
        if self.patience > 0 && self.train_on == TrainOn::All {
            return Err(Error::usage(
                "--patience waits for a better validation accuracy, and --train-on all leaves no images to validate on",
            ));
        }
        self.backend().map(|_| ())
    }

    fn check_ranges(&self) -> Result<()> {
        let below_1 = [
            ("momentum", self.momentum),
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("label-smoothing", self.label_smoothing),
            ("dropout", self.dropout),
            ("ema", self.ema),
        ];
        if let Some((flag, value)) = below_1.into_iter().find(|(_, x)| !(0.0..1.0).contains(x)) {
            return Err(Error::usage(format!("--{flag} {value}: it is a number from 0 to below 1")));
        }
        let up_to_1 = [("warmup", self.warmup), ("loss-epsilon", self.loss_epsilon)];
        if let Some((flag, value)) = up_to_1.into_iter().find(|(_, x)| !(0.0..=1.0).contains(x)) {
            return Err(Error::usage(format!("--{flag} {value}: it is a number from 0 to 1")));
        }
        let not_negative = [("weight-decay", self.weight_decay), ("clip", self.clip)];
        if let Some((flag, value)) = not_negative.into_iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            return Err(Error::usage(format!("--{flag} {value}: it is a number of 0 or more")));
        }
        if !(0.1..=10.0).contains(&self.gamma) {
            return Err(Error::usage(format!("--gamma {}: it is a number from 0.1 to 10", self.gamma)));
        }
        Ok(())
    }

    /// The optimizer of a stored gradient; `None` for plain SGD, which is fused into the weight-gradient product.
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
    pub fn learning_rate(&self, step: u32, steps: u32) -> f32 {
        self.schedule.schedule(self.epochs).learning_rate(self.lr, self.warmup, step, steps)
    }

    /// The normalisation of the inputs, measured on the training samples of `split`.
    pub fn normalisation(&self, features: &Features, split: &Split) -> Normalisation {
        match features {
            Features::Images(images) => {
                let (pixels, size) = (&images.pixels, images.pixels_per_image());
                Normalisation::new(self.gamma, self.standardise, pixels, size, &split.train)
            }
            Features::Table(matrix) if self.standardise == Standardisation::Column => {
                Normalisation::of_columns(matrix, &split.train)
            }
            Features::Table(_) => Normalisation::default(),
        }
    }

    /// Refuses a batch larger than the training set.
    ///
    /// # Errors
    /// `Usage` with both numbers.
    pub fn check_batch(&self, images: usize) -> Result<()> {
        if self.batch <= images {
            return Ok(());
        }
        Err(Error::usage(format!("--batch {}: there are {images} training images", self.batch)))
    }

    /// The backend that the recipe names.
    ///
    /// # Errors
    /// `Usage` with the backends that this CPU has.
    pub fn backend(&self) -> Result<Backend> {
        if self.backend == "auto" {
            return Ok(Backend::detect());
        }
        Backend::by_name(&self.backend).ok_or_else(|| {
            let names: Vec<_> = Backend::available().map(Backend::name).collect();
            Error::usage(format!("--backend {}: this CPU has auto, {}", self.backend, names.join(", ")))
        })
    }

    /// The shape of the network for images of `inputs` pixels and `classes` classes.
    ///
    /// # Errors
    /// `Data` where the images or the classes are too many for a layer.
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

    /// The split of the training samples: as the data set says, or at random.
    pub fn split(&self, set: &Samples) -> Split {
        let mut split = match &set.validation {
            None => Split::new(self.rng, self.seed, set.len()),
            Some(val) => Split::of_validation(self.rng, self.seed, set.len(), val),
        };
        if self.train_on == TrainOn::All {
            split.train.append(&mut split.val);
        }
        split
    }

    /// The recipe as a config file: a line for each key.
    ///
    /// # Errors
    /// `Failed` where it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::failed(e.to_string()))
    }

    /// The hidden layers for names of files: `128`, `128x64`, `linear`.
    pub fn hidden_name(&self) -> String {
        if self.hidden.is_empty() {
            return "linear".into();
        }
        self.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
    }
}
