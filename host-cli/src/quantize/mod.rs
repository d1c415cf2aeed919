//! From a trained model to a flash file of integers.
//!
//! Training images alone decide: a few of them the scales of the activations, all of them the fine-tuning. Validation and
//! test images only measure the result.

pub mod calibrate;
pub mod clip;
mod equalize;
pub mod evaluation;
pub mod finetune;
mod input;
pub mod plain;
mod rounding;
mod simplify;

use selvedge::format::Dtype;
use selvedge::{Backend, Mlp};

use crate::data::Set;
use crate::error::Result;
use crate::inference::float::TableInputs;
use crate::memory::{Bytes, Floats};
use crate::model::Model;
use crate::model::fold::{Folded, fold};
use clip::Clip;
use equalize::equalize;
use finetune::{QatConfig, finetune};
use input::Input;
use rounding::Quantizer;
use simplify::simplify;

/// The seed of the self-test in every file.
pub const SELF_TEST: u32 = 1;

/// Images that scales are taken from where nobody says how many.
pub const CALIBRATE: usize = 2048;
/// A flash file of integers, and where it clips.
#[derive(Debug)]
pub struct Quantized {
    /// The file.
    pub bytes: Bytes,
    /// What its integers reach.
    pub limits: Limits,
    /// The network that was rounded, or fine-tuned before it was: that of the model, with units that say nothing taken out
    /// and layers equalised, so that its hidden activations compare with those of the file.
    pub float: Folded,
}

/// The largest magnitudes that the integers of a file stand for.
#[derive(Debug)]
pub struct Limits {
    /// Of weights: by layer and row.
    pub rows: Vec<Vec<f32>>,
    /// Of the outputs of each hidden layer.
    pub activations: Vec<f32>,
}

/// How to quantize.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `i8` or `i4`.
    pub dtype: Dtype,
    /// Training images that the scales of the activations are taken from.
    pub calibrate: usize,
    /// Where to clip, weights and activations.
    pub clip: Clip,
    /// Epochs of fine-tuning with quantized weights.
    pub qat: usize,
    /// Decides the order of the images in fine-tuning.
    pub seed: u64,
}

/// Quantizes a model; `train` are the training images of `set`, in random order. `after` hears of every epoch of
/// fine-tuning and its mean loss.
///
/// # Errors
/// Exit code 1 where fine-tuning diverges or memory is short, 4 where the network cannot be quantized.
pub fn quantize(
    model: &Model,
    set: &Set,
    train: &[u32],
    options: Options,
    after: &mut dyn FnMut(usize, f64),
) -> Result<Quantized> {
    let mut net = fold(model)?;
    let shape = net.shape;
    simplify(shape, &mut net.params)?;
    let mlp = Mlp { shape, backend: Backend::detect() };
    let some = &train[..options.calibrate.min(train.len())];
    let input = Input::new(net.table, &set.images.pixels, some, shape.inputs());
    let values = input.values();
    let images = TableInputs { pixels: &set.images.pixels, index: some, values: &values };
    let quantizer = Quantizer { model, mlp, input: &input, images, options };
    equalize(&quantizer, &mut net)?;
    let calibration = quantizer.calibrate(&net.params)?;
    let mut params = Floats::copy_of(&net.params, "a copy of the parameters")?;
    if options.qat > 0 {
        let images = TableInputs { index: train, ..images };
        let lesson = QatConfig { images, labels: &set.labels, epochs: options.qat, seed: options.seed };
        let choose = |params: &[f32]| quantizer.steps(params, &calibration.mean_square);
        finetune(&mlp, &mut params, lesson, &choose, after)?;
    }
    let (bytes, limits) = quantizer.file(&params, &calibration)?;
    Ok(Quantized { bytes, limits, float: net })
}
