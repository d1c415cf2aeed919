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
//! The factor `f` is `1 / b` for the gradient of the mean loss and `-learning_rate / b` for plain gradient descent, which
//! adds `dW` to the weights: scaling the few gradients of the logits scales every gradient that follows from them.
//!
//! A step has two phases, and the executor joins its workers after each. The first divides the rows of the batch: forward,
//! loss and backward of a row need nothing but that row and the old weights. The second divides the rows of every `W`.
//!
//! | file | holds |
//! |---|---|
//! | `forward.rs` | the forward pass |
//! | `loss.rs` | [`Loss`]: the loss and the gradient of the logits |
//! | `backward.rs` | the backward pass, with the derivative of ReLU |
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

use heapless::Vec;

pub use init::Init;
pub use loss::Loss;
pub use regularize::Regularize;
pub use workspace::{Activations, Workspace};

use crate::shape::{Layer, MAX_LAYERS, Shape};
use crate::simd::Backend;

/// A network that owns nothing: its shape, its loss, and the backend that computes it. Parameters and workspace are passed
/// to every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mlp {
    /// The widths.
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
    /// The sum of the losses of the rows: cross entropy in nats.
    pub loss_sum: f64,
    /// The number of rows whose largest logit is at the label.
    pub correct: u32,
}

/// Writes the rows of a batch from `first` on into the `(rows, i)` matrix that it is given. It is called once for each part
/// of the batch, on any worker.
pub trait Fill: Fn(usize, &mut [f32]) + Sync {}
impl<F: Fn(usize, &mut [f32]) + Sync> Fill for F {}

type Layers<'a> = Vec<Layer<'a>, MAX_LAYERS>;
