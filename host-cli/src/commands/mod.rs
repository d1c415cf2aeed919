//! One module a command: reads what it needs, calls the library, prints.

mod bench;
mod config;
mod data;
mod estimate;
mod eval;
mod export;
mod firmware;
mod import;
mod inspect;
mod predict;
mod quantize;
mod report;
mod shell;
mod sweep;
mod train;
mod verify;

use std::path::Path;

use crate::cli::{Command, DataArgs};
use crate::data::{Dataset, Source};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::recipe::Recipe;

/// Carries a command out.
///
/// # Errors
/// What to tell the user, and the exit code.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Quantize(args) => quantize::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Report(args) => report::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Data(args) => data::run(args),
    }
}

/// The data set that the flags name, else the one of the recipe, else Fashion-MNIST.
fn load_data(args: &DataArgs, recipe: Option<&Recipe>) -> Result<Dataset> {
    let remembered = recipe.map(Recipe::source);
    let source = args.data.clone().or(remembered).unwrap_or(Source::FashionMnist);
    source.load(args.data_dir.as_deref()).map_err(|error| match (&args.data, recipe) {
        (None, None) => Error {
            message: format!("{}; the model does not say what it was trained on: --data does", error.message),
            ..error
        },
        _ => error,
    })
}

/// Refuses an image that the model was not made for.
fn check_image(network: &Network, rows: usize, cols: usize, from: &Path) -> Result<()> {
    let (size, inputs) = (network.image_size(), network.shape().inputs());
    let expected =
        size.map_or_else(|| format!("{inputs} pixels"), |(rows, cols)| format!("{cols} x {rows} pixels"));
    let fits = size.map_or(rows * cols == inputs, |size| size == (rows, cols));
    if fits {
        return Ok(());
    }
    Err(Error::data(format!(
        "{} is {cols} x {rows} pixels, but the model takes {expected}; scale it first",
        from.display()
    )))
}
