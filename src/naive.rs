//! The specification: plain loops that say what every kernel computes.
//!
//! Written to be read and compared against, in `f32` (the baseline of the benchmarks and the `naive` backend) and in
//! `f64` (the oracle of the tests). The loop order suits row-major data: the innermost loop always walks a row, so that the
//! compiler can vectorize it. No blocking, no packing, no intrinsics.
//!
//! Shape letters, here and everywhere: `b` rows of a batch, `i` inputs and `o` outputs of a layer.

mod activation;
mod gradient;
pub mod integer;
mod loss;
mod optim;

pub use activation::{activate, derivative};
pub use gradient::{gradient, gradient_scratch};
pub use loss::{argmax, logit_gradient, softmax_loss, value_loss};
pub use optim::{adamw, momentum};

use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// The floats that the specification is written for.
pub trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The nearest value to a count.
    fn from_count(n: usize) -> Self;
    /// The same number.
    fn from_f32(x: f32) -> Self;
    /// The exponential.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The natural logarithm of `1 + self`.
    fn ln_1p(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
}

macro_rules! real {
    ($float:ty, $exp:path, $ln:path, $ln_1p:path, $sqrt:path, $tanh:path) => {
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn from_count(n: usize) -> Self {
                n as Self
            }
            fn from_f32(x: f32) -> Self {
                x.into()
            }
            fn exp(self) -> Self {
                $exp(self)
            }
            fn ln(self) -> Self {
                $ln(self)
            }
            fn ln_1p(self) -> Self {
                $ln_1p(self)
            }
            fn sqrt(self) -> Self {
                $sqrt(self)
            }
            fn tanh(self) -> Self {
                $tanh(self)
            }
        }
    };
}

real!(f32, libm::expf, libm::logf, libm::log1pf, libm::sqrtf, libm::tanhf);
real!(f64, libm::exp, libm::log, libm::log1p, libm::sqrt, libm::tanh);

/// A matrix operand of [`gemm`]: element `(r, c)` at `r * strides.0 + c * strides.1`.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a, T> {
    /// The memory.
    pub data: &'a [T],
    /// Elements to the next row and to the next column.
    pub strides: (usize, usize),
}

impl<'a, T> Operand<'a, T> {
    /// A dense row-major operand of `cols` columns.
    pub fn dense(data: &'a [T], cols: usize) -> Self {
        Self { data, strides: (cols, 1) }
    }

    /// The transposed operand.
    pub fn t(self) -> Self {
        Self { data: self.data, strides: (self.strides.1, self.strides.0) }
    }
}

/// `C(m,n) = alpha * A(m,k) * B(k,n) + beta * C`, with `B` and `C` row-major.
///
/// `dims` is `(m, k, n)`, `ldb` and `ldc` the row strides of `B` and `C`. With `beta == 0` the old `C` is never read.
#[allow(clippy::too_many_arguments)] // The argument list of a BLAS gemm; a struct would not make it shorter.
pub fn gemm<T: Real>(
    (m, k, n): (usize, usize, usize),
    alpha: T,
    a: Operand<'_, T>,
    b: &[T],
    ldb: usize,
    beta: T,
    c: &mut [T],
    ldc: usize,
) {
    for r in 0..m {
        let c_row = if n == 0 { &mut [][..] } else { &mut c[r * ldc..][..n] };
        if beta == T::ZERO {
            c_row.fill(T::ZERO);
        } else {
            for x in c_row.iter_mut() {
                *x = beta * *x;
            }
        }
        for p in 0..k {
            let scaled = alpha * a.data[r * a.strides.0 + p * a.strides.1];
            let b_row = if n == 0 { &[][..] } else { &b[p * ldb..][..n] };
            for (x, &y) in c_row.iter_mut().zip(b_row) {
                *x += scaled * y;
            }
        }
    }
}

/// `p / 255`, correctly rounded, without a division: 1/255 in two parts, the first short enough for an exact product.
#[inline(always)]
pub fn unit(p: u8) -> f32 {
    const HIGH: f32 = 257.0 / 65536.0;
    const LOW: f32 = (1.0 / 255.0 - 257.0 / 65536.0) as f32;
    f32::from(p) * HIGH + f32::from(p) * LOW
}

/// `z(b,o) += bias(o)`, then, with `relu`, negative values become 0; NaN stays NaN.
pub fn bias_relu<T: Real>(z: &mut [T], bias: &[T], relu: bool) {
    for row in z.chunks_exact_mut(bias.len()) {
        for (x, &b) in row.iter_mut().zip(bias) {
            *x += b;
            if relu && *x < T::ZERO {
                *x = T::ZERO;
            }
        }
    }
}

/// The input gradient of a layer, through the ReLU before it: `dx(b,i) = dz(b,o) * W(i,o)ᵀ` where the activation `a(b,i)` is
/// positive, else 0.
pub fn input_gradient<T: Real>(o: usize, dz: &[T], w: &[T], a: &[T], dx: &mut [T]) {
    input_gradient_linear(o, dz, w, dx);
    for (d, &a) in dx.iter_mut().zip(a) {
        *d = if a > T::ZERO { *d } else { T::ZERO };
    }
}

/// The input gradient of a layer alone: `dx(b,i) = dz(b,o) * W(i,o)ᵀ`. Plain dot products, since the summed dimension of both
/// operands is in rows.
pub fn input_gradient_linear<T: Real>(o: usize, dz: &[T], w: &[T], dx: &mut [T]) {
    let i = w.len() / o;
    for (dx, dz) in dx.chunks_exact_mut(i).zip(dz.chunks_exact(o)) {
        for (d, w) in dx.iter_mut().zip(w.chunks_exact(o)) {
            let mut sum = T::ZERO;
            for (&g, &w) in dz.iter().zip(w) {
                sum += g * w;
            }
            *d = sum;
        }
    }
}

/// `out(o) = alpha * Σ_b z(b,o) + beta * out`; with `beta == 0` the old `out` is never read.
pub fn column_sum<T: Real>(z: &[T], alpha: T, beta: T, out: &mut [T]) {
    for x in out.iter_mut() {
        *x = if beta == T::ZERO { T::ZERO } else { beta * *x };
    }
    for row in z.chunks_exact(out.len()) {
        for (x, &y) in out.iter_mut().zip(row) {
            *x += alpha * y;
        }
    }
}
