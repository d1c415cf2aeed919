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
use crate::terminal::Warnings;

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

/// The data set that the flags name, else the one of the recipe, else Fashion-MNIST; read as the flags say, else as the
/// recipe's was.
fn load_data(args: &DataArgs, recipe: Option<&Recipe>, warnings: &mut Warnings) -> Result<Dataset> {
    let remembered = recipe.map(Recipe::source);
    let reading = args.reading.over(recipe.map(Recipe::reading).unwrap_or_default());
    let source = args.data.clone().or(remembered).unwrap_or(Source::FashionMnist);
    let dataset =
        source.load(args.data_dir.as_deref(), reading).map_err(|error| match (&args.data, recipe) {
            (None, None) => Error {
                message: format!(
                    "{}; the model does not say what it was trained on: --data does",
                    error.message
                ),
                ..error
            },
            _ => error,
        })?;
    dataset.warnings.iter().for_each(|text| warnings.add(text));
    if let (Some(named), Some(recipe)) = (&args.data, recipe)
        && named.to_string() != recipe.data
    {
        args.reading.taken_over(recipe).into_iter().for_each(|(flag, otherwise)| {
            warnings
                .add(format!("{named} is read with {flag}, as {} was in training; {otherwise}", recipe.data));
        });
    }
    Ok(dataset)
}

/// Refuses a data set of other classes than the network's, which `class` names, and warns where it cannot be known.
fn check_classes(
    outputs: usize,
    class: impl Fn(usize) -> String,
    dataset: &Dataset,
    warnings: &mut Warnings,
) -> Result<()> {
    let classes = dataset.classes.len();
    if classes > outputs || (classes < outputs && !dataset.counted) {
        return Err(Error::model(format!(
            "the model has {outputs} classes, but {} has {classes}; name the data set that it was trained on with --data, \
             or train a model on this one",
            dataset.name
        )));
    }
    if classes < outputs {
        warnings.add(format!(
            "the model has {outputs} classes, but the labels of {} go up to {} only: is this the data set that it was \
             trained on? --data names another",
            dataset.name,
            dataset.classes[classes - 1]
        ));
        return Ok(());
    }
    let named = !dataset.counted && (0..outputs).any(|c| class(c) != c.to_string());
    if let Some(c) = (0..outputs).find(|&c| named && class(c) != dataset.classes[c]) {
        warnings.add(format!(
            "class {c} is {} to the model, but {} in {}: is this the data set that it was trained on? --data names another",
            class(c),
            dataset.classes[c],
            dataset.name
        ));
    }
    Ok(())
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
