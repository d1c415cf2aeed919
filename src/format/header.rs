//! The header of a flash file, read where it lies.
//!
//! All of it works in a `const`: firmware reads the header of its own model while it is compiled, and sizes its memory
//! from it. The layers' widths stay in the file; a [`Header`] is as small for 32 layers as for one. Nothing in a header
//! points anywhere: [`Header::layout`] follows from the fields.

use core::fmt;

use super::fields::Preamble;
use super::layout::{LayerSpans, Layout, Span};
use super::meaning::InputMap;
use super::weight_layout::WeightLayout;
use super::{Dtype, Packing, version1, version2};
use crate::activation::Activation;
use crate::error::Error;
use crate::shape::{self, MAX_LAYERS, Shape};

mod layer_list;
mod meaning;

pub(super) use layer_list::LayerList;

/// Bytes of a header in front of the layer records.
pub const HEADER_BYTES: usize = 64;
/// Bytes of a layer record.
pub const RECORD_BYTES: usize = 16;
/// What a file starts with.
pub const MAGIC: [u8; 4] = *b"SELV";
/// The version of the format that is written; version 1 is read too.
pub const VERSION: u8 = 2;
/// The most bytes of class names.
pub const MAX_LABEL_BYTES: usize = u16::MAX as usize;

/// An input made of a seed, and the CRC-32 of the logits that it must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfTest {
    /// Where the [`pixels`](Self::pixels) start.
    pub seed: u32,
    /// CRC-32 of the logits, four little-endian bytes each.
    pub crc: u32,
}

impl SelfTest {
    /// The pixels of a seed: the top bytes of a linear congruential generator, every second sixteen of them 0, so that
    /// the code that skips zeros is tested too.
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
pub struct Header<'a> {
    pub(super) version: u8,
    pub(super) layers: LayerList<'a>,
    pub(super) image: (u16, u16),
    pub(super) input_map: InputMap,
    /// The header's own bytes in version 2, for the fields that few files have; nothing in version 1, where they are 0.
    pub(super) head: &'a [u8],
    pub(super) self_test: Option<SelfTest>,
    pub(super) label_bytes: u16,
    /// Bytes of the header and the layer records.
    pub(super) bytes: usize,
    pub(super) crc: u32,
}

