//! The losses: what a row of logits costs, and the gradient of that cost.

use super::Real;
use super::activation::sigmoid;
use crate::loss::Loss;
use crate::targets::{Kind, Targets};

/// The loss of each row and the gradient of the summed loss, row weights included: the logits `z(b,o)` become `dz`,
/// `losses(b)` receives the loss of each row. Returns the number of correct rows.
pub fn logit_gradient<T: Real>(loss: Loss, z: &mut [T], targets: Targets<'_>, losses: &mut [T]) -> u32 {
    let o = z.len() / losses.len();
    let correct = match targets.kind() {
        Kind::Labels(labels) if loss == Loss::SoftmaxCrossEntropy => softmax_loss(z, labels, losses),
        _ => value_loss(loss, z, targets, losses),
    };
    for (r, (row, loss)) in z.chunks_exact_mut(o).zip(losses).enumerate() {
        let weight = T::from_f32(targets.weight(r));
        *loss = weight * *loss;
        for dz in row {
            *dz = weight * *dz;
        }
    }
    correct
}

/// A loss that compares each logit with a value, in place: the logits `z(b,o)` become the gradient of the summed loss, without
/// row weights; `losses(b)` receives the loss of each row. Returns the number of correct rows: for sigmoid cross entropy those
/// with all of their logits on the target's side of 0, where the sigmoid is ½; for the others 0.
pub fn value_loss<T: Real>(loss: Loss, z: &mut [T], targets: Targets<'_>, losses: &mut [T]) -> u32 {
    let o = z.len() / losses.len();
    let mut correct = 0;
    for (r, (row, row_loss)) in z.chunks_exact_mut(o).zip(losses).enumerate() {
        *row_loss = T::ZERO;
        let mut right = loss == Loss::SigmoidCrossEntropy;
        for (c, z) in row.iter_mut().enumerate() {
            let target = targets.value(r, c, o);
            right &= (*z > T::ZERO) == (target > 0.5);
            let (cost, gradient) = element(loss, *z, T::from_f32(target));
            *row_loss += cost;
            *z = gradient;
        }
        correct += u32::from(right);
    }
    correct
}

/// The loss of one logit `z` with the target `t`, and its derivative.
fn element<T: Real>(loss: Loss, z: T, t: T) -> (T, T) {
    let half = T::ONE / T::from_count(2);
    let d = z - t;
    match loss {
        Loss::SigmoidCrossEntropy => {
            // -t ln(sigmoid(z)) - (1 - t) ln(1 - sigmoid(z)), written so that nothing overflows or cancels.
            let (positive, magnitude) = if z > T::ZERO { (z, z) } else { (T::ZERO, -z) };
            (positive - z * t + (-magnitude).exp().ln_1p(), sigmoid(z) - t)
        }
        Loss::Huber if d > T::ONE => (d - half, T::ONE),
        Loss::Huber if d < -T::ONE => (-d - half, -T::ONE),
        Loss::Huber | Loss::SquaredError | Loss::SoftmaxCrossEntropy => (half * d * d, d),
    }
}

/// Softmax and cross entropy of a batch, in place: the logits `z(b,o)` become `dz = softmax(z) - onehot(label)`, the
/// gradient of the summed loss; `losses(b)` receives the loss of each row. Returns how many rows have their largest
/// logit (the first of equals) at the label.
///
/// The largest logit is subtracted before the exponential, so that no finite logit overflows; a NaN logit makes the
/// loss NaN.
pub fn softmax_loss<T: Real>(z: &mut [T], labels: &[u8], losses: &mut [T]) -> u32 {
    let mut correct = 0;
    let o = z.len() / labels.len();
    for ((row, &label), loss) in z.chunks_exact_mut(o).zip(labels).zip(losses) {
        let best = argmax(row);
        correct += u32::from(best == usize::from(label));
        let (max, target) = (row[best], row[usize::from(label)]);
        let mut sum = T::ZERO;
        for x in row.iter_mut() {
            *x = (*x - max).exp();
            sum += *x;
        }
        *loss = sum.ln() - (target - max);
        for x in row.iter_mut() {
            *x = *x / sum;
        }
        row[usize::from(label)] = row[usize::from(label)] - T::ONE;
    }
    correct
}

/// The position of the largest value, the first of equals; a NaN is never larger.
pub fn argmax<T: PartialOrd + Copy>(row: &[T]) -> usize {
    let mut best = 0;
    for (c, &x) in row.iter().enumerate() {
        if x > row[best] {
            best = c;
        }
    }
    best
}
