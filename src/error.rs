//! The one error type of the core: a flat enum whose variants carry the numbers that explain them.
//!
//! Kernels do not return errors: they assert lengths at the door, since a wrong length there is a mistake in this
//! crate. Everything that depends on what a caller lends or asks for ends here.

use core::fmt;

/// What the core refuses, and the numbers that say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A shape needs 2..=9 widths, that is 1..=8 layers.
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
    /// The lent memory does not hold what was asked of it.
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
        }
    }
}

impl core::error::Error for Error {}
