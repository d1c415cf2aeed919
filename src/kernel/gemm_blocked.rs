//! The loop nest of a product with packed operands, the same for `f32` ([`gemm`](super::gemm)) and for bf16 pairs
//! ([`gemm_bf16`](super::gemm_bf16)).
//!
//! ```text
//! for each spill block of C              all of C, unless accumulators are spilled to the stack
//!   for each K block (KC)                accumulators lie in C, or in the spill buffer, until the next K block continues
//!     for each group of micro-panels     as many as the buffer holds (NC): pack B
//!       for each block of rows (MC)      pack A where that pays
//!         for each micro-panel           micro_kernel.rs, which prefetches what comes next
//! ```
//!
//! K blocks stay in order, so that every element is one chain over K whatever the blocks are. Between two K blocks an
//! unfinished sum is stored as a float, which changes no bits: to C itself, or, where the epilogue still needs the old C,
//! to a spill buffer on the stack, which bounds the rows and columns that are in progress at once.
//!
//! What differs between precisions is a [`Packing`]: block sizes, and how the operands are copied. An operand of bytes would
//! be another one.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use super::gemm_args::{ABlock, BPanel, Gemm, Range};
use super::micro_kernel::{KBlock, MicroPanel, Prefetch, has_wide_tile};
use crate::mat::Mat;
use crate::simd::Simd;

/// Rows whose accumulators the spill buffer holds, and floats of one of its rows: the columns of the widest micro-panel.
pub(super) const SPILL_ROWS: usize = 64;
const SPILL_FLOATS: usize = 32;
type SpillBuffer = [MaybeUninit<f32>; SPILL_ROWS * SPILL_FLOATS];

/// Columns of the micro-panel of a register tile (NR).
pub(super) const fn panel_columns<S: Simd>() -> usize {
    S::TILE_VECTORS * S::LANES
}

/// How the operands of one precision are blocked and packed. A *step* of K is one element of A and B, or a bf16 pair.
pub(super) trait Packing {
    /// Whether a step is a bf16 pair.
    const BF16: bool;

    /// The largest K block (KC), in steps.
    fn max_k_block<S: Simd>() -> usize;
    /// The length of the K blocks of a K of `k` steps, at least 1.
    fn k_block<S: Simd>(k: usize) -> usize;
    /// Rows of a block of A (MC).
    fn row_block<S: Simd>() -> usize;
    /// Columns of a group of micro-panels (NC) of `k` steps, for `rows` rows of C.
    fn group_columns<S: Simd>(k: usize, rows: usize) -> usize;

