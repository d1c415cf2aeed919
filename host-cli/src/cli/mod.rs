//! The command line. Its doc comments are the help text.

mod data;
mod exchange;
mod firmware;
mod flash;
mod recipe;
mod shell;
mod sweep;

use std::path::PathBuf;

use clap::{Args, Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use data::{Data, DataShow};
pub use exchange::{Estimate, Export, Import, IntegerType, Quantize};
pub use firmware::FirmwareArgs;
pub use flash::Verify;
pub use recipe::{RecipeArgs, RecipeValues, TableArgs};
pub use shell::{Completions, Man};
pub use sweep::{Shard, Sweep, SweepAction, SweepRun};

use crate::data::{Reading, Source};
use crate::recipe::Recipe;
use crate::thread_pool::Threads;

/// Train multilayer perceptrons near the CPU's peak speed, and run them on microcontrollers bit for bit the same
///
/// Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 data missing or
/// corrupt, 4 model invalid, 5 two models differ, 6 over budget, 130 stopped by Ctrl-C, SIGTERM or SIGHUP.
#[derive(Debug, Parser)]
#[command(name = "selvedge", version, arg_required_else_help = true, max_term_width = 120)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Parses the program's arguments.
    ///
    /// # Errors
    /// Those of the parser; help and version are reported as errors too.
    pub fn from_the_command_line() -> Result<Self, clap::Error> {
        let matches = numbers_may_be_negative(Self::command()).try_get_matches()?;
        Self::from_arg_matches(&matches)
    }
}

/// Lets every flag that takes a value take `-1`, so that the value's own parser refuses it and says why.
fn numbers_may_be_negative(command: ClapCommand) -> ClapCommand {
    let takes = |arg: &clap::Arg| !arg.is_positional() && arg.get_action().takes_values();
    command
        .mut_args(|arg| if takes(&arg) { arg.allow_negative_numbers(true) } else { arg })
        .mut_subcommands(numbers_may_be_negative)
}

/// The help of the data flags in commands without a model, whose defaults are fixed.
fn for_recipes(arg: clap::Arg) -> clap::Arg {
    let help = match arg.get_id().as_str() {
        "data" => {
            "Use this data set: fashion-mnist, demo (drawn by code, needs no files), a table (CSV or TSV), arrays (.npy or \
             .npz), a folder of pictures for each class, or a folder of IDX files with optional class names in labels.txt, \
             one per line [default: fashion-mnist]"
        }
        "transpose" => {
            "Swap rows and columns of every image, as EMNIST's files need; stored in the run and its model [default: false]"
        }
        "first_label" => {
            "Set the label of the first class, such as 1 if labels count from 1; stored in the run and its model \
             [default: 0]"
        }
        _ => return arg,
    };
    arg.help(help)
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network and store it in a run folder
    Train(Box<Train>),
    /// Measure a model's accuracy, per class and in total
    Eval(Eval),
    /// Classify an image
    Predict(Predict),
    /// Show the contents of a model file, or this CPU's backends
    Inspect(Inspect),
    /// Quantize a model to an integer flash file and measure the loss of accuracy
    Quantize(Quantize),
    /// Estimate flash, RAM and instructions on each core, and check them against a budget
    Estimate(Estimate),
    /// Import a network trained by another program
    Import(Import),
    /// Export a model to another program or to a microcontroller
    Export(Export),
    /// Compare two files of the same network, image by image and layer by layer
    Verify(Verify),
    /// Train many recipes with several seeds each and rank them on the validation images
    Sweep(Box<Sweep>),
    /// Write a self-contained HTML report of a run or a sweep
    Report(Report),
    /// Show a recipe and the origin of each value, or list the presets
    #[command(subcommand)]
    Config(Config),
    /// Measure every kernel on this CPU and compare it with the CPU's peak
    Bench(Bench),
    /// Download, verify or show a data set
    #[command(subcommand)]
    Data(Data),
    /// Print a shell completion script
    Completions(Completions),
    /// Write the manual pages, one per command
    Man(Man),
}

/// The data set.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Use this data set: fashion-mnist, demo (drawn by code, needs no files), a table (CSV or TSV), arrays (.npy or .npz), a
    /// folder of pictures for each class, or a folder of IDX files with optional class names in labels.txt, one per line
    /// [default: the model's own, or fashion-mnist if it names none]
    #[arg(long, value_name = "fashion-mnist|demo|PATH")]
    pub data: Option<Source>,
    /// Look for fashion-mnist in this folder [default: $SELVEDGE_DATA, then the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// How to read its files.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// How to read the files of a data set.
#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// Swap rows and columns of every image, as EMNIST's files need; --transpose=false turns it off [default: the model's
    /// own setting, or false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub transpose: Option<bool>,
    /// Set the label of the first class, such as 1 if labels count from 1 [default: the model's own setting, or 0]
    #[arg(long, value_name = "N")]
    pub first_label: Option<u32>,
}

