//! Writing a flash file into caller-provided memory.
//!
//! The memory is cut by the same layout that the reader follows. [`Builder::finish`] parses what was built, so that
//! nothing leaves that a reader would refuse.

use super::Dtype;
use super::header::{HEADER_BYTES, Header, Layout, SelfTest, Span};
use super::view::ModelView;
use crate::error::Error;

/// A file in the making.
///
/// ```
/// use selvedge::format::{Builder, Dtype, Header, Packing};
/// use selvedge::quantize::{HALVED_PIXELS, largest_weights};
/// use selvedge::infer::integer;
/// use selvedge::quantize::{Scales, quantize};
/// use selvedge::{Init, Rng, Shape};
///
/// const SHAPE: Shape = match Shape::new(&[4, 8, 2]) { Ok(shape) => shape, Err(_) => panic!() };
/// let mut params = [0.0; SHAPE.params()];
/// Init::He.draw(SHAPE, &mut Rng::new(1), &mut params)?; // in place of training
///
/// let header = Header::new(SHAPE, Dtype::I8, Packing::Generic)?;
/// let mut memory = vec![0; header.file_bytes() + 15];
/// let start = memory.as_ptr().align_offset(16);
/// let mut builder = Builder::new(header, &mut memory[start..][..header.file_bytes()])?;
///
/// let mut activations = [HALVED_PIXELS, 2.0 / 127.0]; // the hidden units reach 2
/// let mut rows = [0.0; Scales::rows_of(SHAPE)];
/// largest_weights(SHAPE, Dtype::I8, &params, &mut rows)?;
/// quantize(&mut builder, &params, &mut Scales { activations: &mut activations, rows: &mut rows })?;
///
/// let model = integer::Model::new(builder.finish()?)?; // what was built, parsed
/// let mut scratch = vec![0; integer::scratch_words(&header)];
/// let class = model.classify(&[0, 255, 128, 7], &mut scratch, &mut [0; SHAPE.outputs()])?;
/// # assert!(class < 2);
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Debug)]
pub struct Builder<'m> {
    header: Header,
    layout: Layout,
    bytes: &'m mut [u8],
}

impl<'m> Builder<'m> {
    /// Starts a file of zero weights and scales of 1, whose table gives the inputs that there would be without one, in
    /// exactly [`Header::file_bytes`] bytes, aligned to [`ALIGN`](super::ALIGN).
    ///
    /// # Errors
    /// [`Error::Length`] where `bytes` are not that many.
    pub fn new(header: Header, bytes: &'m mut [u8]) -> Result<Self, Error> {
        let layout = header.layout();
        if bytes.len() != layout.file {
            return Err(Error::Length { what: "file bytes", expected: layout.file, actual: bytes.len() });
        }
        bytes.fill(0);
        let mut builder = Self { header, layout, bytes };
        for (p, x) in builder.part(layout.table).iter_mut().enumerate() {
            *x = if header.dtype().is_integer() { p >> 1 } else { p } as u8;
        }
        for l in 0..=header.shape().layers() {
            builder.scale(l, 1.0);
        }
        for (l, spans) in layout.layers.iter().enumerate().take(header.shape().layers()) {
            builder.part(spans.weights).fill(header.place(l).zero());
        }
        Ok(builder)
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
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Sets what turns a pixel into an input; ignored where the header has no table.
    pub fn table(&mut self, table: &[u8; 256]) {
        if self.header.has_table() {
            self.part(self.layout.table).copy_from_slice(table);
        }
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
        let place = self.header.place(l);
        assert!(row < place.outputs && column < place.inputs, "weight ({row}, {column}) of layer {l}");
        place.set_weight(self.part(self.layout.layers[l].weights), row, column, weight);
    }

    /// Sets a weight of a float type, rounded to it.
    ///
    /// # Panics
    /// Outside the layer.
    pub fn float_weight(&mut self, l: usize, row: usize, column: usize, weight: f32) {
        let place = self.header.place(l);
        assert!(row < place.outputs && column < place.inputs, "weight ({row}, {column}) of layer {l}");
        let (spans, at) = (self.layout.layers[l].weights, place.byte(row, column));
        match self.header.dtype() {
            Dtype::F32 => self.put(spans, at / 4, weight.to_le_bytes()),
            Dtype::F16 => self.put(spans, at / 2, half::f16::from_f32(weight).to_le_bytes()),
            Dtype::Bf16 => self.put(spans, at / 2, half::bf16::from_f32(weight).to_le_bytes()),
            Dtype::I8 | Dtype::I4 => {}
        }
    }

    /// Sets a bias of an integer type.
    pub fn bias(&mut self, l: usize, row: usize, bias: i32) {
        self.put(self.layout.layers[l].biases, row, bias.to_le_bytes());
    }

    /// Sets a bias of a float type.
    pub fn float_bias(&mut self, l: usize, row: usize, bias: f32) {
        self.put(self.layout.layers[l].biases, row, bias.to_le_bytes());
    }

    /// Sets a multiplier; ignored in the last layer.
    pub fn multiplier(&mut self, l: usize, row: usize, multiplier: u16) {
        self.put(self.layout.layers[l].multipliers, row, multiplier.to_le_bytes());
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

    /// Copies everything but the header from a file of the same network and type, whatever its packing.
    ///
    /// # Errors
    /// [`Error::Length`] for another network, [`Error::PackingOf`] between integer and float types.
    pub fn copy(&mut self, from: &ModelView<'_>) -> Result<(), Error> {
        let (to, source) = (self.header, from.header());
        if to.shape() != source.shape() {
            return Err(Error::Length {
                what: "parameters",
                expected: to.shape().params(),
                actual: source.shape().params(),
            });
        }
        if to.dtype() != source.dtype() {
            return Err(Error::PackingOf { packing: source.dtype().name(), dtype: to.dtype().name() });
        }
        if let Some(table) = from.table() {
            self.table(table);
        }
        for l in 0..=to.shape().layers() {
            self.scale(l, from.scale(l));
        }
        for (l, layer) in from.layers().iter().enumerate() {
            for row in 0..layer.outputs() {
                self.bias(l, row, layer.bias(row));
                self.multiplier(l, row, layer.multiplier(row));
                for column in 0..layer.inputs() {
                    if to.dtype().is_integer() {
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
        seal(self.header, self.bytes)
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
        let crc = crc_of(seed, &seal(self.header, &mut *self.bytes)?)?;
        seal(self.header.with_self_test(SelfTest { seed, crc }), self.bytes)
    }
}

/// Writes the header with the CRC, and reads everything back.
fn seal<'m>(header: Header, bytes: &'m mut [u8]) -> Result<ModelView<'m>, Error> {
    bytes[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    let crc = ModelView::crc_of(bytes);
    bytes[36..40].copy_from_slice(&crc.to_le_bytes());
    ModelView::parse(bytes)
}
