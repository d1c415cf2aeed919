//! One module for each command: it reads what it needs, calls the library, prints.

mod assessment;
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
mod start;
mod sweep;
mod train;
mod verify;

use std::path::Path;

use selvedge::Shape;

use crate::cli::{Command, DataArgs};
use crate::data::table::Schema;
use crate::data::{Dataset, Images, Reading, Samples, Source, Task, sources};
use crate::error::{Error, Result};
use crate::inference::network::Network;
use crate::model::{About, fit};
use crate::recipe::Recipe;
use crate::run::Folder;
use crate::terminal::{Warnings, count};

/// Runs a command.
///
/// # Errors
/// The command's error.
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

/// The data set that the flags name, else the one that the run of the model `of` remembers, else the one of its recipe, else
/// Fashion-MNIST. Warns where it is remembered, but not what the model was trained on.
fn load_data(args: &DataArgs, of: &Path, about: Option<&About>, warnings: &mut Warnings) -> Result<Dataset> {
    let recipe = about.and_then(|about| about.recipe.as_ref());
    let reading = args.reading.over(about.map(About::reading).unwrap_or_default());
    let dataset = match (
        &args.data,
        about.and_then(|about| about.schema.as_ref().map(|schema| (about, schema))),
    ) {
        (Some(Source::Path(path)), Some((about, schema))) => rows_for(path, of, about, schema, &reading)?,
        (Some(source), _) => {
            let dataset = source.load(args.data_dir.as_deref(), &reading)?;
            let same = about.is_some_and(|about| about.data_sha256.as_ref() == Some(&dataset.fingerprint()));
            if same || !dataset.split_off {
                dataset
            } else {
                let dataset = dataset.undivided();
                warnings.add(format!(
                    "{source} is not known as what the model was trained on: all its {} are tested on, some of which it may \
                     have met",
                    count(dataset.test.len(), dataset.singular())
                ));
                dataset
            }
        }
        (None, _) => remembered(args, of, about, reading, warnings)?,
    };
    // What was assumed of the training table was said when the model was trained on it.
    if args.data.is_some() || dataset.schema.is_none() {
        dataset.warnings.iter().for_each(|text| warnings.add(text));
    }
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

/// Refuses to reject answers that are no classes.
fn check_reject(network: &Network, reject: Option<f32>) -> Result<()> {
    let task = network.task();
    match reject {
        Some(_) if network.has_margin() => Err(Error::usage(
            "--reject: the flash file has a margin of its own, which `selvedge quantize --reject` gave it; leave --reject out",
        )),
        Some(_) if task != Task::Classify => Err(Error::usage(format!(
            "--reject goes with classes, and the model answers the task {}; leave --reject out",
            task.name()
        ))),
        _ => Ok(()),
    }
}

/// Refuses a flash file of rows whose columns are not known.
fn check_columns(network: &Network, file: &Path) -> Result<()> {
    if network.takes_rows() && network.about().is_none() {
        return Err(Error::model(format!(
            "{} takes the rows of a table, but a flash file does not say which columns; name the model that it was made of: \
             --schema MODEL",
            file.display()
        )));
    }
    Ok(())
}

/// Refuses an output file that the data set was read from.
fn protect(out: &Path, dataset: &Dataset) -> Result<()> {
    let data = Path::new(&dataset.name);
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    match (canonical(out), canonical(data)) {
        (Some(file), Some(data)) if file.starts_with(&data) => Err(Error::usage(format!(
            "{} belongs to the data, and would be replaced; name another file to write",
            out.display()
        ))),
        _ => Ok(()),
    }
}

/// The data set of a table for a model of another one: its columns are matched by name, and all its rows are tested on. The
/// table that the model was trained on is split as it was then.
fn rows_for(path: &Path, of: &Path, about: &About, schema: &Schema, reading: &Reading) -> Result<Dataset> {
    let place = Folder::of_model(of).map_or(Ok(None), |run| run.place())?.map(|(place, _)| place);
    let (trained_on, test) = place.map_or((None, None), |place| (place.data, place.test));
    let reading = Reading { test: test.or(reading.test.clone()), ..reading.clone() };
    // The same cells under other names are other data.
    let is_same = |dataset: &Dataset| {
        let columns = dataset.schema.as_ref().is_some_and(|own| own.same_columns(schema));
        columns && about.data_sha256.as_ref().is_some_and(|sha| *sha == dataset.fingerprint())
    };
    match Source::Path(path.into()).load(None, &reading) {
        Ok(dataset) if is_same(&dataset) => return Ok(dataset),
        // Rows that were trained on must not be tested on because the test rows are missing.
        Err(error)
            if trained_on.is_some_and(|trained| std::path::absolute(path).is_ok_and(|p| p == trained)) =>
        {
            return Err(error);
        }
        _ => {}
    }
    let sources::Rows { samples: test, mut notes, .. } =
        sources::read_as(path, schema, about.task, about.task != Task::Reconstruct)?;
    notes.push(format!(
        "{} is not the table that the model was trained on: all its {} are tested on",
        path.display(),
        count(test.len(), "row")
    ));
    let train = Samples { validation: Some(Vec::new()), ..test.clone() };
    let dataset = Dataset::of_classes(train, test, about.classes.clone());
    let (name, schema) = (path.display().to_string(), Some(schema.clone()));
    Ok(Dataset { name, task: about.task, schema, warnings: notes, ..dataset })
}

/// The data set that the run of the model `of` remembers, else the one of its recipe, else Fashion-MNIST.
fn remembered(
    args: &DataArgs,
    of: &Path,
    about: Option<&About>,
    reading: Reading,
    warnings: &mut Warnings,
) -> Result<Dataset> {
    let place = Folder::of_model(of)
        .map_or(Ok(None), |run| run.place())
        .map_err(|error| error.with_advice("--data says where the data are"))?;
    let (place, recipe) = (place.map(|(place, _)| place), about.and_then(|about| about.recipe.as_ref()));
    let folder = place.as_ref().and_then(|place| place.data.clone());
    let source =
        folder.map(Source::Path).or_else(|| recipe.map(Recipe::source)).unwrap_or(Source::FashionMnist);
    let data_dir = args.data_dir.clone().or_else(|| place.as_ref().and_then(|place| place.data_dir.clone()));
    let test = place.as_ref().and_then(|place| place.test.clone()).or(reading.test.clone());
    let reading = Reading { test, ..reading };
    let dataset = source.load(data_dir.as_deref(), &reading).map_err(|error| {
        let hint = match (recipe, &place, &source) {
            (None, ..) => "the model does not say what it was trained on: --data does",
            (_, Some(_), Source::Path(_)) => {
                "that is where the run was trained: where the data have moved, name their folder with --data"
            }
            (_, None, Source::Path(folder)) if folder.is_relative() => {
                "the model knows its data by a path from the folder where it was trained: name it with --data"
            }
            _ => return error,
        };
        error.with_advice(hint)
    })?;
    let expected = about.and_then(|about| about.data_sha256.as_ref());
    if expected.is_some_and(|expected| *expected != dataset.fingerprint()) {
        warnings.add(format!(
            "the {} of {source} are not those that the model was trained and tested on; name the right ones, or say \
             that these are meant, with --data",
            dataset.plural()
        ));
    }
    Ok(dataset)
}

/// Refuses a data set whose images in `sets` or whose classes, which `class` names, do not fit a network; warns where the
/// class names differ.
fn check_fit(
    shape: Shape,
    class: impl Fn(usize) -> String,
    dataset: &Dataset,
    sets: &[&Samples],
    warnings: &mut Warnings,
) -> Result<()> {
    sets.iter().try_for_each(|set| fit::check_set(shape, set))?;
    if dataset.task != Task::Classify {
        return Ok(());
    }
    fit::check_classes(shape, class, dataset)?.into_iter().for_each(|warning| warnings.add(warning));
    Ok(())
}

/// Refuses an image that the model was not made for.
fn check_image(network: &Network, images: &Images, from: &Path) -> Result<()> {
    let Images { rows, cols, channels, .. } = *images;
    let (size, inputs) = (network.image_size(), network.shape().inputs());
    let expected =
        size.map_or_else(|| format!("{inputs} pixels"), |(rows, cols)| format!("{cols} x {rows} pixels"));
    if size.map_or(images.pixels_per_image() == inputs, |size| size == (rows, cols)) {
        let takes = network.about().map_or(1, |about| about.channels.max(1));
        if takes == channels && images.pixels_per_image() == inputs {
            return Ok(());
        }
        let colours = |channels| if channels == 3 { "RGB" } else { "grey" };
        return Err(Error::data(format!(
            "{} is {}, but the model takes {} pictures",
            from.display(),
            colours(channels),
            colours(takes)
        )));
    }
    Err(Error::data(format!(
        "{} is {cols} x {rows} pixels, but the model takes {expected}; scale it first",
        from.display()
    )))
}
