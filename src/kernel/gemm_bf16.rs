//! The product of operands rounded to bf16, summed in single precision: `C = epilogue(A * B)` with two steps of K in a lane.
//!
//! ```text
//! for each K block, group of micro-panels, block of rows     gemm_blocked.rs
//!   round and pack B and A to the stack, in pairs of steps   here
//!   for each micro-panel                                     micro_kernel.rs, with a pair in the place of a float
//! ```
//!
//! Both operands are rounded while they are packed. Nothing in bf16 outlives a product: weights stay in single precision
//! where they are, and no second copy of them can grow stale.
//!
//! Every element is one chain over the pairs in order, from zero; an odd last step has a zero beside it. The bits are
//! those of [`Simd::dot_bf16`] on every backend.
#![allow(unsafe_code)]

use super::gemm_args::{ABlock, BPanel, Gemm, Range};
use super::gemm_blocked::{self, Packing, Position, SPILL_ROWS, panel_columns};
use super::micro_kernel::{MicroPanel, Prefetch};
use super::pack::{PANEL_BUFFER_FLOATS, PackBuffer};
use crate::mat::Mat;
use crate::simd::{Kernel, MAX_LANES, Simd, pair};

/// Pairs of a K block.
const K_BLOCK_PAIRS: usize = 128;
/// Rows of a block of A, which fills half of its buffer.
const ROW_BLOCK: usize = SPILL_ROWS;

/// Outputs of a layer from which its input gradient is a product of bf16 pairs. With a smaller K, packing takes longer than
/// the multiply-adds.
pub(super) const MIN_INPUT_GRADIENT_K: usize = 16;

/// A product in bf16; the columns of B are adjacent, or its rows.
pub(super) struct GemmBf16<'a>(pub Gemm<'a>);

impl Kernel for GemmBf16<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.0.check();
        let pairs = self.0.a.cols().div_ceil(2);
        let mut packing = Bf16Packing { a: PackBuffer::new(), b: PackBuffer::new() };
        gemm_blocked::product(s, &mut self.0, &mut packing, pairs, false);
    }
}

/// How operands in bf16 are blocked and packed: always, and as pairs.
struct Bf16Packing {
    a: PackBuffer<PANEL_BUFFER_FLOATS>,
    b: PackBuffer<PANEL_BUFFER_FLOATS>,
}

impl Packing for Bf16Packing {
    const BF16: bool = true;

    #[inline(always)]
    fn max_k_block<S: Simd>() -> usize {
        K_BLOCK_PAIRS
    }

    #[inline(always)]
    fn k_block<S: Simd>(_: usize) -> usize {
        K_BLOCK_PAIRS
    }

    #[inline(always)]
    fn row_block<S: Simd>() -> usize {
        ROW_BLOCK
    }

    #[inline(always)]
    fn group_columns<S: Simd>(k: usize, _: usize) -> usize {
        const { assert!(K_BLOCK_PAIRS * panel_columns::<S>() <= PANEL_BUFFER_FLOATS, "it holds a micro-panel") };
        PANEL_BUFFER_FLOATS / (panel_columns::<S>() * k.max(1)) * panel_columns::<S>()
    }

    #[inline(always)]
    fn pack_b<S: Simd>(&mut self, s: S, b: Mat<'_>, (p, k): (usize, usize), (first, end): Range, _: usize) {
        let to = self.b.first(k * (end - first).next_multiple_of(panel_columns::<S>()));
        // SAFETY: `to` has `k` rows of the columns, rounded up to whole micro-panels.
        unsafe {
            if b.row_stride() == 1 && b.col_stride() != 1 {
                pack_transposed_b(s, b.t(), (p, k), (first, end), to);
            } else {
                pack_b(s, b, (p, k), (first, end), to);
            }
        }
    }

    #[inline(always)]
    fn b_panel(
        &self,
        _: Mat<'_>,
        (_, k): (usize, usize),
        first: usize,
        column: usize,
        width: usize,
    ) -> BPanel {
        (self.b.panel(k, column - first), width)
    }

    #[inline(always)]
    fn pack_a<S: Simd>(&mut self, s: S, a: Mat<'_>, rows: Range, p_k: (usize, usize), _: usize) -> ABlock {
        const { assert!(ROW_BLOCK * K_BLOCK_PAIRS + 2 * S::LANES <= PANEL_BUFFER_FLOATS, "it holds a block of A") };
        let (at, strides) = pack_a(s, a, rows, p_k, &mut self.a);
        (at.wrapping_sub(rows.0 * strides.0), strides)
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, _: S, _: &Gemm<'_>, _: &Position) -> Option<Prefetch> {
        None
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, panel: &MicroPanel<'_>, from: usize, to: usize) {
        // SAFETY: the caller's promise.
        unsafe { panel.run::<S, true>(s, from, to) }
    }
}

/// Packs pairs `p..p + k` of columns `first..end` of B into micro-panels, one after the other, with a row for each pair.
/// Whole rows of B are read one after the other.
///
/// # Safety
/// `to` has `k` writable floats for each of the columns, rounded up to whole micro-panels.
#[inline(always)]
unsafe fn pack_b<S: Simd>(s: S, b: Mat<'_>, (p, k): (usize, usize), (first, end): Range, to: *mut f32) {
    let width = panel_columns::<S>();
    for q in 0..k {
        let (even, odd) = row_pair(b, p + q, first, end);
        for at in (0..end - first).step_by(width) {
            let odd = odd.map(|odd| odd.wrapping_add(at));
            let to = to.wrapping_add(k * at + q * width);
            // SAFETY: the rows have `end - first` floats, and the micro-panel has `width` columns for each pair.
            unsafe { pack_pairs(s, even.wrapping_add(at), odd, width.min(end - first - at), to) };
        }
    }
}

