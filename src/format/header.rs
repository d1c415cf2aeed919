//! The 64 bytes in front of a flash file, and the one function that says where everything behind them lies.
//!
//! All of it works in a `const`: firmware reads the header of its own model while it is compiled, and sizes its memory
//! from it. A header is valid by construction, and nothing in it points anywhere: [`Header::layout`] follows from the
//! fields, for the writer and the reader alike.

use super::weight_layout::WeightLayout;
use super::{Dtype, Packing};
use crate::error::Error;
use crate::shape::{MAX_LAYERS, Shape};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 64;
/// What a file starts with.
pub const MAGIC: [u8; 4] = *b"SELV";
/// The version of the format.
pub const VERSION: u8 = 1;
/// Sections start at multiples of this, and so must the file in memory.
pub const ALIGN: usize = 16;
/// The most bytes of class names.
pub const MAX_LABEL_BYTES: usize = u16::MAX as usize;

const HAS_TABLE: u16 = 1;
const HAS_SELF_TEST: u16 = 2;

/// An input made of a seed, and the CRC-32 of the logits that it must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfTest {
    /// Where the [`pixels`](Self::pixels) start.
    pub seed: u32,
    /// CRC-32 of the logits, four little-endian bytes each.
    pub crc: u32,
}

impl SelfTest {
    /// The pixels of a seed: a linear congruential generator's top bytes, every second sixteen of them 0, so that the
    /// ways around zeros are tested too.
    pub fn pixels(seed: u32) -> impl Iterator<Item = u8> {
        let mut x = seed;
        (0..).map(move |n: usize| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if (n / 16).is_multiple_of(2) { (x >> 24) as u8 } else { 0 }
        })
    }
}

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    shape: Shape,
    dtype: Dtype,
    packing: Packing,
    image: (u16, u16),
    table: bool,
    self_test: Option<SelfTest>,
    label_bytes: u16,
    crc: u32,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte, from the start of the file.
    pub at: usize,
    /// Bytes, without the padding behind them.
    pub len: usize,
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

/// Where everything lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The input table, 0 or 256 bytes.
    pub table: Span,
    /// An f32 for the inputs of each layer and one for the logits; none in the float types.
    pub scales: Span,
    /// The layers; those behind the last are empty.
    pub layers: [LayerSpans; MAX_LAYERS],
    /// The class names.
    pub labels: Span,
    /// Bytes of the file.
    pub file: usize,
}

impl Header {
    /// A header for weights of some type in some order.
    ///
    /// # Errors
    /// [`Error::PackingOf`] where that order is not for that type, [`Error::TooLarge`] where the file cannot be addressed
    /// with 32 bits.
    pub const fn new(shape: Shape, dtype: Dtype, packing: Packing) -> Result<Self, Error> {
        if !(dtype.is_integer() || matches!(packing, Packing::Generic)) {
            return Err(Error::PackingOf { packing: packing.name(), dtype: dtype.name() });
        }
        let header = Self {
            shape,
            dtype,
            packing,
            image: (0, 0),
            table: false,
            self_test: None,
            label_bytes: 0,
            crc: 0,
        };
        // The rest of a file is far below the quarter that is left here.
        let mut bytes = 0;
        let mut l = 0;
        while l < shape.layers() {
            bytes += header.place(l).bytes() + 6 * header.place(l).rows() as u64 + 64;
            l += 1;
        }
        if bytes > u32::MAX as u64 / 4 * 3 {
            return Err(Error::TooLarge);
        }
        Ok(header)
    }

    /// For images of `rows` by `cols` pixels.
    ///
    /// # Errors
    /// [`Error::Length`] where these are not the network's inputs.
    pub const fn with_image(mut self, rows: usize, cols: usize) -> Result<Self, Error> {
        let inputs = self.shape.inputs();
        if rows > inputs || cols > inputs || rows * cols != inputs {
            return Err(Error::Length {
                what: "image pixels",
                expected: inputs,
                actual: rows.saturating_mul(cols),
            });
        }
        // Both are at most MAX_WIDTH, which fits.
        self.image = (rows as u16, cols as u16);
        Ok(self)
    }

