//! What happens to a finished sum of a product before it is stored: scaling, bias and ReLU, or the ReLU mask of the
//! backward pass. The micro-kernel and the sparse product apply it while the sum is still in a register.

use crate::mat::Mat;

/// The epilogue of a product `C = epilogue(A * B)`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Epilogue<'a> {
    /// `C = alpha * sum + beta * C`; `C` is not read where `beta` is 0.
    Scale { alpha: f32, beta: f32 },
    /// A layer forward: `C = sum + bias`, and 0 where that is negative if `relu`.
    Bias { bias: &'a [f32], relu: bool },
    /// ReLU's backward pass: `C = sum` where `activations(m,n)` is positive, else 0.
    ReluMask { activations: Mat<'a> },
}

impl Epilogue<'_> {
    /// Whether it is `C += A * B`, for which reproducible backends start their sums from `C`.
    pub(super) fn adds(self) -> bool {
        matches!(self, Self::Scale { alpha: 1.0, beta: 1.0 })
    }

    /// Whether the old `C` has a part in the new one.
    pub(super) fn reads_c(self) -> bool {
        matches!(self, Self::Scale { beta, .. } if beta != 0.0)
    }
}
