//! Sixteen products in one instruction, for cores with MVE: Cortex-M55, M85.
//!
//! Eight rows at a time: `VMLADAV` adds sixteen products to a sum in an even register, and there are eight of those. The
//! first layer of an image that consists of 4×4 patches takes its inputs patch by patch, one gathering load for each,
//! because patches of zeros are twice as frequent as runs of sixteen.
//!
//! Of i4 sixteen bytes hold two rows; shifted and masked, a nibble is the upper half of a byte, sixteen times itself.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::ptr::NonNull;

mod assembly;

type Words = *const u32;
type Acc = *mut [i32; 8];
type Sums = *const [i32; 8];
type Out = *mut [u32; 2];
type Kernel = unsafe extern "C" fn(usize, *mut Layer);
type Requantize = unsafe extern "C" fn(Sums, *const c_void, Out);
type LookUp = unsafe extern "C" fn(Sums, *const c_void, Out, *const [u8; 256]);
type Rows = unsafe extern "C" fn(Words, Words, Words, Acc, Words, *const [i32; 8]);

unsafe extern "C" {
    fn selvedge_rows_i8(x: Words, list: Words, weights: Words, acc: Acc, end: Words, biases: *const [i32; 8]);
    fn selvedge_rows_i4(x: Words, list: Words, weights: Words, acc: Acc, end: Words, biases: *const [i32; 8]);
    fn selvedge_sums_i8(_: usize, layer: *mut Layer);
    fn selvedge_sums_i4(_: usize, layer: *mut Layer);
    fn selvedge_hidden_i8(_: usize, layer: *mut Layer);
    fn selvedge_hidden_i4(_: usize, layer: *mut Layer);
    fn selvedge_hidden_i8_wide(_: usize, layer: *mut Layer);
    fn selvedge_hidden_i4_wide(_: usize, layer: *mut Layer);
    fn selvedge_requantize(acc: Sums, multipliers: *const c_void, out: Out);
    fn selvedge_requantize_wide(acc: Sums, multipliers: *const c_void, out: Out);
    fn selvedge_look_up(acc: Sums, multipliers: *const c_void, out: Out, table: *const [u8; 256]);
    fn selvedge_look_up_wide(acc: Sums, multipliers: *const c_void, out: Out, table: *const [u8; 256]);
    fn selvedge_carry(low: *const [i32; 8], biases: *const [i32; 8], first: *mut [i32; 8]);
    fn selvedge_compact(x: *mut u32, list: *mut u32, blocks: usize, keep: usize, weights: usize) -> Words;
    fn selvedge_squares(
        outputs: *const i32,
        codes: *const u8,
        scales: *const [u32; 2],
        how: *const [u32; 3],
    ) -> u64;
    fn selvedge_patches(pixels: Words, x: *mut u32, list: *mut u32, image: *const Patched) -> Words;
}

/// A layer, as the assembly reads it and counts it down.
#[repr(C)]
pub(super) struct Layer {
    x: Words,
    list: Words,
    end: Words,
    weights: Words,
    biases: *const [i32; 8],
    multipliers: *const c_void,
    /// Eight outputs for each group, or eight sums.
    out: *mut c_void,
    /// Bytes of the weights of eight rows.
    stride: usize,
    groups: usize,
}

/// An image of 4×4 patches, as the assembly reads it.
#[repr(C)]
struct Patched {
    cols: usize,
    patches: [usize; 2],
    /// What the largest input of a patch starts from: 1 keeps patches of zeros.
    keep: usize,
    table: Option<NonNull<[u8; 256]>>,
    /// Bytes of the weights of a block.
    weights: usize,
}

/// Words of a block of sixteen inputs.
pub(super) const BLOCK_WORDS: usize = 4;
/// Bytes of the weights of eight rows for a block: of i4, two rows share theirs.
pub(super) const fn weights<const I4: bool>() -> usize {
    if I4 { 64 } else { 128 }
}

