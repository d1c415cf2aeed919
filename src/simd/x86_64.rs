//! AVX2 with FMA, and AVX-512F: eight and sixteen lanes, fused multiply-add.
//!
//! A token exists only after detection: at run time with `std`, by the target's features without.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{Kernel, Simd, pairs};

/// Proof that this CPU has AVX2 and FMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

/// Proof that this CPU has AVX-512F, next to AVX2 and FMA, and where `BF16` its products of bf16 pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512Of<const BF16: bool>(());

/// Proof that this CPU has AVX-512F, next to AVX2 and FMA.
pub type Avx512 = Avx512Of<false>;

/// Whether the CPU has every one of the features.
macro_rules! has {
    ($($feature:tt),*) => {{
        #[cfg(feature = "std")]
        { $(std::arch::is_x86_feature_detected!($feature))&&* }
        #[cfg(not(feature = "std"))]
        { $(cfg!(target_feature = $feature))&&* }
    }};
}

impl Avx2 {
    /// The token, if the CPU has the features.
    pub fn detect() -> Option<Self> {
        has!("avx2", "fma").then_some(Self(()))
    }

    /// Runs `kernel` in a function compiled for the features.
    #[inline]
    pub(super) fn vectorize<K: Kernel>(self, kernel: K) -> K::Out {
        #[target_feature(enable = "avx2,fma")]
        fn with_features<K: Kernel>(s: Avx2, kernel: K) -> K::Out {
            kernel.run(s)
        }
        // SAFETY: the token proves the features.
        unsafe { with_features(self, kernel) }
    }
}

impl Avx512 {
    /// The token, if the CPU has the features.
    pub fn detect() -> Option<Self> {
        has!("avx512f", "avx2", "fma").then_some(Avx512Of(()))
    }

    /// Whether the CPU has the integer dot products too.
    pub(super) fn has_vnni(self) -> bool {
        has!("avx512vnni")
    }

    /// The token that proves products of bf16 pairs too, if the CPU has them.
    pub(super) fn with_bf16(self) -> Option<Avx512Of<true>> {
        has!("avx512bf16", "avx512bw").then_some(Avx512Of(()))
    }

    /// Its vectors of half the length, which it proves too.
    pub(super) const fn narrow(self) -> Avx2 {
        Avx2(())
    }

    /// Runs `kernel` in a function compiled for the features.
    #[inline]
    pub(super) fn vectorize<K: Kernel>(self, kernel: K) -> K::Out {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn with_features<K: Kernel>(s: Avx512, kernel: K) -> K::Out {
            kernel.run(s)
        }
        // SAFETY: the token proves the features.
        unsafe { with_features(self, kernel) }
    }
}

impl Avx512Of<true> {
    /// Runs `kernel` in a function compiled for the features.
    #[inline]
    pub(super) fn vectorize<K: Kernel>(self, kernel: K) -> K::Out {
        #[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx2,fma")]
        fn with_features<K: Kernel>(s: Avx512Of<true>, kernel: K) -> K::Out {
            kernel.run(s)
        }
        // SAFETY: the token proves the features.
        unsafe { with_features(self, kernel) }
    }
}

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

