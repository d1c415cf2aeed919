//! What a step does with the gradient of the mean loss: plain descent while the products are taken, or a [`Rule`] that
//! follows a gradient which was written out.
//!
//! A rule's state has the layout of the parameters, once or twice, and is lent by the caller, zeroed at first. One pass
//! reads gradient, state and parameters and writes the last two; a team shares it by ranges of parameters, so that the
//! bits depend on nobody's number. Decay is decoupled (Loshchilov and Hutter, 2019), in units of the learning rate, and
//! spares the biases.

mod rule;
mod schedule;

pub use rule::{Follow, Rule, average, norm};
pub use schedule::{Schedule, rate};

/// Where the gradient of a batch goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update<'a> {
    /// Plain stochastic gradient descent, `p -= rate * gradient`: the products add straight into the parameters, and no
    /// gradient is ever stored.
    Sgd {
        /// The learning rate.
        rate: f32,
    },
    /// The gradient is written here, in the layout of the parameters, which stay as they are.
    Gradient(&'a mut [f32]),
}
