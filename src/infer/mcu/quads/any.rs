//! The kernels over quads for every file: codes in the place of pixels, two digits, tables of activations, outputs one by one.
//!
//! The loops are those of [`quads`](super), kept apart from them, so that the smallest engines hold nothing of this.

use core::cell::Cell;

use super::{Areas, Core, ENTRY, Multiplier, ThisCore, last, list, pairs, quad_words, read, replace};
use crate::format::{Header, LayerView, ModelView};
use crate::infer::kernel::Outputs;
use crate::infer::mcu::any::put;

/// The end of `scratch` as bytes, where the kernels expect the inputs: pixels, or the codes of an affine map; of 14 bits the high
/// digits, with the low ones in the second slice. The words that they do not fill are zero.
pub(in crate::infer::mcu) fn inputs<'s>(
    header: &Header<'_>,
    _: &Areas,
    scratch: &'s mut [u32],
) -> [&'s mut [u8]; 2] {
    let (inputs, digits) = (header.inputs(), if header.input_bits() == 14 { 2 } else { 1 });
    let quads = inputs.div_ceil(4);
    let at = scratch.len().saturating_sub(digits * quads);
    let (high, low) =
        scratch.get_mut(at..).and_then(|words| words.split_at_mut_checked(quads)).unwrap_or_default();
    [high, low].map(|words| {
        words.iter_mut().next_back().into_iter().for_each(|word| *word = 0);
        crate::format::bytes_mut(words).get_mut(..inputs).unwrap_or_default()
    })
}

/// Runs all layers of any file in `scratch`, to whose end its [`inputs`] were written.
pub(in crate::infer::mcu) fn run_any<const I4: bool>(
    view: &ModelView<'_>,
    dense: bool,
    _: &Areas,
    scratch: &mut [u32],
    outputs: &mut Outputs<'_, i32>,
) {
    let header = view.header();
    let words = Cell::from_mut(scratch).as_slice_of_cells();
    let mut digits = header.input_bits() == 14;
    let quads = last(words, header.inputs().div_ceil(4) << u32::from(digits));
    let mut found = match header.input_map().is_affine() {
        true if digits => 0,
        true => replace(quads, |codes| codes),
        false => read(view.table(), quads),
    };
    for layer in view.layers() {
        found = if digits {
            rows_of_digits::<I4>(&layer, words, outputs)
        } else {
            rows::<I4>(&layer, dense, found, words, outputs)
        };
        digits = false;
    }
}

/// A layer whose inputs, of which `found` quads are not zero, are the last words; its outputs become the last words, and
/// how many of them are not zero is returned. The last layer's go into `sink`. A function of its own, which takes less stack.
#[inline(never)]
fn rows<const I4: bool>(
    layer: &LayerView<'_>,
    dense: bool,
    found: usize,
    words: &[Cell<u32>],
    sink: &mut Outputs<'_, i32>,
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
    each_group::<I4>(layer, outputs, sink, |weights, biases| {
        let first = |bias| start::<I4>(i32::from_le(bias), sum);
        let [a, b, c, d] = biases;
        sums::<I4>(skipping, list, weights, [first(a), first(b), first(c), first(d)])
    })
}

