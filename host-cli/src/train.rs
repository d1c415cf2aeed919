//! The training loop: shuffles, batches, epochs, and what is measured on the way.
//!
//! It prints nothing and writes no file. An [`Observer`] hears of every step and epoch and can ask it to stop.

use std::time::{Duration, Instant};

use selvedge::{Arena, Mlp, Update, Workspace, kernel};
use serde::Serialize;

use crate::crew::{Beat, Crew};
use crate::data::Dataset;
use crate::draws::{Draws, Split};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::memory::Floats;
use crate::recipe::Recipe;

/// What an epoch came to. Accuracies are fractions; the names are the JSON's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Σ over the batches of each batch's mean loss.
    pub loss_sum: f64,
    /// The mean loss of an image.
    pub loss: f64,
    /// On the training images, each as it was met.
    pub train_accuracy: f64,
    /// On the validation images, after the epoch.
    pub val_accuracy: f64,
    /// Of the training steps; validation is not counted.
    pub seconds: f64,
    /// Training images a second.
    pub images_per_second: f64,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop after this step.
    Stop,
}

/// Somebody who watches a run.
pub trait Observer {
    /// After step `step` of `steps` of an epoch, both counted from 1.
    fn step(&mut self, epoch: usize, step: usize, steps: usize) -> Flow;
    /// After an epoch, with the parameters as they are.
    ///
    /// # Errors
    /// Ends the run.
    fn epoch(&mut self, epoch: &Epoch, params: &[f32]) -> Result<()>;
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All epochs.
    Done,
    /// The observer stopped it.
    Stopped {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Steps taken in it.
        step: usize,
    },
    /// The loss was not finite; the parameters are those of the last whole epoch, or the initial ones.
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step of it, counted from 1.
        step: usize,
    },
}

/// Trains `params`, which hold the weights that `draws` drew, on the training images of `split`.
///
/// # Errors
/// Exit code 1 without the memory, and the observer's.
#[allow(clippy::too_many_arguments)] // What a run is made of, each on its own life time.
pub fn train(
    crew: &Crew,
    mlp: &Mlp,
    recipe: &Recipe,
    dataset: &Dataset,
    split: &Split,
    draws: &mut Draws,
    params: &mut Floats,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let (set, mut order) = (&dataset.train, split.train.clone());
    let floats = Workspace::floats(mlp.shape, recipe.batch);
    let purpose = format!("a step of {} images through {}", recipe.batch, mlp.shape);
    let mut memory = Floats::zeroed(floats, &purpose)?;
    let refused = |e: selvedge::Error| Error::failed(e.to_string());
    let mut workspace =
        Workspace::new(mlp.shape, recipe.batch, &mut Arena::new(&mut memory)).map_err(refused)?;
    let mut good = Floats::copy_of(params, "a copy of the parameters")?;
    let steps = order.len().div_ceil(recipe.batch);
    let inputs = mlp.shape.inputs();

    for epoch in 1..=recipe.epochs {
        draws.order(&split.train, &mut order);
        let (mut loss_sum, mut loss, mut correct, mut spent) = (0.0, 0.0, 0u32, Duration::ZERO);
        let mut labels = Vec::with_capacity(recipe.batch);
        for (step, index) in (1..).zip(order.chunks(recipe.batch)) {
            let begin = Instant::now();
            labels.clear();
            labels.extend(index.iter().map(|&n| set.labels[n as usize]));
            let fill = |first: usize, rows: &mut [f32]| {
                let index = &index[first..][..rows.len() / inputs];
                kernel::gather(mlp.backend, &set.images.pixels, index, rows);
            };
            let update = Update::Sgd { rate: recipe.lr };
            let work = || mlp.step(crew, params, &mut workspace, &labels, &fill, update);
            let outcome = match crew.beat(Beat::Step, work) {
                Ok(outcome) => outcome,
                Err(selvedge::Error::NonFiniteLoss) => {
                    params.copy_from_slice(&good);
                    return Ok(Ending::Diverged { epoch, step });
                }
                Err(e) => return Err(refused(e)),
            };
            spent += begin.elapsed();
            let batch_loss = match f64::from(recipe.loss_epsilon) {
                0.0 => outcome.loss_sum,
                epsilon => {
                    let losses = workspace.losses(index.len()).iter();
                    losses.map(|&l| -((-f64::from(l)).exp() + epsilon).ln()).sum()
                }
            };
            loss_sum += batch_loss / index.len() as f64;
            loss += batch_loss;
            correct += outcome.correct;
            if observer.step(epoch, step, steps) == Flow::Stop {
                return Ok(Ending::Stopped { epoch, step });
            }
        }
        if params.iter().any(|p| !p.is_finite()) {
            params.copy_from_slice(&good);
            return Ok(Ending::Diverged { epoch, step: steps });
        }
        good.copy_from_slice(params);
        let images = order.len() as f64;
        let metrics = Epoch {
            epoch,
            loss_sum,
            loss: loss / images,
            train_accuracy: f64::from(correct) / images,
            val_accuracy: evaluate(crew, mlp, params, set, &split.val)?.accuracy(),
            seconds: spent.as_secs_f64(),
            images_per_second: images / spent.as_secs_f64(),
        };
        observer.epoch(&metrics, params)?;
    }
    Ok(Ending::Done)
}
