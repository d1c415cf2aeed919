//! Rounds a float network to a flash file, with the steps that the calibration images determine.

use selvedge::format::{Builder, Dtype, ModelView, Packing};
use selvedge::quantize::{self, Scales};
use selvedge::{Mlp, Shape};

use super::calibrate::{Calibration, Hidden, MIN_TRUSTED_IMAGES};
use super::clip::{Clip, Histogram, weight_step};
use super::finetune::WeightSteps;
use super::input::{Input, LEVELS};
use super::range::{SignedHistogram, output};
use super::{ClipLimits, Options, SELF_TEST, answers, evaluation};
use crate::data::Features;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::float::DeviceInputs;
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
    /// The samples of the training set.
    pub features: &'a Features,
    /// Their inputs in the integer network.
    pub inputs: &'a DeviceInputs<'a>,
    /// The calibration samples.
    pub index: &'a [u32],
    pub options: Options,
}

impl Quantizer<'_> {
    /// The statistics of the activations of the network with parameters `params`.
    pub fn calibrate(&self, params: &[f32]) -> Result<Calibration> {
        Calibration::new(&self.mlp, params, self.inputs, self.index)
    }

    /// How much a unit of error of each weight matters, by layer and input. What it adds in the mean is made up for by the
    /// bias, so that where inputs are not mostly 0 only their variance counts.
    fn importance(&self, calibration: &Calibration) -> Vec<Vec<f64>> {
        let shape = self.mlp.shape;
        let centred = |l: usize| match l {
            0 => matches!(self.input, Input::Numbers(_)),
            _ => shape.activation(l - 1).has_table(),
        };
        let layer = |(l, squares): (usize, &Vec<f64>)| {
            let variance = |(square, mean): (&f64, &f64)| (square - mean * mean).max(0.0);
            match centred(l) && self.options.qat == 0 {
                true => squares.iter().zip(&calibration.mean[l]).map(variance).collect(),
                false => squares.clone(),
            }
        };
        calibration.mean_square.iter().enumerate().map(layer).collect()
    }

    /// The steps of all outputs for the inputs of `calibration`; those of the last layer share one.
    pub fn steps(&self, params: &[f32], calibration: &Calibration) -> WeightSteps {
        let mean_square = self.importance(calibration);
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
        let steps = self.steps(params, calibration);
        let mut rounded = Floats::copy_of(params, "a copy of the parameters")?;
        steps.round(self.mlp.shape, params, &mut rounded)?;
        if self.options.qat == 0 {
            correct_biases(self.mlp.shape, params, &mut rounded, &calibration.mean)?;
        }
        let calibration = self.calibrate(&rounded)?;
        let mut units = Units::new(self.mlp.shape, self.input.unit());
        for (l, hidden) in calibration.hidden.iter().enumerate() {
            match hidden {
                Hidden::Clamped(outputs) => units.activations[l + 1] = self.activation_step(outputs),
                Hidden::Table { sums, outputs } => self.table_units(&mut units, l, sums, outputs),
            }
        }
        self.build(&rounded, &steps, units, &calibration)
    }

    /// The units of a layer whose activation is looked up. The output of a sum of 0 is a whole number of units, so that a file
    /// tells what its codes are worth.
    fn table_units(&self, units: &mut Units, l: usize, sums: &SignedHistogram, outputs: &SignedHistogram) {
        let (activation, clip) = (self.mlp.shape.activation(l), self.options.clip);
        units.sums[l] = (sums.sum_step(activation, clip) as f32).max(f32::MIN_POSITIVE);
        let range = outputs.range(clip, LEVELS, self.index.len());
        let zero = output(activation, 0.0);
        let (low, high) = (range.low.min(zero), range.high.max(zero));
        let unit = (((high - low) / f64::from(LEVELS)) as f32).max(f32::MIN_POSITIVE);
        units.activations[l + 1] = unit;
        units.offsets[l + 1] = (zero - ((zero - low) / f64::from(unit)).round() * f64::from(unit)) as f32;
    }

    /// The step of a layer's outputs.
    fn activation_step(&self, outputs: &Histogram) -> f32 {
        let images = self.index.len();
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
        let index = &self.index[..ERROR_IMAGES.min(self.index.len())];
        let squares = evaluation::squares(net, &image, self.features, index)?;
        let relative = |[signal, noise]: [f64; 2]| if noise == 0.0 { 0.0 } else { (noise / signal).sqrt() };
        Ok(squares.into_iter().map(relative).collect())
    }

    fn build(
        &self,
        params: &[f32],
        steps: &WeightSteps,
        mut units: Units,
        calibration: &Calibration,
    ) -> Result<(Bytes, ClipLimits)> {
        let refused = |e: selvedge::Error| Error::model(format!("the model cannot be quantized: {e}"));
        let (about, dtype) = (&self.model.about, self.options.dtype);
        let names = about.classes.join("\n");
        let header = about.header(self.mlp.shape, dtype, Packing::Generic).map_err(refused)?;
        let header = match self.input {
            Input::Bytes { .. } => header,
            Input::Numbers(maps) => header.with_input(maps.raw, maps.kind(), maps.bits).map_err(refused)?,
        };
        // The arithmetic multiplies i4 weights by 16.
        let unit = if dtype == Dtype::I4 { 16.0 } else { 1.0 };
        let mut rows: Vec<f32> = steps.outputs.iter().map(|s| (s / unit).max(f32::MIN_POSITIVE)).collect();
        let Units { activations, offsets, sums } = &mut units;
        let mut scales = Scales { activations, offsets, sums, rows: &mut rows };
        let header = quantize::with_wide_multipliers(header, params, &scales).map_err(refused)?;
        let mut bytes = Bytes::zeroed(header.file_bytes(), "the file")?;
        let mut builder = Builder::new(header, &mut bytes).map_err(refused)?;
        match self.input {
            Input::Bytes { table: Some(table), .. } => builder.table(table),
            Input::Bytes { .. } => {}
            Input::Numbers(maps) => maps.write(&mut builder).map_err(refused)?,
        }
        builder.labels(&names).map_err(refused)?;
        quantize::quantize(&mut builder, params, &mut scales).map_err(refused)?;
        let last = self.mlp.shape.layers() - 1;
        let unit = f64::from(activations[last]) * f64::from(rows[rows.len() - 1]);
        let file = answers::File { model: self.model, input: self.input, unit, reject: self.options.reject };
        file.write(&mut builder, calibration)?;
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

/// What integers of a file stand for, by layer.
struct Units {
    /// One unit of the inputs.
    activations: Vec<f32>,
    /// An input of 0.
    offsets: Vec<f32>,
    /// One step of the sums, where an activation is looked up.
    sums: Vec<f32>,
}

impl Units {
    fn new(shape: Shape, input: f32) -> Self {
        let layers = shape.layers();
        let mut units =
            Self { activations: vec![1.0; layers], offsets: vec![0.0; layers], sums: vec![1.0; layers] };
        units.activations[0] = input;
        units
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
