//! A file as it lies in flash, checked once and then used in place.
//!
//! [`ModelView::parse`] checks everything that a reader relies on: the CRC, every length, the padding, the range of every
//! weight, the bound of every row. What it returned `Ok` for cannot make a reader panic, read outside the file or
//! overflow an accumulator, whoever wrote the file. It allocates nothing, and its stack does not grow with the number of
//! layers: [`Layers`] walks over them in the file.

use core::str;

use super::crc::Crc;
use super::fields::Preamble;
use super::header::{Header, LayerList};
use super::layout::{ALIGN, LayerSpans, Span};
use super::weight_layout::WeightLayout;
use super::words::words;
use super::{Dtype, row_bound};
use crate::error::Error;

/// A checked file.
#[derive(Debug, Clone)]
pub struct ModelView<'a> {
    header: Header<'a>,
    bytes: &'a [u8],
    table: Option<&'a [u8; 256]>,
    scales: &'a [u32],
    /// The layers' numbers, from the first layer on.
    layers: &'a [u8],
    labels: &'a str,
}

/// The parts of a layer as they are stored.
#[derive(Debug, Clone, Copy)]
pub struct LayerView<'a> {
    layout: WeightLayout,
    weights: &'a [u8],
    biases: &'a [i32],
    multipliers: &'a [u16],
}

/// The layers of a file, the first first. Each is found where the one before it ends.
#[derive(Debug, Clone)]
pub struct Layers<'a> {
    list: LayerList<'a>,
    /// How many were returned.
    done: usize,
    /// What follows them.
    rest: &'a [u8],
}

impl<'a> ModelView<'a> {
    /// Checks a file; `bytes` are exactly the file, at an address that is a multiple of [`ALIGN`].
    ///
    /// # Errors
    /// What is wrong with it: damage first, so that only a sound file is said to need a newer version of this crate.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let preamble = Preamble::read(bytes)?;
        if bytes.len() != preamble.file_bytes {
            return Err(Error::Truncated { expected: preamble.file_bytes, actual: bytes.len() });
        }
        if !(bytes.as_ptr() as usize).is_multiple_of(ALIGN) {
            return Err(Error::Misaligned { align: ALIGN });
        }
        let (expected, actual) = Self::stored_and_computed_crc(bytes, preamble.crc_at);
        if actual != expected {
            return Err(Error::Crc { expected, actual });
        }
        let header = Header::read(bytes)?;
        let layout = header.layout();
        let table = section(bytes, layout.table)?;
        let max = if header.dtype().is_integer() { 127 } else { u8::MAX };
        if let Some(at) = table.iter().position(|&x| x > max) {
            return Err(Error::Field { at: layout.table.at + at, value: u32::from(table[at]) });
        }
        let scales = words(section(bytes, layout.scales)?).ok_or(Error::Misaligned { align: ALIGN })?;
        for (at, &bits) in scales.iter().enumerate() {
            let scale = f32::from_bits(u32::from_le(bits));
            if !(scale.is_finite() && scale > 0.0) {
                return Err(Error::Field { at: layout.scales.at + 4 * at, value: u32::from_le(bits) });
            }
        }
        let layers = bytes.get(layout.layers..).unwrap_or_default();
        let labels = str::from_utf8(section(bytes, layout.labels)?).map_err(|_| Error::Labels)?;
        let view = Self { header, bytes, table: table.first_chunk(), scales, layers, labels };
        view.check_layers(layout.layers)?;
        if !labels.is_empty() && labels.bytes().filter(|&b| b == b'\n').count() + 1 != header.outputs()
            || labels.chars().any(|c| c.is_control() && c != '\n')
        {
            return Err(Error::Labels);
        }
        Ok(view)
    }

    /// Checks the layers, of which the first starts at byte `at`.
    fn check_layers(&self, mut at: usize) -> Result<(), Error> {
        let mut layers = self.layers();
        for l in 0..self.header.layers() {
            let spans = LayerSpans::new(&self.header.weight_layout(l), l + 1 < self.header.layers(), at);
            for span in [spans.weights, spans.biases, spans.multipliers] {
                section(self.bytes, span)?;
            }
            at = spans.multipliers.end();
            layers.next().ok_or(Error::Misaligned { align: ALIGN })?.check(l)?;
        }
        Ok(())
    }

    /// The CRC-32 stored at byte `at` of `bytes`, and the one computed over all other bytes.
    pub(super) fn stored_and_computed_crc(bytes: &[u8], at: usize) -> (u32, u32) {
        let (before, rest) = bytes.split_at_checked(at).unwrap_or_default();
        let (stored, after) = rest.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        (u32::from_le_bytes(*stored), Crc::new().of(before).of(after).value())
    }

    /// What the file says of itself.
    pub const fn header(&self) -> &Header<'a> {
        &self.header
    }

    /// The whole file.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The table of [`InputMap::Table`](super::InputMap::Table).
    pub const fn table(&self) -> Option<&'a [u8; 256]> {
        self.table
    }

    /// The real value of one unit of the inputs of layer `l`, or of the logits where `l` is the number of layers; 1 in
    /// the float types.
    pub fn scale(&self, l: usize) -> f32 {
        self.scales.get(l).map_or(1.0, |&bits| f32::from_bits(u32::from_le(bits)))
    }

    /// The layers, the first first.
    #[inline]
    pub const fn layers(&self) -> Layers<'a> {
        Layers { list: self.header.layers, done: 0, rest: self.layers }
    }

    /// The classes' names; none where the file has none.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> {
        // Searching for a char would leave a panic in firmware that prints a name.
        #[allow(clippy::manual_pattern_char_comparison)]
        self.labels.split(|c| c == '\n').filter(|_| !self.labels.is_empty())
    }

    /// The name of a class, where the file has one.
    pub fn label(&self, class: usize) -> Option<&'a str> {
        self.labels().nth(class)
    }
}

