//! The losses of value targets: sigmoid cross entropy, squared error, Huber; each element by itself, then a sum over a row in
//! order.

use super::math::{abs, ln_1p, sigmoid};
use crate::loss::Loss;
use crate::naive;
use crate::simd::{Backend, Kernel, Kind, Simd};
use crate::targets::Targets;

/// What [`naive::value_loss`] computes: the logits `z(b,o)` become the gradient of the summed loss with respect to them, and
/// `losses(b)` receives each row's loss. Row weights are left to the caller. Returns the number of correct rows, of
/// [`Loss::SigmoidCrossEntropy`] only: those all of whose logits lie on the target's side of 0.
///
/// # Panics
/// If the lengths disagree. The loss must be another than softmax cross entropy.
pub fn value_loss(
    backend: Backend,
    loss: Loss,
    z: &mut [f32],
    targets: Targets<'_>,
    losses: &mut [f32],
) -> u32 {
    if losses.is_empty() {
        return 0;
    }
    assert_eq!(z.len() % losses.len(), 0, "value_loss: z is no whole number of rows");
    assert_eq!(targets.rows(z.len() / losses.len()), losses.len(), "value_loss: one loss for each target");
    match backend.kind() {
        Kind::Naive => naive::value_loss(loss, z, targets, losses),
        _ => backend.run(ValueLoss { loss, z, targets, losses }),
    }
}

struct ValueLoss<'a> {
    loss: Loss,
    z: &'a mut [f32],
    targets: Targets<'a>,
    losses: &'a mut [f32],
}

/// Floats of targets and of losses at once, a multiple of every vector's lanes.
const BLOCK: usize = 64;

impl Kernel for ValueLoss<'_> {
    type Out = u32;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> u32 {
        let o = self.z.len() / self.losses.len();
        let mut correct = 0;
        for (r, (row, loss)) in self.z.chunks_exact_mut(o).zip(self.losses).enumerate() {
            let (mut sum, mut right) = (0.0, self.loss == Loss::SigmoidCrossEntropy);
            for (block, z) in row.chunks_mut(BLOCK).enumerate() {
                let (mut targets, mut terms) = ([0.0; BLOCK], [0.0; BLOCK]);
                for (c, t) in targets[..z.len()].iter_mut().enumerate() {
                    *t = self.targets.value(r, block * BLOCK + c, o);
                }
                right &= !right || z.iter().zip(&targets).all(|(&z, &t)| (z > 0.0) == (t > 0.5));
                let terms = &mut terms[..z.len()];
                for ((z, t), term) in
                    z.chunks_mut(S::LANES).zip(targets.chunks(S::LANES)).zip(terms.chunks_mut(S::LANES))
                {
                    let (gradient, loss) = element(s, self.loss, s.read(z), s.read(t));
                    s.write(gradient, z);
                    s.write(loss, term);
                }
                terms.iter().for_each(|term| sum += term);
            }
            *loss = sum;
            correct += u32::from(right);
        }
        correct
    }
}

/// The gradient and the loss of one output.
#[inline(always)]
fn element<S: Simd>(s: S, loss: Loss, z: S::V, t: S::V) -> (S::V, S::V) {
    let (one, half) = (s.splat(1.0), s.splat(0.5));
    match loss {
        Loss::SigmoidCrossEntropy => {
            let (p, e) = sigmoid(s, z);
            let linear = s.sub(s.max(s.splat(0.0), z), s.mul(z, t));
            (s.sub(p, t), s.add(linear, ln_1p(s, e)))
        }
        Loss::Huber => {
            // ½ c² + c (|d| - c), with c = min(|d|, 1): the square where |d| is below 1, the line beyond.
            let d = s.sub(z, t);
            let distance = abs(s, d);
            let c = s.min(one, distance);
            let far = s.sub(distance, c);
            let gradient = s.max(s.splat(-1.0), s.min(one, d));
            (gradient, s.mul(c, s.add(s.mul(half, c), far)))
        }
        Loss::SquaredError | Loss::SoftmaxCrossEntropy => {
            let d = s.sub(z, t);
            (d, s.mul(s.mul(half, d), d))
        }
    }
}
