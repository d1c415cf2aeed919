//! What flows through a network on some training images: how large, how often.
//!
//! Only that decides the scales of activations, and it says which weights matter. Inputs are taken as the integer
//! network will see them.

use selvedge::Mlp;

use super::clip::Histogram;
use crate::error::Result;
use crate::inference::check_finite;
use crate::inference::float::TableInputs;

/// Images below which what they have in common may be chance: what none of them shows is still expected, see
/// [`Calibration`].
pub const ENOUGH: usize = 128;

/// What the calibration images made of each layer's inputs.
#[derive(Debug)]
pub struct Calibration {
    /// By layer and input: the mean of its squares.
    pub mean_square: Vec<Vec<f64>>,
    /// By layer and input: its mean.
    pub mean: Vec<Vec<f64>>,
    /// By layer and input: the largest.
    pub largest: Vec<Vec<f32>>,
    /// By hidden layer: its outputs.
    pub outputs: Vec<Histogram>,
}

impl Calibration {
    /// Looks at the images.
    ///
    /// # Errors
    /// Exit code 1 without the memory, 4 where what flows is not finite.
    pub fn new(mlp: &Mlp, params: &[f32], images: TableInputs<'_>) -> Result<Self> {
        let shape = mlp.shape;
        let zeros = || (0..shape.layers()).map(|l| vec![0.0; shape.width(l)]).collect::<Vec<_>>();
        let (mut mean_square, mut mean) = (zeros(), zeros());
        let mut largest: Vec<_> = (0..shape.layers()).map(|l| vec![0.0f32; shape.width(l)]).collect();
        // A sum of magnitudes is not finite where anything in it is not.
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
        let most = |layer: &Vec<f32>| layer.iter().copied().fold(0.0, f32::max);
        let mut outputs: Vec<_> = largest[1..].iter().map(|layer| Histogram::new(most(layer))).collect();
        images.forward(mlp, params, |activations, index| {
            for (l, histogram) in (1..).zip(&mut outputs) {
                histogram.count(activations.activation(l, index.len()));
            }
        })?;
        if images.index.len() < ENOUGH {
            // One more image, on which every input of a layer is what it is on average.
            for layer in &mut mean_square {
                let average = layer.iter().sum::<f64>() / layer.len() as f64;
                layer.iter_mut().for_each(|square| *square = (*square * count + average) / (count + 1.0));
            }
        }
        Ok(Self { mean_square, mean, largest, outputs })
    }
}
