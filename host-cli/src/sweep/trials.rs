//! The trials of a sweep: each trains a network on one thread and leaves two files, the model first.
//!
//! A trial is done where its second file is; a sweep that was cut off goes on with the others.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use super::{SweepPlan, Trial};
use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result, typed};
use crate::files;
use crate::files::checksum;
use crate::inference::evaluate::evaluate_model;
use crate::model::Model;
use crate::pipeline::{self, Ending, Pipeline};
use crate::terminal::interrupt::UntilInterrupted;
use crate::thread_pool::{ThreadPool, Threads};

/// The result of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialResult {
    /// Accuracy on the validation images, a fraction; `None` where the run diverged before its first epoch was done.
    pub val_accuracy: Option<f64>,
    /// Epochs that the model was trained for.
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

    /// The file of a trial's result.
    pub fn result_path(&self, trial: Trial) -> PathBuf {
        self.0.join(format!("{}.json", trial.name()))
    }

    /// The file of a trial's model.
    pub fn model_path(&self, trial: Trial) -> PathBuf {
        self.0.join(format!("{}.safetensors", trial.name()))
    }

    /// The result of a trial, if it is done.
    ///
    /// # Errors
    /// `Failed` where its file is damaged.
    pub fn result(&self, trial: Trial) -> Result<Option<TrialResult>> {
        let path = self.result_path(trial);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|e| Error::io("read", &path, &e))?,
        };
        let parsed = std::str::from_utf8(&bytes).map_err(|_| "it is no text".to_string()).and_then(|text| {
            let (result, _) = checksum::read_json(text, 0)?;
            serde_json::from_value(result).map_err(|e| e.to_string())
        });
        parsed.map(Some).map_err(|why| {
            let (place, again) = (path.display(), typed(&path));
            Error::failed(format!("{place} is damaged: {why}; `rm {again}`, and the sweep trains it again"))
        })
    }

    /// Runs those of `trials` that are not done, `jobs` at a time, and tells `done` of each.
    ///
    /// # Errors
    /// The first trial's that failed, or that it was interrupted.
    pub fn run(
        &self,
        plan: &SweepPlan,
        trials: &[Trial],
        dataset: &Dataset,
        jobs: usize,
        done: &(impl Fn(Trial, &TrialResult) + Sync),
    ) -> Result<()> {
        files::create_folder(&self.0)?;
        files::remove_leftovers(&self.0)?;
        let mut open = Vec::new();
        for &trial in trials {
            if self.result(trial)?.is_none() {
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
                            Ok(result) => done(trial, &result),
                            Err(error) => stop(error),
                        }
                    }
                });
            }
        });
        failed.into_inner().expect("nobody panics with it").map_or(Ok(()), Err)
    }

    /// Trains one network and writes its files.
    fn one(&self, plan: &SweepPlan, trial: Trial, dataset: &Dataset) -> Result<TrialResult> {
        let recipe = plan.recipe(trial);
        let mlp = pipeline::network(&recipe, dataset, recipe.backend()?)?;
        let pipeline = Pipeline::new(&recipe, dataset, mlp, None)?;
        let mut state = pipeline.initial_state()?;
        let pool = ThreadPool::new(Threads::ONE);
        let ending = pipeline.train(&pool, &mut state, &mut UntilInterrupted)?;
        if ending == Ending::Stopped {
            return Err(Error::new(
                ErrorKind::Interrupted,
                "stopped; trials that are done are kept, and the same command trains the others",
            ));
        }
        let result = TrialResult {
            val_accuracy: state.val_accuracy(),
            epochs: state.kept_epoch,
            parameters: mlp.shape.params(),
        };
        let model = pipeline.model(&pool, state, plan.data_sha256.clone())?;
        model.save(&self.model_path(trial))?;
        let object = serde_json::to_string(&result).map_err(|e| Error::failed(e.to_string()))?;
        let mut json = String::new();
        checksum::push_json(&mut json, &object);
        files::write_atomic(&self.result_path(trial), json.as_bytes())?;
        Ok(result)
    }

    /// The accuracy of a trial's model on the test images.
    ///
    /// # Errors
    /// `Model` where the model is damaged.
    pub fn test(&self, thread_pool: &ThreadPool, trial: Trial, dataset: &Dataset) -> Result<f64> {
        let model = Model::load(&self.model_path(trial))?;
        let backend = match &model.about.recipe {
            Some(recipe) => recipe.backend()?,
            None => selvedge::Backend::detect(),
        };
        let test = &dataset.test;
        Ok(evaluate_model(thread_pool, backend, &model, test, &test.indices())?.accuracy())
    }
}
