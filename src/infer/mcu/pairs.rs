//! Two products in one multiplication, for cores without vector instructions: Cortex-M0 and M3, RISC-V, and any host.
//!
//! Weights are stored as `w + 128` in a byte. With inputs x0 to x3 the pair is `x2 | x0 << 16` and `x3 | x1 << 16`, and
//!
//! ```text
//! ((weights & 0x00ff00ff) * (x2 | x0 << 16)) >> 16  =  w0 * x0 + w2 * x2
//! ```
//!
//! exactly: the product of the lower halves stays below 2^16, that of the upper halves falls out of the word, and the sum
//! of the mixed ones is at most 2 * 255 * 127. What the 128s added is taken off once a row, `128 * Σx`.
//!
//! For i4, one word holds the quads of two rows, `w + 8` in a nibble each, under a mask of `0x000f000f`. Their products are
//! so small that two are added before the shift.

use crate::format::Packing;

pub(super) const PACKING: Packing = Packing::CortexM0;
pub(super) const SUMS: bool = true;
const BYTES: u32 = 0x00ff_00ff;
#[cfg(selvedge_core = "portable")]
const NIBBLES: u32 = 0x000f_000f;

/// The pair of a quad.
pub(super) fn pair(quad: u32) -> (u32, u32) {
    ((quad & BYTES).rotate_left(16), (quad >> 8 & BYTES).rotate_left(16))
}

/// An accumulator that starts with what the biased weights add too much.
pub(super) fn start(bias: i32, sum: u32) -> u32 {
    (bias as u32).wrapping_sub(128 * sum)
}

pub(super) fn logit(acc: u32) -> i32 {
    acc as i32
}

/// `(acc * r + 2^23) >> 24`, clamped to 0..=127.
#[cfg(selvedge_core = "armv6m")]
pub(super) fn requantize(acc: u32, r: u32) -> u32 {
    scaled(acc, r).clamp(0, 127) as u32
}

/// The same without a call.
#[cfg(selvedge_core = "armv6m")]
#[inline(always)]
pub(super) fn inlined_requantize(acc: u32, r: u32) -> u32 {
    scaled(acc, r).clamp(0, 127) as u32
}

/// The same, clamped to -128..=127: how many steps of the table of an activation a sum is.
#[cfg(selvedge_core = "armv6m")]
pub(super) fn step(acc: u32, r: u32) -> u32 {
    scaled(acc, r).clamp(-128, 127) as u32
}

/// `(acc * r + 2^23) >> 24`, or what clamps to the same, without a long multiplication. Nothing below passes 2^31, since
/// `|acc| < 2^23` and `r < 2^31`.
#[cfg(selvedge_core = "armv6m")]
#[inline(always)]
fn scaled(acc: u32, r: u32) -> i32 {
    let (acc, upper, lower) = (acc as i32, (r >> 16) as i32, (r & 0xffff) as i32);
    if upper == 0 {
        let (high, low) = (acc >> 12, acc & 0xfff);
        let scaled = high.wrapping_mul(lower).wrapping_add(low.wrapping_mul(lower) >> 12);
        return scaled.wrapping_add(1 << 11) >> 12;
    }
    // Sums beyond these are clamped whatever the multiplier.
    let acc = acc.clamp(-(1 << 15), 1 << 15);
    let rounded = ((acc.wrapping_mul(lower) >> 8) + (1 << 15)) >> 8;
    acc.wrapping_mul(upper).wrapping_add(rounded) >> 8
}

#[cfg(selvedge_core = "portable")]
mod portable;
#[cfg(selvedge_core = "portable")]
pub(super) use portable::Portable;
