//! Evaluation: the loss and the correct rows of a batch, without a step.

use super::{Fill, Mlp, Regularize, StepStats, Workspace};
use crate::error::Error;
use crate::parallel::{Executor, divide};

impl Mlp {
    /// The loss and the correct rows of the batch whose rows `fill` writes and whose classes are `labels(b)`. A loss that is
    /// infinite or not a number is returned as it is.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters, [`Error::Batch`] and [`Error::Label`] for the batch.
    ///
    /// # Panics
    /// If `workspace` was made for another shape.
    pub fn evaluate<T: Executor>(
        &self,
        executor: &T,
        params: &[f32],
        workspace: &mut Workspace<'_>,
        labels: &[u8],
        fill: &impl Fill,
    ) -> Result<StepStats, Error> {
        self.loss.check(labels, self.shape.outputs())?;
        let layers = self.shape.split(params)?;
        let rows = workspace.rows(self.shape, labels)?;
        let correct = divide(executor, rows, &|mut rows| {
            self.forward_rows(&layers, &mut rows.forward, fill, Regularize::NONE);
            let logits = &mut *rows.forward.logits;
            self.loss.logit_gradient(self.backend, logits, rows.labels, rows.losses, 1.0, Regularize::NONE)
        });
        Ok(StepStats { loss_sum: workspace.loss_sum(labels.len()), correct })
    }
}
