//! AVX2 with FMA: vectors of eight floats.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::Avx2;
use crate::simd::{Kernel, Simd};

/// `MASKS[8 - n..]` starts with `n` lanes of ones.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The mask of the first `n <= 8` lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn first_lanes(n: usize) -> __m256i {
    debug_assert!(n <= 8);
    // SAFETY: eight masks start at every index of 0..=8.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()) }
}

// SAFETY: what a method reads or writes is what the trait says; a masked lane is neither read nor written.
unsafe impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const TILE_ROWS: usize = 6;
    const TILE_VECTORS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA; the pointers are good by the method's contract.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA; the pointers are good by the method's contract.
        unsafe { _mm256_maskload_ps(from, first_lanes(n)) }
    }
    #[inline(always)]
    unsafe fn store(self, v: __m256, to: *mut f32) {
        // SAFETY: the token proves AVX2 and FMA; the pointers are good by the method's contract.
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_first(self, n: usize, v: __m256, to: *mut f32) {
        // SAFETY: the token proves AVX2 and FMA; the pointers are good by the method's contract.
        unsafe { _mm256_maskstore_ps(to, first_lanes(n), v) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn sqrt(self, x: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_sqrt_ps(x) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn where_positive(self, cond: __m256, x: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(cond, _mm256_setzero_ps()), x) }
    }
    #[inline(always)]
    fn nonzero_mask(self, x: __m256) -> u32 {
        // Of NaN too: it is unequal to 0.
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(x, _mm256_setzero_ps())) as u32 }
    }
    #[inline(always)]
    fn pow2(self, n: __m256) -> __m256 {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
    #[inline]
    fn outlined<K: Kernel>(self, kernel: K) -> K::Out {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        fn with_features<K: Kernel>(s: Avx2, kernel: K) -> K::Out {
            kernel.run(s)
        }
        // SAFETY: the token proves the features.
        unsafe { with_features(self, kernel) }
    }
    #[inline(always)]
    unsafe fn load_columns(self, from: *const f32, stride: usize) -> [__m256; 4] {
        // SAFETY: the token proves AVX2 and FMA; the pointers are good by the method's contract.
        unsafe { load_columns(from, stride) }
    }
    const PREFETCHES: bool = true;
}

/// The columns of eight rows of four floats. Halves of them are combined as they are loaded, which leaves eight shuffles.
///
/// # Safety
/// The rows are readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_columns(from: *const f32, stride: usize) -> [__m256; 4] {
    let [a, b, c, d] = core::array::from_fn(|r| {
        // SAFETY: the caller's promise.
        let [low, high] = [r, r + 4].map(|r| unsafe { _mm_loadu_ps(from.add(r * stride)) });
        _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
    });
    let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
    let (ab2, cd2) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
    [
        _mm256_shuffle_ps::<0x44>(ab, cd),
        _mm256_shuffle_ps::<0xee>(ab, cd),
        _mm256_shuffle_ps::<0x44>(ab2, cd2),
        _mm256_shuffle_ps::<0xee>(ab2, cd2),
    ]
}
