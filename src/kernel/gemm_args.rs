//! The arguments of a product, `C(m,n) = epilogue(A(m,k) * B(k,n))`, and the check of their shapes.

use super::epilogue::Epilogue;
use crate::mat::{Mat, MatMut};

/// A range of indices: the first, and the one after the last.
pub(super) type Range = (usize, usize);

/// Where a packed or borrowed micro-panel of B is: its address, and the floats from step to step of K.
pub(super) type BPanel = (*const f32, usize);

/// Where row 0 of a packed or borrowed A would be, and its strides of rows and of steps of K.
pub(super) type ABlock = (*const f32, (usize, usize));

/// The arguments of one product.
pub(super) struct Gemm<'a> {
    pub a: Mat<'a>,
    pub b: Mat<'a>,
    pub c: MatMut<'a>,
    pub epilogue: Epilogue<'a>,
}

impl Gemm<'_> {
    /// `(m, k, n)`.
    #[inline(always)]
    pub(super) fn dims(&self) -> (usize, usize, usize) {
        (self.a.rows(), self.a.cols(), self.b.cols())
    }

    /// Asserts that the shapes agree.
    pub(super) fn check(&self) {
        let (m, k, n) = self.dims();
        assert!(self.b.rows() == k && self.c.rows() == m && self.c.cols() == n, "gemm: shapes disagree");
        match self.epilogue {
            Epilogue::Scale { .. } => {}
            Epilogue::Bias { bias, .. } => assert_eq!(bias.len(), n, "gemm: one bias for each column"),
            Epilogue::ReluMask { activations } => {
                assert!(
                    activations.rows() == m && activations.cols() == n,
                    "gemm: one activation for each element"
                );
            }
        }
    }
}
