//! Accuracy, loss and confusion matrix of a network on a set of images.

use selvedge::{self, Activations, Backend, Loss, Mlp, kernel};

use crate::data::normalise::Inputs;
use crate::data::{Samples, Targets};
use crate::error::Result;
use crate::model::fit::check_set;
use crate::model::{Model, TargetScale};
use crate::thread_pool::ThreadPool;

use super::float::Predictor;
use super::metrics::classes;
use super::{BATCH, argmax, check_finite};

/// Loss and confusion matrix of a network on some images.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Images seen.
    pub images: usize,
    /// Σ of the images' cross entropies, in nats.
    pub loss_sum: f64,
    /// `[true class][predicted class]`, counts.
    pub confusion: Vec<Vec<u32>>,
}

impl Evaluation {
    /// Nothing counted yet, of so many images and classes.
    pub fn new(images: usize, classes: usize) -> Self {
        Self { images, loss_sum: 0.0, confusion: vec![vec![0; classes]; classes] }
    }

    /// Refuses an evaluation of outputs that are not finite.
    ///
    /// # Errors
    /// `Model` with what to do.
    pub fn check_finite(self) -> Result<Self> {
        check_finite([self.loss_sum]).map(|()| self)
    }

    /// Images whose class was predicted.
    pub fn correct(&self) -> u32 {
        (0..self.confusion.len()).map(|c| self.confusion[c][c]).sum()
    }

    /// The fraction of them.
    pub fn accuracy(&self) -> f64 {
        f64::from(self.correct()) / self.images as f64
    }

    /// The mean cross entropy.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images as f64
    }

    /// Images of class `c`.
    pub fn of_class(&self, c: usize) -> u32 {
        self.confusion[c].iter().sum()
    }

    /// The fraction of class `c` that was found; 0 where it has no images.
    pub fn recall(&self, c: usize) -> f64 {
        classes::recall(&self.confusion, c)
    }

    /// The fraction of the predictions of class `c` that are right; 0 where there are none.
    pub fn precision(&self, c: usize) -> f64 {
        classes::precision(&self.confusion, c)
    }
}

/// Evaluates on the images at `index` of `set`, whose inputs are `inputs`.
///
/// # Errors
/// `Failed` without the memory, `Model` where the network does not fit the images.
pub fn evaluate(
    thread_pool: &ThreadPool,
    mlp: &Mlp,
    params: &[f32],
    inputs: &Inputs<'_>,
    set: &Samples,
    index: &[u32],
) -> Result<Evaluation> {
    check_set(mlp.shape, set)?;
    let classes = mlp.shape.outputs();
    let mut evaluation = Evaluation::new(index.len(), classes);
    let mut losses = vec![0.0; BATCH];
    let count = |activations: &Activations<'_>, index: &[u32]| {
        let mut logits = activations.logits(index.len()).to_vec();
        let labels: Vec<u8> = index.iter().map(|&n| set.labels()[n as usize]).collect();
        for (row, &label) in logits.chunks_exact(classes).zip(&labels) {
            evaluation.confusion[usize::from(label)][argmax(row)] += 1;
        }
        let losses = &mut losses[..labels.len()];
        kernel::softmax_loss(mlp.backend, &mut logits, &labels, losses);
        evaluation.loss_sum += losses.iter().copied().map(f64::from).sum::<f64>();
    };
    Predictor::for_images(*mlp, index.len())?.forward(thread_pool, params, inputs, index, count)?;
    Ok(evaluation)
}

/// What training watches on the validation samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The mean loss of a sample.
    pub loss: f64,
    /// The fraction of the samples that are right; `None` where the answers are numbers.
    pub accuracy: Option<f64>,
}

/// The loss and the accuracy of a network on the samples at `index` of `set`, whose inputs are `inputs`; the targets of a
/// regression are standardised by `scale`.
///
/// # Errors
/// `Failed` without the memory, `Model` where the network does not fit the samples.
pub fn validate(
    thread_pool: &ThreadPool,
    mlp: &Mlp,
    params: &[f32],
    inputs: &Inputs<'_>,
    (set, scale): (&Samples, Option<&TargetScale>),
    index: &[u32],
) -> Result<Figures> {
    if mlp.loss == Loss::SoftmaxCrossEntropy {
        let evaluation = evaluate(thread_pool, mlp, params, inputs, set, index)?;
        return Ok(Figures { loss: evaluation.loss(), accuracy: Some(evaluation.accuracy()) });
    }
    let (mut loss, mut correct) = (0.0, 0);
    let mut losses = vec![0.0; BATCH];
    let count = |activations: &Activations<'_>, index: &[u32]| {
        let mut logits = activations.logits(index.len()).to_vec();
        let values = match (&set.targets, scale) {
            (Targets::Values(matrix), scale) => {
                let mut values = Vec::with_capacity(logits.len());
                for &n in index {
                    match scale {
                        Some(scale) => scale.standardise(matrix.row(n as usize), &mut values),
                        None => values.extend_from_slice(matrix.row(n as usize)),
                    }
                }
                values
            }
            _ => activations.activation(0, index.len()).to_vec(),
        };
        let losses = &mut losses[..index.len()];
        let targets = selvedge::Targets::values(&values);
        correct += kernel::value_loss(mlp.backend, mlp.loss, &mut logits, targets, losses);
        loss += losses.iter().copied().map(f64::from).sum::<f64>();
    };
    Predictor::for_images(*mlp, index.len())?.forward(thread_pool, params, inputs, index, count)?;
    let rows = index.len() as f64;
    let accuracy = (mlp.loss == Loss::SigmoidCrossEntropy).then(|| f64::from(correct) / rows);
    Ok(Figures { loss: loss / rows, accuracy })
}

/// Evaluates a model on the images at `index` of `set`, normalised as the model says.
///
/// # Errors
/// As [`evaluate`], and `Model` where its outputs are not finite.
pub fn evaluate_model(
    thread_pool: &ThreadPool,
    backend: Backend,
    model: &Model,
    set: &Samples,
    index: &[u32],
) -> Result<Evaluation> {
    let mlp = Mlp::new(model.shape, backend);
    let inputs = model.about.normalisation.inputs(&set.features);
    evaluate(thread_pool, &mlp, &model.params, &inputs, set, index)?.check_finite()
}
