//! Where the sections of a file lie: one function for the writer and the reader, and nothing stored that could disagree.

use super::weight_layout::WeightLayout;

/// Sections start at multiples of this, and so must the file in memory.
pub const ALIGN: usize = 16;
/// Bytes of the table of an activation, a multiple of [`ALIGN`].
const TABLE_BYTES: usize = 256;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte, from the start of the file.
    pub at: usize,
    /// Bytes, without the padding after them.
    pub len: usize,
}

impl Span {
    /// The first byte of the next section.
    pub(super) const fn end(self) -> usize {
        self.at + self.padded()
    }

    /// Bytes with the padding: `next_multiple_of`, in fewer instructions, since every inference asks for every section.
    #[inline]
    pub(super) const fn padded(self) -> usize {
        (self.len + (ALIGN - 1)) & !(ALIGN - 1)
    }
}

/// Where the parts of a layer lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSpans {
    /// The weights, as [`WeightLayout`] says.
    pub weights: Span,
    /// A bias for each row: i32, or f32 in the float types.
    pub biases: Span,
    /// A multiplier for each row, u16 or u32; none in the last layer and in the float types.
    pub multipliers: Span,
    /// The table of the activation, 256 bytes in a hidden layer of integers whose activation is not the clamp, else none.
    pub table: Span,
}

impl LayerSpans {
    /// The spans of a layer whose weights start at `at` and whose multipliers are of `multiplier` bytes, none where it has none;
    /// `table` where its activation is looked up.
    #[inline]
    pub(super) const fn new(layout: &WeightLayout, multiplier: usize, table: bool, at: usize) -> Self {
        let rows = layout.rows();
        let weights = Span { at, len: layout.bytes() };
        let biases = Span { at: weights.end(), len: 4 * rows };
        let multipliers = Span { at: biases.end(), len: multiplier * rows };
        let table = Span { at: multipliers.end(), len: if table { TABLE_BYTES } else { 0 } };
        Self { weights, biases, multipliers, table }
    }

    /// The first byte after the layer.
    #[inline]
    pub(super) const fn end(&self) -> usize {
        self.table.end()
    }
}

/// Where everything but the layers lies; [`Header::layer_spans`](super::Header::layer_spans) says where those do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The parameters of the input map.
    pub input: Span,
    /// An f32 for the inputs of each layer and one for the logits; none in the float types.
    pub scales: Span,
    /// What turns each output into an answer, in the tasks that have it.
    pub answers: Span,
    /// The first byte of the first layer.
    pub layers: usize,
    /// The class names.
    pub labels: Span,
    /// Bytes of the file.
    pub file: usize,
}
