//! The training step: forward, loss, backward, and the gradient of the parameters.
//!
//! `dW[l] = a[l-1]ᵀ dz[l]` and `dbias[l] = Σ_b dz[l]`. Plain gradient descent adds them to the parameters as they are
//! computed; for other optimizers they are written out.

use heapless::Vec;

use super::{Fill, Mlp, Regularize, StepStats, Workspace};
use crate::error::Error;
use crate::kernel;
use crate::mat::{Mat, MatMut};
use crate::optim::Update;
use crate::parallel::{Divide, Executor, divide, portion};
use crate::shape::{LayerMut, MAX_LAYERS, Shape};
use crate::targets::Targets;

impl Mlp {
    /// One step on the batch whose rows `fill` writes and whose targets are `targets`, labels `(b)` or values `(b, o)`:
    /// forward, loss, backward, and what `update` says.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters or gradient, [`Error::Batch`] for the batch, what [`Targets::check`]
    /// refuses, and [`Error::NonFiniteLoss`], after which the parameters are what they were before.
    ///
    /// # Panics
    /// If `workspace` was made for another shape.
    pub fn step<'t, T: Executor>(
        &self,
        executor: &T,
        params: &mut [f32],
        workspace: &mut Workspace<'_>,
        targets: impl Into<Targets<'t>>,
        fill: &impl Fill,
        update: Update<'_>,
    ) -> Result<StepStats, Error> {
        self.step_regularized(executor, params, workspace, targets, fill, update, Regularize::NONE)
    }

    /// As [`step`](Self::step), with label smoothing and dropout. The loss and the correct rows are those of the network
    /// with its dropout; the loss is the plain one, whatever the smoothing.
    ///
    /// # Errors
    /// As [`step`](Self::step), and [`Error::Fraction`] for smoothing or dropout that is not from 0 to below 1,
    /// [`Error::Setting`] for label smoothing with another loss than softmax cross entropy.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    #[allow(clippy::too_many_arguments)] // A step's, and one more.
    pub fn step_regularized<'t, T: Executor>(
        &self,
        executor: &T,
        params: &mut [f32],
        workspace: &mut Workspace<'_>,
        targets: impl Into<Targets<'t>>,
        fill: &impl Fill,
        update: Update<'_>,
        regularize: Regularize,
    ) -> Result<StepStats, Error> {
        let targets = targets.into();
        self.check(targets, regularize)?;
        let count = targets.rows(self.shape.outputs());
        let b = count as f32;
        let (factor, beta) = match update {
            Update::Sgd { learning_rate } => (-learning_rate / b, 1.0),
            Update::Gradient(_) => (1.0 / b, 0.0),
        };
        let correct = {
            self.shape.check(params)?;
            workspace.activations().check(&self.shape, count)?;
            divide(executor, workspace.rows(targets), &|mut rows| {
                self.forward_rows(params, &mut rows.forward, fill, regularize);
                self.backward_rows(params, &mut rows, factor, regularize)
            })
        };
        let loss_sum = workspace.loss_sum(count);
        if !loss_sum.is_finite() {
            return Err(Error::NonFiniteLoss);
        }
        let target = match update {
            Update::Sgd { .. } => params,
            Update::Gradient(gradient) => gradient,
        };
        self.shape.check(target)?;
        let rows = WeightRows::new(&self.shape, target);
        let saved: &Workspace<'_> = workspace;
        divide(executor, rows, &|mut rows| {
            self.weight_rows(saved, count, beta, &mut rows);
            0
        });
        Ok(StepStats { loss_sum, correct })
    }

    /// Writes, or with `beta` 1 adds, the gradient of some rows of every layer's weights, and of the biases.
    fn weight_rows(&self, saved: &Workspace<'_>, b: usize, beta: f32, rows: &mut WeightRows<'_>) {
        for (l, part) in rows.layers.iter_mut().enumerate() {
            let (i, o) = (self.shape.width(l), self.shape.width(l + 1));
            let dz = saved.delta(l, b);
            let count = part.weights.len() / o;
            if count > 0 {
                let xt = Mat::with_strides(&saved.input(l, b)[part.first..], count, b, 1, i);
                let dw = MatMut::new(&mut *part.weights, count, o);
                kernel::gemm(self.backend, 1.0, xt, Mat::new(dz, b, o), beta, dw);
            }
            kernel::column_sum(self.backend, 1.0, dz, beta, &mut *part.biases);
        }
    }
}

/// Rows of every layer's weights, to be updated by one worker; the biases go with the first rows.
struct WeightRows<'a> {
    layers: Vec<WeightPart<'a>, MAX_LAYERS>,
}

struct WeightPart<'a> {
    first: usize,
    weights: &'a mut [f32],
    biases: &'a mut [f32],
    outputs: usize,
}

impl<'a> WeightRows<'a> {
    fn new(shape: &Shape, params: &'a mut [f32]) -> Self {
        let part = |LayerMut { weights, biases }: LayerMut<'a>| {
            let outputs = biases.len();
            WeightPart { first: 0, weights, biases, outputs }
        };
        Self { layers: shape.layers_mut(params).map(part).collect() }
    }
}

impl Divide for WeightRows<'_> {
    fn rows(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.len() / layer.outputs).max().unwrap_or(0)
    }
    fn divide(self, part: usize, of: usize) -> (Self, Self) {
        let (mut left, mut right) = (Self { layers: Vec::new() }, Self { layers: Vec::new() });
        left.layers.extend(self.layers.into_iter().map(|layer| {
            let rows = portion(layer.weights.len() / layer.outputs, part, of);
            let (a, b) = layer.weights.split_at_mut(rows * layer.outputs);
            let rest = WeightPart { first: layer.first + rows, weights: b, biases: &mut [], ..layer };
            let _ = right.layers.push(rest);
            WeightPart { weights: a, ..layer }
        }));
        (left, right)
    }
}
