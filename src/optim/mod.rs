//! What a step does with the gradient of the mean loss: plain descent while the products are taken, or a [`Optimizer`] that
//! follows a gradient which was written out.
//!
//! A optimizer's state has the layout of the parameters, once or twice, and is provided by the caller, zeroed at first. One pass
//! reads gradient, state and parameters and writes the last two; a team shares it by ranges of parameters, so that the
//! bits do not depend on the number of workers. Decay is decoupled (Loshchilov and Hutter, 2019), in units of the learning
//! rate, and spares the biases.
//!
//! ```
//! use selvedge::optim::{OptimizerStep, Optimizer, Schedule, rate};
//! use selvedge::{Arena, Backend, Init, Memory, Mlp, Rng, Shape, Serial, Update, Workspace};
//!
//! const XOR: Shape = match Shape::new(&[2, 8, 2]) { Ok(shape) => shape, Err(_) => panic!() };
//! const ADAMW: Optimizer = Optimizer::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
//! const STEPS: u32 = 200;
//!
//! let mut memory = Memory::<{ Workspace::floats(XOR, 4) }>::new();
//! let mut workspace = Workspace::new(XOR, 4, &mut Arena::new(memory.floats()))?;
//! let (mut params, mut gradient) = ([0.0; XOR.params()], [0.0; XOR.params()]);
//! let mut state = [0.0; ADAMW.state(XOR)];
//! Init::He.draw(XOR, &mut Rng::new(7), &mut params)?;
//! let mlp = Mlp { shape: XOR, backend: Backend::detect() };
//!
//! let (x, y) = ([0., 0., 0., 1., 1., 0., 1., 1.], [0, 1, 1, 0]);
//! let fill = |first: usize, rows: &mut [f32]| rows.copy_from_slice(&x[2 * first..][..rows.len()]);
//! let mut correct = 0;
//! for step in 0..STEPS {
//!     let update = Update::Gradient(&mut gradient);
//!     correct = mlp.step(&Serial, &mut params, &mut workspace, &y, &fill, update)?.correct;
//!     let rate = rate(Schedule::Cosine, 0.05, 0.1, step, STEPS);
//!     let follow = OptimizerStep { optimizer: ADAMW, rate, decay: 0.01, scale: 1.0, step: step + 1 };
//!     follow.apply(mlp.backend, &Serial, XOR, &gradient, &mut state, &mut params)?;
//! }
//! assert_eq!(correct, 4);
//! # Ok::<(), selvedge::Error>(())
//! ```

mod optimizer;
mod schedule;

pub use optimizer::{Optimizer, OptimizerStep, norm, update_ema};
pub use schedule::{Schedule, rate};

/// Where the gradient of a batch goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update<'a> {
    /// Plain stochastic gradient descent, `p -= rate * gradient`: the products add straight into the parameters, and no
    /// gradient is ever stored.
    Sgd {
        /// The learning rate.
        rate: f32,
    },
    /// The gradient is written here, in the layout of the parameters, which stay as they are.
    Gradient(&'a mut [f32]),
}
