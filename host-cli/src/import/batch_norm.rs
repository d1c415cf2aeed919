//! Batch normalisation in inference: `y = (x - mean) / sqrt(variance + epsilon) * gamma + beta`, an affine map of each unit.

use super::dense::Affine;

/// The tensors of a batch normalisation, with one element for each unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchNorm<'a> {
    pub gamma: &'a [f64],
    pub beta: &'a [f64],
    pub mean: &'a [f64],
    pub variance: &'a [f64],
    pub epsilon: f64,
}

impl BatchNorm<'_> {
    /// The map; its elements are not finite where a variance is none.
    pub fn to_affine(self) -> Affine {
        let factor: Vec<f64> =
            self.gamma.iter().zip(self.variance).map(|(g, v)| g / (v + self.epsilon).sqrt()).collect();
        let shift = factor.iter().zip(self.beta).zip(self.mean).map(|((f, b), m)| b - m * f).collect();
        Affine { factor, shift }
    }
}
