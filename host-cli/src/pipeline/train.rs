//! The training loop: epochs, steps, validation.
//!
//! An [`Observer`] sees every step and epoch and can stop the run; the [`State`] that it sees between two steps is all that
//! the rest of the run needs.

use std::ops::ControlFlow;
use std::time::Instant;

use selvedge::optim::{self, Optimizer, OptimizerStep};
use selvedge::{Arena, Loss, Regularize, StepStats, Update, Workspace};
use serde::{Deserialize, Serialize};

use super::batch::Batches;
use super::{Pipeline, State};
use crate::data::Targets;
use crate::data::normalise::Inputs;
use crate::error::Result;
use crate::inference::evaluate::validate;
use crate::memory::Floats;
use crate::recipe::Recipe;
use crate::sampling::stream_at;
use crate::thread_pool::{ThreadPool, Workload};

/// The figures of an epoch. Accuracies are fractions; the names are the JSON's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Σ over the batches of each batch's mean loss.
    pub loss_sum: f64,
    /// The mean loss of a sample.
    pub loss: f64,
    /// On the training samples, each as it was met; `None` where the answers are numbers.
    pub train_accuracy: Option<f64>,
    /// On the validation samples, after the epoch; `None` where there are none, and where the answers are numbers.
    pub val_accuracy: Option<f64>,
    /// The mean loss of a validation sample; `None` where there are none, and in runs of older versions.
    #[serde(default)]
    pub val_loss: Option<f64>,
    /// Of the training steps; validation is not counted.
    pub seconds: f64,
    /// Training images a second.
    pub images_per_second: f64,
}

/// Watches a run.
pub trait Observer {
    /// After a step, of `steps` in an epoch.
    ///
    /// # Errors
    /// Ends the run.
    fn step(&mut self, state: &State, steps: usize) -> Result<ControlFlow<()>>;
    /// After an epoch.
    ///
    /// # Errors
    /// Ends the run.
    fn epoch(&mut self, epoch: &Epoch) -> Result<()>;
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All epochs ran, or early stopping ended the run.
    Done,
    /// The observer stopped it.
    Stopped,
    /// The loss, a parameter or an output was not finite, in the epoch and at the step counted from 1.
    Diverged {
        /// The epoch.
        epoch: usize,
        /// The step of it.
        step: usize,
    },
}

/// What a step needs besides the state.
struct Stepper<'a, 'm> {
    pipeline: &'a Pipeline<'a>,
    thread_pool: &'a ThreadPool,
    batches: Batches<'a>,
    workspace: Workspace<'m>,
    gradient: Floats,
    /// Steps of the whole run.
    total: u32,
}

/// Trains from `state`; see [`Pipeline::train`].
pub(super) fn train(
    pipeline: &Pipeline<'_>,
    thread_pool: &ThreadPool,
    state: &mut State,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let Pipeline { mlp, recipe, set, split, normalisation, .. } = pipeline;
    let shape = mlp.shape;
    let inputs = normalisation.inputs(&set.features);
    let mut order = split.train.clone();
    let steps = order.len().div_ceil(recipe.batch);
    let floats = Workspace::floats(shape, recipe.batch);
    let purpose = format!("a step of {} images through {shape}", recipe.batch);
    let mut memory = Floats::zeroed(floats, &purpose)?;
    let gradient = if recipe.optimizer().is_some() { shape.params() } else { 0 };
    let mut stepper = Stepper {
        pipeline,
        thread_pool,
        batches: Batches::new(pipeline, &inputs),
        workspace: Workspace::new(shape, recipe.batch, &mut Arena::new(&mut memory))?,
        gradient: Floats::zeroed(gradient, "the gradient")?,
        total: u32::try_from(steps.saturating_mul(recipe.epochs)).unwrap_or(u32::MAX),
    };
    let mut sampling = state.sampling.clone();
    (0..state.at.epoch).for_each(|_| sampling.order(&split.train, &mut order));

    while state.at.epoch < recipe.epochs {
        sampling.order(&split.train, &mut order);
        for index in order.chunks(recipe.batch).skip(state.at.step) {
            if !stepper.step(state, index)? {
                return Ok(Ending::Diverged { epoch: state.at.epoch + 1, step: state.at.step + 1 });
            }
            if observer.step(state, steps)?.is_break() && state.at.step < steps {
                return Ok(if finite(&state.params) { Ending::Stopped } else { diverged(state) });
            }
        }
        let epoch = measure(pipeline, thread_pool, &inputs, state)?;
        let Some(epoch) = epoch.filter(|_| finite(&state.params)) else { return Ok(diverged(state)) };
        let stop_early = state.end_epoch(epoch, recipe.patience, pipeline.monitor());
        observer.epoch(&epoch)?;
        if stop_early {
            break;
        }
    }
    Ok(Ending::Done)
}

fn finite(params: &[f32]) -> bool {
    params.iter().all(|p| p.is_finite())
}

/// That the run diverged in the last step of `state`.
fn diverged(state: &State) -> Ending {
    Ending::Diverged { epoch: state.at.epoch + 1, step: state.at.step }
}

