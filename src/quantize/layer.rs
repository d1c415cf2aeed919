//! One layer on its way to integers: the scales that keep its bounds, and its rows.

use super::{UNIT, bad_scale, weight};
use crate::activation::Activation;
use crate::error::Error;
use crate::format::{ACCUMULATOR_LIMIT, Builder, Dtype, row_bound};
use crate::shape::{self, Shape};

/// A layer about to be quantized.
pub(super) struct Layer<'a> {
    /// Which, from 0.
    pub l: usize,
    /// Whether its outputs are the logits.
    pub last: bool,
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
    /// Layer `l`, whose inputs of `input` a unit and 0 for `offset` have `bits` bits in the first layer.
    pub fn new(
        shape: Shape,
        l: usize,
        params: shape::Layer<'a>,
        (dtype, bits): (Dtype, u32),
        [input, offset]: [f32; 2],
    ) -> Self {
        let (last, activation) = (l + 1 == shape.layers(), shape.activation(l));
        let bits = if l == 0 { bits } else { 7 };
        Self { l, last, activation, dtype, input, offset, bits, params }
    }

    /// Refuses scales and parameters that mean nothing.
    pub fn check(&self, rows: &[f32]) -> Result<(), Error> {
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
    pub fn unit(&self, scale: f32) -> f64 {
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

    /// The finest scale of the outputs of a hidden layer at which no multiplier passes `limit`; the scales of its rows need not
    /// keep their bound yet.
    pub fn finest_output(&self, rows: &[f32], limit: u32) -> f64 {
        let rows = rows.iter().enumerate().filter(|&(row, _)| self.has_weights(row));
        let largest = rows.fold(0.0f32, |max, (row, &scale)| max.max(self.coarse_enough(row, scale)));
        self.unit(largest) * UNIT / f64::from(limit)
    }

    /// The scales of a hidden layer's rows, coarsened to their bound, and the scale of its outputs, raised where a
    /// multiplier would pass `limit`.
    pub fn scale_rows(&self, rows: &mut [f32], output: f32, limit: u32) -> f32 {
        for (row, scale) in rows.iter_mut().enumerate().filter(|&(row, _)| self.has_weights(row)) {
            *scale = self.coarse_enough(row, *scale);
        }
        let min = self.unit(self.largest(rows)) * UNIT / f64::from(limit);
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
    pub fn share_scale(&self, rows: &mut [f32]) {
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
    pub fn write(&self, builder: &mut Builder<'_>, rows: &[f32]) {
        builder.scale(self.l, self.input);
        for (row, &scale) in rows.iter().enumerate() {
            for (column, w) in self.row(row).enumerate() {
                builder.weight(self.l, row, column, weight(self.dtype, w, scale));
            }
            builder.bias(self.l, row, self.sums(row, scale).0 as i32);
        }
    }
}
