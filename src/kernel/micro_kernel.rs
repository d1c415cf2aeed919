//! The GEMM micro-kernel: register tiles of a few rows of C times a few vectors of columns, whose accumulators stay in
//! registers for a whole K block. `register_tile.rs` is the inner loop; this file says what it works on.
//!
//! ```text
//! for p in 0..k                                       in this order for every element, whatever the tile
//!   acc[r][v] += A[r][p] * B[p][v]                    each element is one chain from zero
//! C = epilogue(acc)                                   scale and add, bias and ReLU, or the ReLU mask
//! ```
//!
//! A step of K is an element of A and a row of B, or with `BF16` a pair of each ([`gemm_bf16`](super::gemm_bf16)), and the
//! multiply-add is that of pairs. Each step prefetches one cache line of memory that will be needed soon ([`Prefetch`]).
//!
//! Between two K blocks, accumulators are stored as partial sums and loaded again, which changes no bits. One row alone
//! skips the steps whose `A` is zero, if it is told to: such a product is bound by reading B, and rows of B that no step
//! needs are not read. See [`gemm`](super::gemm) for why this changes no bits.
//!
//! The micro-kernel allocates nothing and knows nothing of blocks or threads.
#![allow(unsafe_code)]

mod register_tile;

use register_tile::register_tile;

use super::epilogue::Epilogue;
use super::gemm_args::{ABlock, BPanel, Gemm};
use crate::simd::{Kernel, Simd};

/// Bytes of B, and of C, up to which they count as cached: about half of a typical L2.
pub(super) const L2_BYTES: usize = 512 * 1024;

/// Memory that will be needed soon, of which a register tile prefetches a cache line for each of its steps. The addresses are
/// never dereferenced, so any will do.
#[derive(Clone, Copy)]
pub(super) struct Prefetch {
    /// The first line of the first tile, and floats from there to the first of the next.
    pub start: *const f32,
    pub tile_step: usize,
    /// Tiles that prefetch.
    pub tiles: usize,
    /// Floats from line to line, lines of a run, and floats from the end of a run to the next.
    pub line_step: usize,
    pub run_lines: usize,
    pub run_step: usize,
}

impl Prefetch {
    /// Lines `line_step` floats apart, the same for each of `tiles` tiles but `tile_step` floats further on.
    pub(super) const fn lines(start: *const f32, tile_step: usize, tiles: usize, line_step: usize) -> Self {
        Self { start, tile_step, tiles, line_step, run_lines: usize::MAX, run_step: 0 }
    }

    /// Nothing: a line that is in L1, again and again.
    fn nothing(panel: &MicroPanel<'_>) -> Self {
        Self::lines(core::ptr::from_ref(panel).cast(), 0, usize::MAX, 0)
    }
}

/// A K block: its steps, and its operands if they are not the whole of A and B in place.
#[derive(Clone, Copy)]
pub(super) struct KBlock {
    pub k: usize,
    pub a: ABlock,
    pub b: BPanel,
    /// Whether it is the first of a product, and the last.
    pub first: bool,
    pub last: bool,
}

/// One micro-panel of C's columns and a K block, as pointers into memory whose bounds were checked.
#[derive(Clone, Copy)]
pub(super) struct MicroPanel<'a> {
    /// Steps of the K block.
    k: usize,
    /// Where row 0 of A would be, and its strides.
    a: *const f32,
    a_strides: (usize, usize),
    /// The panel's first element of B, and floats to its next row.
    b: *const f32,
    b_stride: usize,
    /// Where accumulators lie between K blocks, and floats from row to row.
    partial_sums: *mut f32,
    partial_stride: usize,
    /// Whether accumulators start from partial sums instead of 0, and whether they end as such.
    loads_partial_sums: bool,
    stores_partial_sums: bool,
    /// Whether a tile of one row skips the steps whose `A` is zero; its elements are adjacent.
    sparse: bool,
    prefetch: Option<Prefetch>,
    /// The panel's first element of C, and floats to its next row.
    c: *mut f32,
    c_stride: usize,
    /// Whether C is too large for L2: then a tile prefetches its own part of C and of the mask, and the next panel's.
    prefetches_c: bool,
    /// First column of the panel.
    column: usize,
    /// Vectors of the panel.
    vectors: usize,
    /// Lanes of the last vector that are columns of C; `LANES` if all are.
    last_lanes: usize,
    epilogue: Epilogue<'a>,
}

