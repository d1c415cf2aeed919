//! The backward pass through a layer and the ReLU before it: `dX = dZ Wᵀ` where the activation is positive, else 0. Where
//! another activation stands before the layer there is no mask; its derivative is a kernel of its own.
//!
//! ```text
//! many rows    a product with W transposed while it is packed, and the ReLU mask as its epilogue
//! few rows     dXᵀ = W dZᵀ, a block of rows at a time; then transposed and masked
//! ```
//!
//! Transposing all of `W` while it is packed is a lot of work for a few rows of `dZ`. As the left operand `W` is read in place
//! from end to end, once, and what is transposed is `dZ` and `dX`. Every element is the same sum in the same order, so its
//! bits are those of the product.

use super::epilogue::Epilogue;
use super::gemm_args::Gemm;
use super::gemm_bf16::{GemmBf16, MIN_INPUT_GRADIENT_K};
#[cfg(feature = "std")]
use super::sgemm;
use crate::mat::{Mat, MatMut};
use crate::naive;
use crate::simd::{Backend, Kernel, Kind, Precision, Simd, prefetch};

/// The largest number of rows, and the smallest K, of which the transposed product is faster; by measurement.
const MAX_ROWS: usize = 64;
const MIN_K: usize = 256;
/// Floats of `dXᵀ` at once: 64 KB on the stack.
const BUFFER_FLOATS: usize = 16_384;

/// The input gradient of a layer, through the ReLU before it: `dX(b,i) = dZ(b,o) * W(i,o)ᵀ` where `a(b,i)` is positive,
/// else 0.
///
/// # Panics
/// If the shapes disagree, or the columns of a matrix are not adjacent.
pub fn input_gradient(backend: Backend, dz: Mat<'_>, w: Mat<'_>, a: Mat<'_>, dx: MatMut<'_>) {
    assert!(a.rows() == dx.rows() && a.cols() == dx.cols(), "input_gradient: shapes disagree");
    run(backend, dz, w, Some(a), dx);
}

/// The input gradient of a layer alone: `dX(b,i) = dZ(b,o) * W(i,o)ᵀ`.
///
/// # Panics
/// As [`input_gradient`].
pub fn input_gradient_linear(backend: Backend, dz: Mat<'_>, w: Mat<'_>, dx: MatMut<'_>) {
    run(backend, dz, w, None, dx);
}

fn run(backend: Backend, dz: Mat<'_>, w: Mat<'_>, mask: Option<Mat<'_>>, mut dx: MatMut<'_>) {
    match backend.kind() {
        _ if backend.precision() == Precision::Bf16 && w.cols() >= MIN_INPUT_GRADIENT_K => {
            backend.run_bf16(GemmBf16(Gemm { a: dz, b: w.t(), c: dx, epilogue: epilogue(mask) }));
        }
        Kind::Naive => {
            let (b, i, o) = (dz.rows(), w.rows(), w.cols());
            assert!(dz.cols() == o && dx.rows() == b && dx.cols() == i, "input_gradient: shapes disagree");
            for r in 0..b {
                for c in 0..i {
                    let (dz, w, dx) = (dz.row(r), w.row(c), &mut dx.row_mut(r)[c..=c]);
                    match mask {
                        Some(a) => naive::input_gradient(o, dz, w, &a.row(r)[c..=c], dx),
                        None => naive::input_gradient_linear(o, dz, w, dx),
                    }
                }
            }
        }
        #[cfg(feature = "std")]
        Kind::Matrixmultiply => {
            sgemm::sgemm(1.0, dz, w.t(), 0.0, dx.reborrow());
            let Some(a) = mask else { return };
            for r in 0..dx.rows() {
                for (d, &a) in dx.row_mut(r).iter_mut().zip(a.row(r)) {
                    *d = if a > 0.0 { *d } else { 0.0 };
                }
            }
        }
        _ => backend.run(InputGradient { dz, w, mask, dx }),
    }
}

