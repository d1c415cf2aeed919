//! Accuracy, loss and confusion matrix of a network on a set of images.

use selvedge::{Activations, Backend, Mlp, kernel};

use crate::data::Samples;
use crate::data::normalise::Inputs;
use crate::error::Result;
use crate::model::Model;
use crate::model::fit::check_set;
use crate::thread_pool::ThreadPool;

use super::float::Predictor;
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

    /// Images predicted to be of class `c`.
    pub fn predicted(&self, c: usize) -> u32 {
        self.confusion.iter().map(|row| row[c]).sum()
    }

    /// The fraction of class `c` that was found; 0 where it has no images.
    pub fn recall(&self, c: usize) -> f64 {
        f64::from(self.confusion[c][c]) / f64::from(self.of_class(c).max(1))
    }

    /// The fraction of the predictions of class `c` that are right; 0 where there are none.
    pub fn precision(&self, c: usize) -> f64 {
        f64::from(self.confusion[c][c]) / f64::from(self.predicted(c).max(1))
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
