//! The activation function of a layer.
//!
//! [`Shape::activation`](crate::Shape::activation) says which layer has which. It has no parameters, so the layout of the
//! parameter vector does not depend on it. [`naive::activate`](crate::naive::activate) and
//! [`naive::derivative`](crate::naive::derivative) are the formulas.

use core::fmt;

/// The slope of [`Activation::LeakyRelu`] below 0: the default of PyTorch and of ONNX.
pub const LEAKY_RELU_SLOPE: f32 = 0.01;

/// What a layer applies to its sums `z`. The number of each is its code in flash files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Activation {
    /// The sums themselves: the last layer, whose outputs are the logits, and linear hidden layers.
    Identity = 0,
    /// `max(z, 0)`: the default of hidden layers.
    Relu = 1,
    /// `z` where it is positive, else [`LEAKY_RELU_SLOPE`]` * z`.
    LeakyRelu = 2,
    /// `min(max(z, 0), 6)`.
    Relu6 = 3,
    /// `1 / (1 + exp(-z))`.
    Sigmoid = 4,
    /// `tanh(z)`.
    Tanh = 5,
    /// `z * clamp(z + 3, 0, 6) / 6`.
    HardSwish = 7,
}

impl Activation {
    /// The nonlinear functions, for hidden layers. [`Identity`](Self::Identity) is allowed there too, as in the bottleneck of
    /// an autoencoder.
    pub const HIDDEN: [Self; 6] =
        [Self::Relu, Self::LeakyRelu, Self::Relu6, Self::Tanh, Self::Sigmoid, Self::HardSwish];

    /// `identity`, `relu`, `leaky-relu`, `relu6`, `tanh`, `sigmoid` or `hard-swish`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky-relu",
            Self::Relu6 => "relu6",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::HardSwish => "hard-swish",
        }
    }

    /// The activation of a [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Identity].into_iter().chain(Self::HIDDEN).find(|activation| activation.name() == name)
    }

    /// Whether it is part of the product's own epilogue, in both directions.
    pub(crate) const fn is_fused(self) -> bool {
        matches!(self, Self::Relu | Self::Identity)
    }

    /// Whether its derivative needs the sums, since its outputs do not tell them.
    pub(crate) const fn needs_sums(self) -> bool {
        matches!(self, Self::HardSwish)
    }
}

/// Its name.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Activation;

    #[test]
    fn names_are_read_back() {
        for activation in Activation::HIDDEN.into_iter().chain([Activation::Identity]) {
            assert_eq!(Activation::from_name(activation.name()), Some(activation));
        }
        assert_eq!(Activation::from_name("Relu"), None);
    }
}
