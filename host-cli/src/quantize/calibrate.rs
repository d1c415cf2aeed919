//! Calibration: statistics of the activations on some training images.
//!
//! They determine the scales of the activations, and how much each weight matters. The inputs are those of the integer
//! network.

use selvedge::{Activations, Arena, Mlp, Serial};

use super::clip::Histogram;
use crate::error::Result;
use crate::evaluate::{BATCH, finite};
use crate::memory::Floats;

/// Images as inputs of a float network, by a table of values.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    /// All images, one after the other.
    pub pixels: &'a [u8],
    /// The indices of the images to use.
    pub index: &'a [u32],
    /// The input that each byte becomes.
    pub values: &'a [f32; 256],
}

impl Images<'_> {
    /// Calls `observe` with the activations of each forward pass and its batch size.
    ///
    /// # Errors
    /// Exit code 1 without the memory, or where the core refuses the network.
    pub fn forward(
        &self,
        mlp: &Mlp,
        params: &[f32],
        mut observe: impl FnMut(&Activations<'_>, usize),
    ) -> Result<()> {
        let floats = Activations::floats(mlp.shape, BATCH);
        let mut memory = Floats::zeroed(floats, &format!("a forward pass through {}", mlp.shape))?;
        let mut activations = Activations::new(mlp.shape, BATCH, &mut Arena::new(&mut memory))?;
        for index in self.index.chunks(BATCH) {
            let fill = |first: usize, rows: &mut [f32]| self.fill(&index[first..], mlp.shape.inputs(), rows);
            mlp.forward(&Serial, params, &mut activations, index.len(), &fill)?;
            observe(&activations, index.len());
        }
        Ok(())
    }

    /// Writes the inputs of the images at `index` to `rows`, as many as it holds.
    pub fn fill(&self, index: &[u32], inputs: usize, rows: &mut [f32]) {
        for (row, &n) in rows.chunks_exact_mut(inputs).zip(index) {
            let pixels = &self.pixels[n as usize * inputs..][..inputs];
            for (x, &p) in row.iter_mut().zip(pixels) {
                *x = self.values[usize::from(p)];
            }
        }
    }
}

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
    /// Exit code 1 without the memory, 4 where activations are not finite.
    pub fn new(mlp: &Mlp, params: &[f32], images: Images<'_>) -> Result<Self> {
        let shape = mlp.shape;
        let zeros = || (0..shape.layers()).map(|l| vec![0.0; shape.width(l)]).collect::<Vec<_>>();
        let (mut mean_square, mut mean) = (zeros(), zeros());
        let mut largest: Vec<_> = (0..shape.layers()).map(|l| vec![0.0f32; shape.width(l)]).collect();
        // A sum of magnitudes is not finite if any of them is not.
        let mut sum = 0.0;
        let count = images.index.len() as f64;
        images.forward(mlp, params, |activations, b| {
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
        finite([sum])?;
        let max = |layer: &Vec<f32>| layer.iter().copied().fold(0.0, f32::max);
        let mut outputs: Vec<_> = largest[1..].iter().map(|layer| Histogram::new(max(layer))).collect();
        images.forward(mlp, params, |activations, b| {
            for (l, histogram) in (1..).zip(&mut outputs) {
                histogram.count(activations.activation(l, b));
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
