//! A run before its first step: its data, its network, its folder, and what to warn of.

use std::fs::File;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use selvedge::{Backend, Mlp, Shape};

use crate::cli;
use crate::commands::start;
use crate::data::{Dataset, Reading, Source, fashion_mnist_folder, fingerprint_of};
use crate::error::{Error, Result, typed};
use crate::files::checksum;
use crate::memory::size;
use crate::model::Model;
use crate::pipeline::{self, Pipeline, State};
use crate::recipe::Recipe;
use crate::run::checkpoint;
use crate::run::{Folder, RunInfo};
use crate::terminal::{Warnings, bar, log};

/// The classes of a run whose `run.json` does not say, where the data names none.
const UNNAMED: usize = 10;

/// A run that the flags or a run's folder describe, before its data are read.
pub(super) struct Run {
    pub(super) recipe: Recipe,
    pub(super) place: RunInfo,
    /// Where the data are, if not where the place or the recipe says.
    pub(super) moved: Option<Source>,
    /// The model that it starts from.
    pub(super) from: Option<Model>,
    /// The folder of a run that is resumed.
    pub(super) folder: Option<Folder>,
    /// Keeps other processes out of the folder.
    pub(super) _held: Option<File>,
}

impl Run {
    pub(super) fn dataset(&self, args: &cli::Train, warnings: &mut Warnings) -> Result<Dataset> {
        let recipe = &self.recipe;
        // A new run's recipe says nothing of how the files are stored unless somebody did.
        let said = self.folder.is_some() || recipe.transpose;
        let transpose = if said { Some(recipe.transpose) } else { args.data.reading.transpose };
        let test = self.place.test.clone().filter(|_| self.folder.is_some()).or(recipe.reading().test);
        let reading = Reading { transpose, test, ..recipe.reading() };
        // A run that is resumed may be in another folder than it was started from.
        let remembered = self.place.data.clone().filter(|_| self.folder.is_some()).map(Source::Path);
        let source = self.moved.clone().or(remembered).unwrap_or_else(|| recipe.source());
        let mut pictures = None;
        let loaded = source.load_observed(self.place.data_dir.as_deref(), &reading, &mut |read, of| {
            let bar = pictures.get_or_insert_with(|| bar(of, 0, !args.quiet).with_prefix("reading pictures"));
            bar.set_position(read as u64);
        });
        pictures.iter().for_each(ProgressBar::finish_and_clear);
        let mut dataset = loaded.map_err(|error| match &self.folder {
            Some(folder) => error.with_advice(format_args!(
                "where the data of the run have moved, `selvedge train --resume {} --data DIR` says where",
                typed(&folder.0)
            )),
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

    /// The data set of a run whose test samples are one fold.
    pub(super) fn fold(&self, fold: (usize, usize)) -> Result<Dataset> {
        let reading = Reading { fold: Some(fold), ..self.recipe.reading() };
        self.recipe.source().load(self.place.data_dir.as_deref(), &reading)
    }

    /// Refuses other data than the run was started with, and records where they are; `train` and `test` are their
    /// fingerprints.
    pub(super) fn check_data(&mut self, train: &str, test: &str) -> Result<()> {
        if let Some(folder) = &self.folder {
            let whole = fingerprint_of(train, test);
            let same = match &self.place.data_sha256 {
                Some(expected) => *expected == whole,
                None => checkpoint::recipe_and_data(&folder.0).is_none_or(|(_, expected)| expected == train),
            };
            if !same {
                let source = self.moved.clone().or_else(|| self.place.data.clone().map(Source::Path));
                return Err(Error::data(format!(
                    "{} holds other training data, or other test data, than the run was started with; name the folder of \
                     those with `selvedge train --resume {} --data DIR`",
                    source.unwrap_or_else(|| self.recipe.source()),
                    typed(&folder.0)
                )));
            }
        }
        match &self.moved {
            Some(Source::Path(folder)) => self.place.data = Some(rooted(folder)?),
            Some(Source::FashionMnist) => {
                let folder = fashion_mnist_folder(self.place.data_dir.as_deref())?;
                self.place.data = Some(rooted(&folder)?);
            }
            Some(Source::Demo) | None => {}
        }
        self.place.data_sha256 = Some(fingerprint_of(train, test));
        Ok(())
    }

    /// Records where the data of a finished run are.
    pub(super) fn record_data(mut self, args: &cli::Train) -> Result<()> {
        let dataset = self.dataset(args, &mut Warnings::default())?;
        self.check_data(&dataset.train.fingerprint(), &dataset.test.fingerprint())?;
        self.folder.as_ref().map_or(Ok(()), |folder| folder.write_run_info(&self.place))
    }

    /// The network, which the model that the run starts from must fit.
    pub(super) fn mlp(&self, dataset: &Dataset) -> Result<Mlp> {
        self.mlp_of(&self.recipe, dataset)
    }

    /// The network of a recipe that was settled for its data.
    pub(super) fn mlp_of(&self, recipe: &Recipe, dataset: &Dataset) -> Result<Mlp> {
        let backend = Backend::by_name(&self.place.backend).ok_or_else(|| {
            Error::usage(format!(
                "the run was started on backend {}, which this CPU does not have; add --backend to go on with other \
                 roundings",
                self.place.backend
            ))
        })?;
        if let Some(model) = &self.from {
            start::check_columns(model, recipe, dataset)?;
        }
        let mlp = pipeline::network(recipe, dataset, backend)?;
        match self.from.as_ref().filter(|model| model.shape != mlp.shape) {
            Some(model) => Err(Error::model(format!(
                "{} is {}, but the samples of {} take {}",
                recipe.from, model.shape, recipe.data, mlp.shape
            ))),
            None => Ok(mlp),
        }
    }

    /// The folder: that of the run that is resumed, whose checkpoint is put into `state`, or that of a new one, which keeps
    /// other processes out as long as the file lives.
    pub(super) fn open(
        &self,
        args: &cli::Train,
        data: &str,
        shape: Shape,
        state: &mut State,
    ) -> Result<(Folder, Option<File>)> {
        if let Some(folder) = &self.folder {
            let damaged = |e: Error| Error { message: e.message + &folder.left(), ..e };
            checkpoint::restore(&folder.0, &self.recipe, data, state).map_err(damaged)?;
            folder.write_recipe(&self.recipe)?;
            return Ok((folder.clone(), None));
        }
        let path = Path::new(&self.recipe.data);
        let name = path.file_name().map_or("data".into(), |n| n.to_string_lossy());
        let name = name.split('.').next().filter(|stem| !stem.is_empty() && path.is_file()).unwrap_or(&name);
        let name = format!("{name}-{}", self.recipe.hidden_name());
        let folder = Folder::create(args.out.as_deref(), args.overwrite, &name)?;
        let held = folder.hold()?;
        let place = RunInfo { classes: Some(shape.outputs()), ..self.place.clone() };
        folder.start(&self.recipe, &place, self.from.as_ref())?;
        if let Some(previous) = folder.previous().filter(|_| !args.quiet) {
            log(format!("the run that was there is in {} until this one is done", previous.display()));
        }
        Ok((folder, held))
    }

    /// Logs what is about to be trained, after so many steps.
    pub(super) fn announce(&self, pipeline: &Pipeline<'_>, folder: &Folder, steps: u64) {
        let Pipeline { recipe, mlp, split, .. } = pipeline;
        let shape = mlp.shape;
        let from = if recipe.from.is_empty() { String::new() } else { format!(", from {}", recipe.from) };
        let after = if steps > 0 { format!(", from step {steps}") } else { String::new() };
        log(format!(
            "{shape}, {} parameters ({}){from}, backend {}, {} training and {} validation {}; run folder {}{after}",
            shape.params(),
            size(4 * shape.params() as u64),
            mlp.backend.name(),
            split.train.len(),
            split.val.len(),
            pipeline.dataset.plural(),
            folder.0.display(),
        ));
    }

    /// Warns of what is known before the first step.
    pub(super) fn warn(&self, args: &cli::Train, folder: &Folder, state: &State, warnings: &mut Warnings) {
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
        if self.folder.is_some() && state.at.steps == 0 && folder.model().exists() {
            warnings.add(format!(
                "{} has no checkpoint: it starts from its first epoch, and its model will be replaced; `selvedge train --from \
                 {} --out NEW` goes on from the model",
                folder.0.display(),
                typed(&folder.0)
            ));
        }
    }
}

/// A path from the root.
pub(super) fn rooted(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io("find", path, &e))
}
