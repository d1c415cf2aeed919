//! Integer networks of any packing, in place, one image at a time, in a few hundred bytes of caller-provided memory.
//!
//! [`Engine`] gives the same result on every machine: the arithmetic of [`format`](crate::format), whose specification in
//! plain loops is [`naive::integer`](crate::naive::integer). [`quantize`](crate::quantize::quantize) makes such a file
//! from trained parameters.

mod batch;
mod row_dot;

use crate::format::{Header, ModelView};
use crate::infer::{self, Profile, kernel::Kernel, profile};
use crate::naive::integer::requantize;

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

    fn bytes(logit: i32) -> [u8; 4] {
        logit.to_le_bytes()
    }

    fn run(
        &self,
        view: &ModelView<'_>,
        pixels: impl Iterator<Item = u8>,
        scratch: &mut [u32],
        logits: &mut [i32],
    ) {
        let (even, _) = profile::integer_areas(view.header());
        let (x, y) = scratch.split_at_mut_checked(even).unwrap_or_default();
        let table = view.table();
        pack(pixels.map(|p| table.map_or(p >> 1, |t| t[usize::from(p)])), x);
        layers(view, x, y, logits);
    }
}

/// All layers, of whichever pixels: the inputs of the first are in `even`.
fn layers(view: &ModelView<'_>, even: &mut [u32], odd: &mut [u32], logits: &mut [i32]) {
    let (mut x, mut y) = (even, odd);
    for layer in view.layers() {
        let inputs = x.get(..profile::input_words(layer.inputs())).unwrap_or_default();
        let sum = sum_of(inputs);
        let row = |row| dot(&layer, row, inputs, sum);
        if layer.multipliers().is_empty() {
            logits.iter_mut().enumerate().for_each(|(at, z)| *z = row(at));
        } else {
            pack((0..layer.outputs()).map(|at| requantize(row(at), layer.multiplier(at))), y);
        }
        core::mem::swap(&mut x, &mut y);
    }
}
