//! Rounds a float network to a flash file, with the steps that the calibration images determine.

use selvedge::format::{Builder, Dtype, ModelView, Packing};
use selvedge::quantize::{self, Scales};
use selvedge::{Mlp, Shape};

use super::calibrate::{Calibration, MIN_TRUSTED_IMAGES};
use super::clip::{Clip, Histogram, weight_step};
use super::finetune::WeightSteps;
use super::input::{Input, LEVELS};
use super::{ClipLimits, Options, SELF_TEST, evaluation};
use crate::error::{Error, ErrorKind, Result};
use crate::inference::float::TableInputs;
use crate::inference::self_test;
use crate::memory::{Bytes, Floats};
use crate::model::Model;
use crate::model::fold::Folded;

/// The number of images that the error of a file is measured on.
const ERROR_IMAGES: usize = 512;

/// Everything that turns parameters into a file.
pub(super) struct Quantizer<'a> {
    /// The source of the file's metadata.
    pub model: &'a Model,
    pub mlp: Mlp,
    pub input: &'a Input,
    /// The calibration images.
    pub images: TableInputs<'a>,
    pub options: Options,
}

impl Quantizer<'_> {
    /// The statistics of the activations of the network with parameters `params`.
    pub fn calibrate(&self, params: &[f32]) -> Result<Calibration> {
        Calibration::new(&self.mlp, params, self.images)
    }

    /// The steps of all outputs; those of the last layer share one. `mean_square` is that of each layer's inputs.
    pub fn steps(&self, params: &[f32], mean_square: &[Vec<f64>]) -> WeightSteps {
        let (shape, Options { dtype, clip, .. }) = (self.mlp.shape, self.options);
        let levels = if dtype == Dtype::I4 { 7 } else { LEVELS };
        let mut outputs = Vec::new();
        for (l, layer) in shape.split(params).expect("a model's parameters").iter().enumerate() {
            let (i, o) = (shape.width(l), shape.width(l + 1));
            let mut transposed = vec![0.0; i * o];
            selvedge::kernel::transpose(i, o, layer.weights, &mut transposed);
            // Weights that are too small for an f32 step become zeros.
            let step = |rows: &[&[f32]]| {
                (weight_step(clip, levels, rows, &mean_square[l]) as f32).max(f32::MIN_POSITIVE)
            };
            if l + 1 == shape.layers() {
                let all: Vec<&[f32]> = transposed.chunks_exact(i).collect();
                outputs.extend(std::iter::repeat_n(step(&all), o));
            } else {
                outputs.extend(transposed.chunks_exact(i).map(|row| step(&[row])));
            }
        }
        WeightSteps { outputs, levels: levels as f32 }
    }

    /// The file of `params`, whose layers have the inputs of `calibration`, and its clip limits. Corrects the biases unless
    /// the network has been fine-tuned.
    pub fn file(&self, params: &[f32], calibration: &Calibration) -> Result<(Bytes, ClipLimits)> {
        let steps = self.steps(params, &calibration.mean_square);
        let mut rounded = Floats::copy_of(params, "a copy of the parameters")?;
        steps.round(self.mlp.shape, params, &mut rounded)?;
        if self.options.qat == 0 {
            correct_biases(self.mlp.shape, params, &mut rounded, &calibration.mean)?;
        }
        let outputs = self.calibrate(&rounded)?.outputs;
        let mut activations = vec![self.input.scale];
        activations.extend(outputs.iter().map(|outputs| self.activation_step(outputs)));
        self.build(&rounded, &steps, activations)
    }

    /// The step of a layer's outputs.
    fn activation_step(&self, outputs: &Histogram) -> f32 {
        let images = self.images.index.len();
        let step = match self.options.clip {
            // The largest value of a few images is no bound for others: doubled for one image, half as much again for two.
            Clip::Mse if images < MIN_TRUSTED_IMAGES => {
                outputs.step(Clip::Max, LEVELS).map(|step| step * (1.0 + 1.0 / images as f64))
            }
            clip => outputs.step(clip, LEVELS),
        };
        // A layer whose outputs are all 0 has the smallest step that its multipliers allow.
        step.map_or(f32::MIN_POSITIVE, |step| (step as f32).max(f32::MIN_POSITIVE))
    }

    /// The relative error of each layer's outputs: the root mean square of the error of the integers over that of the floats.
    /// Infinite where the network cannot be quantized.
    pub fn errors(&self, net: &Folded, calibration: &Calibration) -> Result<Vec<f64>> {
        let (bytes, _) = match self.file(&net.params, calibration) {
            Err(e) if e.kind == ErrorKind::Model => return Ok(vec![f64::INFINITY; net.shape.layers()]),
            made => made?,
        };
        let image = ModelView::parse(&bytes)?;
        let index = &self.images.index[..ERROR_IMAGES.min(self.images.index.len())];
        let squares = evaluation::squares(net, &image, self.images.pixels, index)?;
        let relative = |[signal, noise]: [f64; 2]| if noise == 0.0 { 0.0 } else { (noise / signal).sqrt() };
        Ok(squares.into_iter().map(relative).collect())
    }

    fn build(
        &self,
        params: &[f32],
        steps: &WeightSteps,
        mut activations: Vec<f32>,
    ) -> Result<(Bytes, ClipLimits)> {
        let refused = |e: selvedge::Error| Error::model(format!("the model cannot be quantized: {e}"));
        let (about, dtype) = (&self.model.about, self.options.dtype);
        let names = about.classes.join("\n");
        let header = about.header(self.mlp.shape, dtype, Packing::Generic).map_err(refused)?;
        let mut bytes = Bytes::zeroed(header.file_bytes(), "the file")?;
        let mut builder = Builder::new(header, &mut bytes).map_err(refused)?;
        if let Some(table) = &self.input.table {
            builder.table(table);
        }
        builder.labels(&names).map_err(refused)?;
        // The arithmetic multiplies i4 weights by 16.
        let unit = if dtype == Dtype::I4 { 16.0 } else { 1.0 };
        let mut rows: Vec<f32> = steps.outputs.iter().map(|s| (s / unit).max(f32::MIN_POSITIVE)).collect();
        let mut scales = Scales { activations: &mut activations, offsets: &[], sums: &mut [], rows: &mut rows };
        quantize::quantize(&mut builder, params, &mut scales).map_err(refused)?;
        builder.finish_with(SELF_TEST, self_test).map_err(refused)?;
        let mut weight_limits = rows.iter().map(|scale| scale * dtype.largest() as f32);
        let widths = self.mlp.shape.widths().skip(1);
        let limits = ClipLimits {
            weights: widths.map(|o| weight_limits.by_ref().take(o).collect()).collect(),
            activations: activations[1..].iter().map(|scale| scale * LEVELS as f32).collect(),
        };
        Ok((bytes, limits))
    }
}

/// Bias correction: adds to each bias the mean by which rounding the weights lowers its output's sum.
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
