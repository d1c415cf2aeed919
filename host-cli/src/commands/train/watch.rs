//! The observer of a run: prints its epochs, moves its bar, writes its metrics and checkpoints, and ends it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::super::assessment;
use super::{guess, to_resume};
use crate::cli;
use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result, typed};
use crate::files::checksum;
use crate::inference::assess::{Assessment, assess};
use crate::inference::network::Network;
use crate::model::Model;
use crate::pipeline::{Ending, Epoch, Observer, Pipeline, State};
use crate::run::checkpoint;
use crate::run::{Folder, RunInfo, RunResult};
use crate::terminal::interrupt;
use crate::terminal::{self, Output, Warnings, log};
use crate::thread_pool::ThreadPool;

/// The most epochs of a run that are printed.
const MAX_LINES: usize = 50;

/// Watches a run.
pub(super) struct Watch<'a> {
    args: &'a cli::Train,
    pipeline: &'a Pipeline<'a>,
    folder: &'a Folder,
    data: &'a str,
    every: u64,
    data_sha256: Option<String>,
    metrics: String,
    seconds: f64,
    pub(super) bar: ProgressBar,
    output: Output,
    warnings: Warnings,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        args: &'a cli::Train,
        pipeline: &'a Pipeline<'a>,
        folder: &'a Folder,
        data: &'a str,
        place: &RunInfo,
        state: &State,
        warnings: Warnings,
    ) -> Result<Self> {
        let bar = terminal::bar(1, state.at.steps, !args.quiet);
        bar.enable_steady_tick(Duration::from_millis(200));
        let mut watch = Self {
            args,
            pipeline,
            folder,
            data,
            every: args.checkpoint_every.unwrap_or(place.checkpoint_every),
            data_sha256: place.data_sha256.clone(),
            metrics: String::new(),
            seconds: 0.0,
            bar,
            output: Output::default(),
            warnings,
        };
        for epoch in &state.epochs {
            watch.seconds += epoch.seconds;
            watch.add(epoch)?;
        }
        watch.folder.write_metrics(&watch.metrics)?;
        Ok(watch)
    }

    fn add(&mut self, value: &impl serde::Serialize) -> Result<()> {
        let line = serde_json::to_string(value).map_err(|e| Error::failed(e.to_string()))?;
        checksum::push_json(&mut self.metrics, &line);
        self.metrics.push('\n');
        Ok(())
    }

    /// Writes another line of `metrics.jsonl`.
    fn log(&mut self, value: &impl serde::Serialize) -> Result<()> {
        self.add(value)?;
        self.folder.write_metrics(&self.metrics)
    }

    /// Saves the model, and prints how the run ended.
    pub(super) fn end(
        self,
        ending: Ending,
        thread_pool: &ThreadPool,
        dataset: &Dataset,
        mut state: State,
    ) -> Result<()> {
        let (path, at) = (self.folder.model(), state.at);
        if let (Ending::Diverged { epoch, step }, 0) = (ending, at.epoch) {
            return Err(diverged(epoch, step, "no whole epoch was done, so no model was kept"));
        }
        if ending == Ending::Stopped {
            checkpoint::save(&self.folder.0, self.pipeline.recipe, self.data, &state)
                .map_err(|e| to_resume(e, self.folder))?;
            state.keep();
        }
        let epochs = state.epochs.clone();
        let model = self.pipeline.model(thread_pool, state, self.data_sha256.clone())?;
        model.save(&path).map_err(|e| to_resume(e, self.folder))?;
        match ending {
            Ending::Done => self.done(thread_pool, dataset, model, &epochs),
            Ending::Diverged { epoch, step } => {
                let kept =
                    format!("the model after epoch {} is in {}", model.about.epochs_done, path.display());
                Err(diverged(epoch, step, &kept))
            }
            Ending::Stopped => Err(stopped(at.step, at.epoch + 1, &path, &self.folder.0)),
        }
    }

    /// Evaluates the model that is kept on the test images, and prints the result.
    fn done(
        mut self,
        thread_pool: &ThreadPool,
        dataset: &Dataset,
        model: Model,
        epochs: &[Epoch],
    ) -> Result<()> {
        let (pipeline, kept, test) = (self.pipeline, model.about.epochs_done, &dataset.test);
        let (parameters, val_accuracy) = (model.shape.params(), model.about.val_accuracy);
        let network = Network::Float(Box::new(model));
        let tested = assess(&network, thread_pool, test, &test.indices(), None)?;
        let accuracy = match &tested {
            Assessment::Classes(figures) => Some(figures.evaluation.accuracy()),
            _ => None,
        };
        guess::warnings(pipeline, dataset, epochs, val_accuracy, &tested)
            .into_iter()
            .for_each(|warning| self.warnings.add(warning));
        let path = self.folder.model();
        let result = RunResult {
            model: path.display().to_string(),
            parameters,
            test_accuracy: accuracy,
            test: Some(assessment::json(&tested, &dataset.classes).into()),
            train_seconds: self.seconds,
            warnings: self.warnings.list().to_vec(),
        };
        self.log(&result)?;
        self.folder.finish()?;
        if self.args.json {
            return self.output.json(&result);
        }
        if kept + pipeline.recipe.patience == epochs.len() && kept < epochs.len() {
            self.output
                .line(format!("Best epoch = {kept}, no better one in {}", pipeline.recipe.patience))?;
        } else if kept < epochs.len() {
            self.output.line(format!("Best epoch = {kept} of {}", epochs.len()))?;
        }
        match accuracy {
            Some(accuracy) => self.output.line(format!("Test accuracy = {:.2}%", 100.0 * accuracy))?,
            None => {
                self.output.line(assessment::text("Test", dataset.singular(), &dataset.classes, &tested))?
            }
        }
        self.output.line(format!("Model = {}", path.display()))?;
        if !self.args.quiet {
            self.comment(epochs);
        }
        Ok(())
    }

    /// An epoch for people.
    fn line(&self, epoch: &Epoch) -> String {
        let plural = self.pipeline.dataset.plural();
        let speed = format!("{:.0} {plural}/s", epoch.images_per_second);
        let Some(accuracy) = epoch.train_accuracy else {
            let val = epoch.val_loss.map_or("none".into(), |loss| format!("{loss:.5}"));
            return format!(
                "Epoch {}: Mean loss = {:.5}, Validation loss = {val}, {speed}",
                epoch.epoch, epoch.loss
            );
        };
        let val = epoch.val_accuracy.map_or("none".into(), |v| format!("{:.2}%", 100.0 * v));
        format!(
            "Epoch {}: Loss = {:.4}, Accuracy = {:.2}%, Mean loss = {:.4}, Validation = {val}, {speed}",
            epoch.epoch,
            epoch.loss_sum,
            100.0 * accuracy,
            epoch.loss,
        )
    }

    /// Logs how the loss fell, and what to do next.
    fn comment(&self, epochs: &[Epoch]) {
        let losses: Vec<f64> = epochs.iter().map(|e| e.loss).collect();
        if let [first, .., last] = losses[..] {
            let some: Vec<f64> = losses.iter().copied().step_by(losses.len().div_ceil(MAX_LINES)).collect();
            log(format!("loss {} from {first:.4} to {last:.4}", terminal::sparkline(&some)));
        }
        let predict = if self.pipeline.dataset.schema.is_some() {
            "--data ROWS.csv -o ANSWERS.csv"
        } else {
            "--index 0"
        };
        let folder = typed(&self.folder.0);
        log(format!("next: selvedge eval {folder}   or   selvedge predict {folder} {predict}"));
    }
}

