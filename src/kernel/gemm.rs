//! The matrix product, one register tile for every backend: `C = alpha * A * B + beta * C`, or `C = relu(A * B + bias)`.
//!
//! ```text
//! for each panel of two vectors of C's columns            the panel of B is read row by row, in place
//!   for each tile of up to TILE_ROWS rows of C            its accumulators stay in registers
//!     for p in 0..k                                       in this order for every element, whatever the tile
//!       acc[r][v] += A[r][p] * B[p][v]
//!     C = end(acc)                                        scale and add, or bias and ReLU
//! ```
//!
//! Nothing is packed: the rows of `B` are read where they lie, and `A` one element at a time with any strides, so that a
//! transposed `A` costs nothing. Every element is one sum over `k` in order, in one chain, from zero or, for `C += A * B`
//! on exact backends, from `C`: its bits depend neither on its place in a tile nor on how rows are spread over threads.
//!
//! Backends of one lane do not tile: they leave out the terms whose `A` is zero, in [`skip`](super::skip). A backend that
//! promises the same bits sums a tile again in that way where leaving out could make a difference.
#![allow(unsafe_code)]

use super::skip;
use crate::mat::{Mat, MatMut};
use crate::simd::{Kernel, Simd};

/// What happens to a finished sum.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<'a> {
    /// `C = alpha * sum + beta * C`; `C` is not read where `beta` is 0.
    Scale { alpha: f32, beta: f32 },
    /// `C = sum + bias`, and 0 where that is negative if `relu`.
    Bias { bias: &'a [f32], relu: bool },
}

impl End<'_> {
    /// Whether it is `C += A * B`, for which exact backends start their sums from `C`.
    pub(super) fn adds(self) -> bool {
        matches!(self, Self::Scale { alpha: 1.0, beta: 1.0 })
    }

    /// Whether the old `C` has a part in the new one.
    pub(super) fn reads_c(self) -> bool {
        !matches!(self, Self::Scale { beta: 0.0, .. } | Self::Bias { .. })
    }
}

/// The arguments of one product.
pub(super) struct Gemm<'a> {
    pub a: Mat<'a>,
    pub b: Mat<'a>,
    pub c: MatMut<'a>,
    pub end: End<'a>,
}

/// One panel of columns, as pointers into views whose bounds were checked.
#[derive(Clone, Copy)]
struct Panel<'a> {
    k: usize,
    a: *const f32,
    a_strides: (usize, usize),
    b: *const f32,
    b_stride: usize,
    c: *mut f32,
    c_stride: usize,
    /// First column of the panel.
    column: usize,
    /// Lanes of the last vector that are columns of C; `LANES` if all are.
    last: usize,
    end: End<'a>,
}

impl Kernel for Gemm<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        assert!(self.b.rows() == k && self.c.rows() == m && self.c.cols() == n, "gemm: shapes disagree");
        assert!(self.b.col_stride() == 1 || n <= 1, "gemm: B must be row-major");
        if let End::Bias { bias, .. } = self.end {
            assert_eq!(bias.len(), n, "gemm: one bias for each column");
        }
        if S::LANES == 1 || S::EXACT && skip::matters_before(&mut self) {
            skip::product(&mut self);
            return;
        }
        let width = 2 * S::LANES;
        for column in (0..n).step_by(width) {
            let cols = width.min(n - column);
            let vectors = cols.div_ceil(S::LANES);
            let last = cols - (vectors - 1) * S::LANES;
            // SAFETY: `column < n`, so the first element of the panel lies in the views of B and C if they have rows;
            // the pointers are read only for `p < k` and `r < m`, where the views' constructors checked the bounds.
            let panel = Panel {
                k,
                a: self.a.data().as_ptr(),
                a_strides: (self.a.row_stride(), self.a.col_stride()),
                b: self.b.data().as_ptr().wrapping_add(column),
                b_stride: self.b.row_stride(),
                c: self.c.data_mut().as_mut_ptr().wrapping_add(column),
                c_stride: self.c.row_stride(),
                column,
                last,
                end: self.end,
            };
            unsafe {
                match (vectors, last == S::LANES) {
                    (2, true) => rows::<S, 2, false>(s, panel, m),
                    (2, false) => rows::<S, 2, true>(s, panel, m),
                    (_, true) => rows::<S, 1, false>(s, panel, m),
                    (_, false) => rows::<S, 1, true>(s, panel, m),
                }
            }
        }
        if S::EXACT && skip::matters_behind(&mut self) {
            skip::product(&mut self);
        }
    }
}

