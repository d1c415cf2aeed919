//! `selvedge train`: a run and its folder, from the beginning or from where it stopped.

mod guess;
mod watch;

use std::fs::File;
use std::path::Path;

use selvedge::{Backend, Mlp, Shape};

use crate::checkpoint::{self, fingerprint};
use crate::cli;
use crate::crew::Crew;
use crate::data::{Dataset, Source};
use crate::draws::Split;
use crate::error::{Error, Result, typed};
use crate::interrupt;
use crate::memory::size;
use crate::model::Model;
use crate::recipe::Recipe;
use crate::run::{Folder, Place};
use crate::start;
use crate::terminal::{Output, Warnings, say};
use crate::train::{Job, State, train};
use watch::Watch;

/// What a run is made of, and its folder where it has one.
struct Plan {
    recipe: Recipe,
    place: Place,
    from: Option<Model>,
    folder: Option<Folder>,
    /// Keeps other processes out of it.
    _held: Option<File>,
}

/// Trains as the flags say, or as a run that stopped was to go on.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &cli::Train) -> Result<()> {
    let plan = match &args.resume {
        Some(path) => {
            let folder = Folder(path.clone());
            let held = folder.hold()?;
            let (recipe, place) = resume(args, &folder)?;
            if folder.finished() {
                folder.finish()?;
                let line =
                    format!("{} is finished; its model is {}", path.display(), folder.model().display());
                return if args.json { Ok(()) } else { Output::default().line(line) };
            }
            Plan { from: folder.from(&recipe)?, recipe, place, folder: Some(folder), _held: held }
        }
        None => {
            let mut layers = args.recipe.layers(args.data.data.as_ref())?;
            let from = start::of(&mut layers)?;
            let recipe = layers.recipe()?;
            Plan { place: place(args, &recipe)?, recipe, from, folder: None, _held: None }
        }
    };
    follow(args, &plan)
}

impl Plan {
    fn dataset(&self) -> Result<Dataset> {
        let source = self.place.data.clone().map_or_else(|| self.recipe.source(), Source::Folder);
        let mut dataset = source.load(self.place.data_dir.as_deref())?;
        dataset.name.clone_from(&self.recipe.data);
        Ok(dataset)
    }

    /// The network, which the model that the run starts from must fit.
    fn mlp(&self, dataset: &Dataset) -> Result<Mlp> {
        let backend = Backend::by_name(&self.place.backend).ok_or_else(|| {
            Error::misused(format!(
                "the run was started on backend {}, which this CPU does not have; add --backend to go on with other \
                 roundings",
                self.place.backend
            ))
        })?;
        let recipe = &self.recipe;
        let shape = recipe.shape(dataset.train.images.pixels_per_image(), dataset.classes.len())?;
        match self.from.as_ref().filter(|model| model.shape != shape) {
            Some(model) => Err(Error::model(format!(
                "{} is {}, but the images of {} take {shape}",
                recipe.from, model.shape, recipe.data
            ))),
            None => Ok(Mlp { shape, backend }),
        }
    }

    /// The folder and the state in it: those of the run that is taken up, or those of a new one, which begins `fresh` and
    /// keeps other processes out of its folder as long as the file lives.
    fn open(
        &self,
        args: &cli::Train,
        data: &str,
        shape: Shape,
        fresh: State,
    ) -> Result<(Folder, State, Option<File>)> {
        if let Some(folder) = &self.folder {
            let state = checkpoint::load(&folder.0, &self.recipe, data, shape)?;
            return Ok((folder.clone(), state.unwrap_or(fresh), None));
        }
        let name = Path::new(&self.recipe.data).file_name().map_or("data".into(), |n| n.to_string_lossy());
        let name = format!("{name}-{}", self.recipe.hidden_name());
        let folder = Folder::create(args.out.as_deref(), args.overwrite, &name)?;
        let held = folder.hold()?;
        folder.start(&self.recipe, &self.place, self.from.as_ref())?;
        if let Some(previous) = folder.previous().filter(|_| !args.quiet) {
            say(format!("the run that was there is in {} until this one is done", previous.display()));
        }
        Ok((folder, fresh, held))
    }

    /// Says what is about to be trained, behind so many steps.
    fn greet(&self, mlp: &Mlp, split: &Split, folder: &Folder, steps: u64) {
        let (recipe, shape) = (&self.recipe, mlp.shape);
        let from = if recipe.from.is_empty() { String::new() } else { format!(", from {}", recipe.from) };
        let behind = if steps > 0 { format!(", from step {steps}") } else { String::new() };
        say(format!(
            "{shape}, {} parameters ({}){from}, backend {}, {} training and {} validation images; run folder {}{behind}",
            shape.params(),
            size(4 * shape.params() as u64),
            mlp.backend.name(),
            split.train.len(),
            split.val.len(),
            folder.0.display(),
        ));
    }

