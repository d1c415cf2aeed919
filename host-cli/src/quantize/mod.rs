//! Post-training quantization and quantization-aware training: from a trained model to an integer flash file.
//!
//! Only training samples influence the file: a few of them calibrate the ranges of inputs and activations, for which their
//! answers are not needed; all of them are used for fine-tuning. Validation and test samples only measure the result.

mod answers;
pub mod bits;
pub mod calibrate;
pub mod clip;
mod equalize;
pub mod evaluation;
pub mod finetune;
mod input;
pub mod map;
pub mod order;
pub mod plain;
pub mod range;
mod rounding;
mod simplify;

use selvedge::format::{Dtype, InputType, ModelView};
use selvedge::{Backend, Mlp};

use crate::data::{Features, Samples, Targets, Task};
use crate::error::{Error, Result};
use crate::inference::float::{DeviceInputs, TableInputs};
use crate::memory::{Bytes, Floats};
use crate::model::Model;
use crate::model::fold::{Folded, fold};
use crate::recipe::LossChoice;
use bits::InputBits;
use clip::Clip;
use equalize::equalize;
use finetune::{Lessons, QatConfig, finetune};
use input::{Input, byte_values};
use map::{InputMaps, MapConfig};
use order::{Order, ordered};
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
    /// equalised layers and ordered units, so that its hidden activations compare with those of the file.
    pub float: Folded,
    /// The order of the hidden units of all three.
    pub order: Order,
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
    /// The number of calibration samples.
    pub calibrate: usize,
    /// How to choose the clip limits of weights and activations, and the ranges of columns.
    pub clip: Clip,
    /// Epochs of quantization-aware training.
    pub qat: usize,
    /// The seed of the order of the samples in quantization-aware training.
    pub seed: u64,
    /// The type of the raw values of a row; pictures are bytes.
    pub raw: InputType,
    /// The bits of an input of a row; pictures have 7.
    pub bits: InputBits,
    /// The probability below which a class is unknown.
    pub reject: Option<f32>,
}

impl Options {
    /// The defaults for a type of weights.
    pub fn new(dtype: Dtype) -> Self {
        Self {
            dtype,
            calibrate: CALIBRATE,
            clip: Clip::Mse,
            qat: 0,
            seed: 0,
            raw: InputType::F32,
            bits: InputBits::Auto,
            reject: None,
        }
    }
}

/// Quantizes a model; `train` are the indices of the training samples of `set`, in random order. `on_epoch` is called with the
/// number and the mean loss of every epoch of fine-tuning.
///
/// # Errors
/// `Failed` where fine-tuning diverges or memory is short, `Model` where the network cannot be quantized, `Data` where raw
/// values are not of the type that was asked for.
pub fn quantize(
    model: &Model,
    set: &Samples,
    train: &[u32],
    options: Options,
    on_epoch: &mut dyn FnMut(usize, f64),
) -> Result<Quantized> {
    let made = unordered(model, set, train, options, on_epoch)?;
    ordered(made, &set.features, &train[..options.calibrate.min(train.len())])
}

/// As [`quantize`], with the hidden units in the order of the model.
fn unordered(
    model: &Model,
    set: &Samples,
    train: &[u32],
    options: Options,
    on_epoch: &mut dyn FnMut(usize, f64),
) -> Result<Quantized> {
    let bits = match (&set.features, options.bits) {
        (Features::Images(_), _) | (_, InputBits::Seven) => 7,
        (_, InputBits::Fourteen) => 14,
        (_, InputBits::Auto) => {
            // Fine-tuning takes long, and changes little of what finer inputs gain.
            let of = |bits| with_bits(model, set, train, Options { qat: 0, ..options }, bits, &mut |_, _| ());
            let (seven, fourteen) = (of(7)?, of(14)?);
            let files = [ModelView::parse(&seven.bytes)?, ModelView::parse(&fourteen.bytes)?];
            let asked = bits::asked(model.about.task, set.len(), train, options.calibrate);
            let bits = bits::choose(model, files, &set.features, &asked)?;
            if options.qat == 0 {
                return Ok(if bits == 7 { seven } else { fourteen });
            }
            bits
        }
    };
    with_bits(model, set, train, options, bits, on_epoch)
}

