//! The words of the commands around flash files.

use std::path::PathBuf;

use clap::Args;

use super::DataArgs;

/// `verify`.
#[derive(Debug, Args)]
#[command(mut_arg("data", |arg| arg.help("The data set whose test images both run [default: the one that A or B was trained on, or \
    fashion-mnist]")))]
pub struct Verify {
    /// A model file, a run's folder, or a flash file
    pub a: PathBuf,
    /// Another one of the same network
    pub b: PathBuf,
    /// The data set whose test images both run.
    #[command(flatten)]
    pub data: DataArgs,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}
