//! The chain rule through a whole network.

use super::{
    Operand, Real, activate, bias_relu, column_sum, derivative, gemm, input_gradient_linear, logit_gradient,
};
use crate::loss::Loss;
use crate::shape::Shape;
use crate::targets::Targets;

/// Scratch of [`gradient`], in elements: the sums, the activations and the gradients of the sums of every layer.
pub const fn gradient_scratch(shape: Shape, b: usize) -> usize {
    3 * b * (shape.hidden_sum() + shape.outputs())
}

/// The mean loss of a batch `x(b,i)` and its gradient with respect to every parameter, by the chain rule.
///
/// `grad` has the layout of `params`; `scratch` holds at least [`gradient_scratch`] elements.
pub fn gradient<'a, T: Real>(
    shape: Shape,
    loss: Loss,
    params: &[T],
    x: &[T],
    targets: impl Into<Targets<'a>>,
    grad: &mut [T],
    scratch: &mut [T],
) -> T {
    let targets = targets.into();
    let b = targets.rows(shape.outputs());
    let layers = shape.layers();
    let third = gradient_scratch(shape, b) / 3;
    let (sums, rest) = scratch.split_at_mut(third);
    let (acts, deltas) = rest.split_at_mut(third);
    let offset = |l: usize| (0..l).map(|j| (shape.width(j) + 1) * shape.width(j + 1)).sum::<usize>();
    let act = |l: usize| (1..l).map(|j| b * shape.width(j)).sum::<usize>();

    for l in 0..layers {
        let (i, o) = (shape.width(l), shape.width(l + 1));
        let (w, bias) = params[offset(l)..][..(i + 1) * o].split_at(i * o);
        let (before, a) = acts.split_at_mut(act(l + 1));
        let (input, a) = (if l == 0 { x } else { &before[act(l)..] }, &mut a[..b * o]);
        let z = &mut sums[act(l + 1)..][..b * o];
        gemm((b, i, o), T::ONE, Operand::dense(input, i), w, o, T::ZERO, z, o);
        bias_relu(z, bias, false);
        a.copy_from_slice(z);
        activate(shape.activation(l), a);
    }

    let o = shape.outputs();
    let dz = &mut deltas[act(layers)..][..b * o];
    dz.copy_from_slice(&acts[act(layers)..][..b * o]);
    let mut total = T::ZERO;
    let mut row_loss = [T::ZERO];
    let mut rest = targets;
    for row in dz.chunks_exact_mut(o) {
        let target;
        (target, rest) = rest.split_at(1, o);
        logit_gradient(loss, row, target, &mut row_loss);
        total += row_loss[0];
    }

    let scale = T::ONE / T::from_count(b);
    for l in (0..layers).rev() {
        let (i, o) = (shape.width(l), shape.width(l + 1));
        let (before, dz) = deltas.split_at_mut(act(l + 1));
        let dz = &dz[..b * o];
        let input = if l == 0 { x } else { &acts[act(l)..][..b * i] };
        let (dw, db) = grad[offset(l)..][..(i + 1) * o].split_at_mut(i * o);
        gemm((i, b, o), scale, Operand::dense(input, i).t(), dz, o, T::ZERO, dw, o);
        column_sum(dz, scale, T::ZERO, db);
        if l > 0 {
            let dx = &mut before[act(l)..][..b * i];
            input_gradient_linear(o, dz, &params[offset(l)..][..i * o], dx);
            for (d, &z) in dx.iter_mut().zip(&sums[act(l)..]) {
                *d = *d * derivative(shape.activation(l - 1), z);
            }
        }
    }
    total * scale
}
