//! The kernels over quads for every file: codes in the place of pixels, two digits, tables of activations, outputs one by one.
//!
//! Kept apart from [`quads`](super), so that the smallest engines hold nothing of this.

use core::cell::Cell;

#[cfg(not(any(selvedge_core = "armv7m", selvedge_core = "dsp")))]
use super::fours::layer as compute;
use super::rows::{Inputs, Rows, Then, Written};
use super::{Areas, Core, Multiplier, ThisCore, last, pairs, read, replace};
use crate::format::{Header, LayerView, ModelView, signed_mut};
use crate::infer::kernel::Outputs;
use crate::infer::mcu::any::put;
#[cfg(any(selvedge_core = "armv7m", selvedge_core = "dsp"))]
use crate::infer::mcu::layer::layer as compute;

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
    let mut digits = header.input_bits() == 14;
    let words = Cell::from_mut(&mut *scratch).as_slice_of_cells();
    let quads = last(words, header.inputs().div_ceil(4) << u32::from(digits));
    let mut found = match header.input_map().is_affine() {
        true if digits => 0,
        true => replace(quads, |codes| codes),
        false => read(view.table(), quads),
    };
    let mut layers = view.layers();
    // By reference: a copy of the layer would take more stack.
    while let Some(layer) = &layers.next() {
        if digits {
            found = rows_of_digits::<I4>(layer, scratch, outputs);
            digits = false;
            continue;
        }
        let written = Written::new::<I4>(layer, dense, found, scratch);
        if !layer.is_requantized() {
            return last_layer::<I4>(layer, &written, scratch, outputs);
        }
        let hidden = if layer.table().is_some() { looked_up::<I4> } else { hidden::<I4> };
        found = hidden(layer, &written, scratch);
    }
}

/// A hidden layer without a table; its outputs become the last words, and how many of them are not zero is returned. This and
/// the next are functions of their own, which takes less stack.
#[inline(never)]
fn hidden<const I4: bool>(layer: &LayerView<'_>, written: &Written, scratch: &mut [u32]) -> usize {
    let Some((inputs, _, outputs)) = written.of(layer, scratch) else { return 0 };
    let rows = Rows::new::<I4>(layer);
    match layer.wide_multipliers() {
        [] => compute::<I4, u16>(&inputs, &rows, Then::Outputs(layer.multipliers().as_chunks().0, outputs)),
        wide => compute::<I4, u32>(&inputs, &rows, Then::Outputs(wide.as_chunks().0, outputs)),
    }
}

/// The same of a layer with a table.
#[inline(never)]
fn looked_up<const I4: bool>(layer: &LayerView<'_>, written: &Written, scratch: &mut [u32]) -> usize {
    let Some((inputs, _, outputs)) = written.of(layer, scratch) else { return 0 };
    let (mut rows, mut first, mut count) = (Rows::new::<I4>(layer), 0, 0);
    let mut to = [[0; 4]; PIECE];
    while !rows.biases.is_empty() {
        sums::<I4>(&inputs, &rows, &mut to);
        count += finish(layer, first, &to, outputs);
        first += PIECE;
        rows.advance(PIECE);
    }
    count
}

/// The same of the last layer, whose outputs go into `sink`.
#[inline(never)]
fn last_layer<const I4: bool>(
    layer: &LayerView<'_>,
    written: &Written,
    scratch: &mut [u32],
    sink: &mut Outputs<'_, i32>,
) {
    let Some((inputs, free, _)) = written.of(layer, scratch) else { return };
    let (mut rows, mut first) = (Rows::new::<I4>(layer), 0);
    let to = signed_mut(free).as_chunks_mut().0;
    if to.is_empty() {
        return one_by_one::<I4>(layer, &inputs, &mut rows, sink);
    }
    while !rows.biases.is_empty() {
        sums::<I4>(&inputs, &rows, to);
        put(sink, first, layer.outputs(), to.as_flattened());
        first += 4 * to.len();
        rows.advance(to.len());
    }
}

/// The same where nothing is free: one group of rows at a time.
#[inline(never)]
fn one_by_one<const I4: bool>(
    layer: &LayerView<'_>,
    inputs: &Inputs<'_>,
    rows: &mut Rows<'_>,
    sink: &mut Outputs<'_, i32>,
) {
    let (mut four, mut first) = ([[0; 4]], 0);
    while !rows.biases.is_empty() {
        sums::<I4>(inputs, rows, &mut four);
        put(sink, first, layer.outputs(), four.as_flattened());
        first += 4;
        rows.advance(1);
    }
}

