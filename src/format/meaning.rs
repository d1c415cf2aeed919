//! Codes of what goes into a network and of what comes out of it: raw inputs, the input map, activations, the task.

use super::codes::newer;
use crate::activation::Activation;
use crate::error::Error;

/// The type of the raw inputs of a file: what a sensor or a camera gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputType {
    /// Unsigned bytes, as pixels are.
    U8,
    /// Signed numbers of 16 bits, as most sensors give.
    I16,
    /// Unsigned numbers of 16 bits, as converters give.
    U16,
    /// Single precision.
    F32,
}

impl InputType {
    /// All of them, by code.
    pub const ALL: [Self; 4] = [Self::U8, Self::I16, Self::U16, Self::F32];

    /// `u8`, `i16`, `u16` or `f32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I16 => "i16",
            Self::U16 => "u16",
            Self::F32 => "f32",
        }
    }

    /// The smallest and the largest number of an integer type.
    pub const fn range(self) -> Option<(i32, i32)> {
        match self {
            Self::U8 => Some((0, 255)),
            Self::I16 => Some((-32768, 32767)),
            Self::U16 => Some((0, 65535)),
            Self::F32 => None,
        }
    }

    /// Bytes of a value.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::F32 => 4,
        }
    }

    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    pub(super) const fn from_code(code: u8, at: usize) -> Result<Self, Error> {
        match code {
            0..4 => Ok(Self::ALL[code as usize]),
            _ => Err(newer(at, code, "inputs of an unknown type")),
        }
    }
}

/// What turns a raw value into an input of the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputMap {
    /// `p >> 1` of a byte in the integer types, `p / 255` in the float types.
    Plain,
    /// `table[p]` of a byte in the integer types, `table[p] / 255` in the float types, of a table of 256 bytes in the file.
    Table,
    /// One affine map for all features: an offset, a scale, and the ends of the range.
    Affine,
    /// An affine map for each feature.
    AffinePerFeature,
}

impl InputMap {
    /// `plain`, `table`, `affine` or `affine per feature`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Table => "table",
            Self::Affine => "affine",
            Self::AffinePerFeature => "affine per feature",
        }
    }

    /// Whether raw values become inputs by an affine map.
    pub const fn is_affine(self) -> bool {
        matches!(self, Self::Affine | Self::AffinePerFeature)
    }

    /// Bytes of its parameters in the file, for a network of so many inputs.
    pub const fn bytes(self, inputs: usize) -> usize {
        match self {
            Self::Plain => 0,
            Self::Table => 256,
            Self::Affine => ENTRY_BYTES,
            Self::AffinePerFeature => ENTRY_BYTES * inputs,
        }
    }

    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    pub(super) const fn from_code(code: u8, at: usize) -> Result<Self, Error> {
        Err(newer(
            at,
            code,
            match code {
                0 => return Ok(Self::Plain),
                1 => return Ok(Self::Table),
                2 => return Ok(Self::Affine),
                3 => return Ok(Self::AffinePerFeature),
                4 => "an input table per feature",
                _ => "an unknown input map",
            },
        ))
    }
}

/// Bytes of an affine map in the file, and of what turns an output into an answer.
pub(super) const ENTRY_BYTES: usize = 8;

/// What the outputs of the last layer mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Task {
    /// One class: the position of the largest logit, the first of equals; unknown where the second is too near.
    Class,
    /// Labels of which any number may apply: those whose outputs reach the file's threshold.
    Labels,
    /// Numbers, in the units of the data.
    Values,
    /// The inputs again: how far they are from the true ones is the score of an anomaly.
    Reconstruction,
}

impl Task {
    /// All of them, by code.
    pub const ALL: [Self; 4] = [Self::Class, Self::Labels, Self::Values, Self::Reconstruction];

    /// `class`, `labels`, `values` or `reconstruction`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Labels => "labels",
            Self::Values => "values",
            Self::Reconstruction => "reconstruction",
        }
    }

    /// Bytes that a file has for each output, besides the layer's own.
    pub(super) const fn bytes_per_output(self, integer: bool) -> usize {
        match self {
            Self::Values => ENTRY_BYTES,
            Self::Reconstruction if integer => ENTRY_BYTES,
            _ => 0,
        }
    }

    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    pub(super) const fn from_code(code: u8, at: usize) -> Result<Self, Error> {
        match code {
            0..4 => Ok(Self::ALL[code as usize]),
            _ => Err(newer(at, code, "outputs of an unknown task")),
        }
    }
}

impl Activation {
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    /// The activation with the code that stands at byte `at`, of a hidden layer or of the last one.
    pub(super) const fn from_code(code: u8, hidden: bool, at: usize) -> Result<Self, Error> {
        let what = match code {
            0 => return Ok(Self::Identity),
            1..=5 | 7 if !hidden => "an activation after the last layer",
            1 => return Ok(Self::Relu),
            2 => return Ok(Self::LeakyRelu),
            3 => return Ok(Self::Relu6),
            4 => return Ok(Self::Sigmoid),
            5 => return Ok(Self::Tanh),
            6 => "the activation hard sigmoid",
            7 => return Ok(Self::HardSwish),
            8 => "the activation GELU",
            9 => "the activation SiLU",
            _ => "an unknown activation",
        };
        Err(newer(at, code, what))
    }

    /// Whether a hidden layer of integers with it has a table. The clamp to 0..=127 is ReLU; all others are looked up, ReLU6
    /// too, since in small networks no scale of the outputs makes 127 worth 6.
    pub const fn has_table(self) -> bool {
        !matches!(self, Self::Relu)
    }
}
