//! The records of a file's layers, where they lie.

use super::RECORD_BYTES;
use crate::activation::Activation;
use crate::format::fields::{byte, half};
use crate::format::layout::LayerSpans;
use crate::format::version2::WIDE_MULTIPLIER_BITS;
use crate::format::weight_layout::WeightLayout;
use crate::format::{Dtype, Packing};

/// The layers as they stand in the header: every `stride` bytes the inputs and outputs of one, a u16 each. Version 1
/// stores the widths one after another, so that a layer's outputs are the inputs of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) struct LayerList<'a> {
    pub widths: &'a [u8],
    /// Bytes: every copy of this lies on a microcontroller's stack.
    pub stride: u8,
    pub count: u8,
    pub dtype: Dtype,
    pub packing: Packing,
    /// Inputs of the first layer, at hand for every inference.
    pub first: u16,
    /// Columns of an image whose 4×4 patches the first layer's inputs are reordered into, else 0.
    pub patch_cols: u16,
    /// Whether any layer has the table of its activation or wide multipliers: one question to most files, at every layer of
    /// every inference.
    pub special: bool,
}

impl LayerList<'_> {
    #[inline]
    pub const fn inputs(&self, l: usize) -> usize {
        half(self.widths, l * self.stride as usize) as usize
    }

    #[inline]
    pub const fn outputs(&self, l: usize) -> usize {
        half(self.widths, l * self.stride as usize + 2) as usize
    }

    /// Version 1 knows ReLU only.
    #[inline]
    pub const fn activation(&self, l: usize) -> Activation {
        if l + 1 >= self.count as usize {
            return Activation::Identity;
        }
        match Activation::from_code(byte(self.widths, l * RECORD_BYTES + 5), true, 0) {
            Ok(activation) if self.stride as usize == RECORD_BYTES => activation,
            _ => Activation::Relu,
        }
    }

    /// Whether a hidden layer has the table of its activation, by the code alone.
    #[inline]
    pub const fn has_table(&self, l: usize) -> bool {
        const CLAMP: u8 = Activation::Relu.code();
        let code = byte(self.widths, l * RECORD_BYTES + 5);
        self.dtype.is_integer() && self.stride as usize == RECORD_BYTES && code != CLAMP
    }

    /// Whether the multipliers of a hidden layer have 32 bits. Version 1 has 16 in all.
    #[inline]
    pub const fn is_wide(&self, l: usize) -> bool {
        let bits = byte(self.widths, l * RECORD_BYTES + 6);
        self.stride as usize == RECORD_BYTES && bits == WIDE_MULTIPLIER_BITS
    }

    /// Bytes of a multiplier of layer `l`, 0 where it has none, and whether it has the table of its activation. Inlined where an
    /// inference walks over the layers: a call would take three times the instructions.
    #[inline(always)]
    pub const fn parts(&self, l: usize) -> (usize, bool) {
        if l + 1 >= self.count as usize || !self.dtype.is_integer() {
            return (0, false);
        }
        if !self.special {
            return (size_of::<u16>(), false);
        }
        // Only records make a file special.
        let record = l * RECORD_BYTES;
        let wide = byte(self.widths, record + 6) == WIDE_MULTIPLIER_BITS;
        let multiplier = if wide { size_of::<u32>() } else { size_of::<u16>() };
        (multiplier, byte(self.widths, record + 5) != Activation::Relu.code())
    }

    /// The spans of layer `l`, whose weights start at `at`.
    #[inline]
    pub const fn spans(&self, l: usize, at: usize) -> LayerSpans {
        let (multiplier, table) = self.parts(l);
        LayerSpans::new(&self.weight_layout(l), multiplier, table, at)
    }

    #[inline]
    pub const fn weight_layout(&self, l: usize) -> WeightLayout {
        WeightLayout {
            dtype: self.dtype,
            packing: self.packing,
            inputs: self.inputs(l),
            outputs: self.outputs(l),
            patch_cols: if l == 0 { self.patch_cols } else { 0 },
        }
    }
}