/// Blocks of inputs, one for each entry of a list, which is the byte offset of the block's weights: checked once a layer and
/// not for every group of rows.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a> {
    x: &'a [u32],
    list: &'a [u32],
}

impl<'a> Blocks<'a> {
    /// No blocks where `x` has not one for every entry.
    pub(super) fn new(x: &'a [u32], list: &'a [u32]) -> Self {
        Self { x, list: if BLOCK_WORDS * list.len() > x.len() { &[] } else { list } }
    }

    /// The sums of eight rows, whose weights are `weights`.
    pub(super) fn rows<const I4: bool>(self, weights: &[u32], biases: &[i32; 8], acc: &mut [i32; 8]) {
        let end = self.list.as_ptr_range().end;
        let kernel: Rows = if I4 { selvedge_rows_i4 } else { selvedge_rows_i8 };
        // SAFETY: there is a block of `x` for each entry, and the driver made the entries: offsets of blocks of these rows.
        unsafe { kernel(self.x.as_ptr(), self.list.as_ptr(), weights.as_ptr(), acc, end, biases) }
    }

    /// The outputs of a hidden layer, eight rows at a time, for each of which there are `words` words of weights: as
    /// [`rows`](Self::rows) and [`Multiplier::activations`], without leaving the assembly between them. Returns how many eights there are.
    pub(super) fn hidden<const I4: bool, R: Multiplier>(
        self,
        weights: &[u32],
        words: usize,
        biases: &[[i32; 8]],
        multipliers: &[[R; 8]],
        out: &mut [[u32; 2]],
    ) -> usize {
        let groups = biases.len().min(multipliers.len()).min(out.len());
        if groups == 0 || groups * words > weights.len() {
            return 0;
        }
        let mut layer = self.layer(weights, words, biases, groups);
        (layer.multipliers, layer.out) = (multipliers.as_ptr().cast(), out.as_mut_ptr().cast());
        // SAFETY: as in `rows`, for each of the groups, of which all four slices have as many.
        unsafe { R::HIDDEN[usize::from(I4)](0, &mut layer) }
        groups
    }

    /// The sums of rows, eight at a time, as [`hidden`](Self::hidden).
    pub(super) fn sums<const I4: bool>(
        self,
        weights: &[u32],
        words: usize,
        biases: &[[i32; 8]],
        to: &mut [[i32; 8]],
    ) {
        let groups = biases.len().min(to.len());
        if groups == 0 || groups * words > weights.len() {
            return;
        }
        let mut layer = self.layer(weights, words, biases, groups);
        layer.out = to.as_mut_ptr().cast();
        let kernel: Kernel = if I4 { selvedge_sums_i4 } else { selvedge_sums_i8 };
        // SAFETY: as in `rows`, for each of the groups, of which both slices have as many.
        unsafe { kernel(0, &mut layer) }
    }

    /// Groups of eight rows, for each of which there are `words` words of weights, without what becomes of their sums.
    fn layer(self, weights: &[u32], words: usize, biases: &[[i32; 8]], groups: usize) -> Layer {
        Layer {
            x: self.x.as_ptr(),
            list: self.list.as_ptr(),
            end: self.list.as_ptr_range().end,
            weights: weights.as_ptr(),
            biases: biases.as_ptr(),
            multipliers: core::ptr::null(),
            out: core::ptr::null_mut(),
            stride: size_of::<u32>() * words,
            groups,
        }
    }
}

/// A multiplier as it is stored, of 16 or of 32 bits, with the kernels that read it.
///
/// # Safety
/// The kernels read eight multipliers of this type for every eight rows.
pub(super) unsafe trait Multiplier: Sized {
    /// A hidden layer of i8 and of i4 weights.
    const HIDDEN: [Kernel; 2];
    /// Eight outputs of hidden rows.
    const REQUANTIZE: Requantize;
    /// The same of rows whose activation is looked up.
    const LOOK_UP: LookUp;

