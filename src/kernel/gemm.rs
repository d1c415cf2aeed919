//! The matrix product, one register tile for every backend: `C = end(A * B)`.
//!
//! ```text
//! for each panel of a few vectors of C's columns        the panel of B is read row by row, in place
//!   for each tile of rows of C                          its sums stay in registers (tile.rs)
//! ```
//!
//! That is all as long as the cache holds `B` and `C`. Where it does not, or where `B` is transposed, panels are packed
//! (pack.rs), and two loops more keep near what is used again:
//!
//! ```text
//! for each block of k                                   its sums lie in C until the next block goes on with them
//!   for each group of panels of B that fits the room    one where k is long, more where it is short
//!     for each block of rows of C                       read and written in long stretches
//!       for each panel, for each tile                   what comes in its place is fetched meanwhile
//! ```
//!
//! `A` is read one element at a time with any strides, so that a transposed `A` costs nothing in itself. It is copied for one
//! reason: terms whose distance is a multiple of 1 KB fall into the same few sets of the first cache, and a tile of 32 of them
//! misses it at each one. Then a block of rows is copied for all panels of a group. That makes AVX2 1.2 to 1.35 times as fast
//! at up to 128 terms and 1.05 to 1.1 times at 256, `portable` 1.2 to 1.5 times, and AVX-512, which reads `A` half as often,
//! 1.02 to 1.06 times where terms lie 16 KB apart. More terms need blocks that outgrow the cache, or fewer rows, which is slower
//! on AVX-512: `C` is then read and written in short stretches.
//!
//! Of longer terms the first panel of a group reads an A in place that no cache holds any more, and fetches the next rows of
//! every term meanwhile: 2 % for 256 terms, and up to 8 % while other programs use the cache.
//!
//! A panel of one block of rows is used only once. Then a group is one panel, which the first cache holds, and rows of whole
//! lines are not even copied: for the tiles of a block, lines fetched a panel ahead are near enough where they are. Packing
//! took 10 to 15 % of the time of 32 rows, and 5 % of that of 64.
//!
//! What stays furthest below the peak has few terms for each element of a large `C`. `(4096, 32, 1024)` reads and writes 16 MB
//! during 2.3 ms of multiply-adds at a Zen 4's peak; a loop that does nothing else takes 0.6 to 0.9 ms for that, so that 72 to
//! 79 % of the peak would be all if nothing overlapped. 79 to 86 % are measured. With everything in the second cache 32 terms
//! reach 93 %. Without gain were: packing the next panel between the terms of a tile (stores among the loads of a tile cost
//! more than they do alone), blocks of rows of 4, 8 and 32 tiles, fetching `C` two tiles ahead, or line by line between the
//! terms, or into the first cache, panels of 128 and 256 terms, huge pages.
//!
//! Every element is one sum over `k` in order, in one chain, from zero or, for `C += A * B` on exact backends,
//! from `C`: its bits depend neither on blocks, nor on its place in a tile, nor on how rows are spread over threads.
//!
//! A single row of activations takes as long as reading `B` takes. Its tile leaves out the terms whose `A` is zero, with the
//! bits that it would have had: a term of 0 or −0 changes a sum of −0 only. On a backend that fuses, a sum becomes −0 where
//! a negative product is too small for a float, and stays so in the result where the bias is −0 too; a row with a −0 in it is
//! computed again with every term. Where `B` is infinite or no number the term is left out, as `scalar` and `portable` do.
//!
//! Backends of one lane do not tile: they leave out the terms whose `A` is zero, in [`skip`](super::sparse). A backend that
//! promises the same bits computes a product again in that way where leaving out could make a difference.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use super::pack::{Packed, PackedRows, ROWS, evicts_itself};
use super::sparse;
use super::tile::{Epilogue, Fetch, Panel, Rows};
use crate::arena::CACHE_LINE_FLOATS;
use crate::mat::{Mat, MatMut};
use crate::simd::{Kernel, Simd};

/// Bytes of B, and of C, up to which B is read in place: about half of a second-level cache.
const IN_PLACE: usize = 512 * 1024;
/// Floats of a panel that stays in the first cache: three quarters of it.
const FIRST: usize = 6 * 1024;
/// Tiles of a block of rows, all of whose panels come before the next block.
const BLOCK_TILES: usize = 16;
/// Rows whose sums lie on the stack at once, and floats of one; no backend's panel is wider.
pub(super) const ASIDE: usize = 64;
pub(super) const WIDTH: usize = 32;
pub(super) type Sums = [MaybeUninit<f32>; ASIDE * WIDTH];

