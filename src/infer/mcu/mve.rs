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

use crate::simd::thumb_functions;

thumb_functions!(
    r#"
    .cpu cortex-m55
    .macro SELVEDGE_ROW acc, q
    vldrb.u8 \q, [r3], #16
    vmladava.s8 \acc, q0, \q
    .endm

    .macro SELVEDGE_ROWS_i8
    SELVEDGE_ROW r0, q1
    SELVEDGE_ROW r2, q2
    SELVEDGE_ROW r4, q3
    SELVEDGE_ROW r6, q1
    SELVEDGE_ROW r8, q2
    SELVEDGE_ROW r10, q3
    SELVEDGE_ROW r12, q1
    SELVEDGE_ROW lr, q2
    .endm

    .macro SELVEDGE_TWO even, odd
    vldrb.u8 q1, [r3], #16
    vshl.i8 q2, q1, #4
    vmladava.s8 \even, q0, q2
    vand q1, q1, q3
    vmladava.s8 \odd, q0, q1
    .endm
    .macro SELVEDGE_MASK_i8
    .endm
    .macro SELVEDGE_MASK_i4
    vmov.i8 q3, #0xf0
    .endm
    .macro SELVEDGE_ROWS_i4
    SELVEDGE_TWO r0, r2
    SELVEDGE_TWO r4, r6
    SELVEDGE_TWO r8, r10
    SELVEDGE_TWO r12, lr
    .endm

    @ Adds the products of eight rows: the blocks at r9, the list from r5 to r11, the weights at r7.
    .macro SELVEDGE_BLOCKS weights
    cmp r5, r11
    beq 2f
1:  ldr r3, [r5], #4
    vldrb.u8 q0, [r9], #16
    add r3, r7
    SELVEDGE_ROWS_\weights
    cmp r5, r11
    bne 1b
2:
    .endm

    .macro SELVEDGE_ROWS weights
    @ selvedge_rows_WEIGHTS(x, list, weights, acc, end, biases): acc = biases + weights * x over the blocks of the list
    SELVEDGE_FUNCTION selvedge_rows_\weights
    push {r3-r11, lr}
    ldrd r11, r3, [sp, #40]
    mov r7, r2
    mov r9, r0
    mov r5, r1
    ldm r3, {r0, r2, r4, r6, r8, r10, r12, lr}
    SELVEDGE_MASK_\weights
    SELVEDGE_BLOCKS \weights
    pop {r3}
    stm r3, {r0, r2, r4, r6, r8, r10, r12, lr}
    pop {r4-r11, pc}
    SELVEDGE_END selvedge_rows_\weights
    .endm
    SELVEDGE_ROWS i8
    SELVEDGE_ROWS i4

    @ The accumulators in q0 and q1 become outputs.
    .macro SELVEDGE_REQUANTIZE multipliers, load, bytes
    \load q2, [\multipliers], #\bytes
    vshl.i32 q0, q0, #8
    vshl.i32 q1, q1, #8
    vrmulh.s32 q0, q0, q2
    \load q2, [\multipliers], #\bytes
    vrmulh.s32 q1, q1, q2
    vmov.i32 q2, #0
    vmax.s32 q0, q0, q2
    vmax.s32 q1, q1, q2
    vmov.i32 q2, #127
    vmin.s32 q0, q0, q2
    vmin.s32 q1, q1, q2
    .endm
    .macro SELVEDGE_HIDDEN name, weights, load, bytes
    @ selvedge_hidden_NAME(_, {x, list, end, weights, biases, multipliers, out, stride, groups}): a hidden layer; an
    @ accumulator takes the register of the first argument
    SELVEDGE_FUNCTION selvedge_hidden_\name
    push {r4-r11, lr}
    SELVEDGE_MASK_\weights
3:  ldrd r9, r5, [r1]
    ldrd r11, r7, [r1, #8]
    ldr r3, [r1, #16]
    ldm r3!, {r0, r2, r4, r6, r8, r10, r12, lr}
    str r3, [r1, #16]
    SELVEDGE_BLOCKS \weights
    vmov q0[2], q0[0], r0, r4
    vmov q0[3], q0[1], r2, r6
    vmov q1[2], q1[0], r8, r12
    vmov q1[3], q1[1], r10, lr
    ldrd r5, r4, [r1, #20]
    SELVEDGE_REQUANTIZE r5, \load, \bytes
    vstrb.32 q0, [r4], #4
    vstrb.32 q1, [r4], #4
    ldrd r2, r3, [r1, #28]
    add r7, r2
    str r7, [r1, #12]
    strd r5, r4, [r1, #20]
    subs r3, #1
    str r3, [r1, #32]
    bne 3b
    pop {r4-r11, pc}
    SELVEDGE_END selvedge_hidden_\name
    .endm
    SELVEDGE_HIDDEN i8, i8, vldrh.u32, 8
    SELVEDGE_HIDDEN i4, i4, vldrh.u32, 8
    SELVEDGE_HIDDEN i8_wide, i8, vldrw.u32, 16
    SELVEDGE_HIDDEN i4_wide, i4, vldrw.u32, 16
    .macro SELVEDGE_OUTPUTS requantize, look_up, load, bytes
    @ requantize(acc, multipliers, out): eight outputs of hidden rows
    SELVEDGE_FUNCTION \requantize
    vldrw.u32 q0, [r0]
    vldrw.u32 q1, [r0, #16]
    SELVEDGE_REQUANTIZE r1, \load, \bytes
    vstrb.32 q0, [r2]
    vstrb.32 q1, [r2, #4]
    bx lr
    SELVEDGE_END \requantize

    @ look_up(acc, multipliers, out, table): the same of rows whose activation is looked up
    SELVEDGE_FUNCTION \look_up
    \load q2, [r1]
    \load q3, [r1, #\bytes]
    vldrw.u32 q0, [r0]
    vldrw.u32 q1, [r0, #16]
    vshl.i32 q0, q0, #8
    vshl.i32 q1, q1, #8
    vrmulh.s32 q0, q0, q2
    vrmulh.s32 q1, q1, q3
    mvn r0, #127
    vdup.32 q2, r0
    vmov.i32 q3, #127
    vmax.s32 q0, q0, q2
    vmax.s32 q1, q1, q2
    vmin.s32 q0, q0, q3
    vmin.s32 q1, q1, q3
    vsub.i32 q0, q0, q2
    vsub.i32 q1, q1, q2
    vldrb.u32 q2, [r3, q0]
    vldrb.u32 q3, [r3, q1]
    vstrb.32 q2, [r2]
    vstrb.32 q3, [r2, #4]
    bx lr
    SELVEDGE_END \look_up
    .endm
    SELVEDGE_OUTPUTS selvedge_requantize, selvedge_look_up, vldrh.u32, 8
    SELVEDGE_OUTPUTS selvedge_requantize_wide, selvedge_look_up_wide, vldrw.u32, 16

    @ selvedge_carry(low, biases, first): what sums of low digits carry, added to the biases
    SELVEDGE_FUNCTION selvedge_carry
    vldrw.u32 q0, [r0]
    vldrw.u32 q1, [r0, #16]
    vldrw.u32 q2, [r1]
    vldrw.u32 q3, [r1, #16]
    vshr.s32 q0, q0, #7
    vshr.s32 q1, q1, #7
    vadd.i32 q0, q0, q2
    vadd.i32 q1, q1, q3
    vstrw.32 q0, [r2]
    vstrw.32 q1, [r2, #16]
    bx lr
    SELVEDGE_END selvedge_carry

    @ selvedge_patches(pixels, x, list, {cols, rows / 4, cols / 4, keep, table, weights}): end of the list
    SELVEDGE_FUNCTION selvedge_patches
    push {r4-r11, lr}
    ldm r3, {r5, r6, r7, r8}
    movs r4, #0
    vidup.u32 q0, r4, #1
    vmul.i32 q0, q0, r5
    add r9, r5, r5, lsl #1
    ldrd r5, lr, [r3, #16]
    movs r3, #0
1:  mov r10, r7
2:  vldrw.u32 q1, [r0, q0]
    vshr.u8 q2, q1, #1
    cbz r5, 4f
    vldrb.u8 q2, [r5, q1]
4:  mov r4, r8
    vmaxv.u8 r4, q2
    vstrb.8 q2, [r1]
    cbz r4, 3f
    adds r1, #16
    str r3, [r2], #4
3:  add r3, lr
    adds r0, #4
    subs.w r10, r10, #1
    bne 2b
    add r0, r9
    subs r6, #1
    bne 1b
    mov r0, r2
    pop {r4-r11, pc}
    SELVEDGE_END selvedge_patches
"#
);

type Words = *const u32;
type Acc = *mut [i32; 8];
type Sums = *const [i32; 8];
type Out = *mut [u32; 2];
type Layer = unsafe extern "C" fn(usize, *mut Hidden);
type Requantize = unsafe extern "C" fn(Sums, *const c_void, Out);
type LookUp = unsafe extern "C" fn(Sums, *const c_void, Out, *const [u8; 256]);
type Rows = unsafe extern "C" fn(Words, Words, Words, Acc, Words, *const [i32; 8]);

unsafe extern "C" {
    fn selvedge_rows_i8(x: Words, list: Words, weights: Words, acc: Acc, end: Words, biases: *const [i32; 8]);
    fn selvedge_rows_i4(x: Words, list: Words, weights: Words, acc: Acc, end: Words, biases: *const [i32; 8]);
    fn selvedge_hidden_i8(_: usize, layer: *mut Hidden);
    fn selvedge_hidden_i4(_: usize, layer: *mut Hidden);
    fn selvedge_hidden_i8_wide(_: usize, layer: *mut Hidden);
    fn selvedge_hidden_i4_wide(_: usize, layer: *mut Hidden);
    fn selvedge_requantize(acc: Sums, multipliers: *const c_void, out: Out);
    fn selvedge_requantize_wide(acc: Sums, multipliers: *const c_void, out: Out);
    fn selvedge_look_up(acc: Sums, multipliers: *const c_void, out: Out, table: *const [u8; 256]);
    fn selvedge_look_up_wide(acc: Sums, multipliers: *const c_void, out: Out, table: *const [u8; 256]);
    fn selvedge_carry(low: *const [i32; 8], biases: *const [i32; 8], first: *mut [i32; 8]);
    fn selvedge_patches(pixels: Words, x: *mut u32, list: *mut u32, image: *const Patched) -> Words;
}

/// A hidden layer, as the assembly reads it and counts it down.
#[repr(C)]
pub(super) struct Hidden {
    x: Words,
    list: Words,
    end: Words,
    weights: Words,
    biases: *const [i32; 8],
    multipliers: *const c_void,
    out: Out,
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
        let mut layer = Hidden {
            x: self.x.as_ptr(),
            list: self.list.as_ptr(),
            end: self.list.as_ptr_range().end,
            weights: weights.as_ptr(),
            biases: biases.as_ptr(),
            multipliers: multipliers.as_ptr().cast(),
            out: out.as_mut_ptr(),
            stride: size_of::<u32>() * words,
            groups,
        };
        // SAFETY: as in `rows`, for each of the groups, of which all four slices have as many.
        unsafe { R::HIDDEN[usize::from(I4)](0, &mut layer) }
        groups
    }
}

/// A multiplier as it is stored, of 16 or of 32 bits, with the kernels that read it.
///
/// # Safety
/// The kernels read eight multipliers of this type for every eight rows.
pub(super) unsafe trait Multiplier: Sized {
    /// A hidden layer of i8 and of i4 weights.
    const HIDDEN: [Layer; 2];
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
    const HIDDEN: [Layer; 2] = [selvedge_hidden_i8, selvedge_hidden_i4];
    const REQUANTIZE: Requantize = selvedge_requantize;
    const LOOK_UP: LookUp = selvedge_look_up;
}

// SAFETY: they load words.
unsafe impl Multiplier for u32 {
    const HIDDEN: [Layer; 2] = [selvedge_hidden_i8_wide, selvedge_hidden_i4_wide];
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
