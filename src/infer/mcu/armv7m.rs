//! Two products in one multiplication, as [`pairs`](super::pairs) explains, for Cortex-M3.
//!
//! The compiler keeps four accumulators, four weights, a pair and the mask in memory; here they stay in registers. The
//! end of a list is an offset of its own, so that no register has to hold where it is.
#![allow(unsafe_code)]

use core::arch::asm;

use super::thumb2::{thumb2_layers, thumb2_rows};
use crate::simd::thumb_functions;

pub(super) use super::pairs::{PACKING, SUMS, logit, pair, start};

thumb_functions!(
    thumb2_rows!(),
    thumb2_layers!(),
    r#"
    .macro SELVEDGE_ROW acc, w, even, odd
    and r3, \w, r2
    and \w, r2, \w, lsr #8
    mul r3, r3, \even
    mul \w, \w, \odd
    add \acc, \acc, r3, lsr #16
    add \acc, \acc, \w, lsr #16
    .endm
    .macro SELVEDGE_TWO even, odd, w
    and r3, r2, \w
    and r8, r2, \w, lsr #8
    mul r3, r3, r4
    mla r3, r8, r5, r3
    and r8, r2, \w, lsr #4
    and \w, r2, \w, lsr #12
    add \even, \even, r3, lsr #16
    mul r8, r8, r4
    mla r8, \w, r5, r8
    add \odd, \odd, r8, lsr #16
    .endm
    .macro SELVEDGE_MASKS_i8
    mov r2, #0x00ff00ff
    .endm
    .macro SELVEDGE_MASKS_i4
    mov r2, #0x000f000f
    .endm
    .macro SELVEDGE_QUAD weights, last
    ldmia r0!, {r3, r4, r5}
    add r3, r3, r1
    ldmia r3, {r6-\last}
    SELVEDGE_ROWS_\weights
    .endm
    @ An offset of ones ends a list.
    .macro SELVEDGE_AGAIN
    ldr r3, [r0]
    cmp r3, #-1
    .endm
    @ Entries of two words, at least one.
    .macro SELVEDGE_DENSE weights, last
    ldr r3, [r4, #8]
    str r3, [sp]
    subs r3, r3, r0
    @ The first round is short by what their number lacks to a multiple of four: bits 3 and 4 of 8 times it.
    lsls r3, r3, #28
    SELVEDGE_FIRST_ROUND
1:  SELVEDGE_PAIR \weights, \last
2:  SELVEDGE_PAIR \weights, \last
3:  SELVEDGE_PAIR \weights, \last
4:  SELVEDGE_PAIR \weights, \last
    ldr r3, [sp]
    cmp r0, r3
    bne 1b
    .endm
    .macro SELVEDGE_DENSE_i8
    SELVEDGE_DENSE i8, r9
    .endm
    .macro SELVEDGE_DENSE_i4
    SELVEDGE_DENSE i4, r7
    .endm

    @ What the inputs' sum adds is taken off.
    .macro SELVEDGE_BIASES
    ldr r3, [r4, #36]
    sub r10, r10, r3
    sub r11, r11, r3
    sub r12, r12, r3
    sub lr, lr, r3
    .endm
    .macro SELVEDGE_UNITS acc, bias
    sub \bias, \bias, r5
    add \acc, \bias, \acc, lsl #4
    .endm
    .macro SELVEDGE_REQUANTIZE acc, r
    lsl \acc, \acc, #8
    mov r2, #0x80000000
    mov r3, #0
    smlal r2, r3, \acc, \r
    usat \acc, #7, r3
    .endm
    .macro SELVEDGE_SUMS
    .endm
    SELVEDGE_LAYER i8, r9
    SELVEDGE_LAYER i4, r7

    .macro SELVEDGE_KERNELS weights, last, mask
    @ selvedge_skipping_WEIGHTS(list, weights, end, acc): entries of three words, then an offset that carries, which is
    @ met in the first half of a round: an odd number of entries starts in the second
    SELVEDGE_FUNCTION selvedge_skipping_\weights
    push {r3-r11, lr}
    ldm r3, {r10, r11, r12, lr}
    subs r3, r2, r0
    mov r2, #\mask
    lsls r3, r3, #29
    bmi 2f
1:  ldmia r0!, {r3, r4, r5}
    adds r3, r3, r1
    bcs 9f
    ldmia r3, {r6-\last}
    SELVEDGE_ROWS_\weights
2:  ldmia r0!, {r3, r4, r5}
    add r3, r3, r1
    ldmia r3, {r6-\last}
    SELVEDGE_ROWS_\weights
    b 1b
9:  pop {r3}
    SELVEDGE_LEAVE
    SELVEDGE_END selvedge_skipping_\weights

    @ selvedge_dense_WEIGHTS(pairs, weights, end, acc): entries of two words, at least one
    SELVEDGE_FUNCTION selvedge_dense_\weights
    push {r2-r11, lr}
    ldm r3, {r10, r11, r12, lr}
    mov r2, #\mask
1:  ldmia r0!, {r4, r5}
    ldmia r1!, {r6-\last}
    SELVEDGE_ROWS_\weights
    ldr r3, [sp]
    cmp r0, r3
    bne 1b
    pop {r2, r3}
    SELVEDGE_LEAVE
    SELVEDGE_END selvedge_dense_\weights
    .endm
    SELVEDGE_KERNELS i8, r9, 0x00ff00ff
    SELVEDGE_KERNELS i4, r7, 0x000f000f
"#
);

/// `(acc * r + 2^23) >> 24`, clamped to 0..=127.
#[inline(always)]
pub(super) fn requantize(acc: u32, r: u32) -> u32 {
    let y: u32;
    // SAFETY: arithmetic on registers.
    unsafe {
        asm!("usat {}, #7, {}", lateout(reg) y, in(reg) scaled(acc, r), options(pure, nomem, nostack));
    }
    y
}

/// How many steps of the table of an activation a sum is, in -128..=127.
#[inline(always)]
pub(super) fn step(acc: u32, r: u32) -> u32 {
    let t: u32;
    // SAFETY: arithmetic on registers.
    unsafe {
        asm!("ssat {}, #8, {}", lateout(reg) t, in(reg) scaled(acc, r), options(pure, nomem, nostack));
    }
    t
}

/// `(acc * r + 2^23) >> 24`: the upper word of a long product that starts with the rounding.
#[inline(always)]
fn scaled(acc: u32, r: u32) -> i32 {
    ((i64::from((acc << 8) as i32) * i64::from(r as i32) + (1 << 31)) >> 32) as i32
}