/// The arguments of one product.
pub(super) struct Gemm<'a> {
    pub a: Mat<'a>,
    pub b: Mat<'a>,
    pub c: MatMut<'a>,
    pub end: Epilogue<'a>,
}

impl Kernel for Gemm<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.check();
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        if S::LANES == 1 || S::REPRODUCIBLE && sparse::matters_before(&mut self) {
            sparse::product(&mut self);
            return;
        }
        let small = size_of::<f32>() * (k * self.b.row_stride()).max(m * self.c.row_stride()) <= IN_PLACE;
        if self.b.col_stride() == 1 && (small && !flat::<S>() || m < 2 * S::TILE_ROWS.max(6)) || n == 1 {
            let around_zeros =
                m == 1 && self.a.col_stride() == 1 && matches!(self.end, Epilogue::Bias { .. });
            self.in_place(s, around_zeros);
            if around_zeros && sparse::has_negative_zero(self.c.row_mut(0)) {
                self.in_place(s, false);
            }
        } else {
            s.outlined(InBlocks(&mut self));
        }
        if S::REPRODUCIBLE && sparse::matters_behind(&mut self) {
            sparse::product(&mut self);
        }
    }
}

/// A product with packed operands, in a function of its own: a call touches every page of its large frame, which would slow
/// down the short products that pack nothing.
struct InBlocks<'a, 'b>(&'b mut Gemm<'a>);

impl Kernel for InBlocks<'_, '_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.0.packed(s);
    }
}

impl<'a> Gemm<'a> {
    /// Asserts that the shapes agree.
    pub(super) fn check(&self) {
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        assert!(self.b.rows() == k && self.c.rows() == m && self.c.cols() == n, "gemm: shapes disagree");
        match self.end {
            Epilogue::Scale { .. } => {}
            Epilogue::Bias { bias, .. } => assert_eq!(bias.len(), n, "gemm: one bias for each column"),
            Epilogue::ReluMask { activations } => {
                assert!(
                    activations.rows() == m && activations.cols() == n,
                    "gemm: one activations for each element"
                );
            }
        }
    }

