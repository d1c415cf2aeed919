//! What the kernels over quads of Cortex-M3 and of the DSP cores share: which register holds what.
//!
//! | registers | hold |
//! |---|---|
//! | r0, r1 | the next entry of the list, the weights |
//! | r2, r3, r8, r9 | the end of the list or a mask, and temporaries |
//! | r4, r5 | the pair of a quad |
//! | r6 to r9 | the weights of four rows; of i4, r6 and r7 hold two rows each |
//! | r10, r11, r12, lr | the accumulators of four rows |
//!
//! Each core defines `SELVEDGE_ROW accumulator, weights` and `SELVEDGE_TWO even, odd, weights`, which multiply.

/// The assembler macros over four rows, and the end of a kernel: `r3` is where the accumulators are stored.
macro_rules! thumb2_rows {
    () => {
        r#"
    .macro SELVEDGE_ROWS_i8
    SELVEDGE_ROW r10, r6
    SELVEDGE_ROW r11, r7
    SELVEDGE_ROW r12, r8
    SELVEDGE_ROW lr, r9
    .endm
    .macro SELVEDGE_ROWS_i4
    SELVEDGE_TWO r10, r11, r6
    SELVEDGE_TWO r12, lr, r7
    .endm
    .macro SELVEDGE_LEAVE
    stm r3, {r10, r11, r12, lr}
    pop {r4-r11, pc}
    .endm
"#
    };
}

pub(super) use thumb2_rows;
