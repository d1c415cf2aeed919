//! Arguments of `verify`.

use std::path::PathBuf;

use clap::Args;

use super::DataArgs;

/// `verify`.
#[derive(Debug, Args)]
#[command(mut_arg("data", |arg| arg.help("Run the test images of this data set through both [default: the data set of A or B, or \
    fashion-mnist]")))]
pub struct Verify {
    /// Model file, run folder or flash file
    pub a: PathBuf,
    /// Another file of the same network
    pub b: PathBuf,
    /// Take the columns of a table from this model, which two flash files were made of
    #[arg(long, value_name = "MODEL")]
    pub schema: Option<PathBuf>,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}
