//! The loss: what the logits of a batch cost, and the gradient of that cost at the logits, where the backward pass starts.

use super::Regularize;
use crate::error::Error;
use crate::kernel;
use crate::simd::Backend;

/// The function that training minimizes, summed over the rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Loss {
    /// Cross entropy of the softmax of the logits, in nats. A target is the number of a class.
    #[default]
    SoftmaxCrossEntropy,
}

impl Loss {
    /// Refuses labels that are no output of the network.
    pub(super) fn check(self, labels: &[u8], outputs: usize) -> Result<(), Error> {
        let Self::SoftmaxCrossEntropy = self;
        match labels.iter().enumerate().find(|&(_, &label)| usize::from(label) >= outputs) {
            Some((row, &label)) => Err(Error::Label { row, label, classes: outputs }),
            None => Ok(()),
        }
    }

    /// Replaces the logits `z(b,o)` by their gradient, of the summed loss times `factor`. Writes the loss of each row to
    /// `losses(b)`; returns the number of rows whose largest logit is at the label.
    pub(super) fn logit_gradient(
        self,
        backend: Backend,
        z: &mut [f32],
        labels: &[u8],
        losses: &mut [f32],
        factor: f32,
        regularize: Regularize,
    ) -> u32 {
        let Self::SoftmaxCrossEntropy = self;
        let correct = kernel::softmax_loss(backend, z, labels, losses);
        regularize.smooth(labels, z);
        z.iter_mut().for_each(|dz| *dz *= factor);
        correct
    }
}
