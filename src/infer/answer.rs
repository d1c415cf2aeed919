//! Answers: the outputs of a network read as its file says.

use super::answer::logit::Logit as _;
use super::kernel::Kernel;
use super::{Engine, Sample};
use crate::error::Error;
use crate::format::{Header, Task, ValueScale};
use crate::naive::argmax;

/// An output of a network: `i32` of integers, `f32` of floats.
pub trait Logit: logit::Logit {}

impl<Z: logit::Logit> Logit for Z {}

pub(crate) mod logit {
    /// What answers are made of.
    pub trait Logit: Copy + PartialOrd + core::fmt::Debug {
        /// Its bytes in the checksum of a self-test.
        fn bytes(self) -> [u8; 4];
        /// Whether it leads `second` by a margin, as a header stores it.
        fn leads(self, second: Self, margin: u32) -> bool;
        /// Whether it reaches a threshold, as a header stores it.
        fn reaches(self, threshold: u32) -> bool;
        /// The number that it stands for.
        fn value(self, scale: crate::format::ValueScale) -> f32;
    }
}

impl logit::Logit for i32 {
    #[inline]
    fn bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }

    // Sums are below 2^23 in magnitude, so that the difference does not overflow.
    #[inline]
    fn leads(self, second: Self, margin: u32) -> bool {
        self.wrapping_sub(second) as u32 >= margin
    }

    #[inline]
    fn reaches(self, threshold: u32) -> bool {
        self >= threshold as i32
    }

    #[inline]
    fn value(self, scale: ValueScale) -> f32 {
        match scale {
            ValueScale::Integer { add, scale } => self.wrapping_add(add) as f32 * scale,
            ValueScale::Float { scale, offset } => self as f32 * scale + offset,
        }
    }
}

impl logit::Logit for f32 {
    #[inline]
    fn bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }

    #[inline]
    fn leads(self, second: Self, margin: u32) -> bool {
        margin == 0 || self - second >= Self::from_bits(margin)
    }

    #[inline]
    fn reaches(self, threshold: u32) -> bool {
        self >= Self::from_bits(threshold)
    }

    #[inline]
    fn value(self, scale: ValueScale) -> f32 {
        match scale {
            ValueScale::Float { scale, offset } => self * scale + offset,
            ValueScale::Integer { add, scale } => (self + add as Self) * scale,
        }
    }
}

/// The class that logits stand for: the position of the largest, the first of equals; `None`, unknown, where it leads the
/// second by less than the file's margin.
pub fn class_of<Z: Logit>(header: &Header<'_>, logits: &[Z]) -> Option<usize> {
    let class = argmax(logits);
    let margin = header.margin_bits();
    if margin == 0 {
        return Some(class);
    }
    let largest = *logits.get(class)?;
    let others = logits.iter().enumerate().filter(|&(at, _)| at != class);
    others.clone().all(|(_, z)| largest.leads(*z, margin)).then_some(class)
}

/// Sets the bit of each label whose output reaches the file's threshold: bit `o % 8` of byte `o / 8` for output `o`. All other
/// bits are cleared, also in bytes beyond the last output; outputs for which `bits` has no byte are left out, and
/// [`Engine::labels`] refuses them.
pub fn labels_of<Z: Logit>(header: &Header<'_>, logits: &[Z], bits: &mut [u8]) {
    let threshold = header.label_threshold_bits();
    let mut eights = logits.chunks(8);
    for byte in bits {
        *byte = 0;
        for (bit, z) in eights.next().unwrap_or_default().iter().enumerate() {
            *byte |= u8::from(z.reaches(threshold)) << bit;
        }
    }
}

/// The number that an output of a regression stands for, in the units of the data.
pub fn value_of<Z: Logit>(z: Z, scale: ValueScale) -> f32 {
    z.value(scale)
}

impl<K: Kernel> Engine<'_, K> {
    pub(super) fn answers(&self, task: Task) -> Result<(), Error> {
        let found = self.view().header().task();
        if found as u8 == task as u8 { Ok(()) } else { Err(Error::Task { found: found.name() }) }
    }

    /// The class of a sample: the position of its largest logit, the first of equals. `None` is unknown: the largest leads
    /// the second by less than the margin of the file, which most files do not have.
    ///
    /// # Errors
    /// As [`logits`](Self::logits), and [`Error::Task`] for a file whose outputs are no classes.
    pub fn classify(
        &self,
        sample: &(impl Sample + ?Sized),
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
    ) -> Result<Option<usize>, Error> {
        self.answers(Task::Class)?;
        self.logits(sample, scratch, logits)?;
        Ok(class_of(self.view().header(), logits))
    }

    /// The numbers that a network of regression answers, in the units of the data, one for each output. `logits` are the
    /// outputs before that.
    ///
    /// # Errors
    /// As [`logits`](Self::logits), [`Error::Length`] where `values` are not one for each output, and [`Error::Task`] for a
    /// file whose outputs are no numbers.
    pub fn predict(
        &self,
        sample: &(impl Sample + ?Sized),
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
        values: &mut [f32],
    ) -> Result<(), Error> {
        self.answers(Task::Values)?;
        let (expected, actual) = (logits.len(), values.len());
        if expected != actual {
            return Err(Error::Length { what: "values", expected, actual });
        }
        self.logits(sample, scratch, logits)?;
        for (output, (value, z)) in values.iter_mut().zip(logits).enumerate() {
            *value = z.value(self.view().value_scale(output));
        }
        Ok(())
    }

    /// The labels of a sample: bit `o % 8` of byte `o / 8` is set where output `o` reaches the threshold of the file. Other bits
    /// are 0.
    ///
    /// # Errors
    /// As [`logits`](Self::logits), [`Error::Length`] where `bits` are not a bit for each output in whole bytes, and
    /// [`Error::Task`] for a file whose outputs are no labels.
    pub fn labels(
        &self,
        sample: &(impl Sample + ?Sized),
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
        bits: &mut [u8],
    ) -> Result<(), Error> {
        self.answers(Task::Labels)?;
        let (expected, actual) = (logits.len().div_ceil(8), bits.len());
        if expected != actual {
            return Err(Error::Length { what: "bytes of labels", expected, actual });
        }
        self.logits(sample, scratch, logits)?;
        labels_of(self.view().header(), logits, bits);
        Ok(())
    }
}

impl<K: Kernel<Logit = i32>> Engine<'_, K> {
    /// The numbers that a network of regression answers, in fixed point and without a float: number `o` is worth
    /// [`value_scale`](crate::format::ModelView::value_scale)`(o)` times its unit.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_fixed(
        &self,
        sample: &(impl Sample + ?Sized),
        scratch: &mut [K::Scratch],
        values: &mut [i32],
    ) -> Result<(), Error> {
        self.answers(Task::Values)?;
        self.logits(sample, scratch, values)?;
        for (output, z) in values.iter_mut().enumerate() {
            if let ValueScale::Integer { add, .. } = self.view().value_scale(output) {
                *z = z.wrapping_add(add);
            }
        }
        Ok(())
    }
}