impl ReadingArgs {
    /// The flags' settings; those of a model or recipe where a flag is absent.
    pub fn over(&self, remembered: Reading) -> Reading {
        Reading {
            transpose: self.transpose.or(remembered.transpose),
            first_label: self.first_label.map_or(remembered.first_label, |label| label as usize),
            ..remembered
        }
    }

    /// The recipe's settings that apply because no flag overrides them: the equivalent flag, and how to turn it off.
    pub fn taken_over(&self, recipe: &Recipe) -> Vec<(String, &'static str)> {
        let transpose = (recipe.transpose && self.transpose.is_none())
            .then(|| ("--transpose".into(), "--transpose=false turns it off"));
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
    /// Set the number of threads: auto measures how many pay off; the trained weights do not depend on it
    #[arg(long, default_value_t = Threads::Auto, value_name = "auto|N")]
    pub threads: Threads,
    /// Store the run in this folder [default: the first free runs/DATA-HIDDEN-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Resume an interrupted run; all settings come from its folder. Add --data DIR if the data have moved
    #[arg(long, value_name = "RUN")]
    pub resume: Option<PathBuf>,
    /// Train K times, each time on the other folds, and print the mean and the deviation of what is measured on each fold;
    /// no model is kept
    #[arg(long, value_name = "K", conflicts_with_all = ["out", "resume", "checkpoint_every"])]
    pub folds: Option<usize>,
    /// Write a checkpoint every STEPS steps, so that --resume can continue a killed run; 0 for none [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub checkpoint_every: Option<u64>,
    /// Replace the run in the --out folder; the old one stays in DIR/previous until the new one is finished
    #[arg(long, requires = "out")]
    pub overwrite: bool,
    /// Print results as JSON on stdout, one object per line
    #[arg(long)]
    pub json: bool,
    /// Suppress the progress bar and messages on stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// How to train.
    #[command(flatten, next_help_heading = "Recipe")]
    pub recipe: RecipeArgs,
}

/// The images to evaluate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// Images of the test files
    Test,
    /// Training images that the model's run held out for validation
    Val,
}

/// `eval`.
#[derive(Debug, Args)]
pub struct Eval {
    /// Model file, run folder or flash file
    pub model: PathBuf,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Evaluate on these images
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    pub split: SplitName,
    /// Set the number of threads: auto measures how many pay off
    #[arg(long, default_value_t = Threads::Auto, value_name = "auto|N")]
    pub threads: Threads,
    /// Answer `unknown` where the most probable class is less probable than P, and report how many are answered
    #[arg(long, value_name = "P", value_parser = recipe::fraction)]
    pub reject: Option<f32>,
    /// Take the columns of a table from this model, which a flash file was made of
    #[arg(long, value_name = "MODEL")]
    pub schema: Option<PathBuf>,
    /// Write images, labels and logits to an npz file, for comparison in other programs
    #[arg(long, value_name = "FILE")]
    pub logits: Option<PathBuf>,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `predict`.
#[derive(Debug, Args)]
pub struct Predict {
    /// Model file, run folder or flash file
    pub model: PathBuf,
    /// PNG, JPEG or IDX file: light on black (or add --invert), of the model's image size; or a table of rows
    #[arg(value_name = "IMAGE|TABLE")]
    pub image: Option<PathBuf>,
    /// Classify image N of the test images, or of the IDX file, counted from 0
    #[arg(long, value_name = "N")]
    pub index: Option<usize>,
    /// Invert the image first, for pictures that are dark on white
    #[arg(long)]
    pub invert: bool,
    /// Answer `unknown` where the most probable class is less probable than P
    #[arg(long, value_name = "P", value_parser = recipe::fraction)]
    pub reject: Option<f32>,
    /// Take the columns of a table from this model, which a flash file was made of
    #[arg(long, value_name = "MODEL")]
    pub schema: Option<PathBuf>,
    /// Write the rows of a table and the answer for each to this file [default: stdout]
    #[arg(short, long, value_name = "FILE", conflicts_with = "json")]
    pub out: Option<PathBuf>,
    /// The data set of --index, or the rows to predict.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Model file, run folder or flash file; without it, list this CPU's backends
    pub model: Option<PathBuf>,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Run folder, model file or sweep folder
    #[arg(value_name = "RUN|SWEEP")]
    pub of: PathBuf,
    /// Write the page to this file
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print the recipe that `train` would use with the same flags, as a config file with the origin of each value
    Show(Box<ConfigShow>),
    /// List the presets
    Presets {
        /// Print the result as one JSON object on stdout
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
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// How to train.
    #[command(flatten, next_help_heading = "Recipe")]
    pub recipe: RecipeArgs,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Run only the cases that contain all these words, such as "gemm.forward avx2 64x784x128", "step threads=2" or "peak"
    #[arg(long, value_name = "WORDS")]
    pub filter: Option<String>,
    /// Print results as JSON on stdout, one object per line
    #[arg(long)]
    pub json: bool,
    /// Spin until stdin closes; the benchmark starts this to keep another core busy
    #[arg(long, hide = true, exclusive = true)]
    pub occupy_a_core: bool,
}
