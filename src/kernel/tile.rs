//! The register tile: a few rows of C times a few vectors of columns, whose sums stay in registers for all of `k`.
//!
//! ```text
//! for p in 0..k                                       in this order for every element, whatever the tile
//!   acc[r][v] += A[r][p] * B[p][v]                    each element is one chain from zero
//! C = end(acc)                                        scale and add, bias and ReLU, or the derivative of ReLU
//! ```
//!
//! One row alone leaves out the terms whose `A` is zero, if it is told to: half of an image is zeros, a sum that is made for
//! one row only takes its time for reading B, and rows of B that no term needs are not read. See
//! [`Gemm`](super::gemm::Gemm) for why this changes no bits.
//!
//! With `HALF` a term is a pair of terms in bf16 (half.rs), and the multiply-add that of pairs.
//!
//! A sum over a part of `k` is kept in `sums` and taken up again where it stopped: storing and loading a float changes
//! no bits. The tile allocates nothing and knows nothing of blocks or threads.
#![allow(unsafe_code)]

use crate::mat::Mat;
use crate::simd::{Kernel, Simd};

/// What happens to a finished sum.
#[derive(Debug, Clone, Copy)]
pub(super) enum Epilogue<'a> {
    /// `C = alpha * sum + beta * C`; `C` is not read where `beta` is 0.
    Scale { alpha: f32, beta: f32 },
    /// `C = sum + bias`, and 0 where that is negative if `relu`.
    Bias { bias: &'a [f32], relu: bool },
    /// `C = sum` where `activations(m,n)` is positive, else 0.
    ReluMask { activations: Mat<'a> },
}

impl Epilogue<'_> {
    /// Whether it is `C += A * B`, for which exact backends start their sums from `C`.
    pub(super) fn adds(self) -> bool {
        matches!(self, Self::Scale { alpha: 1.0, beta: 1.0 })
    }

    /// Whether the old `C` has a part in the new one.
    pub(super) fn reads_c(self) -> bool {
        matches!(self, Self::Scale { beta, .. } if beta != 0.0)
    }
}

/// Memory that will be needed soon, any addresses, of which a tile fetches a line for each of its terms.
#[derive(Clone, Copy)]
pub(super) struct Fetch {
    /// The first line of the first tile, and floats from there to the first of the next.
    pub at: *const f32,
    pub tile_step: usize,
    /// Tiles that fetch.
    pub tiles: usize,
    /// Floats from line to line, lines of a run, and floats from the end of a run to the next.
    pub step: usize,
    pub run: usize,
    pub jump: usize,
}

impl Fetch {
    /// Nothing: what is nearest, again and again.
    fn nothing(panel: &Panel<'_>) -> Self {
        let at = core::ptr::from_ref(panel).cast();
        Self { at, tile_step: 0, tiles: usize::MAX, step: 0, run: usize::MAX, jump: 0 }
    }
}

/// One panel of C's columns and a block of `k`, as pointers into memory whose bounds were checked.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    /// Terms of the sums.
    pub k: usize,
    /// Element `(0, 0)` of A's rows, and its strides.
    pub a: *const f32,
    pub a_strides: (usize, usize),
    /// The panel's first element of B, and floats to its next row.
    pub b: *const f32,
    pub b_stride: usize,
    /// Where unfinished sums lie, and floats from row to row.
    pub sums: *mut f32,
    pub sums_stride: usize,
    /// Whether the sums start here from 0, and whether they end here.
    pub first: bool,
    pub last: bool,
    /// Whether a tile of one row leaves out the terms whose `A` is zero; its elements must be adjacent.
    pub skip: bool,
    /// What the tiles fetch meanwhile.
    pub next: Option<Fetch>,
    /// The panel's first element of C, and floats to its next row.
    pub c: *mut f32,
    pub c_stride: usize,
    /// Whether C is too large to be in the cache: it and its activations are fetched while the sums are made, and the next panel's too.
    pub fetch_c: bool,
    /// First column of the panel.
    pub column: usize,
    /// Vectors of the panel.
    pub vectors: usize,
    /// Lanes of the last vector that are columns of C; `LANES` if all are.
    pub lanes: usize,
    pub end: Epilogue<'a>,
}

impl Panel<'_> {
    /// Leaves out the first vectors, of `columns` columns.
    pub(super) fn skip_vectors(&mut self, vectors: usize, columns: usize) {
        self.vectors -= vectors;
        self.b = self.b.wrapping_add(columns);
        self.sums = self.sums.wrapping_add(columns);
        self.c = self.c.wrapping_add(columns);
        self.column += columns;
    }
}

/// Rows of a panel of `NV` vectors, the last of which is `PARTIAL`, in tiles. A remainder is cut so that the tiles stay
/// tall: eight rows are two tiles of four, not six and two, since a short tile cannot hide the latency of its additions.
pub(super) struct Rows<'a, const NV: usize, const PARTIAL: bool, const HALF: bool> {
    panel: &'a Panel<'a>,
    from: usize,
    to: usize,
}

