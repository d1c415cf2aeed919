//! Inference from flash files of f32, f16 and bf16 weights, in place.
//!
//! One way for every machine: sums in f32 over the inputs in order, each product and each sum rounded. That is what the
//! `portable` backend does with a batch, so a file of f32 gives the same bits as the network it was made from does there.
//! An input of 0 adds nothing and costs nothing.

use core::slice::ChunksExact;

use crate::error::Error;
use crate::format::{Builder, Dtype, Header, LayerView, ModelView};
use crate::infer::{self, Numbers};
use crate::naive;
use crate::shape::Shape;

/// A checked file of float weights, ready to run in [`scratch_floats`] floats.
pub type Model<'a> = infer::Model<'a, Floats>;

/// f32, f16 and bf16 weights.
#[derive(Debug, Clone)]
pub enum Floats {}

impl infer::sealed::Sealed for Floats {}

impl Numbers for Floats {
    type Scratch = f32;
    type Logit = f32;
    const INTEGERS: bool = false;
    const SCRATCH: &'static str = "scratch floats";

    fn split(header: &Header) -> (usize, usize) {
        scratch_split(header)
    }

    fn bytes(logit: f32) -> [u8; 4] {
        logit.to_le_bytes()
    }

    fn run(
        image: &ModelView<'_>,
        pixels: impl Iterator<Item = u8>,
        even: &mut [f32],
        odd: &mut [f32],
        logits: &mut [f32],
    ) {
        let (mut x, mut y) = (even, odd);
        let table = image.table();
        let mut pixels = Some(pixels.map(|p| naive::unit(table.map_or(p, |t| t[usize::from(p)]))));
        let layers = image.layers();
        for (l, layer) in layers.iter().enumerate() {
            let last = l + 1 == layers.len();
            let z = if last { Some(&mut *logits) } else { y.get_mut(..layer.outputs()) };
            let z = z.unwrap_or_default();
            match pixels.take() {
                Some(pixels) => dense(layer, pixels, !last, z),
                None => dense(layer, x.iter().copied().take(layer.inputs()), !last, z),
            }
            core::mem::swap(&mut x, &mut y);
        }
    }
}

/// A layer of any float type.
fn dense(layer: &LayerView<'_>, x: impl Iterator<Item = f32>, relu: bool, z: &mut [f32]) {
    match layer.place().dtype() {
        Dtype::F16 => sums(x, layer.weights().chunks_exact(2 * z.len().max(1)), z, |b| {
            half::f16::from_le_bytes(b).to_f32()
        }),
        Dtype::Bf16 => sums(x, layer.weights().chunks_exact(2 * z.len().max(1)), z, |b| {
            half::bf16::from_le_bytes(b).to_f32()
        }),
        _ => sums(x, layer.weights().chunks_exact(4 * z.len().max(1)), z, f32::from_le_bytes),
    }
    for (row, z) in z.iter_mut().enumerate() {
        *z += layer.float_bias(row);
        if relu && 0.0 > *z {
            *z = 0.0;
        }
    }
}

/// `z(o) = Σ_i x(i) * weights(i,o)`, the inputs in order.
fn sums<const N: usize>(
    x: impl Iterator<Item = f32>,
    weights: ChunksExact<'_, u8>,
    z: &mut [f32],
    value: impl Fn([u8; N]) -> f32,
) {
    z.fill(0.0);
    for (x, row) in x.zip(weights) {
        if x != 0.0 {
            for (z, w) in z.iter_mut().zip(row.as_chunks().0) {
                *z += x * value(*w);
            }
        }
    }
}

/// Floats of the hidden layers before layers of even and of odd position; the pixels are never kept.
const fn scratch_split(header: &Header) -> (usize, usize) {
    let shape = header.shape();
    let mut floats = [0; 2];
    let mut l = 1;
    while l < shape.layers() {
        if shape.width_or_zero(l) > floats[l % 2] {
            floats[l % 2] = shape.width_or_zero(l);
        }
        l += 1;
    }
    (floats[0], floats[1])
}

/// Floats of caller-provided memory that [`Model`] needs to run a file.
pub const fn scratch_floats(header: &Header) -> usize {
    let (even, odd) = scratch_split(header);
    even + odd
}

/// Bytes of RAM of an inference: the image, [`scratch_floats`] and the logits.
pub const fn ram_bytes(header: &Header) -> usize {
    let shape: Shape = header.shape();
    shape.inputs() + 4 * scratch_floats(header) + 4 * shape.outputs()
}

/// Fills a file of a float type with the network of `params`, rounded to it. Labels and self-test are not touched.
///
/// # Errors
/// [`Error::Length`] for the wrong number of parameters, [`Error::Dtype`] for a file of integers. Parameters outside
/// the type's range are refused when the file is finished.
pub fn store(builder: &mut Builder<'_>, params: &[f32]) -> Result<(), Error> {
    let header = *builder.header();
    if header.dtype().is_integer() {
        return Err(Error::Dtype { found: header.dtype().name() });
    }
    for (l, layer) in header.shape().split(params)?.iter().enumerate() {
        let o = layer.biases.len();
        for (at, &w) in layer.weights.iter().enumerate() {
            builder.float_weight(l, at % o, at / o, w);
        }
        for (row, &bias) in layer.biases.iter().enumerate() {
            builder.float_bias(l, row, bias);
        }
    }
    Ok(())
}
