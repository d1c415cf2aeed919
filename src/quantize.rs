//! From trained parameters to an integer network.
//!
//! A real activation is `x · scale`, with `x` in 0..=127 and one scale a layer; a real weight is `w · scale`, with one
//! scale a row, except that the last layer has one scale, so that its sums compare as they are. A row's sum is then worth
//! `scale(inputs) · scale(row)` a unit, and its multiplier is that over the scale of the layer's outputs.
//!
//! Two scales are coarsened to keep the bounds that a file guarantees: a row whose sum could reach 2²³ gets a coarser scale, and a layer
//! whose multipliers would pass 16 bits a coarser scale of its outputs. The latter happens where a single product of a
//! full input and a full weight is half the range of an output, in very small networks only; the outputs then still
//! resolve what two such inputs add up to. That bound is a property of the arithmetic and not of a packing, so that
//! packing a file again changes nothing; it lets a core without a long multiplication requantize in two short ones.
//!
//! Where code 0 does not stand for zero (inputs of either sign, and hidden layers whose activation is looked up), the real
//! activation is `offset + x · scale`, and what the offset adds to a row, `offset · Σw`, is folded into its bias: the arithmetic
//! knows no zero points. The table of an activation has an entry for each of 256 steps of the sums. Leaky ReLU is looked up
//! too: a second multiplier would resolve its negative side no finer than the seven bits of the outputs.
//!
//! Rows without weights do not influence scales. A row without weights, as structured pruning leaves it, has no scale of its
//! own, and a bias so negative that its hidden unit never fires is cut to where it just does not: the outputs are the same,
//! and the other rows keep their resolution.

use crate::activation::Activation;
use crate::error::Error;
use crate::format::{ACCUMULATOR_LIMIT, Builder, Dtype, row_bound};
use crate::naive;
use crate::shape::{self, Shape};

/// The scales of a network about to be quantized, in caller-provided memory.
#[derive(Debug)]
pub struct Scales<'m> {
    /// What one unit of the inputs of each layer is worth: `layers` values. Of inputs of 14 bits, one unit of the high digit.
    pub activations: &'m mut [f32],
    /// What an input of 0 of each layer is worth: `layers` values, 0 after ReLU; none where all are 0.
    pub offsets: &'m [f32],
    /// What one step of the sums of each layer is worth, −128..=127 of which the table of its activation distinguishes: `layers`
    /// values, of which only those of layers with a table count; none where no layer has one.
    pub sums: &'m mut [f32],
    /// What one unit of a weight is worth: a value for each row of each layer, the first layer's first.
    pub rows: &'m mut [f32],
}

impl Scales<'_> {
    /// Values of `rows` for a network.
    pub const fn rows_of(shape: Shape) -> usize {
        shape.hidden_sum() + shape.outputs()
    }
}

/// What one unit of the inputs is worth where a pixel is halved and the network was trained on `p / 255`.
pub const HALVED_PIXELS: f32 = 2.0 / 255.0;

/// The scales at which the largest weight of each row is just representable.
///
/// # Errors
/// [`Error::Length`] where `params` or `rows` have not the lengths of `shape`.
pub fn largest_weights(shape: Shape, dtype: Dtype, params: &[f32], rows: &mut [f32]) -> Result<(), Error> {
    check_rows(shape, rows.len())?;
    let mut rows = rows.iter_mut();
    for layer in shape.split(params)? {
        let o = layer.biases.len();
        for (row, scale) in (0..o).zip(&mut rows) {
            let max = layer.weights.iter().skip(row).step_by(o).fold(0.0f32, |m, w| m.max(w.abs()));
            *scale = if max > 0.0 { max / dtype.largest() as f32 } else { 1.0 };
        }
    }
    Ok(())
}

