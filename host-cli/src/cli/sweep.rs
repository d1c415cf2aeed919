//! `sweep`'s words.

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
    /// What to do instead of a sweep.
    #[command(subcommand)]
    pub action: Option<SweepAction>,
    /// What to sweep.
    #[command(flatten)]
    pub run: SweepRun,
}

/// What can be done with sweeps.
#[derive(Debug, Subcommand)]
pub enum SweepAction {
    /// Put the shards of a sweep together and make its table
    Merge {
        /// The folders of all its shards
        #[arg(required = true)]
        shards: Vec<PathBuf>,
        /// The folder for the whole
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Where fashion-mnist lies [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// The table as one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
}

/// A sweep to run.
#[derive(Debug, Args)]
#[command(mut_args = super::for_recipes)]
// A sweep draws the weights of each of its runs, and says so to who asks for others.
#[command(mut_arg("from", |arg| arg.hide(true)))]
pub struct SweepRun {
    /// The sweep's TOML file, with the tables base, list, grid and random and the keys preset, seeds and test: docs/sweeps.md
    /// explains it
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A named sweep: notebook, its table of six configurations
    #[arg(long, value_name = "notebook", conflicts_with = "config")]
    pub preset: Option<String>,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Seeds for each recipe, counted up from its own [default: 1]
    #[arg(long, value_name = "N")]
    pub seeds: Option<usize>,
    /// Trials at once, a thread each [default: the CPU's threads]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// Leave out recipes whose i8 file would not fit a microcontroller, as `selvedge estimate` counts [default: no limits,
    /// costs on m4]
    #[arg(long, value_name = "flash=BYTES,ram=BYTES,target=CORE")]
    pub budget: Option<DeviceBudget>,
    /// Do the K-th of N equal shares and make no table; `sweep merge` puts them together
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// The sweep's folder, where a sweep that was cut off goes on [default: runs/sweep, or runs/sweep-K-of-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The table as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// No talk on stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// Values for every recipe of the sweep
    #[command(flatten, next_help_heading = "Recipe")]
    pub values: RecipeValues,
}

/// A share of a sweep: `2/3` is the second of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("write K/N, such as 1/3 for the first of three".into()),
        }
    }
}
