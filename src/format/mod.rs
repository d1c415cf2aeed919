//! The flash file: a header, layer records, and a payload whose layout follows from them; used in place.
//!
//! # The format, version 2
//!
//! All numbers are little-endian. The file starts at a multiple of 16 in memory and its length is a multiple of 16.
//!
//! | bytes | header |
//! |---|---|
//! | 0..4 | `SELV` |
//! | 4 | version, 2 |
//! | 5 | packing: 0 `generic`, 1 `cortex-m4`, 2 `cortex-m0`, 3 `cortex-m55`; floats are `generic` |
//! | 6 | number of layers L, 1 to 32 |
//! | 7 | flags: 1 if there is a self-test |
//! | 8..12 | u32: bytes of the file |
//! | 12..16 | u32: CRC-32 (IEEE, as in zip) of bytes 0..12 and 16.. to the end |
//! | 16 | type of a raw input: 0 u8; with an affine map also 1 i16, 2 u16, 3 f32 |
//! | 17 | input map: 0 plain, 1 a table for all inputs, 2 affine, 3 affine per feature; *reserved* 4 a table per feature |
//! | 18 | resizing of the image before the map: 0 none |
//! | 19 | bits of an input: 7 or 14 in `i8` and `i4` with an affine map, else 0 |
//! | 20..24 | two u16: rows and columns of the image, whose product is the number of inputs, or zeros |
//! | 24..28 | two u16: rows and columns before resizing: zeros |
//! | 28 | task: 0 the class of the largest logit, the first of equals; 1 several labels, 2 real values, 3 a reconstruction of the input |
//! | 29 | bits that an error of a reconstruction loses before it is squared, at most 24; 0 in other tasks and in the float types |
//! | 30..32 | u16: bytes of the class names |
//! | 32..40 | by task, below |
//! | 40..48 | two u32: the self-test's seed and the CRC-32 of its logits, or zeros |
//! | 48..52 | two u16: rows of a window of a time series, and rows from one to the next, or zeros; the rows divide the inputs, the oldest row first |
//! | 52..56 | f32: the mean squared error that a score of 1 stands for, in a reconstruction of `i8` and `i4`; else 0 |
//! | 56..60 | u32: CRC-32 of the names of the columns that the inputs and the answers come from, or 0; an engine does not read it |
//!
//! and for each layer a record of 16 bytes, the first at byte 64:
//!
//! | bytes | layer |
//! |---|---|
//! | 0..2, 2..4 | u16: inputs i and outputs o, each 1 to 32768; the inputs are the outputs of the layer before |
//! | 4 | type of the weights: 0 `f32`, 1 `f16`, 2 `bf16`, 3 `i8`, 4 `i4`; *reserved* 5 `i2`, 6 ternary. The same in all layers |
//! | 5 | activation: 0 none, 1 ReLU, 2 leaky ReLU of slope 0.01, 3 ReLU6, 4 sigmoid, 5 tanh, 7 hard swish; 0 in the last layer; *reserved* 6 hard sigmoid, 8 GELU, 9 SiLU |
//! | 6 | bits of a multiplier: 16 or 32 in hidden layers of `i8` and `i4`, else 0 |
//! | 7 | bits of a bias: 32 |
//! | 8 | kind of the layer: 0 dense |
//! | 12..16 | f32: parameter of the activation: 0 |
//!
//! All other bytes are 0. **An unknown code or a nonzero reserved byte is a feature of a newer selvedge, not damage**:
//! a reader refuses it by name ([`Error::Newer`](crate::Error::Newer)), after the CRC has shown that the file is sound. What is reserved may bring sections of its own,
//! so that the version need not change.
//!
//! The CRC is integrity, not authenticity. After the records follow, each padded with zeros to a multiple of 16 bytes:
//!
//! 1. the input map: a table of 256 bytes, of 0..=127 in `i8` and `i4`; or 8 bytes for all inputs or for each of them;
//! 2. L + 1 f32, in `i8` and `i4` only: what one unit of the inputs of each layer, and of the logits, is worth;
//! 3. 8 bytes for each output: of real values, and of reconstructions in `i8` and `i4`;
//! 4. for each layer: the weights; a bias for each row, i32, or f32 in the float types; a multiplier for each row, u16, or
//!    u32 below 2³¹, where there are multipliers; in hidden layers of `i8` and `i4` whose activation is not ReLU a table of 256
//!    bytes of 0..=127. Packings in groups of rows have biases and multipliers for whole groups; all numbers of rows and
//!    columns of padding are 0;
//! 5. the class names in UTF-8 with a line feed between them, one for each output, or nothing.
//!
//! No offset is stored: [`Header::layout`] and [`Header::layer_spans`] serve the writer and the reader. Layers are read
//! where they lie, one after another, so that the memory of a reader does not depend on their number.
//!
//! **Arithmetic** of `i8` and `i4`. Inputs are `x = p >> 1` of a pixel `p`, or `x = table[p]`, or the code of a raw value. A row
//! adds up `a = bias + Σ x·w` with w in −127..=127, and the file guarantees `127·Σ|w| + |bias| < 2²³`. A hidden layer passes
//! on `(a·r + 2²³) >> 24`, clamped to 0..=127, with the row's multiplier r; where it has a table, it clamps to −128..=127
//! instead, adds 128, and passes on that entry of the table. The last layer's `a` are the logits. A nibble q
//! of `i4`, −7..=7, is the weight `16·q`: that makes `i4` the same arithmetic, and lets r fit 16 bits in all but narrow layers. Float types
//! take `x = p / 255`, or `x = table[p] / 255`, or `x = (raw - offset)·scale`, and add up
//! `z = (0 + x[0]·w[0] + x[1]·w[1] + ..) + bias`, in that order, every operation rounded to f32; hidden layers pass on
//! [`activate`](crate::naive::activate)`(z)`.
//!
//! **Inputs of either sign** need nothing of the kernels: a real input is `offset + x·scale`, and what the offset adds to a row
//! is part of its bias. The same holds for the outputs of tanh and of every other table.
//!
//! **Affine maps** in `i8` and `i4` give codes of 0..=127, or of 0..=16383 where the header says 14 bits. The 8 bytes are
//!
//! - of f32: two f32, offset and scale, [`code_of_float`](crate::naive::integer::code_of_float), where `scale` is twice the codes
//!   of a raw unit, 0 or more. A value that is not a number is refused; infinities have the codes of the ends;
//! - of u8, i16 and u16: `lo` in 16 bits of that type, `span` u16, `m` u32,
//!   [`code_of_integer`](crate::naive::integer::code_of_integer), such that no product passes 32 bits.
//!
//! A code of 14 bits is `128·h + l`, and the sum of a row of the first layer is
//! `a = bias + Σ h·w + ((Σ l·w + 64) >> 7)`; there the file guarantees `128·Σ|w| + |bias| + 1 < 2²³`. Float types convert every
//! raw value to f32; their 8 bytes are two f32, offset and scale.
//!
//! **Answers**, by task, from the outputs z, and what bytes 32..40 of the header hold:
//!
//! | task | answer | bytes 32..36 | bytes 36..40 |
//! |---|---|---|---|
//! | class | the class of the largest z, unknown where another z is less than the margin below it | 0 | the margin: u32 in units of logits, f32 in the float types; 0 none |
//! | labels | label o where z reaches the threshold | the threshold: i32, f32 in the float types | 0 |
//! | values | `(z + add) as f32 · scale` by the i32 and the f32 of each output, and `z + add` in fixed point; `z·scale + offset` by two f32 in the float types | 0 | 0 |
//! | reconstruction | [`reconstruction_error`](crate::naive::integer::reconstruction_error) of each output, by its i32 and u32 and the input's code, squared and added up in u64; an anomaly above the threshold; in the float types the mean of `(z - x)²` | u64 in both: the threshold, all ones for none; in the float types f32, infinite for none | |
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
//! **Self-test.** The codes of affine maps are made of the pixels `p` below, and of `p'` of the seed with all bits inverted: `p >> 1`, or
//! `p >> 1 << 7 | p' >> 1` of 14 bits; inputs of float types are `p / 255`. From `s = seed`, each pixel steps `s = 1664525·s + 1013904223` modulo 2³² and is `s >> 24`; pixels
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
//! # The format, version 1
//!
//! It is read, with the same logits, and no longer written. The payload is that of version 2; there are no records, and
//! the header is
//!
//! | bytes | header |
//! |---|---|
//! | 0..4, 4 | `SELV`, version, 1 |
//! | 5, 6 | type of the weights, packing |
//! | 7 | number of layers L, 1 to 8 |
//! | 8..26 | nine u16: the L + 1 widths, the input first, then zeros |
//! | 26..30 | two u16: rows and columns of the image, or zeros |
//! | 30..32 | u16: 1 if there is an input table, plus 2 if there is a self-test |
//! | 32..36 | u32: bytes after the header |
//! | 36..40 | u32: CRC-32 of bytes 0..36 and 40.. to the end |
//! | 40..42 | u16: bytes of the class names |
//! | 44..52 | two u32: the self-test's seed and the CRC-32 of its logits, or zeros |
//!
//! All other bytes of the 64 are 0. `fixtures/v1/` holds the test vectors in it.
//!
//! [`Packing`] says which cores each order is for.

