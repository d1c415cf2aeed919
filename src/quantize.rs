//! From trained parameters to an integer network.
//!
//! A real activation is `x · scale`, with `x` in 0..=127 and one scale a layer; a real weight is `w · scale`, with one
//! scale a row, except that the last layer has one scale, so that its sums compare as they are. A row's sum is then worth
//! `scale(inputs) · scale(row)` a unit, and its multiplier is that over the scale of the layer's outputs.
//!
//! Two scales are coarsened to keep the bounds that a file guarantees: a row whose sum could reach 2²³ gets a coarser scale, and a layer
//! whose multipliers would pass their width a coarser scale of its outputs. With 16 bits that happens where a single product of
//! a full input and a full weight is half the range of an output: in very small networks, and in deep narrow ones, whose sums
//! cancel. [`with_wide_multipliers`] therefore gives the layers that need it multipliers of 32 bits, which cost two bytes a row,
//! and a few instructions on cores without a long multiplication. The bounds are a property of the arithmetic and not of a
//! packing, so that packing a file again changes nothing.
//!
//! Where code 0 does not stand for zero (inputs of either sign, and hidden layers whose activation is looked up), the real
//! activation is `offset + x · scale`, and what the offset adds to a row, `offset · Σw`, is folded into its bias: the arithmetic
//! knows no zero points. The table of an activation has an entry for each of 256 steps of the sums. Leaky ReLU is looked up
//! too: a second multiplier would resolve its negative side no finer than the seven bits of the outputs.
//!
//! Rows without weights do not influence scales. A row without weights, as structured pruning leaves it, has no scale of its
//! own, and a bias so negative that its hidden unit never fires is cut to where it just does not: the outputs are the same,
//! and the other rows keep their resolution.

mod layer;

use core::ops::Range;

use crate::activation::Activation;
use crate::error::Error;
use crate::format::{Builder, Dtype, HeaderBuf, MAX_LAYERS, MAX_MULTIPLIER};
use crate::naive;
use crate::shape::Shape;
use layer::Layer;

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

    /// What one unit of the inputs of layer `l` is worth, and an input of 0.
    fn input(&self, l: usize) -> [f32; 2] {
        [self.activations[l], self.offsets.get(l).copied().unwrap_or(0.0)]
    }

    /// What one unit of the outputs of hidden layer `l` is worth: a step of its sums, where its activation is looked up.
    fn output(&self, shape: Shape, l: usize) -> Result<f32, Error> {
        let table = shape.activation(l).has_table();
        let scale = if table { self.sums.get(l) } else { self.activations.get(l + 1) };
        scale.copied().ok_or(Error::Scale { layer: l })
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

/// How many times as coarse the outputs of the worst layer may become by multipliers of 16 bits, before the layers that are any
/// coarser get 32: the smallest engines know no others.
const COARSER: f64 = 2.0;

/// The header with multipliers of 32 bits in the layers whose outputs 16 bits would make coarser than `scales` ask, if one of them
/// would become more than twice as coarse: below that nothing is lost that a test could tell from chance.
///
/// # Errors
/// As [`quantize`].
pub fn with_wide_multipliers(
    header: HeaderBuf,
    params: &[f32],
    scales: &Scales<'_>,
) -> Result<HeaderBuf, Error> {
    let of = header.header();
    if !of.dtype().is_integer() {
        return Err(Error::Dtype { found: of.dtype().name() });
    }
    let (shape, kind) = (of.shape()?, (of.dtype(), of.input_bits()));
    check_rows(shape, scales.rows.len())?;
    check_scales(shape, scales)?;
    let mut coarser = [0.0; MAX_LAYERS];
    let mut rest = &*scales.rows;
    for (l, params) in shape.split(params)?.into_iter().enumerate() {
        let rows;
        (rows, rest) = rest.split_at(params.biases.len());
        if l + 1 < shape.layers() {
            let layer = Layer::new(shape, l, params, kind, scales.input(l));
            layer.check(rows)?;
            coarser[l] = layer.finest_output(rows, u16::MAX.into()) / f64::from(scales.output(shape, l)?);
        }
    }
    let allowed = if coarser.iter().all(|&times| times <= COARSER) { COARSER } else { 1.0 };
    let wide = (0..shape.layers()).filter(|&l| coarser[l] > allowed);
    Ok(wide.fold(header.clone(), HeaderBuf::with_wide_multipliers))
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
    let (shape, of) = (header.shape()?, (header.dtype(), header.input_bits()));
    if !header.dtype().is_integer() {
        return Err(Error::Dtype { found: header.dtype().name() });
    }
    check_rows(shape, scales.rows.len())?;
    check_scales(shape, scales)?;
    let mut first = 0;
    for (l, params) in shape.split(params)?.into_iter().enumerate() {
        let layer = Layer::new(shape, l, params, of, scales.input(l));
        let rows = first..first + params.biases.len();
        first = rows.end;
        layer.check(&scales.rows[rows.clone()])?;
        if layer.last {
            last_layer(builder, &layer, &mut scales.rows[rows])?;
        } else {
            hidden_layer(builder, shape, &layer, scales, rows)?;
        }
    }
    Ok(())
}

/// Writes the last layer and the scale of the logits.
fn last_layer(builder: &mut Builder<'_>, layer: &Layer<'_>, rows: &mut [f32]) -> Result<(), Error> {
    layer.share_scale(rows);
    layer.write(builder, rows);
    let logit = layer.unit(rows[0]) as f32;
    if bad_scale(logit) {
        return Err(Error::Scale { layer: layer.l });
    }
    builder.scale(layer.l + 1, logit);
    Ok(())
}

/// Writes a hidden layer, `rows` of all rows, and sets the scale of its outputs.
fn hidden_layer(
    builder: &mut Builder<'_>,
    shape: Shape,
    layer: &Layer<'_>,
    scales: &mut Scales<'_>,
    rows: Range<usize>,
) -> Result<(), Error> {
    let l = layer.l;
    let limit = if builder.header().has_wide_multipliers(l) { MAX_MULTIPLIER } else { u16::MAX.into() };
    let output = scales.output(shape, l)?;
    let output = layer.scale_rows(&mut scales.rows[rows.clone()], output, limit);
    if bad_scale(output) {
        return Err(Error::Scale { layer: l });
    }
    let activation = shape.activation(l);
    if activation.has_table() {
        scales.sums[l] = output;
        let [scale, offset] = scales.input(l + 1);
        if bad_scale(scale) || !offset.is_finite() {
            return Err(Error::Scale { layer: l + 1 });
        }
        builder.activation_table(l, &activation_table(activation, output, offset, scale));
    } else {
        scales.activations[l + 1] = output;
    }
    let rows = &scales.rows[rows];
    layer.write(builder, rows);
    for (row, &scale) in rows.iter().enumerate() {
        let r = libm::round(layer.unit(scale) / f64::from(output) * UNIT);
        builder.multiplier(l, row, r as u32);
    }
    Ok(())
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
