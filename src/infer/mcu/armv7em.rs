//! Three instructions for four products, for cores with the DSP extension: Cortex-M4, M7, M33.
//!
//! With inputs x0 to x3 the pair is `Z = (256 * x0 - x1, 256 * x2 - x3)` and `X = (x1, x3)`, in halves of 16 bits, the
//! first below. Weights keep their order, but byte 1 is one less where byte 0 is negative, and byte 3 where byte 2 is.
//! `SXTB16` takes bytes 0 and 2; the halves of the word itself are `256 * (byte 1) + byte 0` as signed numbers, since the
//! missing one makes up for the sign of byte 0. So
//!
//! ```text
//! SMLAD acc, w, X    acc += (256 * w1 + w0) * x1 + (256 * w3 + w2) * x3
//! SXTB16 w, w        w = (w0, w2)
//! SMLAD acc, w, Z    acc += 256 * w0 * x0 - w0 * x1 + 256 * w2 * x2 - w2 * x3
//! ```
//!
//! add up to 256 times the sum of the four products. Sums wrap around on the way; the last one is below 2^31, because the
//! file guarantees 2^23. `SMMULR` of it and the multiplier is the requantization, rounding included.
//!
//! For i4, one word holds the quads of two rows, whose nibbles are positive: `AND` takes the place of `SXTB16`, and a second
//! one leaves `256 * (byte 1) + byte 0`, so that four products cost four instructions.
#![allow(unsafe_code)]

use core::arch::asm;

use super::thumb2::{thumb2_layers, thumb2_rows};
use crate::format::Packing;
use crate::simd::thumb_functions;

thumb_functions!(
    thumb2_rows!(),
    thumb2_layers!(),
    r#"
    .cpu cortex-m4
    .macro SELVEDGE_ROW acc, w, even, odd
    smlad \acc, \w, \odd, \acc
    sxtb16 \w, \w
    smlad \acc, \w, \even, \acc
    .endm
    .macro SELVEDGE_TWO even, odd, w
    and r3, r8, \w
    smlad \even, r3, r4, \even
    and r3, r9, \w
    smlad \even, r3, r5, \even
    and r3, r8, \w, lsr #4
    smlad \odd, r3, r4, \odd
    and r3, r9, \w, lsr #4
    smlad \odd, r3, r5, \odd
    .endm
    .macro SELVEDGE_MASKS_i8
    .endm
    .macro SELVEDGE_MASKS_i4
    mov r8, #0x000f000f
    mov r9, #0x0f0f0f0f
    .endm
    .macro SELVEDGE_QUAD weights, last
    ldmia r0!, {r3, r4, r5}
    add r3, r1
    ldmia r3, {r6-\last}
    SELVEDGE_ROWS_\weights
    .endm

    .macro SELVEDGE_AGAIN
    cmp r0, r2
    .endm
    @ Entries of two words from r0 to r2, at least one; two of them are loaded at once.
    .macro SELVEDGE_DENSE_i8
    str r2, [sp]
    sub r3, r2, r0
    tst r3, #8
    beq 6f
    SELVEDGE_PAIR i8, r9
6:  subs r3, r2, r0
    beq 9f
    @ The first round is short by what the twos lack to a multiple of four: bits 4 and 5 of 16 times their number.
    lsls r3, r3, #27
    SELVEDGE_FIRST_ROUND
1:  SELVEDGE_PAIRS
2:  SELVEDGE_PAIRS
3:  SELVEDGE_PAIRS
4:  SELVEDGE_PAIRS
    ldr r2, [sp]
    cmp r0, r2
    bne 1b
9:
    .endm
    .macro SELVEDGE_PAIRS
    ldmia r0!, {r2, r3, r4, r5}
    ldmia r1!, {r6-r9}
    SELVEDGE_FOUR r2, r3
    ldmia r1!, {r6-r9}
    SELVEDGE_FOUR r4, r5
    .endm
    .macro SELVEDGE_DENSE_i4
    sub r3, r2, r0
    tst r3, #8
    bne 2f
1:  SELVEDGE_PAIR i4, r7
2:  SELVEDGE_PAIR i4, r7
    cmp r0, r2
    bne 1b
    .endm

    @ Sums count 256 times.
    .macro SELVEDGE_BIASES
    lsl r10, r10, #8
    lsl r11, r11, #8
    lsl r12, r12, #8
    lsl lr, lr, #8
    .endm
    .macro SELVEDGE_UNITS acc, bias
    sub \bias, \bias, r5
    lsl \acc, \acc, #4
    add \acc, \acc, \bias, lsl #8
    .endm
    .macro SELVEDGE_REQUANTIZE acc, r
    smmulr \acc, \acc, \r
    usat \acc, #7, \acc
    .endm
    .macro SELVEDGE_SUMS
    asr r10, r10, #8
    asr r11, r11, #8
    asr r12, r12, #8
    asr lr, lr, #8
    .endm
    SELVEDGE_LAYER i8, r9
    SELVEDGE_LAYER i4, r7

    .macro SELVEDGE_ENTER weights
    push {r3-r11, lr}
    ldm r3, {r10, r11, r12, lr}
    SELVEDGE_MASKS_\weights
    subs r3, r2, r0
    .endm
    .macro SELVEDGE_KERNELS weights, last
    @ selvedge_skipping_WEIGHTS(list, weights, end, acc): entries of three words
    SELVEDGE_FUNCTION selvedge_skipping_\weights
    SELVEDGE_ENTER \weights
    beq 9f
    @ The first round is short by what the number of entries lacks to a multiple of four: bits 2 and 3 of 12 times it.
    lsls r3, r3, #29
    bcc 5f
    bmi 4f
    b 3f
5:  bmi 2f
1:  SELVEDGE_QUAD \weights, \last
2:  SELVEDGE_QUAD \weights, \last
3:  SELVEDGE_QUAD \weights, \last
4:  SELVEDGE_QUAD \weights, \last
    cmp r0, r2
    bne 1b
9:  pop {r3}
    SELVEDGE_LEAVE
    SELVEDGE_END selvedge_skipping_\weights

    @ selvedge_dense_WEIGHTS(pairs, weights, end, acc): entries of two words, at least one
    SELVEDGE_FUNCTION selvedge_dense_\weights
    SELVEDGE_ENTER \weights
    lsls r3, r3, #28
    bmi 2f
1:  SELVEDGE_PAIR \weights, \last
2:  SELVEDGE_PAIR \weights, \last
    cmp r0, r2
    bne 1b
    pop {r3}
    SELVEDGE_LEAVE
    SELVEDGE_END selvedge_dense_\weights
    .endm
    SELVEDGE_KERNELS i8, r9
    SELVEDGE_KERNELS i4, r7
"#
);

