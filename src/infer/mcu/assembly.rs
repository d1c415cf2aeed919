//! The call of the kernels in assembly over quads: one signature, whichever core they are written for.
//!
//! [`this`] is the core's own file: its assembly, and the arithmetic around it.
#![allow(unsafe_code)]

use core::cell::Cell;

#[cfg(selvedge_core = "armv6m")]
use super::armv6m as this;
#[cfg(selvedge_core = "dsp")]
use super::armv7em as this;
#[cfg(selvedge_core = "armv7m")]
use super::armv7m as this;
use super::quads::{Core, ENTRY, Multiplier, quad_words};
use crate::format::Packing;

/// A position in a list.
type At = *const Cell<u32>;
type Kernel = unsafe extern "C" fn(At, *const u32, At, *mut [u32; 4]);

unsafe extern "C" {
    fn selvedge_skipping_i8(list: At, weights: *const u32, end: At, acc: *mut [u32; 4]);
    fn selvedge_skipping_i4(list: At, weights: *const u32, end: At, acc: *mut [u32; 4]);
    fn selvedge_dense_i8(pairs: At, weights: *const u32, end: At, acc: *mut [u32; 4]);
    fn selvedge_dense_i4(pairs: At, weights: *const u32, end: At, acc: *mut [u32; 4]);
}

/// The kernel in assembly.
pub(super) struct Assembly;

impl Core for Assembly {
    const PACKING: Packing = this::PACKING;
    const SUMS: bool = this::SUMS;

    #[inline(always)]
    fn pair(quad: u32) -> (u32, u32) {
        this::pair(quad)
    }

    #[inline(always)]
    fn start(bias: i32, sum: u32) -> u32 {
        this::start(bias, sum)
    }

    fn skipping<const I4: bool>(list: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        debug_assert!(list.len() >= ENTRY);
        let kernel: Kernel = if I4 { selvedge_skipping_i4 } else { selvedge_skipping_i8 };
        // SAFETY: the driver made the list: whole entries whose offsets are those of the quads of the four rows, and after
        // them one whose offset carries.
        unsafe {
            let end = list.as_ptr_range().end.sub(ENTRY);
            kernel(list.as_ptr(), weights.as_ptr(), end, acc)
        }
    }

    fn dense<const I4: bool>(pairs: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        let kernel: Kernel = if I4 { selvedge_dense_i4 } else { selvedge_dense_i8 };
        if pairs.is_empty() || pairs.len() * quad_words::<I4>() > 2 * weights.len() {
            return;
        }
        // SAFETY: there are two words for each quad, and the words of its weights.
        unsafe { kernel(pairs.as_ptr(), weights.as_ptr(), pairs.as_ptr_range().end, acc) }
    }

    #[inline(always)]
    fn requantize<R: Multiplier>(acc: &[u32; 4], r: &[R; 4]) -> u32 {
        let y = |lane: usize| this::requantize(acc[lane], r[lane].value()) << (8 * lane);
        y(0) | y(1) | y(2) | y(3)
    }

    #[cfg(selvedge_core = "armv6m")]
    #[inline(always)]
    fn requantize_at_once<R: Multiplier>(acc: &[u32; 4], r: &[R; 4]) -> u32 {
        let y = |lane: usize| this::inlined_requantize(acc[lane], r[lane].value()) << (8 * lane);
        y(0) | y(1) | y(2) | y(3)
    }

    #[inline(always)]
    fn look_up<R: Multiplier>(acc: &[u32; 4], r: &[R; 4], table: &[u8; 256]) -> u32 {
        let y = |lane: usize| {
            // From -128..=127 to the positions of the table.
            let step = this::step(acc[lane], r[lane].value()) as u8 ^ 128;
            u32::from(table[usize::from(step)]) << (8 * lane)
        };
        y(0) | y(1) | y(2) | y(3)
    }

    #[inline(always)]
    fn logit(acc: u32) -> i32 {
        this::logit(acc)
    }
}
