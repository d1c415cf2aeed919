//! SGD with momentum, and AdamW: one fused pass over gradient, state and parameters.

use crate::error::Error;
use crate::parallel::{Divide, Executor, divide, portion};
use crate::shape::Shape;
use crate::simd::{Backend, Kernel, Simd};

/// An update rule and its coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Optimizer {
    /// SGD as in PyTorch: `v = momentum * v + g`, then `p -= learning_rate * v`, or `learning_rate * (g + momentum * v)`
    /// with Nesterov momentum. Its state is one copy of the parameters; none with a momentum of 0.
    Sgd {
        /// The fraction of the velocity that each step keeps, 0 to below 1.
        momentum: f32,
        /// Whether to use Nesterov momentum.
        nesterov: bool,
    },
    /// AdamW (Loshchilov and Hutter, 2019). Its state is two copies of the parameters: first moments, then second moments.
    AdamW {
        /// The fraction of the first moment that each step keeps.
        beta1: f32,
        /// The fraction of the second moment that each step keeps.
        beta2: f32,
        /// Added to the square root of the second moment.
        epsilon: f32,
    },
}

/// One application of an optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OptimizerStep {
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate.
    pub learning_rate: f32,
    /// Decoupled weight decay: `w -= learning_rate * weight_decay * w`. Biases are excluded.
    pub weight_decay: f32,
    /// The gradient is multiplied by this first; below 1 where it is clipped.
    pub gradient_scale: f32,
    /// The number of the step, from 1. AdamW corrects its moments by it; 0 counts as 1.
    pub step: u32,
}

impl Optimizer {
    /// Plain stochastic gradient descent.
    pub const SGD: Self = Self::Sgd { momentum: 0.0, nesterov: false };
    /// AdamW with the coefficients that most libraries start from.
    pub const ADAMW: Self = Self::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

    /// Floats of state for a network.
    #[must_use]
    pub const fn state_floats(&self, shape: Shape) -> usize {
        match self {
            Self::Sgd { momentum: 0.0, .. } => 0,
            Self::Sgd { .. } => shape.params(),
            Self::AdamW { .. } => shape.params().saturating_mul(2),
        }
    }
}

impl OptimizerStep {
    /// Step `step`, from 1, without weight decay, of a gradient that is not scaled.
    #[must_use]
    pub const fn new(optimizer: Optimizer, learning_rate: f32, step: u32) -> Self {
        Self { optimizer, learning_rate, weight_decay: 0.0, gradient_scale: 1.0, step }
    }

    /// With decoupled weight decay.
    #[must_use]
    pub const fn with_weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }

    /// With a gradient that is multiplied by `gradient_scale` first.
    #[must_use]
    pub const fn with_gradient_scale(self, gradient_scale: f32) -> Self {
        Self { gradient_scale, ..self }
    }

    /// Updates `params` and `state` with `gradient`.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice does not fit the shape.
    pub fn apply(
        &self,
        backend: Backend,
        executor: &impl Executor,
        shape: Shape,
        gradient: &[f32],
        state: &mut [f32],
        params: &mut [f32],
    ) -> Result<(), Error> {
        let n = shape.params();
        for (what, expected, actual) in [
            ("params", n, params.len()),
            ("gradient", n, gradient.len()),
            ("state", self.optimizer.state_floats(shape), state.len()),
        ] {
            if expected != actual {
                return Err(Error::Length { what, expected, actual });
            }
        }
        let middle = state.len().min(n);
        let (first, second) = state.split_at_mut(middle);
        let mut rest = Part { params, gradient, first, second };
        for l in 0..shape.layers() {
            let (i, o) = (shape.width(l), shape.width(l + 1));
            for (count, weight_decay) in [(i * o, self.weight_decay), (o, 0.0)] {
                let (part, after) = rest.cut(count);
                rest = after;
                let factors = Factors::new(self, weight_decay);
                divide(executor, part, &|part| {
                    backend.run(Pass { part, optimizer: self.optimizer, factors });
                    0
                });
            }
        }
        Ok(())
    }
}

/// A range of parameters with its gradient and state; state that an optimizer does not have is empty.
struct Part<'a> {
    params: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Part<'_> {
    fn cut(self, count: usize) -> (Self, Self) {
        let (params, params2) = self.params.split_at_mut(count);
        let (gradient, gradient2) = self.gradient.split_at(count);
        let (first, first2) = self.first.split_at_mut(count.min(self.first.len()));
        let (second, second2) = self.second.split_at_mut(count.min(self.second.len()));
        (
            Self { params, gradient, first, second },
            Self { params: params2, gradient: gradient2, first: first2, second: second2 },
        )
    }
}

