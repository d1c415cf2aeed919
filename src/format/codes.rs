//! What the bytes of a header stand for: the codes of today, and the names of those that are reserved.
//!
//! A reserved code is refused by its name: the file is sound, and this version of the crate is too old for it.

use core::fmt;

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
