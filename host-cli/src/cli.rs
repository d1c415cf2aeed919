//! The command line. Its doc comments are the help text.

mod exchange;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use exchange::{Export, Import};

use crate::crew::Threads;
use crate::data::Source;
use crate::recipe::{Hidden, Weights};

/// Trains multilayer perceptrons as fast as the CPU multiplies and adds, and runs them.
///
/// Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 misused, 3 data missing or corrupt,
/// 4 model invalid.
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
    Train(Train),
    /// Measure a model's accuracy, class by class
    Eval(Eval),
    /// Name the class of an image
    Predict(Predict),
    /// Show what a model file holds, or which backends this CPU has
    Inspect(Inspect),
    /// Make a model of a network that another program trained
    Import(Import),
    /// Write a model for another program
    Export(Export),
    /// Fetch, verify or look at a data set
    #[command(subcommand)]
    Data(Data),
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

/// `train`.
#[derive(Debug, Args)]
pub struct Train {
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Units of each hidden layer, such as 128 or 128,64; none for a linear classifier
    #[arg(long, default_value = "128")]
    pub hidden: Hidden,
    /// Passes over the training images
    #[arg(long, default_value_t = 5)]
    pub epochs: usize,
    /// Images of a step
    #[arg(long, default_value_t = 64)]
    pub batch: usize,
    /// The learning rate of plain stochastic gradient descent
    #[arg(long, default_value_t = 0.1, allow_negative_numbers = true)]
    pub lr: f32,
    /// Initial weights: normal:DEVIATION, or he for N(0, 2/inputs); biases start at 0
    #[arg(long, default_value = "normal:0.01")]
    pub init: Weights,
    /// Decides the split, the initial weights and the shuffles
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Who does the arithmetic: auto, or a name that `selvedge inspect` lists
    #[arg(long, default_value = "auto")]
    pub backend: String,
    /// Threads: auto for as many as pay off, or a number; the weights are the same bytes whatever it is
    #[arg(long, default_value_t = Threads::Auto, value_name = "auto|N")]
    pub threads: Threads,
    /// The run's folder [default: the first free runs/DATA-HIDDEN-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
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