impl Divide for Part<'_> {
    fn rows(&self) -> usize {
        self.params.len()
    }
    fn divide(self, part: usize, of: usize) -> (Self, Self) {
        let count = portion(self.params.len(), part, of);
        self.cut(count)
    }
}

/// The factors that all parameters of a step share.
#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    /// The fraction of a weight that weight decay leaves.
    keep: f32,
    /// The learning rate, divided by AdamW's correction of the first moment.
    learning_rate: f32,
    /// One over the square root of AdamW's correction of the second moment.
    root: f32,
}

impl Factors {
    fn new(step: &OptimizerStep, weight_decay: f32) -> Self {
        let (first, second) = match step.optimizer {
            Optimizer::Sgd { .. } => (1.0, 1.0),
            Optimizer::AdamW { beta1, beta2, .. } => {
                let bias_correction =
                    |beta: f32| 1.0 - libm::pow(f64::from(beta), f64::from(step.step.max(1)));
                (bias_correction(beta1), bias_correction(beta2))
            }
        };
        Self {
            scale: step.gradient_scale,
            keep: 1.0 - step.learning_rate * weight_decay,
            learning_rate: (f64::from(step.learning_rate) / first) as f32,
            root: (1.0 / libm::sqrt(second)) as f32,
        }
    }
}

struct Pass<'a> {
    part: Part<'a>,
    optimizer: Optimizer,
    factors: Factors,
}

impl Kernel for Pass<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { part: Part { params, gradient, first, second }, optimizer, factors } = self;
        let [scale, keep, descent, root] =
            [factors.scale, factors.keep, -factors.learning_rate, factors.root].map(|x| s.splat(x));
        let blocks = params.chunks_mut(S::LANES).zip(gradient.chunks(S::LANES));
        match optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => {
                for (p, g) in blocks {
                    let step = s.mul(scale, s.read(g));
                    s.write(s.mul_add(descent, step, s.mul(keep, s.read(p))), p);
                }
            }
            Optimizer::Sgd { momentum, nesterov } => {
                let momentum = s.splat(momentum);
                for ((p, g), v) in blocks.zip(first.chunks_mut(S::LANES)) {
                    let g = s.mul(scale, s.read(g));
                    let velocity = s.mul_add(momentum, s.read(v), g);
                    s.write(velocity, v);
                    let step = if nesterov { s.mul_add(momentum, velocity, g) } else { velocity };
                    s.write(s.mul_add(descent, step, s.mul(keep, s.read(p))), p);
                }
            }
            Optimizer::AdamW { beta1, beta2, epsilon } => {
                let [b1, c1, b2, c2, epsilon] =
                    [beta1, 1.0 - beta1, beta2, 1.0 - beta2, epsilon].map(|x| s.splat(x));
                for (((p, g), m), v) in
                    blocks.zip(first.chunks_mut(S::LANES)).zip(second.chunks_mut(S::LANES))
                {
                    let g = s.mul(scale, s.read(g));
                    let mean = s.mul_add(b1, s.read(m), s.mul(c1, g));
                    let square = s.mul_add(b2, s.read(v), s.mul(c2, s.mul(g, g)));
                    s.write(mean, m);
                    s.write(square, v);
                    let step = s.div(mean, s.mul_add(s.sqrt(square), root, epsilon));
                    s.write(s.mul_add(descent, step, s.mul(keep, s.read(p))), p);
                }
            }
        }
    }
}

/// `average = decay * average + (1 - decay) * params`: an exponential moving average (EMA) of the parameters.
///
/// # Panics
/// If the lengths disagree.
pub fn update_ema(backend: Backend, decay: f32, params: &[f32], average: &mut [f32]) {
    assert_eq!(params.len(), average.len(), "update_ema: lengths disagree");
    backend.run(Ema { decay, params, average });
}

struct Ema<'a> {
    decay: f32,
    params: &'a [f32],
    average: &'a mut [f32],
}

impl Kernel for Ema<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (keep, add) = (s.splat(self.decay), s.splat(1.0 - self.decay));
        for (a, p) in self.average.chunks_mut(S::LANES).zip(self.params.chunks(S::LANES)) {
            s.write(s.mul_add(keep, s.read(a), s.mul(add, s.read(p))), a);
        }
    }
}

/// The Euclidean norm of a gradient, summed in a fixed order in double precision: the same bits on every backend.
#[must_use]
pub fn norm(gradient: &[f32]) -> f64 {
    /// Independent partial sums, so that the additions do not wait for each other.
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    for block in gradient.chunks(LANES) {
        for (sum, &g) in sums.iter_mut().zip(block) {
            *sum += f64::from(g) * f64::from(g);
        }
    }
    libm::sqrt(sums.iter().sum())
}
