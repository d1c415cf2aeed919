//! A run between two steps: everything that the rest of it depends on, besides its recipe and its data.
//!
//! Random decisions are no part of it: they follow from the seed and the position. A checkpoint holds the tensors, the
//! position and the epochs; the generator is made again.

use selvedge::Shape;
use serde::{Deserialize, Serialize};

use super::train::Epoch;
use crate::error::{Error, Result};
use crate::memory::Floats;
use crate::recipe::{Monitor, Recipe};
use crate::sampling::Sampling;

/// How far a run is, and what its unfinished epoch came to so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Whole epochs done.
    pub epoch: usize,
    /// Steps done in the epoch after them.
    pub step: usize,
    /// Steps done in all.
    pub steps: u64,
    /// Σ over the epoch's batches of each one's mean loss.
    pub loss_sum: f64,
    /// Σ of the epoch's losses.
    pub loss: f64,
    /// Images of the epoch whose class was right.
    pub correct: u32,
    /// Spent in the epoch's steps.
    pub seconds: f64,
}

/// The parameters of a run, its optimizer's state, and how far it is.
#[derive(Debug)]
pub struct State {
    /// What is trained.
    pub params: Floats,
    /// The optimizer's state, in the optimizer's layout.
    pub moments: Floats,
    /// The exponential moving average of the parameters; empty where the recipe has none.
    pub average: Floats,
    /// The parameters of the model to write: those of the last epoch, or of the best one with early stopping.
    pub kept: Floats,
    /// The epoch of these parameters, counted from 1; 0 is the initial weights.
    pub kept_epoch: usize,
    /// How far.
    pub at: Position,
    /// The epochs done.
    pub epochs: Vec<Epoch>,
    /// The generator after the weights, before the order of the first epoch.
    pub(super) sampling: Sampling,
}

impl State {
    /// A run before its first step, with drawn weights or those that it starts `from`. The weights are always drawn, since
    /// the orders of the epochs follow them in the generator.
    ///
    /// # Errors
    /// `Failed` without the memory, `Usage` where the weights cannot be drawn.
    pub fn new(recipe: &Recipe, shape: Shape, from: Option<&[f32]>) -> Result<Self> {
        let floats = |count: usize, purpose: &str| Floats::zeroed(count, &format!("{purpose} of {shape}"));
        let n = shape.params();
        let moments = recipe.optimizer().map_or(0, |optimizer| optimizer.state_floats(shape));
        let mut state = Self {
            params: floats(n, "the parameters")?,
            moments: floats(moments, "the optimizer's state")?,
            average: floats(if recipe.ema > 0.0 { n } else { 0 }, "the average")?,
            kept: floats(n, "a copy of the parameters")?,
            kept_epoch: 0,
            at: Position::default(),
            epochs: Vec::new(),
            sampling: Sampling::new(recipe.rng, recipe.seed),
        };
        state.sampling.weights(recipe.init.0, shape, &mut state.params).map_err(Error::usage)?;
        if let Some(params) = from {
            state.params.copy_from_slice(params);
        }
        state.kept.copy_from_slice(&state.params);
        if !state.average.is_empty() {
            state.average.copy_from_slice(&state.params);
        }
        Ok(state)
    }

    /// The parameters that are evaluated: the average, if there is one.
    pub fn model(&self) -> &[f32] {
        if self.average.is_empty() { &self.params } else { &self.average }
    }

    /// Keeps the model as it is now.
    pub fn keep(&mut self) {
        self.kept_epoch = self.at.epoch;
        let model = if self.average.is_empty() { &self.params } else { &self.average };
        self.kept.copy_from_slice(model);
    }

    /// The validation accuracy of the model that is kept; `None` before the first epoch and without validation images.
    pub fn val_accuracy(&self) -> Option<f64> {
        self.kept_epoch.checked_sub(1).and_then(|n| self.epochs[n].val_accuracy)
    }

    /// Ends an epoch: keeps its model, unless an earlier one was better and the recipe waits. Returns whether the recipe
    /// has waited long enough.
    pub fn end_epoch(&mut self, epoch: Epoch, patience: usize, monitor: Monitor) -> bool {
        let figure = |e: &Epoch| match monitor {
            Monitor::Accuracy => e.val_accuracy,
            Monitor::Loss => e.val_loss.map(|loss| -loss),
        };
        let kept = self.epochs.get(self.kept_epoch.wrapping_sub(1)).and_then(figure);
        // Without validation samples there is nothing to wait for.
        let better = patience == 0 || figure(&epoch).is_none() || figure(&epoch) > kept;
        self.at = Position { epoch: self.at.epoch + 1, steps: self.at.steps, ..Position::default() };
        self.epochs.push(epoch);
        if better {
            self.keep();
        }
        patience > 0 && self.at.epoch - self.kept_epoch >= patience
    }

    /// The tensors of a checkpoint, by name.
    pub fn tensors(&self) -> [(&'static str, &[f32]); 4] {
        [
            ("params", &self.params),
            ("moments", &self.moments),
            ("average", &self.average),
            ("kept", &self.kept),
        ]
    }

    /// The same, to be read from a checkpoint.
    pub fn tensors_mut(&mut self) -> [(&'static str, &mut [f32]); 4] {
        [
            ("params", &mut self.params),
            ("moments", &mut self.moments),
            ("average", &mut self.average),
            ("kept", &mut self.kept),
        ]
    }
}
