//! The network: forward, backward by the chain rule, and a training step.
//!
//! With `a[0] = x` and `L` layers, a batch of `b` rows goes through
//!
//! ```text
//! forward   z[l]  = a[l-1] W[l] + bias[l]              a[l] = relu(z[l])        probabilities = softmax(z[L])
//! backward  dz[L] = (probabilities - onehot(y)) * f    dz[l] = (dz[l+1] W[l+1]ᵀ) where a[l] > 0
//! weights   dW[l] = a[l-1]ᵀ dz[l]                      dbias[l] = Σ_b dz[l]
//! ```
//!
//! The factor `f` is `1 / b` for the gradient of the mean loss and `-rate / b` for plain gradient descent, which adds `dW`
//! to the weights: scaling the few deltas of the logits scales every gradient behind them.
//!
//! A step has two phases, and a team of workers joins after each. In the first the rows of the batch are spread: forward,
//! loss and all deltas of a row need nothing but that row and the old weights. In the second the rows of every `W` are
//! spread.

mod init;
mod regularize;
mod workspace;

use heapless::Vec;

pub use init::Init;
pub use regularize::Regularize;
pub use workspace::{Activations, Workspace};

use crate::error::Error;
use crate::kernel;
use crate::mat::{Mat, MatMut};
use crate::optim::Update;
use crate::parallel::{Divide, Executor, divide, share};
use crate::shape::{Layer, LayerMut, MAX_LAYERS, Shape};
use crate::simd::Backend;
use workspace::{ForwardRows, StepRows};

/// A network that owns nothing: a shape, and the backend that computes it. Parameters and workspace are passed to every
/// call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mlp {
    /// The widths.
    pub shape: Shape,
    /// Who does the arithmetic.
    pub backend: Backend,
}

/// What a step saw before it changed the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepStats {
    /// Σ of the rows' cross entropies, in nats.
    pub loss_sum: f64,
    /// Rows whose largest logit was at the label.
    pub correct: u32,
}

/// Writes rows `first..` of a batch into the `(rows, i)` matrix it is given; called once for each part of the batch, on
/// any worker.
pub trait Fill: Fn(usize, &mut [f32]) + Sync {}
impl<F: Fn(usize, &mut [f32]) + Sync> Fill for F {}

type Layers<'a> = Vec<Layer<'a>, MAX_LAYERS>;

