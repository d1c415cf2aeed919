//! Vectors of 32-bit lanes, and the value that proves which of them this CPU has.
//!
//! A kernel is a struct of its arguments that implements `Kernel` once, generically over `Simd`; `Backend::run` runs it
//! inside a function compiled for the CPU's features, into which every vector operation inlines. A [`Backend`] can only be
//! had from [`Backend::available`] and its kin, so its existence is the proof that the CPU can do it.
//!
//! | file | holds |
//! |---|---|
//! | `backend.rs` | [`Backend`], and the list of those that are detected |
//! | `portable.rs` | `portable`, the target's baseline over `wide`; `scalar`, one lane |
//! | `x86_64/avx2.rs`, `x86_64/avx512.rs` | the same operations in AVX2 and AVX-512 |
//! | `bf16.rs` | products of bf16 pairs where no instruction does them |
//! | `dot.rs`, `dot_x86_64.rs` | integer dot products, for quantized layers |
//! | `thumb.rs` | what functions in Cortex-M assembly share |
//!
//! The trait is no larger than the kernels need. Vectors are loaded from slices by `Simd::read`, which checks lengths;
//! only the GEMM micro-kernel and its packing use the pointer operations.
//!
//! The `portable` and `scalar` backends multiply and then add, each rounded, and give the same bits on every machine:
//! a network trained on a microcontroller is the one that a desktop trains. The others fuse.

mod backend;
mod bf16;
mod dot;
#[cfg(target_arch = "x86_64")]
mod dot_x86_64;
mod portable;
#[cfg(all(target_arch = "arm", target_os = "none"))]
mod thumb;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use backend::Backend;
pub(crate) use backend::Kind;
pub use bf16::Precision;
pub(crate) use bf16::pair;
pub(crate) use dot::{Dot, DotKernel, MAX_LANES};
#[cfg(all(target_arch = "arm", target_os = "none"))]
#[allow(unused_imports)] // Cores with neither kernels nor a floating-point unit of their own.
pub(crate) use thumb::thumb_functions;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::prefetch;

/// A hint for which this target has no instruction.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn prefetch(_at: *const f32) {}

