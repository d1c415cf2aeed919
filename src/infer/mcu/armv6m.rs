//! Two products in one multiplication, as [`pairs`](super::pairs) explains, in Thumb-1: Cortex-M0, M0+ and M23.
//!
//! Only eight registers compute; the four sums live in the others, which `ADD` reaches, and the weights are loaded one by
//! one.
#![allow(unsafe_code)]

use crate::simd::thumb_functions;

pub(super) use super::pairs::{PACKING, SUMS, inlined_requantize, logit, pair, requantize, start, step};

thumb_functions!(
    r#"
    .macro SELVEDGE_ROW acc, at
    ldr r3, [r1, #\at]
    lsrs r7, r3, #8
    ands r7, r2
    ands r3, r2
    muls r3, r4, r3
    muls r7, r5, r7
    lsrs r3, r3, #16
    lsrs r7, r7, #16
    add \acc, r3
    add \acc, r7
    .endm
    .macro SELVEDGE_ROWS_i8
    SELVEDGE_ROW r8, 0
    SELVEDGE_ROW r9, 4
    SELVEDGE_ROW r10, 8
    SELVEDGE_ROW r11, 12
    .endm

    .macro SELVEDGE_TWO even, odd, at
    ldr r3, [r1, #\at]
    movs r6, r3
    lsrs r7, r3, #8
    ands r6, r2
    ands r7, r2
    muls r6, r4, r6
    muls r7, r5, r7
    adds r6, r7
    lsrs r6, r6, #16
    add \even, r6
    lsrs r7, r3, #12
    lsrs r3, r3, #4
    ands r7, r2
    ands r3, r2
    muls r7, r5, r7
    muls r3, r4, r3
    adds r3, r7
    lsrs r3, r3, #16
    add \odd, r3
    .endm
    .macro SELVEDGE_ROWS_i4
    SELVEDGE_TWO r8, r9, 0
    SELVEDGE_TWO r10, r11, 4
    .endm

    .macro SELVEDGE_ENTER mask
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r3-r7}
    mov r12, r1
    ldmia r3!, {r4, r5, r6, r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    mov lr, r2
    movs r3, #\mask
    lsls r2, r3, #16
    orrs r2, r3
    .endm
    .macro SELVEDGE_LEAVE
    pop {r3}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    stmia r3!, {r4, r5, r6, r7}
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    .endm

    .macro SELVEDGE_KERNELS weights, bytes, mask
    @ selvedge_skipping_WEIGHTS(list, weights, end, acc): entries of three words
    SELVEDGE_FUNCTION selvedge_skipping_\weights
    SELVEDGE_ENTER \mask
    mov r3, lr
    subs r3, r3, r0
    beq 3f
    lsls r3, r3, #29
    bmi 2f
1:  ldmia r0!, {r1, r4, r5}
    add r1, r12
    SELVEDGE_ROWS_\weights
2:  ldmia r0!, {r1, r4, r5}
    add r1, r12
    SELVEDGE_ROWS_\weights
    cmp r0, lr
    bne 1b
3:  SELVEDGE_LEAVE
    SELVEDGE_END selvedge_skipping_\weights

    @ selvedge_dense_WEIGHTS(pairs, weights, end, acc): entries of two words, at least one
    SELVEDGE_FUNCTION selvedge_dense_\weights
    SELVEDGE_ENTER \mask
1:  ldmia r0!, {r4, r5}
    SELVEDGE_ROWS_\weights
    adds r1, #\bytes
    cmp r0, lr
    bne 1b
    SELVEDGE_LEAVE
    SELVEDGE_END selvedge_dense_\weights
    .endm
    SELVEDGE_KERNELS i8, 16, 255
    SELVEDGE_KERNELS i4, 8, 15
"#
);
