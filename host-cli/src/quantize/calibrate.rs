//! Calibration: statistics of the activations on some training images.
//!
//! They determine the scales of the activations, and how much each weight matters. The inputs are those of the integer
//! network.

use selvedge::Mlp;

use super::clip::Histogram;
use crate::error::Result;
use crate::inference::check_finite;
use crate::inference::float::TableInputs;

/// The number of calibration images from which their statistics are trusted. Below, what none of them shows is still
/// expected; see [`Calibration`].
pub const MIN_TRUSTED_IMAGES: usize = 128;

/// Statistics of the inputs of each layer on the calibration images.
#[derive(Debug)]
pub struct Calibration {
    /// The mean square of each input, by layer.
    pub mean_square: Vec<Vec<f64>>,
    /// The mean of each input, by layer.
    pub mean: Vec<Vec<f64>>,
    /// The largest value of each input, by layer.
    pub largest: Vec<Vec<f32>>,
    /// The histogram of the outputs of each hidden layer.
    pub outputs: Vec<Histogram>,
}

impl Calibration {
    /// Computes the statistics of the images.
    ///
    /// # Errors
    /// `Failed` without the memory, `Model` where activations are not finite.
    pub fn new(mlp: &Mlp, params: &[f32], images: TableInputs<'_>) -> Result<Self> {
        let shape = mlp.shape;
        let zeros = || (0..shape.layers()).map(|l| vec![0.0; shape.width(l)]).collect::<Vec<_>>();
        let (mut mean_square, mut mean) = (zeros(), zeros());
        let mut largest: Vec<_> = (0..shape.layers()).map(|l| vec![0.0f32; shape.width(l)]).collect();
        // A sum of magnitudes is not finite if any of them is not.
        let mut sum = 0.0;
        let count = images.index.len() as f64;
        images.forward(mlp, params, |activations, index| {
            let b = index.len();
            sum += activations.logits(b).iter().map(|z| f64::from(z.abs())).sum::<f64>();
            for l in 0..shape.layers() {
                for row in activations.activation(l, b).chunks_exact(shape.width(l)) {
                    let found = mean_square[l].iter_mut().zip(&mut mean[l]).zip(&mut largest[l]);
                    for (((square, mean), largest), &x) in found.zip(row) {
                        *square += f64::from(x) * f64::from(x) / count;
                        *mean += f64::from(x) / count;
                        *largest = largest.max(x);
                    }
                }
            }
        })?;
        check_finite([sum])?;
        let max = |layer: &Vec<f32>| layer.iter().copied().fold(0.0, f32::max);
        let mut outputs: Vec<_> = largest[1..].iter().map(|layer| Histogram::new(max(layer))).collect();
        images.forward(mlp, params, |activations, index| {
            for (l, histogram) in (1..).zip(&mut outputs) {
                histogram.count(activations.activation(l, index.len()));
            }
        })?;
        if images.index.len() < MIN_TRUSTED_IMAGES {
            // Regularizes the mean squares by one more image, all of whose inputs have the mean of the layer.
            for layer in &mut mean_square {
                let mean = layer.iter().sum::<f64>() / layer.len() as f64;
                layer.iter_mut().for_each(|square| *square = (*square * count + mean) / (count + 1.0));
            }
        }
        Ok(Self { mean_square, mean, largest, outputs })
    }
}
