//! The header of a file that is about to be written.

use super::header::{HEADER_BYTES, Header, MAGIC, MAX_LABEL_BYTES, RECORD_BYTES, SelfTest, VERSION};
use super::meaning::{InputMap, InputType, Task};
use super::version2::{self, BIAS_BITS, HAS_SELF_TEST, MULTIPLIER_BITS, WIDE_MULTIPLIER_BITS};
use super::{Dtype, Packing};
use crate::activation::Activation;
use crate::error::Error;
use crate::shape::{MAX_LAYERS, MAX_WIDTH, Shape};

const MAX_BYTES: usize = HEADER_BYTES + MAX_LAYERS * RECORD_BYTES;

/// A header in memory of its own: to a [`Header`] what a `String` is to a `str`. It is the bytes of version 2 as a file
/// starts with them, valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderBuf {
    bytes: [u8; MAX_BYTES],
}

impl HeaderBuf {
    /// A header for the weights of a network, of some type in some order.
    ///
    /// # Errors
    /// [`Error::PackingOf`] where that order is not for that type, [`Error::TooLarge`] where the file cannot be addressed
    /// with 32 bits.
    pub const fn new(shape: Shape, dtype: Dtype, packing: Packing) -> Result<Self, Error> {
        let mut widths = [0; MAX_LAYERS + 1];
        let mut position = 0;
        while position <= shape.layers() {
            widths[position] = shape.width(position);
            position += 1;
        }
        let mut buf = match Self::from_widths(widths.split_at(shape.layers() + 1).0, dtype, packing) {
            Ok(buf) => buf,
            Err(error) => return Err(error),
        };
        let mut l = 0;
        while l + 1 < shape.layers() {
            buf = buf.with_activation(l, shape.activation(l));
            l += 1;
        }
        Ok(buf.resized())
    }

    /// The same with another activation of hidden layer `l`.
    const fn with_activation(self, l: usize, activation: Activation) -> Self {
        self.with(HEADER_BYTES + l * RECORD_BYTES + 5, &[activation.code()])
    }

    /// The same with multipliers of 32 bits in layer `l`, for outputs that 16 would make too coarse. Ignored where a layer has
    /// none: in the last one, and in the float types.
    #[must_use]
    pub const fn with_wide_multipliers(self, l: usize) -> Self {
        let header = self.header();
        if l + 1 < header.layers() && header.dtype().is_integer() {
            return self.with(HEADER_BYTES + l * RECORD_BYTES + 6, &[WIDE_MULTIPLIER_BITS]).resized();
        }
        self
    }

    /// The same from a network's widths, the inputs first: of 1 to [`MAX_LAYERS`] layers, the hidden ones with ReLU.
    ///
    /// # Errors
    /// As [`new`](Self::new), [`Error::Layers`] and [`Error::Width`] outside the limits.
    pub const fn from_widths(widths: &[usize], dtype: Dtype, packing: Packing) -> Result<Self, Error> {
        let layers = widths.len().saturating_sub(1);
        if layers == 0 || layers > MAX_LAYERS {
            return Err(Error::Layers { layers, max: MAX_LAYERS });
        }
        let mut buf = Self { bytes: [0; MAX_BYTES] };
        buf = buf.with(0, &MAGIC).with(4, &[VERSION, packing.code(), layers as u8]);
        let mut l = 0;
        while l < layers {
            let mut position = l;
            while position <= l + 1 {
                let width = widths[position];
                if width == 0 || width > MAX_WIDTH {
                    return Err(Error::Width { position, width, max: MAX_WIDTH });
                }
                position += 1;
            }
            let hidden = l + 1 < layers;
            let multiplier = if hidden && dtype.is_integer() { MULTIPLIER_BITS } else { 0 };
            let activation = if hidden { Activation::Relu } else { Activation::Identity };
            let at = HEADER_BYTES + l * RECORD_BYTES;
            buf = buf.with(at, &(widths[l] as u16).to_le_bytes());
            buf = buf.with(at + 2, &(widths[l + 1] as u16).to_le_bytes());
            buf = buf.with(at + 4, &[dtype.code(), activation.code(), multiplier, BIAS_BITS]);
            l += 1;
        }
        buf.sized()
    }

