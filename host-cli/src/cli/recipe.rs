//! The words of a recipe. Their names are the keys of config files, and a test holds what they say of built-in values.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::DataArgs;
use crate::error::{Error, Result};
use crate::recipe::config::MergedConfig;
use crate::recipe::{Hidden, OptimizerKind, Precision, ScheduleKind, Standardisation, TrainOn, WeightInit};
use crate::sampling::Generator;

/// The recipe: each flag goes over the config file, that over the preset, that over what is built in.
#[derive(Debug, Args)]
pub struct RecipeArgs {
    /// A named recipe, which `selvedge config presets` lists
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// A recipe in a TOML file, with the keys that `selvedge config show` prints
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The values set by flags
    #[command(flatten)]
    pub values: RecipeValues,
}

/// A recipe's values as flags; the names are the config file's keys.
#[derive(Debug, Args, Serialize)]
pub struct RecipeValues {
    /// Train the model of a file or a run's folder further, with its weights, its shape and its normalisation; where it is
    /// not given, weights are drawn
    #[arg(long, value_name = "MODEL")]
    pub from: Option<String>,
    /// Units of each hidden layer, such as 128 or 128,64; none for a linear classifier [default: 128]
    #[arg(long)]
    pub hidden: Option<Hidden>,
    /// Passes over the training images [default: 5]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Images of a step [default: 64]
    #[arg(long)]
    pub batch: Option<usize>,
    /// The learning rate [default: 0.1]
    #[arg(long)]
    pub lr: Option<f32>,
    /// How parameters follow the gradient [default: sgd]
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerKind>,
    /// SGD's momentum [default: 0]
    #[arg(long, value_name = "M")]
    pub momentum: Option<f32>,
    /// SGD's momentum looks ahead [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub nesterov: Option<bool>,
    /// What AdamW keeps of the mean of the gradients [default: 0.9]
    #[arg(long, value_name = "B")]
    pub beta1: Option<f32>,
    /// What AdamW keeps of the mean of their squares [default: 0.999]
    #[arg(long, value_name = "B")]
    pub beta2: Option<f32>,
    /// How the learning rate goes over the run: constant, linear, cosine, one-cycle, or step:EPOCHS:FACTOR
    /// [default: constant]
    #[arg(long, value_name = "PLAN")]
    pub schedule: Option<ScheduleKind>,
    /// The fraction of the run in which the learning rate rises to its peak [default: 0]
    #[arg(long, value_name = "F")]
    pub warmup: Option<f32>,
    /// What weights lose of themselves at each step, in units of the learning rate; biases lose nothing [default: 0]
    #[arg(long, value_name = "W")]
    pub weight_decay: Option<f32>,
    /// The most that the gradient's norm may be, 0 for no limit [default: 0]
    #[arg(long, value_name = "NORM")]
    pub clip: Option<f32>,
    /// The share of the label that is spread over all classes [default: 0]
    #[arg(long, value_name = "F")]
    pub label_smoothing: Option<f32>,
    /// The share of hidden units that drop out of a step [default: 0]
    #[arg(long, value_name = "F")]
    pub dropout: Option<f32>,
    /// Keep a running mean of the parameters and make it the model: what it keeps of itself at each step, 0 for none
    /// [default: 0]
    #[arg(long, value_name = "F")]
    pub ema: Option<f32>,
    /// Put pixels through the table 255 (p / 255)^GAMMA [default: 1]
    #[arg(long)]
    pub gamma: Option<f32>,
    /// What is done to pixels behind the table [default: none]
    #[arg(long, value_enum)]
    pub standardise: Option<Standardisation>,
    /// Mirror training images at random [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub flip: Option<bool>,
    /// Move training images at random by up to so many pixels each way [default: 0]
    #[arg(long, value_name = "PIXELS")]
    pub shift: Option<usize>,
    /// End after so many epochs without a better validation accuracy, and keep the best model; 0 for never [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,
    /// Which of the training images to train on [default: split]
    #[arg(long, value_enum)]
    pub train_on: Option<TrainOn>,
    /// Print the loss as -ln(p + E), as the notebook does with 1e-9 [default: 0]
    #[arg(long, value_name = "E")]
    pub loss_epsilon: Option<f32>,
    /// Initial weights: normal:DEVIATION, he for N(0, 2/inputs), or he-linear for he with N(0, 1/inputs) in the last
    /// layer; biases start at 0 [default: normal:0.01]
    #[arg(long)]
    pub init: Option<WeightInit>,
    /// Decides the split, the initial weights and the shuffles [default: 42]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Whose random numbers: selvedge, or torch for those of PyTorch's CPU generator [default: selvedge]
    #[arg(long)]
    pub rng: Option<Generator>,
    /// Who does the arithmetic: auto, or a name that `selvedge inspect` lists [default: auto]
    #[arg(long)]
    pub backend: Option<String>,
    /// How the products of a step take their operands; weights and evaluations are f32 whatever it is [default: f32]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
}

impl RecipeArgs {
    /// The values and where they come from; `data` is what is said of the data.
    ///
    /// # Errors
    /// As [`MergedConfig::resolve`].
    pub fn layers(&self, data: &DataArgs) -> Result<MergedConfig> {
        MergedConfig::resolve(self.preset.as_deref(), self.config.as_deref(), self.values.table(Some(data))?)
    }
}

impl RecipeValues {
    /// What the flags set, by the config file's keys; `data` is what is said of the data.
    ///
    /// # Errors
    /// Exit code 2 for a number that no config file could hold.
    pub fn table(&self, data: Option<&DataArgs>) -> Result<toml::Table> {
        let mut flags = toml::Table::try_from(self).map_err(|_| self.too_large())?;
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

    /// Which number is beyond those of TOML.
    fn too_large(&self) -> Error {
        let values = serde_json::to_value(self).unwrap_or_default();
        let large = |(_, value): &(&String, &serde_json::Value)| value.as_u64() > Some(i64::MAX as u64);
        let found = values.as_object().and_then(|values| values.iter().find(large));
        let flag = found.map_or_else(String::new, |(key, n)| format!("--{} {n}: ", key.replace('_', "-")));
        Error::misused(format!("{flag}a recipe's numbers are at most {}", i64::MAX))
    }
}
