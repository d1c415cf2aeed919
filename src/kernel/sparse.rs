//! The sparse (zero-skipping) product `C = epilogue(A * B)`: steps of K whose `A` is zero are skipped. Backends of one lane
//! use it for every product.
//!
//! A core that multiplies one pair at a time gains from every step that it skips, and half of the pixels of an image are zero.
//! One primitive ([`SparseProduct`]) serves the forward pass and the update of weights:
//!
//! ```text
//! forward   for p in 0..k, if x[p] is not 0      z    += x[p] * W[p]        one row of Z, the rows of W one by one
//! update    for r in 0..m, if x[r] is not 0      W[r] += x[r] * dz          one row of dZ, the rows of W one by one
//! ```
//!
//! Products are added in the order of K, each product and each sum rounded on its own. **Why skipping changes no bit** on the
//! vector backends that do not skip: a product `0 * b` is 0 or −0, and adding either to a sum changes it only if the sum is
//! −0. A sum that starts from 0 is never −0. There remain sums that start from a `C` of −0, and a `b` that is infinite or
//! NaN, where `0 * b` is NaN; in both cases reproducible vector backends fall back to skipping.
#![allow(unsafe_code)]

#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
mod cortex_m;

use super::epilogue::Epilogue;
use super::gemm_args::Gemm;
use crate::mat::Mat;

/// Columns from which rows of C are updated as a whole; with fewer, each element is summed in a register.
const MIN_ROW_COLUMNS: usize = 8;

/// Runs a product whose shapes were checked.
pub(super) fn product(gemm: &mut Gemm<'_>) {
    let by_rows = match gemm.epilogue {
        // The B of an input gradient is transposed, and has no rows to walk.
        Epilogue::Scale { alpha, beta } => {
            alpha == 1.0 && (beta == 0.0 || beta == 1.0) && gemm.b.col_stride() == 1
        }
        Epilogue::Bias { .. } => true,
        Epilogue::ReluMask { .. } => false,
    };
    if gemm.b.cols() < MIN_ROW_COLUMNS || !by_rows {
        elements(gemm);
        return;
    }
    let (m, k) = (gemm.a.rows(), gemm.a.cols());
    if !gemm.epilogue.adds() {
        (0..m).for_each(|r| gemm.c.row_mut(r).fill(0.0));
    }
    if m < k {
        // SAFETY: the shapes were checked, and `r` is a row of A and C.
        (0..m).for_each(|r| unsafe { SparseProduct::forward(gemm, r) }.run());
    } else {
        // SAFETY: the shapes were checked, and `p` is a column of A and a row of B.
        (0..k).for_each(|p| unsafe { SparseProduct::update(gemm, p) }.run());
    }
    if let Epilogue::Bias { bias, relu } = gemm.epilogue {
        for r in 0..m {
            for (z, b) in gemm.c.row_mut(r).iter_mut().zip(bias) {
                *z += b;
                *z = if relu && 0.0 > *z { 0.0 } else { *z };
            }
        }
    }
}

/// Whether skipping could make a difference to a product that cannot be computed again, since it changes a `C` that it
/// reads: where `C += A * B` starts from −0, and where `B` is not finite.
pub(super) fn zeros_matter_before(gemm: &mut Gemm<'_>) -> bool {
    if !gemm.epilogue.reads_c() {
        return false;
    }
    (0..gemm.b.rows()).any(|p| any(gemm.b.row(p), |x| !x.is_finite()))
        || gemm.epilogue.adds() && (0..gemm.a.rows()).any(|r| has_negative_zero(gemm.c.row_mut(r)))
}

/// Whether a row has a −0.
pub(super) fn has_negative_zero(row: &[f32]) -> bool {
    const NEGATIVE_ZERO: u32 = 0x8000_0000;
    any(row, |x| x.to_bits() == NEGATIVE_ZERO)
}

/// Whether a product that can be computed again, and in which nothing was skipped, shows that skipping makes a difference.
pub(super) fn zeros_matter_after(gemm: &mut Gemm<'_>) -> bool {
    !gemm.epilogue.reads_c() && (0..gemm.a.rows()).any(|r| any(gemm.c.row_mut(r), |c| c.is_nan()))
}

/// Whether the predicate holds for any element; without an early return, so that the loop is vectorized.
fn any(row: &[f32], predicate: impl Fn(&f32) -> bool) -> bool {
    row.iter().fold(false, |any, x| any | predicate(x))
}

