//! Inference over blocks of sixteen inputs and eight rows, for MVE.
//!
//! The caller-provided memory is cut in four: the inputs of even and of odd layers, the list of blocks, and at its end the pixels.
//! A layer's blocks stand without gaps, those that are all zero left out, and the list says where the weights of each
//! are. Codes of an affine map are written where the first layer reads them; of 14 bits the low digits take the place of the
//! pixels, and no block is left out.

mod any;

pub(super) use any::{inputs, run_any};

use super::mve::{self, BLOCK_WORDS, Blocks, Multiplier};
use crate::format::{Header, LayerView, ModelView, Packing};
use crate::infer::profile;

pub(super) const PACKING: Packing = Packing::CortexM55;

/// Words of the inputs of even and odd layers, of the list, and of the pixels.
pub(super) type Areas = [usize; 4];

pub(super) const fn areas(header: &Header<'_>) -> Areas {
    profile::block_areas(header)
}

/// Runs some layers in `scratch`, whose last words are the pixels; returns the words of the last hidden outputs.
pub(super) fn run<'s, const I4: bool>(
    view: &ModelView<'_>,
    count: usize,
    dense: bool,
    &[even, odd, blocks, _]: &Areas,
    scratch: &'s mut [u32],
    logits: &mut [i32],
) -> &'s [u32] {
    let (mut x, rest) = scratch.split_at_mut_checked(even).unwrap_or_default();
    let (mut y, rest) = rest.split_at_mut_checked(odd).unwrap_or_default();
    let (list, pixels) = rest.split_at_mut_checked(blocks).unwrap_or_default();
    let mut found = read::<I4>(view, dense, pixels, x, list);
    let mut layers = view.layers();
    for l in 1..=count {
        let Some(layer) = layers.next() else { break };
        rows::<I4>(&layer, x, list.get(..found).unwrap_or_default(), y, logits);
        if l < count {
            let outputs = layer.outputs().div_ceil(16);
            found = mve::compact::<I4>(!dense, y.get_mut(..BLOCK_WORDS * outputs).unwrap_or_default(), list);
        }
        core::mem::swap(&mut x, &mut y);
    }
    x
}

/// Turns pixels into the blocks of the first layer and lists them; returns how many there are.
fn read<const I4: bool>(
    view: &ModelView<'_>,
    dense: bool,
    pixels: &[u32],
    x: &mut [u32],
    list: &mut [u32],
) -> usize {
    let patched = view.header().image().filter(|(rows, cols)| rows % 4 == 0 && cols % 4 == 0);
    if let Some(size) = patched {
        return mve::patches::<I4>(pixels, size, view.table(), !dense, x, list);
    }
    in_order::<I4>(view, dense, pixels, x, list)
}

/// The same of pixels that stand as in the image. A function of its own, so that the path of patches keeps its registers.
#[inline(never)]
fn in_order<const I4: bool>(
    view: &ModelView<'_>,
    dense: bool,
    pixels: &[u32],
    x: &mut [u32],
    list: &mut [u32],
) -> usize {
    let x = x.get_mut(..BLOCK_WORDS * view.header().inputs().div_ceil(16)).unwrap_or_default();
    x.fill(0);
    let pixels = pixels.iter().flat_map(|w| w.to_le_bytes()).take(view.header().inputs());
    for (x, p) in crate::format::bytes_mut(x).iter_mut().zip(pixels) {
        *x = view.table().map_or(p >> 1, |t| t[usize::from(p)]);
    }
    mve::compact::<I4>(!dense, x, list)
}

/// Words of the weights of eight rows.
fn group_words<const I4: bool>(layer: &LayerView<'_>) -> usize {
    layer.inputs().div_ceil(16) * mve::weights::<I4>() / size_of::<u32>()
}

/// A hidden layer without a table: outputs into `y`, padded with zeros to a whole block.
fn hidden<const I4: bool, R: Multiplier>(
    layer: &LayerView<'_>,
    multipliers: &[R],
    blocks: Blocks<'_>,
    y: &mut [u32],
) {
    let (biases, multipliers) = (layer.biases().as_chunks().0, multipliers.as_chunks().0);
    let y = y.as_chunks_mut().0;
    let groups =
        blocks.hidden::<I4, R>(layer.weight_words(), group_words::<I4>(layer), biases, multipliers, y);
    // An odd number of groups leaves half a block.
    if let Some(half) = y.get_mut(groups) {
        *half = [0; 2];
    }
}

/// A layer: outputs into `y`, padded with zeros to a whole block, or logits.
fn rows<const I4: bool>(layer: &LayerView<'_>, x: &[u32], list: &[u32], y: &mut [u32], logits: &mut [i32]) {
    let blocks = Blocks::new(x, list);
    let (mut weights, words) = (layer.weight_words(), group_words::<I4>(layer));
    if !layer.multipliers().is_empty() {
        return hidden::<I4, u16>(layer, layer.multipliers(), blocks, y);
    }
    for (biases, logits) in layer.biases().as_chunks().0.iter().zip(logits.chunks_mut(8)) {
        let Some((weights_of, rest)) = weights.split_at_checked(words) else { break };
        weights = rest;
        let mut acc = [0; 8];
        blocks.rows::<I4>(weights_of, biases, &mut acc);
        logits.iter_mut().zip(&acc).for_each(|(z, acc)| *z = *acc);
    }
}
