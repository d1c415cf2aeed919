//! Proof of AVX2 with FMA and of AVX-512F: eight and sixteen lanes, fused multiply-add. Their operations are in `avx2.rs`
//! and `avx512.rs`, those on integers in `dot_x86_64.rs`.
//!
//! A token exists only after detection: at run time with `std`, by the target's features without. Each token runs kernels
//! inside a function compiled for the features that it proves.
#![allow(unsafe_code)]

mod avx2;
mod avx512;

use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use super::backend::Detected;
use super::{DotKernel, Kernel};

/// Proof that this CPU has AVX2 and FMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

/// Proof that this CPU has AVX-512F, next to AVX2 and FMA, and where `BF16` its products of bf16 pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512Of<const BF16: bool>(());

/// Proof that this CPU has AVX-512F, next to AVX2 and FMA.
pub(crate) type Avx512 = Avx512Of<false>;

/// Proof that this CPU has AVX-512F with VNNI, next to AVX2 and FMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vnni(());

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

/// Runs a kernel with the vectors of `$token`, inside a function compiled for `$features`.
macro_rules! with_features {
    ($features:literal, $kernel_trait:ident, $token_type:ty, $token:expr, $kernel:expr) => {{
        #[target_feature(enable = $features)]
        fn with_features<K: $kernel_trait>(token: $token_type, kernel: K) -> K::Out {
            kernel.run(token)
        }
        // SAFETY: the token proves the features.
        unsafe { with_features($token, $kernel) }
    }};
}

impl Detected for Avx2 {
    fn detect() -> Option<Self> {
        has!("avx2", "fma").then_some(Self(()))
    }
    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Out {
        with_features!("avx2,fma", Kernel, Avx2, self, kernel)
    }
    #[inline]
    fn run_dot<K: DotKernel>(self, kernel: K) -> K::Out {
        with_features!("avx2,fma", DotKernel, Avx2, self, kernel)
    }
}

impl Detected for Avx512 {
    fn detect() -> Option<Self> {
        has!("avx512f", "avx2", "fma").then_some(Avx512Of(()))
    }
    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Out {
        with_features!("avx512f,avx2,fma", Kernel, Avx512, self, kernel)
    }
    #[inline]
    fn run_bf16<K: Kernel>(self, kernel: K) -> K::Out {
        if !self.has_bf16() {
            return self.run(kernel);
        }
        with_features!("avx512f,avx512bw,avx512bf16,avx2,fma", Kernel, Avx512Of<true>, Avx512Of(()), kernel)
    }
    fn has_bf16(self) -> bool {
        has!("avx512bf16", "avx512bw")
    }
    #[inline]
    fn run_dot<K: DotKernel>(self, kernel: K) -> K::Out {
        if !has!("avx512vnni") {
            // AVX-512F proves AVX2 too.
            return Avx2(()).run_dot(kernel);
        }
        with_features!("avx512f,avx512vnni,avx2,fma", DotKernel, Vnni, Vnni(()), kernel)
    }
}
