//! The call of the crate `matrixmultiply`, whose GEMM the `matrixmultiply` backend and the benchmarks use.
//!
//! It allocates its packing buffers on the heap, which is why it needs the feature `std`.
#![allow(unsafe_code)]

use crate::mat::{Mat, MatMut};

/// `C(m,n) = alpha * A(m,k) * B(k,n) + beta * C`.
pub(super) fn sgemm(alpha: f32, a: Mat<'_>, b: Mat<'_>, beta: f32, mut c: MatMut<'_>) {
    let (m, k, n) = (a.rows(), a.cols(), b.cols());
    assert!(b.rows() == k && c.rows() == m && c.cols() == n, "sgemm: shapes disagree");
    let stride = |s: usize| s as isize;
    // SAFETY: the views checked at construction that every element lies inside its slice, C is borrowed mutably, and
    // its rows do not overlap.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            alpha,
            a.data().as_ptr(),
            stride(a.row_stride()),
            stride(a.col_stride()),
            b.data().as_ptr(),
            stride(b.row_stride()),
            stride(b.col_stride()),
            beta,
            c.data_mut().as_mut_ptr(),
            stride(c.row_stride()),
            1,
        );
    }
}
