//! What a model answers: its outputs read as its task says, in the units of its data.

use selvedge::{Activations, Backend, Mlp};

use super::file::file_answers;
use super::float::Predictor;
use super::metrics::reconstruction;
use super::network::Network;
use super::{check_finite, softmax};
use crate::data::{Features, Task};
use crate::error::Result;
use crate::model::Model;
use crate::thread_pool::ThreadPool;

/// The answers for some samples, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// The probability of each class, `(samples, classes)`.
    Classes(Vec<f64>),
    /// The numbers, `(samples, outputs)`.
    Values(Vec<f32>),
    /// The probability of each label, `(samples, labels)`.
    Labels(Vec<f64>),
    /// The anomaly score of each sample: the mean squared error of its reconstruction, in standardised units.
    Scores(Vec<f64>),
}

impl Network {
    /// The answers for the samples at `index`.
    ///
    /// # Errors
    /// `Failed` without the memory, `Model` for outputs that are not finite.
    pub fn answers(&self, pool: &ThreadPool, features: &Features, index: &[u32]) -> Result<Answers> {
        match self {
            Self::Float(model) => answers(pool, Backend::detect(), model, features, index),
            Self::Flash(flash) => file_answers(&flash.image(), features, index),
        }
    }
}

/// The answers of a model for the samples at `index`, which are normalised as it says.
///
/// # Errors
/// `Failed` without the memory, `Model` for outputs that are not finite.
pub fn answers(
    pool: &ThreadPool,
    backend: Backend,
    model: &Model,
    features: &Features,
    index: &[u32],
) -> Result<Answers> {
    let mlp = Mlp::new(model.shape, backend);
    let inputs = model.about.normalisation.inputs(features);
    let mut predictor = Predictor::for_images(mlp, index.len())?;
    if model.about.task == Task::Reconstruct {
        let mut scores = Vec::with_capacity(index.len());
        let see = |activations: &Activations<'_>, index: &[u32]| {
            let width = model.shape.inputs();
            let rows = activations.activation(0, index.len()).chunks_exact(width);
            let outputs = activations.logits(index.len()).chunks_exact(width);
            scores.extend(rows.zip(outputs).map(|(x, z)| reconstruction::score(x, z)));
        };
        predictor.forward(pool, &model.params, &inputs, index, see)?;
        check_finite(scores.iter().copied())?;
        return Ok(Answers::Scores(scores));
    }
    let mut logits = predictor.logits(pool, &model.params, &inputs, index)?;
    check_finite(logits.iter().copied())?;
    Ok(match model.about.task {
        Task::Classify => Answers::Classes(probabilities(model, &logits)),
        Task::Multilabel => {
            Answers::Labels(logits.iter().map(|&z| 1.0 / (1.0 + (-f64::from(z)).exp())).collect())
        }
        Task::Regress | Task::Reconstruct => {
            model.about.target_scale.iter().for_each(|scale| scale.to_units(&mut logits));
            Answers::Values(logits)
        }
    })
}

/// The probabilities of each row of logits, at the model's temperature.
fn probabilities(model: &Model, logits: &[f32]) -> Vec<f64> {
    let temperature = model.about.temperature.map_or(1.0, f64::from);
    let row = |row: &[f32]| softmax(&row.iter().map(|&z| f64::from(z) / temperature).collect::<Vec<_>>());
    logits.chunks_exact(model.shape.outputs()).flat_map(row).collect()
}
