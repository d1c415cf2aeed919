//! Inference from flash files of f32, f16 and bf16 weights, in place.
//!
//! The same on every machine: sums in f32 over the inputs in order, each product and each sum rounded. That is what the
//! `portable` backend does with a batch, so a file of f32 gives the same bits as the network it was made from does there.
//! An input of 0 adds nothing and costs nothing. Sigmoid, tanh and hard swish are those of
//! [`naive::activate`]: the same on every machine too, but a backend's vectors, which take polynomials,
//! differ from them in the last bits.

use core::slice::ChunksExact;

use crate::activation::Activation;
use crate::error::Error;
use crate::format::{Builder, Dtype, Header, LayerView, ModelView};
use crate::infer::kernel::{Kernel, Outputs};
use crate::infer::sample::source::Source;
use crate::infer::{self, Profile, profile};
use crate::naive;

/// Runs a file of float weights; `scratch` is of `f32`.
pub type Engine<'a> = infer::Engine<'a, Float>;

/// f32, f16 and bf16 weights.
#[derive(Debug, Clone)]
pub struct Float;

impl Kernel for Float {
    const PROFILE: Profile = Profile::Float;
    type Scratch = f32;
    type Logit = f32;

    fn new(_: &Header<'_>) -> Self {
        Self
    }

    fn run(
        &self,
        view: &ModelView<'_>,
        sample: &(impl Source + ?Sized),
        scratch: &mut [f32],
        outputs: Outputs<'_, f32>,
    ) {
        // A file of floats has memory for its outputs.
        let Outputs::Logits(logits) = outputs else { return };
        if view.header().input_map().is_affine() {
            layers(view, sample.floats(view), scratch, logits);
        } else {
            let table = view.table();
            let unit = |p: u8| naive::unit(table.map_or(p, |t| t[usize::from(p)]));
            layers(view, sample.bytes().map(unit), scratch, logits);
        }
    }
}

/// All layers, of whichever inputs.
fn layers(view: &ModelView<'_>, inputs: impl Iterator<Item = f32>, scratch: &mut [f32], logits: &mut [f32]) {
    let header = view.header();
    let (even, _) = profile::float_areas(header);
    let (mut x, mut y) = scratch.split_at_mut_checked(even).unwrap_or_default();
    let mut inputs = Some(inputs.take(header.inputs()));
    let layers = view.layers();
    let last = layers.len().saturating_sub(1);
    for (l, layer) in layers.enumerate() {
        let z = if l == last { Some(&mut *logits) } else { y.get_mut(..layer.outputs()) };
        let z = z.unwrap_or_default();
        match inputs.take() {
            Some(inputs) => dense(&layer, inputs, header.activation(l), z),
            None => dense(&layer, x.iter().copied().take(layer.inputs()), header.activation(l), z),
        }
        core::mem::swap(&mut x, &mut y);
    }
}

/// A layer of any float type.
fn dense(layer: &LayerView<'_>, x: impl Iterator<Item = f32>, activation: Activation, z: &mut [f32]) {
    match layer.weight_layout().dtype() {
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
        if activation == Activation::Relu && 0.0 > *z {
            *z = 0.0;
        }
    }
    if !matches!(activation, Activation::Relu | Activation::Identity) {
        naive::activate(activation, z);
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

/// Fills a file of a float type with the network of `params`, rounded to it. Labels and self-test are not touched.
///
/// # Errors
/// [`Error::Length`] for the wrong number of parameters, [`Error::Dtype`] for a file of integers, [`Error::Layers`] for
/// one of more layers than a [`Shape`](crate::Shape) has. Parameters outside
/// the type's range are refused when the file is finished.
pub fn store(builder: &mut Builder<'_>, params: &[f32]) -> Result<(), Error> {
    let header = builder.header();
    let (dtype, shape) = (header.dtype(), header.shape()?);
    if dtype.is_integer() {
        return Err(Error::Dtype { found: dtype.name() });
    }
    for (l, layer) in shape.split(params)?.iter().enumerate() {
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
