//! From a trained model to a flash file of integers.
//!
//! Training images alone decide: a few of them the scales of the activations, all of them the fine-tuning. Validation and
//! test images only tell what came of it; [`proof`] holds that.

pub mod calibrate;
pub mod clip;
pub mod finetune;
pub mod plain;
pub mod proof;

use selvedge::format::{Builder, Dtype, Packing};
use selvedge::quant::{self, Scales};
use selvedge::{Backend, Mlp, Shape};

use crate::data::Set;
use crate::draws::{Generator, Split};
use crate::error::{Error, Result};
use crate::fold::{Folded, fold};
use crate::memory::{Bytes, Floats};
use crate::model::Model;
use calibrate::{Calibration, Images};
use clip::{Clip, weight_step};
use finetune::{Lesson, Steps, finetune};

/// The largest activation.
const LEVELS: u32 = 127;
/// The seed of the self-test in every file.
pub const SELF_TEST: u32 = 1;

/// Images that scales are taken from where nobody says how many.
pub const CALIBRATE: usize = 2048;
/// The seed of a model that does not say how it was trained.
pub const SEED: u64 = 42;

/// Which of the training images a model may be quantized with, and which have validated it.
pub fn split(model: &Model, images: usize) -> Split {
    let recipe = model.about.recipe.as_ref();
    recipe.map_or_else(|| Split::new(Generator::Selvedge, SEED, images), |r| r.split(images))
}

/// A flash file of integers, and where it clips.
#[derive(Debug)]
pub struct Quantized {
    /// The file.
    pub bytes: Bytes,
    /// What its integers reach.
    pub limits: Limits,
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
    let Folded { shape, table, mut params } = fold(model)?;
    let mlp = Mlp { shape, backend: Backend::detect() };
    let some = &train[..options.calibrate.min(train.len())];
    let input = Input::new(table, &set.images.pixels, some, shape.inputs());
    let values = input.values();
    let images = Images { pixels: &set.images.pixels, index: some, values: &values };
    let calibration = Calibration::new(&mlp, &params, images)?;
    let choose = |params: &[f32]| steps(shape, options, params, &calibration.power);
    if options.qat > 0 {
        let images = Images { index: train, ..images };
        let lesson = Lesson { images, labels: &set.labels, epochs: options.qat, seed: options.seed };
        finetune(&mlp, &mut params, lesson, &choose, after)?;
    }
    let steps = choose(&params);
    let mut rounded = Floats::copy_of(&params, "a copy of the parameters")?;
    steps.round(shape, &params, &mut rounded)?;
    if options.qat == 0 {
        correct_biases(shape, &params, &mut rounded, &calibration.mean)?;
    }
    let outputs = Calibration::new(&mlp, &rounded, images)?.outputs;
    let mut activations = vec![input.scale];
    activations.extend(outputs.iter().map(|h| h.step(options.clip, LEVELS) as f32));
    build(model, &input, &rounded, options.dtype, &steps, activations)
}

/// What the integer network makes of a byte.
struct Input {
    table: Option<[u8; 256]>,
    scale: f32,
}

impl Input {
    /// A table of 7 bits for one of 8, and the scale with the least squared error on some images.
    fn new(table: Option<[u8; 256]>, pixels: &[u8], index: &[u32], inputs: usize) -> Self {
        let halved = std::array::from_fn(|p| (p >> 1) as u8);
        let seven = table.map(|t| t.map(|u| ((u32::from(u) * LEVELS + 127) / 255) as u8));
        let real = table.unwrap_or(std::array::from_fn(|p| p as u8));
        let small = seven.unwrap_or(halved);
        let (mut product, mut square) = (0u64, 0u64);
        for &n in index {
            for &p in &pixels[n as usize * inputs..][..inputs] {
                let (u, q) = (u64::from(real[usize::from(p)]), u64::from(small[usize::from(p)]));
                product += u * q;
                square += q * q;
            }
        }
        let scale = if square == 0 { 2.0 } else { product as f64 / square as f64 };
        Self { table: seven, scale: (scale / 255.0) as f32 }
    }

