//! The activation function of a layer.
//!
//! [`Shape::activation`](crate::Shape::activation) says which layer has which. It has no parameters, so the layout of the
//! parameter vector does not depend on it. Its derivative is applied in `mlp/backward.rs` by the kernel in
//! `kernel/input_gradient.rs`.

/// What a layer applies to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activation {
    /// The sums themselves: the last layer, whose outputs are the logits.
    Identity,
    /// `max(z, 0)`: every hidden layer.
    Relu,
}

impl Activation {
    /// `identity` or `relu`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
        }
    }
}