pub(super) const PACKING: Packing = Packing::CortexM4;
pub(super) const SUMS: bool = false;

#[inline(always)]
pub(super) fn pair(quad: u32) -> (u32, u32) {
    let odd = quad >> 8 & 0x00ff_00ff;
    let even = (quad & 0x00ff_00ff) << 8;
    let z: u32;
    // SAFETY: arithmetic on registers.
    unsafe {
        asm!("ssub16 {}, {}, {}", lateout(reg) z, in(reg) even, in(reg) odd, options(pure, nomem, nostack));
    }
    (z, odd)
}

pub(super) fn start(bias: i32, sum: u32) -> u32 {
    (bias as u32).wrapping_sub(128 * sum) << 8
}

#[inline(always)]
pub(super) fn requantize(acc: u32, r: u32) -> u32 {
    let y: u32;
    // SAFETY: arithmetic on registers.
    unsafe {
        asm!(
            "smmulr {y}, {acc}, {r}",
            "usat {y}, #7, {y}",
            y = lateout(reg) y,
            acc = in(reg) acc,
            r = in(reg) r,
            options(pure, nomem, nostack)
        );
    }
    y
}

/// How many steps of the table of an activation a sum is, in -128..=127.
#[inline(always)]
pub(super) fn step(acc: u32, r: u32) -> u32 {
    let t: u32;
    // SAFETY: arithmetic on registers.
    unsafe {
        asm!(
            "smmulr {t}, {acc}, {r}",
            "ssat {t}, #8, {t}",
            t = lateout(reg) t,
            acc = in(reg) acc,
            r = in(reg) r,
            options(pure, nomem, nostack)
        );
    }
    t
}

pub(super) fn logit(acc: u32) -> i32 {
    acc as i32 >> 8
}
