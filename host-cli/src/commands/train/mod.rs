//! `selvedge train`: a run and its folder, from the beginning or from where it stopped.

mod guess;
mod watch;

use std::fs::File;
use std::path::{Path, PathBuf};

use selvedge::{Backend, Mlp, Shape};

use crate::cli;
use crate::data::{Dataset, Reading, Source, fashion_mnist_folder, fingerprint_of};
use crate::error::{Error, Result, typed};
use crate::files::checksum;
use crate::memory::size;
use crate::model::Model;
use crate::recipe::Recipe;
use crate::run::checkpoint;
use crate::run::{Folder, Place};
use crate::sampling::Split;
use crate::terminal::interrupt;
use crate::terminal::{Output, Warnings, say};
use crate::thread_pool::ThreadPool;
use crate::train::start;
use crate::train::{Job, State, train};
use watch::Watch;

/// The classes of a run whose `run.json` does not say, where the data names none.
const UNNAMED: usize = 10;

/// What a run is made of, and its folder where it has one.
struct Plan {
    recipe: Recipe,
    place: Place,
    /// Where the data are, if not where the place or the recipe says.
    moved: Option<Source>,
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
            let moved = args.data.data.clone();
            if folder.finished()? {
                folder.finish()?;
                if moved.is_some() {
                    let folder = Some(folder.clone());
                    let from = None;
                    Plan { from, recipe, place, moved, folder, _held: held }.remember(args)?;
                }
                let line =
                    format!("{} is finished; its model is {}", path.display(), folder.model().display());
                return if args.json { Ok(()) } else { Output::default().line(line) };
            }
            Plan { from: folder.from(&recipe)?, recipe, place, moved, folder: Some(folder), _held: held }
        }
        None => {
            let mut layers = args.recipe.layers(&args.data)?;
            let from = start::of(&mut layers)?;
            let recipe = layers.recipe()?;
            Plan { place: place(args, &recipe)?, recipe, moved: None, from, folder: None, _held: None }
        }
    };
    follow(args, plan)
}

impl Plan {
    fn dataset(&self, args: &cli::Train, warnings: &mut Warnings) -> Result<Dataset> {
        let recipe = &self.recipe;
        // A new run's recipe says nothing of how the files are stored unless somebody did.
        let said = self.folder.is_some() || recipe.transpose;
        let transpose = if said { Some(recipe.transpose) } else { args.data.reading.transpose };
        let reading = Reading { transpose, ..recipe.reading() };
        let remembered = || self.place.data.clone().map_or_else(|| recipe.source(), Source::Folder);
        let source = self.moved.clone().unwrap_or_else(remembered);
        let loaded = source.load(self.place.data_dir.as_deref(), reading);
        let mut dataset = loaded.map_err(|error| match &self.folder {
            Some(folder) => Error {
                message: format!(
                    "{}; where the data of the run have moved, `selvedge train --resume {} --data DIR` says where",
                    error.message,
                    typed(&folder.0)
                ),
                ..error
            },
            None => error,
        })?;
        dataset.name.clone_from(&recipe.data);
        dataset.warnings.iter().for_each(|text| warnings.add(text));
        if let Some(model) = &self.from {
            start::check_reading(model, recipe).into_iter().for_each(|text| warnings.add(text));
        }
        let kept = match (&self.folder, &self.from) {
            (_, Some(model)) => model.shape.outputs(),
            (Some(_), None) => self.place.classes.unwrap_or(UNNAMED),
            (None, None) => 0,
        };
        dataset.widen(kept);
        Ok(dataset)
    }

    /// Remembers where the data are, which must be those that the run was started with; `train` and `test` are their
    /// fingerprints.
    fn settle(&mut self, train: &str, test: &str) -> Result<()> {
        if let Some(folder) = &self.folder {
            let whole = fingerprint_of(train, test);
            let same = match &self.place.data_sha256 {
                Some(expected) => *expected == whole,
                None => checkpoint::recipe_and_data(&folder.0).is_none_or(|(_, expected)| expected == train),
            };
            if !same {
                let source = self.moved.clone().or_else(|| self.place.data.clone().map(Source::Folder));
                return Err(Error::data(format!(
                    "{} holds other training data, or other test data, than the run was started with; name the folder of \
                     those with `selvedge train --resume {} --data DIR`",
                    source.unwrap_or_else(|| self.recipe.source()),
                    typed(&folder.0)
                )));
            }
        }
        match &self.moved {
            Some(Source::Folder(folder)) => self.place.data = Some(rooted(folder)?),
            Some(Source::FashionMnist) => {
                let folder = fashion_mnist_folder(self.place.data_dir.as_deref())?;
                self.place.data = Some(rooted(&folder)?);
            }
            Some(Source::Demo) | None => {}
        }
        self.place.data_sha256 = Some(fingerprint_of(train, test));
        Ok(())
    }

