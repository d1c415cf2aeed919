//! Inference over quads: four inputs in a word, the weights of four rows for them side by side.
//!
//! Everything happens in one caller-provided slice of `R` words:
//!
//! ```text
//! input     the last words are the quads of the layer's inputs; those that are not all zero are counted
//! list      from the front: for each of them {offset of its weights, pair}      three words, if they fit
//!           or for every quad {pair}                                            two words, the dense form
//! rows      four at a time: biases, the kernel over the list, multipliers; each four outputs are one of the last words
//! ```
//!
//! The list may take the place of quads that were read already: an entry of three words never overtakes a quad of one as
//! long as `2n` entries leave the front of the input free, and that is what `fits` says.

use core::cell::Cell;

mod any;
#[cfg(not(any(selvedge_core = "armv7m", selvedge_core = "dsp")))]
mod fours;
mod rows;

pub(super) use any::{inputs, run_any};
#[cfg(any(selvedge_core = "armv7m", selvedge_core = "dsp"))]
pub(super) use rows::{Inputs, Rows, Then};

use crate::format::{Header, LayerView, ModelView, Packing};

#[cfg(not(selvedge_core = "portable"))]
use super::assembly::Assembly as ThisCore;
#[cfg(selvedge_core = "portable")]
use super::pairs::Portable as ThisCore;

pub(super) const PACKING: Packing = ThisCore::PACKING;

/// The offset that ends a list: added to any address, it carries.
pub(super) const END: u32 = u32::MAX;
/// Words of an entry of a list.
pub(super) const ENTRY: usize = 3;

/// Words of the weights of four rows for a quad: of i4, two rows share one.
pub(super) const fn quad_words<const I4: bool>() -> usize {
    if I4 { 2 } else { 4 }
}

/// What differs from core to core.
pub(super) trait Core {
    const PACKING: Packing;
    /// The two words that the kernel wants of four inputs of 0..=127.
    fn pair(quad: u32) -> (u32, u32);
    /// Whether i8 weights are biased, so that [`start`](Self::start) needs the sum of the inputs; i4 always are.
    const SUMS: bool;
    /// An accumulator before the first product; `sum` is that of all inputs, or 0 where weights are not biased.
    fn start(bias: i32, sum: u32) -> u32;
    /// Adds the products of four rows: `list` is `{offset, pair}` for each quad and then an entry of which [`END`] is the
    /// first word.
    fn skipping<const I4: bool>(list: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]);
    /// Adds the products of four rows: `pairs` is `{pair}` for every quad of the rows.
    fn dense<const I4: bool>(pairs: &[Cell<u32>], weights: &[u32], acc: &mut [u32; 4]);
    /// The outputs of four hidden rows, a byte each.
    fn requantize<R: Multiplier>(acc: &[u32; 4], r: &[R; 4]) -> u32;
    /// The same for whoever has code to spare.
    #[cfg(not(any(selvedge_core = "armv7m", selvedge_core = "dsp")))]
    #[inline(always)]
    fn requantize_at_once<R: Multiplier>(acc: &[u32; 4], r: &[R; 4]) -> u32 {
        Self::requantize(acc, r)
    }
    /// The same of rows whose activation is looked up.
    fn look_up<R: Multiplier>(acc: &[u32; 4], r: &[R; 4], table: &[u8; 256]) -> u32;
    /// The logit of a row of the last layer.
    fn logit(acc: u32) -> i32;
}

/// A multiplier as it is stored, little-endian, of 16 or of 32 bits: where 16 are known, the arithmetic is shorter.
pub(super) trait Multiplier: Copy {
    fn value(self) -> u32;
}

impl Multiplier for u16 {
    #[inline(always)]
    fn value(self) -> u32 {
        u16::from_le(self).into()
    }
}

impl Multiplier for u32 {
    #[inline(always)]
    fn value(self) -> u32 {
        u32::from_le(self)
    }
}

/// What the driver keeps of a file: nothing.
pub(super) type Areas = ();

pub(super) const fn areas(_: &Header<'_>) -> Areas {}

/// Runs some layers in `scratch`, whose last words are the pixels; returns the words of the last hidden outputs.
pub(super) fn run<'s, const I4: bool>(
    view: &ModelView<'_>,
    count: usize,
    dense: bool,
    _: &Areas,
    scratch: &'s mut [u32],
    logits: &mut [i32],
) -> &'s [u32] {
    let words = Cell::from_mut(&mut *scratch).as_slice_of_cells();
    let mut outputs = view.header().inputs();
    let mut found = read(view.table(), last(words, outputs.div_ceil(4)));
    for layer in view.layers().take(count) {
        found = rows::<I4>(&layer, dense, found, words, logits);
        outputs = layer.outputs();
    }
    scratch.get(scratch.len().saturating_sub(outputs.div_ceil(4))..).unwrap_or_default()
}

/// The last `n` words.
fn last(words: &[Cell<u32>], n: usize) -> &[Cell<u32>] {
    words.get(words.len().saturating_sub(n)..).unwrap_or_default()
}

/// Turns pixels into inputs, four at a time; returns how many quads are not all zero.
fn read(table: Option<&[u8; 256]>, quads: &[Cell<u32>]) -> usize {
    match table {
        None => replace(quads, |pixels| pixels >> 1 & 0x7f7f_7f7f),
        Some(table) => look_up(table, quads),
    }
}