/// Fills a file of an integer type with the network of `params`, at `scales`, which become what the file uses.
///
/// The scale of the inputs of layer `l > 0` is what an output of the layer before it may reach, divided by 127; weights
/// beyond the largest are clipped. The tables of activations are written; input map, answers, labels and self-test are not
/// touched.
///
/// # Errors
/// [`Error::Length`] for the wrong number of parameters or scales, [`Error::Offset`] for one after a clamp, [`Error::Scale`] where
/// a scale is not a finite number above 0, [`Error::Weight`] and [`Error::RowBound`] where a weight or a
/// bias is not finite, [`Error::Dtype`] for a file of floats.
pub fn quantize(builder: &mut Builder<'_>, params: &[f32], scales: &mut Scales<'_>) -> Result<(), Error> {
    let header = builder.header();
    let (dtype, shape) = (header.dtype(), header.shape()?);
    if !dtype.is_integer() {
        return Err(Error::Dtype { found: dtype.name() });
    }
    check_rows(shape, scales.rows.len())?;
    let (layers, bits) = (shape.layers(), header.input_bits());
    check_scales(shape, scales)?;
    let mut rest = &mut *scales.rows;
    for (l, params) in shape.split(params)?.into_iter().enumerate() {
        let rows;
        (rows, rest) = rest.split_at_mut(params.biases.len());
        let (last, activation) = (l + 1 == layers, shape.activation(l));
        let (input, offset) = (scales.activations[l], scales.offsets.get(l).copied().unwrap_or(0.0));
        let bits = if l == 0 { bits } else { 7 };
        let layer = Layer { l, last, activation, dtype, input, offset, bits, params };
        layer.check(rows)?;
        if layer.last {
            layer.share_scale(rows);
            layer.write(builder, rows);
            let logit = layer.unit(rows[0]) as f32;
            if bad_scale(logit) {
                return Err(Error::Scale { layer: l });
            }
            builder.scale(layers, logit);
        } else {
            let table = activation.has_table();
            let output = if table { scales.sums.get_mut(l) } else { scales.activations.get_mut(l + 1) };
            let output = output.ok_or(Error::Scale { layer: l })?;
            *output = layer.scale_rows(rows, *output);
            if bad_scale(*output) {
                return Err(Error::Scale { layer: l });
            }
            let output = *output;
            if table {
                let (scale, offset) =
                    (scales.activations[l + 1], scales.offsets.get(l + 1).copied().unwrap_or(0.0));
                if bad_scale(scale) || !offset.is_finite() {
                    return Err(Error::Scale { layer: l + 1 });
                }
                builder.activation_table(l, &activation_table(activation, output, offset, scale));
            }
            layer.write(builder, rows);
            for (row, &scale) in rows.iter().enumerate() {
                let r = libm::round(layer.unit(scale) / f64::from(output) * UNIT);
                builder.multiplier(l, row, r as u16);
            }
        }
    }
    Ok(())
}

/// A layer about to be quantized.
struct Layer<'a> {
    /// Which, from 0.
    l: usize,
    /// Whether its outputs are the logits.
    last: bool,
    activation: Activation,
    dtype: Dtype,
    /// What one unit of its inputs is worth, and an input of 0.
    input: f32,
    offset: f32,
    /// Bits of its inputs.
    bits: u32,
    params: shape::Layer<'a>,
}

impl<'a> Layer<'a> {
    /// Refuses scales and parameters that mean nothing.
    fn check(&self, rows: &[f32]) -> Result<(), Error> {
        let (layer, shape::Layer { weights, biases }) = (self.l, self.params);
        if bad_scale(self.input) || !self.offset.is_finite() || rows.iter().copied().any(bad_scale) {
            return Err(Error::Scale { layer });
        }
        let o = biases.len();
        if let Some(at) = weights.iter().position(|w| !w.is_finite()) {
            return Err(Error::Weight { layer, row: at % o, column: at / o });
        }
        match biases.iter().position(|b| !b.is_finite()) {
            Some(row) => Err(Error::RowBound { layer, row }),
            None => Ok(()),
        }
    }

