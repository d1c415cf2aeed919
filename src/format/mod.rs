//! The flash file: a header, and a payload whose layout follows from it; used in place.
//!
//! # The format, version 1
//!
//! All numbers are little-endian. The file starts at a multiple of 16 in memory and its length is a multiple of 16.
//!
//! | bytes | header |
//! |---|---|
//! | 0..4 | `SELV` |
//! | 4 | version, 1 |
//! | 5 | type of the weights: 0 `f32`, 1 `f16`, 2 `bf16`, 3 `i8`, 4 `i4` |
//! | 6 | packing: 0 `generic`, 1 `cortex-m4`, 2 `cortex-m0`, 3 `cortex-m55`; floats are `generic` |
//! | 7 | layers L, 1 to 8 |
//! | 8..26 | nine u16: the L + 1 widths, the input first, each 1 to 32768, then zeros |
//! | 26..30 | two u16: rows and columns of the image, whose product is the first width, or zeros |
//! | 30..32 | u16: 1 if there is an input table, plus 2 if there is a self-test |
//! | 32..36 | u32: bytes behind the header |
//! | 36..40 | u32: CRC-32 (IEEE, as in zip) of bytes 0..36 and 40.. to the end |
//! | 40..42 | u16: bytes of the class names |
//! | 42..44 | zeros |
//! | 44..52 | two u32: the self-test's seed and the CRC-32 of its logits, or zeros |
//! | 52..64 | zeros |
//!
//! The CRC is integrity, not authenticity. Behind the header lie, each padded with zeros to a multiple of 16 bytes:
//!
//! 1. the input table, 256 bytes, where the header says so; of 0..=127 in `i8` and `i4`;
//! 2. L + 1 f32, in `i8` and `i4` only: what one unit of the inputs of each layer, and of the logits, is worth;
//! 3. for each layer with `i` inputs and `o` outputs: the weights; a bias for each row, i32, or f32 in the float types; a
//!    multiplier for each row, u16, in `i8` and `i4` except for the last layer. Packings in groups of rows have biases
//!    and multipliers for whole groups; all numbers of rows and columns that only fill a group are 0;
//! 4. the class names in UTF-8 with a line feed between them, one for each output, or nothing.
//!
//! **Arithmetic** of `i8` and `i4`. Inputs are `x = p >> 1` of a pixel `p`, or `x = table[p]`. A row adds up
//! `a = bias + Σ x·w` with w in −127..=127, and the file guarantees `127·Σ|w| + |bias| < 2²³`. A hidden layer passes on
//! `(a·r + 2²³) >> 24`, clamped to 0..=127, with the row's multiplier r; the last layer's `a` are the logits. A nibble q
//! of `i4`, −7..=7, is the weight `16·q`: that makes `i4` the same arithmetic, and lets every r fit 16 bits. Float types
//! take `x = p / 255`, or `x = table[p] / 255`, and add up `z = (0 + x[0]·w[0] + x[1]·w[1] + ..) + bias`, in that order,
//! every operation rounded to f32; hidden layers pass on 0 where z is negative.
//!
//! **Weights.** Weight `(row, column)` of output row and input column lies
//!
//! | packing | at byte | as |
//! |---|---|---|
//! | floats | element `column · o + row` | |
//! | `generic` i8 | `row · C + column`, C = i rounded up to 4 | i8 |
//! | `generic` i4 | `row · C / 2 + column / 8 · 4 + column % 4`, C = i rounded up to 8 | low nibble where `column % 8 < 4`, else high |
//! | `cortex-m4` i8 | `row / 4 · 4C + column / 4 · 16 + row % 4 · 4 + column % 4`, C = i rounded up to 4 | i8, less 1 in odd columns right of a negative weight |
//! | `cortex-m0` i8 | the same | u8, w + 128 |
//! | `cortex-m55` i8 | `row / 8 · 8C + column / 16 · 128 + row % 8 · 16 + column % 16`, C = i rounded up to 16 | i8 |
//! | `cortex-m4`, `cortex-m0` i4 | `row / 4 · 2C + column / 4 · 8 + row % 4 / 2 · 4 + column % 4`, C = i rounded up to 4 | q + 8, low nibble where `row` is even, else high |
//! | `cortex-m55` i4 | `row / 8 · 4C + column / 16 · 64 + row % 8 / 2 · 16 + column % 16`, C = i rounded up to 16 | q, low nibble where `row` is even, else high |
//!
//! with rows rounded up to 4, 4 and 8. In the first layer of a `cortex-m55` file whose image has multiples of 4 rows and
//! columns, pixel `(y, x)` is column `16·(y/4 · cols/4 + x/4) + 4·(y%4) + x%4`: patches of 4×4.
//!
//! **Self-test.** From `s = seed`, each pixel steps `s = 1664525·s + 1013904223` modulo 2³² and is `s >> 24`; pixels
//! 16..32, 48..64 and so on are 0 after the step. The CRC-32 of the logits they give, four bytes each, is in the header.
//!
//! **Test vectors.** `fixtures/` holds a 64-19-5 network for images of 8×8 pixels with five names, in every type and
//! packing, each with a self-test of seed 7, whose pixels start 61, 233, 156, 237. For the pixels 0, 4, 8, .., 252 the
//! logits are
//!
//! | file | logits |
//! |---|---|
//! | `f32.selv` | 0.44485918, 1.3762718, -0.5619048, -0.79258585, 0.4139284 |
//! | `f16.selv` | 0.44479582, 1.3762431, -0.56174886, -0.79239535, 0.41421312 |
//! | `bf16.selv` | 0.44309238, 1.3757927, -0.56433797, -0.7953169, 0.41317952 |
//! | `i8.selv`, `i8-cortex-m4.selv`, `i8-cortex-m0.selv`, `i8-cortex-m55.selv` | 2655, 8592, -3689, -4908, 2455 |
//! | `i4.selv`, `i4-cortex-m4.selv`, `i4-cortex-m0.selv`, `i4-cortex-m55.selv` | 2318, 8582, -3608, -4585, 2806 |
//!
//! [`Packing`] says which cores each order is for.