/// The epilogue of the product.
fn epilogue(mask: Option<Mat<'_>>) -> Epilogue<'_> {
    match mask {
        Some(activations) => Epilogue::ReluMask { activations },
        None => Epilogue::Scale { alpha: 1.0, beta: 0.0 },
    }
}

/// `dX = dZ Wᵀ`, where there is a mask 0 wherever that is not positive.
struct InputGradient<'a> {
    dz: Mat<'a>,
    w: Mat<'a>,
    mask: Option<Mat<'a>>,
    dx: MatMut<'a>,
}

impl Kernel for InputGradient<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { dz, w, mask, dx: c } = self;
        let (b, min_rows) = (dz.rows(), S::TILE_VECTORS * S::LANES);
        // Reproducible backends skip the steps whose left operand is zero, which has to be dZ.
        if S::REPRODUCIBLE || !(min_rows..=MAX_ROWS).contains(&b) || b % S::LANES != 0 || dz.cols() < MIN_K {
            Gemm { a: dz, b: w.t(), c, epilogue: epilogue(mask) }.run(s);
        } else {
            Self { dz, w, mask, dx: c }.transposed_product(s);
        }
    }
}

impl InputGradient<'_> {
    #[inline(always)]
    fn transposed_product<S: Simd>(mut self, s: S) {
        const {
            assert!(BUFFER_FLOATS / MAX_ROWS >= S::LANES, "the buffer holds a vector of every row");
            assert!(S::LANES == 1 || S::LANES % 4 == 0, "rows are transposed four at a time");
        };
        let (b, i) = (self.dz.rows(), self.w.rows());
        assert!(self.dx.rows() == b && self.dx.cols() == i);
        let mut buffer = [0.0; BUFFER_FLOATS];
        let block = BUFFER_FLOATS / b / S::LANES * S::LANES;
        for first in (0..i).step_by(block) {
            let count = block.min(i - first);
            let w = Mat::with_strides(
                &self.w.data()[first * self.w.row_stride()..],
                count,
                self.w.cols(),
                self.w.row_stride(),
                1,
            );
            let c = MatMut::new(&mut buffer[..count * b], count, b);
            Gemm { a: w, b: self.dz.t(), c, epilogue: Epilogue::Scale { alpha: 1.0, beta: 0.0 } }.run(s);
            match self.mask {
                // Two calls, so that neither loop asks which it is.
                Some(mask) => self.transpose_and_mask(s, &buffer[..count * b], first, Some(mask)),
                None => self.transpose_and_mask(s, &buffer[..count * b], first, None),
            }
        }
    }

    /// Columns `first..` of `dX` from rows of its transpose.
    #[inline(always)]
    fn transpose_and_mask<S: Simd>(&mut self, s: S, buffer: &[f32], first: usize, mask: Option<Mat<'_>>) {
        let b = self.dz.rows();
        let count = buffer.len() / b;
        let whole = count - count % S::LANES;
        for c in (0..whole).step_by(S::LANES) {
            for r in (0..b).step_by(4) {
                for (l, row) in s.read_columns(&buffer[c * b + r..], b).into_iter().enumerate() {
                    let to = &mut self.dx.row_mut(r + l)[first + c..][..S::LANES];
                    if let Some(mask) = &mask {
                        let mask = &mask.row(r + l)[first + c..][..S::LANES];
                        s.write(s.where_positive(s.read(mask), row), to);
                        prefetch(mask.as_ptr().wrapping_add(4 * S::LANES));
                    } else {
                        s.write(row, to);
                    }
                    prefetch(to.as_ptr().wrapping_add(4 * S::LANES));
                }
            }
        }
        for c in whole..count {
            for r in 0..b {
                let kept = mask.is_none_or(|mask| mask.at(r, first + c) > 0.0);
                self.dx.row_mut(r)[first + c] = if kept { buffer[c * b + r] } else { 0.0 };
            }
        }
    }
}