impl<'a> MicroPanel<'a> {
    /// The micro-panel of up to `width` columns of C from `column` on, with all of K and both operands in place. Accumulators
    /// start from C, and end there without an epilogue, where `from_c`.
    ///
    /// # Safety
    /// [`Gemm::check`] found the shapes right, and `column` is one of C's.
    #[inline(always)]
    pub(super) unsafe fn new<S: Simd>(
        _: S,
        gemm: &mut Gemm<'a>,
        column: usize,
        width: usize,
        from_c: bool,
    ) -> Self {
        let columns = width.min(gemm.c.cols() - column);
        let vectors = columns.div_ceil(S::LANES);
        let (c, c_stride) = (gemm.c.data_mut().as_mut_ptr().wrapping_add(column), gemm.c.row_stride());
        Self {
            k: gemm.a.cols(),
            a: gemm.a.data().as_ptr(),
            a_strides: (gemm.a.row_stride(), gemm.a.col_stride()),
            b: gemm.b.data().as_ptr().wrapping_add(column * gemm.b.col_stride()),
            b_stride: gemm.b.row_stride(),
            partial_sums: c,
            partial_stride: c_stride,
            loads_partial_sums: from_c,
            stores_partial_sums: from_c,
            sparse: false,
            prefetch: None,
            c,
            c_stride,
            prefetches_c: size_of::<f32>() * gemm.c.rows() * c_stride > L2_BYTES,
            column,
            vectors,
            last_lanes: columns - (vectors - 1) * S::LANES,
            epilogue: gemm.epilogue,
        }
    }

    /// The same with one K block.
    ///
    /// # Safety
    /// Its pointers are readable for `k` steps of the rows that the panel will [`run`](Self::run), and of its columns.
    #[inline(always)]
    pub(super) unsafe fn with_k_block(self, block: KBlock) -> Self {
        let KBlock { k, a: (a, a_strides), b: (b, b_stride), first, last } = block;
        let loads_partial_sums = self.loads_partial_sums || !first;
        let stores_partial_sums = self.stores_partial_sums || !last;
        Self { k, a, a_strides, b, b_stride, loads_partial_sums, stores_partial_sums, ..self }
    }

    /// The same with partial sums somewhere else than in C.
    ///
    /// # Safety
    /// Each row that the panel will [`run`](Self::run) has floats there for the panel's columns, which nothing else uses.
    #[inline(always)]
    pub(super) unsafe fn with_partial_sums(self, partial_sums: *mut f32, partial_stride: usize) -> Self {
        Self { partial_sums, partial_stride, ..self }
    }

    /// The same, whose tiles of one row skip the steps where `A` is zero.
    ///
    /// # Safety
    /// The elements of a row of A are adjacent.
    #[inline(always)]
    pub(super) unsafe fn with_sparse_row(self, sparse: bool) -> Self {
        Self { sparse, ..self }
    }

    /// The same, which prefetches.
    #[inline(always)]
    pub(super) fn with_prefetch(self, prefetch: Option<Prefetch>) -> Self {
        Self { prefetch, ..self }
    }

    /// Advances past the first vectors, of `columns` columns.
    fn skip_vectors(&mut self, vectors: usize, columns: usize) {
        self.vectors -= vectors;
        self.b = self.b.wrapping_add(columns);
        self.partial_sums = self.partial_sums.wrapping_add(columns);
        self.c = self.c.wrapping_add(columns);
        self.column += columns;
    }