fn diverged(epoch: usize, step: usize, kept: &str) -> Error {
    Error::failed(format!(
        "the loss is not finite at step {step} of epoch {epoch}: the run diverged; {kept}; try a smaller --lr"
    ))
}

fn stopped(step: usize, epoch: usize, model: &Path, folder: &Path) -> Error {
    Error::new(
        ErrorKind::Interrupted,
        format!(
            "stopped after step {step} of epoch {epoch}, and saved a checkpoint; the model as it was then is in {}; go on \
             with `selvedge train --resume {}`",
            model.display(),
            typed(folder)
        ),
    )
}

impl Observer for Watch<'_> {
    fn step(&mut self, state: &State, steps: usize) -> Result<ControlFlow<()>> {
        let (at, whole) = (state.at, (steps * self.pipeline.recipe.epochs) as u64);
        if self.bar.length() != Some(whole) {
            self.bar.set_length(whole);
            self.bar.reset_elapsed();
        }
        // Redrawing at every step would cost more than the step.
        if at.step.is_multiple_of(64) || at.step == steps {
            self.bar.set_position(at.steps);
            self.bar.set_prefix(format!("epoch {}/{}", at.epoch + 1, self.pipeline.recipe.epochs));
            let images = (at.step * self.pipeline.recipe.batch) as f64;
            let loss = at.loss_sum / at.step as f64;
            let speed = format!("{:.0} {}/s", images / at.seconds, self.pipeline.dataset.plural());
            self.bar.set_message(terminal::fields(&[format!("loss {loss:.4}"), speed]));
        }
        if self.every > 0 && state.at.steps.is_multiple_of(self.every) {
            checkpoint::save(&self.folder.0, self.pipeline.recipe, self.data, state)?;
        }
        Ok(interrupt::flow())
    }

    fn epoch(&mut self, epoch: &Epoch) -> Result<()> {
        self.seconds += epoch.seconds;
        self.log(epoch)?;
        if self.args.json {
            return self.output.json(epoch);
        }
        let epochs = self.pipeline.recipe.epochs;
        if epoch.epoch > 1 && epoch.epoch < epochs && !epoch.epoch.is_multiple_of(epochs.div_ceil(MAX_LINES))
        {
            return Ok(());
        }
        let line = self.line(epoch);
        let output = &mut self.output;
        self.bar.suspend(|| output.line(line))
    }
}
