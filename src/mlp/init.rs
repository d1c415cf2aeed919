//! Initial weights.

use crate::error::Error;
use crate::rng::Rng;
use crate::shape::Shape;

/// How weights are drawn. Biases start at 0.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// N(0, σ²) in every layer.
    Normal {
        /// The standard deviation.
        standard_deviation: f32,
    },
    /// N(0, 2/i) in a layer of `i` inputs (He et al., 2015).
    He,
    /// As `He`, but N(0, 1/i) in the last layer, which no ReLU follows.
    HeLinear,
}

impl Init {
    /// The standard deviation of the weights of layer `l`, counted from 0.
    ///
    /// # Panics
    /// If the shape has no such layer.
    #[must_use]
    pub fn standard_deviation(self, shape: Shape, l: usize) -> f32 {
        let gain = if l + 1 < shape.layers() { 2.0 } else { 1.0 };
        match self {
            Self::Normal { standard_deviation } => standard_deviation,
            Self::He => libm::sqrtf(2.0 / shape.width(l) as f32),
            Self::HeLinear => libm::sqrtf(gain / shape.width(l) as f32),
        }
    }

    /// Draws the parameters of a network, layer by layer, row by row.
    ///
    /// # Errors
    /// [`Error::Length`] if `params` is not [`Shape::params`] long.
    pub fn draw(self, shape: Shape, rng: &mut Rng, params: &mut [f32]) -> Result<(), Error> {
        for (l, layer) in shape.split_mut(params)?.into_iter().enumerate() {
            let standard_deviation = self.standard_deviation(shape, l);
            layer.weights.fill_with(|| standard_deviation * rng.normal());
            layer.biases.fill(0.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Init;
    use crate::rng::Rng;
    use crate::shape::Shape;

    fn standard_deviation(weights: &[f32]) -> f32 {
        (weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32).sqrt()
    }

    #[test]
    fn deviations_are_what_was_asked_for() {
        let shape = Shape::new(&[200, 100, 50]).unwrap();
        let mut params = std::vec![7.0; shape.params()];
        for (init, expected) in [
            (Init::Normal { standard_deviation: 0.01 }, [0.01, 0.01]),
            (Init::He, [0.1, core::f32::consts::SQRT_2 / 10.0]),
            (Init::HeLinear, [0.1, 0.1]),
        ] {
            init.draw(shape, &mut Rng::new(1), &mut params).unwrap();
            for (layer, expected) in shape.split(&params).unwrap().iter().zip(expected) {
                assert!((standard_deviation(layer.weights) / expected - 1.0).abs() < 0.05, "{init:?}");
                assert!(layer.biases.iter().all(|&b| b == 0.0));
            }
        }
    }
}