    /// Runs the micro-kernel on rows `from..to`; in several parts where no tile is as wide as the panel.
    ///
    /// # Safety
    /// They are rows of C, and what the constructors were promised is still so.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd, const BF16: bool>(&self, s: S, from: usize, to: usize) {
        let mut panel = *self;
        // SAFETY: the caller's promise; what is left of a panel is a panel.
        unsafe {
            while panel.vectors > 2 {
                // Only narrow tiles end in a part of a vector.
                let whole = panel.vectors - usize::from(panel.last_lanes < S::LANES);
                let done = match whole {
                    8.. if !BF16 => s.outlined(MicroKernel::<8, false, BF16>::new(&panel, from, to)),
                    6.. if !BF16 && has_wide_tile::<S>() => {
                        s.outlined(MicroKernel::<6, false, BF16>::new(&panel, from, to))
                    }
                    4.. if !BF16 => s.outlined(MicroKernel::<4, false, BF16>::new(&panel, from, to)),
                    _ => s.outlined(MicroKernel::<2, false, BF16>::new(&panel, from, to)),
                };
                panel.skip_vectors(done, done * S::LANES);
            }
            match (panel.vectors, panel.last_lanes == S::LANES) {
                (0, _) => 0,
                (2, true) => s.outlined(MicroKernel::<2, false, BF16>::new(&panel, from, to)),
                (2, false) => s.outlined(MicroKernel::<2, true, BF16>::new(&panel, from, to)),
                (_, true) => s.outlined(MicroKernel::<1, false, BF16>::new(&panel, from, to)),
                (_, false) => s.outlined(MicroKernel::<1, true, BF16>::new(&panel, from, to)),
            };
        }
    }
}

/// Whether the register tile has more vectors than rows. It reads so much of B that its whole micro-panel has to fit
/// L1.
pub(super) const fn has_wide_tile<S: Simd>() -> bool {
    S::TILE_ROWS < S::TILE_VECTORS
}

/// The rows of a micro-panel of `NV` vectors, the last of which is `PARTIAL`, in register tiles. A remainder is split so that
/// the tiles stay tall: eight rows are two tiles of four, not six and two, since a short tile cannot hide the latency of its
/// additions.
struct MicroKernel<'a, const NV: usize, const PARTIAL: bool, const BF16: bool> {
    panel: &'a MicroPanel<'a>,
    from: usize,
    to: usize,
}

impl<'a, const NV: usize, const PARTIAL: bool, const BF16: bool> MicroKernel<'a, NV, PARTIAL, BF16> {
    /// Rows `from..to`.
    ///
    /// # Safety
    /// That of [`MicroPanel::run`], and the panel has at least `NV` vectors, with a partial one among them only if `PARTIAL`.
    unsafe fn new(panel: &'a MicroPanel<'a>, from: usize, to: usize) -> Self {
        Self { panel, from, to }
    }
}

impl<const NV: usize, const PARTIAL: bool, const BF16: bool> Kernel for MicroKernel<'_, NV, PARTIAL, BF16> {
    /// Vectors of the panel that are done.
    type Out = usize;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        // Registers for accumulators; what is left of 16 or 32 holds a row of B and an element of A.
        let fits = |rows: usize| rows * NV <= S::TILE_ROWS * S::TILE_VECTORS;
        let Self { panel, from: mut row, to } = self;
        while row < to {
            let left = to - row;
            // SAFETY: each tile covers rows below `to`.
            row += unsafe {
                if fits(8) && left >= 8 {
                    register_tile::<S, 8, NV, PARTIAL, BF16>(s, panel, row)
                } else if fits(6) && left >= 6 && left != 8 {
                    register_tile::<S, 6, NV, PARTIAL, BF16>(s, panel, row)
                } else if fits(4) && left >= 4 {
                    register_tile::<S, 4, NV, PARTIAL, BF16>(s, panel, row)
                } else if fits(2) && left >= 2 {
                    register_tile::<S, 2, NV, PARTIAL, BF16>(s, panel, row)
                } else {
                    register_tile::<S, 1, NV, PARTIAL, BF16>(s, panel, row)
                }
            };
        }
        NV
    }
}
