//! The step of each optimizer, for one parameter.

use super::Real;

/// Momentum, after PyTorch's SGD; `velocity` is the state. Weight decay is decoupled.
pub fn momentum<T: Real>(
    (learning_rate, weight_decay, momentum, nesterov): (T, T, T, bool),
    gradient: T,
    velocity: &mut T,
    param: &mut T,
) {
    *velocity = momentum * *velocity + gradient;
    let step = if nesterov { gradient + momentum * *velocity } else { *velocity };
    *param = *param - learning_rate * weight_decay * *param - learning_rate * step;
}

/// AdamW (Loshchilov and Hutter, 2019), the `step`-th, counted from 1; `mean` and `square` are the state.
pub fn adamw<T: Real>(
    (learning_rate, weight_decay, beta1, beta2, epsilon): (T, T, T, T, T),
    step: u32,
    gradient: T,
    (mean, square): (&mut T, &mut T),
    param: &mut T,
) {
    *mean = beta1 * *mean + (T::ONE - beta1) * gradient;
    *square = beta2 * *square + (T::ONE - beta2) * gradient * gradient;
    let power = |beta: T| (0..step).fold(T::ONE, |p, _| p * beta);
    let unbiased = (*mean / (T::ONE - power(beta1)), *square / (T::ONE - power(beta2)));
    *param = *param
        - learning_rate * weight_decay * *param
        - learning_rate * unbiased.0 / (unbiased.1.sqrt() + epsilon);
}
