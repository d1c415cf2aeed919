//! Quantization-aware training: fine-tunes the network with rounded weights.
//!
//! Forward and backward passes use the weights rounded to their steps, and the inputs of the integer network; updates go to
//! f32 weights that are never rounded (the straight-through estimator). The steps are chosen again before every epoch, since
//! the weights change.

use selvedge::mlp::Regularize;
use selvedge::optim::{Optimizer, OptimizerStep, Schedule};
use selvedge::{Arena, Mlp, Rng, Serial, Shape, Targets, Update, Workspace};

use crate::error::{Error, Result};
use crate::inference::float::InputSource;
use crate::memory::Floats;

/// Images per step.
const BATCH: usize = 64;
/// The peak learning rate, far below that of training, since the network is trained already.
const LEARNING_RATE: f32 = 1e-4;
/// The fraction of the steps in which the learning rate rises to its peak.
const WARMUP: f32 = 0.05;
const OPTIMIZER: Optimizer = Optimizer::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
/// Without label smoothing, fine-tuning would make the network more confident about its training images than it was.
const REGULARIZE: Regularize = Regularize::NONE.with_label_smoothing(0.1);
/// The weight decay of AdamW.
const WEIGHT_DECAY: f32 = 0.1;

/// The quantization steps of the weights, one for each output of each layer.
#[derive(Debug, Clone)]
pub struct WeightSteps {
    /// Output by output, those of the first layer first.
    pub outputs: Vec<f32>,
    /// Weights are `-levels..=levels` steps.
    pub levels: f32,
}

impl WeightSteps {
    /// Writes `params` with every weight rounded to its step.
    pub fn round(&self, shape: Shape, params: &[f32], rounded: &mut [f32]) -> Result<()> {
        let mut steps = &self.outputs[..];
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

/// The nearest integer of a small number, by two additions.
#[inline(always)]
fn nearest(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: the last bit of the sum has the value 1
    (x + MAGIC) - MAGIC
}

/// What the network should answer for samples at some positions.
pub enum Lessons<'a> {
    /// The class of every sample of the set.
    Classes(&'a [u8]),
    /// Numbers, `(samples, outputs)`, of the samples at some positions.
    Values(&'a dyn Fn(&[u32]) -> Vec<f32>),
}

/// The settings of quantization-aware training.
pub struct QatConfig<'a, S> {
    /// The inputs of all samples.
    pub inputs: &'a S,
    /// The positions of the training samples.
    pub index: &'a [u32],
    /// The answers.
    pub lessons: Lessons<'a>,
    /// Passes over the samples.
    pub epochs: usize,
    /// The seed of the order of the samples.
    pub seed: u64,
}

/// Fine-tunes `params`. `choose_steps` chooses the steps for parameters; `on_epoch` is called with the number and the mean
/// loss of every epoch.
///
/// # Errors
/// `Failed` without the memory, or where the loss is not finite.
pub fn finetune<S: InputSource>(
    mlp: &Mlp,
    params: &mut Floats,
    config: &QatConfig<'_, S>,
    choose_steps: &dyn Fn(&[f32]) -> WeightSteps,
    on_epoch: &mut dyn FnMut(usize, f64),
) -> Result<()> {
    let failed = |e: selvedge::Error| Error::failed(format!("fine-tuning: {e}"));
    let (shape, inputs) = (mlp.shape, mlp.shape.inputs());
    let mut memory = Floats::zeroed(Workspace::floats(shape, BATCH), &format!("a step through {shape}"))?;
    let mut workspace = Workspace::new(shape, BATCH, &mut Arena::new(&mut memory)).map_err(failed)?;
    let copy = || Floats::zeroed(shape.params(), "a copy of the parameters");
    let (mut rounded, mut gradient) = (copy()?, copy()?);
    let mut state = Floats::zeroed(OPTIMIZER.state_floats(shape), "the optimizer's state")?;
    let mut order = config.index.to_vec();
    let mut rng = Rng::new(config.seed);
    let total = (config.epochs * order.len().div_ceil(BATCH)) as u32;
    let mut step = 0;
    for epoch in 1..=config.epochs {
        rng.shuffle(&mut order);
        let steps = choose_steps(params);
        let mut loss = 0.0;
        for index in order.chunks(BATCH) {
            steps.round(shape, params, &mut rounded)?;
            let fill = |first: usize, rows: &mut [f32]| {
                config.inputs.fill(mlp.backend, &index[first..][..rows.len() / inputs], rows);
            };
            let update = Update::Gradient(&mut gradient);
            let outcome = match &config.lessons {
                Lessons::Classes(labels) => {
                    let labels: Vec<u8> = index.iter().map(|&n| labels[n as usize]).collect();
                    mlp.step_regularized(
                        &Serial,
                        &mut rounded,
                        &mut workspace,
                        &labels,
                        &fill,
                        update,
                        REGULARIZE,
                    )
                }
                Lessons::Values(values) => {
                    let values = values(index);
                    let targets = Targets::values(&values);
                    mlp.step(&Serial, &mut rounded, &mut workspace, targets, &fill, update)
                }
            };
            loss += outcome.map_err(failed)?.loss_sum;
            let learning_rate = Schedule::Cosine.learning_rate(LEARNING_RATE, WARMUP, step, total);
            step += 1;
            let optimizer_step =
                OptimizerStep::new(OPTIMIZER, learning_rate, step).with_weight_decay(WEIGHT_DECAY);
            optimizer_step
                .apply(mlp.backend, &Serial, shape, &gradient, &mut state, params)
                .map_err(failed)?;
        }
        on_epoch(epoch, loss / order.len() as f64);
    }
    Ok(())
}
