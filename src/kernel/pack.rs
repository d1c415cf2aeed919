//! Packing: operands copied to where the micro-kernel reads them best. Micro-panels of B become rows of whole vectors, one
//! panel after the other; blocks of rows of a transposed A become adjacent.
//!
//! ```text
//! B    for each micro-panel, for each step p of K      panel[p] = columns of B[p]
//! A    for each step p of K                            block[p] = rows of A[..][p], and a cache line of padding
//! ```
//!
//! A copy pays for three reasons. Rows a large power of two apart map to the same few sets of every cache; rows of a large
//! matrix are on as many pages. And a transposed B has no rows of vectors at all: it is transposed while it is copied, in
//! blocks of whole registers.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use super::gemm_args::{ABlock, Range};
use crate::arena::CACHE_LINE_FLOATS;
use crate::mat::Mat;
use crate::simd::{Kernel, Simd};

/// Floats of a buffer for micro-panels: 64 KB, which L2 holds beside all else.
pub(super) const PANEL_BUFFER_FLOATS: usize = 16_384;
/// Floats of a buffer for a block of A: 96 rows of K = 256, 128 rows of K = 199.
pub(super) const A_BUFFER_FLOATS: usize = 28 * 1024;

/// Steps of K of a block that is transposed in registers: what [`Simd::load_columns`] gives.
const TRANSPOSED_STEPS: usize = 4;

/// Steps of K of A a multiple of this apart share sets of L1: 32 of them fill theirs.
const ALIAS_FLOATS: usize = 256;

/// A buffer on the stack for packed operands. Backends of one lane never pack, so a microcontroller without vectors never
/// pays for it.
#[repr(C, align(64))]
pub(super) struct PackBuffer<const FLOATS: usize>([MaybeUninit<f32>; FLOATS]);

impl<const FLOATS: usize> PackBuffer<FLOATS> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([MaybeUninit::uninit(); FLOATS])
    }

    /// The micro-panel of `k` steps that starts at column `column` of the buffer.
    #[inline(always)]
    pub(super) fn panel(&self, k: usize, column: usize) -> *const f32 {
        self.0.as_ptr().cast::<f32>().wrapping_add(k * column)
    }

    /// The first `len` floats of the buffer, to be written.
    ///
    /// # Panics
    /// If it has fewer.
    #[inline(always)]
    pub(super) fn first(&mut self, len: usize) -> *mut f32 {
        self.0[..len].as_mut_ptr().cast::<f32>()
    }

    /// Packs steps `p..p + k` and columns `column..column + cols` of `b` into a micro-panel of `width` columns, a multiple of
    /// the lanes, that starts at column `at` of the buffer. Columns from `cols` on are left as they are.
    ///
    /// # Panics
    /// If the panel does not fit, or there are no such steps and columns.
    #[inline(always)]
    pub(super) fn pack_panel<S: Simd>(
        &mut self,
        s: S,
        b: Mat<'_>,
        (p, k): (usize, usize),
        (column, cols): (usize, usize),
        width: usize,
        at: usize,
    ) {
        assert!(
            k * (at + width) <= FLOATS && p + k <= b.rows() && column + cols <= b.cols() && cols <= width
        );
        let to = self.0.as_mut_ptr().cast::<f32>().wrapping_add(k * at);
        // SAFETY: the view's constructor checked that its elements are there, and the buffer has `k * width` floats from
        // `to` on, by the assertion.
        unsafe {
            let source = b.data().as_ptr().wrapping_add(p * b.row_stride() + column * b.col_stride());
            if b.col_stride() == 1 {
                copy(s, source, b.row_stride(), k, cols, to, width);
            } else if b.row_stride() == 1 {
                transpose(s, source, b.col_stride(), k, cols, to, width);
            } else {
                copy_elements(source, (b.row_stride(), b.col_stride()), (0, k), (0, cols), to, width);
            }
        }
    }

    /// Packs rows `from..to` and steps `p..p + k` of a transposed `a`: where row 0 would be, and the strides.
    ///
    /// # Panics
    /// If they do not fit, or `a` has no such rows and steps, or its rows are not adjacent.
    #[inline(always)]
    pub(super) fn pack_rows(&mut self, a: Mat<'_>, (from, to): Range, (p, k): (usize, usize)) -> ABlock {
        // A cache line of padding, so that steps spread over the sets of a cache.
        let stride = to - from + CACHE_LINE_FLOATS;
        assert!(a.row_stride() == 1 && k * stride <= FLOATS);
        for (step, packed) in self.0.chunks_exact_mut(stride).take(k).enumerate() {
            let source = &a.data()[(p + step) * a.col_stride()..][from..to];
            packed.iter_mut().zip(source).for_each(|(to, from)| {
                to.write(*from);
            });
        }
        (self.0.as_ptr().cast::<f32>().wrapping_sub(from), (1, stride))
    }
}

