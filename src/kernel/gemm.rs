//! The matrix product, one register tile for every backend: `C = end(A * B)`.
//!
//! ```text
//! for each block of k                                   all of it, unless B is packed and k is long
//!   for each panel of a few vectors of C's columns      the panel of B is read row by row, in place or packed
//!     for each tile of rows of C                        its sums stay in registers (tile.rs)
//! ```
//!
//! `B` is read where it lies as long as the cache holds it, and packed panel by panel where it does not or where it is
//! transposed (pack.rs). `A` is never packed: it is read one element at a time with any strides, so that a transposed `A`
//! costs nothing. Every element is one sum over `k` in order, in one chain, from zero or, for `C += A * B` on exact backends,
//! from `C`: its bits depend neither on blocks, nor on its place in a tile, nor on how rows are spread over threads.
//!
//! Backends of one lane do not tile: they leave out the terms whose `A` is zero, in [`skip`](super::skip). A backend that
//! promises the same bits computes a product again in that way where leaving out could make a difference.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use super::pack::Packed;
use super::skip;
use super::tile::{End, Panel, Rows};
use crate::mat::{Mat, MatMut};
use crate::simd::{Kernel, Simd};

/// Bytes of B, from its first element to its last, up to which it is read in place.
const IN_PLACE: usize = 512 * 1024;

/// The arguments of one product.
pub(super) struct Gemm<'a> {
    pub a: Mat<'a>,
    pub b: Mat<'a>,
    pub c: MatMut<'a>,
    pub end: End<'a>,
}

impl Kernel for Gemm<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        assert!(self.b.rows() == k && self.c.rows() == m && self.c.cols() == n, "gemm: shapes disagree");
        match self.end {
            End::Scale { .. } => {}
            End::Bias { bias, .. } => assert_eq!(bias.len(), n, "gemm: one bias for each column"),
            End::Gate { gate } => {
                assert!(gate.rows() == m && gate.cols() == n, "gemm: one gate for each element");
            }
        }
        if S::LANES == 1 || S::EXACT && skip::matters_before(&mut self) {
            skip::product(&mut self);
            return;
        }
        let bytes = size_of::<f32>() * k * self.b.row_stride();
        if self.b.col_stride() == 1 && (bytes <= IN_PLACE || m < 2 * S::TILE_ROWS) || n == 1 {
            self.in_place(s);
        } else {
            self.packed(s);
        }
        if S::EXACT && skip::matters_behind(&mut self) {
            skip::product(&mut self);
        }
    }
}

