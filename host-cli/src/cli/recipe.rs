//! The flags of a recipe. Their names are the keys of config files, and a test checks the defaults in their help.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::DataArgs;
use crate::data::Reading;
use crate::data::pictures::Channels;
use crate::data::table::Missing;
use crate::error::{Error, Result};
use crate::recipe::config::MergedConfig;
use crate::recipe::{
    ClassWeights, Hidden, HiddenActivations, LossChoice, Monitor, OptimizerKind, Precision, ScheduleKind,
    Standardisation, TaskChoice, TrainOn, WeightInit,
};
use crate::sampling::Generator;

/// The recipe: flags override the config file, which overrides the preset, which overrides the built-in defaults.
#[derive(Debug, Args)]
pub struct RecipeArgs {
    /// Start from a named recipe; `selvedge config presets` lists them
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Read a recipe from a TOML file with the keys that `selvedge config show` prints
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The values set by flags
    #[command(flatten)]
    pub values: RecipeValues,
}

/// The part of a recipe that says how to read tables and pictures, which `data show` takes too.
#[derive(Debug, Args, Serialize)]
pub struct TableArgs {
    /// Set the task: classify, regress, multilabel, or reconstruct for an anomaly score; auto takes text and a few whole
    /// numbers for classes, other numbers for a regression [default: auto]
    #[arg(long, value_enum)]
    pub task: Option<TaskChoice>,
    /// Predict these columns of a table [default: the last one]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub target: Option<Vec<String>>,
    /// Leave out these columns of a table [default: none]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub drop: Option<Vec<String>>,
    /// Take the numbers of these columns of a table as categories [default: none]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub categorical: Option<Vec<String>>,
    /// Choose what to do about missing values of a table [default: error]
    #[arg(long, value_enum)]
    pub missing: Option<Missing>,
    /// Keep all rows of a table with the same value of this column, such as a subject or a recording, on one side of the
    /// split [default: none]
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Name the column of time of a table: a recording ends where it steps back; it is no feature, and rows are not
    /// sorted by it [default: none]
    #[arg(long, value_name = "NAME")]
    pub time: Option<String>,
    /// Make each sample of this many consecutive rows of a table; 0 for single rows [default: 0]
    #[arg(long, value_name = "ROWS")]
    pub window: Option<usize>,
    /// Start a window every ROWS rows; 0 for the window's length [default: 0]
    #[arg(long, value_name = "ROWS")]
    pub stride: Option<usize>,
    /// Test on the samples of this file [default: 15 % of the samples, and 15 % to validate on, where the data set has no
    /// test samples]
    #[arg(long, value_name = "FILE")]
    pub test: Option<String>,
    /// Resize pictures to WIDTHxHEIGHT pixels by area averaging, such as 28x28 [default: as they are]
    #[arg(long, value_name = "WxH")]
    pub size: Option<String>,
    /// Read pictures as grey or in colour [default: grey]
    #[arg(long, value_enum)]
    pub channels: Option<Channels>,
}

impl TableArgs {
    /// How to read a data set with these flags and the recipe's defaults.
    ///
    /// # Errors
    /// `Usage` for a value that no recipe could hold.
    pub fn reading(&self) -> Result<Reading> {
        let flags = toml::Table::try_from(self).map_err(|_| too_large(self))?;
        Ok(MergedConfig::resolve(None, None, flags)?.recipe()?.reading())
    }
}

