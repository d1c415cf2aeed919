//! Calibration: statistics of the activations on some training samples.
//!
//! They determine the scales of the activations, and how much each weight matters. The inputs are those of the integer
//! network. Answers are not needed.

use selvedge::{Activations, Arena, Mlp, Serial, Shape};

use super::clip::Histogram;
use super::range::{Range, SignedHistogram};
use crate::error::Result;
use crate::inference::float::{InputSource, forward};
use crate::inference::{BATCH, check_finite};
use crate::memory::Floats;

/// The number of calibration images from which their statistics are trusted. Below, what none of them shows is still
/// expected; see [`Calibration`].
pub const MIN_TRUSTED_IMAGES: usize = 128;

/// Statistics of the inputs of each layer on the calibration samples.
#[derive(Debug)]
pub struct Calibration {
    /// The mean square of each input, by layer.
    pub mean_square: Vec<Vec<f64>>,
    /// The mean of each input, by layer.
    pub mean: Vec<Vec<f64>>,
    /// The largest magnitude of each input, by layer.
    pub largest: Vec<Vec<f32>>,
    /// What each hidden layer puts out.
    pub hidden: Vec<Hidden>,
}

/// The histograms of a hidden layer.
#[derive(Debug)]
pub enum Hidden {
    /// Outputs of a ReLU, which a clamp makes of the sums.
    Clamped(Histogram),
    /// Sums and outputs of an activation that a table makes.
    Table {
        /// Before the activation.
        sums: SignedHistogram,
        /// After it.
        outputs: SignedHistogram,
    },
}

impl Calibration {
    /// Computes the statistics of the samples at `index`.
    ///
    /// # Errors
    /// `Failed` without the memory, `Model` where activations are not finite.
    pub fn new(mlp: &Mlp, params: &[f32], inputs: &impl InputSource, index: &[u32]) -> Result<Self> {
        let shape = mlp.shape;
        let zeros = || (0..shape.layers()).map(|l| vec![0.0; shape.width(l)]).collect::<Vec<_>>();
        let (mut mean_square, mut mean) = (zeros(), zeros());
        let mut largest: Vec<_> = (0..shape.layers()).map(|l| vec![0.0f32; shape.width(l)]).collect();
        // A sum of magnitudes is not finite if any of them is not.
        let mut sum = 0.0;
        let count = index.len() as f64;
        forward(mlp, params, inputs, index, |activations, index| {
            let b = index.len();
            sum += activations.logits(b).iter().map(|z| f64::from(z.abs())).sum::<f64>();
            for l in 0..shape.layers() {
                for row in activations.activation(l, b).chunks_exact(shape.width(l)) {
                    let found = mean_square[l].iter_mut().zip(&mut mean[l]).zip(&mut largest[l]);
                    for (((square, mean), largest), &x) in found.zip(row) {
                        *square += f64::from(x) * f64::from(x) / count;
                        *mean += f64::from(x) / count;
                        *largest = largest.max(x.abs());
                    }
                }
            }
        })?;
        check_finite([sum])?;
        let hidden = hidden(mlp, params, inputs, index, &largest)?;
        if index.len() < MIN_TRUSTED_IMAGES {
            // Regularizes the mean squares by one more image, all of whose inputs have the mean of the layer.
            for layer in &mut mean_square {
                let mean = layer.iter().sum::<f64>() / layer.len() as f64;
                layer.iter_mut().for_each(|square| *square = (*square * count + mean) / (count + 1.0));
            }
        }
        Ok(Self { mean_square, mean, largest, hidden })
    }
}

