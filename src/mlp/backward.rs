//! The backward pass: from the gradient of the logits to the gradient of every layer's sums.
//!
//! `dz[l] = (dz[l+1] W[l+1]ᵀ) f'(z[l])`: the product carries the gradient through the weights, and the derivative of the
//! activation `f` multiplies it. That of ReLU is a mask in the product itself, 1 where the activation is positive and 0
//! elsewhere, at 0 too. Those of others are taken from the activations by a kernel of their own, or from the sums where
//! the activations do not tell them.

use super::workspace::{ForwardRows, StepRows};
use super::{Mlp, Regularize};
use crate::activation::Activation;
use crate::kernel;
use crate::mat::{Mat, MatMut};

impl Mlp {
    /// Replaces the logits of some rows by their gradient, of the summed loss times `factor`, and carries it down to the
    /// first layer. Returns the number of correct rows.
    pub(super) fn backward_rows(
        &self,
        params: &[f32],
        rows: &mut StepRows<'_>,
        factor: f32,
        regularize: Regularize,
    ) -> u32 {
        let StepRows { forward, deltas, targets, losses } = rows;
        let ForwardRows { first, b, hidden, sums, logits, .. } = forward;
        let correct = self.logit_gradient(logits, *targets, losses, factor, regularize);
        let mut dz: &[f32] = logits;
        for (l, (a, dx)) in hidden.iter().zip(deltas.iter_mut()).enumerate().rev() {
            // Layer l + 1 has `i` inputs, the activations `a`, and `o` outputs, the gradient of whose sums is `dz`.
            let (i, o) = (self.shape.width(l + 1), self.shape.width(l + 2));
            let (dz_mat, w) = (Mat::new(dz, *b, o), Mat::new(self.shape.layer(params, l + 1).weights, i, o));
            let activation = self.shape.activation(l);
            if activation == Activation::Relu {
                let a = Mat::new(a, *b, i);
                kernel::input_gradient(self.backend, dz_mat, w, a, MatMut::new(dx, *b, i));
                regularize.scale_kept(dx);
            } else {
                kernel::input_gradient_linear(self.backend, dz_mat, w, MatMut::new(dx, *b, i));
                regularize.drop_units(l, *first, i, dx);
                let saved: &[f32] = if activation.needs_sums() { sums[l] } else { a };
                kernel::activation_gradient(self.backend, activation, saved, regularize.scale(), dx);
            }
            dz = dx;
        }
        correct
    }
}
