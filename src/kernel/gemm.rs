//! The product in single precision, one micro-kernel for every backend: `C = epilogue(A * B)`.
//!
//! ```text
//! B and C fit L2               for each micro-panel of C's columns      B is read row by row, in place
//!                                for each register tile                 micro_kernel.rs
//! otherwise, or B transposed   the blocked loop nest                    gemm_blocked.rs, over operands packed by pack.rs
//! one lane                     sparse.rs, without steps whose A is zero
//! ```
//!
//! `A` is read one element at a time with any strides, so that a transposed `A` costs nothing in itself. It is packed for one
//! reason: steps of K a multiple of 1 KB apart map to the same few sets of L1, and a tile of 32 of them misses it at each one.
//! Then a block of rows is packed for all micro-panels of a group, up to the K at which it no longer fits L1.
//!
//! For large K, A has been evicted by the time the first micro-panel of a group reads it, so the next rows are prefetched.
//! Every other micro-panel prefetches the part of B, or of a much larger A, that comes next.
//!
//! Where C has one block of rows, a micro-panel of B is used only once. Then a group is one micro-panel, which L1 holds, and
//! rows of B of whole cache lines are not packed: prefetched a panel ahead, they are near enough in place.
//!
//! Every element is one sum over K in order, in one chain, from zero or, for `C += A * B` on reproducible backends, from `C`:
//! its bits depend neither on blocks, nor on its place in a tile, nor on how rows are spread over threads.
//!
//! A product of a single row takes as long as reading `B` takes. Its tile skips the steps whose `A` is zero, with the bits
//! that it would have had: a product of 0 or −0 changes a sum of −0 only. On a backend that fuses, a sum becomes −0 where a
//! negative product is too small for a float, and stays so in the result where the bias is −0 too; a row with a −0 in it is
//! computed again with every step. Where `B` is infinite or NaN the step is skipped, as `scalar` and `portable` do.
//!
//! A backend of one lane uses no register tiles. A reproducible backend of more lanes computes a product again with
//! [`sparse`] where skipping could make a difference.
#![allow(unsafe_code)]

use super::epilogue::Epilogue;
use super::gemm_args::{ABlock, BPanel, Gemm, Range};
use super::gemm_blocked::{self, Packing, Position, panel_columns, panels};
use super::micro_kernel::{L2_BYTES, MicroPanel, Prefetch, has_wide_tile};
use super::pack::{A_BUFFER_FLOATS, PANEL_BUFFER_FLOATS, PackBuffer, evicts_itself};
use super::sparse;
use crate::arena::CACHE_LINE_FLOATS;
use crate::mat::Mat;
use crate::simd::{Kernel, Simd};

/// Floats of a micro-panel that stays in L1: three quarters of it.
const L1_PANEL_FLOATS: usize = 6 * 1024;
/// Register tiles of a block of rows (MC), all of whose micro-panels come before the next block.
const ROW_BLOCK_TILES: usize = 16;

impl Kernel for Gemm<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.check();
        let (m, k, n) = self.dims();
        if S::LANES == 1 || S::REPRODUCIBLE && sparse::zeros_matter_before(&mut self) {
            sparse::product(&mut self);
            return;
        }
        let fits_l2 = size_of::<f32>() * (k * self.b.row_stride()).max(m * self.c.row_stride()) <= L2_BYTES;
        let few_rows = m < 2 * S::TILE_ROWS.max(6);
        if self.b.col_stride() == 1 && (fits_l2 && !has_wide_tile::<S>() || few_rows) || n == 1 {
            let sparse_row =
                m == 1 && self.a.col_stride() == 1 && matches!(self.epilogue, Epilogue::Bias { .. });
            in_place(s, &mut self, sparse_row);
            if sparse_row && sparse::has_negative_zero(self.c.row_mut(0)) {
                in_place(s, &mut self, false);
            }
        } else {
            s.outlined(Blocked(&mut self));
        }
        if S::REPRODUCIBLE && sparse::zeros_matter_after(&mut self) {
            sparse::product(&mut self);
        }
    }
}

/// Whether accumulators start from C and end there without an epilogue.
const fn starts_from_c<S: Simd>(adds: bool) -> bool {
    S::REPRODUCIBLE && adds
}