/// Whether the steps of a transposed `a` evict each other from L1, so that packing a block of its rows pays.
#[inline(always)]
pub(super) fn evicts_itself(a: Mat<'_>) -> bool {
    a.row_stride() == 1 && a.col_stride().is_multiple_of(ALIAS_FLOATS)
}

/// Copies `k` rows of `cols` adjacent floats.
///
/// # Safety
/// The rows are readable, and `to` has `k` rows of `width` floats.
#[inline(always)]
unsafe fn copy<S: Simd>(
    s: S,
    mut from: *const f32,
    stride: usize,
    k: usize,
    cols: usize,
    to: *mut f32,
    width: usize,
) {
    let whole = cols - cols % S::LANES;
    let mut to = to;
    for _ in 0..k {
        // SAFETY: the caller's promise; `whole` and the rest make `cols`.
        unsafe {
            let mut c = 0;
            while c < whole {
                s.store(s.load(from.add(c)), to.add(c));
                c += S::LANES;
            }
            if whole < cols {
                s.store(s.load_first(cols - whole, from.add(whole)), to.add(whole));
            }
        }
        from = from.wrapping_add(stride);
        to = to.wrapping_add(width);
    }
}

/// Copies `k` adjacent rows of `cols` floats that are `stride` apart: whole blocks in registers, the
/// rest one by one.
///
/// # Safety
/// The elements are readable, and `to` has `k` rows of `width` floats.
#[inline(always)]
unsafe fn transpose<S: Simd>(
    s: S,
    from: *const f32,
    stride: usize,
    k: usize,
    cols: usize,
    to: *mut f32,
    width: usize,
) {
    let (whole_k, whole_cols) = (k - k % TRANSPOSED_STEPS, cols - cols % S::LANES);
    // SAFETY: blocks and the rest cover each element once.
    unsafe {
        s.outlined(TransposedBlocks::new((from, stride), (whole_k, whole_cols), (to, width)));
        copy_elements(from, (1, stride), (0, whole_k), (whole_cols, cols), to, width);
        copy_elements(from, (1, stride), (whole_k, k), (0, cols), to, width);
    }
}

/// The whole blocks of [`transpose`], whose many addresses need the registers of a function of its own.
struct TransposedBlocks {
    from: *const f32,
    stride: usize,
    k: usize,
    cols: usize,
    to: *mut f32,
    width: usize,
}

impl TransposedBlocks {
    /// `k` steps of `cols` columns.
    ///
    /// # Safety
    /// That of [`transpose`]; `k` is a multiple of [`TRANSPOSED_STEPS`] and `cols` of the lanes of the vectors that run it.
    #[inline(always)]
    const unsafe fn new(
        (from, stride): (*const f32, usize),
        (k, cols): (usize, usize),
        (to, width): (*mut f32, usize),
    ) -> Self {
        Self { from, stride, k, cols, to, width }
    }
}

impl Kernel for TransposedBlocks {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for c in (0..self.cols).step_by(S::LANES) {
            for p in (0..self.k).step_by(TRANSPOSED_STEPS) {
                let from = self.from.wrapping_add(c * self.stride + p);
                let to = self.to.wrapping_add(p * self.width + c);
                // SAFETY: the promise of the constructor; both lengths are whole numbers of blocks.
                unsafe {
                    for (r, column) in s.load_columns(from, self.stride).into_iter().enumerate() {
                        s.store(column, to.wrapping_add(r * self.width));
                    }
                }
            }
        }
    }
}

/// Copies the elements of rows `k.0..k.1` and columns `cols.0..cols.1` one by one.
///
/// # Safety
/// The elements are readable, and `to` has `k` rows of `width` floats.
#[inline(always)]
unsafe fn copy_elements(
    from: *const f32,
    strides: (usize, usize),
    k: (usize, usize),
    cols: (usize, usize),
    to: *mut f32,
    width: usize,
) {
    for c in cols.0..cols.1 {
        for p in k.0..k.1 {
            // SAFETY: the caller's promise.
            unsafe { *to.add(p * width + c) = *from.add(p * strides.0 + c * strides.1) }
        }
    }
}
