//! Integer networks of any packing, in place, one image at a time, in a few hundred bytes of caller-provided memory.
//!
//! [`Engine`] gives the same result on every machine: the arithmetic of [`format`](crate::format), whose specification in
//! plain loops is [`naive::integer`](crate::naive::integer). [`quantize`](crate::quantize::quantize) makes such a file
//! from trained parameters.

mod batch;
mod row_dot;

use crate::format::{Header, ModelView};
use crate::infer::kernel::{Kernel, Outputs};
use crate::infer::sample::source::Source;
use crate::infer::{self, Profile, profile};
use crate::naive::integer::{combined, looked_up, requantize};

pub use batch::BatchEngine;
use row_dot::{dot, pack, sum_of};

/// Runs a file of integer weights in any packing; `scratch` is of `u32`.
pub type Engine<'a> = infer::Engine<'a, Integer>;

/// i8 and i4 weights in any packing, rows one by one.
#[derive(Debug, Clone)]
pub struct Integer;

impl Kernel for Integer {
    const PROFILE: Profile = Profile::Integer;
    type Scratch = u32;
    type Logit = i32;

    fn new(_: &Header<'_>) -> Self {
        Self
    }

    fn run(
        &self,
        view: &ModelView<'_>,
        sample: &(impl Source + ?Sized),
        scratch: &mut [u32],
        outputs: Outputs<'_, i32>,
    ) {
        let header = view.header();
        let (even, odd) = profile::integer_areas(header);
        let (x, rest) = scratch.split_at_mut_checked(even).unwrap_or_default();
        let (y, low) = rest.split_at_mut_checked(odd).unwrap_or_default();
        let table = view.table();
        if !header.input_map().is_affine() {
            pack(sample.bytes().map(|p| table.map_or(p >> 1, |t| t[usize::from(p)])), header.inputs(), x);
        } else if header.input_bits() == 14 {
            pack(sample.codes(view).map(|q| (q >> 7) as u8), header.inputs(), x);
            pack(sample.codes(view).map(|q| (q & 127) as u8), header.inputs(), low);
        } else {
            pack(sample.codes(view).map(|q| q as u8), header.inputs(), x);
        }
        layers(view, [x, y], low, outputs);
    }
}

/// All layers; the inputs of the first are in the first of `areas`, of 14 bits their low digits in `low`.
fn layers(view: &ModelView<'_>, [even, odd]: [&mut [u32]; 2], low: &[u32], mut outputs: Outputs<'_, i32>) {
    let (mut x, mut y) = (even, odd);
    for (l, layer) in view.layers().enumerate() {
        let inputs = x.get(..profile::input_words(layer.inputs())).unwrap_or_default();
        let sum = sum_of(inputs);
        let low = if l == 0 { low } else { &[] };
        let low_sum = sum_of(low);
        let row = |row| {
            let high = dot(&layer, row, inputs, sum) + layer.bias(row);
            if low.is_empty() { high } else { combined(high, dot(&layer, row, low, low_sum)) }
        };
        if layer.is_requantized() {
            let table = layer.table();
            let hidden = |at| {
                let (acc, r) = (row(at), layer.multiplier(at));
                table.map_or_else(|| requantize(acc, r), |table| looked_up(acc, r, table))
            };
            pack((0..layer.outputs()).map(hidden), layer.outputs(), y);
        } else {
            match &mut outputs {
                Outputs::Logits(logits) => logits.iter_mut().enumerate().for_each(|(at, z)| *z = row(at)),
                Outputs::Each(each) => (0..layer.outputs()).for_each(|at| each(at, &[row(at)])),
            }
        }
        core::mem::swap(&mut x, &mut y);
    }
}
