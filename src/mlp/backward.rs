//! The backward pass: from the gradient of the logits to the gradient of every layer's sums.
//!
//! `dz[l] = (dz[l+1] W[l+1]ᵀ) where a[l] > 0`: the product carries the gradient through the weights, and the mask is the
//! derivative of ReLU, which is 1 where the activation is positive and 0 elsewhere, at 0 too.

use super::workspace::{ForwardRows, StepRows};
use super::{Layers, Mlp, Regularize};
use crate::kernel;
use crate::mat::{Mat, MatMut};

impl Mlp {
    /// Replaces the logits of some rows by their gradient, of the summed loss times `factor`, and carries it down to the
    /// first layer. Returns the number of correct rows.
    pub(super) fn backward_rows(
        &self,
        layers: &Layers<'_>,
        rows: StepRows<'_>,
        factor: f32,
        regularize: Regularize,
    ) -> u32 {
        let StepRows { forward, mut deltas, labels, losses } = rows;
        let ForwardRows { b, hidden, logits, .. } = forward;
        let correct = self.loss.logit_gradient(self.backend, logits, labels, losses, factor, regularize);
        let mut dz: &[f32] = logits;
        for (l, (a, dx)) in hidden.iter().zip(deltas.iter_mut()).enumerate().rev() {
            // Layer l + 1 has `i` inputs, the activations `a`, and `o` outputs, the gradient of whose sums is `dz`.
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
}
