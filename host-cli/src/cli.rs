//! The command line. Its doc comments are the help text.

mod exchange;
mod firmware;
mod flash;
mod shell;
mod sweep;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

pub use exchange::{Estimate, Export, Import, IntegerType, Quantize};
pub use firmware::FirmwareArgs;
pub use flash::Verify;
pub use shell::{Completions, Man};
pub use sweep::{Shard, Sweep, SweepAction, SweepRun};

use crate::crew::Threads;
use crate::data::Source;
use crate::draws::Generator;
use crate::error::{Error, Result};
use crate::recipe::config::Layers;
use crate::recipe::{Hidden, Optimizer, Plan, Precision, Standardise, TrainOn, Weights};

/// Trains multilayer perceptrons as fast as the CPU multiplies and adds, and runs them.
///
/// Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 misused, 3 data missing or corrupt,
/// 4 model invalid, 5 two models differ, 6 over budget.
#[derive(Debug, Parser)]
#[command(name = "selvedge", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network and keep it in a run's folder
    Train(Box<Train>),
    /// Measure a model's accuracy, class by class
    Eval(Eval),
    /// Name the class of an image
    Predict(Predict),
    /// Show what a model file holds, or which backends this CPU has
    Inspect(Inspect),
    /// Make a flash file of integers, and measure what that costs
    Quantize(Quantize),
    /// Say what a model takes on a microcontroller, and whether that is there
    Estimate(Estimate),
    /// Make a model of a network that another program trained
    Import(Import),
    /// Write a model for another program, or for a microcontroller
    Export(Export),
    /// Compare two files of one network, image by image and layer by layer
    Verify(Verify),
    /// Train many recipes with many seeds and compare them on the validation images
    Sweep(Box<Sweep>),
    /// Make one HTML page of a run or a sweep
    Report(Report),
    /// Show a recipe and where its values come from, or the named recipes
    #[command(subcommand)]
    Config(Config),
    /// Measure how fast every kernel is on this CPU, and how much of the peak it reaches
    Bench(Bench),
    /// Fetch, verify or look at a data set
    #[command(subcommand)]
    Data(Data),
    /// Print what makes a shell complete this program's words
    Completions(Completions),
    /// Write the manual pages, one a command
    Man(Man),
}

/// Which data set.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// The data set: fashion-mnist, demo (drawn by code, needs no files), or a folder of IDX files
    #[arg(long, value_name = "fashion-mnist|demo|DIR")]
    pub data: Option<Source>,
    /// Where fashion-mnist lies [default: $SELVEDGE_DATA, then the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

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
    #[arg(long, allow_negative_numbers = true)]
    pub lr: Option<f32>,
    /// How parameters follow the gradient [default: sgd]
    #[arg(long, value_enum)]
    pub optimizer: Option<Optimizer>,
    /// SGD's momentum [default: 0]
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    pub momentum: Option<f32>,
    /// SGD's momentum looks ahead [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub nesterov: Option<bool>,
    /// What AdamW keeps of the mean of the gradients [default: 0.9]
    #[arg(long, value_name = "B", allow_negative_numbers = true)]
    pub beta1: Option<f32>,
    /// What AdamW keeps of the mean of their squares [default: 0.999]
    #[arg(long, value_name = "B", allow_negative_numbers = true)]
    pub beta2: Option<f32>,
    /// How the learning rate goes over the run: constant, linear, cosine, one-cycle, or step:EPOCHS:FACTOR
    /// [default: constant]
    #[arg(long, value_name = "PLAN")]
    pub schedule: Option<Plan>,
    /// The fraction of the run in which the learning rate rises to its peak [default: 0]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub warmup: Option<f32>,
    /// What weights lose of themselves at each step, in units of the learning rate; biases lose nothing [default: 0]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pub weight_decay: Option<f32>,
    /// The most that the gradient's norm may be, 0 for no limit [default: 0]
    #[arg(long, value_name = "NORM", allow_negative_numbers = true)]
    pub clip: Option<f32>,
    /// The share of the label that is spread over all classes [default: 0]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub label_smoothing: Option<f32>,
    /// The share of hidden units that drop out of a step [default: 0]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub dropout: Option<f32>,
    /// Keep a running mean of the parameters and make it the model: what it keeps of itself at each step, 0 for none
    /// [default: 0]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub ema: Option<f32>,
    /// Put pixels through the table 255 (p / 255)^GAMMA [default: 1]
    #[arg(long, allow_negative_numbers = true)]
    pub gamma: Option<f32>,
    /// What is done to pixels behind the table [default: none]
    #[arg(long, value_enum)]
    pub standardise: Option<Standardise>,
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
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    pub loss_epsilon: Option<f32>,
    /// Initial weights: normal:DEVIATION, he for N(0, 2/inputs), or he-linear for he with N(0, 1/inputs) in the last
    /// layer; biases start at 0 [default: normal:0.01]
    #[arg(long)]
    pub init: Option<Weights>,
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
    /// The values and where they come from; `data` is what `--data` says.
    ///
    /// # Errors
    /// As [`Layers::resolve`].
    pub fn layers(&self, data: Option<&Source>) -> Result<Layers> {
        let mut flags = toml::Table::try_from(&self.values).map_err(|e| Error::misused(e.to_string()))?;
        if let Some(data) = data {
            flags.insert("data".into(), data.to_string().into());
        }
        Layers::resolve(self.preset.as_deref(), self.config.as_deref(), flags)
    }
}

