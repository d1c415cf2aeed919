//! The sum of a row in any packing: words of inputs, words of weights, two products in one multiplication.
//!
//! Inputs of 0..=127 lie four in a word, x2 in its lowest byte, then x3, x0, x1. Weights become positive by 128, half
//! bytes by 8; what that adds is taken off once a row. Then
//!
//! ```text
//! (w0 | w2 << 16) * (x2 | x0 << 16) = (w0 * x0 + w2 * x2) << 16 + w0 * x2        the rest falls out of the word
//! ```
//!
//! with a lower half below 2^16 and an upper half that two products, or the eight of nibbles, do not overflow.

use crate::format::{Dtype, LayerView, Packing};

const BYTES: u32 = 0x00ff_00ff;
const NIBBLES: u32 = 0x000f_000f;

/// Puts so many inputs into words; zeros fill the last ones.
pub(super) fn pack(inputs: impl Iterator<Item = u8>, count: usize, words: &mut [u32]) {
    let mut inputs = inputs.take(count);
    for word in words {
        let mut quad = 0;
        for shift in [16, 24, 0, 8] {
            quad |= u32::from(inputs.next().unwrap_or(0)) << shift;
        }
        *word = quad;
    }
}

/// The sum of all inputs.
pub(super) fn sum_of(x: &[u32]) -> u32 {
    x.iter().map(|x| ((x & BYTES) + (x >> 8 & BYTES)).wrapping_mul(0x0001_0001) >> 16).sum()
}

/// `Σ x·w` of a row of an integer type, of inputs that add up to `sum`; words of zeros cost one test.
pub(super) fn dot(layer: &LayerView<'_>, row: usize, x: &[u32], sum: u32) -> i32 {
    let layout = layer.weight_layout();
    let weights: &[u32] = layer.weight_words();
    let row_of = weights.get(layout.byte(row, 0) / 4..).unwrap_or_default();
    let at = |quad| weights.get(layout.byte(row, 4 * quad) / 4).unwrap_or(&0);
    // Of two rows in a word.
    let nibbles = |w: u32| w >> (row % 2 * 4) & 0x0f0f_0f0f;
    let products = match (layout.dtype(), layout.packing()) {
        (Dtype::I4, packing) => {
            match packing {
                Packing::Generic => i4_row(x, row_of),
                Packing::CortexM0 | Packing::CortexM4 => {
                    bytes(x, row_of.iter().step_by(2), |w| (nibbles(w), nibbles(w) >> 8))
                }
                Packing::CortexM55 => {
                    let positive = |w| nibbles(w) ^ 0x0808_0808;
                    bytes(x, (0..x.len()).map(at), |w| (positive(w), positive(w) >> 8))
                }
            }
            .wrapping_sub(8 * sum)
                << 4
        }
        (_, packing) => match packing {
            Packing::Generic => bytes(x, row_of.iter(), signed),
            Packing::CortexM0 => bytes(x, row_of.iter().step_by(4), |w| (w, w >> 8)),
            Packing::CortexM4 => bytes(x, row_of.iter().step_by(4), borrowed),
            Packing::CortexM55 => bytes(x, (0..x.len()).map(at), signed),
        }
        .wrapping_sub(128 * sum),
    };
    products as i32
}

/// A word of weights a word of inputs; `positive` leaves w0 and w2, w1 and w3, each with 128 added, or 8 to nibbles, in the
/// lower bytes of the halves.
#[inline(always)]
fn bytes<'w>(x: &[u32], weights: impl Iterator<Item = &'w u32>, positive: impl Fn(u32) -> (u32, u32)) -> u32 {
    let mut acc = 0_u32;
    for (&x, &w) in x.iter().zip(weights) {
        if x != 0 {
            let (even, odd) = positive(u32::from_le(w));
            acc = acc
                .wrapping_add((x & BYTES).wrapping_mul(even & BYTES) >> 16)
                .wrapping_add((x >> 8 & BYTES).wrapping_mul(odd & BYTES) >> 16);
        }
    }
    acc
}

/// Signed bytes as they are.
fn signed(w: u32) -> (u32, u32) {
    let w = w ^ 0x8080_8080;
    (w, w >> 8)
}

/// Signed bytes of which an odd one is one less where the one below is negative.
fn borrowed(w: u32) -> (u32, u32) {
    (w ^ 0x0080_0080, ((w >> 8 & BYTES) + (w >> 7 & 0x0001_0001)) ^ 0x0080_0080)
}

/// A word of eight weights two words of inputs: those of the second one in the upper halves of its bytes. A function of its
/// own, so that it keeps its registers.
#[inline(never)]
fn i4_row(x: &[u32], weights: &[u32]) -> u32 {
    let mut acc = 0_u32;
    for ([a, b], &w) in x.as_chunks().0.iter().zip(weights) {
        if a | b != 0 {
            let w = u32::from_le(w) ^ 0x8888_8888;
            let product = |x: u32, w: u32| (x & BYTES).wrapping_mul(w & NIBBLES);
            let low = product(*a, w).wrapping_add(product(a >> 8, w >> 8));
            let high = product(*b, w >> 4).wrapping_add(product(b >> 8, w >> 12));
            acc = acc.wrapping_add(low.wrapping_add(high) >> 16);
        }
    }
    acc
}
