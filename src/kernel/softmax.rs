//! Softmax and cross entropy of a batch, with a vector exponential.
//!
//! The exponential is the polynomial of Cephes' `expf` (Moshier, 1989) after a reduction by multiples of ln 2, within
//! 2 units in the last place on the range that is used, (−87.3, 0]. It uses nothing but the [`Simd`] operations, so the
//! portable backends give the same bits on every machine; sums over a row are taken in order for the same reason.

use crate::naive;
use crate::simd::{Backend, Kernel, Kind, Simd};

/// What [`naive::softmax_loss`] computes: the logits `z(b,o)` become the gradient of the summed loss with respect to
/// them, `losses(b)` receives each row's loss, and the number of rows whose largest logit is at the label is returned.
///
/// # Panics
/// If the lengths disagree or a label is not below `o`.
pub fn softmax_loss(backend: Backend, z: &mut [f32], labels: &[u8], losses: &mut [f32]) -> u32 {
    assert_eq!(labels.len(), losses.len(), "softmax_loss: one loss for each label");
    if labels.is_empty() {
        return 0;
    }
    assert_eq!(z.len() % labels.len(), 0, "softmax_loss: z is no whole number of rows");
    match backend.kind() {
        Kind::Naive => naive::softmax_loss(z, labels, losses),
        _ => backend.run(SoftmaxLoss { z, labels, losses }),
    }
}

struct SoftmaxLoss<'a> {
    z: &'a mut [f32],
    labels: &'a [u8],
    losses: &'a mut [f32],
}

impl Kernel for SoftmaxLoss<'_> {
    type Out = u32;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> u32 {
        let o = self.z.len() / self.labels.len();
        let mut correct = 0;
        let rows = || self.labels.iter().map(|&label| usize::from(label));
        for ((row, label), loss) in self.z.chunks_exact_mut(o).zip(rows()).zip(self.losses.iter_mut()) {
            let best = naive::argmax(row);
            correct += u32::from(best == label);
            let max = row[best];
            *loss = max - row[label];
            for x in row.iter_mut() {
                *x -= max;
            }
        }
        for block in self.z.chunks_mut(S::LANES) {
            s.write(exp(s, s.read(block)), block);
        }
        for ((row, label), loss) in self.z.chunks_exact_mut(o).zip(rows()).zip(self.losses) {
            let sum: f32 = row.iter().sum();
            *loss += libm::logf(sum);
            let scale = 1.0 / sum;
            for x in row.iter_mut() {
                *x *= scale;
            }
            row[label] -= 1.0;
        }
        correct
    }
}

/// eˣ for `x` in (−87.3, 88.7); smaller values count as −87.3, NaN stays NaN.
#[inline(always)]
fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    /// 1.5 · 2²³: adding and subtracting it rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let x = s.max(s.splat(-87.3), s.min(s.splat(88.7), x));
    let n = s.sub(s.mul_add(x, s.splat(core::f32::consts::LOG2_E), s.splat(ROUND)), s.splat(ROUND));
    // ln 2 in two parts, the first exact in the product with n.
    let r = s.mul_add(n, s.splat(-0.693_359_4), x);
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    let mut p = s.splat(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        p = s.mul_add(p, r, s.splat(c));
    }
    let p = s.mul_add(s.mul(r, r), p, s.add(r, s.splat(1.0)));
    s.mul(p, s.pow2(n))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Kernel, Simd, exp};
    use crate::simd::Backend;

    struct Exp<'a>(&'a mut [f32]);
    impl Kernel for Exp<'_> {
        type Out = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for block in self.0.chunks_mut(S::LANES) {
                s.write(exp(s, s.read(block)), block);
            }
        }
    }

    #[test]
    fn exp_is_within_two_ulps() {
        let xs: std::vec::Vec<f32> = (0..87_300).map(|i| -(i as f32) * 1e-3).collect();
        for backend in Backend::available() {
            let mut ys = xs.clone();
            backend.run(Exp(&mut ys));
            for (x, y) in xs.iter().zip(&ys) {
                let exact = libm::exp(f64::from(*x));
                let ulp = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
                assert!((f64::from(*y) - exact).abs() <= 2.0 * ulp, "{} exp({x}) = {y}", backend.name());
            }
        }
    }

    #[test]
    fn exp_keeps_nan_and_saturates() {
        for backend in Backend::available() {
            let mut ys = [f32::NAN, -1e30, f32::NEG_INFINITY, 0.0];
            backend.run(Exp(&mut ys));
            assert!(ys[0].is_nan(), "{}", backend.name());
            assert!(ys[1] > 0.0 && ys[1] < 2e-38 && ys[2] == ys[1]);
            assert_eq!(ys[3], 1.0);
        }
    }
}
