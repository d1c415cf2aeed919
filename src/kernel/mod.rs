//! The handful of kernels that do all the arithmetic, each a function that takes a [`Backend`].
//!
//! What each computes is written as plain loops in [`naive`]; how it is done with vectors is written here:
//!
//! | file | holds |
//! |---|---|
//! | `gemm.rs`, `gemm_bf16.rs` | the product in single precision and in bf16: which path, which blocks |
//! | `gemm_blocked.rs` | the loop nest over K blocks, micro-panels and blocks of rows that both share |
//! | `pack.rs` | packing of B's micro-panels and of A |
//! | `micro_kernel.rs`, `micro_kernel/register_tile.rs` | micro-panels, and the inner loop |
//! | `epilogue.rs` | what happens to a finished sum: scale, bias and ReLU, the ReLU mask of the backward pass |
//! | `sparse.rs`, `sparse/cortex_m.rs` | the zero-skipping product of cores without vectors |
//! | `sgemm.rs` | the call of `matrixmultiply` |
//! | `input_gradient.rs` | the backward pass through a layer and the ReLU before it |
//! | `activation.rs` | the activations other than ReLU, and their derivatives |
//! | `softmax.rs` | softmax and cross entropy |
//! | `loss.rs` | the losses of value targets |
//! | `math.rs` | exp, tanh, sigmoid and ln of vectors |
//! | `gather.rs` | the rows of a batch, from bytes or floats |
//! | `gemm_i8.rs` | integer layers |
//! | `peak.rs` | the peak that benchmarks compare with |
//!
//! A product that reads a batch of bytes without turning it into floats is a function here beside [`dense`], and a packing
//! in `gemm_blocked.rs` whose A is bytes, or a loop of its own in a file beside it.
//!
//! Lengths are asserted at the API boundary. All kernels accept empty operands.

mod activation;
mod epilogue;
mod gather;
mod gemm;
mod gemm_args;
mod gemm_bf16;
mod gemm_blocked;
#[doc(hidden)] // Public for the tests only, which compare it with the specification to the byte.
pub mod gemm_i8;
mod input_gradient;
mod loss;
mod math;
mod micro_kernel;
mod pack;
mod peak;
#[cfg(feature = "std")]
mod sgemm;
mod softmax;
mod sparse;

use crate::mat::{Mat, MatMut};
use crate::naive;
use crate::simd::{Backend, Kernel, Kind, Precision, Simd};
use epilogue::Epilogue;
use gemm_args::Gemm;
use gemm_bf16::GemmBf16;

pub use activation::{activate, activation_gradient};
pub use gather::{gather, gather_rows, gather_standardised};
pub use input_gradient::{input_gradient, input_gradient_linear};
pub use loss::value_loss;
#[doc(hidden)] // Public for the program's benchmark only.
pub use peak::{dot_peak, peak};
pub use softmax::softmax_loss;

/// `C(m,n) = alpha * A(m,k) * B(k,n) + beta * C`; with `beta == 0` the old `C` is never read.
///
/// `A` may have any strides, `B` must be row-major. Each element is `alpha * Σ + beta * C` with the sum taken over `k`
/// in order. `scalar` and `portable` give the same bits as each other on every machine: they skip the steps whose `A` is 0,
/// and where both factors are 1 the sum starts from `C`, as in the specification.
///
/// # Panics
/// If the shapes disagree, or the columns of `B` are not adjacent.
pub fn gemm(backend: Backend, alpha: f32, a: Mat<'_>, b: Mat<'_>, beta: f32, mut c: MatMut<'_>) {
    assert!(b.col_stride() == 1 || b.cols() <= 1, "gemm: B must be row-major");
    match backend.kind() {
        _ if backend.precision() == Precision::Bf16 => {
            backend.run_bf16(GemmBf16(Gemm { a, b, c, epilogue: Epilogue::Scale { alpha, beta } }));
        }
        Kind::Naive => naive_gemm(alpha, a, b, beta, &mut c),
        #[cfg(feature = "std")]
        Kind::Matrixmultiply => sgemm::sgemm(alpha, a, b, beta, c),
        _ => {
            backend.run(Gemm { a, b, c, epilogue: Epilogue::Scale { alpha, beta } });
        }
    }
}

