//! Arguments of `sweep`.

use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::{DataArgs, RecipeValues};
use crate::sweep::cost::DeviceBudget;

/// `sweep`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Sweep {
    /// A subcommand in place of a sweep.
    #[command(subcommand)]
    pub action: Option<SweepAction>,
    /// The sweep to run.
    #[command(flatten)]
    pub run: SweepRun,
}

/// The subcommands of `sweep`.
#[derive(Debug, Subcommand)]
pub enum SweepAction {
    /// Merge the shards of a sweep and write its table
    Merge {
        /// Folders of all shards
        #[arg(required = true)]
        shards: Vec<PathBuf>,
        /// Write the merged sweep to this folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Look for fashion-mnist in this folder [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Print the table as one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
}

/// A sweep to run.
#[derive(Debug, Args)]
#[command(mut_args = super::for_recipes)]
// A sweep draws the weights of each run, so it refuses --from with a message; the help does not offer it.
#[command(mut_arg("from", |arg| arg.hide(true)))]
pub struct SweepRun {
    /// Read the sweep from a TOML file with the tables base, list, grid and random and the keys preset, seeds and test
    /// (see docs/sweeps.md)
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run a named sweep: notebook, a table of six configurations
    #[arg(long, value_name = "notebook", conflicts_with = "config")]
    pub preset: Option<String>,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Train each recipe with N seeds, counted up from its own [default: 1]
    #[arg(long, value_name = "N")]
    pub seeds: Option<usize>,
    /// Run N trials in parallel, one thread each [default: the number of CPU threads]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// Skip recipes whose i8 file would not fit a microcontroller according to `selvedge estimate` [default: no limits,
    /// costs for m4]
    #[arg(long, value_name = "flash=BYTES,ram=BYTES,target=CORE")]
    pub budget: Option<DeviceBudget>,
    /// Train only the K-th of N equal shards, without a table; `selvedge sweep merge` combines them
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Store the sweep in this folder, or resume the sweep in it [default: runs/sweep, or runs/sweep-K-of-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the table as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// Suppress messages on stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// Values that apply to every recipe of the sweep
    #[command(flatten, next_help_heading = "Recipe")]
    pub values: RecipeValues,
}

/// A shard of a sweep: `2/3` is the second of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// The shard's number, from 1.
    pub number: usize,
    /// The number of shards.
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("write K/N, such as 1/3 for the first of three".into()),
        }
    }
}
