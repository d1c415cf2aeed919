//! Integer dot products with AVX2, and with the VNNI instructions of AVX-512.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::dot::Dot;
use super::x86_64::{Avx2, Vnni};

// SAFETY: what a method reads or writes is what the trait says.
unsafe impl Dot for Avx2 {
    type Acc = __m256i;
    type V = __m256i;
    const LANES: usize = 8;

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn dot(self, acc: __m256i, x: u32, weights: *const i8) -> __m256i {
        // SAFETY: the token proves AVX2; the pointers are good by the method's contract.
        unsafe {
            let w = _mm256_loadu_si256(weights.cast());
            let pairs = _mm256_maddubs_epi16(_mm256_set1_epi32(x as i32), w);
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
    #[inline(always)]
    unsafe fn finish(self, acc: __m256i, biases: *const i32) -> __m256i {
        // SAFETY: the token proves AVX2; the pointers are good by the method's contract.
        unsafe { _mm256_add_epi32(acc, _mm256_loadu_si256(biases.cast())) }
    }
    #[inline(always)]
    unsafe fn requantize(self, acc: __m256i, multipliers: *const i32, to: *mut u8) {
        // SAFETY: the token proves AVX2; the pointers are good by the method's contract.
        unsafe {
            let r = _mm256_loadu_si256(multipliers.cast());
            let high = _mm256_mullo_epi32(_mm256_srai_epi32::<12>(acc), r);
            let low = _mm256_mullo_epi32(_mm256_and_si256(acc, _mm256_set1_epi32(0xfff)), r);
            let sum = _mm256_add_epi32(high, _mm256_srai_epi32::<12>(low));
            let y = _mm256_srai_epi32::<12>(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 11)));
            // Both packs saturate: below 0 in the first, above 127 in the second, whose 16-bit inputs are not negative.
            let words = _mm_packus_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256::<1>(y));
            let words = _mm_min_epu16(words, _mm_set1_epi16(127));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }
    #[inline(always)]
    unsafe fn store(self, acc: __m256i, to: *mut i32) {
        // SAFETY: the token proves AVX2; the pointers are good by the method's contract.
        unsafe { _mm256_storeu_si256(to.cast(), acc) }
    }
}

// SAFETY: what a method reads or writes is what the trait says.
unsafe impl Dot for Vnni {
    type Acc = __m512i;
    type V = __m512i;
    const LANES: usize = 16;
    const TILE_IMAGES: usize = 8;

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512F and VNNI.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn dot(self, acc: __m512i, x: u32, weights: *const i8) -> __m512i {
        // SAFETY: the token proves AVX-512F and VNNI; the pointers are good by the method's contract.
        unsafe { _mm512_dpbusd_epi32(acc, _mm512_set1_epi32(x as i32), _mm512_loadu_si512(weights.cast())) }
    }
    #[inline(always)]
    unsafe fn finish(self, acc: __m512i, biases: *const i32) -> __m512i {
        // SAFETY: the token proves AVX-512F and VNNI; the pointers are good by the method's contract.
        unsafe { _mm512_add_epi32(acc, _mm512_loadu_si512(biases.cast())) }
    }
    #[inline(always)]
    unsafe fn requantize(self, acc: __m512i, multipliers: *const i32, to: *mut u8) {
        // SAFETY: the token proves AVX-512F and VNNI; the pointers are good by the method's contract.
        unsafe {
            let r = _mm512_loadu_si512(multipliers.cast());
            let high = _mm512_mullo_epi32(_mm512_srai_epi32::<12>(acc), r);
            let low = _mm512_mullo_epi32(_mm512_and_si512(acc, _mm512_set1_epi32(0xfff)), r);
            let sum = _mm512_add_epi32(high, _mm512_srai_epi32::<12>(low));
            let y = _mm512_srai_epi32::<12>(_mm512_add_epi32(sum, _mm512_set1_epi32(1 << 11)));
            let y = _mm512_min_epi32(_mm512_max_epi32(y, _mm512_setzero_si512()), _mm512_set1_epi32(127));
            _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(y));
        }
    }
    #[inline(always)]
    unsafe fn store(self, acc: __m512i, to: *mut i32) {
        // SAFETY: the token proves AVX-512F and VNNI; the pointers are good by the method's contract.
        unsafe { _mm512_storeu_si512(to.cast(), acc) }
    }
}