impl<'a> Gemm<'a> {
    /// The panel of `B` in place, with all of `k`, from `column` on.
    #[inline(always)]
    fn panel<S: Simd>(&mut self, _: S, column: usize, lanes: usize) -> Panel<'a> {
        let from_c = S::EXACT && self.end.adds();
        let c = self.c.data_mut().as_mut_ptr().wrapping_add(column);
        Panel {
            k: self.a.cols(),
            a: self.a.data().as_ptr(),
            a_strides: (self.a.row_stride(), self.a.col_stride()),
            b: self.b.data().as_ptr().wrapping_add(column * self.b.col_stride()),
            b_stride: self.b.row_stride(),
            sums: c,
            sums_stride: self.c.row_stride(),
            first: !from_c,
            last: !from_c,
            c,
            c_stride: self.c.row_stride(),
            fetch_c: size_of::<f32>() * self.c.rows() * self.c.row_stride() > IN_PLACE,
            column,
            lanes,
            end: self.end,
        }
    }

    #[inline(always)]
    fn in_place<S: Simd>(&mut self, s: S) {
        let (m, n) = (self.c.rows(), self.c.cols());
        let mut column = 0;
        while column < n {
            let vectors = vectors::<S>(m, n - column);
            let cols = (vectors * S::LANES).min(n - column);
            let lanes = cols - (vectors - 1) * S::LANES;
            let panel = self.panel(s, column, lanes);
            // SAFETY: `column < n`, so the first element of the panel lies in the views of B and C if they have rows; the
            // tile reads and writes only for `p < k` and `r < m`, where the views' constructors checked the bounds.
            unsafe { panel_rows(s, &panel, vectors, 0, m) };
            column += cols;
        }
    }

    /// Blocks of `k` stay in order. Sums between two blocks lie in C, or on the stack where the old C still matters.
    #[inline(always)]
    fn packed<S: Simd>(&mut self, s: S) {
        /// Rows whose sums lie on the stack at once.
        const ROWS: usize = 64;
        /// Floats of a row of them; no backend's panel is wider.
        const WIDTH: usize = 32;
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        let width = S::TILE_VECTORS * S::LANES;
        let block = Packed::rows(width);
        let mut sums = [MaybeUninit::<f32>::uninit(); ROWS * WIDTH];
        let mut packed = Packed::new();
        let aside = self.end.reads_c() && !(S::EXACT && self.end.adds()) && k > block;
        let (m_step, n_step) = if aside { (ROWS, width) } else { (m, n) };
        for row in (0..m).step_by(m_step.max(1)) {
            for columns in (0..n).step_by(n_step.max(1)) {
                for p in (0..k.max(1)).step_by(block) {
                    for column in (columns..n.min(columns + n_step)).step_by(width) {
                        let cols = width.min(n - column);
                        let vectors = cols.div_ceil(S::LANES);
                        let mut panel = self.panel(s, column, cols - (vectors - 1) * S::LANES);
                        panel.k = block.min(k - p);
                        panel.a = panel.a.wrapping_add(p * panel.a_strides.1);
                        panel.b = packed.pack(s, self.b, (p, panel.k), (column, cols), width);
                        panel.b_stride = width;
                        panel.first &= p == 0;
                        panel.last &= p + panel.k == k;
                        if aside {
                            panel.sums = sums.as_mut_ptr().cast::<f32>().wrapping_sub(row * WIDTH);
                            panel.sums_stride = WIDTH;
                        }
                        // SAFETY: as in `in_place`; the packed panel has `panel.k` rows, and the sums of rows
                        // `row..row + ROWS` lie in `sums`.
                        unsafe { panel_rows(s, &panel, vectors, row, m.min(row + m_step)) };
                    }
                }
            }
        }
    }
}

/// Vectors of the next panel, of `cols` columns at least. Few rows make few sums, so that wide panels fit the registers:
/// they hide the latency of additions, and read B in longer stretches.
#[inline(always)]
fn vectors<S: Simd>(m: usize, cols: usize) -> usize {
    let whole = cols / S::LANES;
    if m == 1 && whole >= 8 && S::TILE_ROWS * S::TILE_VECTORS >= 8 {
        8
    } else if m <= 3 && whole >= 4 {
        4
    } else {
        S::TILE_VECTORS.min(cols.div_ceil(S::LANES))
    }
}

/// Rows `from..to` of a panel.
///
/// # Safety
/// The panel's pointers are good for `to` rows.
#[inline(always)]
unsafe fn panel_rows<S: Simd>(s: S, panel: &Panel<'_>, vectors: usize, from: usize, to: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match (vectors, panel.lanes == S::LANES) {
            (8, _) => s.outlined(Rows::<8, false>::new(panel, from, to)),
            (4, _) => s.outlined(Rows::<4, false>::new(panel, from, to)),
            (3, true) => s.outlined(Rows::<3, false>::new(panel, from, to)),
            (3, false) => s.outlined(Rows::<3, true>::new(panel, from, to)),
            (2, true) => s.outlined(Rows::<2, false>::new(panel, from, to)),
            (2, false) => s.outlined(Rows::<2, true>::new(panel, from, to)),
            (_, true) => s.outlined(Rows::<1, false>::new(panel, from, to)),
            (_, false) => s.outlined(Rows::<1, true>::new(panel, from, to)),
        }
    }
}
