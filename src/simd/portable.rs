//! Vectors that need no detection: four lanes over `wide`, and one lane.
//!
//! Multiplications and additions are rounded one by one, never fused, so that both give the same bits as each other and
//! as themselves on any other machine. `wide` picks its instructions when it is compiled; on targets without vector
//! instructions its arrays are slower than plain floats, and [`Portable`] is [`Scalar`] there.
#![allow(unsafe_code)]

use wide::f32x4;

use super::{Kernel, Simd};

/// Four lanes of the target's baseline: SSE2, NEON or simd128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide;

/// One lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scalar;

/// What the `portable` backend runs on this target.
#[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
pub(super) type Portable = Wide;
/// What the `portable` backend runs on this target.
#[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
pub(super) type Portable = Scalar;

impl Wide {
    #[allow(dead_code)] // One of the two is Portable.
    pub(super) const fn new() -> Self {
        Self
    }
}

impl Scalar {
    #[allow(dead_code)] // One of the two is Portable.
    pub(super) const fn new() -> Self {
        Self
    }
}

// SAFETY: the loads and stores copy exactly `LANES` or `n` elements; every target has the instructions that `wide`
// chose at compile time.
unsafe impl Simd for Wide {
    type V = f32x4;
    const LANES: usize = 4;
    // SSE2 has neither fused nor three-operand instructions, so that the number of instructions limits it, not loads: a tile
    // of two rows takes 43 of them for 24 multiplications and additions, six rows of two vectors 50 and 17 registers.
    const TILE_ROWS: usize = 2;
    const TILE_VECTORS: usize = 6;
    const REPRODUCIBLE: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> f32x4 {
        f32x4::splat(x)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> f32x4 {
        // SAFETY: the caller promises four readable floats; an array of floats needs their alignment only.
        f32x4::new(unsafe { from.cast::<[f32; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> f32x4 {
        // SAFETY: the caller promises `n` readable floats.
        let at = |l| unsafe { from.add(l).read() };
        f32x4::new(match n {
            0 => [0.0; 4],
            1 => [at(0), 0.0, 0.0, 0.0],
            2 => [at(0), at(1), 0.0, 0.0],
            _ => [at(0), at(1), at(2), 0.0],
        })
    }
    #[inline(always)]
    unsafe fn store(self, v: f32x4, to: *mut f32) {
        // SAFETY: the caller promises four writable floats.
        unsafe { to.cast::<[f32; 4]>().write(v.to_array()) }
    }
    #[inline(always)]
    unsafe fn store_first(self, n: usize, v: f32x4, to: *mut f32) {
        for (l, lane) in v.to_array().into_iter().enumerate().take(n) {
            // SAFETY: the caller promises `n` writable floats.
            unsafe { to.add(l).write(lane) }
        }
    }
    #[inline(always)]
    fn add(self, a: f32x4, b: f32x4) -> f32x4 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32x4, b: f32x4) -> f32x4 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32x4, b: f32x4) -> f32x4 {
        a * b
    }
    #[inline(always)]
    fn mul_add(self, a: f32x4, b: f32x4, c: f32x4) -> f32x4 {
        a * b + c
    }
    #[inline(always)]
    fn div(self, a: f32x4, b: f32x4) -> f32x4 {
        a / b
    }
    #[inline(always)]
    fn sqrt(self, x: f32x4) -> f32x4 {
        x.sqrt()
    }
    #[inline(always)]
    fn max(self, a: f32x4, b: f32x4) -> f32x4 {
        a.simd_gt(b).bitselect(a, b)
    }
    #[inline(always)]
    fn min(self, a: f32x4, b: f32x4) -> f32x4 {
        a.simd_lt(b).bitselect(a, b)
    }
    #[inline(always)]
    fn where_positive(self, cond: f32x4, x: f32x4) -> f32x4 {
        cond.simd_gt(f32x4::ZERO) & x
    }
    #[inline(always)]
    fn nonzero_mask(self, x: f32x4) -> u32 {
        x.simd_ne(f32x4::ZERO).to_bitmask()
    }
    #[inline(always)]
    fn pow2(self, n: f32x4) -> f32x4 {
        f32x4::new(n.to_array().map(|n| Scalar.pow2(n)))
    }
    #[inline(never)]
    fn outlined<K: Kernel>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }
    #[inline(always)]
    unsafe fn load_columns(self, from: *const f32, stride: usize) -> [f32x4; 4] {
        // SAFETY: the caller promises four rows of four floats.
        f32x4::transpose(core::array::from_fn(|r| unsafe { self.load(from.add(r * stride)) }))
    }
}

// SAFETY: a vector is one element, so the partial operations are only called with n = 0 and touch nothing.
unsafe impl Simd for Scalar {
    type V = f32;
    const LANES: usize = 1;
    const TILE_ROWS: usize = 4;
    const TILE_VECTORS: usize = 2;
    const REPRODUCIBLE: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> f32 {
        x
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> f32 {
        // SAFETY: the caller promises a readable float.
        unsafe { from.read() }
    }
    #[inline(always)]
    unsafe fn load_first(self, _: usize, _: *const f32) -> f32 {
        0.0
    }
    #[inline(always)]
    unsafe fn store(self, v: f32, to: *mut f32) {
        // SAFETY: the caller promises a writable float.
        unsafe { to.write(v) }
    }
    #[inline(always)]
    unsafe fn store_first(self, _: usize, _: f32, _: *mut f32) {}
    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
    #[inline(always)]
    fn div(self, a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    fn sqrt(self, x: f32) -> f32 {
        libm::sqrtf(x)
    }
    #[inline(always)]
    fn max(self, a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }
    #[inline(always)]
    fn min(self, a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }
    #[inline(always)]
    fn where_positive(self, cond: f32, x: f32) -> f32 {
        if cond > 0.0 { x } else { 0.0 }
    }
    #[inline(always)]
    fn nonzero_mask(self, x: f32) -> u32 {
        u32::from(x != 0.0)
    }
    #[inline(always)]
    fn pow2(self, n: f32) -> f32 {
        f32::from_bits(((n as i32 + 127) as u32) << 23)
    }
    #[inline(never)]
    fn outlined<K: Kernel>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }
    #[inline(always)]
    unsafe fn load_columns(self, from: *const f32, _: usize) -> [f32; 4] {
        // SAFETY: the caller promises four readable floats; an array of floats needs their alignment only.
        unsafe { from.cast::<[f32; 4]>().read() }
    }
}