    /// The panel of `B` in place, with all of `k`, of up to `width` columns from `column` on.
    #[inline(always)]
    pub(super) fn panel<S: Simd>(&mut self, _: S, column: usize, width: usize) -> Panel<'a> {
        let columns = width.min(self.c.cols() - column);
        let vectors = columns.div_ceil(S::LANES);
        let from_c = S::REPRODUCIBLE && self.end.adds();
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
            skip: false,
            next: None,
            c,
            c_stride: self.c.row_stride(),
            fetch_c: size_of::<f32>() * self.c.rows() * self.c.row_stride() > IN_PLACE,
            column,
            vectors,
            lanes: columns - (vectors - 1) * S::LANES,
            end: self.end,
        }
    }

    #[inline(always)]
    fn in_place<S: Simd>(&mut self, s: S, skip: bool) {
        let (m, n) = (self.c.rows(), self.c.cols());
        let mut column = 0;
        while column < n {
            let width = vectors::<S>(m, n - column) * S::LANES;
            let panel = Panel { skip, ..self.panel(s, column, width) };
            // SAFETY: `column < n`, so the first element of the panel lies in the views of B and C if they have rows; the
            // tile reads and writes only for `p < k` and `r < m`, where the views' constructors checked the bounds.
            unsafe { panel_rows::<S, false>(s, &panel, 0, m) };
            column += width;
        }
    }

    /// Blocks of `k` stay in order. Sums between two blocks lie in C, or on the stack where the old C still matters.
    #[inline(always)]
    fn packed<S: Simd>(&mut self, s: S) {
        let (m, k, n) = (self.a.rows(), self.a.cols(), self.b.cols());
        let width = S::TILE_VECTORS * S::LANES;
        let (mut packed, mut sums) = (Packed::new(), [MaybeUninit::uninit(); ASIDE * WIDTH]);
        let aside = self.end.reads_c() && !(S::REPRODUCIBLE && self.end.adds()) && k > block::<S>();
        let (rows, columns) = if aside { (ASIDE, width) } else { (m.max(1), n.max(1)) };
        for row in (0..m).step_by(rows) {
            for column in (0..n).step_by(columns) {
                let sums = aside.then_some(&mut sums);
                let (rows, columns) = ((row, m.min(row + rows)), (column, n.min(column + columns)));
                self.blocks(s, rows, columns, &mut packed, sums);
            }
        }
    }

    /// Rows and columns `from..to` of C.
    #[inline(always)]
    fn blocks<S: Simd>(
        &mut self,
        s: S,
        rows: (usize, usize),
        columns: (usize, usize),
        packed: &mut Packed,
        mut sums: Option<&mut Sums>,
    ) {
        let (k, most) = (self.a.cols(), S::TILE_VECTORS * S::LANES);
        let once = !flat::<S>() && rows.1 - rows.0 <= BLOCK_TILES * S::TILE_ROWS;
        // Of rows of a single line the CPU fetches the neighbour in vain.
        let packs = !once || self.b.col_stride() != 1 || most < 2 * CACHE_LINE_FLOATS;
        const {
            assert!(
                row_terms::<S>() * (BLOCK_TILES * S::TILE_ROWS + CACHE_LINE_FLOATS) <= ROWS,
                "a block of A has room"
            )
        };
        let mut packed_rows = PackedRows::new();
        // Blocks of about the same length.
        let block = k.div_ceil(k.div_ceil(block::<S>()).max(1)).max(1);
        for p in (0..k.max(1)).step_by(block) {
            let terms = block.min(k - p);
            let group = if once { most } else { Packed::floats() / (most * terms.max(1)) * most };
            for first in (columns.0..columns.1).step_by(group) {
                let end = columns.1.min(first + group);
                let widths = || panels::<S>(first, end);
                for (column, width) in widths().filter(|_| packs) {
                    let cols = width.min(end - column);
                    packed.pack(s, self.b, (p, terms), (column, cols), width, column - first);
                }
                let packs_rows = evicts_itself(self.a)
                    && terms <= row_terms::<S>()
                    && end - first >= 4 * CACHE_LINE_FLOATS;
                for row in (rows.0..rows.1).step_by(BLOCK_TILES * S::TILE_ROWS) {
                    let to = rows.1.min(row + BLOCK_TILES * S::TILE_ROWS);
                    let (a, a_strides) = if packs_rows {
                        packed_rows.pack(self.a, (row, to), (p, terms))
                    } else {
                        let strides = (self.a.row_stride(), self.a.col_stride());
                        (self.a.data().as_ptr().wrapping_add(p * strides.1), strides)
                    };
                    for (column, width) in widths() {
                        let mut panel = Panel { k: terms, a, a_strides, ..self.panel(s, column, width) };
                        if packs {
                            (panel.b, panel.b_stride) = (packed.panel(terms, column - first), width);
                        } else {
                            panel.b = panel.b.wrapping_add(p * panel.b_stride);
                        }
                        panel.first &= p == 0;
                        panel.last &= p + terms == k;
                        // The first block's tiles fetch B.
                        let rows_follow = column == first && rows.0 < row && to < rows.1;
                        panel.next = Some(if rows_follow && !packs_rows && a_strides.0 == 1 {
                            self.next_rows(s, a)
                        } else {
                            self.next(s, (p, terms), (column + group, width))
                        });
                        if let Some(sums) = sums.as_deref_mut() {
                            // Row `rows.0` is the first of them.
                            panel.sums = sums.as_mut_ptr().cast::<f32>().wrapping_sub(rows.0 * WIDTH);
                            panel.sums_stride = WIDTH;
                        }
                        // SAFETY: as in `in_place`; the packed panel has `terms` rows, the packed A rows `row..to`, and
                        // `sums` rows `rows.0..rows.1`.
                        unsafe { panel_rows::<S, false>(s, &panel, row, to) };
                    }
                }
            }
        }
    }

    /// What the tiles of a group's first panel fetch of an A with adjacent rows from `a` on: a line of each of its terms, with
    /// the rows that come next. Terms lie too far apart for the CPU to guess.
    #[inline(always)]
    fn next_rows<S: Simd>(&self, _: S, a: *const f32) -> Fetch {
        let (at, step) = (a.wrapping_add(CACHE_LINE_FLOATS), self.a.col_stride());
        Fetch { at, tile_step: S::TILE_ROWS, tiles: usize::MAX, step, run: usize::MAX, jump: 0 }
    }

    /// What the tiles of a panel fetch meanwhile: the panel of `width` columns from `column` on that will be packed in the
    /// place of theirs, or, of a much larger A, the rows of the next tile.
    #[inline(always)]
    fn next<S: Simd>(&self, _: S, (p, terms): (usize, usize), (column, width): (usize, usize)) -> Fetch {
        let (a, b, lines) = (self.a, self.b, terms.div_ceil(CACHE_LINE_FLOATS).max(1));
        // Rows from end to end, one after the other.
        let rows = |mat: &[f32], first: usize, stride: usize, rows: usize, tiles: usize| Fetch {
            at: mat.as_ptr().wrapping_add(first * stride + p),
            tile_step: rows * stride,
            tiles,
            step: CACHE_LINE_FLOATS,
            run: lines,
            jump: stride.wrapping_sub(lines * CACHE_LINE_FLOATS),
        };
        let tiles = width.div_ceil(CACHE_LINE_FLOATS);
        if a.col_stride() == 1 && a.rows() >= 4 * b.cols() {
            rows(a.data(), S::TILE_ROWS, a.row_stride(), S::TILE_ROWS, usize::MAX)
        } else if b.col_stride() == 1 {
            let at = b.data().as_ptr().wrapping_add(p * b.row_stride() + column);
            Fetch { at, tile_step: CACHE_LINE_FLOATS, tiles, step: b.row_stride(), run: usize::MAX, jump: 0 }
        } else {
            rows(b.data(), column, b.col_stride(), CACHE_LINE_FLOATS, tiles)
        }
    }
}

