//! AVX-512: vectors of sixteen floats, their fused multiply-add, and products of bf16 pairs.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::Avx512Of;
use crate::simd::{Kernel, Simd, bf16};

/// The mask of the first `n <= 16` lanes.
const fn first_bits(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

// SAFETY: what a method reads or writes is what the trait says; a masked lane is neither read nor written.
unsafe impl<const BF16: bool> Simd for Avx512Of<BF16> {
    type V = __m512;
    const LANES: usize = 16;
    const TILE_ROWS: usize = 8;
    const TILE_VECTORS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the token proves AVX-512F; the pointers are good by the method's contract.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> __m512 {
        // SAFETY: the token proves AVX-512F; the pointers are good by the method's contract.
        unsafe { _mm512_maskz_loadu_ps(first_bits(n), from) }
    }
    #[inline(always)]
    unsafe fn store(self, v: __m512, to: *mut f32) {
        // SAFETY: the token proves AVX-512F; the pointers are good by the method's contract.
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_first(self, n: usize, v: __m512, to: *mut f32) {
        // SAFETY: the token proves AVX-512F; the pointers are good by the method's contract.
        unsafe { _mm512_mask_storeu_ps(to, first_bits(n), v) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn sqrt(self, x: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_sqrt_ps(x) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn where_positive(self, cond: __m512, x: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(cond, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(positive, x)
        }
    }
    #[inline(always)]
    fn nonzero_mask(self, x: __m512) -> u32 {
        // SAFETY: the token proves AVX-512F.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_ps()) })
    }
    #[inline(always)]
    fn pow2(self, n: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
    #[inline]
    fn outlined<K: Kernel>(self, kernel: K) -> K::Out {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn with_features<S: Simd, K: Kernel>(s: S, kernel: K) -> K::Out {
            kernel.run(s)
        }
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx2,fma")]
        fn with_bf16<S: Simd, K: Kernel>(s: S, kernel: K) -> K::Out {
            kernel.run(s)
        }
        // SAFETY: the token proves the features.
        unsafe { if BF16 { with_bf16(self, kernel) } else { with_features(self, kernel) } }
    }
    #[inline(always)]
    fn pair_bf16(self, even: __m512, odd: __m512) -> __m512 {
        // SAFETY: the token proves its products of bf16 pairs.
        if BF16 { unsafe { pair_bf16(even, odd) } } else { bf16::pair_lanes(self, even, odd) }
    }
    #[inline(always)]
    fn pair_adjacent_bf16(self, low: __m512, high: __m512) -> __m512 {
        if BF16 {
            // SAFETY: the token proves its products of bf16 pairs.
            unsafe { pair_adjacent_bf16(low, high) }
        } else {
            bf16::pair_adjacent_lanes(self, low, high)
        }
    }
    #[inline(always)]
    fn dot_bf16(self, acc: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves its products of bf16 pairs.
        if BF16 { unsafe { dot_bf16(acc, a, b) } } else { bf16::dot_lanes(self, acc, a, b) }
    }
    #[inline(always)]
    unsafe fn load_columns(self, from: *const f32, stride: usize) -> [__m512; 4] {
        // SAFETY: the token proves AVX-512F; the pointers are good by the method's contract.
        unsafe { load_columns(from, stride) }
    }
    const PREFETCHES: bool = true;
}

/// The columns of sixteen rows of four floats. Quarters of them are combined as they are loaded, which leaves eight shuffles.
///
/// # Safety
/// The rows are readable.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_columns(from: *const f32, stride: usize) -> [__m512; 4] {
    let [a, b, c, d] = core::array::from_fn(|r| {
        // SAFETY: the caller's promise.
        let [first, second, third, fourth] =
            [r, r + 4, r + 8, r + 12].map(|r| unsafe { _mm_loadu_ps(from.add(r * stride)) });
        let low = _mm512_insertf32x4::<1>(_mm512_castps128_ps512(first), second);
        _mm512_insertf32x4::<3>(_mm512_insertf32x4::<2>(low, third), fourth)
    });
    let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
    let (ab2, cd2) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
    [
        _mm512_shuffle_ps::<0x44>(ab, cd),
        _mm512_shuffle_ps::<0xee>(ab, cd),
        _mm512_shuffle_ps::<0x44>(ab2, cd2),
        _mm512_shuffle_ps::<0xee>(ab2, cd2),
    ]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pair_bf16(even: __m512, odd: __m512) -> __m512 {
    // Word 2l is word l of the even half, word 2l + 1 word l of the odd one.
    const INTERLEAVE: [i16; 32] = {
        let mut index = [0; 32];
        let mut w = 0;
        while w < 32 {
            index[w] = (w / 2 + 16 * (w % 2)) as i16;
            w += 1;
        }
        index
    };
    // SAFETY: the array is as large as the register.
    let index = unsafe { _mm512_loadu_si512(INTERLEAVE.as_ptr().cast()) };
    _mm512_castsi512_ps(_mm512_permutexvar_epi16(index, _mm512_castps_si512(pair_adjacent_bf16(even, odd))))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pair_adjacent_bf16(low: __m512, high: __m512) -> __m512 {
    // SAFETY: both types are 64 bytes without a meaning of their own.
    unsafe { core::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn dot_bf16(acc: __m512, a: __m512, b: __m512) -> __m512 {
    // SAFETY: as above.
    let pairs = |x: __m512| unsafe { core::mem::transmute::<__m512, __m512bh>(x) };
    _mm512_dpbf16_ps(acc, pairs(a), pairs(b))
}