impl Mlp {
    /// The logits `(b, o)` of a batch of `b` rows that `fill` writes.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters, [`Error::Batch`] for a batch that does not fit.
    ///
    /// # Panics
    /// If `activations` were made for another shape.
    pub fn forward<'w, T: Executor>(
        &self,
        team: &T,
        params: &[f32],
        activations: &'w mut Activations<'_>,
        b: usize,
        fill: &impl Fill,
    ) -> Result<&'w [f32], Error> {
        let layers = self.shape.split(params)?;
        let rows = activations.rows(self.shape, b)?;
        divide(team, rows, &|mut rows| {
            self.forward_rows(&layers, &mut rows, fill, Regularize::NONE);
            0
        });
        Ok(activations.logits(b))
    }

    /// One step on the batch whose rows `fill` writes and whose classes are `labels(b)`: forward, loss, backward, and
    /// what `update` says.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters or gradient, [`Error::Batch`] and [`Error::Label`] for the batch, and
    /// [`Error::NonFiniteLoss`], after which the parameters are what they were before.
    ///
    /// # Panics
    /// If `workspace` was made for another shape.
    pub fn step<T: Executor>(
        &self,
        team: &T,
        params: &mut [f32],
        workspace: &mut Workspace<'_>,
        labels: &[u8],
        fill: &impl Fill,
        update: Update<'_>,
    ) -> Result<StepStats, Error> {
        self.step_regularized(team, params, workspace, labels, fill, update, Regularize::NONE)
    }

    /// As [`step`](Self::step), with what keeps a network from learning its images by heart. The loss and the correct
    /// rows are those of the network with its dropout; the loss is plain cross entropy, whatever the smoothing.
    ///
    /// # Errors
    /// As [`step`](Self::step), and [`Error::Share`] for smoothing or dropout that is not from 0 to below 1.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    #[allow(clippy::too_many_arguments)] // A step's, and one more.
    pub fn step_regularized<T: Executor>(
        &self,
        team: &T,
        params: &mut [f32],
        workspace: &mut Workspace<'_>,
        labels: &[u8],
        fill: &impl Fill,
        update: Update<'_>,
        regularize: Regularize,
    ) -> Result<StepStats, Error> {
        regularize.check()?;
        let classes = self.shape.outputs();
        if let Some((row, &label)) = labels.iter().enumerate().find(|&(_, &l)| usize::from(l) >= classes) {
            return Err(Error::Label { row, label, classes });
        }
        let b = labels.len() as f32;
        let (factor, beta) = match update {
            Update::Sgd { rate } => (-rate / b, 1.0),
            Update::Gradient(_) => (1.0 / b, 0.0),
        };
        let correct = {
            let layers = self.shape.split(params)?;
            let rows = workspace.rows(self.shape, labels)?;
            divide(team, rows, &|mut rows| {
                self.forward_rows(&layers, &mut rows.forward, fill, regularize);
                self.backward_rows(&layers, rows, factor, regularize)
            })
        };
        let loss_sum = workspace.losses(labels.len()).iter().copied().map(f64::from).sum::<f64>();
        if !loss_sum.is_finite() {
            return Err(Error::NonFiniteLoss);
        }
        let target = match update {
            Update::Sgd { .. } => params,
            Update::Gradient(gradient) => gradient,
        };
        let rows = WeightRows::new(self.shape.split_mut(target)?);
        let saved: &Workspace<'_> = workspace;
        divide(team, rows, &|rows| {
            self.weight_rows(saved, labels.len(), beta, rows);
            0
        });
        Ok(StepStats { loss_sum, correct })
    }

    fn forward_rows(
        &self,
        layers: &Layers<'_>,
        rows: &mut ForwardRows<'_>,
        fill: &impl Fill,
        regularize: Regularize,
    ) {
        fill(rows.first, rows.x);
        let mut input: &[f32] = rows.x;
        let hidden = rows.hidden.iter_mut().map(|a| &mut **a);
        for (l, (layer, z)) in layers.iter().zip(hidden.chain([&mut *rows.logits])).enumerate() {
            let (i, o) = (self.shape.width(l), self.shape.width(l + 1));
            kernel::dense(
                self.backend,
                Mat::new(input, rows.b, i),
                Mat::new(layer.weights, i, o),
                layer.biases,
                l + 1 < layers.len(),
                MatMut::new(z, rows.b, o),
            );
            if l + 1 < layers.len() {
                regularize.drop_units(l, rows.first, o, z);
            }
            input = z;
        }
    }

    /// Turns the logits into their deltas times `factor` and carries them down to the first layer; returns the correct
    /// rows.
    fn backward_rows(
        &self,
        layers: &Layers<'_>,
        rows: StepRows<'_>,
        factor: f32,
        regularize: Regularize,
    ) -> u32 {
        let StepRows { forward, mut deltas, labels, losses } = rows;
        let ForwardRows { b, hidden, logits, .. } = forward;
        let correct = kernel::softmax_loss(self.backend, logits, labels, losses);
        regularize.smooth(labels, logits);
        logits.iter_mut().for_each(|dz| *dz *= factor);
        let mut dz: &[f32] = logits;
        for (l, (a, dx)) in hidden.iter().zip(deltas.iter_mut()).enumerate().rev() {
            // Layer l + 1 has `i` inputs, the activations `a`, and `o` outputs, whose deltas are `dz`.
            let (i, o) = (self.shape.width(l + 1), self.shape.width(l + 2));
            kernel::input_gradient(
                self.backend,
                Mat::new(dz, b, o),
                Mat::new(layers[l + 1].weights, i, o),
                Mat::new(a, b, i),
                MatMut::new(dx, b, i),
            );
            regularize.scale_kept(dx);
            dz = dx;
        }
        correct
    }

    fn weight_rows(&self, saved: &Workspace<'_>, b: usize, beta: f32, rows: WeightRows<'_>) {
        for (l, part) in rows.layers.into_iter().enumerate() {
            let (i, o) = (self.shape.width(l), self.shape.width(l + 1));
            let dz = saved.delta(l, b);
            let taken = part.weights.len() / o;
            if taken > 0 {
                let xt = Mat::with_strides(&saved.input(l, b)[part.first..], taken, b, 1, i);
                let dw = MatMut::new(part.weights, taken, o);
                kernel::gemm(self.backend, 1.0, xt, Mat::new(dz, b, o), beta, dw);
            }
            kernel::column_sum(self.backend, 1.0, dz, beta, part.biases);
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
    fn new(layers: Vec<LayerMut<'a>, MAX_LAYERS>) -> Self {
        let part = |LayerMut { weights, biases }: LayerMut<'a>| {
            let outputs = biases.len();
            WeightPart { first: 0, weights, biases, outputs }
        };
        Self { layers: layers.into_iter().map(part).collect() }
    }
}

impl Divide for WeightRows<'_> {
    fn rows(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.len() / layer.outputs).max().unwrap_or(0)
    }
    fn divide(self, part: usize, of: usize) -> (Self, Self) {
        let (mut left, mut right) = (Self { layers: Vec::new() }, Self { layers: Vec::new() });
        left.layers.extend(self.layers.into_iter().map(|layer| {
            let rows = share(layer.weights.len() / layer.outputs, part, of);
            let (a, b) = layer.weights.split_at_mut(rows * layer.outputs);
            let behind = WeightPart { first: layer.first + rows, weights: b, biases: &mut [], ..layer };
            let _ = right.layers.push(behind);
            WeightPart { weights: a, ..layer }
        }));
        (left, right)
    }
}