/// Whether tiles are wider than tall. They read so much of B that its panel has to lie in the first cache in one piece.
const fn flat<S: Simd>() -> bool {
    S::TILE_ROWS < S::TILE_VECTORS
}

/// Terms of a block, at most: as many as the room has for a panel, or the first cache.
const fn block<S: Simd>() -> usize {
    let floats = if flat::<S>() { FIRST } else { Packed::floats() };
    floats / (S::TILE_VECTORS * S::LANES)
}

/// Terms up to which the copy of a block of rows of A pays. Beyond, it does not stay in the first cache beside B's panel; tiles
/// as narrow as those of six rows read A so often that the second cache will do.
const fn row_terms<S: Simd>() -> usize {
    if flat::<S>() || S::LANES >= CACHE_LINE_FLOATS { 128 } else { 256 }
}

/// The packed panels of columns `from..to`: where each starts, and its width. Two of four vectors are faster than one of
/// six and one of two.
#[inline(always)]
fn panels<S: Simd>(mut from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> {
    core::iter::from_fn(move || {
        let left = to - from;
        let even = flat::<S>() && left.div_ceil(S::LANES) == 8;
        let panel = (from, S::LANES * if even { 4 } else { S::TILE_VECTORS });
        from = to.min(from + panel.1);
        (left > 0).then_some(panel)
    })
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

/// Rows `from..to` of a panel, of bf16 pairs if `HALF`; as several panels where no tile is as wide.
///
/// # Safety
/// The panel's pointers are good for `to` rows.
#[inline(always)]
pub(super) unsafe fn panel_rows<S: Simd, const HALF: bool>(s: S, panel: &Panel<'_>, from: usize, to: usize) {
    let mut panel = *panel;
    // SAFETY: the caller's promise; what is left of a panel is a panel.
    unsafe {
        while panel.vectors > 2 {
            // Only narrow tiles end in a part of a vector.
            let whole = panel.vectors - usize::from(panel.lanes < S::LANES);
            let taken = match whole {
                8.. if !HALF => s.outlined(Rows::<8, false, HALF>::new(&panel, from, to)),
                6.. if !HALF && flat::<S>() => s.outlined(Rows::<6, false, HALF>::new(&panel, from, to)),
                4.. if !HALF => s.outlined(Rows::<4, false, HALF>::new(&panel, from, to)),
                _ => s.outlined(Rows::<2, false, HALF>::new(&panel, from, to)),
            };
            panel.skip_vectors(taken, taken * S::LANES);
        }
        match (panel.vectors, panel.lanes == S::LANES) {
            (0, _) => 0,
            (2, true) => s.outlined(Rows::<2, false, HALF>::new(&panel, from, to)),
            (2, false) => s.outlined(Rows::<2, true, HALF>::new(&panel, from, to)),
            (_, true) => s.outlined(Rows::<1, false, HALF>::new(&panel, from, to)),
            (_, false) => s.outlined(Rows::<1, true, HALF>::new(&panel, from, to)),
        };
    }
}
