//! The words of the commands that make the program at home on a machine.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell; its own manual says where it looks for such a file
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write them to
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
}