/// A dense layer: `Z(b,o) = X(b,i) * W(i,o) + bias(o)`, and 0 where that is negative if `relu`.
///
/// For one row alone every backend of vectors skips the steps whose `X` is 0. As long as `W` is finite, the row has the bits
/// that it would have had among others.
///
/// # Panics
/// If the shapes disagree, or the columns of `W` are not adjacent.
pub fn dense(backend: Backend, x: Mat<'_>, w: Mat<'_>, bias: &[f32], relu: bool, mut z: MatMut<'_>) {
    assert!(w.col_stride() == 1 || w.cols() <= 1, "dense: W must be row-major");
    match backend.kind() {
        _ if backend.precision() == Precision::Bf16 => {
            backend.run_bf16(GemmBf16(Gemm { a: x, b: w, c: z, epilogue: Epilogue::Bias { bias, relu } }));
        }
        Kind::Naive => {
            naive_gemm(1.0, x, w, 0.0, &mut z);
            for r in 0..z.rows() {
                naive::bias_relu(z.row_mut(r), bias, relu);
            }
        }
        #[cfg(feature = "std")]
        Kind::Matrixmultiply => {
            sgemm::sgemm(1.0, x, w, 0.0, z.reborrow());
            backend.run(BiasRelu { z, bias, relu });
        }
        _ => {
            backend.run(Gemm { a: x, b: w, c: z, epilogue: Epilogue::Bias { bias, relu } });
        }
    }
}

fn naive_gemm(alpha: f32, a: Mat<'_>, b: Mat<'_>, beta: f32, c: &mut MatMut<'_>) {
    let dims = (a.rows(), a.cols(), b.cols());
    assert!(b.rows() == dims.1 && c.rows() == dims.0 && c.cols() == dims.2, "gemm: shapes disagree");
    assert!(b.col_stride() == 1 || dims.2 <= 1, "gemm: B must be row-major");
    let a = naive::Operand { data: a.data(), strides: (a.row_stride(), a.col_stride()) };
    let stride = c.row_stride();
    naive::gemm(dims, alpha, a, b.data(), b.row_stride(), beta, c.data_mut(), stride);
}

/// `out(o) = alpha * Σ_b z(b,o) + beta * out`, rows in order; with `beta == 0` the old `out` is never read.
///
/// # Panics
/// If `z` does not consist of whole rows of `out.len()`.
pub fn column_sum(backend: Backend, alpha: f32, z: &[f32], beta: f32, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    assert_eq!(z.len() % out.len(), 0, "column_sum: z is not a whole number of rows");
    match backend.kind() {
        Kind::Naive => naive::column_sum(z, alpha, beta, out),
        _ => backend.run(ColumnSum { alpha, z, beta, out }),
    }
}

/// `dst(n,m) = src(m,n)` transposed.
///
/// # Panics
/// If a slice is not `m * n` long.
pub fn transpose(m: usize, n: usize, src: &[f32], dst: &mut [f32]) {
    assert!(src.len() == m * n && dst.len() == m * n, "transpose: lengths disagree");
    if m * n == 0 {
        return;
    }
    for (c, column) in dst.chunks_exact_mut(m).enumerate() {
        for (d, row) in column.iter_mut().zip(src.chunks_exact(n)) {
            *d = row[c];
        }
    }
}

/// `z(b,o) += bias(o)`, then ReLU; for backends whose product has no epilogue.
#[cfg(feature = "std")]
struct BiasRelu<'a> {
    z: MatMut<'a>,
    bias: &'a [f32],
    relu: bool,
}

#[cfg(feature = "std")]
impl Kernel for BiasRelu<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        assert_eq!(self.bias.len(), self.z.cols());
        for r in 0..self.z.rows() {
            for (z, b) in self.z.row_mut(r).chunks_mut(S::LANES).zip(self.bias.chunks(S::LANES)) {
                let x = s.add(s.read(z), s.read(b));
                s.write(if self.relu { s.max(s.splat(0.0), x) } else { x }, z);
            }
        }
    }
}

struct ColumnSum<'a> {
    alpha: f32,
    z: &'a [f32],
    beta: f32,
    out: &'a mut [f32],
}

impl Kernel for ColumnSum<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let n = self.out.len();
        for (block, out) in self.out.chunks_mut(S::LANES).enumerate() {
            let column = block * S::LANES;
            let mut sum = s.splat(0.0);
            for row in self.z.chunks_exact(n) {
                sum = s.add(sum, s.read(&row[column..][..out.len()]));
            }
            let alpha = s.splat(self.alpha);
            let total = if self.beta == 0.0 {
                s.mul(alpha, sum)
            } else {
                s.mul_add(alpha, sum, s.mul(s.splat(self.beta), s.read(out)))
            };
            s.write(total, out);
        }
    }
}
