//! What a step does with the gradient of the mean loss.

/// Where the gradient of a batch goes.
#[derive(Debug)]
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
