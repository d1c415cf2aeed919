//! Rounding: the flash file of a float network, at the steps that the calibration images choose.

use selvedge::format::{Builder, Dtype, ModelView, Packing};
use selvedge::quantize::{self, Scales};
use selvedge::{Mlp, Shape};

use super::calibrate::{Calibration, ENOUGH};
use super::clip::{Clip, Histogram, weight_step};
use super::finetune::Steps;
use super::input::{Input, LEVELS};
use super::{Limits, Options, SELF_TEST, evaluation};
use crate::error::{Error, ErrorKind, Result};
use crate::inference::float::TableInputs;
use crate::inference::self_test;
use crate::memory::{Bytes, Floats};
use crate::model::Model;
use crate::model::fold::Folded;

/// Images that the error of a file is measured on.
const MEASURED: usize = 512;

/// All that turns parameters into a file.
pub(super) struct Quantizer<'a> {
    /// Says what the file says besides its weights.
    pub model: &'a Model,
    pub mlp: Mlp,
    pub input: &'a Input,
    /// Those that scales are taken from.
    pub images: TableInputs<'a>,
    pub options: Options,
}

impl Quantizer<'_> {
    /// What flows through the network of `params`.
    pub fn calibrate(&self, params: &[f32]) -> Result<Calibration> {
        Calibration::new(&self.mlp, params, self.images)
    }

    /// The steps of all rows; those of the last layer are one. `mean_square` is that of each layer's inputs.
    pub fn steps(&self, params: &[f32], mean_square: &[Vec<f64>]) -> Steps {
        let (shape, Options { dtype, clip, .. }) = (self.mlp.shape, self.options);
        let levels = if dtype == Dtype::I4 { 7 } else { LEVELS };
        let mut rows = Vec::new();
        for (l, layer) in shape.split(params).expect("a model's parameters").iter().enumerate() {
            let (i, o) = (shape.width(l), shape.width(l + 1));
            let mut transposed = vec![0.0; i * o];
            selvedge::kernel::transpose(i, o, layer.weights, &mut transposed);
            // A row too small for a step in f32 becomes one of zeros.
            let step = |rows: &[&[f32]]| {
                (weight_step(clip, levels, rows, &mean_square[l]) as f32).max(f32::MIN_POSITIVE)
            };
            if l + 1 == shape.layers() {
                let all: Vec<&[f32]> = transposed.chunks_exact(i).collect();
                rows.extend(std::iter::repeat_n(step(&all), o));
            } else {
                rows.extend(transposed.chunks_exact(i).map(|row| step(&[row])));
            }
        }
        Steps { rows, levels: levels as f32 }
    }

    /// The file of `params`, whose layers have inputs as `calibration` found them, and what its integers reach. Biases are
    /// corrected unless fine-tuning has seen to it.
    pub fn file(&self, params: &[f32], calibration: &Calibration) -> Result<(Bytes, Limits)> {
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
            // The largest of a few images is no bound for the others: as much again of one, half of it of two.
            Clip::Mse if images < ENOUGH => {
                outputs.step(Clip::Max, LEVELS).map(|step| step * (1.0 + 1.0 / images as f64))
            }
            clip => outputs.step(clip, LEVELS),
        };
        // A layer that never fires takes the finest step that its multipliers allow.
        step.map_or(f32::MIN_POSITIVE, |step| (step as f32).max(f32::MIN_POSITIVE))
    }

    /// By layer, the root mean square of the error of its outputs as integers over that of the outputs themselves;
    /// infinite where the network has no file.
    pub fn errors(&self, net: &Folded, calibration: &Calibration) -> Result<Vec<f64>> {
        let (bytes, _) = match self.file(&net.params, calibration) {
            Err(e) if e.kind == ErrorKind::Model => return Ok(vec![f64::INFINITY; net.shape.layers()]),
            made => made?,
        };
        let image = ModelView::parse(&bytes)?;
        let some = &self.images.index[..MEASURED.min(self.images.index.len())];
        let powers = evaluation::powers(net, &image, self.images.pixels, some)?;
        let relative = |[signal, noise]: [f64; 2]| if noise == 0.0 { 0.0 } else { (noise / signal).sqrt() };
        Ok(powers.into_iter().map(relative).collect())
    }

    fn build(&self, params: &[f32], steps: &Steps, mut activations: Vec<f32>) -> Result<(Bytes, Limits)> {
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
        // A weight of i4 is a multiple of 16 in the units of the arithmetic.
        let unit = if dtype == Dtype::I4 { 16.0 } else { 1.0 };
        let mut rows: Vec<f32> = steps.rows.iter().map(|s| (s / unit).max(f32::MIN_POSITIVE)).collect();
        let mut scales = Scales { activations: &mut activations, rows: &mut rows };
        quantize::quantize(&mut builder, params, &mut scales).map_err(refused)?;
        builder.finish_with(SELF_TEST, self_test).map_err(refused)?;
        let mut reach = rows.iter().map(|scale| scale * dtype.largest() as f32);
        let widths = self.mlp.shape.widths().skip(1);
        let limits = Limits {
            rows: widths.map(|o| reach.by_ref().take(o).collect()).collect(),
            activations: activations[1..].iter().map(|scale| scale * LEVELS as f32).collect(),
        };
        Ok((bytes, limits))
    }
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