/// As [`unordered`], with inputs of `bits` bits.
fn with_bits(
    model: &Model,
    set: &Samples,
    train: &[u32],
    options: Options,
    bits: u32,
    on_epoch: &mut dyn FnMut(usize, f64),
) -> Result<Quantized> {
    let mut net = fold(model)?;
    let shape = net.shape;
    let index = &train[..options.calibrate.min(train.len())];
    let (input, codes) = input(model, &mut net, &set.features, index, (options, bits))?;
    simplify(shape, &mut net.params)?;
    let inputs = match (&input, &set.features) {
        (Input::Bytes { table, scale }, features) => DeviceInputs::Bytes(TableInputs {
            pixels: &features.images()?.pixels,
            values: Box::new(byte_values(table.as_deref(), *scale)),
        }),
        (Input::Numbers(maps), _) => DeviceInputs::Codes(maps.inputs(&codes)),
    };
    let task = model.about.task;
    let choice = model.about.recipe.as_ref().map_or(LossChoice::Auto, |recipe| recipe.loss);
    let mlp = Mlp::new(shape, Backend::detect()).with_loss(choice.loss(task)?);
    let features = &set.features;
    let quantizer = Quantizer { model, mlp, input: &input, features, inputs: &inputs, index, options };
    equalize(&quantizer, &mut net)?;
    let calibration = quantizer.calibrate(&net.params)?;
    let mut params = Floats::copy_of(&net.params, "a copy of the parameters")?;
    if options.qat > 0 {
        let values = |index: &[u32]| values(model, set, index);
        let lessons = match &set.targets {
            Targets::Classes(labels) => Lessons::Classes(labels),
            _ => Lessons::Values(&values),
        };
        let config =
            QatConfig { inputs: &inputs, index: train, lessons, epochs: options.qat, seed: options.seed };
        let choose_steps = |params: &[f32]| quantizer.steps(params, &calibration);
        finetune(&mlp, &mut params, &config, &choose_steps, on_epoch)?;
    }
    let (bytes, limits) = quantizer.file(&params, &calibration)?;
    Ok(Quantized { bytes, limits, float: net, order: Order::of_model(shape) })
}

/// How the integer network reads its raw values, and the codes of rows, which `net` then takes.
fn input(
    model: &Model,
    net: &mut Folded,
    features: &Features,
    index: &[u32],
    (options, bits): (Options, u32),
) -> Result<(Input, Vec<u16>)> {
    let (matrix, schema) = match (features, &model.about.schema) {
        (Features::Images(images), None) => {
            return Ok((Input::of_pixels(net.table, &images.pixels, index, net.shape.inputs()), Vec::new()));
        }
        (Features::Table(matrix), Some(schema)) => (matrix, schema),
        (Features::Images(_), Some(_)) => {
            return Err(Error::model("the model takes rows of a table, and the data are pictures"));
        }
        (Features::Table(_), None) => {
            return Err(Error::model(
                "the model takes pictures, and the data are rows of a table; if another program trained it on rows, import it \
                 with --inputs table",
            ));
        }
    };
    let config = MapConfig {
        raw: options.raw,
        bits,
        clip: options.clip,
        task: model.about.task,
        schema,
        normalisation: &model.about.normalisation,
    };
    let maps = InputMaps::new(config, matrix, index)?;
    maps.absorb_into(net.shape, &mut net.params)?;
    net.columns = Some(maps.unrounded());
    let codes = maps.codes(matrix);
    Ok((Input::Numbers(maps), codes))
}

/// What the network should put out for the samples at `index`, where that is not a class.
fn values(model: &Model, set: &Samples, index: &[u32]) -> Vec<f32> {
    let mut values = Vec::new();
    match (&set.targets, &model.about.target_scale) {
        (Targets::Values(matrix), Some(scale)) => {
            index.iter().for_each(|&n| scale.standardise(matrix.row(n as usize), &mut values));
        }
        (Targets::Values(matrix), None) => {
            index.iter().for_each(|&n| values.extend_from_slice(matrix.row(n as usize)));
        }
        _ => {
            debug_assert_eq!(model.about.task, Task::Reconstruct);
            values.resize(index.len() * model.shape.inputs(), 0.0);
            model.about.normalisation.inputs(&set.features).fill(Backend::detect(), index, &mut values);
        }
    }
    values
}
