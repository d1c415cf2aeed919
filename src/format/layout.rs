//! Where the sections of a file lie: one function for the writer and the reader, and nothing stored that could disagree.

use super::weight_layout::WeightLayout;

/// Sections start at multiples of this, and so must the file in memory.
pub const ALIGN: usize = 16;

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
        self.at + self.len.next_multiple_of(ALIGN)
    }
}

/// Where the parts of a layer lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSpans {
    /// The weights, as [`WeightLayout`] says.
    pub weights: Span,
    /// A bias for each row: i32, or f32 in the float types.
    pub biases: Span,
    /// A multiplier for each row, u16; none in the last layer and in the float types.
    pub multipliers: Span,
}

impl LayerSpans {
    /// The spans of a layer whose weights start at `at`; `hidden` where it is not the last.
    #[inline]
    pub(super) const fn new(layout: &WeightLayout, hidden: bool, at: usize) -> Self {
        let rows = layout.rows();
        let weights = Span { at, len: layout.bytes() as usize };
        let biases = Span { at: weights.end(), len: 4 * rows };
        let multipliers = if hidden && layout.dtype().is_integer() { 2 * rows } else { 0 };
        Self { weights, biases, multipliers: Span { at: biases.end(), len: multipliers } }
    }
}

/// Where everything but the layers lies; [`Header::layer_spans`](super::Header::layer_spans) says where those do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The input table, 0 or 256 bytes.
    pub table: Span,
    /// An f32 for the inputs of each layer and one for the logits; none in the float types.
    pub scales: Span,
    /// The first byte of the first layer.
    pub layers: usize,
    /// The class names.
    pub labels: Span,
    /// Bytes of the file.
    pub file: usize,
}
