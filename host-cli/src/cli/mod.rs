//! The command line. Its doc comments are the help text.

mod exchange;
mod firmware;
mod flash;
mod recipe;
mod shell;
mod sweep;

use std::path::PathBuf;

use clap::{Args, Command as Words, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use exchange::{Estimate, Export, Import, IntegerType, Quantize};
pub use firmware::FirmwareArgs;
pub use flash::Verify;
pub use recipe::{RecipeArgs, RecipeValues};
pub use shell::{Completions, Man};
pub use sweep::{Shard, Sweep, SweepAction, SweepRun};

use crate::data::{Reading, Source};
use crate::recipe::Recipe;
use crate::thread_pool::Threads;

/// Trains multilayer perceptrons as fast as the CPU multiplies and adds, and runs them.
///
/// Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 misused, 3 data missing or corrupt,
/// 4 model invalid, 5 two models differ, 6 over budget, 130 stopped by Ctrl-C, SIGTERM or SIGHUP.
#[derive(Debug, Parser)]
#[command(name = "selvedge", version, arg_required_else_help = true, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The words that the program was started with.
    ///
    /// # Errors
    /// The parser's, for help too.
    pub fn from_the_command_line() -> Result<Self, clap::Error> {
        let matches = numbers_may_be_negative(Self::command()).try_get_matches()?;
        Self::from_arg_matches(&matches)
    }
}

/// Takes `-1` for a value wherever one is awaited, so that it is refused as a value is.
fn numbers_may_be_negative(words: Words) -> Words {
    let takes = |arg: &clap::Arg| !arg.is_positional() && arg.get_action().takes_values();
    words
        .mut_args(|arg| if takes(&arg) { arg.allow_negative_numbers(true) } else { arg })
        .mut_subcommands(numbers_may_be_negative)
}

/// The help of what is said of the data where no model says what it was trained on.
fn for_recipes(arg: clap::Arg) -> clap::Arg {
    let help = match arg.get_id().as_str() {
        "data" => {
            "The data set: fashion-mnist, demo (drawn by code, needs no files), or a folder of IDX files, with the class \
             names in labels.txt, one a line [default: fashion-mnist]"
        }
        "transpose" => {
            "Swap rows and columns of the images: EMNIST stores them so; the run and its model remember it [default: false]"
        }
        "first_label" => {
            "The label of the first class, such as 1 where labels are counted from 1; the run and its model remember it \
             [default: 0]"
        }
        _ => return arg,
    };
    arg.help(help)
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
    /// The data set: fashion-mnist, demo (drawn by code, needs no files), or a folder of IDX files, with the class names in
    /// labels.txt, one a line [default: the one that the model was trained on, or fashion-mnist where it does not say]
    #[arg(long, value_name = "fashion-mnist|demo|DIR")]
    pub data: Option<Source>,
    /// Where fashion-mnist lies [default: $SELVEDGE_DATA, then the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// How its files are read.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// How the files of a data set are read.
#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// Swap rows and columns of the images: EMNIST stores them so; --transpose=false takes them as they are [default: as
    /// the model was trained, or else false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub transpose: Option<bool>,
    /// The label of the first class, such as 1 where labels are counted from 1 [default: as the model was trained, or else
    /// 0]
    #[arg(long, value_name = "N")]
    pub first_label: Option<u32>,
}

impl ReadingArgs {
    /// What the flags say, over what a model or a recipe says.
    pub fn over(&self, remembered: Reading) -> Reading {
        Reading {
            transpose: self.transpose.or(remembered.transpose),
            first_label: self.first_label.map_or(remembered.first_label, |label| label as usize),
        }
    }

    /// What of a recipe is done to data that no flag says it of: the flag that would say the same, and how to say otherwise.
    pub fn taken_over(&self, recipe: &Recipe) -> Vec<(String, &'static str)> {
        let transpose = (recipe.transpose && self.transpose.is_none())
            .then(|| ("--transpose".into(), "--transpose=false takes it as it is"));
        let first = (recipe.first_label != 0 && self.first_label.is_none())
            .then(|| (format!("--first-label {}", recipe.first_label), "--first-label 0 counts from 0"));
        [transpose, first].into_iter().flatten().collect()
    }
}

/// `train`.
#[derive(Debug, Args)]
#[command(mut_args = for_recipes)]
pub struct Train {
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Threads: auto for as many as pay off, or a number; the weights are the same bytes whatever it is
    #[arg(long, default_value_t = Threads::Auto, value_name = "auto|N")]
    pub threads: Threads,
    /// The run's folder [default: the first free runs/DATA-HIDDEN-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Resume the interrupted run in a folder; all settings come from there. --data says where data that have moved are
    #[arg(long, value_name = "RUN")]
    pub resume: Option<PathBuf>,
    /// Steps between checkpoints, from which a run that was killed goes on; 0 for none [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub checkpoint_every: Option<u64>,
    /// Replace the run in the folder that --out names; it is kept in DIR/previous until the new one is done
    #[arg(long, requires = "out")]
    pub overwrite: bool,
    /// One JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// No bar and no talk on stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// How to train.
    #[command(flatten, next_help_heading = "Recipe")]
    pub recipe: RecipeArgs,
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
    /// A model file, a run's folder, or a flash file
    pub model: PathBuf,
    /// The data set.
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
    /// A model file, a run's folder, or a flash file
    pub model: PathBuf,
    /// A PNG or IDX file: light on black (or see --invert), of the size that the model was trained on
    #[arg(value_name = "IMAGE")]
    pub image: Option<PathBuf>,
    /// The position of a test image, or of an image in an IDX file, counted from 0
    #[arg(long, value_name = "N")]
    pub index: Option<usize>,
    /// Turn a picture that is dark on white into light on black first
    #[arg(long)]
    pub invert: bool,
    /// The data set of --index.
    #[command(flatten)]
    pub data: DataArgs,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A model file, a run's folder, or a flash file; without it, this CPU's backends
    pub model: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
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
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print the recipe that `train` would follow with the same flags, as a config file that says where each value
    /// comes from
    Show(Box<ConfigShow>),
    /// List the named recipes
    Presets {
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
}

/// `config show`.
#[derive(Debug, Args)]
#[command(mut_args = for_recipes)]
pub struct ConfigShow {
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// How to train.
    #[command(flatten, next_help_heading = "Recipe")]
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
        #[arg(long, alias = "data-dir")]
        dir: Option<PathBuf>,
        /// The address to fetch from, in place of the public ones; files are checked whatever it is
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Check each file of Fashion-MNIST against its SHA-256, or that it is whole where it was unpacked
    Verify {
        /// The folder [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long, alias = "data-dir")]
        dir: Option<PathBuf>,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Draw a few images of each class
    Show {
        /// fashion-mnist, demo, or a folder of IDX files, with the class names in labels.txt, one a line
        #[arg(value_name = "fashion-mnist|demo|DIR", default_value = "fashion-mnist")]
        data: Source,
        /// Where fashion-mnist lies [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long, alias = "data-dir")]
        dir: Option<PathBuf>,
        /// How its files are read.
        #[command(flatten)]
        reading: ReadingArgs,
        /// Images of each class
        #[arg(long, default_value_t = 1)]
        count: usize,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
}