/// Replaces every pixel by its input. Written out, since a loop over four bytes stays one where code is to be small; a
/// function of its own, so that the path without a table keeps its registers.
#[inline(never)]
fn look_up(table: &[u8; 256], quads: &[Cell<u32>]) -> usize {
    let of = |pixel: u8| table[usize::from(pixel)];
    replace(quads, |pixels| {
        let [a, b, c, d] = pixels.to_le_bytes();
        u32::from_le_bytes([of(a), of(b), of(c), of(d)])
    })
}

/// Replaces every quad; returns how many are not zero then.
#[inline(always)]
fn replace(quads: &[Cell<u32>], by: impl Fn(u32) -> u32) -> usize {
    let mut found = 0;
    for quad in quads {
        let x = by(u32::from_le(quad.get()));
        quad.set(x);
        found += usize::from(x != 0);
    }
    found
}

/// A layer whose inputs, of which `found` quads are not zero, are the last words; its outputs become the last words, and
/// how many of them are not zero is returned. The last layer's go into `logits`. A function of its own, which takes less stack.
#[inline(never)]
fn rows<const I4: bool>(
    layer: &LayerView<'_>,
    dense: bool,
    found: usize,
    words: &[Cell<u32>],
    logits: &mut [i32],
) -> usize {
    let (quads, groups) = (layer.inputs().div_ceil(4), layer.outputs().div_ceil(4));
    let (free, outputs) = words.split_at_checked(words.len().saturating_sub(groups)).unwrap_or_default();
    let fits = 3 * found + 3 <= free.len() && 2 * found + quads <= words.len();
    let skipping = fits && !dense;
    let input = last(words, quads);
    let (len, sum) = if skipping { list::<I4>(input, free) } else { pairs::<I4>(input, free) };
    let list = free.get(..len).unwrap_or_default();
    // The kernel asks no more whether the end is there.
    let skipping = skipping && list.len() >= ENTRY;
    let (mut weights, block) = (layer.weight_words(), quad_words::<I4>() * quads);
    let mut multipliers = layer.multipliers().as_chunks::<4>().0.iter();
    let (mut logits, mut outputs, mut count) = (logits.chunks_mut(4), outputs.iter(), 0);
    let biased = ThisCore::SUMS || I4;
    for &[a, b, c, d] in layer.biases().as_chunks().0 {
        let Some((weights_of, rest)) = weights.split_at_checked(block) else { break };
        weights = rest;
        let start = |bias: i32| ThisCore::start(i32::from_le(bias), if biased { sum } else { 0 });
        let first = [start(a), start(b), start(c), start(d)];
        let mut acc = if I4 { [0; 4] } else { first };
        if skipping {
            ThisCore::skipping::<I4>(list, weights_of, &mut acc);
        } else {
            ThisCore::dense::<I4>(list, weights_of, &mut acc);
        }
        if I4 {
            // A weight is sixteen nibbles.
            acc.iter_mut().zip(first).for_each(|(acc, first)| *acc = (*acc << 4).wrapping_add(first));
        }
        if let Some(multipliers) = multipliers.next() {
            let Some(output) = outputs.next() else { break };
            let quad = ThisCore::requantize(&acc, multipliers);
            output.set(quad);
            count += usize::from(quad != 0);
        } else {
            let logits = logits.next().unwrap_or_default();
            logits.iter_mut().zip(&acc).for_each(|(z, &acc)| *z = ThisCore::logit(acc));
        }
    }
    count
}

/// Writes the list of the quads that are not zero and its end; returns its words and the sum of the inputs.
fn list<const I4: bool>(input: &[Cell<u32>], to: &[Cell<u32>]) -> (usize, u32) {
    let (mut sum, mut offset) = (0, 0);
    let mut entries = to.as_chunks::<ENTRY>().0.iter();
    for quad in input {
        let x = quad.get();
        if x != 0 {
            // Never there: the caller has counted them.
            let Some([at, a, b]) = entries.next() else { break };
            sum += if ThisCore::SUMS || I4 { sum_of(x) } else { 0 };
            let pair = ThisCore::pair(x);
            at.set(offset);
            a.set(pair.0);
            b.set(pair.1);
        }
        offset += 4 * quad_words::<I4>() as u32;
    }
    let used = to.len() / ENTRY - entries.len() + 1;
    if let Some([at, ..]) = entries.next() {
        at.set(END);
    }
    (ENTRY * used, sum)
}

/// Writes the pair of every quad; returns their words and the sum of the inputs.
fn pairs<const I4: bool>(input: &[Cell<u32>], to: &[Cell<u32>]) -> (usize, u32) {
    let (mut len, mut sum) = (0, 0);
    for (quad, entry) in input.iter().zip(to.chunks_exact(2)) {
        if let [a, b] = entry {
            let x = quad.get();
            sum += if ThisCore::SUMS || I4 { sum_of(x) } else { 0 };
            let pair = ThisCore::pair(x);
            a.set(pair.0);
            b.set(pair.1);
            len += 2;
        }
    }
    (len, sum)
}

/// The sum of four inputs.
fn sum_of(quad: u32) -> u32 {
    let halves = (quad & 0x00ff_00ff) + (quad >> 8 & 0x00ff_00ff);
    halves.wrapping_mul(0x0001_0001) >> 16
}