    /// A header for what a file of any version holds, in another type or order.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn like(header: &Header<'_>, dtype: Dtype, packing: Packing) -> Result<Self, Error> {
        let mut widths = [0; MAX_LAYERS + 1];
        let used = &mut widths[..=header.layers()];
        used.iter_mut().zip(header.widths()).for_each(|(to, width)| *to = width);
        let mut buf = Self::from_widths(used, dtype, packing)?.with_label_bytes(header.label_bytes())?;
        for l in 0..header.layers().saturating_sub(1) {
            buf = buf.with_activation(l, header.activation(l));
            if header.has_wide_multipliers(l) {
                buf = buf.with_wide_multipliers(l);
            }
        }
        if let Some((rows, cols)) = header.image() {
            buf = buf.with_image(rows, cols)?;
        }
        buf = buf.with_input(header.input_type(), header.input_map(), header.input_bits())?;
        buf = buf.with_task(header.task())?;
        if let Some((rows, stride)) = header.window() {
            buf = buf.with_window(rows, stride)?;
        }
        buf = buf.with_columns_crc(header.columns_crc());
        if dtype.is_integer() == header.dtype().is_integer() {
            let answer =
                [29..30, 32..40, 52..56].map(|span| (span.start, header.head.get(span).unwrap_or(&[])));
            buf = answer.into_iter().fold(buf, |buf, (at, field)| buf.with(at, field));
        }
        buf.sized()
    }

    /// For images of `rows` by `cols` pixels.
    ///
    /// # Errors
    /// [`Error::Length`] where these are not the network's inputs.
    pub const fn with_image(self, rows: usize, cols: usize) -> Result<Self, Error> {
        let expected = self.header().inputs();
        if rows > expected || cols > expected || rows * cols != expected {
            let actual = rows.saturating_mul(cols);
            return Err(Error::Length { what: "image pixels", expected, actual });
        }
        // Both are at most MAX_WIDTH, which fits.
        self.with(20, &(rows as u16).to_le_bytes()).with(22, &(cols as u16).to_le_bytes()).sized()
    }

    /// With an input table for bytes.
    ///
    /// # Panics
    /// Never: a table suits every network.
    #[must_use]
    pub const fn with_table(self) -> Self {
        match self.with_input(InputType::U8, InputMap::Table, 7) {
            Ok(buf) => buf,
            Err(_) => panic!("a table suits every network"),
        }
    }

    /// For raw values of a type, with the map that turns them into inputs of `bits` bits, 7 or 14, which concern affine maps of
    /// integer types only.
    ///
    /// # Errors
    /// [`Error::Newer`] for another number of bits, or where the map is not for that type.
    pub const fn with_input(self, of: InputType, map: InputMap, bits: u32) -> Result<Self, Error> {
        let integer = self.header().dtype().is_integer();
        let bits = match bits {
            _ if !(map.is_affine() && integer) => 0,
            7 | 14 => bits as u8,
            _ => 255,
        };
        self.with(16, &[of.code(), map.code()]).with(19, &[bits]).sized()
    }

    /// For outputs with another meaning than classes.
    ///
    /// # Errors
    /// [`Error::Length`] for a reconstruction of another number of inputs.
    pub const fn with_task(self, task: Task) -> Result<Self, Error> {
        let scored = matches!(task, Task::Reconstruction);
        let integer = self.header().dtype().is_integer();
        // Valid from the start: a unit of 1, and no threshold.
        let unit = if scored && integer { 1.0f32.to_bits() } else { 0 };
        let threshold = match (scored, integer) {
            (true, true) => u64::MAX,
            (true, false) => f32::INFINITY.to_bits() as u64,
            _ => 0,
        };
        let buf = self.with(28, &[task.code(), 0]).with(52, &unit.to_le_bytes());
        buf.with(32, &threshold.to_le_bytes()).sized()
    }

    /// With the CRC-32 of the names of the columns that inputs and answers come from.
    #[must_use]
    pub const fn with_columns_crc(self, crc: u32) -> Self {
        self.with(56, &crc.to_le_bytes())
    }

    /// For inputs that are `rows` rows of a time series, a window every `stride` rows.
    ///
    /// # Errors
    /// [`Error::Field`] where the rows do not divide the inputs, or the stride is 0 or above 65535.
    pub const fn with_window(self, rows: usize, stride: usize) -> Result<Self, Error> {
        if rows > MAX_WIDTH || stride > u16::MAX as usize || rows == 0 {
            return Err(Error::Field { at: 48, value: stride as u32 });
        }
        self.with(48, &(rows as u16).to_le_bytes()).with(50, &(stride as u16).to_le_bytes()).sized()
    }

    /// With the field of an answer at byte `at`, whose meaning depends on the task.
    pub(super) const fn with_answer(self, at: usize, field: &[u8]) -> Result<Self, Error> {
        self.with(at, field).sized()
    }

    /// With `bytes` of class names.
    ///
    /// # Errors
    /// [`Error::Labels`] above [`MAX_LABEL_BYTES`].
    pub const fn with_label_bytes(self, bytes: usize) -> Result<Self, Error> {
        if bytes > MAX_LABEL_BYTES {
            return Err(Error::Labels);
        }
        Ok(self.with(30, &(bytes as u16).to_le_bytes()).resized())
    }

    pub(super) const fn with_self_test(self, test: SelfTest) -> Self {
        self.with(7, &[HAS_SELF_TEST]).with(40, &test.seed.to_le_bytes()).with(44, &test.crc.to_le_bytes())
    }

    /// The header.
    pub const fn header(&self) -> Header<'_> {
        match version2::read(&self.bytes) {
            Ok(header) => header,
            Err(_) => panic!("a header is valid by construction"),
        }
    }

    /// Bytes of the whole file.
    pub const fn file_bytes(&self) -> usize {
        self.header().file_bytes()
    }

    /// The bytes that the file starts with, the CRC left out.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.header().header_bytes()]
    }

    const fn with(mut self, at: usize, field: &[u8]) -> Self {
        let mut i = 0;
        while i < field.len() {
            self.bytes[at + i] = field[i];
            i += 1;
        }
        self
    }

    /// Checks the fields, and writes the length of the file.
    const fn sized(self) -> Result<Self, Error> {
        match version2::read(&self.bytes) {
            Ok(_) => Ok(self.resized()),
            Err(error) => Err(error),
        }
    }

    const fn resized(self) -> Self {
        let bytes = self.file_bytes() as u32;
        self.with(8, &bytes.to_le_bytes())
    }
}