impl<'a, const NV: usize, const PARTIAL: bool, const HALF: bool> Rows<'a, NV, PARTIAL, HALF> {
    /// Rows `from..to`.
    ///
    /// # Safety
    /// The panel's pointers are good for `to` rows.
    pub(super) unsafe fn new(panel: &'a Panel<'a>, from: usize, to: usize) -> Self {
        Self { panel, from, to }
    }
}

impl<const NV: usize, const PARTIAL: bool, const HALF: bool> Kernel for Rows<'_, NV, PARTIAL, HALF> {
    /// Vectors of the panel that are done.
    type Out = usize;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        // Registers for sums; what is left of 16 or 32 holds a row of B and an element of A.
        let fits = |rows: usize| rows * NV <= S::TILE_ROWS * S::TILE_VECTORS;
        let Self { panel, from: mut row, to } = self;
        while row < to {
            let left = to - row;
            // SAFETY: each tile covers rows below `to`.
            row += unsafe {
                if fits(8) && left >= 8 {
                    tile::<S, 8, NV, PARTIAL, HALF>(s, panel, row)
                } else if fits(6) && left >= 6 && left != 8 {
                    tile::<S, 6, NV, PARTIAL, HALF>(s, panel, row)
                } else if fits(4) && left >= 4 {
                    tile::<S, 4, NV, PARTIAL, HALF>(s, panel, row)
                } else if fits(2) && left >= 2 {
                    tile::<S, 2, NV, PARTIAL, HALF>(s, panel, row)
                } else {
                    tile::<S, 1, NV, PARTIAL, HALF>(s, panel, row)
                }
            };
        }
        NV
    }
}

/// Floats between rows of C from which on it matters whether the loads of a tile come before its stores.
const ALIAS: usize = 1024;

/// Terms whose zeros are looked for at once.
const TERMS: usize = u64::BITS as usize;

/// Which of the first `n` floats, of [`TERMS`] at most, are not zero: a bit for each.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn nonzero<S: Simd>(s: S, from: *const f32, n: usize) -> u64 {
    let (mut bits, mut at, n) = (0, 0, n.min(TERMS));
    // SAFETY: both kinds of load stay below `n`.
    unsafe {
        while at + S::LANES <= n {
            bits |= u64::from(s.nonzero(s.load(from.add(at)))) << at;
            at += S::LANES;
        }
        if at < n {
            bits |= u64::from(s.nonzero(s.load_first(n - at, from.add(at)))) << at;
        }
    }
    bits
}

/// Fetches a tile's part of a matrix, and that of the next panel.
#[inline(always)]
fn fetch_rows<S: Simd, const MR: usize, const NV: usize>(s: S, at: *const f32, stride: usize) {
    for r in 0..MR {
        for v in 0..2 * NV {
            s.prefetch(at.wrapping_add(r * stride + v * S::LANES));
        }
    }
}

