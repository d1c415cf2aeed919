//! What a step does with the gradient of the mean loss: SGD fused into the weight-gradient product, or an [`Optimizer`]
//! applied to a stored gradient. The learning rate of each step comes from a [`Schedule`].
//!
//! An optimizer's state has the layout of the parameters, once or twice. The caller provides it, zeroed at first. One pass
//! reads gradient, state and parameters and writes the last two. Workers share it by ranges of parameters, so the bits do
//! not depend on their number. Weight decay is decoupled (Loshchilov and Hutter, 2019): it is multiplied by the learning
//! rate, and biases are excluded.
//!
//! ```
//! use selvedge::optim::{Optimizer, OptimizerStep, Schedule};
//! use selvedge::{Arena, Backend, Init, Memory, Mlp, Rng, Shape, Serial, Update, Workspace};
//!
//! const XOR: Shape = match Shape::new(&[2, 8, 2]) { Ok(shape) => shape, Err(_) => panic!() };
//! const STEPS: u32 = 200;
//!
//! let mut memory = Memory::<{ Workspace::floats(XOR, 4) }>::new();
//! let mut workspace = Workspace::new(XOR, 4, &mut Arena::new(memory.floats()))?;
//! let (mut params, mut gradient) = ([0.0; XOR.params()], [0.0; XOR.params()]);
//! let mut state = [0.0; Optimizer::ADAMW.state_floats(XOR)];
//! Init::He.draw(XOR, &mut Rng::new(7), &mut params)?;
//! let mlp = Mlp::new(XOR, Backend::detect());
//!
//! let (x, y) = ([0., 0., 0., 1., 1., 0., 1., 1.], [0, 1, 1, 0]);
//! let fill = |first: usize, rows: &mut [f32]| rows.copy_from_slice(&x[2 * first..][..rows.len()]);
//! let mut correct = 0;
//! for step in 0..STEPS {
//!     let update = Update::Gradient(&mut gradient);
//!     correct = mlp.step(&Serial, &mut params, &mut workspace, &y, &fill, update)?.correct;
//!     let learning_rate = Schedule::Cosine.learning_rate(0.05, 0.1, step, STEPS);
//!     let step = OptimizerStep::new(Optimizer::ADAMW, learning_rate, step + 1).with_weight_decay(0.01);
//!     step.apply(mlp.backend, &Serial, XOR, &gradient, &mut state, &mut params)?;
//! }
//! assert_eq!(correct, 4);
//! # Ok::<(), selvedge::Error>(())
//! ```

mod optimizer;
mod schedule;

pub use optimizer::{Optimizer, OptimizerStep, norm, update_ema};
pub use schedule::Schedule;

/// What a training step does with the gradient of its batch.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update<'a> {
    /// Plain stochastic gradient descent, `p -= learning_rate * gradient`: the products add straight into the parameters,
    /// and no gradient is ever stored.
    Sgd {
        /// The learning rate.
        learning_rate: f32,
    },
    /// Writes the gradient here, in the layout of the parameters, which do not change.
    Gradient(&'a mut [f32]),
}
