//! The loss of a batch, and its gradient at the logits, where the backward pass starts.

use super::{Mlp, Regularize};
use crate::error::Error;
use crate::kernel;
use crate::loss::Loss;
use crate::targets::{Kind, Targets};

impl Mlp {
    /// Refuses targets that the loss cannot compare with the outputs, and label smoothing where there are no labels to smooth.
    pub(super) fn check(&self, targets: Targets<'_>, regularize: Regularize) -> Result<(), Error> {
        regularize.check()?;
        if regularize.label_smoothing != 0.0 && self.loss != Loss::SoftmaxCrossEntropy {
            let expected = "0: only softmax cross entropy has labels to smooth";
            return Err(Error::Setting { name: "label_smoothing", expected });
        }
        targets.check(self.loss, self.shape.outputs())
    }

    /// Replaces the logits `z(b,o)` by their gradient, of the summed loss times `factor`. Writes the loss of each row to
    /// `losses(b)`; returns the number of correct rows. The targets were checked.
    pub(super) fn logit_gradient(
        &self,
        z: &mut [f32],
        targets: Targets<'_>,
        losses: &mut [f32],
        factor: f32,
        regularize: Regularize,
    ) -> u32 {
        let correct = match (self.loss, targets.kind()) {
            (Loss::SoftmaxCrossEntropy, Kind::Labels(labels)) => {
                let correct = kernel::softmax_loss(self.backend, z, labels, losses);
                regularize.smooth(labels, z);
                correct
            }
            _ => kernel::value_loss(self.backend, self.loss, z, targets, losses),
        };
        let Some(weights) = targets.weights() else {
            z.iter_mut().for_each(|dz| *dz *= factor);
            return correct;
        };
        for ((row, loss), weight) in z.chunks_exact_mut(self.shape.outputs()).zip(losses).zip(weights) {
            *loss *= weight;
            row.iter_mut().for_each(|dz| *dz *= factor * weight);
        }
        correct
    }
}
