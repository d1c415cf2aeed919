//! The loss functions: what training minimizes. [`naive`](crate::naive) has their formulas, [`Targets`](crate::Targets) what they
//! compare the logits with.

use core::fmt;

/// The function that training minimizes, summed over the rows of a batch.
///
/// | loss | targets | of a row |
/// |---|---|---|
/// | `SoftmaxCrossEntropy` | labels | `-ln softmax(z)[label]` |
/// | `SigmoidCrossEntropy` | values from 0 to 1, or labels 0 and 1 for a single output | `Σ_o max(z, 0) - z t + ln(1 + exp(-\|z\|))` |
/// | `SquaredError` | values | `½ Σ_o (z - t)²` |
/// | `Huber` | values | `Σ_o ½ (z - t)²` where `\|z - t\| <= 1`, else `\|z - t\| - ½` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Loss {
    /// Cross entropy of the softmax of the logits, in nats. A target is the number of a class.
    #[default]
    SoftmaxCrossEntropy,
    /// Cross entropy of the sigmoid of each logit, in nats: independent labels, or two classes with one logit.
    SigmoidCrossEntropy,
    /// Half the squared distance from the targets: regression.
    SquaredError,
    /// The Huber loss with delta 1 (Huber, 1964): squared error near the target, absolute error far from it.
    Huber,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::SoftmaxCrossEntropy, Self::SigmoidCrossEntropy, Self::SquaredError, Self::Huber];

    /// `softmax-cross-entropy`, `sigmoid-cross-entropy`, `squared-error` or `huber`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoftmaxCrossEntropy => "softmax-cross-entropy",
            Self::SigmoidCrossEntropy => "sigmoid-cross-entropy",
            Self::SquaredError => "squared-error",
            Self::Huber => "huber",
        }
    }

    /// The loss of a [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|loss| loss.name() == name)
    }
}

/// Its name.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
