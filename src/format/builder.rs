//! Writing a flash file into caller-provided memory.
//!
//! The memory is cut by the same layout that the reader follows. [`Builder::finish`] parses what was built, so that
//! nothing leaves that a reader would refuse.

use super::header::{Header, SelfTest};
use super::header_buf::HeaderBuf;
use super::layers::MAX_MULTIPLIER;
use super::layout::{LayerSpans, Layout, Span};
use super::version2::CRC_AT;
use super::view::ModelView;
use super::weight_layout::WeightLayout;
use super::{Dtype, InputMap};
use crate::error::Error;

mod meaning;

/// A file in the making.
///
/// ```
/// use selvedge::format::{Builder, Dtype, HeaderBuf, Packing};
/// use selvedge::infer::integer::Engine;
/// use selvedge::quantize::{HALVED_PIXELS, Scales, largest_weights, quantize};
/// use selvedge::{Init, Rng, Shape};
///
/// const SHAPE: Shape = match Shape::new(&[4, 8, 2]) { Ok(shape) => shape, Err(_) => panic!() };
/// let mut params = [0.0; SHAPE.params()];
/// Init::He.draw(SHAPE, &mut Rng::new(1), &mut params)?; // in place of training
///
/// let header = HeaderBuf::new(SHAPE, Dtype::I8, Packing::Generic)?;
/// let mut memory = vec![0; header.file_bytes() + 15];
/// let start = memory.as_ptr().align_offset(16);
/// let file = &mut memory[start..][..header.file_bytes()];
/// let mut builder = Builder::new(header, file)?;
///
/// let mut activations = [HALVED_PIXELS, 2.0 / 127.0]; // the hidden units reach 2
/// let mut rows = [0.0; Scales::rows_of(SHAPE)];
/// largest_weights(SHAPE, Dtype::I8, &params, &mut rows)?;
/// // ReLU needs neither offsets nor steps of the sums.
/// let mut scales = Scales { activations: &mut activations, offsets: &[], sums: &mut [], rows: &mut rows };
/// quantize(&mut builder, &params, &mut scales)?;
///
/// let engine = Engine::new(builder.finish()?)?; // what was built, parsed
/// let mut scratch = vec![0; Engine::scratch_words(engine.view().header())];
/// let class = engine.classify(&[0_u8, 255, 128, 7], &mut scratch, &mut [0; SHAPE.outputs()])?;
/// # assert!(class < Some(2));
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Debug)]
pub struct Builder<'m> {
    header: HeaderBuf,
    layout: Layout,
    /// The layer that was written to last: numbers come layer by layer.
    layer: (usize, WeightLayout, LayerSpans),
    bytes: &'m mut [u8],
}

impl<'m> Builder<'m> {
    /// Starts a file of zero weights and scales of 1, with an identity input table where it has one, in exactly
    /// [`HeaderBuf::file_bytes`] bytes, aligned to [`ALIGN`](super::ALIGN). Affine maps, tables of activations and what is
    /// stored for each output are zeros, which mean constants, until they are set.
    ///
    /// # Errors
    /// [`Error::Length`] where `bytes` are not that many.
    pub fn new(header: HeaderBuf, bytes: &'m mut [u8]) -> Result<Self, Error> {
        let view = header.header();
        let (layout, layers, integer) = (view.layout(), view.layers(), view.dtype().is_integer());
        let layer = (0, view.weight_layout(0), view.layer_spans(0));
        if bytes.len() != layout.file {
            return Err(Error::Length { what: "file bytes", expected: layout.file, actual: bytes.len() });
        }
        bytes.fill(0);
        let mut builder = Self { header, layout, layer, bytes };
        for (p, x) in builder.part(builder.table_span()).iter_mut().enumerate() {
            *x = if integer { p >> 1 } else { p } as u8;
        }
        for l in 0..=layers {
            builder.scale(l, 1.0);
        }
        for l in 0..layers {
            let (weights, spans) = builder.layer(l);
            builder.part(spans.weights).fill(weights.zero());
        }
        Ok(builder)
    }

