//! [`Backend`]: the value that proves which vectors this CPU has, and the one list of those that have to be detected.

use super::portable::{Portable, Scalar};
#[cfg(target_arch = "x86_64")]
use super::x86_64::{Avx2, Avx512};
use super::{Dot, DotKernel, Kernel, Precision, Simd};

/// Instructions of this CPU that do the arithmetic, and the precision in which its products take their operands:
/// [`Precision::F32`] unless asked otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    kind: Kind,
    precision: Precision,
}

/// Vectors that the CPU has or has not: what a token does, whose existence is the proof. Each function runs its kernel
/// inside one that is compiled for the CPU's features.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // Only that architecture has one so far.
pub(super) trait Detected: Copy {
    /// The token, if the CPU has the features.
    fn detect() -> Option<Self>;
    /// Runs a kernel over floats.
    fn run<K: Kernel>(self, kernel: K) -> K::Out;
    /// Runs a kernel that multiplies bf16 pairs, with instructions for it where the CPU has them.
    fn run_bf16<K: Kernel>(self, kernel: K) -> K::Out {
        self.run(kernel)
    }
    /// Whether it has them.
    fn has_bf16(self) -> bool {
        false
    }
    /// Runs a kernel over 8-bit integers.
    fn run_dot<K: DotKernel>(self, kernel: K) -> K::Out;
}

/// Makes [`Kind`] and every function that has an arm for each backend, from the list of those that are detected.
macro_rules! backends {
    ($(#[$cfg:meta] $token:ident $name:literal),+ $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            Naive,
            Scalar,
            Portable,
            #[cfg(feature = "std")]
            Matrixmultiply,
            $(#[$cfg] $token($token),)+
        }

        impl Backend {
            /// Every backend of this CPU, the slowest first.
            pub fn available() -> impl Iterator<Item = Self> {
                let always = [
                    Some(Self::NAIVE),
                    Some(Self::SCALAR),
                    Some(Self::PORTABLE),
                    #[cfg(feature = "std")]
                    Some(Self::new(Kind::Matrixmultiply)),
                ];
                let detected = [
                    None, // An array needs an element where nothing is detected.
                    $(#[$cfg] $token::detect().map(|token| Self::new(Kind::$token(token))),)+
                ];
                always.into_iter().chain(detected).flatten()
            }

            /// The name that command lines and reports use: `naive`, `scalar`, `portable`, `matrixmultiply`, `avx2` or
            /// `avx512`.
            pub const fn name(self) -> &'static str {
                match self.kind {
                    Kind::Naive => "naive",
                    Kind::Scalar => "scalar",
                    Kind::Portable => "portable",
                    #[cfg(feature = "std")]
                    Kind::Matrixmultiply => "matrixmultiply",
                    $(#[$cfg] Kind::$token(_) => $name,)+
                }
            }

            /// Whether it multiplies bf16 pairs with instructions of the CPU. Elsewhere [`Precision::Bf16`] gives the same
            /// bits, lane by lane and many times slower.
            pub fn has_bf16(self) -> bool {
                match self.kind {
                    $(#[$cfg] Kind::$token(token) => token.has_bf16(),)+
                    _ => false,
                }
            }

            /// Runs a kernel with this backend's vectors. `naive` and `matrixmultiply` have none of their own and use
            /// `portable`'s for what they do not compute themselves.
            #[inline]
            pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Out {
                match self.kind {
                    Kind::Scalar => kernel.run(Scalar::new()),
                    $(#[$cfg] Kind::$token(token) => token.run(kernel),)+
                    _ => kernel.run(Portable::new()),
                }
            }

            /// As [`run`](Self::run), for kernels that multiply bf16 pairs.
            #[inline]
            pub(crate) fn run_bf16<K: Kernel>(self, kernel: K) -> K::Out {
                match self.kind {
                    $(#[$cfg] Kind::$token(token) => token.run_bf16(kernel),)+
                    _ => self.run(kernel),
                }
            }

            /// As [`run`](Self::run), for kernels over 8-bit integers.
            #[inline]
            pub(crate) fn run_dot<K: DotKernel>(self, kernel: K) -> K::Out {
                match self.kind {
                    Kind::Naive | Kind::Scalar => kernel.run(Scalar::new()),
                    $(#[$cfg] Kind::$token(token) => token.run_dot(kernel),)+
                    _ => kernel.run(Portable::new()),
                }
            }
        }
    };
}

// The backends that are detected, the slowest first. A new one (AArch64's, in simd/aarch64.rs) is its file, which implements
// `Simd`, `Dot` and `Detected` for its token, and its row here.
backends! {
    #[cfg(target_arch = "x86_64")] Avx2 "avx2",
    #[cfg(target_arch = "x86_64")] Avx512 "avx512",
}

impl Backend {
    /// The specification's plain loops.
    pub const NAIVE: Self = Self::new(Kind::Naive);
    /// One lane: what a core without vector instructions runs.
    pub const SCALAR: Self = Self::new(Kind::Scalar);
    /// The vectors that the target always has (SSE2, NEON, simd128; none on a microcontroller), the same bits everywhere.
    pub const PORTABLE: Self = Self::new(Kind::Portable);

    const fn new(kind: Kind) -> Self {
        Self { kind, precision: Precision::F32 }
    }

    /// Which one it is.
    #[inline]
    pub(crate) const fn kind(self) -> Kind {
        self.kind
    }

    /// The same backend, whose products take their operands in another precision.
    #[must_use]
    pub const fn with_precision(self, precision: Precision) -> Self {
        Self { kind: self.kind, precision }
    }

    /// The precision in which its products take their operands.
    pub const fn precision(self) -> Precision {
        self.precision
    }

    /// The fastest backend of this CPU.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().filter(|b| !matches!(b.name(), "matrixmultiply")).last().unwrap_or(Self::PORTABLE)
    }

    /// The backend of that [`name`](Self::name), if this CPU has it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().find(|b| b.name() == name)
    }

    /// Lanes of its vectors of floats.
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

    /// Outputs whose integer sums one of its vectors holds.
    #[doc(hidden)] // For the tests of `kernel::gemm_i8`, which pack weights for a backend.
    pub fn dot_lanes(self) -> usize {
        struct Lanes;
        impl DotKernel for Lanes {
            type Out = usize;
            #[inline(always)]
            fn run<D: Dot>(self, _: D) -> usize {
                D::LANES
            }
        }
        self.run_dot(Lanes)
    }
}
