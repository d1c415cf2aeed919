//! The kernels over blocks for every file: codes in the place of pixels, two digits, tables of activations, outputs one by one.
//!
//! The loops are those of [`blocks`](super), kept apart from them, so that the smallest engines hold nothing of this.

use super::{Areas, group_words, hidden, read};
use crate::format::{Header, LayerView, ModelView, signed_mut};
use crate::infer::kernel::Outputs;
use crate::infer::mcu::any::put;
use crate::infer::mcu::mve::{self, BLOCK_WORDS, Blocks, Multiplier};

/// Where the kernels expect the inputs: pixels, or the codes of an affine map; of 14 bits the high digits, with the low ones in
/// the second slice. What they do not fill is zero.
pub(in crate::infer::mcu) fn inputs<'s>(
    header: &Header<'_>,
    &[even, odd, blocks, _]: &Areas,
    scratch: &'s mut [u32],
) -> [&'s mut [u8]; 2] {
    let (x, rest) = scratch.split_at_mut_checked(even).unwrap_or_default();
    let rest = rest.get_mut(odd + blocks..).unwrap_or_default();
    let (first, second) = if header.input_map().is_affine() { (x, rest) } else { (rest, Default::default()) };
    [first, second].map(|words| {
        words.fill(0);
        crate::format::bytes_mut(words).get_mut(..header.inputs()).unwrap_or_default()
    })
}

/// Runs all layers of any file in `scratch`, where its [`inputs`] were written.
pub(in crate::infer::mcu) fn run_any<const I4: bool>(
    view: &ModelView<'_>,
    dense: bool,
    &[even, odd, blocks, _]: &Areas,
    scratch: &mut [u32],
    outputs: &mut Outputs<'_, i32>,
) {
    let (mut x, rest) = scratch.split_at_mut_checked(even).unwrap_or_default();
    let (mut y, rest) = rest.split_at_mut_checked(odd).unwrap_or_default();
    let (list, made_of) = rest.split_at_mut_checked(blocks).unwrap_or_default();
    let header = view.header();
    let digits = header.input_bits() == 14;
    let mut low: &[u32] = &[];
    let mut found = if header.input_map().is_affine() {
        let inputs = header.inputs().div_ceil(16);
        low = made_of;
        mve::compact::<I4>(!dense && !digits, x.get_mut(..BLOCK_WORDS * inputs).unwrap_or_default(), list)
    } else {
        read::<I4>(view, dense, made_of, x, list)
    };
    for layer in view.layers() {
        rows::<I4>(&layer, x, low, list.get(..found).unwrap_or_default(), y, outputs);
        if layer.is_requantized() {
            let outputs = layer.outputs().div_ceil(16);
            found = mve::compact::<I4>(!dense, y.get_mut(..BLOCK_WORDS * outputs).unwrap_or_default(), list);
        }
        low = &[];
        core::mem::swap(&mut x, &mut y);
    }
}

/// A layer: outputs into `y`, padded with zeros to a whole block, or into `sink`. `low` are the blocks of the low digits where
/// there are any, as many as those of the high ones in `x`.
fn rows<const I4: bool>(
    layer: &LayerView<'_>,
    x: &[u32],
    low: &[u32],
    list: &[u32],
    y: &mut [u32],
    sink: &mut Outputs<'_, i32>,
) {
    let (blocks, low_blocks) = (Blocks::new(x, list), Blocks::new(low, list));
    if layer.is_requantized() && low.is_empty() && layer.table().is_none() {
        return match layer.wide_multipliers() {
            [] => hidden::<I4, u16>(layer, layer.multipliers(), blocks, y),
            wide => hidden::<I4, u32>(layer, wide, blocks, y),
        };
    }
    if !layer.is_requantized() && low.is_empty() {
        return last::<I4>(layer, blocks, y, sink);
    }
    let (mut weights, words) = (layer.weight_words(), group_words::<I4>(layer));
    let mut multipliers = layer.multipliers().as_chunks().0.iter();
    let mut wide_multipliers = layer.wide_multipliers().as_chunks().0.iter();
    let mut y = y.as_chunks_mut().0.iter_mut();
    let mut acc = [0; 8];
    for (group, biases) in layer.biases().as_chunks().0.iter().enumerate() {
        let Some((weights_of, rest)) = weights.split_at_checked(words) else { break };
        weights = rest;
        if !low.is_empty() {
            // The rounding of the low digits takes the place of their bias.
            low_blocks.rows::<I4>(weights_of, &[64; 8], &mut acc);
            let mut first = [0; 8];
            mve::carry(&acc, biases, &mut first);
            blocks.rows::<I4>(weights_of, &first, &mut acc);
        } else {
            blocks.rows::<I4>(weights_of, biases, &mut acc);
        }
        if !layer.is_requantized() {
            put(sink, 8 * group, layer.outputs(), &acc);
            continue;
        }
        let Some(out) = y.next() else { break };
        if let Some(multipliers) = multipliers.next() {
            u16::activations(&acc, multipliers, layer.table(), out);
        } else if let Some(multipliers) = wide_multipliers.next() {
            u32::activations(&acc, multipliers, layer.table(), out);
        }
    }
    // An odd number of groups leaves half a block.
    if let Some(half) = y.next() {
        *half = [0; 2];
    }
}

/// The last layer, as many rows at a time as `free` has room for the sums of.
fn last<const I4: bool>(
    layer: &LayerView<'_>,
    blocks: Blocks<'_>,
    free: &mut [u32],
    sink: &mut Outputs<'_, i32>,
) {
    let mut one = [[0; 8]];
    let sums = match signed_mut(free).as_chunks_mut().0 {
        [] => &mut one[..],
        sums => sums,
    };
    let (mut weights, words) = (layer.weight_words(), group_words::<I4>(layer));
    let groups = layer.outputs().div_ceil(8);
    let (mut biases, mut first) = (layer.biases().as_chunks().0.get(..groups).unwrap_or_default(), 0);
    while !biases.is_empty() {
        blocks.sums::<I4>(weights, words, biases, sums);
        put(sink, first, layer.outputs(), sums.as_flattened());
        first += 8 * sums.len();
        weights = weights.get(words * sums.len()..).unwrap_or_default();
        biases = biases.get(sums.len()..).unwrap_or_default();
    }
}
