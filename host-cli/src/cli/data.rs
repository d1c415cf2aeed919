//! The flags of `selvedge data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ReadingArgs, TableArgs};
use crate::data::Source;

/// `data`.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download Fashion-MNIST (30 MB), resuming an interrupted download
    Fetch {
        /// Use this folder [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long, alias = "data-dir")]
        dir: Option<PathBuf>,
        /// Download from this address instead of the public ones; checksums are verified either way
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
        /// Print the result as one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Check the SHA-256 of each Fashion-MNIST file, or the length of an unpacked one
    Verify {
        /// Use this folder [default: $SELVEDGE_DATA, then the user's cache folder]
        #[arg(long, alias = "data-dir")]
        dir: Option<PathBuf>,
        /// Print the result as one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Describe the columns of a table, or draw a few images of each class
    Show(Box<DataShow>),
}

/// `data show`.
#[derive(Debug, Args)]
pub struct DataShow {
    /// The same as --data
    #[arg(value_name = "DATA", conflicts_with = "data")]
    pub source: Option<Source>,
    /// Show this data set: fashion-mnist, demo, a table in CSV or TSV, a file of NumPy arrays, or a folder of pictures or of
    /// IDX files [default: fashion-mnist]
    #[arg(long, value_name = "fashion-mnist|demo|FILE|DIR")]
    pub data: Option<Source>,
    /// Look for fashion-mnist in this folder [default: $SELVEDGE_DATA, then the user's cache folder]
    #[arg(long, alias = "data-dir")]
    pub dir: Option<PathBuf>,
    /// How to read files of images.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Draw this many images of each class
    #[arg(long, default_value_t = 1)]
    pub count: usize,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// How to read tables and pictures.
    #[command(flatten, next_help_heading = "Tables and pictures")]
    pub table: TableArgs,
}
