//! The product of operands rounded to bf16, summed in single precision: `C = end(A * B)` with twice the terms a register.
//!
//! Both operands are rounded while they are packed to the stack, in pairs of terms, and the tile is that of the product in
//! single precision with a pair in the place of a float. Nothing in bf16 outlives a product: weights stay in single
//! precision where they are, and no second copy of them can grow stale.
//!
//! ```text
//! for each block of pairs                               its sums lie in C until the next block goes on with them
//!   for each group of panels of B that fits the room
//!     for each block of rows of A that fits the room
//!       for each panel, for each tile
//! ```
//!
//! Every element is one chain over the pairs in order, from zero; an odd last term has a zero beside it. The bits are
//! those of [`pairs`](crate::simd) on every backend.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use super::gemm::{ASIDE, Gemm, Sums, WIDTH, panel_rows};
use super::pack::Packed;
use crate::mat::Mat;
use crate::simd::{Kernel, Simd, pair};

/// Pairs of a block: with [`ASIDE`] rows they fill half of the room of A.
const BLOCK: usize = 128;

/// The arguments of one product; B is row-major.
pub(super) struct Half<'a>(pub Gemm<'a>);

impl Kernel for Half<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.0.check();
        let (m, n, pairs) = (self.0.c.rows(), self.0.c.cols(), self.0.a.cols().div_ceil(2));
        let (mut left, mut right) = (Packed::new(), Packed::new());
        let mut sums = [MaybeUninit::uninit(); ASIDE * WIDTH];
        let aside = self.0.end.reads_c() && pairs > BLOCK;
        let (rows, columns) = if aside { (ASIDE, S::TILE_VECTORS * S::LANES) } else { (m.max(1), n.max(1)) };
        for row in (0..m).step_by(rows) {
            for column in (0..n).step_by(columns) {
                let sums = aside.then_some(&mut sums);
                let (rows, columns) = ((row, m.min(row + rows)), (column, n.min(column + columns)));
                self.blocks(s, rows, columns, (&mut left, &mut right), sums);
            }
        }
    }
}

impl Half<'_> {
    /// Rows and columns `from..to` of C.
    #[inline(always)]
    fn blocks<S: Simd>(
        &mut self,
        s: S,
        rows: (usize, usize),
        columns: (usize, usize),
        (left, right): (&mut Packed, &mut Packed),
        mut sums: Option<&mut Sums>,
    ) {
        let Gemm { a, b, .. } = self.0;
        let (pairs, width) = (a.cols().div_ceil(2), S::TILE_VECTORS * S::LANES);
        for p in (0..pairs.max(1)).step_by(BLOCK) {
            let terms = BLOCK.min(pairs - p);
            let group = Packed::floats() / (width * terms.max(1)) * width;
            for first in (columns.0..columns.1).step_by(group) {
                let end = columns.1.min(first + group);
                for column in (first..end).step_by(width) {
                    let cols = (column, width.min(end - column));
                    pack_columns(
                        s,
                        b,
                        (p, terms),
                        cols,
                        width,
                        right.at(terms * (column - first), terms * width),
                    );
                }
                for row in (rows.0..rows.1).step_by(ASIDE) {
                    let to = rows.1.min(row + ASIDE);
                    let (at, strides) = pack_rows(s, a, (row, to), (p, terms), left);
                    for column in (first..end).step_by(width) {
                        let mut panel = self.0.panel(s, column, width);
                        panel.k = terms;
                        (panel.a, panel.a_strides) = (at.wrapping_sub(row * strides.0), strides);
                        (panel.b, panel.b_stride) = (right.panel(terms, column - first), width);
                        (panel.first, panel.last) = (p == 0, p + terms == pairs);
                        if let Some(sums) = sums.as_deref_mut() {
                            // Row `rows.0` is the first of them.
                            panel.sums = sums.as_mut_ptr().cast::<f32>().wrapping_sub(rows.0 * WIDTH);
                            panel.sums_stride = WIDTH;
                        }
                        // SAFETY: rows `row..to` of A and the panel of B are packed, `terms` pairs each; C is as its view's
                        // constructor checked, and `sums` has rows `rows.0..rows.1`.
                        unsafe { panel_rows::<S, true>(s, &panel, row, to) };
                    }
                }
            }
        }
    }
}

/// Rounds the terms of pairs `p..p + terms` of some columns of B; a row of `width` columns for each pair.
#[inline(always)]
fn pack_columns<S: Simd>(
    s: S,
    b: Mat<'_>,
    (p, terms): (usize, usize),
    (column, cols): (usize, usize),
    width: usize,
    to: &mut [MaybeUninit<f32>],
) {
    for (q, to) in to.chunks_exact_mut(width).enumerate().take(terms) {
        let even = &b.row(2 * (p + q))[column..][..cols];
        let odd = 2 * (p + q) + 1;
        let odd = if odd < b.rows() { &b.row(odd)[column..][..cols] } else { &[] };
        for c in (0..cols).step_by(S::LANES) {
            let pairs = s.pair(s.read(&even[c..]), s.read(odd.get(c..).unwrap_or(&[])));
            write(s, pairs, &mut to[c..]);
        }
    }
}

/// Rounds the terms of pairs `p..p + terms` of rows `from..to` of A; returns where they lie, and the strides of row and
/// pair.
#[inline(always)]
fn pack_rows<S: Simd>(
    s: S,
    a: Mat<'_>,
    (from, to): (usize, usize),
    (p, terms): (usize, usize),
    room: &mut Packed,
) -> (*const f32, (usize, usize)) {
    let rows = to - from;
    // The last vector of a row may reach into what lies behind it, which is written later or is slack.
    let out = room.at(0, rows * terms + 2 * S::LANES);
    if a.col_stride() == 1 {
        for r in 0..rows {
            let row = &a.row(from + r)[2 * p..];
            for q in (0..terms).step_by(S::LANES) {
                let high = row.get(2 * q + S::LANES..).unwrap_or(&[]);
                write(s, s.halves(s.read(&row[2 * q..]), s.read(high)), &mut out[r * terms + q..]);
            }
        }
    } else if a.row_stride() == 1 {
        let columns = a.t();
        for q in 0..terms {
            let even = &columns.row(2 * (p + q))[from..to];
            let odd = 2 * (p + q) + 1;
            let odd = if odd < a.cols() { &columns.row(odd)[from..to] } else { &[] };
            for r in (0..rows).step_by(S::LANES) {
                let pairs = s.pair(s.read(&even[r..]), s.read(odd.get(r..).unwrap_or(&[])));
                write(s, pairs, &mut out[q * rows + r..]);
            }
        }
        return (out.as_ptr().cast(), (1, rows));
    } else {
        for r in 0..rows {
            for q in 0..terms {
                let term = |t: usize| if t < a.cols() { a.at(from + r, t) } else { 0.0 };
                out[r * terms + q].write(pair(term(2 * (p + q)), term(2 * (p + q) + 1)));
            }
        }
    }
    (out.as_ptr().cast(), (terms, 1))
}

/// Writes a whole vector.
#[inline(always)]
fn write<S: Simd>(s: S, v: S::V, to: &mut [MaybeUninit<f32>]) {
    let to = &mut to[..S::LANES];
    // SAFETY: the slice has `LANES` elements.
    unsafe { s.store(v, to.as_mut_ptr().cast()) }
}