    /// Remembers where the data of a finished run are.
    fn remember(mut self, args: &cli::Train) -> Result<()> {
        let dataset = self.dataset(args, &mut Warnings::default())?;
        self.settle(&dataset.train.fingerprint(), &dataset.test.fingerprint())?;
        self.folder.as_ref().map_or(Ok(()), |folder| folder.write_place(&self.place))
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
            None => Ok(Mlp::new(shape, backend)),
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
            let damaged = |e: Error| Error { message: e.message + &folder.left(), ..e };
            let state = checkpoint::load(&folder.0, &self.recipe, data, shape).map_err(damaged)?;
            folder.write_recipe(&self.recipe)?;
            return Ok((folder.clone(), state.unwrap_or(fresh), None));
        }
        let name = Path::new(&self.recipe.data).file_name().map_or("data".into(), |n| n.to_string_lossy());
        let name = format!("{name}-{}", self.recipe.hidden_name());
        let folder = Folder::create(args.out.as_deref(), args.overwrite, &name)?;
        let held = folder.hold()?;
        let place = Place { classes: Some(shape.outputs()), ..self.place.clone() };
        folder.start(&self.recipe, &place, self.from.as_ref())?;
        if let Some(previous) = folder.previous().filter(|_| !args.quiet) {
            say(format!("the run that was there is in {} until this one is done", previous.display()));
        }
        Ok((folder, fresh, held))
    }

    /// Says what is about to be trained, after so many steps.
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
    fn warn(&self, args: &cli::Train, warnings: &mut Warnings) {
        let config = args.recipe.config.as_ref();
        let text = config.and_then(|path| Some((path, std::fs::read_to_string(path).ok()?)));
        if let Some((path, Err(why))) = text.map(|(path, text)| (path, checksum::check_toml(&text))) {
            warnings.add(format!(
                "{}: {why}: it is damaged, or was edited; where that was meant, take the last line, {}, out of it",
                path.display(),
                checksum::KEY
            ));
        }
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
fn follow(args: &cli::Train, mut plan: Plan) -> Result<()> {
    let mut warnings = Warnings::default();
    let dataset = plan.dataset(args, &mut warnings)?;
    let mlp = plan.mlp(&dataset)?;
    let data = dataset.train.fingerprint();
    plan.settle(&data, &dataset.test.fingerprint())?;
    let Plan { recipe, place, from, .. } = &plan;
    let split = recipe.split(dataset.train.images.count);
    recipe.check_batch(split.train.len())?;
    let fresh = State::new(recipe, mlp.shape, from.as_ref().map(|model| &model.params[..]))?;
    interrupt::listen()?;
    let (folder, mut state, _held) = plan.open(args, &data, mlp.shape, fresh)?;
    let normalisation = match from {
        Some(model) => model.about.normalisation.clone(),
        None => recipe.normalisation(&dataset.train.images, &split),
    };
    if !args.quiet {
        plan.greet(&mlp, &split, &folder, state.at.steps);
    }
    plan.warn(args, &mut warnings);
    if plan.folder.is_some() && state.at.steps == 0 && folder.model().exists() {
        warnings.add(format!(
            "{} has no checkpoint: it starts from its first epoch, and its model will be replaced; `selvedge train --from \
             {} --out NEW` goes on from the model",
            folder.0.display(),
            typed(&folder.0)
        ));
    }
    let thread_pool = ThreadPool::new(args.threads);
    let inputs = normalisation.inputs(&dataset.train.images.pixels);
    let job =
        Job { thread_pool: &thread_pool, mlp, recipe, set: &dataset.train, inputs: &inputs, split: &split };
    let mut watch = Watch::new(args, recipe, &folder, &data, place, &state, warnings)?;
    if plan.folder.is_some() {
        folder.write_place(place)?;
    }
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
        classes: None,
        data_sha256: None,
        checkpoint_every: args.checkpoint_every.unwrap_or(0),
    })
}

/// A path from the root.
fn rooted(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io("find", path, &e))
}

/// The recipe and the place of a run to resume, which the flags may not change but for the backend and where the data are.
fn resume(args: &cli::Train, folder: &Folder) -> Result<(Recipe, Place)> {
    let mut flags = args.recipe.values.table(None)?;
    let backend = flags.remove("backend");
    let more = args.recipe.preset.is_some() || args.recipe.config.is_some();
    let more = more || args.data.reading.transpose.is_some() || args.data.reading.first_label.is_some();
    if more || !flags.is_empty() || args.out.is_some() {
        return Err(Error::misused(
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