/// A section, whose padding must be zeros.
fn section(bytes: &[u8], span: Span) -> Result<&[u8], Error> {
    let padded = span.len.next_multiple_of(ALIGN);
    let outside = Error::Truncated { expected: span.at.saturating_add(padded), actual: bytes.len() };
    let all = bytes.get(span.at..).and_then(|b| b.get(..padded)).ok_or(outside)?;
    let (section, padding) = all.split_at_checked(span.len).ok_or(outside)?;
    match padding.iter().position(|&b| b != 0) {
        Some(at) => Err(Error::Field { at: span.at + span.len + at, value: u32::from(padding[at]) }),
        None => Ok(section),
    }
}

impl<'a> Iterator for Layers<'a> {
    type Item = LayerView<'a>;

    // One copy for the checks and for every kernel: inlined, it would double the code of an inference.
    #[inline(never)]
    fn next(&mut self) -> Option<LayerView<'a>> {
        let l = self.done;
        if l >= self.list.count {
            return None;
        }
        let layout = self.list.weight_layout(l);
        let spans = LayerSpans::new(&layout, l + 1 < self.list.count, 0);
        let part = |span: Span| self.rest.get(span.at..)?.get(..span.len);
        let layer = LayerView {
            layout,
            weights: part(spans.weights)?,
            biases: words(part(spans.biases)?)?,
            multipliers: words(part(spans.multipliers)?)?,
        };
        self.rest = self.rest.get(spans.multipliers.end()..)?;
        self.done = l + 1;
        Some(layer)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.list.count - self.done;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Layers<'_> {}

impl<'a> LayerView<'a> {
    /// Where the weights lie.
    pub const fn weight_layout(&self) -> &WeightLayout {
        &self.layout
    }

    /// Inputs of the layer.
    pub const fn inputs(&self) -> usize {
        self.layout.inputs
    }

    /// Outputs of the layer.
    pub const fn outputs(&self) -> usize {
        self.layout.outputs
    }

    /// The weights as stored.
    pub const fn weights(&self) -> &'a [u8] {
        self.weights
    }

    /// The integer weight `(row, column)`: an i8 as it is, sixteen times an i4.
    #[inline]
    pub const fn weight(&self, row: usize, column: usize) -> i32 {
        self.layout.weight(self.weights, row, column)
    }

    /// The stored biases of the integer types, little-endian, zeros for the rows of padding.
    pub const fn biases(&self) -> &'a [i32] {
        self.biases
    }

    /// The integer bias of a row.
    #[inline]
    pub fn bias(&self, row: usize) -> i32 {
        self.biases.get(row).map_or(0, |&b| i32::from_le(b))
    }

    /// The float bias of a row.
    #[inline]
    pub fn float_bias(&self, row: usize) -> f32 {
        f32::from_bits(self.bias(row) as u32)
    }

    /// The stored multipliers, little-endian, zeros for the rows of padding; none in the last layer.
    pub const fn multipliers(&self) -> &'a [u16] {
        self.multipliers
    }

    /// The multiplier of a row.
    #[inline]
    pub fn multiplier(&self, row: usize) -> u16 {
        self.multipliers.get(row).map_or(0, |&r| u16::from_le(r))
    }

    /// The float weight `(row, column)`.
    #[inline]
    pub fn float_weight(&self, row: usize, column: usize) -> f32 {
        let at = self.layout.byte(row, column);
        let bytes = self.weights.get(at..).unwrap_or_default();
        match self.layout.dtype {
            Dtype::F32 => bytes.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b)),
            Dtype::F16 => bytes.first_chunk().map_or(0.0, |b| half::f16::from_le_bytes(*b).to_f32()),
            Dtype::Bf16 => bytes.first_chunk().map_or(0.0, |b| half::bf16::from_le_bytes(*b).to_f32()),
            Dtype::I8 | Dtype::I4 => self.weight(row, column) as f32,
        }
    }

    /// Whether the numbers of layer `l` are such that no sum overflows, and those of the padding are 0: kernels compute
    /// with them.
    fn check(&self, l: usize) -> Result<(), Error> {
        let min = match self.layout.dtype {
            Dtype::I8 => -127,
            Dtype::I4 => -112,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => return self.check_floats(l),
        };
        for row in 0..self.layout.rows() {
            let real = row < self.outputs();
            let mut sum = 0;
            for column in 0..self.layout.columns() {
                let w = self.weight(row, column);
                if w < min || w != 0 && !(real && column < self.inputs()) {
                    return Err(Error::Weight { layer: l, row, column });
                }
                sum += w.unsigned_abs();
            }
            let zero = self.bias(row) == 0 && self.multiplier(row) == 0;
            if !row_bound(sum, self.bias(row)) || !(real || zero) {
                return Err(Error::RowBound { layer: l, row });
            }
        }
        Ok(())
    }

    fn check_floats(&self, l: usize) -> Result<(), Error> {
        for row in 0..self.outputs() {
            for column in 0..self.inputs() {
                if !self.float_weight(row, column).is_finite() {
                    return Err(Error::Weight { layer: l, row, column });
                }
            }
            if !self.float_bias(row).is_finite() {
                return Err(Error::RowBound { layer: l, row });
            }
        }
        Ok(())
    }
}