    /// Packs the `k` steps from `p` on, `p_k`, of columns `columns` of B, if that pays for `rows` rows of C.
    fn pack_b<S: Simd>(&mut self, s: S, b: Mat<'_>, p_k: (usize, usize), columns: Range, rows: usize);
    /// The micro-panel of `width` columns from `column` on of the group that starts at column `first`.
    fn b_panel(&self, b: Mat<'_>, p_k: (usize, usize), first: usize, column: usize, width: usize) -> BPanel;
    /// Packs the `k` steps from `p` on, `p_k`, of rows `rows` of A, if that pays for `columns` columns of C.
    fn pack_a<S: Simd>(
        &mut self,
        s: S,
        a: Mat<'_>,
        rows: Range,
        p_k: (usize, usize),
        columns: usize,
    ) -> ABlock;
    /// What the micro-panel at a position prefetches.
    fn prefetch<S: Simd>(&self, s: S, gemm: &Gemm<'_>, at: &Position) -> Option<Prefetch>;
    /// Runs the micro-kernel of this precision.
    ///
    /// # Safety
    /// That of [`MicroPanel::run`].
    unsafe fn run<S: Simd>(s: S, panel: &MicroPanel<'_>, from: usize, to: usize);
}

/// Where in the loop nest a micro-panel is.
pub(super) struct Position {
    /// First step and steps of the K block.
    pub p_k: (usize, usize),
    /// The first column of the group, that of the next group, and the micro-panel's own first and width.
    pub group: Range,
    pub column: usize,
    pub width: usize,
    /// Whether there are blocks of rows before and after this one.
    pub between_row_blocks: bool,
    /// Row 0 of A, packed or not.
    pub a: ABlock,
}

/// Computes a product whose shapes were checked; `k` is that of A in steps, and where `from_c` accumulators start from `C`.
#[inline(always)]
pub(super) fn product<S: Simd, P: Packing>(
    s: S,
    gemm: &mut Gemm<'_>,
    packing: &mut P,
    k: usize,
    from_c: bool,
) {
    const { assert!(panel_columns::<S>() <= SPILL_FLOATS, "a row of the spill buffer holds a micro-panel") };
    let (m, _, n) = gemm.dims();
    let mut buffer: SpillBuffer = [MaybeUninit::uninit(); SPILL_ROWS * SPILL_FLOATS];
    let spills = gemm.epilogue.reads_c() && !from_c && k > P::max_k_block::<S>();
    let (rows, columns) = if spills { (SPILL_ROWS, panel_columns::<S>()) } else { (m.max(1), n.max(1)) };
    for row in (0..m).step_by(rows) {
        for column in (0..n).step_by(columns) {
            let buffer = spills.then_some(&mut buffer);
            let (rows, columns) = ((row, m.min(row + rows)), (column, n.min(column + columns)));
            k_blocks(s, gemm, packing, (k, from_c), rows, columns, buffer);
        }
    }
}

/// Computes rows `rows` and columns `columns` of C: at most a spill buffer of them if there is one.
#[inline(always)]
fn k_blocks<S: Simd, P: Packing>(
    s: S,
    gemm: &mut Gemm<'_>,
    packing: &mut P,
    (k_total, from_c): (usize, bool),
    rows: Range,
    columns: Range,
    mut spill: Option<&mut SpillBuffer>,
) {
    let block = P::k_block::<S>(k_total);
    let row_count = rows.1 - rows.0;
    for p in (0..k_total.max(1)).step_by(block) {
        let k = block.min(k_total - p);
        let group = P::group_columns::<S>(k, row_count);
        for first in (columns.0..columns.1).step_by(group) {
            let end = columns.1.min(first + group);
            packing.pack_b(s, gemm.b, (p, k), (first, end), row_count);
            for row in (rows.0..rows.1).step_by(P::row_block::<S>()) {
                let to = rows.1.min(row + P::row_block::<S>());
                let a = packing.pack_a(s, gemm.a, (row, to), (p, k), end - first);
                for (column, width) in panels::<S, P>(first, end) {
                    let position = Position {
                        p_k: (p, k),
                        group: (first, first + group),
                        column,
                        width,
                        between_row_blocks: rows.0 < row && to < rows.1,
                        a,
                    };
                    let prefetch = packing.prefetch(s, gemm, &position);
                    let b = packing.b_panel(gemm.b, (p, k), first, column, width);
                    let k_block = KBlock { k, a, b, first: p == 0, last: p + k == k_total };
                    // SAFETY: the shapes were checked and `column` is one of C's. The packing holds steps `p..p + k` of rows
                    // `row..to` of A and of `width` columns of B, or its pointers are into the views of both. The spill
                    // buffer has a row for each of `rows`, as wide as a micro-panel.
                    unsafe {
                        let mut panel = MicroPanel::new(s, gemm, column, width, from_c).with_k_block(k_block);
                        panel = panel.with_prefetch(prefetch);
                        if let Some(buffer) = spill.as_deref_mut() {
                            // Row `rows.0` is the buffer's first.
                            let sums = buffer.as_mut_ptr().cast::<f32>().wrapping_sub(rows.0 * SPILL_FLOATS);
                            panel = panel.with_partial_sums(sums, SPILL_FLOATS);
                        }
                        P::run(s, &panel, row, to);
                    }
                }
            }
        }
    }
}

/// The micro-panels of columns `from..to`: the first column of each, and its width. Two of four vectors are faster than one
/// of six and one of two.
#[inline(always)]
pub(super) fn panels<S: Simd, P: Packing>(
    mut from: usize,
    to: usize,
) -> impl Iterator<Item = (usize, usize)> {
    core::iter::from_fn(move || {
        let left = to - from;
        let even = !P::BF16 && has_wide_tile::<S>() && left.div_ceil(S::LANES) == 8;
        let panel = (from, S::LANES * if even { 4 } else { S::TILE_VECTORS });
        from = to.min(from + panel.1);
        (left > 0).then_some(panel)
    })
}
