//! From trained parameters to an integer network.
//!
//! A real activation is `x · scale`, with `x` in 0..=127 and one scale a layer; a real weight is `w · scale`, with one
//! scale a row, except that the last layer has one scale, so that its sums compare as they are. A row's sum is then worth
//! `scale(inputs) · scale(row)` a unit, and its multiplier is that over the scale of the layer's outputs.
//!
//! Two scales give way to what the file guarantees: a row whose sum could reach 2²³ gets a coarser scale, and a layer
//! whose multipliers would pass 16 bits a coarser scale of its outputs. The latter happens where a single product of a
//! full input and a full weight is half the range of an output, in very small networks only; the outputs then still
//! resolve what two such inputs add up to. That bound is a property of the arithmetic and not of a packing, so that
//! packing a file again changes nothing; it lets a core without a long multiplication requantize in two short ones.

use crate::error::Error;
use crate::format::{Builder, Dtype, row_bound};
use crate::shape::{self, Shape};

/// The scales of a network about to be quantized, in lent memory.
#[derive(Debug)]
pub struct Scales<'m> {
    /// What one unit of the inputs of each layer is worth: `layers` values.
    pub activations: &'m mut [f32],
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
            let most = layer.weights.iter().skip(row).step_by(o).fold(0.0f32, |m, w| m.max(w.abs()));
            *scale = if most > 0.0 { most / dtype.largest() as f32 } else { 1.0 };
        }
    }
    Ok(())
}

/// Fills a file of an integer type with the network of `params`, at `scales`, which become what the file uses.
///
/// The scale of the inputs of layer `l > 0` is what an output of the layer before it may reach, divided by 127; weights
/// beyond the largest are clipped. Table, labels and self-test are not touched.
///
/// # Errors
/// [`Error::Length`] for the wrong number of parameters or scales, [`Error::Scale`] where a scale is not a finite number
/// above 0, [`Error::Weight`] where a parameter is not finite, [`Error::Dtype`] for a file of floats.
pub fn quantize(builder: &mut Builder<'_>, params: &[f32], scales: &mut Scales<'_>) -> Result<(), Error> {
    let header = *builder.header();
    let shape = header.shape();
    let dtype = header.dtype();
    if !dtype.is_integer() {
        return Err(Error::Dtype { found: dtype.name() });
    }
    check_rows(shape, scales.rows.len())?;
    let (layers, given) = (shape.layers(), scales.activations.len());
    if given != layers {
        return Err(Error::Length { what: "activation scales", expected: layers, actual: given });
    }
    let mut rest = &mut *scales.rows;
    for (l, params) in shape.split(params)?.into_iter().enumerate() {
        let rows;
        (rows, rest) = rest.split_at_mut(params.biases.len());
        let layer = Layer { l, dtype, input: scales.activations[l], params };
        layer.check(rows)?;
        let unit = |scale: f32| f64::from(layer.input) * f64::from(scale);
        if l + 1 == layers {
            share_largest(rows);
            layer.coarsen(rows);
            share_largest(rows);
            layer.write(builder, rows);
            builder.scale(layers, unit(rows[0]) as f32);
        } else {
            layer.coarsen(rows);
            let output = &mut scales.activations[l + 1];
            let largest = rows.iter().fold(0.0, |m: f64, &s| m.max(unit(s)));
            let least = largest * UNIT / f64::from(u16::MAX);
            if f64::from(*output) < least {
                *output = least as f32 * (1.0 + 2.0 * f32::EPSILON);
            }
            layer.write(builder, rows);
            for (row, &scale) in rows.iter().enumerate() {
                let r = libm::round(unit(scale) / f64::from(*output) * UNIT);
                builder.multiplier(l, row, r as u16);
            }
        }
    }
    Ok(())
}

/// Gives all rows the largest of their scales.
fn share_largest(rows: &mut [f32]) {
    let most = rows.iter().copied().fold(0.0, f32::max);
    rows.fill(most);
}

/// A layer about to be quantized.
struct Layer<'a> {
    /// Which, from 0.
    l: usize,
    dtype: Dtype,
    /// What one unit of its inputs is worth.
    input: f32,
    params: shape::Layer<'a>,
}

impl<'a> Layer<'a> {
    /// Refuses scales and parameters that mean nothing.
    fn check(&self, rows: &[f32]) -> Result<(), Error> {
        let (layer, shape::Layer { weights, biases }) = (self.l, self.params);
        let bad = |s: &f32| !(s.is_finite() && *s > 0.0);
        if bad(&self.input) || rows.iter().any(bad) {
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

    /// Coarsens the scales of rows whose sum would leave its bound.
    fn coarsen(&self, rows: &mut [f32]) {
        for (row, scale) in rows.iter_mut().enumerate() {
            *scale = coarse_enough(self.dtype, self.input, *scale, self.params.biases[row], self.row(row));
        }
    }

    /// Writes its weights and biases, and the scale of its inputs.
    fn write(&self, builder: &mut Builder<'_>, rows: &[f32]) {
        builder.scale(self.l, self.input);
        for (row, &scale) in rows.iter().enumerate() {
            for (column, w) in self.row(row).enumerate() {
                builder.weight(self.l, row, column, weight(self.dtype, w, scale));
            }
            let unit = f64::from(self.input) * f64::from(scale);
            let bias = libm::round(f64::from(self.params.biases[row]) / unit);
            builder.bias(self.l, row, bias as i32);
        }
    }
}

/// The multiplier that passes a sum on unchanged.
const UNIT: f64 = (1 << 24) as f64;

/// The integer weight, in the units of the arithmetic, nearest to a real one.
pub fn weight(dtype: Dtype, real: f32, scale: f32) -> i8 {
    let step = if matches!(dtype, Dtype::I4) { 16.0 } else { 1.0 };
    let most = dtype.largest() as f32;
    (libm::roundf(real / scale / step) * step).clamp(-most, most) as i8
}

/// The scale, or the finest coarser one at which the row's sum keeps its bound.
fn coarse_enough(
    dtype: Dtype,
    input: f32,
    mut scale: f32,
    bias: f32,
    weights: impl Iterator<Item = f32> + Clone,
) -> f32 {
    loop {
        let sum = weights.clone().map(|w| u32::from(weight(dtype, w, scale).unsigned_abs())).sum::<u32>();
        let stored = libm::round(f64::from(bias) / (f64::from(input) * f64::from(scale)));
        if row_bound(sum, stored as i32) {
            return scale;
        }
        // The sum is about proportional to 1 / scale; a little more each time, since rounding may add to it.
        let excess =
            (127.0 * f64::from(sum) + libm::fabs(stored)) / f64::from(crate::format::ACCUMULATOR_LIMIT);
        scale *= (excess.max(1.0) * 1.001) as f32;
    }
}

fn check_rows(shape: Shape, given: usize) -> Result<(), Error> {
    let expected = Scales::rows_of(shape);
    if given == expected {
        Ok(())
    } else {
        Err(Error::Length { what: "row scales", expected, actual: given })
    }
}
