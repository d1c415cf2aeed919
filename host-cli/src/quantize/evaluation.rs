//! The quantization noise in the outputs of each layer.

use selvedge::format::ModelView;
use selvedge::{Backend, Mlp};

use super::plain::{self, IntegerLayer};
use crate::error::Result;
use crate::inference::float::TableInputs;
use crate::model::fold::Folded;

/// The signal-to-noise ratio of each layer's outputs in decibels: the mean square of the float outputs over that of the
/// quantization error.
///
/// # Errors
/// `Failed` without the memory.
pub fn noise(net: &Folded, image: &ModelView<'_>, pixels: &[u8], index: &[u32]) -> Result<Vec<f64>> {
    let squares = squares(net, image, pixels, index)?;
    Ok(squares.iter().map(|[signal, noise]| 10.0 * (signal / noise).log10()).collect())
}

/// The sums of squares of each layer's float outputs and of the errors of its integer outputs.
///
/// # Errors
/// `Failed` without the memory.
pub fn squares(net: &Folded, image: &ModelView<'_>, pixels: &[u8], index: &[u32]) -> Result<Vec<[f64; 2]>> {
    let shape = net.shape;
    let mlp = Mlp::new(shape, Backend::detect());
    let values = net.input_values();
    let (layers, bytes) = (IntegerLayer::from_model(image), plain::input_values(image));
    let mut squares = vec![[0.0f64; 2]; shape.layers()];
    TableInputs { pixels, index, values: &values }.forward(&mlp, &net.params, |activations, index| {
        let b = index.len();
        for (row, &n) in index.iter().enumerate() {
            let pixels = &pixels[n as usize * shape.inputs()..][..shape.inputs()];
            let mut x: Vec<u8> = pixels.iter().map(|&p| bytes[usize::from(p)]).collect();
            for (l, layer) in layers.iter().enumerate() {
                let (o, last) = (shape.width(l + 1), l + 1 == shape.layers());
                let (sums, y) = layer.run(&x);
                x = y;
                let real = if last { activations.logits(b) } else { activations.activation(l + 1, b) };
                let scale = image.scale(l + 1);
                for (at, &real) in real[row * o..][..o].iter().enumerate() {
                    let found = scale * if last { sums[at] as f32 } else { f32::from(x[at]) };
                    squares[l][0] += f64::from(real).powi(2);
                    squares[l][1] += f64::from(real - found).powi(2);
                }
            }
        }
    })?;
    Ok(squares)
}
