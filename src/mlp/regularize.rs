//! Regularization: label smoothing and dropout.
//!
//! A seed, the layer and the row of the batch decide which units drop out. So it depends neither on how rows are divided
//! over threads nor on earlier draws.

use crate::error::Error;
use crate::rng::Rng;

/// How a step is regularized.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Regularize {
    /// Label smoothing: the fraction of the label that is spread over all classes, 0 to below 1.
    pub label_smoothing: f32,
    /// The fraction of the hidden units that are 0 in this step, 0 to below 1, in steps of 2⁻¹⁶. The others are multiplied
    /// by `1 / (1 - dropout)`.
    pub dropout: f32,
    /// Decides which units drop out; use another seed for each step.
    pub seed: u64,
}

impl Regularize {
    /// No regularization.
    pub const NONE: Self = Self { label_smoothing: 0.0, dropout: 0.0, seed: 0 };

    /// With label smoothing, 0 to below 1.
    #[must_use]
    pub const fn with_label_smoothing(self, label_smoothing: f32) -> Self {
        Self { label_smoothing, ..self }
    }

    /// With a fraction of the hidden units dropped, 0 to below 1; `seed` decides which.
    #[must_use]
    pub const fn with_dropout(self, dropout: f32, seed: u64) -> Self {
        Self { dropout, seed, ..self }
    }

    /// Refuses fractions out of range, NaN included.
    pub(super) fn check(self) -> Result<(), Error> {
        let valid = |x: f32| (0.0..1.0).contains(&x);
        if valid(self.label_smoothing) && valid(self.dropout) { Ok(()) } else { Err(Error::Fraction) }
    }

    /// `dz(b,o)`, the gradient for one label a row, becomes the one for smoothed labels.
    pub(super) fn smooth(self, labels: &[u8], dz: &mut [f32]) {
        if self.label_smoothing == 0.0 {
            return;
        }
        let o = dz.len() / labels.len();
        let uniform = self.label_smoothing / o as f32;
        for (row, &label) in dz.chunks_exact_mut(o).zip(labels) {
            row.iter_mut().for_each(|d| *d -= uniform);
            row[usize::from(label)] += self.label_smoothing;
        }
    }

    /// What the units that are kept are multiplied by.
    pub(super) fn scale(self) -> f32 {
        if self.dropout > 0.0 { 1.0 / (1.0 - self.dropout) } else { 1.0 }
    }

    /// Drops units of the activations `a(b,o)` of layer `l`, whose rows start at `first` of the batch; or of their gradient,
    /// from which the same units drop out.
    pub(super) fn drop_units(self, l: usize, first: usize, o: usize, a: &mut [f32]) {
        if self.dropout == 0.0 {
            return;
        }
        let (threshold, scale) = ((self.dropout * 65_536.0) as u64, self.scale());
        for (row, r) in a.chunks_exact_mut(o).zip(first as u64..) {
            let mut rng = Rng::new(self.seed ^ ((l as u64) << 48) ^ (r << 16));
            for four in row.chunks_mut(4) {
                let mut bits = rng.next_u64();
                for x in four {
                    *x = if bits & 0xffff < threshold { 0.0 } else { *x * scale };
                    bits >>= 16;
                }
            }
        }
    }

    /// Scales the gradient of ReLU units that were kept as their activations were. That of the others is 0 already, since the
    /// derivative of ReLU at 0 is.
    pub(super) fn scale_kept(self, dz: &mut [f32]) {
        if self.dropout > 0.0 {
            let scale = self.scale();
            dz.iter_mut().for_each(|d| *d *= scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Regularize};

    #[test]
    fn fractions_are_below_one() {
        for fraction in [-0.1, 1.0, f32::INFINITY, f32::NAN] {
            assert_eq!(Regularize { dropout: fraction, ..Regularize::NONE }.check(), Err(Error::Fraction));
            assert_eq!(
                Regularize { label_smoothing: fraction, ..Regularize::NONE }.check(),
                Err(Error::Fraction)
            );
        }
        assert_eq!(Regularize { label_smoothing: 0.0, dropout: 0.99, seed: 1 }.check(), Ok(()));
    }

    #[test]
    fn units_drop_out_at_the_rate_however_rows_are_divided() {
        let regularize = Regularize { dropout: 0.25, seed: 7, ..Regularize::NONE };
        let mut whole = [1.0f32; 4000];
        regularize.drop_units(1, 0, 100, &mut whole);
        let dropped = whole.iter().filter(|&&x| x == 0.0).count();
        assert!((900..1100).contains(&dropped), "{dropped}");
        assert!(whole.iter().all(|&x| x == 0.0 || x == 1.0 / 0.75));
        let mut tail = [1.0f32; 1000];
        regularize.drop_units(1, 30, 100, &mut tail);
        assert_eq!(whole[3000..], tail);
        let mut other = [1.0f32; 1000];
        regularize.drop_units(0, 30, 100, &mut other);
        assert_ne!(tail, other);
    }

    #[test]
    fn smoothed_gradients_add_up_to_nothing() {
        let mut dz = [0.25, -0.75, 0.25, 0.25];
        Regularize { label_smoothing: 0.2, ..Regularize::NONE }.smooth(&[1], &mut dz);
        assert!(dz.iter().sum::<f32>().abs() < 1e-6);
        assert!((dz[1] - (-0.75 + 0.2 - 0.05)).abs() < 1e-6 && (dz[0] - 0.2).abs() < 1e-6);
    }
}
