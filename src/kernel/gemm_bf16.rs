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
use crate::simd::{Kernel, MAX_LANES, Simd, pair};

/// Pairs of a block: with [`ASIDE`] rows they fill half of the room of A.
const BLOCK: usize = 128;

/// Outputs of a layer from which the gradient is carried through it in pairs. With fewer terms, packing takes longer than
/// the sums.
pub(super) const CARRIED: usize = 16;

/// The arguments of one product; the columns of B are adjacent, or its rows.
pub(super) struct GemmBf16<'a>(pub Gemm<'a>);

impl Kernel for GemmBf16<'_> {
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

impl GemmBf16<'_> {
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
                if b.row_stride() == 1 && b.col_stride() != 1 {
                    turn_columns(s, b.t(), (p, terms), (first, end), width, right);
                } else {
                    pack_columns(s, b, (p, terms), (first, end), width, right);
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

/// Rounds the terms of pairs `p..p + terms` of columns `first..end` of B: panels of `width` columns, one behind the other,
/// with a row for each pair. Whole rows of B are read one after the other.
#[inline(always)]
fn pack_columns<S: Simd>(
    s: S,
    b: Mat<'_>,
    (p, terms): (usize, usize),
    (first, end): (usize, usize),
    width: usize,
    room: &mut Packed,
) {
    let columns = (end - first).next_multiple_of(width);
    let to = room.at(0, terms * columns).as_mut_ptr().cast::<f32>();
    for q in 0..terms {
        let (even, odd) = row_pair(b, p + q, first, end);
        for at in (0..end - first).step_by(width) {
            let odd = odd.map(|odd| odd.wrapping_add(at));
            let to = to.wrapping_add(terms * at + q * width);
            // SAFETY: the rows have `end - first` floats, and the room's panel has `width` columns for each pair.
            unsafe { pack_pairs(s, even.wrapping_add(at), odd, width.min(end - first - at), to) };
        }
    }
}

/// As [`pack_columns`], of a transposed B, whose columns are rows `first..end` of `bt`: squares of as many columns as pairs,
/// turned.
#[inline(always)]
fn turn_columns<S: Simd>(
    s: S,
    bt: Mat<'_>,
    (p, terms): (usize, usize),
    (first, end): (usize, usize),
    width: usize,
    room: &mut Packed,
) {
    let columns = (end - first).next_multiple_of(width);
    let to = room.at(0, terms * columns).as_mut_ptr().cast::<f32>();
    let mut square = [0.0; MAX_LANES * MAX_LANES];
    for at in (0..end - first).step_by(S::LANES) {
        let panel = to.wrapping_add(terms * (at - at % width) + at % width);
        for q in (0..terms).step_by(S::LANES) {
            for (l, lane) in square.chunks_exact_mut(S::LANES).take(S::LANES).enumerate() {
                let column = first + at + l;
                let row = if column < end { &bt.row(column)[2 * (p + q)..] } else { &[] };
                let (low, high) = (row, row.get(S::LANES..).unwrap_or(&[]));
                s.write(s.halves(s.read(low), s.read(high)), lane);
            }
            let rows = S::LANES.min(terms - q);
            for r in (0..rows).step_by(4) {
                for (r, row) in (r..rows).zip(s.read_columns(&square[r..], S::LANES)) {
                    // SAFETY: the room's panel has `terms` rows of `width` floats, a multiple of the lanes.
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

/// Pairs of two rows of `n` floats, the second of which may be missing.
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
            s.store(s.pair(s.load(even.add(c)), odd), to.add(c));
            c += S::LANES;
        }
        if c < n {
            let odd = odd.map_or(zero, |odd| s.load_first(n - c, odd.add(c)));
            s.store(s.pair(s.load_first(n - c, even.add(c)), odd), to.add(c));
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
    let out = room.at(0, rows * terms + 2 * S::LANES).as_mut_ptr().cast::<f32>();
    if a.col_stride() == 1 {
        for r in 0..rows {
            let row = &a.row(from + r)[2 * p..];
            let row = &row[..row.len().min(2 * terms)];
            let (whole, to) = (row.len() / (2 * S::LANES), out.wrapping_add(r * terms));
            for v in 0..whole {
                // SAFETY: two vectors of the row for one of the room, which has `terms` floats a row, and slack.
                unsafe {
                    let from = row.as_ptr().add(2 * S::LANES * v);
                    s.store(s.halves(s.load(from), s.load(from.add(S::LANES))), to.add(S::LANES * v));
                }
            }
            let rest = &row[2 * S::LANES * whole..];
            if !rest.is_empty() {
                let halves = s.halves(s.read(rest), s.read(rest.get(S::LANES..).unwrap_or(&[])));
                // SAFETY: a vector at a multiple of `LANES` below `terms` ends in the row or the slack behind it.
                unsafe { s.store(halves, to.add(S::LANES * whole)) };
            }
        }
    } else if a.row_stride() == 1 {
        for q in 0..terms {
            let (even, odd) = row_pair(a.t(), p + q, from, to);
            // SAFETY: the rows have `rows` floats; the last vector ends in the slack.
            unsafe { pack_pairs(s, even, odd, rows, out.add(q * rows)) };
        }
        return (out, (1, rows));
    } else {
        for r in 0..rows {
            for q in 0..terms {
                let term = |t: usize| if t < a.cols() { a.at(from + r, t) } else { 0.0 };
                let pair = pair(term(2 * (p + q)), term(2 * (p + q) + 1));
                // SAFETY: the room has `terms` floats a row.
                unsafe { *out.add(r * terms + q) = pair };
            }
        }
    }
    (out, (terms, 1))
}