/// The figures of the epoch whose last step `state` has done; `None` where the network's outputs are not finite.
fn measure(
    pipeline: &Pipeline<'_>,
    thread_pool: &ThreadPool,
    inputs: &Inputs<'_>,
    state: &State,
) -> Result<Option<Epoch>> {
    let Pipeline { set, split, .. } = pipeline;
    let (at, images) = (state.at, split.train.len() as f64);
    let validation = match &split.val[..] {
        [] => None,
        val => {
            let figures = validate(
                thread_pool,
                &pipeline.mlp,
                state.model(),
                inputs,
                (set, pipeline.target_scale.as_ref()),
                val,
            )?;
            if !figures.loss.is_finite() {
                return Ok(None);
            }
            Some(figures)
        }
    };
    let counts = matches!(set.targets, Targets::Classes(_)) || pipeline.mlp.loss == Loss::SigmoidCrossEntropy;
    Ok(Some(Epoch {
        epoch: at.epoch + 1,
        loss_sum: at.loss_sum,
        loss: at.loss / images,
        train_accuracy: counts.then(|| f64::from(at.correct) / images),
        val_accuracy: validation.and_then(|figures| figures.accuracy),
        val_loss: validation.map(|figures| figures.loss),
        seconds: at.seconds,
        images_per_second: images / at.seconds,
    }))
}

impl Stepper<'_, '_> {
    /// One step; `false` where its loss is not finite, and nothing has changed then.
    fn step(&mut self, state: &mut State, index: &[u32]) -> Result<bool> {
        let begin = Instant::now();
        let Pipeline { mlp, recipe, .. } = self.pipeline;
        self.batches.load(mlp.backend, state.at.steps, index);
        let stats = match self.thread_pool.run(Workload::Step, || self.update(state)) {
            Ok(stats) => stats,
            Err(selvedge::Error::NonFiniteLoss) => return Ok(false),
            Err(e) => return Err(e.into()),
        };
        if !state.average.is_empty() {
            // Early on, the initial weights must not count for long.
            let decay = recipe.ema.min((1 + state.at.steps) as f32 / (10 + state.at.steps) as f32);
            optim::update_ema(mlp.backend, decay, &state.params, &mut state.average);
        }
        let loss = match f64::from(recipe.loss_epsilon) {
            0.0 => stats.loss_sum,
            epsilon => {
                let losses = self.workspace.losses(index.len()).iter();
                losses.map(|&l| -((-f64::from(l)).exp() + epsilon).ln()).sum()
            }
        };
        let at = &mut state.at;
        at.step += 1;
        at.steps += 1;
        at.loss_sum += loss / index.len() as f64;
        at.loss += loss;
        at.correct += stats.correct;
        at.seconds += begin.elapsed().as_secs_f64();
        Ok(true)
    }

    /// Changes the parameters by the gradient of the batch that is loaded, as the recipe's optimizer says.
    fn update(&mut self, state: &mut State) -> std::result::Result<StepStats, selvedge::Error> {
        let Pipeline { mlp, recipe, .. } = self.pipeline;
        let rate = recipe.learning_rate(state.at.steps as u32, self.total);
        let optimizer = recipe.optimizer();
        let update = match optimizer {
            None => Update::Sgd { learning_rate: rate },
            Some(_) => Update::Gradient(&mut self.gradient),
        };
        let batches = &self.batches;
        let fill = |first: usize, rows: &mut [f32]| batches.fill(mlp.backend, first, rows);
        let regularize = regularize(recipe, state.at.steps);
        let product = mlp.with_backend(mlp.backend.with_precision(recipe.precision.into()));
        let stats = product.step_regularized(
            self.thread_pool,
            &mut state.params,
            &mut self.workspace,
            batches.targets(),
            &fill,
            update,
            regularize,
        )?;
        if let Some(optimizer) = optimizer {
            apply(self.pipeline, self.thread_pool, state, &self.gradient, optimizer, rate)?;
        }
        Ok(stats)
    }
}

/// Label smoothing and dropout of step `step` of the run.
fn regularize(recipe: &Recipe, step: u64) -> Regularize {
    let seed = if recipe.dropout > 0.0 { stream_at(recipe.seed, "dropout", step).next_u64() } else { 0 };
    Regularize::NONE.with_label_smoothing(recipe.label_smoothing).with_dropout(recipe.dropout, seed)
}

/// Applies the optimizer to a stored gradient, clipped as the recipe says.
fn apply(
    pipeline: &Pipeline<'_>,
    thread_pool: &ThreadPool,
    state: &mut State,
    gradient: &[f32],
    optimizer: Optimizer,
    rate: f32,
) -> std::result::Result<(), selvedge::Error> {
    let Pipeline { mlp, recipe, .. } = pipeline;
    let scale = match recipe.clip {
        0.0 => 1.0,
        limit => (f64::from(limit) / optim::norm(gradient).max(f64::from(limit))) as f32,
    };
    let step = u32::try_from(state.at.steps + 1).unwrap_or(u32::MAX);
    let step = OptimizerStep::new(optimizer, rate, step)
        .with_weight_decay(recipe.weight_decay)
        .with_gradient_scale(scale);
    step.apply(mlp.backend, thread_pool, mlp.shape, gradient, &mut state.moments, &mut state.params)
}