    /// The outputs of eight hidden rows.
    #[inline(always)]
    fn activations(acc: &[i32; 8], multipliers: &[Self; 8], table: Option<&[u8; 256]>, out: &mut [u32; 2]) {
        let multipliers = multipliers.as_ptr().cast();
        // SAFETY: reads and writes eight of each, and the entries of the table from 0 to 255.
        match table {
            Some(table) => unsafe { Self::LOOK_UP(acc, multipliers, out, table) },
            None => unsafe { Self::REQUANTIZE(acc, multipliers, out) },
        }
    }
}

// SAFETY: they load half words.
unsafe impl Multiplier for u16 {
    const HIDDEN: [Kernel; 2] = [selvedge_hidden_i8, selvedge_hidden_i4];
    const REQUANTIZE: Requantize = selvedge_requantize;
    const LOOK_UP: LookUp = selvedge_look_up;
}

// SAFETY: they load words.
unsafe impl Multiplier for u32 {
    const HIDDEN: [Kernel; 2] = [selvedge_hidden_i8_wide, selvedge_hidden_i4_wide];
    const REQUANTIZE: Requantize = selvedge_requantize_wide;
    const LOOK_UP: LookUp = selvedge_look_up_wide;
}

/// The biases and what the sums of the low digits carry: `biases + (low >> 7)`.
pub(super) fn carry(low: &[i32; 8], biases: &[i32; 8], first: &mut [i32; 8]) {
    // SAFETY: reads and writes eight of each.
    unsafe { selvedge_carry(low, biases, first) }
}

/// Turns the pixels of an image of `rows` by `cols`, both multiples of four, into inputs, by the table or halved, patch by
/// patch into `x`; those that are all zero are left out if `skip`. The offsets of their weights are written to `list`;
/// returns how many there are.
pub(super) fn patches<const I4: bool>(
    pixels: &[u32],
    (rows, cols): (usize, usize),
    table: Option<&[u8; 256]>,
    skip: bool,
    x: &mut [u32],
    list: &mut [u32],
) -> usize {
    let blocks = rows / 4 * (cols / 4);
    let short = BLOCK_WORDS * blocks > x.len().min(pixels.len()) || blocks > list.len();
    if short || rows % 4 != 0 || cols % 4 != 0 || blocks == 0 {
        return 0;
    }
    let patches = [rows / 4, cols / 4];
    let (keep, weights) = (usize::from(!skip), weights::<I4>());
    let image = Patched { cols, patches, keep, table: table.map(NonNull::from), weights };
    // SAFETY: all three slices have room for every patch, and the table has an input for every pixel.
    let end = unsafe { selvedge_patches(pixels.as_ptr(), x.as_mut_ptr(), list.as_mut_ptr(), &image) };
    (end as usize - list.as_ptr() as usize) / size_of::<u32>()
}

/// Moves the blocks of `x` that are not all zero to its front, all of them unless `skip`, and lists the offsets of their weights;
/// returns how many there are.
pub(super) fn compact<const I4: bool>(skip: bool, x: &mut [u32], list: &mut [u32]) -> usize {
    let blocks = (x.len() / BLOCK_WORDS).min(list.len());
    if blocks == 0 {
        return 0;
    }
    let keep = usize::from(!skip);
    // SAFETY: there are so many blocks, and an entry for each.
    let end = unsafe { selvedge_compact(x.as_mut_ptr(), list.as_mut_ptr(), blocks, keep, weights::<I4>()) };
    (end as usize - list.as_ptr() as usize) / size_of::<u32>()
}

/// As [`squares`](crate::infer::kernel::squares).
pub(super) fn squares(scales: &[[u32; 2]], outputs: &[i32], codes: &[u8], rounding: u32, shift: u32) -> u64 {
    let count = scales.len().min(outputs.len()).min(codes.len());
    if count == 0 {
        return 0;
    }
    let how = [count as u32, rounding, shift.wrapping_neg()];
    // SAFETY: there are so many of each.
    unsafe { selvedge_squares(outputs.as_ptr(), codes.as_ptr(), scales.as_ptr(), &how) }
}
