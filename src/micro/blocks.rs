//! Inference over blocks of sixteen inputs and eight rows, for MVE.
//!
//! The lent memory is cut in four: the inputs of even and of odd layers, the list of blocks, and at its end the pixels.
//! A layer's blocks stand without gaps, those that are all zero left out, and the list says where the weights of each
//! are.

use super::mve::{self, BLOCK, WEIGHTS};
use super::sizes;
use crate::format::{Image, Packing, Stored};

pub(super) const PACKING: Packing = Packing::CortexM55;

/// Runs a file in `scratch`, whose last words are the pixels.
pub(super) fn run(image: &Image<'_>, dense: bool, scratch: &mut [u32], logits: &mut [i32]) {
    layers(image, image.layers(), dense, scratch, logits);
}

/// Runs all layers but the last; returns the words of its inputs.
pub(super) fn features<'s>(image: &Image<'_>, dense: bool, scratch: &'s mut [u32]) -> &'s [u32] {
    let Some((output, hidden)) = image.layers().split_last() else { return &[] };
    let x = layers(image, hidden, dense, scratch, &mut []);
    x.get(..output.inputs().div_ceil(4)).unwrap_or_default()
}

/// Runs some layers; returns the outputs of the last of them if it is hidden.
fn layers<'s>(
    image: &Image<'_>,
    layers: &[Stored<'_>],
    dense: bool,
    scratch: &'s mut [u32],
    logits: &mut [i32],
) -> &'s [u32] {
    let [even, odd, blocks, _] = sizes::areas(image.header());
    let (mut x, rest) = scratch.split_at_mut_checked(even).unwrap_or_default();
    let (mut y, rest) = rest.split_at_mut_checked(odd).unwrap_or_default();
    let (list, pixels) = rest.split_at_mut_checked(blocks).unwrap_or_default();
    let mut found = read(image, dense, pixels, x, list);
    for (l, layer) in layers.iter().enumerate() {
        rows(layer, x, list.get(..found).unwrap_or_default(), y, logits);
        if l + 1 < layers.len() {
            let outputs = layer.outputs().div_ceil(16);
            found = compact(dense, y.get_mut(..BLOCK * outputs).unwrap_or_default(), list);
        }
        core::mem::swap(&mut x, &mut y);
    }
    x
}

/// Turns pixels into the blocks of the first layer and lists them; returns how many there are.
fn read(image: &Image<'_>, dense: bool, pixels: &[u32], x: &mut [u32], list: &mut [u32]) -> usize {
    let patched = image.header().image().filter(|(rows, cols)| rows % 4 == 0 && cols % 4 == 0);
    if let Some(size) = patched {
        return mve::patches(pixels, size, image.table(), !dense, x, list);
    }
    x.fill(0);
    let pixels = pixels.iter().flat_map(|w| w.to_le_bytes()).take(image.header().shape().inputs());
    for (x, p) in crate::format::bytes_mut(x).iter_mut().zip(pixels) {
        *x = image.table().map_or(p >> 1, |t| t[usize::from(p)]);
    }
    compact(dense, x, list)
}

/// Moves the blocks that are not all zero to the front and lists them; returns how many there are.
fn compact(dense: bool, x: &mut [u32], list: &mut [u32]) -> usize {
    let blocks = core::cell::Cell::from_mut(x).as_slice_of_cells();
    let mut kept = blocks.chunks_exact(BLOCK).zip(list);
    let mut found = 0;
    for (block, offset) in blocks.chunks_exact(BLOCK).zip((0..).step_by(WEIGHTS)) {
        if (dense || block.iter().any(|x| x.get() != 0))
            && let Some((to, entry)) = kept.next()
        {
            to.iter().zip(block).for_each(|(to, x)| to.set(x.get()));
            *entry = offset;
            found += 1;
        }
    }
    found
}

/// A layer: outputs into `y`, with zeros behind the last to a whole block, or logits.
fn rows(layer: &Stored<'_>, x: &[u32], list: &[u32], y: &mut [u32], logits: &mut [i32]) {
    let words = crate::format::words::<u32>(layer.weights()).unwrap_or_default();
    let blocks = words.chunks_exact((layer.inputs().div_ceil(16) * WEIGHTS / 4).max(1));
    let mut multipliers = layer.multipliers().chunks_exact(8);
    let (mut logits, mut y) = (logits.chunks_mut(8), y.chunks_exact_mut(2));
    let mut acc = [0; 8];
    for (weights, biases) in blocks.zip(layer.biases().chunks_exact(8)) {
        let Some(biases) = biases.first_chunk() else { break };
        mve::rows(x, list, weights, biases, &mut acc);
        if let Some(multipliers) = multipliers.next().and_then(|m| m.first_chunk()) {
            if let Some(out) = y.next().and_then(|y| y.first_chunk_mut()) {
                mve::requantize(&acc, multipliers, out);
            }
        } else {
            let logits = logits.next().unwrap_or_default();
            logits.iter_mut().zip(&acc).for_each(|(z, acc)| *z = *acc);
        }
    }
    // An odd number of groups leaves half a block.
    if let Some(half) = y.next() {
        half.fill(0);
    }
}
