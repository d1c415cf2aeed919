//! Operands copied to where the tile reads them best: panels of B as rows of whole vectors, one behind the other, and blocks
//! of a transposed A.
//!
//! Two reasons to pay for a copy. Rows that lie a large power of two apart fall into the same few sets of every cache;
//! rows of a large matrix lie on as many pages. And a transposed B has no rows of vectors at all: it is transposed while
//! it is copied, in blocks of whole registers.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use crate::arena::CACHE_LINE_FLOATS;
use crate::mat::Mat;
use crate::simd::{Kernel, Simd};

/// Floats of the room: 64 KB, which a second-level cache holds beside all else.
const FLOATS: usize = 16_384;

/// Rows of a block that is transposed.
const DEEP: usize = 4;

/// Floats of a block of A: 96 rows of 256 terms, 128 rows of 199.
pub(super) const ROWS: usize = 28 * 1024;
/// Floats between terms of A from which on they share sets of the first cache: 32 terms this far apart fill theirs.
const ALIAS: usize = 256;

/// Room for panels on the stack. Backends of one lane never pack, so a microcontroller without vectors never pays for it.
#[repr(C, align(64))]
pub(super) struct Packed([MaybeUninit<f32>; FLOATS]);

impl Packed {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([MaybeUninit::uninit(); FLOATS])
    }

    /// Floats of the room.
    pub(super) const fn floats() -> usize {
        FLOATS
    }

    /// The panel of `k` rows that starts at `column`.
    #[inline(always)]
    pub(super) fn panel(&self, k: usize, column: usize) -> *const f32 {
        self.0.as_ptr().cast::<f32>().wrapping_add(k * column)
    }

    /// `len` floats of the room from `at` on.
    #[inline(always)]
    pub(super) fn at(&mut self, at: usize, len: usize) -> &mut [MaybeUninit<f32>] {
        &mut self.0[at..][..len]
    }

    /// Copies rows `from..from + k` and columns `column..column + cols` of `b` into a panel of `width` columns, a multiple
    /// of the lanes, that starts at column `at` of the room. Columns from `cols` on are left as they are.
    ///
    /// # Panics
    /// If the panel does not fit, or there are no such rows and columns.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(
        &mut self,
        s: S,
        b: Mat<'_>,
        (from, k): (usize, usize),
        (column, cols): (usize, usize),
        width: usize,
        at: usize,
    ) {
        assert!(
            k * (at + width) <= FLOATS && from + k <= b.rows() && column + cols <= b.cols() && cols <= width
        );
        let to = self.0.as_mut_ptr().cast::<f32>().wrapping_add(k * at);
        // SAFETY: the view's constructor checked that its elements are there, and the panel has room for `k * width`.
        unsafe {
            let source = b.data().as_ptr().wrapping_add(from * b.row_stride() + column * b.col_stride());
            if b.col_stride() == 1 {
                copy(s, source, b.row_stride(), k, cols, to, width);
            } else if b.row_stride() == 1 {
                transpose(s, source, b.col_stride(), k, cols, to, width);
            } else {
                each(source, (b.row_stride(), b.col_stride()), (0, k), (0, cols), to, width);
            }
        }
    }
}

/// Whether the terms of a transposed `a` evict each other from the first cache, so that a copy of a block of its rows pays.
#[inline(always)]
pub(super) fn evicts_itself(a: Mat<'_>) -> bool {
    a.row_stride() == 1 && a.col_stride().is_multiple_of(ALIAS)
}

/// Room on the stack for a block of rows of A.
#[repr(C, align(64))]
pub(super) struct PackedRows([MaybeUninit<f32>; ROWS]);

impl PackedRows {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([MaybeUninit::uninit(); ROWS])
    }

    /// Copies rows `from..to` and terms `p..p + terms` of `a`: the element that row 0 would have, and the strides.
    ///
    /// # Panics
    /// If they do not fit, or `a` has no such rows and terms, or its rows are not adjacent.
    #[inline(always)]
    pub(super) fn pack(
        &mut self,
        a: Mat<'_>,
        (from, to): (usize, usize),
        (p, terms): (usize, usize),
    ) -> (*const f32, (usize, usize)) {
        // A line more than the rows, so that terms spread over the sets of a cache.
        let stride = to - from + CACHE_LINE_FLOATS;
        assert!(a.row_stride() == 1 && terms * stride <= ROWS);
        for (term, room) in self.0.chunks_exact_mut(stride).take(terms).enumerate() {
            let source = &a.data()[(p + term) * a.col_stride()..][from..to];
            room.iter_mut().zip(source).for_each(|(to, from)| {
                to.write(*from);
            });
        }
        (self.0.as_ptr().cast::<f32>().wrapping_sub(from), (1, stride))
    }
}

/// Copies `k` rows of `cols` adjacent floats.
///
/// # Safety
/// The rows are readable, and `to` has room.
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

/// Copies `k` rows of `cols` floats that lie `stride` apart while the rows are adjacent: whole blocks by registers, the
/// rest one by one.
///
/// # Safety
/// The elements are readable, and `to` has room.
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
    let (whole_k, whole_cols) = (k - k % DEEP, cols - cols % S::LANES);
    // SAFETY: blocks and the rest cover each element once.
    unsafe {
        s.outlined(Blocks { from, stride, k: whole_k, cols: whole_cols, to, width });
        each(from, (1, stride), (0, whole_k), (whole_cols, cols), to, width);
        each(from, (1, stride), (whole_k, k), (0, cols), to, width);
    }
}

/// The whole blocks of [`transpose`], whose many addresses need the registers of a function of its own. Who makes one promises
/// what [`transpose`] is promised.
struct Blocks {
    from: *const f32,
    stride: usize,
    k: usize,
    cols: usize,
    to: *mut f32,
    width: usize,
}

impl Kernel for Blocks {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for c in (0..self.cols).step_by(S::LANES) {
            for p in (0..self.k).step_by(DEEP) {
                let from = self.from.wrapping_add(c * self.stride + p);
                let to = self.to.wrapping_add(p * self.width + c);
                // SAFETY: the promise of who made it; both lengths are whole numbers of blocks.
                unsafe {
                    for (r, column) in s.columns(from, self.stride).into_iter().enumerate() {
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
/// The elements are readable, and `to` has room.
#[inline(always)]
unsafe fn each(
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
