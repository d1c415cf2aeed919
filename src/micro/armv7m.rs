//! Two products in one multiplication, as [`pairs`](super::pairs) explains, for Cortex-M3.
//!
//! The compiler keeps four accumulators, four weights, a pair and the mask in memory; here they stay in registers. The
//! end of a list is an offset that carries, so that no register has to hold where it is.
#![allow(unsafe_code)]

use core::cell::Cell;

use super::pairs;
use super::quads::Core;
use crate::format::Packing;

core::arch::global_asm!(
    r#"
    .syntax unified
    .thumb
    .macro SELVEDGE_ROW acc, w
    and r3, \w, r2
    and \w, r2, \w, lsr #8
    mul r3, r3, r4
    mul \w, \w, r5
    add \acc, \acc, r3, lsr #16
    add \acc, \acc, \w, lsr #16
    .endm
    .macro SELVEDGE_ROWS
    SELVEDGE_ROW r10, r6
    SELVEDGE_ROW r11, r7
    SELVEDGE_ROW r12, r8
    SELVEDGE_ROW lr, r9
    .endm
    @ selvedge_skipping(list, weights, mask, acc, end): entries of three words, then an offset that carries, which is met
    @ in the first half of a round: an odd number of entries starts in the second
    .section .text.selvedge_skipping,"ax",%progbits
    .p2align 2
    .type selvedge_skipping,%function
    .thumb_func
selvedge_skipping:
    push {{r3-r11, lr}}
    ldm r3, {{r10, r11, r12, lr}}
    ldr r3, [sp, #40]
    subs r3, r3, r0
    lsls r3, r3, #29
    bmi 2f
1:  ldmia r0!, {{r3, r4, r5}}
    adds r3, r3, r1
    bcs 9f
    ldmia r3, {{r6, r7, r8, r9}}
    SELVEDGE_ROWS
2:  ldmia r0!, {{r3, r4, r5}}
    add r3, r3, r1
    ldmia r3, {{r6, r7, r8, r9}}
    SELVEDGE_ROWS
    b 1b
9:  pop {{r3}}
    stm r3, {{r10, r11, r12, lr}}
    pop {{r4-r11, pc}}
    .size selvedge_skipping, . - selvedge_skipping

    @ selvedge_dense(pairs, weights, mask, acc, end): entries of two words, at least one
    .section .text.selvedge_dense,"ax",%progbits
    .p2align 2
    .type selvedge_dense,%function
    .thumb_func
selvedge_dense:
    push {{r3-r11, lr}}
    ldm r3, {{r10, r11, r12, lr}}
1:  ldmia r0!, {{r4, r5}}
    ldmia r1!, {{r6, r7, r8, r9}}
    SELVEDGE_ROWS
    ldr r3, [sp, #40]
    cmp r0, r3
    bne 1b
    pop {{r3}}
    stm r3, {{r10, r11, r12, lr}}
    pop {{r4-r11, pc}}
    .size selvedge_dense, . - selvedge_dense
"#
);

unsafe extern "C" {
    fn selvedge_skipping(
        list: *const Cell<u32>,
        weights: *const u32,
        mask: u32,
        acc: *mut [u32; 4],
        end: *const Cell<u32>,
    );
    fn selvedge_dense(
        pairs: *const Cell<u32>,
        weights: *const u32,
        mask: u32,
        acc: *mut [u32; 4],
        end: *const Cell<u32>,
    );
}

/// The kernel of Armv7-M without DSP extension.
pub(super) struct Armv7m;

impl Core for Armv7m {
    const PACKING: Packing = Packing::CortexM0;
    const SUMS: bool = true;

    fn pair(quad: u32) -> (u32, u32) {
        pairs::pair(quad)
    }

    fn start(bias: i32, sum: u32) -> u32 {
        pairs::start(bias, sum)
    }

    fn skipping(list: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        let Some((entries, _)) = list.split_last_chunk::<3>() else { return };
        let range = entries.as_ptr_range();
        // SAFETY: the driver ends its list with three words of which the first is the one offset that carries; the others
        // are those of the quads of the four rows.
        unsafe { selvedge_skipping(range.start, weights.as_ptr(), pairs::BYTES, acc, range.end) }
    }

    fn dense(pairs: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        if pairs.is_empty() || 2 * pairs.len() > weights.len() {
            return;
        }
        // SAFETY: there are two words for each quad and four weights' words for each two words.
        unsafe {
            selvedge_dense(pairs.as_ptr(), weights.as_ptr(), pairs::BYTES, acc, pairs.as_ptr_range().end)
        }
    }

    fn requantize(acc: u32, r: u16) -> u32 {
        pairs::requantize(acc, r)
    }

    fn logit(acc: u32) -> i32 {
        acc as i32
    }
}
