//! The specification of integer inference: what every kernel for quantized layers computes, to the bit.
//!
//! Activations are 0..=127, weights −127..=127. Nothing is negative after a ReLU, so there are no zero points; the clamp
//! of [`requantize`] is the ReLU.

/// What a hidden layer passes on: `(acc * r + 2^23) >> 24`, rounded once, half up, and clamped to 0..=127.
///
/// `|acc| < 2^23` and `r < 2^16`, so that the product needs 40 bits. Cores without a long multiplication get the same
/// from two of 32 bits: `((acc >> 12) * r + ((acc & 0xfff) * r >> 12) + 2^11) >> 12`.
pub const fn requantize(acc: i32, r: u16) -> u8 {
    let y = (acc as i64 * r as i64 + (1 << 23)) >> 24;
    if y < 0 {
        0
    } else if y > 127 {
        127
    } else {
        y as u8
    }
}

/// The accumulators of a layer: `acc(o) = bias(o) + Σ_i weights(o,i) * x(i)`, with the weights row-major, one output a
/// row.
pub fn accumulate(x: &[u8], weights: &[i8], biases: &[i32], acc: &mut [i32]) {
    for (o, (acc, &bias)) in acc.iter_mut().zip(biases).enumerate() {
        let row = &weights[o * x.len()..][..x.len()];
        *acc = bias + row.iter().zip(x).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum::<i32>();
    }
}

/// A hidden layer: the [`accumulate`]d sums, each [`requantize`]d with its row's multiplier.
pub fn hidden(x: &[u8], weights: &[i8], biases: &[i32], multipliers: &[u16], acc: &mut [i32], y: &mut [u8]) {
    accumulate(x, weights, biases, acc);
    for ((y, &acc), &r) in y.iter_mut().zip(&*acc).zip(multipliers) {
        *y = requantize(acc, r);
    }
}
