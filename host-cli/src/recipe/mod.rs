//! A recipe: all settings that determine the result of a run. It is stored as the run's `config.toml` and in the model's
//! metadata.

mod check;
pub mod config;
pub mod preset;
mod reading;
mod task;
mod values;

pub use crate::data::normalise::Standardisation;
pub use task::{ClassWeights, HiddenActivations, LossChoice, Monitor, TaskChoice};
pub use values::{Hidden, OptimizerKind, Precision, ScheduleKind, TrainOn, WeightInit};

use selvedge::optim::Optimizer;
use selvedge::{Backend, Init, Shape};
use serde::{Deserialize, Serialize};

use crate::data::normalise::Normalisation;
use crate::data::pictures::Channels;
use crate::data::table::Missing;
use crate::data::{Features, Samples, Source};
use crate::error::{Error, Result};
use crate::sampling::{Generator, Split};

/// The epsilon of AdamW.
const ADAM_EPSILON: f32 = 1e-8;

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
    /// What to answer.
    pub task: TaskChoice,
    /// The columns of a table to answer; the last one if empty.
    pub target: Vec<String>,
    /// The columns of a table to leave out.
    pub drop: Vec<String>,
    /// The columns of a table whose values are categories even where they are numbers.
    pub categorical: Vec<String>,
    /// What to do about missing values of a table.
    pub missing: Missing,
    /// The column of a table by which rows stay together in a split; empty for none.
    pub group: String,
    /// The column of a table that orders its rows in time; empty for none.
    pub time: String,
    /// The rows of a window; 0 for single rows.
    pub window: usize,
    /// The rows from one window to the next; 0 for the window's length.
    pub stride: usize,
    /// A file of samples to test on; empty to split them off.
    pub test: String,
    /// The size that pictures are resized to, `WIDTHxHEIGHT`; empty to leave them.
    pub size: String,
    /// The channels of pictures.
    pub channels: Channels,
    /// The model to start from; empty for random weights.
    pub from: String,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// The activation of the hidden layers, or of each.
    pub activation: HiddenActivations,
    /// What training minimises.
    pub loss: LossChoice,
    /// How much the samples of each class count in the loss.
    pub class_weights: ClassWeights,
    /// The fraction of normal validation samples that a threshold of anomaly scores may take for anomalies.
    pub false_alarms: f32,
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
    /// Early stopping: epochs without a better validation figure before the run ends with the best model; 0 for never.
    pub patience: usize,
    /// The validation figure of early stopping.
    pub monitor: Monitor,
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
            task: TaskChoice::Auto,
            target: Vec::new(),
            drop: Vec::new(),
            categorical: Vec::new(),
            missing: Missing::Error,
            group: String::new(),
            time: String::new(),
            window: 0,
            stride: 0,
            test: String::new(),
            size: String::new(),
            channels: Channels::Grey,
            from: String::new(),
            hidden: vec![128],
            activation: HiddenActivations::default(),
            loss: LossChoice::Auto,
            class_weights: ClassWeights::None,
            false_alarms: 0.01,
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
            monitor: Monitor::Accuracy,
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

    /// The shape of the network for samples of `inputs` numbers and `outputs` answers.
    ///
    /// # Errors
    /// `Data` where the inputs or the outputs are too many for a layer, `Usage` for activations of other layers.
    pub fn shape(&self, inputs: usize, outputs: usize) -> Result<Shape> {
        let widths: Vec<_> =
            [inputs].into_iter().chain(self.hidden.iter().copied()).chain([outputs]).collect();
        let shape =
            Shape::new(&widths).map_err(|e| Error::data(format!("samples of {inputs} inputs: {e}")))?;
        let shape = self.activation.apply(shape);
        shape.map_err(|why| Error::usage(format!("--activation {}: {why}", self.activation)))
    }

    /// The data set that the recipe names.
    pub fn source(&self) -> Source {
        let Ok(source) = self.data.parse();
        source
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
