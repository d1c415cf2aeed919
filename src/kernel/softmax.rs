//! Softmax and cross entropy of a batch. Sums over a row are taken in order, so that the portable backends give the same bits
//! on every machine.

use super::math::exp;
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
