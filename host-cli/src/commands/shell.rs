//! `selvedge completions` and `selvedge man`: both are made of the command line's own description.

use clap::{Command, CommandFactory};

use crate::cli::{Cli, Completions, Man};
use crate::error::{Error, Result};
use crate::files;
use crate::terminal::Output;

/// Prints the completions of a shell.
///
/// # Errors
/// `Failed` where stdout cannot be written.
pub fn completions(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "selvedge", &mut script);
    Output::default().raw(String::from_utf8_lossy(&script).trim_end())
}

/// Writes the manual pages.
///
/// # Errors
/// `Failed` where the folder cannot be written.
pub fn man(args: &Man) -> Result<()> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    files::create_folder(&args.out)?;
    let mut commands = vec![&root];
    let mut pages = 0;
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands());
        let (name, page) = page(command)?;
        files::write_atomic(&args.out.join(name), &page)?;
        pages += 1;
    }
    Output::default()
        .line(format!("{pages} pages in {0}; `man -l {0}/selvedge.1` shows the first", args.out.display()))
}

/// The page of a command, and the name of its file.
fn page(command: &Command) -> Result<(String, Vec<u8>)> {
    let man = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).map_err(|e| Error::failed(format!("cannot write a manual page: {e}")))?;
    Ok((man.get_filename(), page))
}