/// `MR` rows of a panel of `NV` vectors, the last of which is `PARTIAL`; returns `MR`.
///
/// In one piece, since that is measurably faster: with a function for each step, all of them inlined, the inner loops were the
/// same instructions in other registers and AVX2 and AVX-512 as fast, but large products lost 2 to 4 % in SSE2's sixteen.
///
/// # Safety
/// The panel's pointers are good for rows `row..row + MR`.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // Loops over rows and vectors index several arrays; constant bounds unroll them.
unsafe fn tile<S: Simd, const MR: usize, const NV: usize, const PARTIAL: bool, const HALF: bool>(
    s: S,
    panel: &Panel<'_>,
    row: usize,
) -> usize {
    let &Panel { k, a_strides: (rsa, csa), b_stride, .. } = panel;
    let sums = panel.sums.wrapping_add(row * panel.sums_stride);
    let c = panel.c.wrapping_add(row * panel.c_stride);
    let mut acc = [[s.splat(0.0); NV]; MR];

    /// Loads vector `v` of a row, or stores it, as far as it has columns.
    macro_rules! load {
        ($v:expr, $from:expr) => {
            if PARTIAL && $v + 1 == NV { s.load_first(panel.lanes, $from) } else { s.load($from) }
        };
    }
    /// Stores a value made of each sum.
    macro_rules! store {
        ($c:expr, $stride:expr, |$sum:ident, $r:ident, $v:ident, $to:ident| $value:expr) => {
            for $r in 0..MR {
                for $v in 0..NV {
                    let ($sum, $to) = (acc[$r][$v], $c.add($r * $stride + $v * S::LANES));
                    if PARTIAL && $v + 1 == NV {
                        s.store_first(panel.lanes, $value, $to);
                    } else {
                        s.store($value, $to);
                    }
                }
            }
        };
    }
    /// Stores a value made of each sum and of something that is loaded. The CPU makes a load wait for a store before it whose
    /// address has the same last twelve bits, or lies in the same line; where rows do, every load comes before every store.
    macro_rules! load_and_store {
        (|$sum:ident, $r:ident, $v:ident| $value:expr) => {
            if PARTIAL || panel.c_stride.is_multiple_of(ALIAS) {
                for $r in 0..MR {
                    for $v in 0..NV {
                        let $sum = acc[$r][$v];
                        acc[$r][$v] = $value;
                    }
                }
                store!(c, panel.c_stride, |sum, r, v, to| sum);
            } else {
                store!(c, panel.c_stride, |$sum, $r, $v, to| $value);
            }
        };
    }
    // SAFETY: by the function's contract; columns beyond `lanes` are not touched.
    unsafe {
        if !panel.first {
            for r in 0..MR {
                for v in 0..NV {
                    acc[r][v] = load!(v, sums.add(r * panel.sums_stride + v * S::LANES));
                }
            }
        }
        if panel.fetch_c {
            fetch_rows::<S, MR, NV>(s, c, panel.c_stride);
            if let Epilogue::ReluMask { activations } = panel.end {
                let at =
                    activations.data().as_ptr().wrapping_add(row * activations.row_stride() + panel.column);
                fetch_rows::<S, MR, NV>(s, at, activations.row_stride());
            }
        }
        let a: [*const f32; MR] = core::array::from_fn(|r| panel.a.wrapping_add((row + r) * rsa));
        let (mut b, mut p) = (panel.b, 0);
        let tile = row / MR;
        let fetch = panel.next.filter(|next| tile < next.tiles).unwrap_or_else(|| Fetch::nothing(panel));
        let mut next = fetch.at.wrapping_add(tile * fetch.tile_step);
        if MR == 1 && panel.skip {
            for first in (0..k).step_by(TERMS) {
                let mut left = nonzero(s, a[0].add(first), k - first);
                while left != 0 {
                    let p = first + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let (av, b) = (s.splat(*a[0].add(p)), b.wrapping_add(p * b_stride));
                    for v in 0..NV {
                        acc[0][v] = s.mul_add(av, load!(v, b.add(v * S::LANES)), acc[0][v]);
                    }
                }
            }
        }
        let mut left = if MR == 1 && panel.skip { 0 } else { k };
        // One loop where there is one run.
        while left > 0 {
            let run = if S::PREFETCHES { left.min(fetch.run) } else { left };
            left -= run;
            for _ in 0..run {
                s.prefetch(next);
                next = next.wrapping_add(fetch.step);
                let term = |acc, a, b| if HALF { s.dot_pairs(acc, a, b) } else { s.mul_add(a, b, acc) };
                // What there is less of stays in registers.
                if MR < NV {
                    let av: [S::V; MR] = core::array::from_fn(|r| s.splat(*a[r].add(p)));
                    for v in 0..NV {
                        let bv = load!(v, b.add(v * S::LANES));
                        for r in 0..MR {
                            acc[r][v] = term(acc[r][v], av[r], bv);
                        }
                    }
                } else {
                    let mut bv = [s.splat(0.0); NV];
                    for v in 0..NV {
                        bv[v] = load!(v, b.add(v * S::LANES));
                    }
                    for r in 0..MR {
                        let av = s.splat(*a[r].add(p));
                        for v in 0..NV {
                            acc[r][v] = term(acc[r][v], av, bv[v]);
                        }
                    }
                }
                p += csa;
                b = b.wrapping_add(b_stride);
            }
            next = next.wrapping_add(fetch.jump);
        }
        let stride = panel.c_stride;
        match panel.end {
            _ if !panel.last => store!(sums, panel.sums_stride, |sum, r, v, to| sum),
            Epilogue::Scale { alpha, beta: 0.0 } => {
                let alpha = s.splat(alpha);
                store!(c, stride, |sum, r, v, to| s.mul(alpha, sum));
            }
            Epilogue::Scale { alpha, beta: 1.0 } => {
                let alpha = s.splat(alpha);
                load_and_store!(|sum, r, v| s.mul_add(
                    alpha,
                    sum,
                    load!(v, c.add(r * stride + v * S::LANES))
                ));
            }
            Epilogue::Scale { alpha, beta } => {
                let (alpha, beta) = (s.splat(alpha), s.splat(beta));
                load_and_store!(|sum, r, v| {
                    s.mul_add(alpha, sum, s.mul(beta, load!(v, c.add(r * stride + v * S::LANES))))
                });
            }
            Epilogue::Bias { bias, relu } => {
                let floor = s.splat(if relu { 0.0 } else { f32::NEG_INFINITY });
                let mut bv = [floor; NV];
                for v in 0..NV {
                    bv[v] = load!(v, bias.as_ptr().add(panel.column + v * S::LANES));
                }
                store!(c, stride, |sum, r, v, to| s.max(floor, s.add(sum, bv[v])));
            }
            Epilogue::ReluMask { activations } => {
                let from =
                    activations.data().as_ptr().wrapping_add(row * activations.row_stride() + panel.column);
                load_and_store!(|sum, r, v| {
                    s.where_positive(load!(v, from.add(r * activations.row_stride() + v * S::LANES)), sum)
                });
            }
        }
    }
    MR
}