/// The product with both operands in place.
#[inline(always)]
fn in_place<S: Simd>(s: S, gemm: &mut Gemm<'_>, sparse_row: bool) {
    let (m, n) = (gemm.c.rows(), gemm.c.cols());
    let from_c = starts_from_c::<S>(gemm.epilogue.adds());
    let mut column = 0;
    while column < n {
        let width = vectors::<S>(m, n - column) * S::LANES;
        // SAFETY: `column < n`, so the first element of the panel lies in the views of B and C if they have rows; the
        // micro-kernel reads and writes only steps below `k` and rows below `m`, whose bounds the views' constructors
        // checked. Where `sparse_row`, the elements of A are adjacent.
        unsafe {
            let panel = MicroPanel::new(s, gemm, column, width, from_c).with_sparse_row(sparse_row);
            panel.run::<S, false>(s, 0, m);
        }
        column += width;
    }
}

/// A product with packed operands, in a function of its own: a call touches every page of its large frame, which would slow
/// down the short products that pack nothing.
struct Blocked<'a, 'b>(&'b mut Gemm<'a>);

impl Kernel for Blocked<'_, '_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (k, from_c) = (self.0.a.cols(), starts_from_c::<S>(self.0.epilogue.adds()));
        let mut packing =
            F32Packing { b: PackBuffer::new(), a: PackBuffer::new(), packs_b: false, packs_a: false };
        gemm_blocked::product(s, self.0, &mut packing, k, from_c);
    }
}

/// How operands in single precision are blocked and packed.
struct F32Packing {
    b: PackBuffer<PANEL_BUFFER_FLOATS>,
    a: PackBuffer<A_BUFFER_FLOATS>,
    /// Whether B is packed, and A, as last decided.
    packs_b: bool,
    packs_a: bool,
}

impl F32Packing {
    /// Whether `rows` rows of C are one block, so that a micro-panel of B is used only once.
    const fn single_row_block<S: Simd>(rows: usize) -> bool {
        !has_wide_tile::<S>() && rows <= ROW_BLOCK_TILES * S::TILE_ROWS
    }

    /// The largest K of which a packed block of rows of A pays. Beyond, it does not stay in L1 beside B's micro-panel; tiles
    /// as narrow as those of six rows read A so often that L2 will do.
    const fn max_packed_a_k<S: Simd>() -> usize {
        if has_wide_tile::<S>() || S::LANES >= CACHE_LINE_FLOATS { 128 } else { 256 }
    }
}

impl Packing for F32Packing {
    const BF16: bool = false;

    /// As many steps as the buffer holds of a micro-panel, or L1.
    #[inline(always)]
    fn max_k_block<S: Simd>() -> usize {
        const { assert!(L1_PANEL_FLOATS <= PANEL_BUFFER_FLOATS && panel_columns::<S>() <= L1_PANEL_FLOATS) };
        let floats = if has_wide_tile::<S>() { L1_PANEL_FLOATS } else { PANEL_BUFFER_FLOATS };
        floats / panel_columns::<S>()
    }

    /// Blocks of about the same length.
    #[inline(always)]
    fn k_block<S: Simd>(k: usize) -> usize {
        k.div_ceil(k.div_ceil(Self::max_k_block::<S>()).max(1)).max(1)
    }

    #[inline(always)]
    fn row_block<S: Simd>() -> usize {
        ROW_BLOCK_TILES * S::TILE_ROWS
    }

    #[inline(always)]
    fn group_columns<S: Simd>(k: usize, rows: usize) -> usize {
        let width = panel_columns::<S>();
        if Self::single_row_block::<S>(rows) {
            width
        } else {
            PANEL_BUFFER_FLOATS / (width * k.max(1)) * width
        }
    }

    #[inline(always)]
    fn pack_b<S: Simd>(&mut self, s: S, b: Mat<'_>, p_k: (usize, usize), (first, end): Range, rows: usize) {
        // For rows of one cache line, the CPU's prefetch of the adjacent line is wasted.
        let narrow = panel_columns::<S>() < 2 * CACHE_LINE_FLOATS;
        self.packs_b = !Self::single_row_block::<S>(rows) || b.col_stride() != 1 || narrow;
        if self.packs_b {
            for (column, width) in panels::<S, Self>(first, end) {
                self.b.pack_panel(s, b, p_k, (column, width.min(end - column)), width, column - first);
            }
        }
    }