    /// The weights of one row.
    fn row(&self, row: usize) -> impl Iterator<Item = f32> + Clone + 'a {
        self.params.weights.iter().skip(row).step_by(self.params.biases.len()).copied()
    }

    /// What one unit of a row's sum is worth.
    fn unit(&self, scale: f32) -> f64 {
        f64::from(self.input) * f64::from(scale)
    }

    fn has_weights(&self, row: usize) -> bool {
        self.row(row).any(|w| w != 0.0)
    }

    /// The largest scale of the rows that have weights; 0 where none has.
    fn largest(&self, rows: &[f32]) -> f32 {
        let rows = rows.iter().enumerate().filter(|&(row, _)| self.has_weights(row));
        rows.fold(0.0, |max, (_, &scale)| max.max(scale))
    }

    /// The scales of a hidden layer's rows, coarsened to their bound, and the scale of its outputs, raised where a
    /// multiplier would pass 16 bits.
    fn scale_rows(&self, rows: &mut [f32], output: f32) -> f32 {
        for (row, scale) in rows.iter_mut().enumerate().filter(|&(row, _)| self.has_weights(row)) {
            *scale = self.coarse_enough(row, *scale);
        }
        let min = self.unit(self.largest(rows)) * UNIT / f64::from(u16::MAX);
        let raised = min as f32 * (1.0 + 2.0 * f32::EPSILON);
        let output = if f64::from(output) < min { raised } else { output };
        // A unit without weights is constant. Any scale states it whose multiplier is neither small nor over 16 bits.
        let constant = (f64::from(output) / 512.0 / f64::from(self.input)) as f32;
        for (_, scale) in rows.iter_mut().enumerate().filter(|&(row, _)| !self.has_weights(row)) {
            *scale = constant.max(f32::MIN_POSITIVE);
        }
        output
    }

    /// Gives the rows of the last layer the one scale that all of them can have.
    fn share_scale(&self, rows: &mut [f32]) {
        let mut shared = self.largest(rows);
        if shared == 0.0 {
            // The logits are the biases, whatever the input: a scale that tells them apart.
            let max = self.params.biases.iter().fold(0.0f32, |max, b| max.max(b.abs()));
            let scale = f64::from(max) / f64::from(1 << 20) / f64::from(self.input);
            shared = if max > 0.0 { (scale as f32).max(f32::MIN_POSITIVE) } else { 1.0 };
        }
        shared = (0..rows.len()).fold(shared, |max, row| max.max(self.coarse_enough(row, shared)));
        rows.fill(shared);
    }

    /// The bias of a row in units of its sum, and the sum of the magnitudes of its weights.
    fn sums(&self, row: usize, scale: f32) -> (f64, u32) {
        let (mut all, mut positive, mut sum) = (0, 0, 0);
        for w in self.row(row) {
            let w = i32::from(weight(self.dtype, w, scale));
            all += w.unsigned_abs();
            positive += w.max(0);
            sum += i64::from(w);
        }
        let offset = f64::from(self.offset) * f64::from(scale) * sum as f64;
        let bias = libm::round((f64::from(self.params.biases[row]) + offset) / self.unit(scale));
        if self.last || self.activation.has_table() || row_bound(all, bias as i32, self.bits) {
            return (bias, all);
        }
        // Below this no input makes the unit fire. A unit without weights has a scale at which no more than the limit is
        // needed for its largest output.
        let never = if self.bits == 14 { -128.0 } else { -127.0 } * f64::from(positive);
        let max = if self.has_weights(row) { f64::INFINITY } else { f64::from(ACCUMULATOR_LIMIT - 1) };
        (bias.clamp(never, max), all)
    }

    /// The scale, or the finest coarser one at which the row's sum keeps its bound.
    fn coarse_enough(&self, row: usize, mut scale: f32) -> f32 {
        loop {
            let (bias, sum) = self.sums(row, scale);
            if row_bound(sum, bias as i32, self.bits) {
                return scale;
            }
            // The sum is about proportional to 1 / scale; a little more each time, since rounding may add to it.
            let excess = (127.0 * f64::from(sum) + libm::fabs(bias)) / f64::from(ACCUMULATOR_LIMIT);
            scale *= (excess.max(1.0) * 1.001) as f32;
        }
    }

    /// Writes its weights and biases, and the scale of its inputs.
    fn write(&self, builder: &mut Builder<'_>, rows: &[f32]) {
        builder.scale(self.l, self.input);
        for (row, &scale) in rows.iter().enumerate() {
            for (column, w) in self.row(row).enumerate() {
                builder.weight(self.l, row, column, weight(self.dtype, w, scale));
            }
            builder.bias(self.l, row, self.sums(row, scale).0 as i32);
        }
    }
}

/// Refuses scales of another number of layers, and an input of 0 that is worth something where the clamp makes it 0.
fn check_scales(shape: Shape, scales: &Scales<'_>) -> Result<(), Error> {
    let layers = shape.layers();
    let table = (0..layers - 1).any(|l| shape.activation(l).has_table());
    for (what, given, needed) in [
        ("activation scales", scales.activations.len(), true),
        ("offsets of activations", scales.offsets.len(), table),
        ("steps of sums", scales.sums.len(), table),
    ] {
        if given != layers && (needed || given > 0) {
            return Err(Error::Length { what, expected: layers, actual: given });
        }
    }
    let clamped =
        |&(l, &offset): &(usize, &f32)| l > 0 && offset != 0.0 && !shape.activation(l - 1).has_table();
    match scales.offsets.iter().enumerate().find(clamped) {
        Some((layer, _)) => Err(Error::Offset { layer }),
        None => Ok(()),
    }
}

/// The table of an activation: `sum` is what a step of the sums is worth, `offset` and `scale` say what an output is worth.
fn activation_table(activation: Activation, sum: f32, offset: f32, scale: f32) -> [u8; 256] {
    let mut table = [0; 256];
    for (step, y) in (-128_i16..).zip(&mut table) {
        let mut z = [f64::from(step) * f64::from(sum)];
        naive::activate(activation, &mut z);
        *y = libm::round((z[0] - f64::from(offset)) / f64::from(scale)).clamp(0.0, 127.0) as u8;
    }
    table
}

fn bad_scale(scale: f32) -> bool {
    !(scale.is_finite() && scale > 0.0)
}

/// The multiplier that passes a sum on unchanged.
const UNIT: f64 = (1 << 24) as f64;

/// The integer weight, in the units of the arithmetic, nearest to a real one.
pub fn weight(dtype: Dtype, real: f32, scale: f32) -> i8 {
    let step = if matches!(dtype, Dtype::I4) { 16.0 } else { 1.0 };
    let max = dtype.largest() as f32;
    (libm::roundf(real / scale / step) * step).clamp(-max, max) as i8
}

fn check_rows(shape: Shape, given: usize) -> Result<(), Error> {
    let expected = Scales::rows_of(shape);
    if given == expected {
        Ok(())
    } else {
        Err(Error::Length { what: "row scales", expected, actual: given })
    }
}