    /// What is known to go wrong before the first step.
    fn warn(&self, warnings: &mut Warnings) {
        if self.from.as_ref().is_some_and(|model| start::has_met_validation(model, &self.recipe)) {
            warnings.add(format!(
                "{} was trained with another split of the images: it has met some of those that validate; its own \
                 --seed keeps them apart",
                self.recipe.from
            ));
        }
    }
}

/// Trains.
fn follow(args: &cli::Train, plan: &Plan) -> Result<()> {
    let dataset = plan.dataset()?;
    let mlp = plan.mlp(&dataset)?;
    let Plan { recipe, place, from, .. } = plan;
    let split = recipe.split(dataset.train.images.count);
    recipe.check_batch(split.train.len())?;
    let fresh = State::new(recipe, mlp.shape, from.as_ref().map(|model| &model.params[..]))?;
    interrupt::listen()?;
    let data = fingerprint(&dataset.train);
    let (folder, mut state, _held) = plan.open(args, &data, mlp.shape, fresh)?;
    let normalisation = match from {
        Some(model) => model.about.normalisation.clone(),
        None => recipe.normalisation(&dataset.train.images, &split),
    };
    if !args.quiet {
        plan.greet(&mlp, &split, &folder, state.at.steps);
    }
    let mut warnings = Warnings::default();
    plan.warn(&mut warnings);
    let crew = Crew::new(args.threads);
    let inputs = normalisation.inputs(&dataset.train.images.pixels);
    let job = Job { crew: &crew, mlp, recipe, set: &dataset.train, inputs: &inputs, split: &split };
    let every = args.checkpoint_every.unwrap_or(place.checkpoint_every);
    let mut watch = Watch::new(args, recipe, &folder, &data, every, &state, warnings)?;
    let ending = train(&job, &mut state, &mut watch).map_err(|e| to_resume(e, &folder))?;
    watch.bar.finish_and_clear();
    watch.end(ending, &job, &dataset, &normalisation, state).map_err(|e| with_previous(e, &folder))
}

/// A failure in the middle of a run, which nothing is lost by.
fn to_resume(error: Error, folder: &Folder) -> Error {
    let message =
        format!("{}; then go on with `selvedge train --resume {}`", error.message, typed(&folder.0));
    with_previous(Error { message, ..error }, folder)
}

/// Says where the run is that this one was to replace.
fn with_previous(error: Error, folder: &Folder) -> Error {
    match folder.previous() {
        Some(previous) if !error.message.contains("the run before it") => Error {
            message: format!("{}; the run before it is in {}", error.message, previous.display()),
            ..error
        },
        _ => error,
    }
}

/// Where a new run is trained.
fn place(args: &cli::Train, recipe: &Recipe) -> Result<Place> {
    let rooted = |path: &Path| std::path::absolute(path).map_err(|e| Error::io("find", path, &e));
    let data = match recipe.source() {
        Source::Folder(folder) => Some(rooted(&folder)?),
        _ => None,
    };
    let data_dir = args.data.data_dir.as_deref().map(rooted).transpose()?;
    Ok(Place {
        version: env!("CARGO_PKG_VERSION").into(),
        backend: recipe.backend()?.name().into(),
        machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        data_dir,
        data,
        checkpoint_every: args.checkpoint_every.unwrap_or(0),
    })
}

/// The recipe and the place of a run to take up, which the flags may not change but for the backend and the data's folder.
fn resume(args: &cli::Train, folder: &Folder) -> Result<(Recipe, Place)> {
    let mut flags = args.recipe.values.table(None)?;
    let backend = flags.remove("backend");
    let more = args.recipe.preset.is_some() || args.recipe.config.is_some() || args.data.data.is_some();
    if more || !flags.is_empty() || args.out.is_some() {
        return Err(Error::misused(
            "--resume takes the recipe from the run's folder; leave out the flags of the recipe, --data and --out; to \
             train a model that is done further, `selvedge train --from RUN --out NEW`",
        ));
    }
    let (recipe, mut place) = folder.open()?;
    if let Some(name) = backend.as_ref().and_then(toml::Value::as_str) {
        place.backend = Recipe { backend: name.into(), ..recipe.clone() }.backend()?.name().into();
    }
    if let Some(dir) = &args.data.data_dir {
        place.data_dir = Some(dir.clone());
    }
    Ok((recipe, place))
}
