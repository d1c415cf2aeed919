//! AVX2 with FMA, and AVX-512F: eight and sixteen lanes, fused multiply-add.
//!
//! A token exists only after detection: at run time with `std`, by the target's features without.
#![allow(unsafe_code)]

mod avx2;
mod avx512;

use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use super::Kernel;

/// Proof that this CPU has AVX2 and FMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

/// Proof that this CPU has AVX-512F, next to AVX2 and FMA, and where `BF16` its products of bf16 pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512Of<const BF16: bool>(());

/// Proof that this CPU has AVX-512F, next to AVX2 and FMA.
pub type Avx512 = Avx512Of<false>;

/// A hint that the cache line at `at`, which may be any address, will be used soon, though not next.
#[inline(always)]
pub(crate) fn prefetch(at: *const f32) {
    // SAFETY: a prefetch reads nothing, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
}

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