mod builder;
pub mod crc;
mod header;
mod view;
mod weight_layout;
mod words;

use core::fmt;

pub use builder::Builder;
pub use header::{
    ALIGN, HEADER_BYTES, Header, LayerSpans, Layout, MAGIC, MAX_LABEL_BYTES, SelfTest, Span, VERSION,
};
pub use view::{LayerView, ModelView};
pub use weight_layout::WeightLayout;
pub(crate) use words::{bytes, bytes_mut, words};

/// The type of a file's weights.
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

    const fn code(self) -> u8 {
        self as u8
    }

    const fn from_code(code: u8) -> Option<Self> {
        if (code as usize) < Self::ALL.len() { Some(Self::ALL[code as usize]) } else { None }
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

    /// Columns of a row that lie together, and to which rows are filled up.
    pub const fn columns_together(self, dtype: Dtype) -> usize {
        match (self, dtype) {
            (Self::CortexM55, _) => 16,
            (Self::Generic, Dtype::I4) => 8,
            _ => 4,
        }
    }

    const fn code(self) -> u8 {
        self as u8
    }

    const fn from_code(code: u8) -> Option<Self> {
        if (code as usize) < Self::ALL.len() { Some(Self::ALL[code as usize]) } else { None }
    }
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

/// Every accumulator stays below this in magnitude, whatever the input.
pub const ACCUMULATOR_LIMIT: u32 = 1 << 23;

/// Whether a row whose weights' magnitudes add up to `sum` keeps within [`ACCUMULATOR_LIMIT`] with that bias.
pub const fn row_bound(sum: u32, bias: i32) -> bool {
    127 * sum as u64 + (bias.unsigned_abs() as u64) < ACCUMULATOR_LIMIT as u64
}

/// The bytes of a flash file, built into the program at an aligned address: a `&'static [u8]`, also in a `const`. The
/// path is relative to the source file, as that of `include_bytes!`.
///
/// ```
/// use selvedge::format::{Header, ModelView};
/// const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8.selv");
/// const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
/// const INPUTS: usize = HEADER.shape().inputs();
/// let image = ModelView::parse(MODEL)?;
/// # assert_eq!(image.header().shape().inputs(), INPUTS);
/// # Ok::<(), selvedge::Error>(())
/// ```
#[macro_export]
macro_rules! include_model {
    ($path:expr) => {{
        #[repr(C, align(16))]
        struct Aligned<T: ?Sized>(T);
        const MODEL: &Aligned<[u8]> = &Aligned(*::core::include_bytes!($path));
        &MODEL.0
    }};
}