/// The sums of rows.
#[inline(never)]
fn sums<const I4: bool>(inputs: &Inputs<'_>, rows: &Rows<'_>, to: &mut [[i32; 4]]) {
    compute::<I4, u16>(inputs, rows, Then::Sums(to));
}

/// A first layer of inputs of 14 bits, whose high digits and then whose low digits are the last words; otherwise as the others.
/// Few sensors give zeros, so that both digits take the dense form:
///
/// ```text
/// front     {pair} of every high quad, {pair} of every low quad     four words, which never overtake the quads they are of
/// end       each four outputs
/// ```
#[inline(never)]
fn rows_of_digits<const I4: bool>(
    layer: &LayerView<'_>,
    scratch: &mut [u32],
    sink: &mut Outputs<'_, i32>,
) -> usize {
    let (quads, groups) = (layer.inputs().div_ceil(4), layer.outputs().div_ceil(4));
    let front = 2 * quads;
    let words = Cell::from_mut(&mut *scratch).as_slice_of_cells();
    let (high, low) = last(words, front).split_at_checked(quads).unwrap_or_default();
    let (high_pairs, rest) = words.split_at_checked(front).unwrap_or_default();
    let (_, high_sum) = pairs::<I4>(high, high_pairs);
    let (_, low_sum) = pairs::<I4>(low, rest.get(..front).unwrap_or_default());
    let free = scratch.len().saturating_sub(groups);
    let Some((list, outputs)) = scratch.split_at_mut_checked(free) else { return 0 };
    let list = Cell::from_mut(list).as_slice_of_cells();
    let (Some(high), Some(low)) = (list.get(..front), list.get(front..2 * front)) else { return 0 };
    let high = Inputs { list: high, skipping: false, sum: high_sum };
    let low = Inputs { list: low, skipping: false, sum: low_sum };
    let (mut rows, mut first, mut count) = (Rows::new::<I4>(layer), 0, 0);
    let (mut high_sums, mut low_sums) = ([[0; 4]; PIECE], [[0; 4]; PIECE]);
    while !rows.biases.is_empty() {
        sums::<I4>(&high, &rows, &mut high_sums);
        sums::<I4>(&low, &rows, &mut low_sums);
        for ((high, low), biases) in high_sums.iter_mut().zip(&low_sums).zip(rows.biases) {
            // The bias is in both; the low digits carry what is left of theirs, rounded.
            let all = high.iter_mut().zip(low).zip(biases);
            all.for_each(|((high, low), bias)| *high += (low - i32::from_le(*bias) + 64) >> 7);
        }
        if layer.is_requantized() {
            count += finish(layer, first, &high_sums, outputs);
        } else {
            put(sink, 4 * first, layer.outputs(), high_sums.as_flattened());
        }
        first += PIECE;
        rows.advance(PIECE);
    }
    count
}

/// Groups of rows whose sums are on the stack at a time.
const PIECE: usize = 8;

/// The outputs of hidden rows, the groups from `first` on, by their sums; returns how many quads of them are not zero.
#[inline(never)]
fn finish(layer: &LayerView<'_>, first: usize, sums: &[[i32; 4]], outputs: &mut [u32]) -> usize {
    let (table, outputs) = (layer.table(), outputs.get_mut(first..).unwrap_or_default());
    match layer.wide_multipliers() {
        [] => each_group(sums, layer.multipliers().as_chunks().0.get(first..), table, outputs),
        wide => each_group(sums, wide.as_chunks().0.get(first..), table, outputs),
    }
}

#[inline(always)]
fn each_group<R: Multiplier>(
    sums: &[[i32; 4]],
    multipliers: Option<&[[R; 4]]>,
    table: Option<&[u8; 256]>,
    outputs: &mut [u32],
) -> usize {
    let mut count = 0;
    for ((sums, r), output) in sums.iter().zip(multipliers.unwrap_or_default()).zip(outputs) {
        *output = activations(sums, r, table);
        count += usize::from(*output != 0);
    }
    count
}

/// The outputs of four hidden rows, a byte each.
#[inline(always)]
fn activations<R: Multiplier>(sums: &[i32; 4], r: &[R; 4], table: Option<&[u8; 256]>) -> u32 {
    let acc = sums.map(|sum| ThisCore::start(sum, 0));
    match table {
        Some(table) => ThisCore::look_up(&acc, r, table),
        None => ThisCore::requantize(&acc, r),
    }
}
