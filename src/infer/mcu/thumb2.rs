//! What the kernels over quads of Cortex-M3 and of the DSP cores share: four rows, for engines of small code, and a
//! whole layer four rows at a time, for those of every file; and which register holds what in their loops.
//!
//! | registers | hold |
//! |---|---|
//! | r0, r1 | the next entry of the list, the weights |
//! | r2, r3, r8, r9 | the end of the list or a mask, and temporaries |
//! | r4, r5 | the pair of a quad |
//! | r6 to r9 | the weights of four rows; of i4, r6 and r7 hold two rows each |
//! | r10, r11, r12, lr | the accumulators of four rows |
//!
//! Each core defines `SELVEDGE_ROW accumulator, weights, pair` and `SELVEDGE_TWO even, odd, weights`, which multiply, an entry of a
//! list and the test for its end, the loop over all quads, and what becomes of biases and sums. A list is walked eight entries a
//! round, and the first round is short by what their number lacks to a multiple of eight. Between the loops r4 holds the [`Layer`](super::layer::Layer), whose place in
//! memory stays in the second word of the stack; the first is for the loops.

/// The assembler macros over four rows, and the end of a kernel: `r3` is where the accumulators are stored.
macro_rules! thumb2_rows {
    () => {
        r#"
    .macro SELVEDGE_ROWS_i8
    SELVEDGE_FOUR r4, r5
    .endm
    .macro SELVEDGE_FOUR even, odd
    SELVEDGE_ROW r10, r6, \even, \odd
    SELVEDGE_ROW r11, r7, \even, \odd
    SELVEDGE_ROW r12, r8, \even, \odd
    SELVEDGE_ROW lr, r9, \even, \odd
    .endm
    .macro SELVEDGE_ROWS_i4
    SELVEDGE_TWO r10, r11, r6
    SELVEDGE_TWO r12, lr, r7
    .endm
    @ The next entry of two words, for all quads.
    .macro SELVEDGE_PAIR weights, last
    ldmia r0!, {r4, r5}
    ldmia r1!, {r6-\last}
    SELVEDGE_ROWS_\weights
    .endm
    @ Enters a loop of four entries a round at 1 to 4, of which the number left over from whole rounds is in the carry (twos) and in
    @ the sign (ones).
    .macro SELVEDGE_FIRST_ROUND
    bcc 5f
    bmi 2f
    b 3f
5:  bmi 4f
    .endm
    .macro SELVEDGE_LEAVE
    stm r3, {r10, r11, r12, lr}
    pop {r4-r11, pc}
    .endm
"#
    };
}

/// The assembler macros of a layer.
macro_rules! thumb2_layers {
    () => {
        r#"
    @ The accumulators before the first product: i8 start from the biases.
    .macro SELVEDGE_FIRST_i8
    ldm r3!, {r10, r11, r12, lr}
    str r3, [r4, #12]
    SELVEDGE_BIASES
    .endm
    @ i4 take theirs after the products, which count sixteen times.
    .macro SELVEDGE_FIRST_i4
    mov r10, #0
    mov r11, #0
    mov r12, #0
    mov lr, #0
    .endm
    .macro SELVEDGE_SUMMED_i8
    .endm
    .macro SELVEDGE_SUMMED_i4
    ldr r5, [r4, #12]
    ldm r5!, {r6-r9}
    str r5, [r4, #12]
    ldr r5, [r4, #36]
    SELVEDGE_UNITS r10, r6
    SELVEDGE_UNITS r11, r7
    SELVEDGE_UNITS r12, r8
    SELVEDGE_UNITS lr, r9
    .endm

    .macro SELVEDGE_LAYER weights, last
    @ selvedge_layer_WEIGHTS(layer): computes the groups of a `Layer`, at least one
    SELVEDGE_FUNCTION selvedge_layer_\weights
    push {r0, r4-r11, lr}
    sub sp, #4
    mov r4, r0
    @ The addresses of the loop and of what follows it.
    adr r1, 21f
    ldrh r2, [r4, #40]
    ldrh r2, [r1, r2]
    add r2, r1
    ldrh r3, [r4, #42]
    ldrh r3, [r1, r3]
    add r3, r1
    strd r2, r3, [r4, #44]
    b 20f
    .p2align 2
21: .hword 1f - 21b + 1
    .hword 2f - 21b + 1
    .hword 3f - 21b + 1
    .hword 4f - 21b + 1
    .hword 5f - 21b + 1
    .hword 6f - 21b + 1
    .hword 7f - 21b + 1
    .hword 8f - 21b + 1
    .hword 9f - 21b + 1
    .hword 28f - 21b + 1
    .hword 24f - 21b + 1
    .hword 25f - 21b + 1
    .hword 27f - 21b + 1
20: ldm r4, {r0, r1, r2, r3, r5}
    SELVEDGE_FIRST_\weights
    add r5, r1
    str r5, [r4, #4]
    SELVEDGE_MASKS_\weights
    ldr pc, [r4, #44]
1:  SELVEDGE_QUAD \weights, \last
2:  SELVEDGE_QUAD \weights, \last
3:  SELVEDGE_QUAD \weights, \last
4:  SELVEDGE_QUAD \weights, \last
5:  SELVEDGE_QUAD \weights, \last
6:  SELVEDGE_QUAD \weights, \last
7:  SELVEDGE_QUAD \weights, \last
8:  SELVEDGE_QUAD \weights, \last
    SELVEDGE_AGAIN
    bne 1b
9:
22: ldr r4, [sp, #4]
    SELVEDGE_SUMMED_\weights
    ldrd r0, r1, [r4, #20]
    ldr pc, [r4, #48]
    @ Multipliers of 16 bits.
24: ldrd r6, r8, [r0], #8
    lsr r7, r6, #16
    uxth r6, r6
    lsr r9, r8, #16
    uxth r8, r8
    b 26f
    @ Multipliers of 32 bits.
25: ldm r0!, {r6-r9}
26: SELVEDGE_REQUANTIZE r10, r6
    SELVEDGE_REQUANTIZE r11, r7
    SELVEDGE_REQUANTIZE r12, r8
    SELVEDGE_REQUANTIZE lr, r9
    orr r10, r10, r11, lsl #8
    orr r12, r12, lr, lsl #8
    orr r10, r10, r12, lsl #16
    str r10, [r1], #4
    strd r0, r1, [r4, #20]
    ldrd r6, r7, [r4, #28]
    cmp r10, #1
    adc r7, r7, #0
    str r7, [r4, #32]
    cmp r1, r6
    bne 20b
    add sp, #4
    pop {r3-r11, pc}
    @ Sums.
27: SELVEDGE_SUMS
    stm r1!, {r10, r11, r12, lr}
    str r1, [r4, #24]
    ldr r6, [r4, #28]
    cmp r1, r6
    bne 20b
    add sp, #4
    pop {r3-r11, pc}
    @ All quads.
28: SELVEDGE_DENSE_\weights
    b 22b
    SELVEDGE_END selvedge_layer_\weights
    .endm
"#
    };
}

pub(super) use {thumb2_layers, thumb2_rows};
