//! Momentum and AdamW: one fused pass over gradient, state and parameters.

use crate::error::Error;
use crate::parallel::{Divide, Executor, divide, share};
use crate::shape::Shape;
use crate::simd::{Backend, Kernel, Simd};

/// How parameters follow a gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Optimizer {
    /// Momentum as PyTorch's SGD has it: `v = momentum v + g`, then `p -= rate v`, or `rate (g + momentum v)` with
    /// Nesterov's look ahead. One block of state; none with a momentum of 0.
    Sgd {
        /// What is kept of the velocity, 0 to below 1.
        momentum: f32,
        /// Whether the gradient is taken where the velocity leads.
        nesterov: bool,
    },
    /// AdamW (Loshchilov and Hutter, 2019). Two blocks of state: the first moments, then the second ones.
    AdamW {
        /// What is kept of the first moment.
        beta1: f32,
        /// What is kept of the second moment.
        beta2: f32,
        /// Added to the root of the second moment.
        epsilon: f32,
    },
}

/// One application of a optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimizerStep {
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate.
    pub rate: f32,
    /// Weights shrink by `rate * decay` of themselves; biases do not.
    pub decay: f32,
    /// What the gradient is multiplied with first: below 1 where it is clipped.
    pub scale: f32,
    /// Steps taken, this one included: the first is 1, and 0 counts as 1.
    pub step: u32,
}

impl Optimizer {
    /// Floats of state for a network.
    pub const fn state(&self, shape: Shape) -> usize {
        match self {
            Self::Sgd { momentum: 0.0, .. } => 0,
            Self::Sgd { .. } => shape.params(),
            Self::AdamW { .. } => shape.params().saturating_mul(2),
        }
    }
}

impl OptimizerStep {
    /// Moves `params` and `state` along `gradient`.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice does not fit the shape.
    pub fn apply(
        &self,
        backend: Backend,
        team: &impl Executor,
        shape: Shape,
        gradient: &[f32],
        state: &mut [f32],
        params: &mut [f32],
    ) -> Result<(), Error> {
        let n = shape.params();
        for (what, expected, actual) in [
            ("params", n, params.len()),
            ("gradient", n, gradient.len()),
            ("state", self.optimizer.state(shape), state.len()),
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
            for (count, decay) in [(i * o, self.decay), (o, 0.0)] {
                let (part, behind) = rest.cut(count);
                rest = behind;
                let factors = Factors::new(self, decay);
                divide(team, part, &|part| {
                    backend.run(Pass { part, optimizer: self.optimizer, factors });
                    0
                });
            }
        }
        Ok(())
    }
}

/// A range of parameters and what belongs to it; blocks of state that a optimizer does not have are empty.
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
        let count = share(self.params.len(), part, of);
        self.cut(count)
    }
}

/// What is the same for every parameter of a step.
#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    /// What decay leaves of a weight.
    keep: f32,
    /// The rate, divided by AdamW's correction of the first moment.
    rate: f32,
    /// One over the root of AdamW's correction of the second moment.
    root: f32,
}

impl Factors {
    fn new(follow: &OptimizerStep, decay: f32) -> Self {
        let (first, second) = match follow.optimizer {
            Optimizer::Sgd { .. } => (1.0, 1.0),
            Optimizer::AdamW { beta1, beta2, .. } => {
                let power = |beta: f32| 1.0 - libm::pow(f64::from(beta), f64::from(follow.step.max(1)));
                (power(beta1), power(beta2))
            }
        };
        Self {
            scale: follow.scale,
            keep: 1.0 - follow.rate * decay,
            rate: (f64::from(follow.rate) / first) as f32,
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
        let [scale, keep, rate, root] =
            [factors.scale, factors.keep, -factors.rate, factors.root].map(|x| s.splat(x));
        let blocks = params.chunks_mut(S::LANES).zip(gradient.chunks(S::LANES));
        match optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => {
                for (p, g) in blocks {
                    let step = s.mul(scale, s.read(g));
                    s.write(s.mul_add(rate, step, s.mul(keep, s.read(p))), p);
                }
            }
            Optimizer::Sgd { momentum, nesterov } => {
                let momentum = s.splat(momentum);
                for ((p, g), v) in blocks.zip(first.chunks_mut(S::LANES)) {
                    let g = s.mul(scale, s.read(g));
                    let velocity = s.mul_add(momentum, s.read(v), g);
                    s.write(velocity, v);
                    let step = if nesterov { s.mul_add(momentum, velocity, g) } else { velocity };
                    s.write(s.mul_add(rate, step, s.mul(keep, s.read(p))), p);
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
                    s.write(s.mul_add(rate, step, s.mul(keep, s.read(p))), p);
                }
            }
        }
    }
}

/// `average = decay * average + (1 - decay) * params`: a running mean of the parameters.
///
/// # Panics
/// If the lengths disagree.
pub fn update_ema(backend: Backend, decay: f32, params: &[f32], average: &mut [f32]) {
    assert_eq!(params.len(), average.len(), "update_ema: lengths disagree");
    backend.run(Average { decay, params, average });
}

struct Average<'a> {
    decay: f32,
    params: &'a [f32],
    average: &'a mut [f32],
}

impl Kernel for Average<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (keep, take) = (s.splat(self.decay), s.splat(1.0 - self.decay));
        for (a, p) in self.average.chunks_mut(S::LANES).zip(self.params.chunks(S::LANES)) {
            s.write(s.mul_add(keep, s.read(a), s.mul(take, s.read(p))), a);
        }
    }
}

/// The Euclidean norm of a gradient, summed in order in double precision: the same bits on every backend.
pub fn norm(gradient: &[f32]) -> f64 {
    /// Sums side by side, so that the additions do not wait for each other.
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    for block in gradient.chunks(LANES) {
        for (sum, &g) in sums.iter_mut().zip(block) {
            *sum += f64::from(g) * f64::from(g);
        }
    }
    libm::sqrt(sums.iter().sum())
}
