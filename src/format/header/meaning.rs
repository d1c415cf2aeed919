//! What a header says of raw inputs and of answers.
//!
//! These fields are read where they lie, so that a [`Header`] is no larger for them. In version 1 they are all 0.

use super::Header;
use crate::format::fields::{byte, half, word};
use crate::format::meaning::{InputType, Task};

impl Header<'_> {
    /// The type of the raw values.
    pub const fn input_type(&self) -> InputType {
        match InputType::from_code(byte(self.head, 16), 16) {
            Ok(of) => of,
            Err(_) => InputType::U8,
        }
    }

    /// Bits of an input of the integer types: 7, or 14 in two digits.
    pub const fn input_bits(&self) -> u32 {
        if byte(self.head, 19) == 14 { 14 } else { 7 }
    }

    /// Rows of a window of a time series, and rows from the start of one to that of the next, where the network's inputs are
    /// such a window: each row has [`inputs`](Self::inputs)` / rows` values, the oldest row first.
    pub const fn window(&self) -> Option<(usize, usize)> {
        match (half(self.head, 48), half(self.head, 50)) {
            (0, _) => None,
            (rows, stride) => Some((rows as usize, stride as usize)),
        }
    }

    /// What the outputs mean.
    pub const fn task(&self) -> Task {
        match Task::from_code(byte(self.head, 28), 28) {
            Ok(task) => task,
            Err(_) => Task::Class,
        }
    }

    /// By how much the largest logit must lead the second for its class to be known, as it is stored: units of logits in the
    /// integer types, the bits of an f32 in the float types; 0 where every class is known.
    pub const fn margin_bits(&self) -> u32 {
        if matches!(self.task(), Task::Class) { word(self.head, 36) } else { 0 }
    }

    /// From which output on a label is set, as it is stored: an i32 in the integer types, the bits of an f32 in the float
    /// types.
    pub const fn label_threshold_bits(&self) -> u32 {
        if matches!(self.task(), Task::Labels) { word(self.head, 32) } else { 0 }
    }

    /// The score above which a reconstruction is an anomaly, where the file says it: in units of
    /// [`score_unit`](Self::score_unit).
    pub const fn score_threshold(&self) -> Option<u64> {
        match word(self.head, 32) as u64 | (word(self.head, 36) as u64) << 32 {
            _ if !matches!(self.task(), Task::Reconstruction) || !self.dtype().is_integer() => None,
            u64::MAX => None,
            threshold => Some(threshold),
        }
    }

    /// The mean squared error above which a reconstruction by a file of floats is an anomaly; infinite where the file does not
    /// say it.
    pub const fn float_score_threshold(&self) -> f32 {
        f32::from_bits(word(self.head, 32))
    }

    /// The mean squared error that a score of 1 stands for, in files of integers; the f32 that a score is multiplied by.
    pub const fn score_unit(&self) -> f32 {
        f32::from_bits(word(self.head, 52))
    }

    /// Bits that the error of an output loses before it is squared.
    pub const fn score_shift(&self) -> u32 {
        byte(self.head, 29) as u32
    }

    /// Whether it is a file for the smallest engines: bytes that a shift or a table turns into seven bits, layers whose clamp is
    /// their activation, multipliers of 16 bits, and outputs that are not compared with the inputs. They run no others.
    pub const fn is_plain(&self) -> bool {
        let mut l = 0;
        while l + 1 < self.layers() {
            if self.activation(l).has_table() || self.has_wide_multipliers(l) {
                return false;
            }
            l += 1;
        }
        !self.input_map.is_affine() && !matches!(self.task(), Task::Reconstruction)
    }

    /// The CRC-32 of the names of the columns that inputs and answers come from, where the file was made from a table, so that a
    /// desktop does not read other columns into it; 0 where it does not say.
    pub const fn columns_crc(&self) -> u32 {
        word(self.head, 56)
    }

    /// Whether two files of the same network turn the same raw values into the same answers, but for their numbers.
    pub(in crate::format) fn means_the_same(&self, other: &Self) -> bool {
        let fields = [16..20, 28..30, 32..40, 48..60];
        let mut layers = (0..self.layers()).map(|l| {
            self.activation(l) == other.activation(l)
                && self.has_wide_multipliers(l) == other.has_wide_multipliers(l)
        });
        self.input_map() == other.input_map()
            && layers.all(|same| same)
            && fields.into_iter().flatten().all(|at| at == 17 || byte(self.head, at) == byte(other.head, at))
    }
}
