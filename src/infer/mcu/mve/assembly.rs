//! The assembly.

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
    beq 3f
    sub r3, r11, r5
    tst r3, #4
    bne 2f
1:  SELVEDGE_BLOCK \weights
2:  SELVEDGE_BLOCK \weights
    cmp r5, r11
    bne 1b
3:
    .endm
    .macro SELVEDGE_BLOCK weights
    ldr r3, [r5], #4
    vldrb.u8 q0, [r9], #16
    add r3, r7
    SELVEDGE_ROWS_\weights
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
    @ The accumulators of the next eight rows of a `Layer` at r1.
    .macro SELVEDGE_GROUP weights
    ldrd r9, r5, [r1]
    ldrd r11, r7, [r1, #8]
    ldr r3, [r1, #16]
    ldm r3!, {r0, r2, r4, r6, r8, r10, r12, lr}
    str r3, [r1, #16]
    SELVEDGE_BLOCKS \weights
    .endm
    .macro SELVEDGE_SUMS weights
    @ selvedge_sums_WEIGHTS(_, layer): the sums of rows, as above
    SELVEDGE_FUNCTION selvedge_sums_\weights
    push {r4-r11, lr}
    SELVEDGE_MASK_\weights
20: SELVEDGE_GROUP \weights
    ldrd r3, r5, [r1, #24]
    stm r3!, {r0, r2, r4, r6, r8, r10, r12, lr}
    add r7, r5
    str r7, [r1, #12]
    ldr r5, [r1, #32]
    str r3, [r1, #24]
    subs r5, #1
    str r5, [r1, #32]
    bne 20b
    pop {r4-r11, pc}
    SELVEDGE_END selvedge_sums_\weights
    .endm
    SELVEDGE_SUMS i8
    SELVEDGE_SUMS i4
    .macro SELVEDGE_HIDDEN name, weights, load, bytes
    @ selvedge_hidden_NAME(_, {x, list, end, weights, biases, multipliers, out, stride, groups}): a hidden layer; an
    @ accumulator takes the register of the first argument
    SELVEDGE_FUNCTION selvedge_hidden_\name
    push {r4-r11, lr}
20: SELVEDGE_MASK_\weights
    SELVEDGE_GROUP \weights
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
    bne 20b
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

    @ selvedge_compact(x, list, blocks, keep, weights): moves the blocks of x that are not all zero to its front, all if keep is
    @ 1, and lists the offsets of their weights; returns the end of the list
    SELVEDGE_FUNCTION selvedge_compact
    push {r4-r6, lr}
    ldr r4, [sp, #16]
    mov r5, r0
    movs r6, #0
1:  mov r12, r3
    vldrw.u32 q0, [r0], #16
    vmaxv.u8 r12, q0
    cmp r12, #0
    beq 2f
    vstrw.32 q0, [r5], #16
    str r6, [r1], #4
2:  add r6, r4
    subs r2, #1
    bne 1b
    mov r0, r1
    pop {r4-r6, pc}
    SELVEDGE_END selvedge_compact

    @ selvedge_squares(outputs, codes, scales, {count, rounding, -shift}): the sum of squared errors, as the portable form of it
    SELVEDGE_FUNCTION selvedge_squares
    push {r4-r9, lr}
    ldm r3, {r4, r5, r6}
    adds r3, r2, #4
    movw r7, #32767
    movs r8, #0
    movs r9, #0
    movs r12, #0
    vidup.u32 q3, r12, #8
    movs r12, #32
    dlstp.32 lr, r4
1:  vldrb.u32 q0, [r1], #4
    vldrw.u32 q1, [r3, q3]
    vmul.i32 q0, q0, q1
    vldrw.u32 q1, [r2, q3]
    vadd.i32 q3, q3, r12
    vadd.i32 q0, q0, r5
    vldrw.u32 q2, [r0], #16
    vshr.s32 q0, q0, #8
    vadd.i32 q1, q1, q2
    vsub.i32 q1, q1, q0
    vshl.s32 q1, r6
    vabs.s32 q1, q1
    vdup.32 q2, r7
    vmin.u32 q1, q1, q2
    vmlaldava.u32 r8, r9, q1, q1
    letp lr, 1b
    mov r0, r8
    mov r1, r9
    pop {r4-r9, pc}
    SELVEDGE_END selvedge_squares
"#
);