/// All rows of a panel, in tiles. A remainder is cut so that the tiles stay tall: eight rows are two tiles of four, not
/// six and two, since a short tile cannot hide the latency of its additions.
///
/// # Safety
/// The panel's pointers are good for `m` rows.
#[inline(always)]
unsafe fn rows<S: Simd, const NV: usize, const PARTIAL: bool>(s: S, panel: Panel<'_>, m: usize) {
    let mut row = 0;
    while row < m {
        let left = m - row;
        // SAFETY: each tile covers rows below `m`.
        row += unsafe {
            if left >= 8 && S::TILE_ROWS == 8 {
                tile::<S, 8, NV, PARTIAL>(s, panel, row)
            } else if left >= 6 && left != 8 && S::TILE_ROWS == 6 {
                tile::<S, 6, NV, PARTIAL>(s, panel, row)
            } else if left >= 4 {
                tile::<S, 4, NV, PARTIAL>(s, panel, row)
            } else if left >= 2 {
                tile::<S, 2, NV, PARTIAL>(s, panel, row)
            } else {
                tile::<S, 1, NV, PARTIAL>(s, panel, row)
            }
        };
    }
}

/// `MR` rows of a panel of `NV` vectors, the last of which is `PARTIAL`; returns `MR`.
///
/// # Safety
/// The panel's pointers are good for rows `row..row + MR`.
#[inline(always)]
unsafe fn tile<S: Simd, const MR: usize, const NV: usize, const PARTIAL: bool>(
    s: S,
    panel: Panel<'_>,
    row: usize,
) -> usize {
    let Panel { k, a_strides: (rsa, csa), b_stride, c_stride, last, .. } = panel;
    let mut acc = [[s.splat(0.0); NV]; MR];
    // SAFETY: by the function's contract, and columns beyond `last` are not touched.
    unsafe {
        if S::EXACT && panel.end.adds() {
            for (r, acc) in acc.iter_mut().enumerate() {
                for (v, acc) in acc.iter_mut().enumerate() {
                    let from = panel.c.add((row + r) * c_stride + v * S::LANES).cast_const();
                    *acc = if PARTIAL && v + 1 == NV { s.load_first(last, from) } else { s.load(from) };
                }
            }
        }
        let mut a = panel.a.wrapping_add(row * rsa);
        let mut b = panel.b;
        for _ in 0..k {
            let mut bv = [s.splat(0.0); NV];
            for (v, bv) in bv.iter_mut().enumerate() {
                let from = b.add(v * S::LANES);
                *bv = if PARTIAL && v + 1 == NV { s.load_first(last, from) } else { s.load(from) };
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                let av = s.splat(*a.add(r * rsa));
                for (acc, &bv) in acc.iter_mut().zip(&bv) {
                    *acc = s.mul_add(av, bv, *acc);
                }
            }
            a = a.wrapping_add(csa);
            b = b.wrapping_add(b_stride);
        }
        for (r, acc) in acc.iter().enumerate() {
            for (v, &sum) in acc.iter().enumerate() {
                let to = panel.c.add((row + r) * c_stride + v * S::LANES);
                let lanes = if PARTIAL && v + 1 == NV { last } else { S::LANES };
                finish(s, panel.end, sum, panel.column + v * S::LANES, to, lanes);
            }
        }
    }
    MR
}

/// Writes one vector of finished sums that starts at `column` of C.
///
/// # Safety
/// `lanes` floats at `to` are readable and writable.
#[inline(always)]
unsafe fn finish<S: Simd>(s: S, end: End<'_>, sum: S::V, column: usize, to: *mut f32, lanes: usize) {
    // SAFETY: the caller's promise.
    let c = unsafe { core::slice::from_raw_parts_mut(to, lanes) };
    let out = match end {
        End::Scale { .. } if S::EXACT && end.adds() => sum,
        End::Scale { alpha, beta: 0.0 } => s.mul(s.splat(alpha), sum),
        End::Scale { alpha, beta } => {
            let old = s.read(c);
            let old = if beta == 1.0 { old } else { s.mul(s.splat(beta), old) };
            s.mul_add(s.splat(alpha), sum, old)
        }
        End::Bias { bias, relu } => {
            let z = s.add(sum, s.read(&bias[column..][..lanes]));
            if relu { s.max(s.splat(0.0), z) } else { z }
        }
    };
    s.write(out, c);
}
