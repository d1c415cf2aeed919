//! What the kernels of a layer are given: its inputs as a list, and its rows four at a time.

use core::cell::Cell;

use super::{ENTRY, last, list, pairs, quad_words};
use crate::format::LayerView;

/// The inputs of a layer, as the kernels read them.
pub(in crate::infer::mcu) struct Inputs<'a> {
    /// For each quad that is not zero {offset of its weights, pair}, and an entry of which [`END`](super::END) is the first word; or for every
    /// quad {pair}.
    pub list: &'a [Cell<u32>],
    /// Whether zeros are left out.
    pub skipping: bool,
    /// The sum of all inputs, 0 where the weights are not biased.
    pub sum: u32,
}

/// What was written of the inputs of a layer to the front of the scratch memory.
pub(in crate::infer::mcu) struct Written {
    words: usize,
    skipping: bool,
    sum: u32,
}

impl Written {
    /// Writes the inputs, the last words of `scratch`, to its front: without the zeros where that fits, and `dense` is not asked
    /// for. `found` quads are not zero.
    #[inline(always)]
    pub fn new<const I4: bool>(
        layer: &LayerView<'_>,
        dense: bool,
        found: usize,
        scratch: &mut [u32],
    ) -> Self {
        let (quads, words) = (layer.inputs().div_ceil(4), scratch.len());
        let free = words.saturating_sub(layer.outputs().div_ceil(4));
        let skipping = 3 * found + 3 <= free && 2 * found + quads <= words && !dense;
        let cells = Cell::from_mut(scratch).as_slice_of_cells();
        let (input, to) = (last(cells, quads), cells.get(..free).unwrap_or_default());
        let (words, sum) = if skipping { list::<I4>(input, to) } else { pairs::<I4>(input, to) };
        // The kernel asks no more whether the end is there.
        Self { words, skipping: skipping && words >= ENTRY, sum }
    }

    /// The inputs, what is free behind them, and the last words, where the outputs go. `None` where there is no room, which
    /// whoever made `scratch` has seen to.
    #[inline(always)]
    pub fn of<'a>(
        &self,
        layer: &LayerView<'_>,
        scratch: &'a mut [u32],
    ) -> Option<(Inputs<'a>, &'a mut [u32], &'a mut [u32])> {
        let at = scratch.len().checked_sub(layer.outputs().div_ceil(4))?;
        let (free, outputs) = scratch.split_at_mut_checked(at)?;
        let (list, free) = free.split_at_mut_checked(self.words)?;
        let list = Cell::from_mut(list).as_slice_of_cells();
        Some((Inputs { list, skipping: self.skipping, sum: self.sum }, free, outputs))
    }
}

/// Rows of a layer, four at a time.
pub(in crate::infer::mcu) struct Rows<'a> {
    /// The weights of all groups of four.
    pub weights: &'a [u32],
    /// Words of the weights of a group.
    pub words: usize,
    /// Little-endian; as many as there are groups.
    pub biases: &'a [[i32; 4]],
}

impl<'a> Rows<'a> {
    /// All rows of a layer.
    #[inline(always)]
    pub fn new<const I4: bool>(layer: &LayerView<'a>) -> Self {
        let (weights, words) = (layer.weight_words(), quad_words::<I4>() * layer.inputs().div_ceil(4));
        let groups = layer.outputs().div_ceil(4);
        let biases = layer.biases().as_chunks().0.get(..groups).unwrap_or_default();
        let biases = if words * groups > weights.len() { &[] } else { biases };
        Self { weights, words, biases }
    }

    /// Leaves out the first groups.
    #[inline(always)]
    pub fn advance(&mut self, groups: usize) {
        self.weights = self.weights.get(groups * self.words..).unwrap_or_default();
        self.biases = self.biases.get(groups..).unwrap_or_default();
    }
}

/// What becomes of the sums of rows with their biases.
pub(in crate::infer::mcu) enum Then<'a, R> {
    /// They are requantized: a byte each, four in a word.
    Outputs(&'a [[R; 4]], &'a mut [u32]),
    /// They are stored.
    Sums(&'a mut [[i32; 4]]),
}
