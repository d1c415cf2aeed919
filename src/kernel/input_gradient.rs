//! The gradient of few rows, carried through a layer: `dXᵀ = W dZᵀ`, and then turned.
//!
//! `dX = dZ Wᵀ` turns all of `W` while it is packed, which is a lot for a few rows of `dZ`. The other way round `W` is the
//! left factor, read in place from end to end, once, and what is turned is `dZ` and `dX`. Every element is the same sum in
//! the same order, so its bits are those of the product.

use super::gemm::Gemm;
use super::tile::Epilogue;
use crate::mat::{Mat, MatMut};
use crate::simd::{Kernel, Simd, prefetch};

/// Rows up to which it pays, and terms of a sum from which it does; by measurement.
const ROWS: usize = 64;
const TERMS: usize = 256;
/// Floats of `dXᵀ` at once: 64 KB on the stack.
const FLOATS: usize = 16_384;

/// `dX = dZ Wᵀ` where `activations` is positive, else 0.
pub(super) struct InputGradient<'a> {
    pub dz: Mat<'a>,
    pub w: Mat<'a>,
    pub activations: Mat<'a>,
    pub dx: MatMut<'a>,
}

impl Kernel for InputGradient<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { dz, w, activations, dx: c } = self;
        let (b, least) = (dz.rows(), S::TILE_VECTORS * S::LANES);
        // Exact backends leave out the terms whose left factor is zero, which dZ is.
        if S::REPRODUCIBLE || !(least..=ROWS).contains(&b) || b % S::LANES != 0 || dz.cols() < TERMS {
            Gemm { a: dz, b: w.t(), c, end: Epilogue::ReluMask { activations } }.run(s);
        } else {
            Self { dz, w, activations, dx: c }.turned(s);
        }
    }
}

impl InputGradient<'_> {
    #[inline(always)]
    fn turned<S: Simd>(mut self, s: S) {
        let (b, i) = (self.dz.rows(), self.w.rows());
        assert!(
            self.dx.rows() == b
                && self.dx.cols() == i
                && self.activations.rows() == b
                && self.activations.cols() == i
        );
        let mut room = [0.0; FLOATS];
        let most = FLOATS / b / S::LANES * S::LANES;
        for first in (0..i).step_by(most) {
            let count = most.min(i - first);
            let w = Mat::with_strides(
                &self.w.data()[first * self.w.row_stride()..],
                count,
                self.w.cols(),
                self.w.row_stride(),
                1,
            );
            let c = MatMut::new(&mut room[..count * b], count, b);
            Gemm { a: w, b: self.dz.t(), c, end: Epilogue::Scale { alpha: 1.0, beta: 0.0 } }.run(s);
            self.turn(s, &room[..count * b], first);
        }
    }

    /// Columns `first..` of `dX` from rows of its transpose.
    #[inline(always)]
    fn turn<S: Simd>(&mut self, s: S, room: &[f32], first: usize) {
        let b = self.dz.rows();
        let count = room.len() / b;
        let whole = count - count % S::LANES;
        for c in (0..whole).step_by(S::LANES) {
            for r in (0..b).step_by(4) {
                for (l, row) in s.read_columns(&room[c * b + r..], b).into_iter().enumerate() {
                    let mask = &self.activations.row(r + l)[first + c..][..S::LANES];
                    let to = &mut self.dx.row_mut(r + l)[first + c..][..S::LANES];
                    s.write(s.where_positive(s.read(mask), row), to);
                    prefetch(mask.as_ptr().wrapping_add(4 * S::LANES));
                    prefetch(to.as_ptr().wrapping_add(4 * S::LANES));
                }
            }
        }
        for c in whole..count {
            for r in 0..b {
                let positive = self.activations.at(r, first + c) > 0.0;
                self.dx.row_mut(r)[first + c] = if positive { room[c * b + r] } else { 0.0 };
            }
        }
    }
}
