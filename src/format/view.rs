//! A file as it lies in flash, checked once and then used in place.
//!
//! [`ModelView::parse`] checks everything that a reader relies on: the CRC, every length, the padding, the range of every
//! weight, the bound of every row. What it returned `Ok` for cannot make a reader panic, read outside the file or
//! overflow an accumulator, whoever wrote the file. It allocates nothing.

use core::str;

use heapless::Vec;

use super::crc::Crc;
use super::header::{ALIGN, Header, Span};
use super::weight_layout::WeightLayout;
use super::words::words;
use super::{Dtype, row_bound};
use crate::error::Error;
use crate::shape::MAX_LAYERS;

/// A checked file.
#[derive(Debug, Clone)]
pub struct ModelView<'a> {
    header: Header,
    bytes: &'a [u8],
    table: Option<&'a [u8; 256]>,
    scales: &'a [u32],
    layers: Vec<LayerView<'a>, MAX_LAYERS>,
    labels: &'a str,
}

/// The parts of a layer as they are stored.
#[derive(Debug, Clone, Copy)]
pub struct LayerView<'a> {
    place: WeightLayout,
    weights: &'a [u8],
    biases: &'a [i32],
    multipliers: &'a [u16],
}

impl<'a> ModelView<'a> {
    /// Checks a file; `bytes` are exactly the file, at an address that is a multiple of [`ALIGN`].
    ///
    /// # Errors
    /// What is wrong with it. Nothing but an intact file passes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = Header::read(bytes)?;
        let layout = header.layout();
        if bytes.len() != layout.file {
            return Err(Error::Truncated { expected: layout.file, actual: bytes.len() });
        }
        if !(bytes.as_ptr() as usize).is_multiple_of(ALIGN) {
            return Err(Error::Misaligned { align: ALIGN });
        }
        let actual = Self::crc_of(bytes);
        if actual != header.crc() {
            return Err(Error::Crc { expected: header.crc(), actual });
        }
        let table = section(bytes, layout.table)?;
        let most = if header.dtype().is_integer() { 127 } else { u8::MAX };
        if let Some(at) = table.iter().position(|&x| x > most) {
            return Err(Error::Field { at: layout.table.at + at, value: u32::from(table[at]) });
        }
        let scales = words(section(bytes, layout.scales)?).ok_or(Error::Misaligned { align: ALIGN })?;
        for (at, &bits) in scales.iter().enumerate() {
            let scale = f32::from_bits(u32::from_le(bits));
            if !(scale.is_finite() && scale > 0.0) {
                return Err(Error::Field { at: layout.scales.at + 4 * at, value: u32::from_le(bits) });
            }
        }
        let mut layers = Vec::new();
        for (l, spans) in layout.layers.iter().enumerate().take(header.shape().layers()) {
            let misaligned = Error::Misaligned { align: ALIGN };
            let layer = LayerView {
                place: header.place(l),
                weights: section(bytes, spans.weights)?,
                biases: words(section(bytes, spans.biases)?).ok_or(misaligned)?,
                multipliers: words(section(bytes, spans.multipliers)?).ok_or(misaligned)?,
            };
            layer.check(l)?;
            // There are never more layers than the vector holds.
            let _ = layers.push(layer);
        }
        let labels = str::from_utf8(section(bytes, layout.labels)?).map_err(|_| Error::Labels)?;
        if !labels.is_empty()
            && labels.bytes().filter(|&b| b == b'\n').count() + 1 != header.shape().outputs()
            || labels.chars().any(|c| c.is_control() && c != '\n')
        {
            return Err(Error::Labels);
        }
        Ok(Self { header, bytes, table: table.first_chunk(), scales, layers, labels })
    }

    /// The CRC-32 that `bytes` should carry: of everything but the CRC itself.
    pub(super) fn crc_of(bytes: &[u8]) -> u32 {
        let behind = bytes.get(40..).unwrap_or_default();
        Crc::new().of(bytes.get(..36).unwrap_or_default()).of(behind).value()
    }

    /// What the file says of itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The whole file.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What turns a pixel into an input, where it does not go in as it is: in the integer types one of 0..=127 in place
    /// of half the pixel, in the float types another pixel.
    pub const fn table(&self) -> Option<&'a [u8; 256]> {
        self.table
    }

    /// The real value of one unit of the inputs of layer `l`, or of the logits where `l` is the number of layers; 1 in
    /// the float types.
    pub fn scale(&self, l: usize) -> f32 {
        self.scales.get(l).map_or(1.0, |&bits| f32::from_bits(u32::from_le(bits)))
    }

    /// The layers, the first first.
    pub fn layers(&self) -> &[LayerView<'a>] {
        &self.layers
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

impl<'a> LayerView<'a> {
    /// Where the weights lie.
    pub const fn place(&self) -> &WeightLayout {
        &self.place
    }

    /// Inputs of the layer.
    pub const fn inputs(&self) -> usize {
        self.place.inputs
    }

    /// Outputs of the layer.
    pub const fn outputs(&self) -> usize {
        self.place.outputs
    }

    /// The weights as stored.
    pub const fn weights(&self) -> &'a [u8] {
        self.weights
    }

    /// The integer weight `(row, column)`: an i8 as it is, sixteen times an i4.
    #[inline]
    pub const fn weight(&self, row: usize, column: usize) -> i32 {
        self.place.weight(self.weights, row, column)
    }

    /// The stored biases of the integer types, little-endian, zeros for the rows that only fill a group.
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

    /// The stored multipliers, little-endian, zeros for the rows that only fill a group; none in the last layer.
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
        let at = self.place.byte(row, column);
        let bytes = self.weights.get(at..).unwrap_or_default();
        match self.place.dtype {
            Dtype::F32 => bytes.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b)),
            Dtype::F16 => bytes.first_chunk().map_or(0.0, |b| half::f16::from_le_bytes(*b).to_f32()),
            Dtype::Bf16 => bytes.first_chunk().map_or(0.0, |b| half::bf16::from_le_bytes(*b).to_f32()),
            Dtype::I8 | Dtype::I4 => self.weight(row, column) as f32,
        }
    }

    /// Whether the numbers of layer `l` are such that no sum overflows, and those that only fill a group are 0: kernels
    /// compute with them.
    fn check(&self, l: usize) -> Result<(), Error> {
        let least = match self.place.dtype {
            Dtype::I8 => -127,
            Dtype::I4 => -112,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => return self.check_floats(l),
        };
        for row in 0..self.place.rows() {
            let real = row < self.outputs();
            let mut sum = 0;
            for column in 0..self.place.columns() {
                let w = self.weight(row, column);
                if w < least || w != 0 && !(real && column < self.inputs()) {
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
