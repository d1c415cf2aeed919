//! What the bytes of a header stand for: the codes of today, and the names of those that are reserved.
//!
//! A reserved code is refused by its name: the file is sound, and this version of the crate is too old for it.

use core::fmt;

use crate::activation::Activation;
use crate::error::Error;

/// The type of a layer's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// Single precision.
    F32,
    /// Half precision, IEEE.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// −127..=127, computed in integers.
    I8,
    /// −7..=7, two to a byte, computed in integers.
    I4,
}

impl Dtype {
    /// All of them, by code.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::I8, Self::I4];

    /// `f32`, `f16`, `bf16`, `i8` or `i4`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I8 => "i8",
            Self::I4 => "i4",
        }
    }

    /// Whether inference is in integers.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::I8 | Self::I4)
    }

    /// The largest weight of the integer types, in the units of the arithmetic.
    pub const fn largest(self) -> i32 {
        if matches!(self, Self::I4) { 112 } else { 127 }
    }

    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    /// The type with the code that stands at byte `at`.
    pub(super) const fn from_code(code: u8, at: usize) -> Result<Self, Error> {
        Err(newer(
            at,
            code,
            match code {
                0..5 => return Ok(Self::ALL[code as usize]),
                5 => "i2 weights",
                6 => "ternary weights",
                _ => "weights of an unknown type",
            },
        ))
    }
}

/// The order of a file's integer weights: which cores read it fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packing {
    /// Row after row; for any core, and the only one of floats.
    Generic,
    /// Quads of four rows, prepared for `SMLAD`: Cortex-M4, M7, M33 and others with the DSP extension.
    CortexM4,
    /// Quads of four rows, biased to be positive for two products in one multiplication: Cortex-M0, M0+, M3, RISC-V.
    CortexM0,
    /// Blocks of 16 columns of eight rows: Cortex-M55 and M85, with MVE.
    CortexM55,
}

impl Packing {
    /// All of them, by code.
    pub const ALL: [Self; 4] = [Self::Generic, Self::CortexM4, Self::CortexM0, Self::CortexM55];

    /// `generic`, `cortex-m4`, `cortex-m0` or `cortex-m55`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::CortexM4 => "cortex-m4",
            Self::CortexM0 => "cortex-m0",
            Self::CortexM55 => "cortex-m55",
        }
    }

    /// Rows that lie together.
    pub const fn rows_together(self) -> usize {
        match self {
            Self::Generic => 1,
            Self::CortexM4 | Self::CortexM0 => 4,
            Self::CortexM55 => 8,
        }
    }

    /// Columns of a row that lie together; rows are padded to a multiple of them.
    pub const fn columns_together(self, dtype: Dtype) -> usize {
        match (self, dtype) {
            (Self::CortexM55, _) => 16,
            (Self::Generic, Dtype::I4) => 8,
            _ => 4,
        }
    }

    /// The packing that suits a core, by the names that people give them.
    pub fn for_core(core: &str) -> Option<Self> {
        Some(match core {
            "generic" => Self::Generic,
            "cortex-m4" | "cortex-m7" | "cortex-m33" => Self::CortexM4,
            "cortex-m0" | "cortex-m0+" | "cortex-m3" | "rv32" | "riscv" => Self::CortexM0,
            "cortex-m55" | "cortex-m85" => Self::CortexM55,
            _ => return None,
        })
    }

    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    /// The packing with the code that stands at byte `at`.
    pub(super) const fn from_code(code: u8, at: usize) -> Result<Self, Error> {
        match code {
            0..4 => Ok(Self::ALL[code as usize]),
            _ => Err(newer(at, code, "an unknown packing")),
        }
    }
}

/// What turns a pixel `p` into an input of the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputMap {
    /// `p >> 1` in the integer types, `p / 255` in the float types.
    Plain,
    /// `table[p]` in the integer types, `table[p] / 255` in the float types, of a table of 256 bytes in the file.
    Table,
}

impl InputMap {
    /// `plain` or `table`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Table => "table",
        }
    }

    /// Bytes of its parameters in the file.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Table => 256,
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
                2 => "an affine input map",
                3 => "an affine input map per feature",
                4 => "an input table per feature",
                _ => "an unknown input map",
            },
        ))
    }
}

impl Activation {
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    /// Checks the code that stands at byte `at` against the one activation that a layer can have today.
    pub(super) const fn check(self, code: u8, at: usize) -> Result<(), Error> {
        Err(newer(
            at,
            code,
            match code {
                0 if matches!(self, Self::Identity) => return Ok(()),
                1 if matches!(self, Self::Relu) => return Ok(()),
                0 => "a hidden layer without activation",
                1 => "ReLU after the last layer",
                2 => "the activation leaky ReLU",
                3 => "the activation ReLU6",
                4 => "the activation sigmoid",
                5 => "the activation tanh",
                6 => "the activation hard sigmoid",
                7 => "the activation hard swish",
                8 => "the activation GELU",
                9 => "the activation SiLU",
                _ => "an unknown activation",
            },
        ))
    }
}

/// What the outputs of the last layer mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Task {
    /// One class: the position of the largest logit, the first of equals.
    Class,
}

impl Task {
    /// `class`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
        }
    }

    pub(super) const fn from_code(code: u8, at: usize) -> Result<Self, Error> {
        Err(newer(
            at,
            code,
            match code {
                0 => return Ok(Self::Class),
                1 => "outputs read as several labels",
                2 => "outputs read as real values",
                3 => "outputs read as a reconstruction of the input",
                _ => "outputs of an unknown task",
            },
        ))
    }
}

/// Refuses a sound file for what it uses.
pub(super) const fn newer(at: usize, code: u8, what: &'static str) -> Error {
    Error::Newer { at, code, what }
}

/// Its [`name`](Dtype::name).
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Its [`name`](Packing::name).
impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
