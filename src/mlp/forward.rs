//! The forward pass: `z[l] = a[l-1] W[l] + bias[l]`, `a[l] = f(z[l])` with the activation `f` of the layer.

use super::workspace::{ForwardRows, Rows};
use super::{Activations, Fill, Mlp, Regularize};
use crate::activation::Activation;
use crate::error::Error;
use crate::kernel;
use crate::mat::{Mat, MatMut};
use crate::parallel::{Executor, divide};

impl Mlp {
    /// The logits `(b, o)` of a batch of `b` rows that `fill` writes.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters, [`Error::Batch`] for a batch that does not fit.
    ///
    /// # Panics
    /// If `activations` were made for another shape.
    pub fn forward<'w, T: Executor>(
        &self,
        executor: &T,
        params: &[f32],
        activations: &'w mut Activations<'_>,
        b: usize,
        fill: &impl Fill,
    ) -> Result<&'w [f32], Error> {
        self.shape.check(params)?;
        activations.check(&self.shape, b)?;
        let rows = activations.rows(b, Rows::new());
        divide(executor, rows, &|mut rows| {
            self.forward_rows(params, &mut rows, fill, Regularize::NONE);
            0
        });
        Ok(activations.logits(b))
    }

    /// Takes some rows of the batch from the input to the logits, by parameters that were checked.
    pub(super) fn forward_rows(
        &self,
        params: &[f32],
        rows: &mut ForwardRows<'_>,
        fill: &impl Fill,
        regularize: Regularize,
    ) {
        fill(rows.first, rows.x);
        let mut input: &[f32] = rows.x;
        let hidden = rows.hidden.iter_mut().map(|a| &mut **a);
        for (l, z) in hidden.chain([&mut *rows.logits]).enumerate() {
            let layer = self.shape.layer(params, l);
            let (i, o) = (self.shape.width(l), self.shape.width(l + 1));
            let activation = self.shape.activation(l);
            kernel::dense(
                self.backend,
                Mat::new(input, rows.b, i),
                Mat::new(layer.weights, i, o),
                layer.biases,
                activation == Activation::Relu,
                MatMut::new(z, rows.b, o),
            );
            if activation.needs_sums()
                && let Some(sums) = rows.sums.get_mut(l)
            {
                sums.copy_from_slice(z);
            }
            if !activation.is_fused() {
                kernel::activate(self.backend, activation, z);
            }
            if l + 1 < self.shape.layers() {
                regularize.drop_units(l, rows.first, o, z);
            }
            input = z;
        }
    }
}
