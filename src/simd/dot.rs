//! Integer dot products: four 7-bit inputs with four weights of many outputs at once.
//!
//! ```text
//! for each output o of LANES                   acc[o] += x[0] * w[o][0] + x[1] * w[o][1] + x[2] * w[o][2] + x[3] * w[o][3]
//! ```
//!
//! [`Dot`] is to the integer kernels what [`Simd`](super::Simd) is to the others, and as small. A vector of weights holds
//! four adjacent inputs' weights of each of `LANES` outputs; four inputs, the same for every output, are a word. Inputs are
//! 0..=127, so that the sum of two products fits 16 bits and `vpmaddubsw` never saturates. Every implementation gives
//! the same integers.
//!
//! | backend | vectors |
//! |---|---|
//! | `naive`, `scalar` | one output |
//! | `portable`, `matrixmultiply` | four outputs, the target's baseline: `pmaddwd` with SSE2 |
//! | `avx2` | eight outputs, `vpmaddubsw` and `vpmaddwd` |
//! | `avx512` | sixteen outputs, `vpdpbusd`, where the CPU has it; else as `avx2` |
#![allow(unsafe_code)]

use wide::{i16x8, i32x4};

use super::portable::{Scalar, Wide};

/// The largest number of lanes of a vector on any backend, of floats and of integer sums.
pub(crate) const MAX_LANES: usize = 16;

/// Operations on the sums of `LANES` outputs.
///
/// # Safety
/// Implementations promise to touch exactly the bytes that each operation names, and that a value of the type exists
/// only where the CPU has the instructions.
pub(crate) unsafe trait Dot: Copy + Send + Sync {
    /// Accumulators.
    type Acc: Copy;
    /// An i32 for each output.
    type V: Copy;
    /// Outputs of a vector.
    const LANES: usize;
    /// Images of a register tile of two vectors, up to 8: as many as leave registers for inputs and weights.
    const TILE_IMAGES: usize = 4;

    /// Accumulators of 0.
    fn zero(self) -> Self::Acc;
    /// `acc + x·w` for each output: `x` holds four inputs, the first in its lowest byte, `4 * LANES` weights are at
    /// `weights`.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn dot(self, acc: Self::Acc, x: u32, weights: *const i8) -> Self::Acc;
    /// The finished sums plus the `LANES` biases at `biases`.
    ///
    /// # Safety
    /// They must be readable; any alignment will do.
    unsafe fn finish(self, acc: Self::Acc, biases: *const i32) -> Self::V;
    /// The activations of hidden outputs, as [`requantize`](crate::naive::integer::requantize) specifies: `LANES` bytes at
    /// `to`, from the `LANES` multipliers at `multipliers`.
    ///
    /// # Safety
    /// They must be readable, and the bytes writable.
    unsafe fn requantize(self, acc: Self::V, multipliers: *const i32, to: *mut u8);
    /// Writes the `LANES` sums.
    ///
    /// # Safety
    /// They must be writable; any alignment will do.
    unsafe fn store(self, acc: Self::V, to: *mut i32);
}

/// A computation written once for every width. Implementations of `run` must be `#[inline(always)]`.
pub(crate) trait DotKernel {
    /// What it returns.
    type Out;
    /// Runs with the vectors of `d`.
    fn run<D: Dot>(self, d: D) -> Self::Out;
}

/// The product of 24 and 16 bits, rounded at bit 24, from two of 32 bits; then the clamp.
macro_rules! requantized {
    ($acc:expr, $r:expr, $low:expr, $round:expr, $min:expr, $max:expr) => {{
        let high = ($acc >> 12i32) * $r;
        let low = (($acc & $low) * $r) >> 12i32;
        ((high + low + $round) >> 12i32).max($min).min($max)
    }};
}

// SAFETY: four weights, one bias, one multiplier and one byte are touched.
unsafe impl Dot for Scalar {
    type Acc = i32;
    type V = i32;
    const LANES: usize = 1;

    #[inline(always)]
    fn zero(self) -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn dot(self, acc: i32, x: u32, weights: *const i8) -> i32 {
        // SAFETY: the caller promises four weights.
        let w = unsafe { weights.cast::<[i8; 4]>().read() };
        let products = w.into_iter().zip(x.to_le_bytes()).map(|(w, x)| i32::from(w) * i32::from(x));
        products.fold(acc, i32::wrapping_add)
    }
    #[inline(always)]
    unsafe fn finish(self, acc: i32, biases: *const i32) -> i32 {
        // SAFETY: the caller promises a bias.
        acc + unsafe { biases.read_unaligned() }
    }
    #[inline(always)]
    unsafe fn requantize(self, acc: i32, multipliers: *const i32, to: *mut u8) {
        // SAFETY: the caller promises a multiplier and a byte.
        unsafe {
            let r = multipliers.read_unaligned();
            to.write(requantized!(acc, r, 0xfff, 1 << 11, 0, 127) as u8);
        }
    }
    #[inline(always)]
    unsafe fn store(self, acc: i32, to: *mut i32) {
        // SAFETY: the caller promises a writable sum.
        unsafe { to.write_unaligned(acc) }
    }
}

/// The two words of `x`, the lower one first, again and again.
#[inline(always)]
fn words(x: u32) -> i16x8 {
    let x = if cfg!(target_endian = "big") { x.rotate_left(16) } else { x };
    // SAFETY: both types are 16 bytes, any of which are a value.
    unsafe { core::mem::transmute(i32x4::splat(x as i32)) }
}

// SAFETY: sixteen weights, four biases, multipliers, sums and bytes are touched; every target has the instructions that
// `wide` chose at compile time.
unsafe impl Dot for Wide {
    type Acc = i32x4;
    type V = i32x4;
    const LANES: usize = 4;

    #[inline(always)]
    fn zero(self) -> i32x4 {
        i32x4::ZERO
    }
    /// An output's four weights are two words: their even bytes are multiplied with the even inputs, the odd with the odd.
    #[inline(always)]
    unsafe fn dot(self, acc: i32x4, x: u32, weights: *const i8) -> i32x4 {
        // SAFETY: the caller promises sixteen weights.
        let w = i16x8::new(unsafe { weights.cast::<[i16; 8]>().read_unaligned() }.map(i16::from_le));
        acc + ((w << 8i32) >> 8i32).dot(words(x & 0x00ff_00ff)) + (w >> 8i32).dot(words(x >> 8 & 0x00ff_00ff))
    }
    #[inline(always)]
    unsafe fn finish(self, acc: i32x4, biases: *const i32) -> i32x4 {
        // SAFETY: the caller promises four biases.
        acc + i32x4::new(unsafe { biases.cast::<[i32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn requantize(self, acc: i32x4, multipliers: *const i32, to: *mut u8) {
        // SAFETY: the caller promises four multipliers and four bytes.
        unsafe {
            let r = i32x4::new(multipliers.cast::<[i32; 4]>().read_unaligned());
            let splat = i32x4::splat;
            let y = requantized!(acc, r, splat(0xfff), splat(1 << 11), i32x4::ZERO, splat(127));
            to.cast::<[u8; 4]>().write(y.to_array().map(|y| y as u8));
        }
    }
    #[inline(always)]
    unsafe fn store(self, acc: i32x4, to: *mut i32) {
        // SAFETY: the caller promises four writable sums.
        unsafe { to.cast::<[i32; 4]>().write_unaligned(acc.to_array()) }
    }
}
