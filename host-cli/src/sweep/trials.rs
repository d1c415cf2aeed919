//! The trials of a sweep: each trains a network on one thread and leaves two files, the model first.
//!
//! A trial is done where its second file is; a sweep that was cut off goes on with the others.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use selvedge::Mlp;
use serde::{Deserialize, Serialize};

use super::{Plan, Trial};
use crate::data::Dataset;
use crate::error::{Error, Exit, Result, typed};
use crate::evaluate::evaluate;
use crate::files;
use crate::files::checksum;
use crate::model::{About, Activation, Model};
use crate::terminal::interrupt;
use crate::thread_pool::{ThreadPool, Threads};
use crate::train::{Ending, Epoch, Flow, Job, Observer, State, train};

/// What a trial came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Accuracy on the validation images, a fraction; `None` where the run diverged before its first epoch was done.
    pub val_accuracy: Option<f64>,
    /// Epochs behind the model.
    pub epochs: usize,
    /// Parameters of the network.
    pub parameters: usize,
}

/// A folder of trials.
#[derive(Debug, Clone)]
pub struct Trials(PathBuf);

impl Trials {
    /// The trials of a sweep's folder.
    pub fn of(folder: &Path) -> Self {
        Self(folder.join("trials"))
    }

    /// The file of a trial's outcome.
    pub fn outcome_path(&self, trial: Trial) -> PathBuf {
        self.0.join(format!("{}.json", trial.name()))
    }

    /// The file of a trial's model.
    pub fn model_path(&self, trial: Trial) -> PathBuf {
        self.0.join(format!("{}.safetensors", trial.name()))
    }

    /// What a trial came to, if it is done.
    ///
    /// # Errors
    /// Exit code 1 where its file is damaged.
    pub fn outcome(&self, trial: Trial) -> Result<Option<Outcome>> {
        let path = self.outcome_path(trial);
        match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(Error::failed(format!(
                "{} is damaged: it is no text; `rm {}`, and the sweep trains it again",
                path.display(),
                typed(&path)
            ))),
            Err(e) => Err(Error::io("read", &path, &e)),
            Ok(text) => checksum::read_json(&text, 0)
                .and_then(|(outcome, _)| serde_json::from_value(outcome).map_err(|e| e.to_string()))
                .map(Some)
                .map_err(|why| {
                    let (place, again) = (path.display(), typed(&path));
                    Error::failed(format!(
                        "{place} is damaged: {why}; `rm {again}`, and the sweep trains it again"
                    ))
                }),
        }
    }

    /// Runs those of `trials` that are not done, `jobs` at a time, and tells `done` of each.
    ///
    /// # Errors
    /// The first trial's that failed, or that it was interrupted.
    pub fn run(
        &self,
        plan: &Plan,
        trials: &[Trial],
        dataset: &Dataset,
        jobs: usize,
        done: &(impl Fn(Trial, &Outcome) + Sync),
    ) -> Result<()> {
        files::create_folder(&self.0)?;
        files::remove_leftovers(&self.0)?;
        let mut open = Vec::new();
        for &trial in trials {
            if self.outcome(trial)?.is_none() {
                open.push(trial);
            }
        }
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None::<Error>));
        let stop = |error: Error| {
            next.store(open.len(), Ordering::Relaxed);
            failed.lock().expect("nobody panics with it").get_or_insert(error);
        };
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(open.len()) {
                scope.spawn(|| {
                    while let Some(&trial) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.one(plan, trial, dataset) {
                            Ok(outcome) => done(trial, &outcome),
                            Err(error) => stop(error),
                        }
                    }
                });
            }
        });
        failed.into_inner().expect("nobody panics with it").map_or(Ok(()), Err)
    }

    /// Trains one network and writes its files.
    fn one(&self, plan: &Plan, trial: Trial, dataset: &Dataset) -> Result<Outcome> {
        let recipe = plan.recipe(trial);
        let images = &dataset.train.images;
        let shape = recipe.shape(images.pixels_per_image(), dataset.classes.len())?;
        let mlp = Mlp::new(shape, recipe.backend()?);
        let split = recipe.split(images.count);
        recipe.check_batch(split.train.len())?;
        let normalisation = recipe.normalisation(images, &split);
        let inputs = normalisation.inputs(&images.pixels);
        let thread_pool = ThreadPool::new(Threads::ONE);
        let mut state = State::new(&recipe, shape, None)?;
        let job = Job {
            thread_pool: &thread_pool,
            mlp,
            recipe: &recipe,
            set: &dataset.train,
            inputs: &inputs,
            split: &split,
        };
        let ending = train(&job, &mut state, &mut Silent)?;
        if ending == Ending::Stopped {
            let message =
                "stopped; trials that are done are kept, and the same command trains the others".into();
            return Err(Error { exit: Exit::Stopped, message });
        }
        let val_accuracy = match state.kept_epoch {
            0 => None,
            _ => Some(
                evaluate(&thread_pool, &mlp, &state.kept, &inputs, &dataset.train, &split.val)?.accuracy(),
            ),
        };
        let epochs = state.kept_epoch;
        let model = Model {
            shape,
            params: state.kept,
            about: About {
                version: env!("CARGO_PKG_VERSION").into(),
                classes: dataset.classes.clone(),
                image: Some((images.rows, images.cols)),
                normalisation: normalisation.clone(),
                activation: Activation::default(),
                recipe: Some(recipe.clone()),
                epochs_done: epochs,
                val_accuracy,
                data_sha256: plan.data_sha256.clone(),
            },
        };
        model.save(&self.model_path(trial))?;
        let outcome = Outcome { val_accuracy, epochs, parameters: shape.params() };
        let object = serde_json::to_string(&outcome).map_err(|e| Error::failed(e.to_string()))?;
        let mut json = String::new();
        checksum::push_json(&mut json, &object);
        files::write_atomic(&self.outcome_path(trial), json.as_bytes())?;
        Ok(outcome)
    }

    /// The accuracy of a trial's model on the test images.
    ///
    /// # Errors
    /// Exit code 4 where the model is damaged.
    pub fn test(&self, thread_pool: &ThreadPool, trial: Trial, dataset: &Dataset) -> Result<f64> {
        let model = Model::load(&self.model_path(trial))?;
        let backend = match &model.about.recipe {
            Some(recipe) => recipe.backend()?,
            None => selvedge::Backend::detect(),
        };
        let mlp = Mlp::new(model.shape, backend);
        let inputs = model.about.normalisation.inputs(&dataset.test.images.pixels);
        let test = &dataset.test;
        Ok(evaluate(thread_pool, &mlp, &model.params, &inputs, test, &test.indices())?.finite()?.accuracy())
    }
}

/// Nobody watches a trial, but Ctrl-C ends it.
struct Silent;

impl Observer for Silent {
    fn step(&mut self, _: &State, _: usize) -> Result<Flow> {
        Ok(if interrupt::asked() { Flow::Stop } else { Flow::Continue })
    }
    fn epoch(&mut self, _: &Epoch) -> Result<()> {
        Ok(())
    }
}