impl<'a> Header<'a> {
    /// The header at the start of `bytes`; the layers' numbers are not looked at, and the CRC is not checked.
    ///
    /// # Errors
    /// What is wrong with it, [`Error::Newer`] for what a later version of this crate may read.
    pub const fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let read = match Preamble::read(bytes) {
            Ok(Preamble { version: VERSION, .. }) => version2::read(bytes),
            Ok(_) => version1::read(bytes),
            Err(error) => return Err(error),
        };
        let (Ok(header), Ok(preamble)) = (read, Preamble::read(bytes)) else { return read };
        let (expected, actual) = (header.file_bytes(), preamble.file_bytes);
        if actual != expected {
            return Err(Error::Length { what: "bytes of the flash file", expected, actual });
        }
        Ok(header)
    }

    /// The same with an image and a self-test, whose words stand at byte `at`, once all of it is checked.
    pub(super) const fn checked(
        mut self,
        image: (u16, u16),
        tested: bool,
        test: SelfTest,
        at: usize,
    ) -> Result<Self, Error> {
        let list = &self.layers;
        if !(list.dtype.is_integer() || matches!(list.packing, Packing::Generic)) {
            return Err(Error::PackingOf { packing: list.packing.name(), dtype: list.dtype.name() });
        }
        let (rows, cols) = (image.0 as usize, image.1 as usize);
        if (rows != 0 || cols != 0) && rows * cols != list.inputs(0) {
            let (expected, actual) = (list.inputs(0), rows * cols);
            return Err(Error::Length { what: "image pixels", expected, actual });
        }
        self.image = image;
        // The first layer of a file for the M55 has its inputs in 4×4 patches where the image consists of them.
        let patches = rows > 0 && rows.is_multiple_of(4) && cols.is_multiple_of(4);
        if matches!(list.packing, Packing::CortexM55) && patches && !self.input_map.is_affine() {
            self.layers.patch_cols = image.1;
        }
        if tested {
            self.self_test = Some(test);
        } else if test.seed != 0 || test.crc != 0 {
            return Err(Error::Field { at, value: test.seed | test.crc });
        }
        // The rest of a file is far below the quarter that is left here.
        let mut bytes = 0;
        let mut l = 0;
        while l < self.layers.count as usize {
            let layout = self.layers.weight_layout(l);
            bytes += layout.bytes_of_any() + 8 * layout.rows() as u64 + 320;
            let hidden = l + 1 < self.layers.count as usize;
            self.layers.special |= hidden && (self.layers.has_table(l) || self.layers.is_wide(l));
            l += 1;
        }
        if bytes > u32::MAX as u64 / 4 * 3 { Err(Error::TooLarge) } else { Ok(self) }
    }

    /// The version of the format.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Number of layers, 1 to [`MAX_LAYERS`].
    pub const fn layers(&self) -> usize {
        self.layers.count as usize
    }

    /// Width `position`: the inputs of the network, then the outputs of each layer; 0 after the last.
    pub const fn width(&self, position: usize) -> usize {
        if position > 0 { self.layers.outputs(position - 1) } else { self.inputs() }
    }

    /// All widths, the inputs first.
    pub fn widths(&self) -> impl ExactSizeIterator<Item = usize> {
        let header = *self;
        (0..self.layers() + 1).map(move |position| header.width(position))
    }

    /// Inputs of the network.
    pub const fn inputs(&self) -> usize {
        self.layers.first as usize
    }

    /// Outputs of the network.
    pub const fn outputs(&self) -> usize {
        self.width(self.layers())
    }

    /// Weights and biases.
    pub const fn params(&self) -> usize {
        let (mut sum, mut l) = (0, 0);
        while l < self.layers() {
            sum += (self.width(l) + 1) * self.width(l + 1);
            l += 1;
        }
        sum
    }

    /// Multiply-adds of one inference.
    pub const fn macs(&self) -> usize {
        let (mut sum, mut l) = (0, 0);
        while l < self.layers() {
            sum += self.width(l) * self.width(l + 1);
            l += 1;
        }
        sum
    }

    /// The widest of the hidden layers, 0 where there is none.
    pub const fn widest_hidden(&self) -> usize {
        let (mut max, mut position) = (0, 1);
        while position < self.layers() {
            if self.width(position) > max {
                max = self.width(position);
            }
            position += 1;
        }
        max
    }

    /// The shape of the network, to train it or to take its parameters apart.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more parameters than this machine can address.
    pub const fn shape(&self) -> Result<Shape, Error> {
        let mut widths = [0; MAX_LAYERS + 1];
        let mut position = 0;
        while position <= self.layers() && position < widths.len() {
            widths[position] = self.width(position);
            position += 1;
        }
        match Shape::new(widths.split_at(position).0) {
            Ok(shape) => self.with_activations(shape),
            Err(error) => Err(error),
        }
    }

    /// The shape with the activations of the hidden layers.
    const fn with_activations(&self, shape: Shape) -> Result<Shape, Error> {
        let mut activations = [Activation::Relu; MAX_LAYERS];
        let mut l = 0;
        while l + 1 < self.layers() && l < activations.len() {
            activations[l] = self.activation(l);
            l += 1;
        }
        shape.with_activations(activations.split_at(l).0)
    }

    /// The type of its weights, the same in all layers.
    pub const fn dtype(&self) -> Dtype {
        self.layers.dtype
    }

    /// The order of its weights.
    pub const fn packing(&self) -> Packing {
        self.layers.packing
    }

    /// Rows and columns of the images, where they are known.
    pub const fn image(&self) -> Option<(usize, usize)> {
        match self.image {
            (0, _) | (_, 0) => None,
            (rows, cols) => Some((rows as usize, cols as usize)),
        }
    }

    /// What turns raw values into inputs.
    pub const fn input_map(&self) -> InputMap {
        self.input_map
    }

    /// The activation of layer `l`.
    pub const fn activation(&self, l: usize) -> Activation {
        self.layers.activation(l)
    }

    /// Whether the multipliers of layer `l` have 32 bits, because with 16 its outputs would be too coarse.
    pub const fn has_wide_multipliers(&self, l: usize) -> bool {
        l + 1 < self.layers() && self.layers.is_wide(l)
    }

    /// The self-test, where the file has one.
    pub const fn self_test(&self) -> Option<SelfTest> {
        self.self_test
    }

    /// The CRC-32 that the file was stored with.
    pub const fn crc(&self) -> u32 {
        self.crc
    }

    /// Bytes of the header and the layer records.
    pub const fn header_bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the whole file.
    pub const fn file_bytes(&self) -> usize {
        self.layout().file
    }

    /// Bytes of the class names, with the line feeds between them.
    pub const fn label_bytes(&self) -> usize {
        self.label_bytes as usize
    }

    /// Where the weights of layer `l` lie inside their section.
    pub const fn weight_layout(&self, l: usize) -> WeightLayout {
        self.layers.weight_layout(l)
    }

    /// Where the parts of layer `l` lie.
    pub const fn layer_spans(&self, l: usize) -> LayerSpans {
        let mut at = self.first_sections()[2].end();
        let mut n = 0;
        loop {
            let spans = self.layers.spans(n, at);
            if n >= l || n + 1 >= self.layers() {
                return spans;
            }
            at = spans.end();
            n += 1;
        }
    }

    /// The input map, the scales, and what turns outputs into answers.
    const fn first_sections(&self) -> [Span; 3] {
        let input = Span { at: self.bytes, len: self.input_map.bytes(self.inputs()) };
        let integer = self.dtype().is_integer();
        let scales = Span { at: input.end(), len: if integer { 4 * (self.layers() + 1) } else { 0 } };
        let answers = self.outputs() * self.task().bytes_per_output(integer);
        [input, scales, Span { at: scales.end(), len: answers }]
    }

    /// Where everything lies: the input map, the scales, the answers, the layers, the names, each section padded to
    /// [`ALIGN`](super::ALIGN).
    pub const fn layout(&self) -> Layout {
        let [input, scales, answers] = self.first_sections();
        let last = self.layer_spans(self.layers() - 1);
        let labels = Span { at: last.end(), len: self.label_bytes as usize };
        Layout { input, scales, answers, layers: answers.end(), labels, file: labels.end() }
    }
}

/// `784-128-10`.
impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shape::write_widths(self.widths(), f)
    }
}