    /// Where the weights of layer `l` lie in their section, and its sections in the file.
    fn layer(&mut self, l: usize) -> (WeightLayout, LayerSpans) {
        if l != self.layer.0 {
            let header = self.header.header();
            assert!(l < header.layers(), "layer {l} of {}", header.layers());
            self.layer = (l, header.weight_layout(l), header.layer_spans(l));
        }
        (self.layer.1, self.layer.2)
    }

    fn part(&mut self, span: Span) -> &mut [u8] {
        &mut self.bytes[span.at..span.at + span.len]
    }

    fn put<const N: usize>(&mut self, span: Span, n: usize, value: [u8; N]) {
        if let Some(to) = self.part(span).get_mut(n * N..(n + 1) * N) {
            to.copy_from_slice(&value);
        }
    }

    /// The header that the file will have.
    pub const fn header(&self) -> Header<'_> {
        self.header.header()
    }

    /// Sets what turns a pixel into an input; ignored where the header has no table.
    pub fn table(&mut self, table: &[u8; 256]) {
        let span = self.table_span();
        if span.len > 0 {
            self.part(span).copy_from_slice(table);
        }
    }

    /// Where the table of bytes lies; nowhere where the input map is another one.
    fn table_span(&self) -> Span {
        let Span { at, len } = self.layout.input;
        Span { at, len: if self.header().input_map() == InputMap::Table { len } else { 0 } }
    }

    /// Sets the real value of one unit of the inputs of layer `l`, or of the logits; ignored in the float types.
    pub fn scale(&mut self, l: usize, scale: f32) {
        self.put(self.layout.scales, l, scale.to_le_bytes());
    }

    /// Sets a weight of an integer type, in the units of the arithmetic: of `i4` a multiple of 16.
    ///
    /// # Panics
    /// Outside the layer.
    pub fn weight(&mut self, l: usize, row: usize, column: usize, weight: i8) {
        let (layout, spans) = self.layer(l);
        assert!(row < layout.outputs && column < layout.inputs, "weight ({row}, {column}) of layer {l}");
        layout.set_weight(self.part(spans.weights), row, column, weight);
    }

    /// Sets a weight of a float type, rounded to it.
    ///
    /// # Panics
    /// Outside the layer.
    pub fn float_weight(&mut self, l: usize, row: usize, column: usize, weight: f32) {
        let (layout, spans) = self.layer(l);
        assert!(row < layout.outputs && column < layout.inputs, "weight ({row}, {column}) of layer {l}");
        let (span, at) = (spans.weights, layout.byte(row, column));
        match layout.dtype {
            Dtype::F32 => self.put(span, at / 4, weight.to_le_bytes()),
            Dtype::F16 => self.put(span, at / 2, half::f16::from_f32(weight).to_le_bytes()),
            Dtype::Bf16 => self.put(span, at / 2, half::bf16::from_f32(weight).to_le_bytes()),
            Dtype::I8 | Dtype::I4 => {}
        }
    }

    /// Sets a bias of an integer type.
    pub fn bias(&mut self, l: usize, row: usize, bias: i32) {
        let span = self.layer(l).1.biases;
        self.put(span, row, bias.to_le_bytes());
    }

    /// Sets a bias of a float type.
    pub fn float_bias(&mut self, l: usize, row: usize, bias: f32) {
        let span = self.layer(l).1.biases;
        self.put(span, row, bias.to_le_bytes());
    }

    /// Sets a multiplier; ignored in the last layer. One that its layer's width does not hold becomes the largest that it holds.
    pub fn multiplier(&mut self, l: usize, row: usize, multiplier: u32) {
        let span = self.layer(l).1.multipliers;
        if self.header().has_wide_multipliers(l) {
            self.put(span, row, multiplier.min(MAX_MULTIPLIER).to_le_bytes());
        } else {
            self.put(span, row, (multiplier.min(u16::MAX.into()) as u16).to_le_bytes());
        }
    }

    /// Sets the table of the activation of a layer that has one: what its outputs become whose sums are −128, −127, .. 127 steps;
    /// ignored in other layers.
    pub fn activation_table(&mut self, l: usize, table: &[u8; 256]) {
        let span = self.layer(l).1.table;
        if span.len > 0 {
            self.part(span).copy_from_slice(table);
        }
    }

    /// Sets the class names, as many bytes as the header promises.
    ///
    /// # Errors
    /// [`Error::Labels`] for another number of bytes.
    pub fn labels(&mut self, labels: &str) -> Result<(), Error> {
        let span = self.layout.labels;
        if labels.len() != span.len {
            return Err(Error::Labels);
        }
        self.part(span).copy_from_slice(labels.as_bytes());
        Ok(())
    }

    /// Copies the numbers of a file of the same network and type, whatever its version and packing.
    ///
    /// # Errors
    /// [`Error::Length`] for another network, [`Error::PackingOf`] between integer and float types, [`Error::Setting`] where
    /// activations, inputs or answers mean something else: [`HeaderBuf::like`] makes a header that means the same.
    pub fn copy(&mut self, from: &ModelView<'_>) -> Result<(), Error> {
        let (to, source) = (self.header(), from.header());
        if !to.widths().eq(source.widths()) {
            let (expected, actual) = (to.params(), source.params());
            return Err(Error::Length { what: "parameters", expected, actual });
        }
        if to.dtype() != source.dtype() {
            return Err(Error::PackingOf { packing: source.dtype().name(), dtype: to.dtype().name() });
        }
        let (layers, integer) = (to.layers(), to.dtype().is_integer());
        if !to.means_the_same(source) {
            let expected = "that of the file that is copied, as HeaderBuf::like makes it";
            return Err(Error::Setting { name: "the header", expected });
        }
        self.part(self.layout.input).copy_from_slice(from.input);
        self.part(self.layout.answers).copy_from_slice(from.answers);
        for l in 0..=layers {
            self.scale(l, from.scale(l));
        }
        for (l, layer) in from.layers().enumerate() {
            if let Some(table) = layer.table() {
                self.activation_table(l, table);
            }
            for row in 0..layer.outputs() {
                self.bias(l, row, layer.bias(row));
                self.multiplier(l, row, layer.multiplier(row));
                for column in 0..layer.inputs() {
                    if integer {
                        self.weight(l, row, column, layer.weight(row, column) as i8);
                    } else {
                        self.float_weight(l, row, column, layer.float_weight(row, column));
                    }
                }
            }
        }
        Ok(())
    }

    /// The finished file, without a self-test.
    ///
    /// # Errors
    /// What a reader would refuse.
    pub fn finish(self) -> Result<ModelView<'m>, Error> {
        seal(&self.header, self.bytes)
    }

    /// The finished file with the self-test of `seed`, whose logits `crc_of` computes.
    ///
    /// # Errors
    /// What a reader would refuse, and what `crc_of` returns.
    pub fn finish_with(
        self,
        seed: u32,
        crc_of: impl FnOnce(u32, &ModelView<'_>) -> Result<u32, Error>,
    ) -> Result<ModelView<'m>, Error> {
        let crc = crc_of(seed, &seal(&self.header, &mut *self.bytes)?)?;
        seal(&self.header.with_self_test(SelfTest { seed, crc }), self.bytes)
    }
}

/// Writes the header with the CRC, and reads everything back.
fn seal<'m>(header: &HeaderBuf, bytes: &'m mut [u8]) -> Result<ModelView<'m>, Error> {
    let start = header.bytes();
    bytes[..start.len()].copy_from_slice(start);
    let (_, crc) = ModelView::stored_and_computed_crc(bytes, CRC_AT);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    ModelView::parse(bytes)
}