    /// With an input table.
    #[must_use]
    pub const fn with_table(mut self) -> Self {
        self.table = true;
        self
    }

    /// With `bytes` of class names.
    ///
    /// # Errors
    /// [`Error::Labels`] above [`MAX_LABEL_BYTES`].
    pub const fn with_label_bytes(mut self, bytes: usize) -> Result<Self, Error> {
        if bytes > MAX_LABEL_BYTES {
            return Err(Error::Labels);
        }
        self.label_bytes = bytes as u16;
        Ok(self)
    }

    pub(super) const fn with_self_test(mut self, test: SelfTest) -> Self {
        self.self_test = Some(test);
        self
    }

    /// The network.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The type of its weights.
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The order of its weights.
    pub const fn packing(&self) -> Packing {
        self.packing
    }

    /// Rows and columns of the images, where they are known.
    pub const fn image(&self) -> Option<(usize, usize)> {
        match self.image {
            (0, _) | (_, 0) => None,
            (rows, cols) => Some((rows as usize, cols as usize)),
        }
    }

    /// Whether a table of 256 bytes turns pixels into inputs; else an input is half a pixel.
    pub const fn has_table(&self) -> bool {
        self.table
    }

    /// The self-test, where the file has one.
    pub const fn self_test(&self) -> Option<SelfTest> {
        self.self_test
    }

    /// The CRC-32 that the file was stored with.
    pub const fn crc(&self) -> u32 {
        self.crc
    }

    /// Bytes of the whole file.
    pub const fn file_bytes(&self) -> usize {
        self.layout().file
    }

    /// Where the weights of layer `l` lie inside their section.
    pub const fn place(&self, l: usize) -> WeightLayout {
        // The first layer of a file for the M55 has its inputs in 4×4 patches where the image consists of them.
        let patches = matches!(self.packing, Packing::CortexM55)
            && l == 0
            && self.image.0 > 0
            && self.image.0.is_multiple_of(4)
            && self.image.1.is_multiple_of(4);
        WeightLayout {
            dtype: self.dtype,
            packing: self.packing,
            inputs: self.shape.width_or_zero(l),
            outputs: self.shape.width_or_zero(l + 1),
            patch_cols: if patches { self.image.1 as usize } else { 0 },
        }
    }

    /// Where everything lies: the table, the scales, the layers, the names, each section padded to [`ALIGN`].
    pub const fn layout(&self) -> Layout {
        const EMPTY: Span = Span { at: 0, len: 0 };
        const NONE: LayerSpans = LayerSpans { weights: EMPTY, biases: EMPTY, multipliers: EMPTY };
        const fn take(at: &mut usize, len: usize) -> Span {
            let span = Span { at: *at, len };
            *at += len.next_multiple_of(ALIGN);
            span
        }
        let mut at = HEADER_BYTES;
        let table = take(&mut at, if self.table { 256 } else { 0 });
        let integer = self.dtype.is_integer();
        let layer_count = self.shape.layers();
        let scales = take(&mut at, if integer { 4 * (layer_count + 1) } else { 0 });
        let mut layers = [NONE; MAX_LAYERS];
        let mut l = 0;
        while l < layer_count && l < MAX_LAYERS {
            let place = self.place(l);
            let rows = place.rows();
            layers[l].weights = take(&mut at, place.bytes() as usize);
            layers[l].biases = take(&mut at, 4 * rows);
            let hidden = l + 1 < layer_count;
            layers[l].multipliers = take(&mut at, if integer && hidden { 2 * rows } else { 0 });
            l += 1;
        }
        let labels = take(&mut at, self.label_bytes as usize);
        Layout { table, scales, layers, labels, file: at }
    }

