//! Fine-tuning with quantized weights: the network learns to live with its steps.
//!
//! Forward and backward see the weights rounded to their steps, and the inputs as the chip sees them; the update goes to
//! a master copy that is never rounded (the straight-through estimator). The steps are chosen again before every epoch,
//! since the weights move.

use selvedge::mlp::Regularize;
use selvedge::optim::{Optimizer, OptimizerStep, Schedule, rate};
use selvedge::{Arena, Mlp, Rng, Serial, Shape, Update, Workspace};

use crate::error::{Error, Result};
use crate::inference::float::{InputSource, TableInputs};
use crate::memory::Floats;

/// Images of a step.
const BATCH: usize = 64;
/// AdamW's peak: far below what a network is trained with, since this one is trained.
const RATE: f32 = 1e-4;
const OPTIMIZER: Optimizer = Optimizer::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
/// Without it, fine-tuning makes a network surer of its training images than it was.
const REGULARIZE: Regularize = Regularize { smoothing: 0.1, ..Regularize::NONE };
const DECAY: f32 = 0.1;

/// The steps between two weights, a value for each row of each layer, and the largest weight in steps.
#[derive(Debug, Clone)]
pub struct Steps {
    /// Row by row, the first layer's first.
    pub rows: Vec<f32>,
    /// Weights are `-levels..=levels` steps.
    pub levels: f32,
}

impl Steps {
    /// `params` with every weight rounded to its steps.
    pub fn round(&self, shape: Shape, params: &[f32], rounded: &mut [f32]) -> Result<()> {
        let mut steps = &self.rows[..];
        let from = shape.split(params)?;
        for (to, from) in shape.split_mut(rounded)?.into_iter().zip(from) {
            let o = from.biases.len();
            let (step, rest) = steps.split_at(o);
            let inverse: Vec<f32> = step.iter().map(|s| 1.0 / s).collect();
            steps = rest;
            for (to, from) in to.weights.chunks_exact_mut(o).zip(from.weights.chunks_exact(o)) {
                for (((to, &w), &step), &inverse) in to.iter_mut().zip(from).zip(step).zip(&inverse) {
                    *to = nearest((w * inverse).clamp(-self.levels, self.levels)) * step;
                }
            }
            to.biases.copy_from_slice(from.biases);
        }
        Ok(())
    }
}

/// The nearest integer to a small number, in two additions.
#[inline(always)]
fn nearest(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: the last bit of the sum is worth 1
    (x + MAGIC) - MAGIC
}

/// A set of images with their classes, and how long to learn from them.
#[derive(Debug, Clone, Copy)]
pub struct QatConfig<'a> {
    /// The images, in any order.
    pub images: TableInputs<'a>,
    /// The class of every image of the set.
    pub labels: &'a [u8],
    /// Passes over the images.
    pub epochs: usize,
    /// Decides the order.
    pub seed: u64,
}

/// Fine-tunes `params`. `choose` makes the steps for parameters; `after` hears of every epoch and its mean loss.
///
/// # Errors
/// Exit code 1 without the memory, or where the loss is not finite.
pub fn finetune(
    mlp: &Mlp,
    params: &mut Floats,
    lesson: QatConfig<'_>,
    choose: &dyn Fn(&[f32]) -> Steps,
    after: &mut dyn FnMut(usize, f64),
) -> Result<()> {
    let failed = |e: selvedge::Error| Error::failed(format!("fine-tuning: {e}"));
    let (shape, inputs) = (mlp.shape, mlp.shape.inputs());
    let mut memory = Floats::zeroed(Workspace::floats(shape, BATCH), &format!("a step through {shape}"))?;
    let mut workspace = Workspace::new(shape, BATCH, &mut Arena::new(&mut memory)).map_err(failed)?;
    let copy = || Floats::zeroed(shape.params(), "a copy of the parameters");
    let (mut rounded, mut gradient) = (copy()?, copy()?);
    let mut state = Floats::zeroed(OPTIMIZER.state(shape), "the optimizer's state")?;
    let mut order = lesson.images.index.to_vec();
    let mut rng = Rng::new(lesson.seed);
    let total = (lesson.epochs * order.len().div_ceil(BATCH)) as u32;
    let mut step = 0;
    for epoch in 1..=lesson.epochs {
        rng.shuffle(&mut order);
        let steps = choose(params);
        let mut loss = 0.0;
        for index in order.chunks(BATCH) {
            steps.round(shape, params, &mut rounded)?;
            let labels: Vec<u8> = index.iter().map(|&n| lesson.labels[n as usize]).collect();
            let fill = |first: usize, rows: &mut [f32]| {
                lesson.images.fill(mlp.backend, &index[first..][..rows.len() / inputs], rows);
            };
            let update = Update::Gradient(&mut gradient);
            let outcome = mlp
                .step_regularized(&Serial, &mut rounded, &mut workspace, &labels, &fill, update, REGULARIZE)
                .map_err(failed)?;
            loss += outcome.loss_sum;
            let rate = rate(Schedule::Cosine, RATE, 0.05, step, total);
            step += 1;
            let follow = OptimizerStep { optimizer: OPTIMIZER, rate, decay: DECAY, scale: 1.0, step };
            follow.apply(mlp.backend, &Serial, shape, &gradient, &mut state, params).map_err(failed)?;
        }
        after(epoch, loss / order.len() as f64);
    }
    Ok(())
}