/// Operations on vectors of `LANES` 32-bit lanes.
///
/// # Safety
/// Implementations promise that [`load_first`](Self::load_first) and [`store_first`](Self::store_first) touch the
/// first `n` elements only, that [`load`](Self::load) and [`store`](Self::store) touch `LANES` of them, and that a
/// value of the type exists only where the CPU has the instructions.
#[allow(unsafe_code)]
pub(crate) unsafe trait Simd: Copy + Send + Sync {
    /// A vector register.
    type V: Copy;
    /// Its lanes.
    const LANES: usize;
    /// Rows of C of the register tile (MR) that fills the register file.
    const TILE_ROWS: usize;
    /// Vectors of columns of the register tile (NR / `LANES`).
    const TILE_VECTORS: usize;
    /// Whether results are the same bits on every machine: no fused operations, and products skip the steps whose left
    /// operand is zero.
    const REPRODUCIBLE: bool = false;

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// `LANES` floats from any address.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// The first `n` floats, zeros above.
    ///
    /// # Safety
    /// They must be readable, and `n < LANES`; nothing after them is touched.
    unsafe fn load_first(self, n: usize, from: *const f32) -> Self::V;
    /// Writes `LANES` floats.
    ///
    /// # Safety
    /// They must be writable.
    unsafe fn store(self, v: Self::V, to: *mut f32);
    /// Writes the first `n` floats.
    ///
    /// # Safety
    /// They must be writable, and `n < LANES`; nothing after them is touched.
    unsafe fn store_first(self, n: usize, v: Self::V, to: *mut f32);
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once, or twice if [`REPRODUCIBLE`](Self::REPRODUCIBLE).
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a / b`, correctly rounded.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// The square root, correctly rounded.
    fn sqrt(self, x: Self::V) -> Self::V;
    /// `a` where `a > b`, else `b`: a NaN in `b` stays, a NaN in `a` does not.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a` where `a < b`, else `b`: a NaN in `b` stays, a NaN in `a` does not.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `x` where `cond > 0`, else 0.
    fn where_positive(self, cond: Self::V, x: Self::V) -> Self::V;
    /// A bit for each lane that is neither 0 nor −0, the first lane's the lowest.
    fn nonzero_mask(self, x: Self::V) -> u32;
    /// 2ⁿ for integral `n` in −126..=127.
    fn pow2(self, n: Self::V) -> Self::V;
    /// The four columns of `LANES` rows of four floats, `stride` apart.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn load_columns(self, from: *const f32, stride: usize) -> [Self::V; 4];
    /// Whether the micro-kernel prefetches: it has an instruction to spare for each step of K.
    const PREFETCHES: bool = false;
    /// A hint that the cache line at `at`, which may be any address, will be used soon, though not next; nothing unless
    /// [`PREFETCHES`](Self::PREFETCHES). The condition is here because one in the micro-kernel slows SSE2's products by 2 %.
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        if Self::PREFETCHES {
            prefetch(at);
        }
    }

    /// Two vectors rounded to bf16 and interleaved: lane `l` holds the pair of `even[l]` and `odd[l]`.
    #[inline(always)]
    fn pair_bf16(self, even: Self::V, odd: Self::V) -> Self::V {
        bf16::pair_lanes(self, even, odd)
    }
    /// Adjacent floats rounded to bf16, those of `low` and then those of `high`: lane `l` holds floats `2l` and `2l + 1`.
    #[inline(always)]
    fn pair_adjacent_bf16(self, low: Self::V, high: Self::V) -> Self::V {
        bf16::pair_adjacent_lanes(self, low, high)
    }
    /// `acc + a · b` of bf16 pairs, the odd products first, each sum rounded once. Subnormal numbers count as 0, in operands
    /// and results.
    #[inline(always)]
    fn dot_bf16(self, acc: Self::V, a: Self::V, b: Self::V) -> Self::V {
        bf16::dot_lanes(self, acc, a, b)
    }
    /// Runs a kernel in a function of its own, so that its loops have all registers to themselves.
    fn outlined<K: Kernel>(self, kernel: K) -> K::Out;

    /// The first lanes of a slice, zeros where it is shorter than a vector.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::V {
        // SAFETY: the length is checked before each kind of load.
        unsafe {
            if from.len() >= Self::LANES {
                self.load(from.as_ptr())
            } else {
                self.load_first(from.len(), from.as_ptr())
            }
        }
    }

    /// The first four [`load_columns`](Self::load_columns) of a slice's first `LANES` rows.
    ///
    /// # Panics
    /// If it ends before them.
    #[inline(always)]
    fn read_columns(self, from: &[f32], stride: usize) -> [Self::V; 4] {
        assert!(from.len() >= (Self::LANES - 1) * stride + 4);
        // SAFETY: the last of the rows ends in the slice, by the assertion.
        unsafe { self.load_columns(from.as_ptr(), stride) }
    }

    /// Writes the first lanes of a slice, as many as it holds.
    #[inline(always)]
    fn write(self, v: Self::V, to: &mut [f32]) {
        // SAFETY: the length is checked before each kind of store.
        unsafe {
            if to.len() >= Self::LANES {
                self.store(v, to.as_mut_ptr());
            } else {
                self.store_first(to.len(), v, to.as_mut_ptr());
            }
        }
    }
}

/// A computation written once for every vector width. Implementations of `run` must be `#[inline(always)]`, or they
/// are compiled without the CPU feature.
pub(crate) trait Kernel {
    /// What it returns.
    type Out;
    /// Runs with the vectors of `s`.
    fn run<S: Simd>(self, s: S) -> Self::Out;
}
