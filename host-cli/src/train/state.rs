//! A run between two steps: everything that the rest of it depends on, besides its recipe and its data.
//!
//! Random decisions are no part of it, since they follow from the seed and the position.

use selvedge::Shape;
use selvedge::optim::Optimizer;
use serde::{Deserialize, Serialize};

use super::Epoch;
use crate::error::{Error, Result};
use crate::memory::Floats;
use crate::recipe::Recipe;
use crate::sampling::Sampling;

/// How far a run is, and what its unfinished epoch came to so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Whole epochs done.
    pub epoch: usize,
    /// Steps done in the epoch behind them.
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
    /// The optimizer's, as its optimizer lays it out.
    pub moments: Floats,
    /// The running mean of the parameters; empty where the recipe asks for none.
    pub average: Floats,
    /// The model to keep: after the last epoch, or after the best one where the recipe waits for better ones.
    pub kept: Floats,
    /// The epoch of the model to keep, counted from 1; 0 is the initial weights.
    pub kept_epoch: usize,
    /// How far.
    pub at: Position,
    /// The epochs done.
    pub epochs: Vec<Epoch>,
}

impl State {
    /// A run that has not begun, with drawn weights or those that it starts `from`.
    ///
    /// # Errors
    /// Exit code 1 without the memory, 2 where the weights cannot be drawn.
    pub fn new(recipe: &Recipe, shape: Shape, from: Option<&[f32]>) -> Result<Self> {
        let mut state = Self::blank(recipe, shape)?;
        match from {
            Some(params) => state.params.copy_from_slice(params),
            None => {
                let mut draws = Sampling::new(recipe.rng, recipe.seed);
                draws.weights(recipe.init.0, shape, &mut state.params).map_err(Error::misused)?;
            }
        }
        state.kept.copy_from_slice(&state.params);
        if !state.average.is_empty() {
            state.average.copy_from_slice(&state.params);
        }
        Ok(state)
    }

    /// Memory for the state of a run, all zeros.
    ///
    /// # Errors
    /// Exit code 1 without the memory.
    pub fn blank(recipe: &Recipe, shape: Shape) -> Result<Self> {
        let params = |count: usize, purpose: &str| Floats::zeroed(count, &format!("{purpose} of {shape}"));
        let n = shape.params();
        Ok(Self {
            params: params(n, "the parameters")?,
            moments: params(
                recipe.optimizer().map_or(0, |r: Optimizer| r.state_floats(shape)),
                "the optimizer's state",
            )?,
            average: params(if recipe.ema > 0.0 { n } else { 0 }, "the average")?,
            kept: params(n, "a copy of the parameters")?,
            kept_epoch: 0,
            at: Position::default(),
            epochs: Vec::new(),
        })
    }

    /// The parameters that are evaluated: the average, if there is one.
    pub fn model(&self) -> &[f32] {
        if self.average.is_empty() { &self.params } else { &self.average }
    }

    /// Ends an epoch: keeps its model, unless an earlier one was better and the recipe waits. Returns whether the recipe
    /// has waited long enough.
    pub fn end_epoch(&mut self, epoch: Epoch, patience: usize) -> bool {
        let val = |number: usize| self.epochs.get(number.wrapping_sub(1)).and_then(|e| e.val_accuracy);
        let better = patience == 0 || epoch.val_accuracy > val(self.kept_epoch);
        self.at = Position { epoch: self.at.epoch + 1, steps: self.at.steps, ..Position::default() };
        self.epochs.push(epoch);
        if better {
            self.kept_epoch = self.at.epoch;
            let model = if self.average.is_empty() { &self.params } else { &self.average };
            self.kept.copy_from_slice(model);
        }
        patience > 0 && self.at.epoch - self.kept_epoch >= patience
    }

    /// The floats that a checkpoint holds, by name.
    pub fn tensors(&self) -> [(&'static str, &[f32]); 4] {
        [
            ("params", &self.params),
            ("moments", &self.moments),
            ("average", &self.average),
            ("kept", &self.kept),
        ]
    }

    /// The same, to write.
    pub fn tensors_mut(&mut self) -> [(&'static str, &mut [f32]); 4] {
        [
            ("params", &mut self.params),
            ("moments", &mut self.moments),
            ("average", &mut self.average),
            ("kept", &mut self.kept),
        ]
    }
}
