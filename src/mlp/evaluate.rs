//! Evaluation: the loss and the correct rows of a batch, without a step.

use super::{Fill, Mlp, Regularize, StepStats, Workspace};
use crate::error::Error;
use crate::parallel::{Executor, divide};
use crate::targets::Targets;

impl Mlp {
    /// The loss and the correct rows of the batch whose rows `fill` writes and whose targets are `targets`: labels `(b)` or
    /// values `(b, o)`. A loss that is infinite or not a number is returned as it is.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters, [`Error::Batch`] for the batch, and what [`Targets::check`] refuses.
    ///
    /// # Panics
    /// If `workspace` was made for another shape.
    pub fn evaluate<'t, T: Executor>(
        &self,
        executor: &T,
        params: &[f32],
        workspace: &mut Workspace<'_>,
        targets: impl Into<Targets<'t>>,
        fill: &impl Fill,
    ) -> Result<StepStats, Error> {
        let targets = targets.into();
        self.check(targets, Regularize::NONE)?;
        self.shape.check(params)?;
        let count = targets.rows(self.shape.outputs());
        workspace.activations().check(&self.shape, count)?;
        let correct = divide(executor, workspace.rows(targets), &|mut rows| {
            self.forward_rows(params, &mut rows.forward, fill, Regularize::NONE);
            let logits = &mut *rows.forward.logits;
            self.logit_gradient(logits, rows.targets, rows.losses, 1.0, Regularize::NONE)
        });
        Ok(StepStats { loss_sum: workspace.loss_sum(count), correct })
    }
}