/// A first layer of inputs of 14 bits, whose high digits and then whose low digits are the last words; otherwise as [`rows`].
/// Few sensors give zeros, so that both digits take the dense form:
///
/// ```text
/// front     {pair} of every high quad, {pair} of every low quad     four words, which never overtake the quads they are of
/// end       each four outputs
/// ```
#[inline(never)]
fn rows_of_digits<const I4: bool>(
    layer: &LayerView<'_>,
    words: &[Cell<u32>],
    sink: &mut Outputs<'_, i32>,
) -> usize {
    let (quads, groups) = (layer.inputs().div_ceil(4), layer.outputs().div_ceil(4));
    let (_, outputs) = words.split_at_checked(words.len().saturating_sub(groups)).unwrap_or_default();
    let (high, low) = last(words, 2 * quads).split_at_checked(quads).unwrap_or_default();
    let (high_pairs, rest) = words.split_at_checked(2 * quads).unwrap_or_default();
    let low_pairs = rest.get(..2 * quads).unwrap_or_default();
    let (_, high_sum) = pairs::<I4>(high, high_pairs);
    let (_, low_sum) = pairs::<I4>(low, low_pairs);
    each_group::<I4>(layer, outputs, sink, |weights, biases| {
        // The rounding of the low digits takes the place of their bias; what they carry goes to that of the high ones.
        let low = sums::<I4>(false, low_pairs, weights, [start::<I4>(64, low_sum); 4]);
        let first = |bias, low| start::<I4>(i32::from_le(bias) + (ThisCore::logit(low) >> 7), high_sum);
        let ([a, b, c, d], [e, f, g, h]) = (biases, low);
        sums::<I4>(false, high_pairs, weights, [first(a, e), first(b, f), first(c, g), first(d, h)])
    })
}

/// The accumulators of a row before its products, of inputs that add up to `sum`.
#[inline(always)]
fn start<const I4: bool>(bias: i32, sum: u32) -> u32 {
    ThisCore::start(bias, if ThisCore::SUMS || I4 { sum } else { 0 })
}

/// The accumulators of four rows that start from `first`, over a list or over all pairs.
#[inline(always)]
fn sums<const I4: bool>(skipping: bool, list: &[Cell<u32>], weights: &[u32], first: [u32; 4]) -> [u32; 4] {
    let mut acc = if I4 { [0; 4] } else { first };
    if skipping {
        ThisCore::skipping::<I4>(list, weights, &mut acc);
    } else {
        ThisCore::dense::<I4>(list, weights, &mut acc);
    }
    if I4 {
        // A weight is sixteen nibbles.
        acc.iter_mut().zip(first).for_each(|(acc, first)| *acc = (*acc << 4).wrapping_add(first));
    }
    acc
}

/// Takes the rows of a layer four at a time: `sums` makes their accumulators of weights and biases. Returns how many quads of
/// outputs are not zero.
#[inline(always)]
fn each_group<const I4: bool>(
    layer: &LayerView<'_>,
    outputs: &[Cell<u32>],
    sink: &mut Outputs<'_, i32>,
    sums: impl Fn(&[u32], [i32; 4]) -> [u32; 4],
) -> usize {
    let (mut weights, words) = (layer.weight_words(), quad_words::<I4>() * layer.inputs().div_ceil(4));
    let mut multipliers = layer.multipliers().as_chunks::<4>().0.iter();
    let mut wide_multipliers = layer.wide_multipliers().as_chunks::<4>().0.iter();
    let (mut outputs, mut count) = (outputs.iter(), 0);
    for (group, biases) in layer.biases().as_chunks::<4>().0.iter().enumerate() {
        let Some((weights_of, rest)) = weights.split_at_checked(words) else { break };
        weights = rest;
        let acc = sums(weights_of, *biases);
        let quad = if let Some(multipliers) = multipliers.next() {
            activations(&acc, multipliers, layer.table())
        } else if let Some(multipliers) = wide_multipliers.next() {
            activations(&acc, multipliers, layer.table())
        } else {
            put(sink, 4 * group, layer.outputs(), &acc.map(ThisCore::logit));
            continue;
        };
        let Some(output) = outputs.next() else { break };
        output.set(quad);
        count += usize::from(quad != 0);
    }
    count
}

/// The outputs of four hidden rows, a byte each.
#[inline(always)]
fn activations<R: Multiplier>(acc: &[u32; 4], multipliers: &[R; 4], table: Option<&[u8; 256]>) -> u32 {
    match table {
        Some(table) => ThisCore::look_up(acc, multipliers, table),
        None => ThisCore::requantize(acc, multipliers),
    }
}
