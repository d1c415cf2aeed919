//! Label smoothing and dropout: what keeps a network from learning its images by heart.
//!
//! Which units drop out follows from a seed, the layer and the row of the batch, so that it depends neither on how rows
//! are spread over threads nor on what was drawn before.

use crate::error::Error;
use crate::rng::Rng;

/// How a step is regularized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularize {
    /// The share of the label that is spread over all classes, 0 to below 1.
    pub smoothing: f32,
    /// The share of the hidden units that are 0 in this step, 0 to below 1, in steps of 2⁻¹⁶; the others grow in turn.
    pub dropout: f32,
    /// Decides which units; another one for each step.
    pub seed: u64,
}

impl Regularize {
    /// Not at all.
    pub const NONE: Self = Self { smoothing: 0.0, dropout: 0.0, seed: 0 };

    /// Refuses what is not a share, NaN included.
    pub(super) fn check(self) -> Result<(), Error> {
        let share = |x: f32| (0.0..1.0).contains(&x);
        if share(self.smoothing) && share(self.dropout) { Ok(()) } else { Err(Error::Share) }
    }

    /// `dz(b,o)`, the gradient for one label a row, becomes the one for smoothed labels.
    pub(super) fn smooth(self, labels: &[u8], dz: &mut [f32]) {
        if self.smoothing == 0.0 {
            return;
        }
        let o = dz.len() / labels.len();
        let share = self.smoothing / o as f32;
        for (row, &label) in dz.chunks_exact_mut(o).zip(labels) {
            row.iter_mut().for_each(|d| *d -= share);
            row[usize::from(label)] += self.smoothing;
        }
    }

    /// Drops units of the activations `a(b,o)` of layer `l`, whose rows start at `first` of the batch.
    pub(super) fn drop_units(self, l: usize, first: usize, o: usize, a: &mut [f32]) {
        if self.dropout == 0.0 {
            return;
        }
        let (below, grow) = ((self.dropout * 65_536.0) as u64, 1.0 / (1.0 - self.dropout));
        for (row, r) in a.chunks_exact_mut(o).zip(first as u64..) {
            let mut rng = Rng::new(self.seed ^ ((l as u64) << 48) ^ (r << 16));
            for four in row.chunks_mut(4) {
                let mut bits = rng.next_u64();
                for x in four {
                    *x = if bits & 0xffff < below { 0.0 } else { *x * grow };
                    bits >>= 16;
                }
            }
        }
    }

    /// The deltas of units that were kept grow as the units did; those of the others are 0 already, since ReLU's
    /// derivative at 0 is.
    pub(super) fn scale_kept(self, dz: &mut [f32]) {
        if self.dropout > 0.0 {
            let grow = 1.0 / (1.0 - self.dropout);
            dz.iter_mut().for_each(|d| *d *= grow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Regularize};

    #[test]
    fn shares_are_below_one() {
        for share in [-0.1, 1.0, f32::INFINITY, f32::NAN] {
            assert_eq!(Regularize { dropout: share, ..Regularize::NONE }.check(), Err(Error::Share));
            assert_eq!(Regularize { smoothing: share, ..Regularize::NONE }.check(), Err(Error::Share));
        }
        assert_eq!(Regularize { smoothing: 0.0, dropout: 0.99, seed: 1 }.check(), Ok(()));
    }

    #[test]
    fn units_drop_out_at_the_rate_whatever_the_rows() {
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
        Regularize { smoothing: 0.2, ..Regularize::NONE }.smooth(&[1], &mut dz);
        assert!(dz.iter().sum::<f32>().abs() < 1e-6);
        assert!((dz[1] - (-0.75 + 0.2 - 0.05)).abs() < 1e-6 && (dz[0] - 0.2).abs() < 1e-6);
    }
}