    /// What a byte is worth.
    fn values(&self) -> [f32; 256] {
        std::array::from_fn(|p| self.scale * f32::from(self.table.map_or((p >> 1) as u8, |t| t[p])))
    }
}

/// The steps of all rows; those of the last layer are one.
fn steps(shape: Shape, options: Options, params: &[f32], power: &[Vec<f64>]) -> Steps {
    let levels = if options.dtype == Dtype::I4 { 7 } else { LEVELS };
    let mut rows = Vec::new();
    for (l, layer) in shape.split(params).expect("a model's parameters").iter().enumerate() {
        let (i, o) = (shape.width(l), shape.width(l + 1));
        let mut turned = vec![0.0; i * o];
        selvedge::kernel::transpose(i, o, layer.weights, &mut turned);
        let of = |rows: &[&[f32]]| weight_step(options.clip, levels, rows, &power[l]) as f32;
        if l + 1 == shape.layers() {
            let all: Vec<&[f32]> = turned.chunks_exact(i).collect();
            rows.extend(std::iter::repeat_n(of(&all), o));
        } else {
            rows.extend(turned.chunks_exact(i).map(|row| of(&[row])));
        }
    }
    Steps { rows, levels: levels as f32 }
}

/// Gives back to the biases what rounding the weights takes from the mean of each row's sum.
fn correct_biases(shape: Shape, params: &[f32], rounded: &mut [f32], mean: &[Vec<f64>]) -> Result<()> {
    let real = shape.split(params)?;
    for ((to, from), mean) in shape.split_mut(rounded)?.into_iter().zip(real).zip(mean) {
        let o = from.biases.len();
        let mut lost = vec![0.0; o];
        for ((to, from), &mean) in to.weights.chunks_exact(o).zip(from.weights.chunks_exact(o)).zip(mean) {
            for ((lost, to), from) in lost.iter_mut().zip(to).zip(from) {
                *lost += mean * f64::from(from - to);
            }
        }
        for (bias, lost) in to.biases.iter_mut().zip(lost) {
            *bias += lost as f32;
        }
    }
    Ok(())
}

/// The file.
fn build(
    model: &Model,
    input: &Input,
    params: &[f32],
    dtype: Dtype,
    steps: &Steps,
    mut activations: Vec<f32>,
) -> Result<Quantized> {
    let refused = |e: selvedge::Error| Error::model(format!("the model cannot be quantized: {e}"));
    let names = model.about.classes.join("\n");
    let header = model.about.header(model.shape, dtype, Packing::Generic).map_err(refused)?;
    let mut bytes = Bytes::zeroed(header.file_bytes(), "the file")?;
    let mut builder = Builder::new(header, &mut bytes).map_err(refused)?;
    if let Some(table) = &input.table {
        builder.table(table);
    }
    builder.labels(&names).map_err(refused)?;
    // A weight of i4 is a multiple of 16 in the units of the arithmetic.
    let unit = if dtype == Dtype::I4 { 16.0 } else { 1.0 };
    let mut rows: Vec<f32> = steps.rows.iter().map(|s| s / unit).collect();
    let mut scales = Scales { activations: &mut activations, rows: &mut rows };
    quant::quantize(&mut builder, params, &mut scales).map_err(refused)?;
    builder.finish_with(SELF_TEST, proof::self_test).map_err(refused)?;
    let mut reach = rows.iter().map(|scale| scale * dtype.largest() as f32);
    let limits = Limits {
        rows: model.shape.widths().skip(1).map(|o| reach.by_ref().take(o).collect()).collect(),
        activations: activations[1..].iter().map(|scale| scale * LEVELS as f32).collect(),
    };
    Ok(Quantized { bytes, limits })
}