/// As [`pack_b`], of a transposed B, whose columns are rows `first..end` of `bt`: in squares of as many columns as pairs,
/// each transposed.
///
/// # Safety
/// That of [`pack_b`].
#[inline(always)]
unsafe fn pack_transposed_b<S: Simd>(
    s: S,
    bt: Mat<'_>,
    (p, k): (usize, usize),
    (first, end): Range,
    to: *mut f32,
) {
    const { assert!(S::LANES <= MAX_LANES && (S::LANES == 1 || S::LANES % 4 == 0)) };
    let width = panel_columns::<S>();
    let mut square = [0.0; MAX_LANES * MAX_LANES];
    for at in (0..end - first).step_by(S::LANES) {
        let panel = to.wrapping_add(k * (at - at % width) + at % width);
        for q in (0..k).step_by(S::LANES) {
            for (l, lane) in square.chunks_exact_mut(S::LANES).take(S::LANES).enumerate() {
                let column = first + at + l;
                let row = if column < end { &bt.row(column)[2 * (p + q)..] } else { &[] };
                let (low, high) = (row, row.get(S::LANES..).unwrap_or(&[]));
                s.write(s.pair_adjacent_bf16(s.read(low), s.read(high)), lane);
            }
            let rows = S::LANES.min(k - q);
            for r in (0..rows).step_by(4) {
                for (r, row) in (r..rows).zip(s.read_columns(&square[r..], S::LANES)) {
                    // SAFETY: the micro-panel has `k` rows of `width` floats, a multiple of the lanes.
                    unsafe { s.store(row, panel.add((q + r) * width)) };
                }
            }
        }
    }
}

/// Columns `from..to` of row `2 * pair` and, if there is one, of the next.
#[inline(always)]
fn row_pair(mat: Mat<'_>, pair: usize, from: usize, to: usize) -> (*const f32, Option<*const f32>) {
    let row = |row: usize| mat.row(row)[from..to].as_ptr();
    (row(2 * pair), (2 * pair + 1 < mat.rows()).then(|| row(2 * pair + 1)))
}

/// Packs pairs of two rows of `n` floats, the second of which may be missing.
///
/// # Safety
/// They are readable, and as many whole vectors as hold `n` writable.
#[inline(always)]
unsafe fn pack_pairs<S: Simd>(s: S, even: *const f32, odd: Option<*const f32>, n: usize, to: *mut f32) {
    let zero = s.splat(0.0);
    let mut c = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while c + S::LANES <= n {
            let odd = odd.map_or(zero, |odd| s.load(odd.add(c)));
            s.store(s.pair_bf16(s.load(even.add(c)), odd), to.add(c));
            c += S::LANES;
        }
        if c < n {
            let odd = odd.map_or(zero, |odd| s.load_first(n - c, odd.add(c)));
            s.store(s.pair_bf16(s.load_first(n - c, even.add(c)), odd), to.add(c));
        }
    }
}

/// Packs pairs `p..p + k` of rows `from..to` of A; returns where they are, and the strides of rows and pairs.
#[inline(always)]
fn pack_a<S: Simd>(
    s: S,
    a: Mat<'_>,
    (from, to): Range,
    (p, k): (usize, usize),
    buffer: &mut PackBuffer<PANEL_BUFFER_FLOATS>,
) -> ABlock {
    let rows = to - from;
    // The last vector of a row may reach into what follows it, which is written later or is padding.
    let out = buffer.first(rows * k + 2 * S::LANES);
    if a.col_stride() == 1 {
        for r in 0..rows {
            let row = &a.row(from + r)[2 * p..];
            let row = &row[..row.len().min(2 * k)];
            let (whole, to) = (row.len() / (2 * S::LANES), out.wrapping_add(r * k));
            for v in 0..whole {
                // SAFETY: two vectors of the row for one of the buffer, which has `k` floats a row, and padding.
                unsafe {
                    let from = row.as_ptr().add(2 * S::LANES * v);
                    let pairs = s.pair_adjacent_bf16(s.load(from), s.load(from.add(S::LANES)));
                    s.store(pairs, to.add(S::LANES * v));
                }
            }
            let rest = &row[2 * S::LANES * whole..];
            if !rest.is_empty() {
                let pairs = s.pair_adjacent_bf16(s.read(rest), s.read(rest.get(S::LANES..).unwrap_or(&[])));
                // SAFETY: a vector at a multiple of `LANES` below `k` ends in the row or the padding after it.
                unsafe { s.store(pairs, to.add(S::LANES * whole)) };
            }
        }
    } else if a.row_stride() == 1 {
        for q in 0..k {
            let (even, odd) = row_pair(a.t(), p + q, from, to);
            // SAFETY: the rows have `rows` floats; the last vector ends in the padding.
            unsafe { pack_pairs(s, even, odd, rows, out.add(q * rows)) };
        }
        return (out, (1, rows));
    } else {
        for r in 0..rows {
            for q in 0..k {
                let element = |p: usize| if p < a.cols() { a.at(from + r, p) } else { 0.0 };
                let pair = pair(element(2 * (p + q)), element(2 * (p + q) + 1));
                // SAFETY: the buffer has `k` floats a row.
                unsafe { *out.add(r * k + q) = pair };
            }
        }
    }
    (out, (k, 1))
}
