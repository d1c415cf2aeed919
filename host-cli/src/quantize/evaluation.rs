//! The quantization noise in the outputs of each layer.

use selvedge::format::ModelView;
use selvedge::{Backend, Mlp};

use super::plain::IntegerNetwork;
use crate::data::Features;
use crate::error::Result;
use crate::inference::float::{DeviceInputs, forward};
use crate::model::fold::Folded;

/// The signal-to-noise ratio of each layer's outputs in decibels: the mean square of the float outputs over that of the
/// quantization error.
///
/// # Errors
/// `Failed` without the memory.
pub fn noise(net: &Folded, image: &ModelView<'_>, features: &Features, index: &[u32]) -> Result<Vec<f64>> {
    let squares = squares(net, image, features, index)?;
    Ok(squares.iter().map(|[signal, noise]| 10.0 * (signal / noise).log10()).collect())
}

/// The sums of squares of each layer's float outputs and of the errors of its integer outputs.
///
/// # Errors
/// `Failed` without the memory.
pub fn squares(
    net: &Folded,
    image: &ModelView<'_>,
    features: &Features,
    index: &[u32],
) -> Result<Vec<[f64; 2]>> {
    let shape = net.shape;
    let mlp = Mlp::new(shape, Backend::detect());
    let network = IntegerNetwork::new(image);
    let mut squares = vec![[0.0f64; 2]; shape.layers()];
    let mut failed = None;
    forward(&mlp, &net.params, &DeviceInputs::new(net, features)?, index, |activations, index| {
        let b = index.len();
        for (row, &n) in index.iter().enumerate() {
            let layers = match network.layers(features, n as usize) {
                Ok(layers) => layers,
                Err(error) => {
                    failed.get_or_insert(error);
                    return;
                }
            };
            for (l, outputs) in layers.iter().enumerate() {
                let (o, last) = (shape.width(l + 1), l + 1 == shape.layers());
                let real = if last { activations.logits(b) } else { activations.activation(l + 1, b) };
                let (scale, zero) = network.unit(l);
                for (&found, &real) in outputs.iter().zip(&real[row * o..][..o]) {
                    let found = zero + scale * found as f32;
                    squares[l][0] += f64::from(real).powi(2);
                    squares[l][1] += f64::from(real - found).powi(2);
                }
            }
        }
    })?;
    failed.map_or(Ok(squares), Err)
}
