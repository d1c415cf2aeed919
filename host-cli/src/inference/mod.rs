//! Networks over samples: one batched forward pass for floats, one for integers, and what both give.
//!
//! [`float`] runs f32 parameters on any backend, [`integer`] a flash file of integers; [`mod@file`] reads its answers,
//! [`network`] is either, from a file.
//! [`mod@evaluate`] counts what comes of the logits, [`metrics`] scores the counts. Nothing here trains or prints.

pub mod answers;
pub mod assess;
pub mod evaluate;
pub mod file;
pub mod float;
pub mod integer;
pub mod metrics;
pub mod network;

use selvedge::format::ModelView;
use selvedge::infer;

use crate::data::Features;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::fold::fold;

/// The position of the largest logit; the first of equals.
pub use selvedge::naive::argmax;

/// Images of a forward pass; enough to fill every core, few enough to stay in its cache.
pub const BATCH: usize = 256;

/// The logits of images, image by image.
#[derive(Debug, Clone, PartialEq)]
pub enum Logits {
    /// Of a network of floats.
    Float(Vec<f32>),
    /// Of a file of integers.
    Integer(Vec<i32>),
}

/// The class of each row of `logits (images, outputs)`.
pub fn classes<T: PartialOrd + Copy>(logits: &[T], outputs: usize) -> Vec<u8> {
    logits.chunks_exact(outputs).map(|row| argmax(row) as u8).collect()
}

/// The class of each sample at `index`, by the float network.
///
/// # Errors
/// `Failed` without the memory.
pub fn float_classes(model: &Model, features: &Features, index: &[u32]) -> Result<Vec<u8>> {
    let logits = float::folded_logits(&fold(model)?, selvedge::Backend::detect(), features, index)?;
    Ok(classes(&logits, model.shape.outputs()))
}

/// The class of each sample at `index`, by the integer network.
///
/// # Errors
/// `Failed` without the memory, or where the core refuses the file; `Data` for values that the file does not take.
pub fn integer_classes(image: &ModelView<'_>, features: &Features, index: &[u32]) -> Result<Vec<u8>> {
    Ok(classes(&integer::logits(image, features, index)?, image.header().outputs()))
}

/// Probabilities in f64, so that they add up to 1 as printed.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|&z| (z - max).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.into_iter().map(|e| e / sum).collect()
}

/// Refuses outputs of a network that are not finite: finite weights can be so large.
///
/// # Errors
/// `Model` with what to do.
pub fn check_finite(outputs: impl IntoIterator<Item: Into<f64>>) -> Result<()> {
    if outputs.into_iter().all(|x| x.into().is_finite()) {
        return Ok(());
    }
    Err(Error::model(
        "the network's outputs are not finite: its weights are too large; train it again with a smaller --lr",
    ))
}

/// The CRC of the logits of a flash file's self-test, of any type.
///
/// # Errors
/// What the core refuses.
pub fn self_test(seed: u32, image: &ModelView<'_>) -> std::result::Result<u32, selvedge::Error> {
    let header = image.header();
    let outputs = header.outputs();
    if header.dtype().is_integer() {
        let mut scratch = vec![0; infer::integer::Engine::scratch_words(header)];
        return infer::integer::Engine::new(image.clone())?.self_test_crc(
            seed,
            &mut scratch,
            &mut vec![0; outputs],
        );
    }
    let mut scratch = vec![0.0; infer::float::Engine::scratch_words(header)];
    infer::float::Engine::new(image.clone())?.self_test_crc(seed, &mut scratch, &mut vec![0.0; outputs])
}