/// A recipe's values as flags; the names are the config file's keys.
#[derive(Debug, Args, Serialize)]
pub struct RecipeValues {
    /// How to read the data set.
    #[command(flatten)]
    #[serde(flatten)]
    pub table: TableArgs,
    /// Continue training from a model file or run folder, with its weights, shape and normalisation [default: draw new
    /// weights]
    #[arg(long, value_name = "MODEL")]
    pub from: Option<String>,
    /// Set the units of each hidden layer, such as 128 or 128,64; none for a linear classifier [default: 128]
    #[arg(long)]
    pub hidden: Option<Hidden>,
    /// Set the activation of the hidden layers, or of each, such as tanh,relu: relu, leaky-relu, relu6, tanh, sigmoid,
    /// hard-swish [default: relu]
    #[arg(long, value_name = "NAME,..")]
    pub activation: Option<HiddenActivations>,
    /// Choose the loss [default: auto]
    #[arg(long, value_enum)]
    pub loss: Option<LossChoice>,
    /// Weigh the classes in the loss: balanced for the same weight of every class, or NAME=W,.. [default: none]
    #[arg(long, value_name = "balanced|NAME=W,..")]
    pub class_weights: Option<ClassWeights>,
    /// Choose the threshold of anomaly scores so that this fraction of normal validation samples lies above it, such as 1%
    /// [default: 0.01]
    #[arg(long, value_name = "F", value_parser = fraction)]
    pub false_alarms: Option<f32>,
    /// Train for this many passes over the training samples [default: 5]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Use this many images per step [default: 64]
    #[arg(long)]
    pub batch: Option<usize>,
    /// Set the learning rate, or its peak under a schedule [default: 0.1]
    #[arg(long)]
    pub lr: Option<f32>,
    /// Choose the optimizer [default: sgd]
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerKind>,
    /// Set SGD's momentum, from 0 to below 1 [default: 0]
    #[arg(long, value_name = "M")]
    pub momentum: Option<f32>,
    /// Use Nesterov momentum with SGD [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub nesterov: Option<bool>,
    /// Set AdamW's decay rate of the first moment [default: 0.9]
    #[arg(long, value_name = "B")]
    pub beta1: Option<f32>,
    /// Set AdamW's decay rate of the second moment [default: 0.999]
    #[arg(long, value_name = "B")]
    pub beta2: Option<f32>,
    /// Set the learning-rate schedule: constant, linear, cosine, one-cycle, or step:EPOCHS:FACTOR [default: constant]
    #[arg(long, value_name = "SCHEDULE")]
    pub schedule: Option<ScheduleKind>,
    /// Raise the learning rate to its peak over this fraction of the run [default: 0]
    #[arg(long, value_name = "F")]
    pub warmup: Option<f32>,
    /// Set decoupled weight decay: w -= lr * W * w at each step; biases are excluded [default: 0]
    #[arg(long, value_name = "W")]
    pub weight_decay: Option<f32>,
    /// Clip the gradient to this L2 norm; 0 for no limit [default: 0]
    #[arg(long, value_name = "NORM")]
    pub clip: Option<f32>,
    /// Spread this fraction of the label over all classes [default: 0]
    #[arg(long, value_name = "F")]
    pub label_smoothing: Option<f32>,
    /// Drop this fraction of the hidden units at each step [default: 0]
    #[arg(long, value_name = "F")]
    pub dropout: Option<f32>,
    /// Save an exponential moving average of the parameters as the model, with this decay per step; 0 for none
    /// [default: 0]
    #[arg(long, value_name = "F")]
    pub ema: Option<f32>,
    /// Map each pixel p to 255 (p / 255)^GAMMA [default: 1]
    #[arg(long)]
    pub gamma: Option<f32>,
    /// Standardise pixels after the gamma table [default: none]
    #[arg(long, value_enum)]
    pub standardise: Option<Standardisation>,
    /// Flip training images left to right at random [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub flip: Option<bool>,
    /// Shift training images at random by up to this many pixels in each direction [default: 0]
    #[arg(long, value_name = "PIXELS")]
    pub shift: Option<usize>,
    /// Stop after this many epochs without a better validation figure and keep the best model; 0 for never [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,
    /// Choose the validation figure of --patience [default: accuracy]
    #[arg(long, value_enum)]
    pub monitor: Option<Monitor>,
    /// Train on a part of the training samples or on all [default: split]
    #[arg(long, value_enum)]
    pub train_on: Option<TrainOn>,
    /// Print the loss as -ln(p + E), as the notebook does with E = 1e-9; the gradient is unchanged [default: 0]
    #[arg(long, value_name = "E")]
    pub loss_epsilon: Option<f32>,
    /// Set the weight initialisation: normal:STD, he for variance 2/inputs, or he-linear for he with variance
    /// 1/inputs in the last layer; biases start at 0 [default: normal:0.01]
    #[arg(long)]
    pub init: Option<WeightInit>,
    /// Set the seed of the split, the initial weights and the shuffles [default: 42]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Choose the random number generator: selvedge, or torch for PyTorch's CPU generator [default: selvedge]
    #[arg(long)]
    pub rng: Option<Generator>,
    /// Choose the backend: auto for the fastest, or a name that `selvedge inspect` lists [default: auto]
    #[arg(long)]
    pub backend: Option<String>,
    /// Set the precision of the operands of a training step's matrix products; weights and evaluation stay f32
    /// [default: f32]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
}

/// Parses a fraction, such as 0.01 or 1%.
pub(super) fn fraction(text: &str) -> std::result::Result<f32, String> {
    let (digits, unit) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    let value = digits.trim().parse::<f32>().ok().map(|value| value / unit);
    value.filter(|f| (0.0..=1.0).contains(f)).ok_or_else(|| "write a fraction, such as 0.01 or 1%".into())
}

impl RecipeArgs {
    /// The values and their origins; `data` holds the data flags.
    ///
    /// # Errors
    /// As [`MergedConfig::resolve`].
    pub fn merged_config(&self, data: &DataArgs) -> Result<MergedConfig> {
        MergedConfig::resolve(self.preset.as_deref(), self.config.as_deref(), self.values.table(Some(data))?)
    }
}

impl RecipeValues {
    /// The values that flags set, under the config file's keys; `data` holds the data flags.
    ///
    /// # Errors
    /// `Usage` for a number that no config file could hold.
    pub fn table(&self, data: Option<&DataArgs>) -> Result<toml::Table> {
        let mut flags = toml::Table::try_from(self).map_err(|_| too_large(self))?;
        if let Some(DataArgs { data, reading, .. }) = data {
            let source = data.as_ref().map(|source| ("data", source.to_string().into()));
            let transpose = reading.transpose.map(|yes| ("transpose", yes.into()));
            let first = reading.first_label.map(|label| ("first_label", i64::from(label).into()));
            flags.extend(
                [source, transpose, first].into_iter().flatten().map(|(key, value)| (key.into(), value)),
            );
        }
        Ok(flags)
    }
}

/// The error that names the number too large for TOML.
fn too_large(flags: &impl Serialize) -> Error {
    let values = serde_json::to_value(flags).unwrap_or_default();
    let large = |(_, value): &(&String, &serde_json::Value)| value.as_u64() > Some(i64::MAX as u64);
    let found = values.as_object().and_then(|values| values.iter().find(large));
    let flag = found.map_or_else(String::new, |(key, n)| format!("--{} {n}: ", key.replace('_', "-")));
    Error::usage(format!("{flag}numbers in a recipe are at most {}", i64::MAX))
}
