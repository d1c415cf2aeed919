//! The one error type of the core: a flat enum whose variants carry the numbers that explain them.
//!
//! Kernels do not return errors: they assert lengths at the door, since a wrong length there is a mistake in this
//! crate. Everything that depends on what a caller lends or asks for ends here.

use core::fmt;

/// What the core refuses, and the numbers that say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No layer, or more than a shape or a flash file has.
    Layers {
        /// Layers asked for.
        layers: usize,
        /// The most that there may be.
        most: usize,
    },
    /// A width outside 1..=32768.
    Width {
        /// Position of the width in the shape; 0 is the input.
        position: usize,
        /// The width asked for.
        width: usize,
        /// The widest that it may be.
        most: usize,
    },
    /// More floats than this machine can address.
    TooLarge,
    /// The caller-provided memory does not hold what was asked of it.
    ArenaTooSmall {
        /// Floats needed, padding to whole cache lines included.
        needed: usize,
        /// Floats left.
        available: usize,
    },
    /// A slice of the wrong length.
    Length {
        /// The name of the argument.
        what: &'static str,
        /// Elements expected.
        expected: usize,
        /// Elements given.
        actual: usize,
    },
    /// A batch of no rows, or of more rows than the workspace was made for.
    Batch {
        /// Rows asked for.
        rows: usize,
        /// Rows that fit.
        capacity: usize,
    },
    /// A label that is no output of the network.
    Label {
        /// Row of the batch.
        row: usize,
        /// The label found.
        label: u8,
        /// Outputs of the network.
        classes: usize,
    },
    /// The loss of a batch is infinite or not a number; the parameters were left as they were.
    NonFiniteLoss,
    /// Label smoothing or dropout that is not a share from 0 to below 1.
    Share,
    /// Bytes that do not start as a flash file does.
    NoModel,
    /// A flash file of another version of the format.
    Version {
        /// Its version.
        found: u8,
        /// The latest version that this crate reads.
        known: u8,
    },
    /// A flash file that is sound and uses what only a later version of this crate reads.
    Newer {
        /// The byte that says so.
        at: usize,
        /// The code that it holds.
        code: u8,
        /// What the code stands for.
        what: &'static str,
    },
    /// A flash file of another length than its header says, or too short for a header.
    Truncated {
        /// Bytes expected.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A byte or word of a flash file that means nothing.
    Field {
        /// Where it lies.
        at: usize,
        /// What it holds.
        value: u32,
    },
    /// Weights in an order that their type does not come in.
    PackingOf {
        /// The order.
        packing: &'static str,
        /// The type.
        dtype: &'static str,
    },
    /// Weights in the order of another core than this one.
    PackedFor {
        /// The order of the file.
        found: &'static str,
        /// The order that this core's kernel reads.
        expected: &'static str,
    },
    /// A flash file at an address that is no multiple of this.
    Misaligned {
        /// The alignment that it needs, in bytes.
        align: usize,
    },
    /// A flash file that is not what was written.
    Crc {
        /// The CRC-32 that it carries.
        expected: u32,
        /// The CRC-32 of what it holds.
        actual: u32,
    },
    /// Class names that are not text, or not one for each output.
    Labels,
    /// A weight outside the range of its type, or one that only fills a group of rows or columns and is not 0.
    Weight {
        /// The layer, from 0.
        layer: usize,
        /// The output.
        row: usize,
        /// The input.
        column: usize,
    },
    /// A row whose accumulator could leave its range or whose bias is not finite, or one that only fills a group and is
    /// not 0.
    RowBound {
        /// The layer, from 0.
        layer: usize,
        /// The output.
        row: usize,
    },
    /// A flash file of weights of another type than asked for.
    Dtype {
        /// The type of the file.
        found: &'static str,
    },
    /// A scale that is not a finite number above 0.
    Scale {
        /// The layer, from 0.
        layer: usize,
    },
    /// The self-test of a flash file gave other logits than when it was written.
    SelfTest {
        /// The CRC-32 that the file carries.
        expected: u32,
        /// The CRC-32 of the logits.
        actual: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Layers { layers, most } => write!(f, "{layers} layers: a network has 1 to {most}"),
            Self::Width { position, width, most } => {
                write!(f, "width {width} at position {position}: widths are 1 to {most}")
            }
            Self::TooLarge => f.write_str("more floats than this machine can address"),
            Self::ArenaTooSmall { needed, available } => {
                write!(f, "arena too small: {needed} floats needed, {available} available")
            }
            Self::Length { what, expected, actual } => {
                write!(f, "{what}: {expected} elements expected, {actual} given")
            }
            Self::Batch { rows, capacity } => {
                write!(f, "a batch of {rows} rows: this workspace takes 1 to {capacity}")
            }
            Self::Label { row, label, classes } => {
                write!(f, "label {label} in row {row}: the network has {classes} classes")
            }
            Self::NonFiniteLoss => f.write_str("the loss of the batch is not finite"),
            Self::Share => f.write_str("label smoothing and dropout are shares from 0 to below 1"),
            Self::NoModel => f.write_str("not a flash file"),
            Self::Version { found, known } => {
                write!(f, "a flash file of version {found}: this program reads versions 1 to {known}")
            }
            Self::Newer { at, code, what } => {
                write!(f, "the flash file has {what} (code {code} at byte {at}): it needs a newer selvedge")
            }
            Self::Truncated { expected, actual } => {
                write!(f, "the flash file is damaged: {expected} bytes expected, {actual} there")
            }
            Self::Field { at, value } => write!(f, "the flash file is damaged: {value:#x} at byte {at}"),
            Self::PackingOf { packing, dtype } => write!(f, "{dtype} weights do not come as {packing}"),
            Self::PackedFor { found, expected } => write!(
                f,
                "the flash file is packed for {found} and this core reads {expected}: export it with --packing \
                 {expected}, or run it with integer::Engine, which reads any packing slowly"
            ),
            Self::Misaligned { align } => {
                write!(f, "the flash file does not lie at a multiple of {align}; include_model! aligns it")
            }
            Self::Crc { expected, actual } => {
                write!(f, "the flash file is damaged: its CRC is {actual:08x}, written with {expected:08x}")
            }
            Self::Labels => f.write_str("class names: plain text is expected, one name for each output"),
            Self::Weight { layer, row, column } => {
                write!(f, "layer {layer}, row {row}, column {column}: the weight is outside its type's range")
            }
            Self::RowBound { layer, row } => {
                write!(
                    f,
                    "layer {layer}, row {row}: the sum of its weights can leave the accumulator's range"
                )
            }
            Self::Dtype { found } => write!(f, "the flash file holds {found} weights"),
            Self::Scale { layer } => write!(f, "layer {layer}: a scale is not a finite number above 0"),
            Self::SelfTest { expected, actual } => {
                write!(f, "the self-test's logits have CRC {actual:08x}, {expected:08x} when written")
            }
        }
    }
}

impl core::error::Error for Error {}
