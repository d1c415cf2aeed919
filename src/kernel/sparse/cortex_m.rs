//! The [sparse product](super) in assembly for Cortex-M with a floating-point unit, sixteen columns at a time.
//!
//! ```text
//! for each x that is not zero
//!   for each block of sixteen columns       to[block] += x * from[block]
//! ```
//!
//! The compiler loads and stores each float on its own; `VLDM` and `VSTM` move eight or sixteen at once. Products and
//! sums are separate instructions, so that both are rounded, and stand apart, so that none waits for the one before it.
#![allow(unsafe_code)]

use super::SparseProduct;
use crate::simd::thumb_functions;

/// Columns of a block.
const BLOCK_COLUMNS: usize = 16;

thumb_functions!(
    r#"
    .fpu fpv4-sp-d16
    .macro SELVEDGE_ADD a, b, c, d, e, f, g, h
    vadd.f32 s16, s16, \a
    vadd.f32 s17, s17, \b
    vadd.f32 s18, s18, \c
    vadd.f32 s19, s19, \d
    vadd.f32 s20, s20, \e
    vadd.f32 s21, s21, \f
    vadd.f32 s22, s22, \g
    vadd.f32 s23, s23, \h
    vstmia r10!, {s16-s23}
    .endm

    @ selvedge_sparse_rows(args: {x, -count, end of from, 4 * from_step, end of to, 4 * to_step, blocks}), with at least one
    @ row and one block; the index of a row runs from -count up to 0
    SELVEDGE_FUNCTION selvedge_sparse_rows
    push {r4-r11, lr}
    vpush {d8-d12}
    ldm r0, {r0-r6}
1:  ldr r8, [r0], #4
    lsls r9, r8, #1
    beq 3f
    vmov s24, r8
    mla r9, r1, r3, r2
    mla r10, r1, r5, r4
    mov r11, r6
2:  vldmia r9!, {s0-s15}
    vldmia r10, {s16-s23}
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmul.f32 s\n, s\n, s24
    .endr
    SELVEDGE_ADD s0, s1, s2, s3, s4, s5, s6, s7
    vldmia r10, {s16-s23}
    SELVEDGE_ADD s8, s9, s10, s11, s12, s13, s14, s15
    subs r11, #1
    bne 2b
3:  adds r1, #1
    bne 1b
    vpop {d8-d12}
    pop {r4-r11, pc}
    SELVEDGE_END selvedge_sparse_rows
"#
);

unsafe extern "C" {
    fn selvedge_sparse_rows(args: *const [usize; 7]);
}

/// Runs the product on whole blocks of columns, if the `x` are adjacent; returns how many columns that were.
///
/// # Safety
/// That of [`SparseProduct`]: every row that it reaches is readable, those of `to` writable.
pub(super) unsafe fn whole_blocks(product: &SparseProduct) -> usize {
    let &SparseProduct { x, x_step, count, from, from_step, to, to_step, n } = product;
    let blocks = n / BLOCK_COLUMNS;
    if blocks == 0 || count == 0 || x_step != 1 {
        return 0;
    }
    let (from_step, to_step) = (from_step * size_of::<f32>(), to_step * size_of::<f32>());
    let end = |row: usize, step: usize| row.wrapping_add(count.wrapping_mul(step));
    let args = [
        x as usize,
        count.wrapping_neg(),
        end(from as usize, from_step),
        from_step,
        end(to as usize, to_step),
        to_step,
        blocks,
    ];
    // SAFETY: the caller's promise; the function keeps the registers that the calling convention names.
    unsafe { selvedge_sparse_rows(&args) }
    blocks * BLOCK_COLUMNS
}
