//! The layers of a checked file, one after the other where they lie.

use super::Dtype;
use super::header::LayerList;
use super::layout::{LayerSpans, Span};
use super::row_bound;
use super::weight_layout::WeightLayout;
use super::words::{bytes, halves, signed};
use crate::error::Error;

/// The largest multiplier: a core that multiplies signed words reads it as it is.
pub const MAX_MULTIPLIER: u32 = i32::MAX as u32;

/// The parts of a layer as they are stored.
// In this order the loops over its rows take the fewest instructions.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct LayerView<'a> {
    weights: &'a [u32],
    biases: &'a [u32],
    multipliers: &'a [u32],
    layout: WeightLayout,
    table: Option<&'a [u8; 256]>,
    wide_multipliers: &'a [u32],
}

/// The layers of a file, the first first. Each is found where the one before it ends.
#[derive(Debug, Clone)]
pub struct Layers<'a> {
    pub(super) list: LayerList<'a>,
    /// How many were returned.
    pub(super) done: usize,
    /// What follows them.
    pub(super) rest: &'a [u32],
}

impl<'a> Iterator for Layers<'a> {
    type Item = LayerView<'a>;

    // One copy for the checks and for every kernel: inlined, it would double the code of an inference.
    #[inline(never)]
    fn next(&mut self) -> Option<LayerView<'a>> {
        let (l, count) = (self.done, self.list.count as usize);
        if l >= count {
            return None;
        }
        let layout = self.list.weight_layout(l);
        // The sections follow one another, and an inference walks over them: their lengths are enough.
        let (multiplier, table) = self.list.parts(l);
        let spans = LayerSpans::new(&layout, multiplier, table, 0);
        let mut rest = self.rest;
        let mut take = |span: Span| {
            let (section, after) = rest.split_at_checked(span.padded() / size_of::<u32>())?;
            rest = after;
            Some(section)
        };
        let mut layer = LayerView {
            layout,
            weights: take(spans.weights)?,
            biases: take(spans.biases)?,
            multipliers: take(spans.multipliers)?,
            table: if spans.table.len > 0 { bytes(take(spans.table)?).first_chunk() } else { None },
            wide_multipliers: &[],
        };
        if multiplier == size_of::<u32>() {
            core::mem::swap(&mut layer.multipliers, &mut layer.wide_multipliers);
        }
        self.rest = rest;
        self.done = l + 1;
        Some(layer)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.list.count as usize - self.done;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Layers<'_> {}

impl<'a> LayerView<'a> {
    /// Where the weights lie.
    pub const fn weight_layout(&self) -> &WeightLayout {
        &self.layout
    }

    /// Inputs of the layer.
    pub const fn inputs(&self) -> usize {
        self.layout.inputs
    }

    /// Outputs of the layer.
    pub const fn outputs(&self) -> usize {
        self.layout.outputs
    }

    /// The weights as stored.
    pub fn weights(&self) -> &'a [u8] {
        bytes(self.weights).get(..self.layout.bytes()).unwrap_or_default()
    }

    /// The same as words, with the padding after them.
    #[inline]
    pub(crate) const fn weight_words(&self) -> &'a [u32] {
        self.weights
    }

    /// The integer weight `(row, column)`: an i8 as it is, sixteen times an i4.
    #[inline]
    pub const fn weight(&self, row: usize, column: usize) -> i32 {
        self.layout.weight(bytes(self.weights), row, column)
    }

    /// The stored biases of the integer types, little-endian, zeros for the rows of padding and to the section's end.
    #[inline]
    pub const fn biases(&self) -> &'a [i32] {
        signed(self.biases)
    }

    /// The integer bias of a row.
    #[inline]
    pub fn bias(&self, row: usize) -> i32 {
        self.biases().get(row).map_or(0, |&b| i32::from_le(b))
    }

    /// The float bias of a row.
    #[inline]
    pub fn float_bias(&self, row: usize) -> f32 {
        f32::from_bits(self.bias(row) as u32)
    }

    /// Whether its outputs are the inputs of another layer of integers, so that it has multipliers.
    #[inline]
    pub const fn is_requantized(&self) -> bool {
        !(self.multipliers.is_empty() && self.wide_multipliers.is_empty())
    }

    /// The stored multipliers of 16 bits, little-endian, zeros for the rows of padding and to the section's end; none in the
    /// last layer and where they are [wide](Self::wide_multipliers).
    #[inline]
    pub const fn multipliers(&self) -> &'a [u16] {
        halves(self.multipliers)
    }

    /// The same of 32 bits, below 2³¹; none where they have 16.
    #[inline]
    pub const fn wide_multipliers(&self) -> &'a [u32] {
        self.wide_multipliers
    }

    /// The multiplier of a row.
    #[inline]
    pub fn multiplier(&self, row: usize) -> u32 {
        match self.wide_multipliers {
            [] => self.multipliers().get(row).map_or(0, |&r| u16::from_le(r).into()),
            wide => wide.get(row).map_or(0, |&r| u32::from_le(r)),
        }
    }

    /// The table of the activation: what a hidden output becomes whose sum is -128, -127, .. 127 steps; `None` where the clamp
    /// to 0..=127 is the activation.
    #[inline]
    pub const fn table(&self) -> Option<&'a [u8; 256]> {
        self.table
    }

    /// The float weight `(row, column)`.
    #[inline]
    pub fn float_weight(&self, row: usize, column: usize) -> f32 {
        let at = self.layout.byte(row, column);
        let bytes = self.weights().get(at..).unwrap_or_default();
        match self.layout.dtype {
            Dtype::F32 => bytes.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b)),
            Dtype::F16 => bytes.first_chunk().map_or(0.0, |b| half::f16::from_le_bytes(*b).to_f32()),
            Dtype::Bf16 => bytes.first_chunk().map_or(0.0, |b| half::bf16::from_le_bytes(*b).to_f32()),
            Dtype::I8 | Dtype::I4 => self.weight(row, column) as f32,
        }
    }

    /// Whether the numbers of layer `l`, of inputs of `bits` bits, are such that no sum overflows, and those of the padding are
    /// 0: kernels compute with them.
    pub(super) fn check(&self, l: usize, bits: u32) -> Result<(), Error> {
        if self.table.is_some_and(|table| table.iter().any(|&y| y > 127)) {
            return Err(Error::ActivationTable { layer: l });
        }
        let min = match self.layout.dtype {
            Dtype::I8 => -127,
            Dtype::I4 => -112,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => return self.check_floats(l),
        };
        for row in 0..self.layout.rows() {
            let real = row < self.outputs();
            let mut sum = 0;
            for column in 0..self.layout.columns() {
                let w = self.weight(row, column);
                if w < min || w != 0 && !(real && column < self.inputs()) {
                    return Err(Error::Weight { layer: l, row, column });
                }
                sum += w.unsigned_abs();
            }
            let zero = self.bias(row) == 0 && self.multiplier(row) == 0;
            if !row_bound(sum, self.bias(row), bits) || !(real || zero) {
                return Err(Error::RowBound { layer: l, row });
            }
            if self.multiplier(row) > MAX_MULTIPLIER {
                return Err(Error::Multiplier { layer: l, row });
            }
        }
        Ok(())
    }

    fn check_floats(&self, l: usize) -> Result<(), Error> {
        for row in 0..self.outputs() {
            for column in 0..self.inputs() {
                if !self.float_weight(row, column).is_finite() {
                    return Err(Error::Weight { layer: l, row, column });
                }
            }
            if !self.float_bias(row).is_finite() {
                return Err(Error::RowBound { layer: l, row });
            }
        }
        Ok(())
    }
}
