//! The one error type of the core: a flat enum whose variants carry the numbers that explain them.
//!
//! Everything that depends on a caller's memory, data or settings is an error here. Kernels return none: they assert
//! lengths at their boundary, since a wrong length there is a mistake in this crate.

use core::fmt;

/// Why the core refused a call, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No layer, or more than a shape or a flash file has.
    Layers {
        /// Layers asked for.
        layers: usize,
        /// The maximum.
        max: usize,
    },
    /// A width outside 1..=32768.
    Width {
        /// Position of the width in the shape; 0 is the input.
        position: usize,
        /// The width asked for.
        width: usize,
        /// The maximum.
        max: usize,
    },
    /// More floats than this machine can address.
    TooLarge,
    /// The caller-provided memory is too small.
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
    /// A label that is not an output of the network.
    Label {
        /// Row of the batch.
        row: usize,
        /// The label found.
        label: u8,
        /// Outputs of the network.
        classes: usize,
    },
    /// Targets of a kind that the loss does not take: labels where it needs values, or the other way round.
    TargetKind {
        /// The name of the loss.
        loss: &'static str,
        /// The targets that it takes.
        expected: &'static str,
    },
    /// A target value that the loss has no meaning for.
    Target {
        /// Row of the batch.
        row: usize,
        /// The output, from 0.
        output: usize,
        /// What it has to be.
        expected: &'static str,
    },
    /// The weight of a row that is negative, infinite or not a number.
    RowWeight {
        /// Row of the batch.
        row: usize,
    },
    /// A table of an activation with an entry above 127.
    ActivationTable {
        /// The layer, from 0.
        layer: usize,
    },
    /// A sample of another type than the flash file takes.
    InputType {
        /// The type of the file's inputs.
        expected: &'static str,
        /// The type given.
        found: &'static str,
    },
    /// A raw value that is not a number, of which nothing can be computed.
    NotANumber {
        /// The feature, from 0.
        feature: usize,
    },
    /// A question that a flash file does not answer: its outputs mean something else.
    Task {
        /// What its outputs are.
        found: &'static str,
    },
    /// A window of no rows or no stride, or of a flash file that takes single rows.
    Window,
    /// A flash file that an engine for pictures and ReLU does not run.
    NotPlain,
    /// The loss of a batch is infinite or not a number; the parameters were left as they were.
    NonFiniteLoss,
    /// Label smoothing or dropout that is not from 0 to below 1.
    Fraction,
    /// No samples where at least one is needed.
    NoSamples,
    /// A feature that is infinite or not a number.
    NotFinite {
        /// The sample, from 0.
        row: usize,
        /// The feature, from 0.
        column: usize,
    },
    /// A feature outside 0 to 1 where it has to become a byte.
    FeatureRange {
        /// The sample, from 0.
        row: usize,
        /// The feature, from 0.
        column: usize,
    },
    /// A setting out of its range.
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// The allocator has no more memory.
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// A flash file whose inputs or outputs mean what a [`Network`](crate::Network) knows nothing of.
    NotOwned,
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
    /// A byte or word of a flash file with an undefined value.
    Field {
        /// Its position in the file, in bytes.
        at: usize,
        /// Its value.
        value: u32,
    },
    /// A packing that does not exist for a type of weights.
    PackingOf {
        /// The packing.
        packing: &'static str,
        /// The type.
        dtype: &'static str,
    },
    /// A packing for another core than this one.
    PackedFor {
        /// The packing of the file.
        found: &'static str,
        /// The packing that this core's kernel reads.
        expected: &'static str,
    },
    /// A flash file at an address that is no multiple of this.
    Misaligned {
        /// The alignment that it needs, in bytes.
        align: usize,
    },
    /// A flash file whose bytes have changed since it was written.
    Crc {
        /// The CRC-32 in its header.
        expected: u32,
        /// The CRC-32 of its bytes.
        actual: u32,
    },
    /// Class names that are not text, or not one for each output.
    Labels,
    /// A weight outside the range of its type, or a padding weight that is not 0.
    Weight {
        /// The layer, from 0.
        layer: usize,
        /// The output.
        row: usize,
        /// The input.
        column: usize,
    },
    /// A row whose accumulator could leave its range or whose bias is not finite, or a padding row that is not 0.
    RowBound {
        /// The layer, from 0.
        layer: usize,
        /// The output.
        row: usize,
    },
    /// A multiplier of 2³¹ or more.
    Multiplier {
        /// The layer, from 0.
        layer: usize,
        /// The output.
        row: usize,
    },
    /// A flash file with another type of weights than the model runs.
    Dtype {
        /// The type of the file.
        found: &'static str,
    },
    /// A scale that is not a finite number above 0.
    Scale {
        /// The layer, from 0.
        layer: usize,
    },
    /// An offset for the inputs of a layer after ReLU, whose code 0 is worth 0.
    Offset {
        /// The layer, from 0.
        layer: usize,
    },
    /// The self-test of a flash file gave other logits than when the file was written.
    SelfTest {
        /// The CRC-32 in the file.
        expected: u32,
        /// The CRC-32 of the logits.
        actual: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Layers { layers, max } => write!(f, "{layers} layers: a network has 1 to {max}"),
            Self::Width { position, width, max } => {
                write!(f, "width {width} at position {position}: widths are 1 to {max}")
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
            Self::TargetKind { loss, expected } => write!(f, "the loss {loss} takes {expected} as targets"),
            Self::Target { row, output, expected } => {
                write!(f, "the target of output {output} in row {row} is not {expected}")
            }
            Self::RowWeight { row } => {
                write!(f, "the weight of row {row} is not a finite number of 0 or more")
            }
            Self::ActivationTable { layer } => {
                write!(f, "layer {layer}: the table of its activation has an entry above 127")
            }
            Self::InputType { expected, found } => {
                write!(f, "a sample of {found}: the flash file takes raw values of {expected}")
            }
            Self::NotANumber { feature } => write!(f, "feature {feature} is not a number"),
            Self::Task { found } => write!(
                f,
                "the outputs of the flash file are read as {found}: classify is for a class, labels for labels, predict for \
                 values, score for a reconstruction"
            ),
            Self::Window => f.write_str("there is no window: the flash file takes single rows, or rows or stride are 0"),
            Self::NotPlain => f.write_str(
                "the flash file takes raw values by a map of their own, has activations in tables, or scores a \
                 reconstruction: run it with \
                 mcu::AnyI8Engine, mcu::AnyI4Engine or integer::Engine",
            ),
            Self::NonFiniteLoss => f.write_str("the loss of the batch is not finite"),
            Self::Fraction => f.write_str("label smoothing and dropout are fractions from 0 to below 1"),
            Self::NoSamples => f.write_str("no samples: at least one is needed"),
            Self::NotFinite { row, column } => {
                write!(f, "feature {column} of sample {row} is not a finite number")
            }
            Self::FeatureRange { row, column } => write!(
                f,
                "feature {column} of sample {row} is not from 0 to 1: the inputs of a flash file are bytes, 255 for a \
                 feature of 1; scale the features before training"
            ),
            Self::Setting { name, expected } => write!(f, "{name} is not {expected}"),
            Self::OutOfMemory { bytes } => write!(f, "out of memory: {bytes} bytes needed"),
            Self::NotOwned => f.write_str(
                "the flash file has an input map, a window, a margin or a task that a network does not keep: run it with \
                 integer::Engine or float::Engine",
            ),
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
                write!(
                    f,
                    "the flash file is not at a multiple of {align} bytes in memory; include_model! aligns it"
                )
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
            Self::Multiplier { layer, row } => {
                write!(f, "layer {layer}, row {row}: its multiplier is 2^31 or more")
            }
            Self::Dtype { found } => write!(f, "the flash file holds {found} weights"),
            Self::Scale { layer } => write!(f, "layer {layer}: a scale is not a finite number above 0"),
            Self::Offset { layer } => {
                write!(f, "layer {layer}: its inputs come from a clamp at 0 and cannot have an offset")
            }
            Self::SelfTest { expected, actual } => {
                write!(f, "the self-test's logits have CRC {actual:08x}, {expected:08x} when written")
            }
        }
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}
