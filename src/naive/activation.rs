//! The activations and their derivatives.

use super::Real;
use crate::activation::{Activation, LEAKY_RELU_SLOPE};

/// Each sum becomes its activation; NaN stays NaN.
pub fn activate<T: Real>(activation: Activation, z: &mut [T]) {
    let six = T::from_count(6);
    for z in z {
        *z = match activation {
            Activation::Identity => *z,
            Activation::Relu => below(T::ZERO, *z, T::ZERO),
            Activation::LeakyRelu => below(T::ZERO, *z, T::from_f32(LEAKY_RELU_SLOPE) * *z),
            Activation::Relu6 => clamp(*z, six),
            Activation::Sigmoid => sigmoid(*z),
            Activation::Tanh => z.tanh(),
            Activation::HardSwish => *z * clamp(*z + T::from_count(3), six) / six,
        };
    }
}

/// The derivative of an activation at the sum `z`. At a kink it is that of the side on which the function is flatter, except
/// that hard swish is linear from 3 on.
pub fn derivative<T: Real>(activation: Activation, z: T) -> T {
    let (three, six) = (T::from_count(3), T::from_count(6));
    let inside = |low: T, high: T| z > low && z < high;
    match activation {
        Activation::Identity => T::ONE,
        Activation::Relu if z > T::ZERO => T::ONE,
        Activation::Relu => T::ZERO,
        Activation::LeakyRelu if z > T::ZERO => T::ONE,
        Activation::LeakyRelu => T::from_f32(LEAKY_RELU_SLOPE),
        Activation::Relu6 if inside(T::ZERO, six) => T::ONE,
        Activation::Relu6 => T::ZERO,
        Activation::Sigmoid => sigmoid(z) * (T::ONE - sigmoid(z)),
        Activation::Tanh => T::ONE - z.tanh() * z.tanh(),
        Activation::HardSwish if inside(-three, three) => (z + z + three) / six,
        Activation::HardSwish if z > T::ZERO => T::ONE,
        Activation::HardSwish => T::ZERO,
    }
}

/// `1 / (1 + exp(-z))`, by the exponential that does not overflow.
pub(super) fn sigmoid<T: Real>(z: T) -> T {
    if z > T::ZERO { T::ONE / (T::ONE + (-z).exp()) } else { z.exp() / (T::ONE + z.exp()) }
}

/// `low` where `z` is below `bound`, else `z`.
fn below<T: Real>(bound: T, z: T, low: T) -> T {
    if z < bound { low } else { z }
}

/// `z` between 0 and `high`.
fn clamp<T: Real>(z: T, high: T) -> T {
    if z > high { high } else { below(T::ZERO, z, T::ZERO) }
}
