//! Post-training quantization and quantization-aware training: from a trained model to an integer flash file.
//!
//! Only training images influence the file: a few of them calibrate the scales of the activations, all of them are used for
//! fine-tuning. Validation and test images only measure the result.

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

use crate::data::Samples;
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

/// The default number of calibration images.
pub const CALIBRATE: usize = 2048;
/// An integer flash file and its clip limits.
#[derive(Debug)]
pub struct Quantized {
    /// The file.
    pub bytes: Bytes,
    /// Its clip limits.
    pub limits: ClipLimits,
    /// The float network before fine-tuning and rounding: that of the model without constant and unread units and with
    /// equalised layers, so that its hidden activations compare with those of the file.
    pub float: Folded,
}

/// The largest magnitudes that the integers of a file represent.
#[derive(Debug)]
pub struct ClipLimits {
    /// Of the weights, by layer and output.
    pub weights: Vec<Vec<f32>>,
    /// Of the outputs of each hidden layer.
    pub activations: Vec<f32>,
}

/// The settings of a quantization.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `i8` or `i4`.
    pub dtype: Dtype,
    /// The number of calibration images.
    pub calibrate: usize,
    /// How to choose the clip limits of weights and activations.
    pub clip: Clip,
    /// Epochs of quantization-aware training.
    pub qat: usize,
    /// The seed of the order of the images in quantization-aware training.
    pub seed: u64,
}

/// Quantizes a model; `train` are the indices of the training images of `set`, in random order. `on_epoch` is called with the
/// number and the mean loss of every epoch of fine-tuning.
///
/// # Errors
/// `Failed` where fine-tuning diverges or memory is short, `Model` where the network cannot be quantized.
pub fn quantize(
    model: &Model,
    set: &Samples,
    train: &[u32],
    options: Options,
    on_epoch: &mut dyn FnMut(usize, f64),
) -> Result<Quantized> {
    let pixels = &set.images()?.pixels;
    let mut net = fold(model)?;
    let shape = net.shape;
    simplify(shape, &mut net.params)?;
    let mlp = Mlp::new(shape, Backend::detect());
    let calibration_index = &train[..options.calibrate.min(train.len())];
    let input = Input::new(net.table, pixels, calibration_index, shape.inputs());
    let values = input.values();
    let images = TableInputs { pixels, index: calibration_index, values: &values };
    let quantizer = Quantizer { model, mlp, input: &input, images, options };
    equalize(&quantizer, &mut net)?;
    let calibration = quantizer.calibrate(&net.params)?;
    let mut params = Floats::copy_of(&net.params, "a copy of the parameters")?;
    if options.qat > 0 {
        let images = TableInputs { index: train, ..images };
        let config = QatConfig { images, labels: set.labels(), epochs: options.qat, seed: options.seed };
        let choose_steps = |params: &[f32]| quantizer.steps(params, &calibration.mean_square);
        finetune(&mlp, &mut params, config, &choose_steps, on_epoch)?;
    }
    let (bytes, limits) = quantizer.file(&params, &calibration)?;
    Ok(Quantized { bytes, limits, float: net })
}