mod answers;
mod builder;
mod codes;
pub mod crc;
mod fields;
mod header;
mod header_buf;
mod layers;
mod layout;
mod meaning;
mod raw;
mod version1;
mod version2;
mod view;
mod weight_layout;
mod words;

pub use crate::shape::MAX_LAYERS;
pub use answers::{ErrorScale, ValueScale};
pub use builder::Builder;
pub use codes::{Dtype, Packing};
pub use header::{HEADER_BYTES, Header, MAGIC, MAX_LABEL_BYTES, RECORD_BYTES, SelfTest, VERSION};
pub use header_buf::HeaderBuf;
pub use layers::{LayerView, Layers, MAX_MULTIPLIER};
pub use layout::{ALIGN, LayerSpans, Layout, Span};
pub use meaning::{InputMap, InputType, Task};
pub use raw::RawValue;
pub(crate) use raw::sealed::Raw;
pub use view::ModelView;
pub use weight_layout::WeightLayout;
pub(crate) use words::{bytes, bytes_mut, signed_mut, words_mut};

/// Every accumulator stays below this in magnitude, whatever the input.
pub const ACCUMULATOR_LIMIT: u32 = 1 << 23;

/// Whether a row whose weights' magnitudes add up to `sum` keeps within [`ACCUMULATOR_LIMIT`] with that bias, whatever its
/// inputs of `bits` bits are: of 14, the low digits add at most the sum once more, and the rounding.
pub const fn row_bound(sum: u32, bias: i32, bits: u32) -> bool {
    let most = if bits == 14 { 128 * sum as u64 + 1 } else { 127 * sum as u64 };
    most + (bias.unsigned_abs() as u64) < ACCUMULATOR_LIMIT as u64
}

/// The bytes of a flash file, built into the program at an aligned address: a `&'static [u8]`, also in a `const`. The
/// path is relative to the source file, as that of `include_bytes!`.
///
/// ```
/// use selvedge::format::{Header, ModelView};
/// const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8.selv");
/// const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
/// const INPUTS: usize = HEADER.inputs();
/// let view = ModelView::parse(MODEL)?;
/// # assert_eq!(view.header().inputs(), INPUTS);
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