    #[inline(always)]
    fn b_panel(
        &self,
        b: Mat<'_>,
        (p, k): (usize, usize),
        first: usize,
        column: usize,
        width: usize,
    ) -> BPanel {
        if self.packs_b {
            (self.b.panel(k, column - first), width)
        } else {
            let offset = column * b.col_stride() + p * b.row_stride();
            (b.data().as_ptr().wrapping_add(offset), b.row_stride())
        }
    }

    #[inline(always)]
    fn pack_a<S: Simd>(
        &mut self,
        _: S,
        a: Mat<'_>,
        rows: Range,
        p_k: (usize, usize),
        columns: usize,
    ) -> ABlock {
        const {
            assert!(
                Self::max_packed_a_k::<S>() * (ROW_BLOCK_TILES * S::TILE_ROWS + CACHE_LINE_FLOATS)
                    <= A_BUFFER_FLOATS,
                "the buffer holds a block of A"
            )
        };
        self.packs_a =
            evicts_itself(a) && p_k.1 <= Self::max_packed_a_k::<S>() && columns >= 4 * CACHE_LINE_FLOATS;
        if self.packs_a {
            self.a.pack_rows(a, rows, p_k)
        } else {
            let strides = (a.row_stride(), a.col_stride());
            (a.data().as_ptr().wrapping_add(p_k.0 * strides.1), strides)
        }
    }

    /// The first micro-panel of a group prefetches the next rows of an A in place with adjacent rows: a line of each step,
    /// which lie too far apart for the CPU to predict. The others prefetch the micro-panel of B that will take their place in
    /// the buffer, or, of a much larger A, the rows of the next tile.
    #[inline(always)]
    fn prefetch<S: Simd>(&self, _: S, gemm: &Gemm<'_>, at: &Position) -> Option<Prefetch> {
        let (a, b) = (gemm.a, gemm.b);
        let (a_block, a_strides) = at.a;
        if at.column == at.group.0 && at.between_row_blocks && !self.packs_a && a_strides.0 == 1 {
            let start = a_block.wrapping_add(CACHE_LINE_FLOATS);
            return Some(Prefetch::lines(start, S::TILE_ROWS, usize::MAX, a.col_stride()));
        }
        let ((p, k), column) = (at.p_k, at.column + (at.group.1 - at.group.0));
        let run_lines = k.div_ceil(CACHE_LINE_FLOATS).max(1);
        // Whole rows, one after the other.
        let rows = |mat: &[f32], first: usize, stride: usize, rows: usize, tiles: usize| Prefetch {
            start: mat.as_ptr().wrapping_add(first * stride + p),
            tile_step: rows * stride,
            tiles,
            line_step: CACHE_LINE_FLOATS,
            run_lines,
            run_step: stride.wrapping_sub(run_lines * CACHE_LINE_FLOATS),
        };
        let tiles = at.width.div_ceil(CACHE_LINE_FLOATS);
        Some(if a.col_stride() == 1 && a.rows() >= 4 * b.cols() {
            rows(a.data(), S::TILE_ROWS, a.row_stride(), S::TILE_ROWS, usize::MAX)
        } else if b.col_stride() == 1 {
            let start = b.data().as_ptr().wrapping_add(p * b.row_stride() + column);
            Prefetch::lines(start, CACHE_LINE_FLOATS, tiles, b.row_stride())
        } else {
            rows(b.data(), column, b.col_stride(), CACHE_LINE_FLOATS, tiles)
        })
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, panel: &MicroPanel<'_>, from: usize, to: usize) {
        // SAFETY: the caller's promise.
        unsafe { panel.run::<S, false>(s, from, to) }
    }
}

/// Vectors of the next micro-panel in place, of at least `cols` columns. Few rows have few accumulators, so that wide panels
/// fit the registers: they hide the latency of additions, and read B in longer stretches.
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