// SAFETY (of every block): the token proves AVX2 and FMA; pointers are the caller's promise, and a masked lane is
// neither read nor written.
unsafe impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const TILE_ROWS: usize = 6;
    const TILE_VECTORS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> __m256 {
        unsafe { _mm256_maskload_ps(from, first_lanes(n)) }
    }
    #[inline(always)]
    unsafe fn store(self, v: __m256, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_first(self, n: usize, v: __m256, to: *mut f32) {
        unsafe { _mm256_maskstore_ps(to, first_lanes(n), v) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn sqrt(self, x: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(x) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn where_positive(self, cond: __m256, x: __m256) -> __m256 {
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(cond, _mm256_setzero_ps()), x) }
    }
    #[inline(always)]
    fn nonzero(self, x: __m256) -> u32 {
        // Of NaN too: it is unequal to 0.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(x, _mm256_setzero_ps())) as u32 }
    }
    #[inline(always)]
    fn pow2(self, n: __m256) -> __m256 {
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
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        unsafe { transpose_8x4(from, from_stride, to, to_stride) }
    }
    const PREFETCHES: bool = true;
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}

/// The mask of the first `n <= 16` lanes.
const fn first_bits(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

// SAFETY (of every block): the token proves AVX-512F; pointers are the caller's promise, and a masked lane is neither
// read nor written.
unsafe impl<const BF16: bool> Simd for Avx512Of<BF16> {
    type V = __m512;
    const LANES: usize = 16;
    const TILE_ROWS: usize = 8;
    const TILE_VECTORS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps(first_bits(n), from) }
    }
    #[inline(always)]
    unsafe fn store(self, v: __m512, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_first(self, n: usize, v: __m512, to: *mut f32) {
        unsafe { _mm512_mask_storeu_ps(to, first_bits(n), v) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn sqrt(self, x: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(x) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn where_positive(self, cond: __m512, x: __m512) -> __m512 {
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(cond, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(positive, x)
        }
    }
    #[inline(always)]
    fn nonzero(self, x: __m512) -> u32 {
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_ps()) })
    }
    #[inline(always)]
    fn pow2(self, n: __m512) -> __m512 {
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
    fn pair(self, even: __m512, odd: __m512) -> __m512 {
        if BF16 { unsafe { pair_bf16(even, odd) } } else { pairs::pair_lanes(self, even, odd) }
    }
    #[inline(always)]
    fn halves(self, low: __m512, high: __m512) -> __m512 {
        if BF16 { unsafe { halves_bf16(low, high) } } else { pairs::halves_lanes(self, low, high) }
    }
    #[inline(always)]
    fn dot_pairs(self, acc: __m512, a: __m512, b: __m512) -> __m512 {
        if BF16 { unsafe { dot_bf16(acc, a, b) } } else { pairs::dot_lanes(self, acc, a, b) }
    }
    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        unsafe {
            transpose_8x4(from, from_stride, to, to_stride);
            transpose_8x4(from.wrapping_add(8 * from_stride), from_stride, to.wrapping_add(8), to_stride);
        }
    }
    const PREFETCHES: bool = true;
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}

/// Transposes eight rows of four floats. Halves of columns are joined as they are loaded, which leaves eight shuffles.
///
/// # Safety
/// The rows are readable, and four of eight floats writable there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn transpose_8x4(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let [a, b, c, d] = core::array::from_fn(|r| {
            let low = _mm_loadu_ps(from.add(r * from_stride));
            let high = _mm_loadu_ps(from.add((r + 4) * from_stride));
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
        });
        let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
        let (ab2, cd2) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
        _mm256_storeu_ps(to, _mm256_shuffle_ps::<0x44>(ab, cd));
        _mm256_storeu_ps(to.add(to_stride), _mm256_shuffle_ps::<0xee>(ab, cd));
        _mm256_storeu_ps(to.add(2 * to_stride), _mm256_shuffle_ps::<0x44>(ab2, cd2));
        _mm256_storeu_ps(to.add(3 * to_stride), _mm256_shuffle_ps::<0xee>(ab2, cd2));
    }
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
    _mm512_castsi512_ps(_mm512_permutexvar_epi16(index, _mm512_castps_si512(halves_bf16(even, odd))))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn halves_bf16(low: __m512, high: __m512) -> __m512 {
    // SAFETY: both types are 64 bytes without a meaning of their own.
    unsafe { core::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn dot_bf16(acc: __m512, a: __m512, b: __m512) -> __m512 {
    // SAFETY: as above.
    let half = |x: __m512| unsafe { core::mem::transmute::<__m512, __m512bh>(x) };
    _mm512_dpbf16_ps(acc, half(a), half(b))
}
