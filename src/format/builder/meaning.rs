//! Setting what turns raw values into inputs, and outputs into answers.

use super::{Builder, Span};
use crate::error::Error;
use crate::format::{ErrorScale, InputType, Task, ValueScale};

impl Builder<'_> {
    /// Sets an entry of 8 bytes where the file `has` such entries, and that one.
    fn put_entry(&mut self, has: bool, span: Span, n: usize, [first, second]: [u32; 2]) -> Result<(), Error> {
        if !has || n >= span.len / 8 {
            return Err(Error::Setting {
                name: "the map or the answer",
                expected: "of the kind that the header says",
            });
        }
        self.put(span, n, (u64::from(second) << 32 | u64::from(first)).to_le_bytes());
        Ok(())
    }

    /// Sets the affine map of a feature, or of all where the file has one for all, of raw values of f32 or of a file of floats:
    /// in files of integers the code is about `(value - offset) * scale / 2`
    /// ([`code_of_float`](crate::naive::integer::code_of_float)), in files of floats the input is `(value - offset) * scale`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a file without such a map.
    pub fn map_floats(&mut self, feature: usize, offset: f32, scale: f32) -> Result<(), Error> {
        let header = self.header();
        let floats = !header.dtype().is_integer() || header.input_type() == InputType::F32;
        let has = header.input_map().is_affine() && floats;
        self.put_entry(has, self.layout.input, feature, [offset.to_bits(), scale.to_bits()])
    }

    /// Sets the affine map of a feature, or of all where the file has one for all, of raw integers in a file of integers:
    /// [`code_of_integer`](crate::naive::integer::code_of_integer).
    ///
    /// # Errors
    /// [`Error::Setting`] for a file without such a map, or where `lo` is none of its raw values.
    pub fn map_integers(&mut self, feature: usize, lo: i32, span: u16, m: u32) -> Result<(), Error> {
        let header = self.header();
        let within = header.input_type().range().is_some_and(|(least, most)| (least..=most).contains(&lo));
        let has = header.input_map().is_affine() && header.dtype().is_integer() && within;
        self.put_entry(has, self.layout.input, feature, [u32::from(lo as u16) | u32::from(span) << 16, m])
    }

    /// Sets what turns an output of [`Task::Values`] into a number.
    ///
    /// # Errors
    /// [`Error::Setting`] for a file of another task or of another kind of weights.
    pub fn value_scale(&mut self, output: usize, scale: ValueScale) -> Result<(), Error> {
        let (integer, words) = match scale {
            ValueScale::Integer { add, scale } => (true, [add as u32, scale.to_bits()]),
            ValueScale::Float { scale, offset } => (false, [scale.to_bits(), offset.to_bits()]),
        };
        let header = self.header();
        let has = header.task() == Task::Values && header.dtype().is_integer() == integer;
        self.put_entry(has, self.layout.answers, output, words)
    }

    /// Sets what an output of a reconstruction is compared with, in a file of integers.
    ///
    /// # Errors
    /// [`Error::Setting`] for a file of another task or of floats.
    pub fn error_scale(&mut self, output: usize, ErrorScale { add, mul }: ErrorScale) -> Result<(), Error> {
        let has = self.header().task() == Task::Reconstruction;
        self.put_entry(has, self.layout.answers, output, [add as u32, mul])
    }

    /// Sets by how much the largest logit must lead the second for its class to be known: units of logits in the integer
    /// types, the bits of an f32 in the float types.
    ///
    /// # Errors
    /// [`Error::Field`] for a file of another task, or NaN.
    pub fn margin_bits(&mut self, margin: u32) -> Result<(), Error> {
        self.answer(36, &margin.to_le_bytes())
    }

    /// Sets from which output on a label is set: an i32 in the integer types, the bits of an f32 in the float types.
    ///
    /// # Errors
    /// [`Error::Field`] for a file of another task, or NaN.
    pub fn label_threshold_bits(&mut self, threshold: u32) -> Result<(), Error> {
        self.answer(32, &threshold.to_le_bytes())
    }

    /// Sets how a file of integers scores a reconstruction: how many bits an error loses before it is squared, which mean
    /// squared error a score of 1 stands for, and the score above which a sample is an anomaly.
    ///
    /// # Errors
    /// [`Error::Field`] for a file of another task or type, a shift above 24 or a unit that is not a finite number above 0.
    pub fn score(&mut self, shift: u32, unit: f32, threshold: Option<u64>) -> Result<(), Error> {
        self.answer(29, &[shift.min(255) as u8])?;
        self.answer(52, &unit.to_le_bytes())?;
        self.answer(32, &threshold.unwrap_or(u64::MAX).to_le_bytes())
    }

    /// Sets the mean squared error above which a file of floats calls a reconstruction an anomaly.
    ///
    /// # Errors
    /// [`Error::Field`] for a file of another task or type, or NaN.
    pub fn float_score_threshold(&mut self, threshold: f32) -> Result<(), Error> {
        self.answer(32, &u64::from(threshold.to_bits()).to_le_bytes())
    }

    fn answer(&mut self, at: usize, field: &[u8]) -> Result<(), Error> {
        self.header = self.header.clone().with_answer(at, field)?;
        Ok(())
    }
}
