//! `selvedge train`: a run and its folder, from the beginning or resumed.

mod folds;
mod guess;
mod setup;
mod watch;

use std::path::Path;

use super::start;
use crate::cli;
use crate::data::{Dataset, Source};
use crate::error::{Error, ErrorKind, Result, typed};
use crate::exit;
use crate::pipeline::Pipeline;
use crate::recipe::Recipe;
use crate::recipe::config::MergedConfig;
use crate::run::{Folder, RunInfo};
use crate::terminal::interrupt;
use crate::terminal::{Output, Warnings};
use crate::thread_pool::ThreadPool;
use setup::{Run, rooted};
use watch::Watch;

/// Trains as the flags say, or resumes a run.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &cli::Train) -> Result<()> {
    let run = match &args.resume {
        Some(path) => resume(args, Folder(path.clone()))?,
        None => {
            let mut config = args.recipe.merged_config(&args.data)?;
            let from = start::load(&mut config)?;
            let recipe = config.recipe()?;
            let run =
                Run { place: place(args, &recipe)?, recipe, moved: None, from, folder: None, _held: None };
            return match args.folds {
                Some(folds) => folds::run(args, config, &run, folds),
                None => {
                    let mut warnings = Warnings::default();
                    let (run, dataset) = settled(args, config, run, &mut warnings)?;
                    train(args, run, &dataset, warnings)
                }
            };
        }
    };
    let Some(run) = run else { return Ok(()) };
    let mut warnings = Warnings::default();
    let dataset = run.dataset(args, &mut warnings)?;
    train(args, run, &dataset, warnings)
}

/// The run with its data, and with the recipe that suits them where neither a preset nor a model decides.
fn settled(
    args: &cli::Train,
    mut config: MergedConfig,
    mut run: Run,
    warnings: &mut Warnings,
) -> Result<(Run, Dataset)> {
    let dataset = run.dataset(args, warnings)?;
    if run.from.is_none() && start::is_auto(&args.recipe, &run.recipe) {
        start::settle(&mut config, &dataset)?;
        run.recipe = config.recipe()?;
    }
    Ok((run, dataset))
}

/// The run in a folder; `None` where it is finished, which is printed.
fn resume(args: &cli::Train, folder: Folder) -> Result<Option<Run>> {
    let _held = folder.hold()?;
    let (recipe, place) = read(args, &folder)?;
    let moved = args.data.data.clone();
    if !folder.finished()? {
        let from = folder.from(&recipe)?;
        return Ok(Some(Run { from, recipe, place, moved, folder: Some(folder), _held }));
    }
    folder.finish()?;
    let line = format!("{} is finished; its model is {}", folder.0.display(), folder.model().display());
    if moved.is_some() {
        Run { from: None, recipe, place, moved, folder: Some(folder), _held }.record_data(args)?;
    }
    if !args.json {
        Output::default().line(line)?;
    }
    Ok(None)
}

/// Trains.
fn train(args: &cli::Train, mut run: Run, dataset: &Dataset, mut warnings: Warnings) -> Result<()> {
    let mlp = run.mlp(dataset)?;
    let data = dataset.train.fingerprint();
    run.check_data(&data, &dataset.test.fingerprint())?;
    let pipeline = Pipeline::new(&run.recipe, dataset, mlp, run.from.as_ref())?;
    let mut state = pipeline.initial_state()?;
    interrupt::listen(exit::code(ErrorKind::Interrupted))?;
    let (folder, _held) = run.open(args, &data, mlp.shape, &mut state)?;
    if !args.quiet {
        run.announce(&pipeline, &folder, state.at.steps);
    }
    run.warn(args, &folder, &state, &mut warnings);
    guess::rare_class(&pipeline).into_iter().for_each(|warning| warnings.add(warning));
    let mut watch = Watch::new(args, &pipeline, &folder, &data, &run.place, &state, warnings)?;
    if run.folder.is_some() {
        folder.write_run_info(&run.place)?;
    }
    let thread_pool = ThreadPool::new(args.threads);
    let ending = pipeline.train(&thread_pool, &mut state, &mut watch).map_err(|e| to_resume(e, &folder))?;
    watch.bar.finish_and_clear();
    watch.end(ending, &thread_pool, dataset, state).map_err(|e| with_previous(e, &folder))
}

/// An error in the middle of a run: nothing is lost, and the run can be resumed.
fn to_resume(error: Error, folder: &Folder) -> Error {
    let resume = format!("then go on with `selvedge train --resume {}`", typed(&folder.0));
    with_previous(error.with_advice(resume), folder)
}

/// Adds where the run is that this one was to replace.
fn with_previous(error: Error, folder: &Folder) -> Error {
    match folder.previous() {
        Some(previous) if !error.message.contains("the run before it") => {
            error.with_advice(format_args!("the run before it is in {}", previous.display()))
        }
        _ => error,
    }
}

/// Where a new run is trained.
fn place(args: &cli::Train, recipe: &Recipe) -> Result<RunInfo> {
    let data = match recipe.source() {
        Source::Path(folder) => Some(rooted(&folder)?),
        _ => None,
    };
    let data_dir = args.data.data_dir.as_deref().map(rooted).transpose()?;
    let test = Some(Path::new(&recipe.test)).filter(|_| !recipe.test.is_empty()).map(rooted).transpose()?;
    Ok(RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        backend: recipe.backend()?.name().into(),
        machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        data_dir,
        data,
        test,
        classes: None,
        data_sha256: None,
        checkpoint_every: args.checkpoint_every.unwrap_or(0),
    })
}

/// The recipe and the place of a run to resume. Flags may change only the backend and where the data are.
fn read(args: &cli::Train, folder: &Folder) -> Result<(Recipe, RunInfo)> {
    let mut flags = args.recipe.values.table(None)?;
    let backend = flags.remove("backend");
    let more = args.recipe.preset.is_some() || args.recipe.config.is_some();
    let more = more || args.data.reading.transpose.is_some() || args.data.reading.first_label.is_some();
    if more || !flags.is_empty() || args.out.is_some() {
        return Err(Error::usage(
            "--resume takes the recipe from the run's folder; leave out the flags of the recipe, \
             --transpose, --first-label and --out; to \
             train a model that is done further, `selvedge train --from RUN --out NEW`",
        ));
    }
    let (recipe, mut place) = folder.open()?;
    if let Some(name) = backend.as_ref().and_then(toml::Value::as_str) {
        place.backend = Recipe { backend: name.into(), ..recipe.clone() }.backend()?.name().into();
    }
    if let Some(dir) = &args.data.data_dir {
        place.data_dir = Some(rooted(dir)?);
    }
    Ok((recipe, place))
}
