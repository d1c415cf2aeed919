//! The kernel over pairs in Rust: as good as assembly where there are registers enough, as on RISC-V.
#![allow(unsafe_code)]

use core::cell::Cell;

use super::{BYTES, NIBBLES};
use crate::format::Packing;
use crate::infer::mcu::quads::{Core, END, ENTRY, Multiplier, quad_words};

/// The kernel in Rust.
pub(in crate::infer::mcu) struct Portable;

/// Adds the products of a quad of four rows; written out, so that it stays in registers at any level of optimization.
#[inline(always)]
fn quad<const I4: bool>(weights: &[u32], even: u32, odd: u32, acc: &mut [u32; 4]) {
    let products = |w: u32, mask: u32| ((w & mask).wrapping_mul(even), (w >> 8 & mask).wrapping_mul(odd));
    let row = |acc: u32, w: u32| {
        let (a, b) = products(w, BYTES);
        acc.wrapping_add(a >> 16).wrapping_add(b >> 16)
    };
    // Products of nibbles leave room for a sum.
    let row_of_nibbles = |acc: u32, w: u32| {
        let (a, b) = products(w, NIBBLES);
        acc.wrapping_add(a.wrapping_add(b) >> 16)
    };
    let [a, b, c, d] = *acc;
    if I4 && let Some(w) = weights.first_chunk::<2>() {
        let [v, w] = w.map(u32::from_le);
        let (a, b) = (row_of_nibbles(a, v), row_of_nibbles(b, v >> 4));
        *acc = [a, b, row_of_nibbles(c, w), row_of_nibbles(d, w >> 4)];
    } else if let Some(w) = weights.first_chunk::<4>() {
        let w = w.map(u32::from_le);
        *acc = [row(a, w[0]), row(b, w[1]), row(c, w[2]), row(d, w[3])];
    }
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
    fn skipping<const I4: bool>(list: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        let mut sums = *acc;
        let mut entry = list.as_ptr();
        // SAFETY: the driver made the list: entries of three words up to the end, with offsets of quads of the four rows.
        unsafe {
            while (*entry).get() != END {
                let of_quad = weights.as_ptr().byte_add((*entry).get() as usize);
                let weights = core::slice::from_raw_parts(of_quad, quad_words::<I4>());
                quad::<I4>(weights, (*entry.add(1)).get(), (*entry.add(2)).get(), &mut sums);
                entry = entry.add(ENTRY);
            }
        }
        *acc = sums;
    }

    #[inline(never)]
    fn dense<const I4: bool>(pairs: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]) {
        let mut sums = *acc;
        for (pair, weights) in pairs.chunks_exact(2).zip(weights.chunks_exact(quad_words::<I4>())) {
            if let [even, odd] = pair {
                quad::<I4>(weights, even.get(), odd.get(), &mut sums);
            }
        }
        *acc = sums;
    }

    /// In a loop: a fifth of the code and a third of a percent of the instructions.
    fn requantize<R: Multiplier>(acc: &[u32; 4], r: &[R; 4]) -> u32 {
        acc.iter().zip(r).rev().fold(0, |quad, (&acc, &r)| quad << 8 | requantize(acc, r.value()))
    }

    fn look_up<R: Multiplier>(acc: &[u32; 4], r: &[R; 4], table: &[u8; 256]) -> u32 {
        let y = |(&acc, &r): (&u32, &R)| {
            // From -128..=127 to the positions of the table.
            u32::from(table[usize::from(scaled(acc, r.value()).clamp(-128, 127) as u8 ^ 128)])
        };
        acc.iter().zip(r).rev().fold(0, |quad, lane| quad << 8 | y(lane))
    }

    fn logit(acc: u32) -> i32 {
        super::logit(acc)
    }
}

/// `(acc * r + 2^23) >> 24`, clamped to 0..=127.
fn requantize(acc: u32, r: u32) -> u32 {
    scaled(acc, r).clamp(0, 127) as u32
}

/// `(acc * r + 2^23) >> 24`: the upper word of a product, rounded by the first bit below it.
#[inline(always)]
fn scaled(acc: u32, r: u32) -> i32 {
    let product = i64::from((acc << 8) as i32) * i64::from(r as i32);
    (product >> 32) as i32 + (product >> 31 & 1) as i32
}
