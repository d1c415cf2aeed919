//! The sweep of [`skip`](super::sparse) for Cortex-M with a floating-point unit, sixteen columns at a time.
//!
//! The compiler loads and stores each float on its own; `VLDM` and `VSTM` move eight or sixteen at once. Products and
//! sums are separate instructions, so that both are rounded, and stand apart, so that none waits for the one before it.
#![allow(unsafe_code)]

use super::sparse::SparseProduct;

/// Columns of a block.
const BLOCK: usize = 16;

core::arch::global_asm!(
    r#"
    .syntax unified
    .thumb
    .fpu fpv4-sp-d16
    .section .text.selvedge_sweep,"ax",%progbits
    .p2align 2
    .type selvedge_sweep,%function
    .thumb_func
    @ selvedge_sweep(args: {{x, -count, end of from, 4 * from_step, end of to, 4 * to_step, blocks}}), with at least one
    @ row and one block; the index of a row runs from -count up to 0
selvedge_sweep:
    push {{r4-r11, lr}}
    vpush {{d8-d12}}
    ldm r0, {{r0-r6}}
1:  ldr r8, [r0], #4
    lsls r9, r8, #1
    beq 3f
    vmov s24, r8
    mla r9, r1, r3, r2
    mla r10, r1, r5, r4
    mov r11, r6
2:  vldmia r9!, {{s0-s15}}
    vldmia r10, {{s16-s23}}
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmul.f32 s\n, s\n, s24
    .endr
    vadd.f32 s16, s16, s0
    vadd.f32 s17, s17, s1
    vadd.f32 s18, s18, s2
    vadd.f32 s19, s19, s3
    vadd.f32 s20, s20, s4
    vadd.f32 s21, s21, s5
    vadd.f32 s22, s22, s6
    vadd.f32 s23, s23, s7
    vstmia r10!, {{s16-s23}}
    vldmia r10, {{s16-s23}}
    vadd.f32 s16, s16, s8
    vadd.f32 s17, s17, s9
    vadd.f32 s18, s18, s10
    vadd.f32 s19, s19, s11
    vadd.f32 s20, s20, s12
    vadd.f32 s21, s21, s13
    vadd.f32 s22, s22, s14
    vadd.f32 s23, s23, s15
    vstmia r10!, {{s16-s23}}
    subs r11, #1
    bne 2b
3:  adds r1, #1
    bne 1b
    vpop {{d8-d12}}
    pop {{r4-r11, pc}}
    .size selvedge_sweep, . - selvedge_sweep
"#
);

unsafe extern "C" {
    fn selvedge_sweep(args: *const [usize; 7]);
}

/// Sweeps whole blocks of columns, if the `x` lie side by side; returns how many columns that were.
///
/// # Safety
/// That of [`SparseProduct::columns`](super::sparse::SparseProduct): every row that the sweep reaches is readable, those of `to` writable.
pub(super) unsafe fn sweep_blocks(sweep: &SparseProduct) -> usize {
    let &SparseProduct { x, x_step, count, from, from_step, to, to_step, n } = sweep;
    let blocks = n / BLOCK;
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
    unsafe { selvedge_sweep(&args) }
    blocks * BLOCK
}