    /// The header at the start of `bytes`; the rest is not looked at, and the CRC not checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub const fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() < HEADER_BYTES {
            return Err(Error::Truncated { expected: HEADER_BYTES, actual: bytes.len() });
        }
        let mut i = 0;
        while i < MAGIC.len() {
            if bytes[i] != MAGIC[i] {
                return Err(Error::NoModel);
            }
            i += 1;
        }
        if bytes[4] != VERSION {
            return Err(Error::Version { found: bytes[4], known: VERSION });
        }
        let (dtype, packing) = match (Dtype::from_code(bytes[5]), Packing::from_code(bytes[6])) {
            (Some(dtype), Some(packing)) => (dtype, packing),
            (None, _) => return Err(Error::Field { at: 5, value: bytes[5] as u32 }),
            (_, None) => return Err(Error::Field { at: 6, value: bytes[6] as u32 }),
        };
        let layers = bytes[7] as usize;
        let mut widths = [0; MAX_LAYERS + 1];
        let mut l = 0;
        while l <= MAX_LAYERS {
            widths[l] = half(bytes, 8 + 2 * l) as usize;
            if l > layers && widths[l] != 0 {
                return Err(Error::Field { at: 8 + 2 * l, value: widths[l] as u32 });
            }
            l += 1;
        }
        if layers == 0 || layers > MAX_LAYERS {
            return Err(Error::Layers { layers, max: MAX_LAYERS });
        }
        let shape = match Shape::new(widths.split_at(layers + 1).0) {
            Ok(shape) => shape,
            Err(e) => return Err(e),
        };
        let header = match Self::new(shape, dtype, packing) {
            Ok(header) => header,
            Err(e) => return Err(e),
        };
        header.read_rest(bytes)
    }

    /// The fields behind the widths.
    const fn read_rest(mut self, bytes: &[u8]) -> Result<Self, Error> {
        let (rows, cols) = (half(bytes, 26) as usize, half(bytes, 28) as usize);
        if rows != 0 || cols != 0 {
            self = match self.with_image(rows, cols) {
                Ok(header) => header,
                Err(e) => return Err(e),
            };
        }
        let flags = half(bytes, 30);
        if flags & !(HAS_TABLE | HAS_SELF_TEST) != 0 {
            return Err(Error::Field { at: 30, value: flags as u32 });
        }
        self.table = flags & HAS_TABLE != 0;
        let test = SelfTest { seed: word(bytes, 44), crc: word(bytes, 48) };
        if flags & HAS_SELF_TEST != 0 {
            self.self_test = Some(test);
        } else if test.seed != 0 || test.crc != 0 {
            return Err(Error::Field { at: 44, value: test.seed | test.crc });
        }
        self.crc = word(bytes, 36);
        self.label_bytes = half(bytes, 40);
        let mut at = 42;
        while at < HEADER_BYTES {
            if (at < 44 || at >= 52) && bytes[at] != 0 {
                return Err(Error::Field { at, value: bytes[at] as u32 });
            }
            at += 1;
        }
        let expected = self.file_bytes() - HEADER_BYTES;
        if word(bytes, 32) as usize != expected {
            return Err(Error::Length { what: "payload bytes", expected, actual: word(bytes, 32) as usize });
        }
        Ok(self)
    }

    /// The 64 bytes, with the CRC of `self`.
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(4, &[VERSION, self.dtype.code(), self.packing.code(), self.shape.layers() as u8]);
        for (l, width) in self.shape.widths().enumerate() {
            put(8 + 2 * l, &(width as u16).to_le_bytes());
        }
        put(26, &self.image.0.to_le_bytes());
        put(28, &self.image.1.to_le_bytes());
        let flags = u16::from(self.table) * HAS_TABLE + u16::from(self.self_test.is_some()) * HAS_SELF_TEST;
        put(30, &flags.to_le_bytes());
        put(32, &((self.file_bytes() - HEADER_BYTES) as u32).to_le_bytes());
        put(36, &self.crc.to_le_bytes());
        put(40, &self.label_bytes.to_le_bytes());
        if let Some(test) = self.self_test {
            put(44, &test.seed.to_le_bytes());
            put(48, &test.crc.to_le_bytes());
        }
        bytes
    }
}

const fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

const fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
