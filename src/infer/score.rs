//! Scores: how far a reconstruction is from its input.

use super::kernel::{Kernel, Outputs, square};
use super::{Engine, Sample};
use crate::error::Error;
use crate::format::{ModelView, Task};
use crate::naive;

/// How far a reconstruction is from its input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The mean squared error, in the units of the network's inputs: standard deviations, where they are standardised.
    pub mean_squared_error: f32,
    /// Whether it is above the file's threshold; `None` where the file has none.
    pub anomaly: Option<bool>,
}

/// Bytes of digits of inputs that are mapped again at a time, to be compared with outputs.
const PIECE: usize = if cfg!(selvedge_core = "mve") { 32 } else { 16 };

/// How a file compares outputs with the codes of their inputs, at hand for many of them.
struct Errors<'a> {
    view: &'a ModelView<'a>,
    shift: u32,
    /// What is added to products with codes, so that both shifts round.
    rounding: u32,
    two_digits: bool,
}

impl<'a> Errors<'a> {
    fn new(view: &'a ModelView<'a>) -> Self {
        let (shift, two_digits) = (view.header().score_shift(), view.header().input_bits() == 14);
        // A multiple of 256 passes the first shift, which is by 8.
        let rounding = 128_u32.wrapping_sub(1_u32 << shift >> 1 << 8);
        Self { view, shift, rounding, two_digits }
    }

    /// How many inputs are mapped at a time.
    #[inline(always)]
    fn piece(&self) -> usize {
        if self.two_digits { PIECE / 2 } else { PIECE }
    }

    /// The codes of `count` inputs from `first` on, as their digits of seven bits: of 14 bits the high ones and then the low ones.
    #[inline(always)]
    fn codes(&self, sample: &(impl Sample + ?Sized), first: usize, count: usize, to: &mut [u8; PIECE]) {
        let view = self.view;
        if !view.header().input_map().is_affine() {
            let inputs =
                sample.bytes().skip(first).map(|p| view.table().map_or(p >> 1, |t| t[usize::from(p)]));
            return to.iter_mut().zip(inputs).for_each(|(to, x)| *to = x);
        }
        let (high, low) = to.split_at_mut_checked(self.piece()).unwrap_or_default();
        sample.write_codes(view, first, high.get_mut(..count).unwrap_or_default(), low);
    }

    /// The sum of the squares of some errors: of the outputs from `first` on, at most a piece, and of the codes of their inputs.
    #[inline(always)]
    fn squares<K: Kernel>(&self, first: usize, outputs: &[i32], codes: &[u8; PIECE]) -> u64 {
        let scales = self.view.error_scales(first);
        if !self.two_digits {
            return K::squares(scales, outputs, codes, self.rounding, self.shift);
        }
        self.squares_of_two_digits(scales, outputs, codes)
    }

    #[inline(never)]
    fn squares_of_two_digits(&self, scales: &[[u32; 2]], outputs: &[i32], codes: &[u8; PIECE]) -> u64 {
        let (high, low) = codes.split_at(PIECE / 2);
        let codes = high.iter().zip(low).map(|(&high, &low)| u32::from(high) << 7 | u32::from(low));
        let each = scales.iter().zip(outputs).zip(codes);
        each.fold(0, |sum, ((&scale, &z), q)| sum + square(z, scale, q, self.rounding, self.shift))
    }
}

impl<K: Kernel<Logit = i32>> Engine<'_, K> {
    /// How far the reconstruction of a sample is from it. Outputs are squared as they come, so that they need no memory.
    ///
    /// # Errors
    /// As [`logits`](Self::logits), and [`Error::Task`] for a file whose outputs are no reconstruction.
    pub fn score(&self, sample: &(impl Sample + ?Sized), scratch: &mut [K::Scratch]) -> Result<Score, Error> {
        self.answers(Task::Reconstruction)?;
        let (view, header) = (self.view(), self.view().header());
        let (errors, mut sum) = (Errors::new(view), 0_u64);
        let mut each = |mut first: usize, outputs: &[i32]| {
            let mut digits = [0; PIECE];
            for outputs in outputs.chunks(errors.piece()) {
                errors.codes(sample, first, outputs.len(), &mut digits);
                sum = sum.wrapping_add(errors.squares::<K>(first, outputs, &digits));
                first += outputs.len();
            }
        };
        self.run_on(sample, scratch, Outputs::Each(&mut each))?;
        let anomaly = header.score_threshold().map(|threshold| sum > threshold);
        Ok(Score { mean_squared_error: sum as f32 * header.score_unit(), anomaly })
    }
}

impl<K: Kernel<Logit = f32>> Engine<'_, K> {
    /// How far the reconstruction of a sample is from it, by a file of floats, whose outputs go into `logits`.
    ///
    /// # Errors
    /// As [`logits`](Self::logits), and [`Error::Task`] for a file whose outputs are no reconstruction.
    pub fn score_of_floats(
        &self,
        sample: &(impl Sample + ?Sized),
        scratch: &mut [K::Scratch],
        logits: &mut [f32],
    ) -> Result<Score, Error> {
        self.answers(Task::Reconstruction)?;
        self.logits(sample, scratch, logits)?;
        let (view, header) = (self.view(), self.view().header());
        let unit = |p: u8| naive::unit(view.table().map_or(p, |t| t[usize::from(p)]));
        let (mut bytes, mut floats) = (sample.bytes().map(unit), sample.floats(view));
        let affine = header.input_map().is_affine();
        let mut sum = 0.0_f32;
        for z in logits.iter() {
            let x = if affine { floats.next() } else { bytes.next() }.unwrap_or(0.0);
            sum += (z - x) * (z - x);
        }
        let (mean_squared_error, threshold) = (sum / logits.len() as f32, header.float_score_threshold());
        // An error that is no number, of an infinite reading, is an anomaly.
        let normal = mean_squared_error <= threshold;
        let anomaly = threshold.is_finite().then_some(!normal);
        Ok(Score { mean_squared_error, anomaly })
    }
}