/// `train`.
#[derive(Debug, Args)]
pub struct Train {
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// How to train.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Threads: auto for as many as pay off, or a number; the weights are the same bytes whatever it is
    #[arg(long, default_value_t = Threads::Auto, value_name = "auto|N")]
    pub threads: Threads,
    /// The run's folder [default: the first free runs/DATA-HIDDEN-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Take up the run in a folder where it stopped, with nothing but the folder to say
    #[arg(long, value_name = "RUN")]
    pub resume: Option<PathBuf>,
    /// Steps between checkpoints, from which a run that was killed goes on; 0 for none [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub checkpoint_every: Option<u64>,
    /// Replace the run in the folder that --out names
    #[arg(long, requires = "out")]
    pub overwrite: bool,
    /// One JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// No bar and no talk on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

/// Which images to evaluate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// The test files
    Test,
    /// The part of the training files that the model's run validated on
    Val,
}

/// `eval`.
#[derive(Debug, Args)]
pub struct Eval {
    /// A model file or a run's folder
    pub model: PathBuf,
    /// The data set; by default the one that the model was trained on
    #[command(flatten)]
    pub data: DataArgs,
    /// Which images
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    pub split: SplitName,
    /// Threads: auto for as many as pay off, or a number
    #[arg(long, default_value_t = Threads::Auto, value_name = "auto|N")]
    pub threads: Threads,
    /// Write the images, their classes and the logits as an npz file, for other programs to compare with theirs
    #[arg(long, value_name = "FILE")]
    pub logits: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `predict`.
#[derive(Debug, Args)]
pub struct Predict {
    /// A model file or a run's folder
    pub model: PathBuf,
    /// A PNG or IDX file: light on black, of the size that the model was trained on
    #[arg(value_name = "IMAGE", required_unless_present = "index")]
    pub image: Option<PathBuf>,
    /// The position of a test image, or of an image in an IDX file
    #[arg(long, value_name = "N")]
    pub index: Option<usize>,
    /// The data set of --index; by default the one that the model was trained on
    #[command(flatten)]
    pub data: DataArgs,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A model file or a run's folder; without it, this CPU's backends
    pub model: Option<PathBuf>,
}

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// A run's folder, a model file, or a sweep's folder
    #[arg(value_name = "RUN|SWEEP")]
    pub of: PathBuf,
    /// The page to write
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
    /// The data set; by default the one that the model was trained on
    #[command(flatten)]
    pub data: DataArgs,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print the recipe that `train` would follow with the same flags, as a config file that says where each value
    /// comes from
    Show(Box<ConfigShow>),
    /// List the named recipes
    Presets,
}

/// `config show`.
#[derive(Debug, Args)]
pub struct ConfigShow {
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// How to train.
    #[command(flatten)]
    pub recipe: RecipeArgs,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Only cases with all these words, such as "gemm.forward avx2 64x784x128", "step threads=2" or "peak"
    #[arg(long, value_name = "WORDS")]
    pub filter: Option<String>,
    /// One JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// Spin until stdin ends: what the benchmark starts to keep another core busy
    #[arg(long, hide = true, exclusive = true)]
    pub occupy_a_core: bool,
}

/// `data`.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download Fashion-MNIST (30 MB), resuming where an earlier download was cut
    Fetch {
        /// The folder [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long)]
        dir: Option<PathBuf>,
        /// The address to fetch from, in place of the public ones; files are checked whatever it is
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
    },
    /// Check each file of Fashion-MNIST against its SHA-256
    Verify {
        /// The folder [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Draw a few images of each class
    Show {
        /// fashion-mnist, demo, or a folder of IDX files
        #[arg(value_name = "fashion-mnist|demo|DIR", default_value = "fashion-mnist")]
        data: Source,
        /// Where fashion-mnist lies [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Images of each class
        #[arg(long, default_value_t = 1)]
        count: usize,
    },
}
