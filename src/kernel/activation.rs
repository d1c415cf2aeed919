//! Activations that are no part of a product's epilogue, and their derivatives: element by element.
//!
//! The derivative is taken from what the forward pass left behind: the outputs `a`, or of hard swish, whose outputs do not
//! tell its sums, the sums `z`. With dropout a kept unit's output is `scale` times the activation, which is undone first.

use super::math::{select, sigmoid, tanh};
use crate::activation::{Activation, LEAKY_RELU_SLOPE};
use crate::naive;
use crate::simd::{Backend, Kernel, Kind, Simd};

/// What [`naive::activate`] computes: each sum of `z` becomes the activation of it.
pub fn activate(backend: Backend, activation: Activation, z: &mut [f32]) {
    match backend.kind() {
        Kind::Naive => naive::activate(activation, z),
        _ => backend.run(Activate { activation, z }),
    }
}

/// Multiplies `dx`, a gradient of activations, by the derivative at each of them, which makes it the gradient of the sums.
///
/// `saved` holds the outputs of the layer, or for [`Activation::HardSwish`] its sums. The outputs were multiplied by `scale`
/// after the activation; sums never are.
///
/// # Panics
/// If the lengths disagree.
pub fn activation_gradient(
    backend: Backend,
    activation: Activation,
    saved: &[f32],
    scale: f32,
    dx: &mut [f32],
) {
    assert_eq!(saved.len(), dx.len(), "activation_gradient: lengths disagree");
    backend.run(ActivationGradient { activation, saved, scale, dx });
}

struct Activate<'a> {
    activation: Activation,
    z: &'a mut [f32],
}

/// `out = f(out)`, a vector at a time.
#[inline(always)]
fn each<S: Simd>(s: S, out: &mut [f32], f: impl Fn(S::V) -> S::V) {
    for block in out.chunks_mut(S::LANES) {
        s.write(f(s.read(block)), block);
    }
}

/// `dx = f(saved, dx)`, a vector at a time.
#[inline(always)]
fn each_with<S: Simd>(s: S, saved: &[f32], dx: &mut [f32], f: impl Fn(S::V, S::V) -> S::V) {
    for (block, saved) in dx.chunks_mut(S::LANES).zip(saved.chunks(S::LANES)) {
        s.write(f(s.read(saved), s.read(block)), block);
    }
}

impl Kernel for Activate<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (zero, six) = (s.splat(0.0), s.splat(6.0));
        match self.activation {
            Activation::Identity => {}
            Activation::Relu => each(s, self.z, |z| s.max(zero, z)),
            // The slope is below 1, so that the larger of the two is the right one.
            Activation::LeakyRelu => {
                let slope = s.splat(LEAKY_RELU_SLOPE);
                each(s, self.z, |z| s.max(s.mul(slope, z), z));
            }
            Activation::Relu6 => each(s, self.z, |z| s.min(six, s.max(zero, z))),
            Activation::Tanh => each(s, self.z, |z| tanh(s, z)),
            Activation::Sigmoid => each(s, self.z, |z| sigmoid(s, z).0),
            Activation::HardSwish => {
                let (three, sixth) = (s.splat(3.0), s.splat(1.0 / 6.0));
                each(s, self.z, |z| s.mul(z, s.mul(s.max(zero, s.min(six, s.add(z, three))), sixth)));
            }
        }
    }
}

struct ActivationGradient<'a> {
    activation: Activation,
    saved: &'a [f32],
    scale: f32,
    dx: &'a mut [f32],
}

impl Kernel for ActivationGradient<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { activation, saved, scale, dx } = self;
        let (one, unscale) = (s.splat(1.0), s.splat(1.0 / scale));
        match activation {
            Activation::Identity => {}
            Activation::Relu => each_with(s, saved, dx, |a, dx| s.where_positive(a, dx)),
            Activation::LeakyRelu => {
                let slope = s.splat(LEAKY_RELU_SLOPE);
                each_with(s, saved, dx, |a, dx| select(s, a, dx, s.mul(slope, dx)));
            }
            Activation::Relu6 => {
                // The same product as dropout's, or rounding would move a clipped unit below the bound.
                let bound = s.splat(6.0 * scale);
                each_with(s, saved, dx, |a, dx| s.where_positive(a, s.where_positive(s.sub(bound, a), dx)));
            }
            Activation::Tanh => each_with(s, saved, dx, |a, dx| {
                let a = s.mul(a, unscale);
                s.mul(dx, s.sub(one, s.mul(a, a)))
            }),
            Activation::Sigmoid => each_with(s, saved, dx, |a, dx| {
                let a = s.mul(a, unscale);
                s.mul(dx, s.mul(a, s.sub(one, a)))
            }),
            Activation::HardSwish => {
                let (three, third, half) = (s.splat(3.0), s.splat(1.0 / 3.0), s.splat(0.5));
                each_with(s, saved, dx, |z, dx| {
                    let inside = s.where_positive(s.add(z, three), s.mul_add(z, third, half));
                    s.mul(dx, select(s, s.sub(three, z), inside, one))
                });
            }
        }
    }
}
