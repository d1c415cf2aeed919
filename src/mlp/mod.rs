//! The network: forward, backward by the chain rule, and a training step.
//!
//! With `a[0] = x` and `L` layers, a batch of `b` rows goes through
//!
//! ```text
//! forward   z[l]  = a[l-1] W[l] + bias[l]              a[l] = f(z[l])           loss(z[L], targets)
//! backward  dz[L] = loss'(z[L], targets) * factor      dz[l] = (dz[l+1] W[l+1]ᵀ) f'(z[l])
//! weights   dW[l] = a[l-1]ᵀ dz[l]                      dbias[l] = Σ_b dz[l]
//! ```
//!
//! The activation `f` of each hidden layer is the shape's, ReLU unless it says otherwise. The loss is one of [`Loss`]; the
//! gradient of softmax cross entropy is `softmax(z) - onehot(label)`, of sigmoid cross entropy `sigmoid(z) - t`, of squared
//! error `z - t`. The factor is `1 / b` for the gradient of the mean loss and `-learning_rate / b` for plain gradient descent, which
//! adds `dW` to the weights: scaling the few gradients of the logits scales every gradient that follows from them.
//!
//! A step has two phases, and the executor joins its workers after each. The first divides the rows of the batch: forward,
//! loss and backward of a row need nothing but that row and the old weights. The second divides the rows of every `W`.
//!
//! | file | holds |
//! |---|---|
//! | `forward.rs` | the forward pass |
//! | `loss.rs` | the loss and the gradient of the logits |
//! | `backward.rs` | the backward pass, with the derivatives of the activations |
//! | `evaluate.rs` | loss and accuracy without a step |
//! | `step.rs` | the step: the gradient of the weights, written out or added to them |
//! | `regularize.rs` | label smoothing and dropout |
//! | `init.rs` | initial weights |
//! | `workspace.rs` | the memory of a pass and of a step |

mod backward;
mod evaluate;
mod forward;
mod init;
mod loss;
mod regularize;
mod step;
mod workspace;

pub use init::Init;
pub use regularize::Regularize;
pub use workspace::{Activations, Workspace};

pub use crate::loss::Loss;
use crate::shape::Shape;
use crate::simd::Backend;

/// A network that owns nothing: its shape, its loss, and the backend that computes it. Parameters and workspace are passed
/// to every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mlp {
    /// The widths and the activations.
    pub shape: Shape,
    /// The backend that does the arithmetic.
    pub backend: Backend,
    /// What training minimizes.
    pub loss: Loss,
}

impl Mlp {
    /// A network with softmax cross entropy as its loss.
    #[must_use]
    pub const fn new(shape: Shape, backend: Backend) -> Self {
        Self { shape, backend, loss: Loss::SoftmaxCrossEntropy }
    }

    /// The same network with another loss.
    #[must_use]
    pub const fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// The same network on another backend.
    #[must_use]
    pub const fn with_backend(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }
}

/// The loss and the correct rows of a batch; of a step, those before it changed the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StepStats {
    /// The sum of the losses of the rows, each times the row's weight; cross entropy in nats.
    pub loss_sum: f64,
    /// The number of correct rows: of softmax cross entropy those whose largest logit is at the label, of sigmoid cross
    /// entropy those all of whose outputs lie on the target's side of ½; 0 of squared error and Huber.
    pub correct: u32,
}

/// Writes the rows of a batch from `first` on into the `(rows, i)` matrix that it is given. It is called once for each part
/// of the batch, on any worker.
pub trait Fill: Fn(usize, &mut [f32]) + Sync {}
impl<F: Fn(usize, &mut [f32]) + Sync> Fill for F {}