/// Computes C element by element.
fn elements(gemm: &mut Gemm<'_>) {
    for r in 0..gemm.a.rows() {
        for column in 0..gemm.b.cols() {
            let (a, b) = (gemm.a, gemm.b);
            let sum = |first| element(first, &a, r, &b, column);
            let c = &mut gemm.c.row_mut(r)[column];
            *c = match gemm.epilogue {
                Epilogue::Scale { alpha: 1.0, beta: 1.0 } => sum(*c),
                Epilogue::Scale { alpha, beta: 0.0 } => alpha * sum(0.0),
                Epilogue::Scale { alpha, beta } => alpha * sum(0.0) + beta * *c,
                Epilogue::Bias { bias, relu } => {
                    let z = sum(0.0) + bias[column];
                    if relu && 0.0 > z { 0.0 } else { z }
                }
                Epilogue::ReluMask { activations } => {
                    if activations.at(r, column) > 0.0 {
                        sum(0.0)
                    } else {
                        0.0
                    }
                }
            };
        }
    }
}

/// The sum of row `r` of A times a column of B, on top of `sum`.
fn element(mut sum: f32, a: &Mat<'_>, r: usize, b: &Mat<'_>, column: usize) -> f32 {
    let mut left = a.data().as_ptr().wrapping_add(r * a.row_stride());
    let mut right = b.data().as_ptr().wrapping_add(column * b.col_stride());
    for _ in 0..a.cols() {
        // SAFETY: the views' constructors checked every element of the row and of the column.
        unsafe {
            let x = *left;
            if x != 0.0 {
                sum += x * *right;
            }
        }
        left = left.wrapping_add(a.col_stride());
        right = right.wrapping_add(b.row_stride());
    }
    sum
}

/// `to[t] += x[t] * from[t]` for each of `count` rows of `n` columns whose `x` is not zero. Steps are in elements; a step
/// of 0 stays on one row.
pub(super) struct SparseProduct {
    x: *const f32,
    x_step: usize,
    count: usize,
    from: *const f32,
    from_step: usize,
    to: *mut f32,
    to_step: usize,
    n: usize,
}

impl SparseProduct {
    /// Row `r` of A with the rows of B, into row `r` of C.
    ///
    /// # Safety
    /// [`Gemm::check`] found the shapes right, and `r` is a row of A. The product is run while `gemm` is borrowed.
    unsafe fn forward(gemm: &mut Gemm<'_>, r: usize) -> Self {
        let (a, b) = (gemm.a, gemm.b);
        Self {
            x: a.data().as_ptr().wrapping_add(r * a.row_stride()),
            x_step: a.col_stride(),
            count: a.cols(),
            from: b.data().as_ptr(),
            from_step: b.row_stride(),
            to: gemm.c.row_mut(r).as_mut_ptr(),
            to_step: 0,
            n: b.cols(),
        }
    }

    /// Column `p` of A with row `p` of B, into the rows of C.
    ///
    /// # Safety
    /// [`Gemm::check`] found the shapes right, and `p` is a column of A. The product is run while `gemm` is borrowed.
    unsafe fn update(gemm: &mut Gemm<'_>, p: usize) -> Self {
        let (a, b) = (gemm.a, gemm.b);
        Self {
            x: a.data().as_ptr().wrapping_add(p * a.col_stride()),
            x_step: a.row_stride(),
            count: a.rows(),
            from: b.row(p).as_ptr(),
            from_step: 0,
            to_step: gemm.c.row_stride(),
            to: gemm.c.data_mut().as_mut_ptr(),
            n: b.cols(),
        }
    }

    fn run(self) {
        #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
        // SAFETY: as in `columns`.
        let first = unsafe { cortex_m::whole_blocks(&self) };
        #[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf")))]
        let first = 0;
        if first < self.n {
            self.columns(first);
        }
    }

    /// The columns from `first` on.
    fn columns(&self, first: usize) {
        for t in 0..self.count {
            // SAFETY: by the constructors' contract every row that is reached is one of the views, and C is borrowed
            // mutably; A and B overlap it nowhere.
            unsafe {
                let x = *self.x.add(t * self.x_step);
                if x != 0.0 {
                    let len = self.n - first;
                    let from = self.from.add(t * self.from_step + first);
                    let to = self.to.add(t * self.to_step + first);
                    let from = core::slice::from_raw_parts(from, len);
                    for (to, from) in core::slice::from_raw_parts_mut(to, len).iter_mut().zip(from) {
                        *to += x * from;
                    }
                }
            }
        }
    }
}
