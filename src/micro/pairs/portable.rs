//! The kernel over pairs in Rust: as good as assembly where there are registers enough, as on RISC-V.
#![allow(unsafe_code)]

use core::cell::Cell;

use super::BYTES;
use crate::format::Packing;
use crate::micro::quads::{Core, END, ENTRY};

/// The kernel in Rust.
pub(in crate::micro) struct Portable;

/// Adds the products of a quad of four rows; written out, so that it stays in registers at any level of optimization.
#[inline(always)]
fn quad(weights: &[u32; 4], even: u32, odd: u32, acc: &mut [u32; 4]) {
    let row = |acc: u32, w: u32| {
        let w = u32::from_le(w);
        let (a, b) = ((w & BYTES).wrapping_mul(even), (w >> 8 & BYTES).wrapping_mul(odd));
        acc.wrapping_add(a >> 16).wrapping_add(b >> 16)
    };
    let [a, b, c, d] = *acc;
    *acc = [row(a, weights[0]), row(b, weights[1]), row(c, weights[2]), row(d, weights[3])];
}

impl Core for Portable {
    const PACKING: Packing = super::PACKING;
    const SUMS: bool = super::SUMS;

    fn pair(quad: u32) -> (u32, u32) {
        super::pair(quad)
    }

    fn start(bias: i32, sum: u32) -> u32 {
        super::start(bias, sum)
    }

    #[inline(never)]
    fn skipping(list: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        let mut sums = *acc;
        let mut entry = list.as_ptr();
        // SAFETY: the driver made the list: entries of three words up to the end, with offsets of quads of the four rows.
        unsafe {
            while (*entry).get() != END {
                let weights = &*weights.as_ptr().byte_add((*entry).get() as usize).cast::<[u32; 4]>();
                quad(weights, (*entry.add(1)).get(), (*entry.add(2)).get(), &mut sums);
                entry = entry.add(ENTRY);
            }
        }
        *acc = sums;
    }

    #[inline(never)]
    fn dense(pairs: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        let mut sums = *acc;
        for (pair, weights) in pairs.chunks_exact(2).zip(weights.chunks_exact(4)) {
            if let ([even, odd], Some(weights)) = (pair, weights.first_chunk()) {
                quad(weights, even.get(), odd.get(), &mut sums);
            }
        }
        *acc = sums;
    }

    /// In a loop: a fifth of the code and a third of a percent of the instructions.
    fn requantize(acc: &[u32; 4], r: &[u16; 4]) -> u32 {
        acc.iter().zip(r).rev().fold(0, |quad, (&acc, &r)| quad << 8 | requantize(acc, u16::from_le(r)))
    }

    fn logit(acc: u32) -> i32 {
        super::logit(acc)
    }
}

/// `(acc * r + 2^23) >> 24`, clamped to 0..=127: the upper word of a product, rounded by the first bit below it.
fn requantize(acc: u32, r: u16) -> u32 {
    let product = i64::from((acc << 8) as i32) * i64::from(r);
    ((product >> 32) as i32 + (product >> 31 & 1) as i32).clamp(0, 127) as u32
}