/// The histograms of the hidden layers, whose outputs have no larger magnitudes than `largest`.
fn hidden(
    mlp: &Mlp,
    params: &[f32],
    inputs: &impl InputSource,
    index: &[u32],
    largest: &[Vec<f32>],
) -> Result<Vec<Hidden>> {
    let shape = mlp.shape;
    let mut sums = Sums::of(mlp, params)?;
    let mut ends = vec![(Ends::NONE, Ends::NONE); shape.layers() - 1];
    if sums.iter().any(Option::is_some) {
        forward(mlp, params, inputs, index, |activations, index| {
            for (l, (before, after)) in ends.iter_mut().enumerate() {
                let Some(sums) = &mut sums[l] else { continue };
                let b = index.len();
                sums.compute(activations.activation(l, b), b).iter().for_each(|&z| before.include(z));
                activations.activation(l + 1, b).iter().for_each(|&y| after.include(y));
            }
        })?;
    }
    let max = |layer: &Vec<f32>| layer.iter().copied().fold(0.0, f32::max);
    let mut hidden: Vec<Hidden> = ends
        .iter()
        .enumerate()
        .map(|(l, (before, after))| match sums[l] {
            Some(_) => Hidden::Table {
                sums: SignedHistogram::new(before.range()),
                outputs: SignedHistogram::new(after.range()),
            },
            None => Hidden::Clamped(Histogram::new(max(&largest[l + 1]))),
        })
        .collect();
    forward(mlp, params, inputs, index, |activations, index| {
        let b = index.len();
        for (l, hidden) in hidden.iter_mut().enumerate() {
            let outputs = activations.activation(l + 1, b);
            match (hidden, &mut sums[l]) {
                (Hidden::Clamped(histogram), _) => histogram.count(outputs),
                (Hidden::Table { sums: before, outputs: after }, Some(sums)) => {
                    sums.compute(activations.activation(l, b), b).iter().for_each(|&z| before.add(z.into()));
                    outputs.iter().for_each(|&y| after.add(y.into()));
                }
                (Hidden::Table { .. }, None) => unreachable!("a layer with a table has its sums"),
            }
        }
    })?;
    Ok(hidden)
}

/// The ends of some values.
#[derive(Clone, Copy)]
struct Ends {
    low: f32,
    high: f32,
}

impl Ends {
    const NONE: Self = Self { low: f32::INFINITY, high: f32::NEG_INFINITY };

    fn include(&mut self, value: f32) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    fn range(self) -> Range {
        if self.low > self.high {
            return Range { low: 0.0, high: 0.0 };
        }
        Range { low: self.low.into(), high: self.high.into() }
    }
}

/// The sums of one layer, which the forward pass of a whole network does not keep: those of a network of that layer alone.
struct Sums<'a> {
    mlp: Mlp,
    params: &'a [f32],
    memory: Floats,
}

impl<'a> Sums<'a> {
    /// Those of the layers that have a table.
    fn of(mlp: &Mlp, params: &'a [f32]) -> Result<Vec<Option<Self>>> {
        let shape = mlp.shape;
        let mut at = 0;
        let layer = |l: usize| {
            let alone = Shape::new(&[shape.width(l), shape.width(l + 1)])?;
            let params = &params[at..][..alone.params()];
            at += alone.params();
            if !shape.activation(l).has_table() {
                return Ok(None);
            }
            let memory = Floats::zeroed(Activations::floats(alone, BATCH), "the sums of a layer")?;
            Ok(Some(Self { mlp: Mlp::new(alone, mlp.backend), params, memory }))
        };
        (0..shape.layers() - 1).map(layer).collect()
    }

    /// The sums `(b, o)` for the inputs `(b, i)`.
    fn compute(&mut self, inputs: &[f32], b: usize) -> Vec<f32> {
        let (shape, width) = (self.mlp.shape, self.mlp.shape.inputs());
        let mut arena = Arena::new(&mut self.memory);
        let computed = Activations::new(shape, BATCH, &mut arena).and_then(|mut activations| {
            let fill = |first: usize, rows: &mut [f32]| {
                rows.copy_from_slice(&inputs[first * width..][..rows.len()]);
            };
            self.mlp.forward(&Serial, self.params, &mut activations, b, &fill).map(<[f32]>::to_vec)
        });
        computed.expect("the memory is that of the layer")
    }
}
