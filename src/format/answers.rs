//! What turns the outputs of a file into answers: the numbers that are stored for each output.

use super::header::Header;
use super::meaning::{ENTRY_BYTES, Task};
use super::raw::words_of;
use super::view::ModelView;
use super::words::words;
use crate::error::Error;
use crate::format::ACCUMULATOR_LIMIT;
use crate::naive::integer::largest_code;

/// What turns an output of [`Task::Values`] into a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueScale {
    /// In integer files: `(z + add) as f32 * scale`; `z + add` is the number in fixed point, in units of `scale`.
    Integer {
        /// Added to the output.
        add: i32,
        /// The worth of one unit of the sum.
        scale: f32,
    },
    /// In float files: `z * scale + offset`.
    Float {
        /// What the output is multiplied by.
        scale: f32,
        /// Added to the product.
        offset: f32,
    },
}

/// What an output of [`Task::Reconstruction`] is compared with in an integer file:
/// `z + add - ((q * mul + 128) >> 8)` for the code `q` of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorScale {
    /// Added to the output.
    pub add: i32,
    /// 256 times the units of an output that one code is worth.
    pub mul: u32,
}

impl ModelView<'_> {
    fn answer(&self, output: usize) -> (u32, u32) {
        words_of(self.answers.as_chunks().0.get(output).copied().unwrap_or_default())
    }

    /// What turns an output into a number of the data's units; the output itself where the task is another one.
    pub fn value_scale(&self, output: usize) -> ValueScale {
        let (first, second) = self.answer(output);
        match (self.header().task(), self.header().dtype().is_integer()) {
            (Task::Values, true) => ValueScale::Integer { add: first as i32, scale: f32::from_bits(second) },
            (Task::Values, false) => {
                ValueScale::Float { scale: f32::from_bits(first), offset: f32::from_bits(second) }
            }
            (_, true) => ValueScale::Integer { add: 0, scale: self.scale(self.header().layers()) },
            (_, false) => ValueScale::Float { scale: 1.0, offset: 0.0 },
        }
    }

    /// What an output of a reconstruction is compared with, in an integer file.
    pub fn error_scale(&self, output: usize) -> ErrorScale {
        self.error_scales(output)
            .first()
            .map_or(ErrorScale { add: 0, mul: 0 }, |&entry| ErrorScale::of(entry))
    }

    /// The same of the outputs from `first` on, as the file holds them.
    #[inline]
    pub(crate) fn error_scales(&self, first: usize) -> &[[u32; 2]] {
        words(self.answers).unwrap_or_default().as_chunks().0.get(first..).unwrap_or_default()
    }
}

impl ErrorScale {
    /// What a file holds as `entry`.
    #[inline]
    pub(crate) const fn of([add, mul]: [u32; 2]) -> Self {
        Self { add: u32::from_le(add) as i32, mul: u32::from_le(mul) }
    }
}

/// Checks what a file stores for its outputs, from byte `at` on.
pub(super) fn check(header: &Header<'_>, answers: &[u8], at: usize) -> Result<(), Error> {
    let integer = header.dtype().is_integer();
    let limit = ACCUMULATOR_LIMIT as i32;
    let codes = u64::from(largest_code(header.input_bits()));
    for (n, &entry) in answers.as_chunks().0.iter().enumerate() {
        let (first, second) = words_of(entry);
        let float = |bits: u32| f32::from_bits(bits).is_finite();
        let valid = match header.task() {
            // The sum of an output and what is added has 32 bits.
            Task::Values if integer => {
                float(second)
                    && (first as i32).checked_add(limit).is_some()
                    && (first as i32).checked_sub(limit).is_some()
            }
            Task::Values => float(first) && float(second),
            _ => {
                (first as i32).unsigned_abs() < ACCUMULATOR_LIMIT && codes * u64::from(second) + 128 < 1 << 31
            }
        };
        if !valid {
            return Err(Error::Field { at: at + ENTRY_BYTES * n, value: first });
        }
    }
    Ok(())
}
