//! A file as it lies in flash, checked once and then used in place.
//!
//! [`ModelView::parse`] checks everything that a reader relies on: the CRC, every length, the padding, the range of every
//! weight, the bound of every row. What it returned `Ok` for cannot make a reader panic, read outside the file or
//! overflow an accumulator, whoever wrote the file. It allocates nothing, and its stack does not grow with the number of
//! layers: [`Layers`] walks over them in the file.

use core::str;

use super::answers;
use super::crc::Crc;
use super::fields::Preamble;
use super::header::Header;
use super::layers::Layers;
use super::layout::{ALIGN, Span};
use super::raw;
use super::words::words;
use crate::error::Error;

/// A checked file.
#[derive(Debug, Clone)]
pub struct ModelView<'a> {
    header: Header<'a>,
    bytes: &'a [u8],
    /// The parameters of the input map.
    pub(super) input: &'a [u8],
    scales: &'a [u32],
    /// What turns outputs into answers.
    pub(super) answers: &'a [u8],
    /// The layers' numbers, from the first layer on.
    layers: &'a [u32],
    labels: &'a str,
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
        let input = section(bytes, layout.input)?;
        raw::check(&header, input, layout.input.at)?;
        let scales = words(section(bytes, layout.scales)?).ok_or(Error::Misaligned { align: ALIGN })?;
        for (at, &bits) in scales.iter().enumerate() {
            let scale = f32::from_bits(u32::from_le(bits));
            if !(scale.is_finite() && scale > 0.0) {
                return Err(Error::Field { at: layout.scales.at + 4 * at, value: u32::from_le(bits) });
            }
        }
        let answers = section(bytes, layout.answers)?;
        answers::check(&header, answers, layout.answers.at)?;
        let layers = words(bytes.get(layout.layers..).unwrap_or_default())
            .ok_or(Error::Misaligned { align: ALIGN })?;
        let labels = str::from_utf8(section(bytes, layout.labels)?).map_err(|_| Error::Labels)?;
        let view = Self { header, bytes, input, scales, answers, layers, labels };
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
            let spans = self.header.layers.spans(l, at);
            for span in [spans.weights, spans.biases, spans.multipliers, spans.table] {
                section(self.bytes, span)?;
            }
            at = spans.end();
            let bits = if l == 0 { self.header.input_bits() } else { 7 };
            layers.next().ok_or(Error::Misaligned { align: ALIGN })?.check(l, bits)?;
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
    #[inline]
    pub const fn table(&self) -> Option<&'a [u8; 256]> {
        if self.header.input_map.is_affine() { None } else { self.input.first_chunk() }
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
    let padded = span.padded();
    let outside = Error::Truncated { expected: span.at.saturating_add(padded), actual: bytes.len() };
    let all = bytes.get(span.at..).and_then(|b| b.get(..padded)).ok_or(outside)?;
    let (section, padding) = all.split_at_checked(span.len).ok_or(outside)?;
    match padding.iter().position(|&b| b != 0) {
        Some(at) => Err(Error::Field { at: span.at + span.len + at, value: u32::from(padding[at]) }),
        None => Ok(section),
    }
}
