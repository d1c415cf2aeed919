//! Vectors of 32-bit lanes, and the value that proves which of them this CPU has.
//!
//! A kernel is a struct of its arguments that implements [`Kernel`] once, generically over [`Simd`]; [`Backend::run`]
//! runs it inside a function compiled for the CPU feature, into which every vector operation inlines. A [`Backend`] can
//! only be had from [`Backend::available`] and its kin, so its existence is the proof that the CPU can do it.
//!
//! The trait is no larger than the kernels need. Vectors are loaded from slices by [`Simd::read`], which checks lengths;
//! only the GEMM tile uses the pointer operations.
//!
//! The `portable` and `scalar` backends multiply and then add, each rounded, and give the same bits on every machine:
//! a network trained on a microcontroller is the one that a desktop trains. The others fuse.

mod dot;
#[cfg(target_arch = "x86_64")]
mod dot_x86_64;
mod pairs;
mod portable;
#[cfg(all(target_arch = "arm", target_os = "none"))]
mod thumb;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use dot::{Dot, DotKernel, MAX_LANES};
pub use pairs::Precision;
pub(crate) use pairs::pair;
pub use portable::{Scalar, Wide};
#[cfg(all(target_arch = "arm", target_os = "none"))]
#[allow(unused_imports)] // Cores with neither kernels nor a floating-point unit of their own.
pub(crate) use thumb::thumb_functions;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::prefetch;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{Avx2, Avx512};

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
pub unsafe trait Simd: Copy + Send + Sync {
    /// A vector register.
    type V: Copy;
    /// Its lanes.
    const LANES: usize;
    /// Rows of the GEMM tile that fills the register file.
    const TILE_ROWS: usize;
    /// Vectors of one of its rows.
    const TILE_VECTORS: usize;
    /// Whether results are the same bits on every machine: no fused operations, and products leave out the terms whose
    /// left factor is zero.
    const REPRODUCIBLE: bool = false;

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// `LANES` floats from any address.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// The first `n < LANES` floats, zeros above.
    ///
    /// # Safety
    /// They must be readable; nothing behind them is touched.
    unsafe fn load_first(self, n: usize, from: *const f32) -> Self::V;
    /// Writes `LANES` floats.
    ///
    /// # Safety
    /// They must be writable.
    unsafe fn store(self, v: Self::V, to: *mut f32);
    /// Writes the first `n < LANES` floats.
    ///
    /// # Safety
    /// They must be writable; nothing behind them is touched.
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
    fn nonzero(self, x: Self::V) -> u32;
    /// 2ⁿ for integral `n` in −126..=127.
    fn pow2(self, n: Self::V) -> Self::V;
    /// The four columns of `LANES` rows of four floats, `stride` apart.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn columns(self, from: *const f32, stride: usize) -> [Self::V; 4];
    /// Whether tiles fetch ahead what their sums will need: they have an instruction to spare for each term.
    const PREFETCHES: bool = false;
    /// A hint that the cache line at `at`, which may be any address, will be used soon, though not next; nothing unless
    /// [`PREFETCHES`](Self::PREFETCHES). A condition in the tile itself costs SSE2's products 2 % of their speed.
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        if Self::PREFETCHES {
            prefetch(at);
        }
    }

    /// Two vectors rounded to bf16, lane by lane: pairs of an even and an odd term.
    #[inline(always)]
    fn pair(self, even: Self::V, odd: Self::V) -> Self::V {
        pairs::pair_lanes(self, even, odd)
    }
    /// Neighbouring floats rounded to bf16, those of `low` and then those of `high`: pairs of neighbours.
    #[inline(always)]
    fn halves(self, low: Self::V, high: Self::V) -> Self::V {
        pairs::halves_lanes(self, low, high)
    }
    /// `acc + a · b` of bf16 pairs, the odd products first, each sum rounded once; what is smaller than the smallest normal
    /// number is 0, before and after.
    #[inline(always)]
    fn dot_pairs(self, acc: Self::V, a: Self::V, b: Self::V) -> Self::V {
        pairs::dot_lanes(self, acc, a, b)
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

    /// The first four [`columns`](Self::columns) of a slice's first `LANES` rows.
    ///
    /// # Panics
    /// If it ends before them.
    #[inline(always)]
    fn read_columns(self, from: &[f32], stride: usize) -> [Self::V; 4] {
        assert!(from.len() >= (Self::LANES - 1) * stride + 4);
        // SAFETY: the last of the rows ends in the slice, by the assertion.
        unsafe { self.columns(from.as_ptr(), stride) }
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
pub trait Kernel {
    /// What it returns.
    type Out;
    /// Runs with the vectors of `s`.
    fn run<S: Simd>(self, s: S) -> Self::Out;
}

/// A way to do the arithmetic that this CPU has, and how its products take their operands: [`Precision::F32`] unless
/// asked otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend(pub(crate) Kind, Precision);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Naive,
    Scalar,
    Portable,
    #[cfg(feature = "std")]
    Matrixmultiply,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Backend {
    /// The specification's plain loops.
    pub const NAIVE: Self = Self::new(Kind::Naive);
    /// One lane: what a core without vector instructions runs.
    pub const SCALAR: Self = Self::new(Kind::Scalar);
    /// The vectors that the target always has (SSE2, NEON, simd128; none on a microcontroller), the same bits everywhere.
    pub const PORTABLE: Self = Self::new(Kind::Portable);

    const fn new(kind: Kind) -> Self {
        Self(kind, Precision::F32)
    }

    /// The same with another precision.
    pub const fn with(self, precision: Precision) -> Self {
        Self(self.0, precision)
    }

    /// How its products take their operands.
    pub const fn precision(self) -> Precision {
        self.1
    }

    /// Whether it multiplies bf16 pairs with instructions of the CPU. Elsewhere [`Precision::Bf16`] gives the same bits,
    /// lane by lane and many times slower.
    pub fn multiplies_pairs(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(token) => token.with_bf16().is_some(),
            _ => false,
        }
    }

    /// Every backend of this CPU, the slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        let always = [Some(Self::NAIVE), Some(Self::SCALAR), Some(Self::PORTABLE)];
        #[cfg(feature = "std")]
        let borrowed = [Some(Self::new(Kind::Matrixmultiply))];
        #[cfg(not(feature = "std"))]
        let borrowed = [None];
        #[cfg(target_arch = "x86_64")]
        let detected = [
            Avx2::detect().map(|t| Self::new(Kind::Avx2(t))),
            Avx512::detect().map(|t| Self::new(Kind::Avx512(t))),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let detected = [None];
        always.into_iter().chain(borrowed).chain(detected).flatten()
    }

    /// The fastest backend of this CPU.
    pub fn detect() -> Self {
        Self::available().filter(|b| !matches!(b.name(), "matrixmultiply")).last().unwrap_or(Self::PORTABLE)
    }

    /// The backend of that [`name`](Self::name), if this CPU has it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().find(|b| b.name() == name)
    }

    /// `naive`, `scalar`, `portable`, `matrixmultiply`, `avx2` or `avx512`.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Naive => "naive",
            Kind::Scalar => "scalar",
            Kind::Portable => "portable",
            #[cfg(feature = "std")]
            Kind::Matrixmultiply => "matrixmultiply",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
        }
    }

    /// Lanes of its vectors.
    pub fn lanes(self) -> usize {
        struct Lanes;
        impl Kernel for Lanes {
            type Out = usize;
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> usize {
                S::LANES
            }
        }
        self.run(Lanes)
    }

    /// Runs a kernel with this backend's vectors. `naive` and `matrixmultiply` have none of their own and use
    /// `portable`'s for what they do not compute themselves.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Out {
        match self.0 {
            Kind::Scalar => kernel.run(Scalar),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(token) => token.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(token) => token.vectorize(kernel),
            _ => kernel.run(portable::Portable::new()),
        }
    }

    /// As [`run`](Self::run), for kernels that multiply bf16 pairs.
    #[inline]
    pub(crate) fn run_pairs<K: Kernel>(self, kernel: K) -> K::Out {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(token) => match token.with_bf16() {
                Some(token) => token.vectorize(kernel),
                None => token.vectorize(kernel),
            },
            _ => self.run(kernel),
        }
    }
}
