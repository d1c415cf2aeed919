//! Dense layers, and the affine maps around them that are folded into their weights.
//!
//! Scaling, batch normalisation and bias additions are all maps `factor * x + shift` in front of a layer or after it.
//! Folding sums in f64 and rounds to f32 once. A layer without such maps keeps the bits of its f32 weights.

use super::Clause;
use crate::data::normalise::Normalisation;

/// A dense layer as another program stores it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dense {
    /// The tensors' names, weights and biases; the second is empty if it has no biases.
    pub names: [String; 2],
    /// `(out, in)`.
    pub dims: [usize; 2],
    /// `(out, in)` row-major, all finite.
    pub weights: Vec<f32>,
    /// `(out)`, all finite.
    pub biases: Vec<f32>,
}

/// `factor * x + shift`. Each vector has one element for all values or one for each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    pub factor: Vec<f64>,
    pub shift: Vec<f64>,
}

impl Affine {
    /// The identity.
    pub fn identity() -> Self {
        Self { factor: vec![1.0], shift: vec![0.0] }
    }

    pub fn is_identity(&self) -> bool {
        *self == Self::identity()
    }

    /// The composition of `self` and then `next`; `None` if their widths differ.
    pub fn then(&self, next: &Self) -> Option<Self> {
        let widths = [&self.factor, &self.shift, &next.factor, &next.shift].map(Vec::len);
        let width = widths.into_iter().max().unwrap_or(1);
        if widths.iter().any(|&w| w != 1 && w != width) {
            return None;
        }
        let (factor, shift) = (0..width)
            .map(|n| {
                let ([f, s], [g, t]) = (self.at(n), next.at(n));
                (f * g, s * g + t)
            })
            .unzip();
        Some(Self { factor, shift })
    }

    /// Factor and shift of element `n`.
    pub fn at(&self, n: usize) -> [f64; 2] {
        [&self.factor, &self.shift].map(|v| if v.len() == 1 { v[0] } else { v[n] })
    }

    /// Whether it standardises columns, `(x - mean) * scale` in f32: what it does to a constant column is 0.
    pub fn standardises(&self) -> bool {
        let width = self.factor.len().max(self.shift.len());
        let column = |n: usize| match self.at(n) {
            [0.0, shift] => shift == 0.0,
            [factor, shift] => ((-shift / factor) as f32).is_finite() && (factor as f32).is_normal(),
        };
        !self.is_identity() && (0..width).all(column)
    }

    /// The normalisation of `width` columns that does the same, if it [`standardises`](Self::standardises).
    pub fn to_normalisation(&self, width: usize) -> Normalisation {
        let column = |n: usize| {
            let [factor, shift] = self.at(n);
            if factor == 0.0 { (0.0, 0.0) } else { ((-shift / factor) as f32, factor as f32) }
        };
        let (mean, scale) = (0..width).map(column).unzip();
        Normalisation::from_columns(mean, scale)
    }

    /// Whether it applies to vectors of `width` elements.
    pub fn fits(&self, width: usize) -> bool {
        [&self.factor, &self.shift].iter().all(|v| v.len() == 1 || v.len() == width)
    }
}

/// A dense layer with an affine map of its inputs and one of its outputs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AffineDense {
    /// The tensors' names, weights and biases; the second is empty if it has no biases.
    pub names: [String; 2],
    /// `(out, in)`.
    pub dims: [usize; 2],
    /// `(out, in)` row-major.
    pub weights: Vec<f64>,
    /// `(out)`.
    pub biases: Vec<f64>,
    /// The map of its inputs.
    pub before: Affine,
    /// The map of its outputs.
    pub after: Affine,
}

impl AffineDense {
    /// A layer with identities around it.
    pub fn new(names: [String; 2], dims: [usize; 2], weights: Vec<f64>, biases: Vec<f64>) -> Self {
        let [before, after] = [Affine::identity(), Affine::identity()];
        Self { names, dims, weights, biases, before, after }
    }

    /// The layer with both maps folded into it.
    pub fn fold(&self) -> Clause<Dense> {
        let [o, i] = self.dims;
        let name = &self.names[0];
        if !self.before.fits(i) || !self.after.fits(o) {
            return Err(format!("{name} is of another width than what scales its inputs or outputs"));
        }
        let (mut weights, mut biases) = (Vec::with_capacity(o * i), Vec::with_capacity(o));
        for (row, bias) in self.weights.chunks_exact(i.max(1)).zip(&self.biases) {
            let [factor, shift] = self.after.at(biases.len());
            let mut sum = *bias;
            for (n, w) in row.iter().enumerate() {
                let [scale, offset] = self.before.at(n);
                sum += w * offset;
                weights.push((factor * w * scale) as f32);
            }
            biases.push((factor * sum + shift) as f32);
        }
        match weights.iter().chain(&biases).find(|x| !x.is_finite()) {
            Some(x) => {
                Err(format!("{name}: a weight or bias is {x} in f32, with what scales the layer folded in"))
            }
            None => Ok(Dense { names: self.names.clone(), dims: self.dims, weights, biases }),
        }
    }
}
