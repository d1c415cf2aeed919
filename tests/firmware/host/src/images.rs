//! The images that the devices classify, the flash file in every packing, and the logits that it gives here.

use std::path::Path;

use host_cli::data::Dataset;
use host_cli::error::Result;
use host_cli::model::Model;
use selvedge::format::{ALIGN, Builder, Dtype, Header, Image, Packing};
use selvedge::quant::{self, Scales, quantize};
use selvedge::{Activations, Arena, Backend, Mlp, Shape, Solo, kernel};

use crate::{core, of_each_class, write};

/// Bytes at an aligned address.
pub struct Aligned {
    memory: Vec<u8>,
    at: usize,
}

impl Aligned {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let memory = vec![0; len + ALIGN];
        let at = memory.as_ptr().align_offset(ALIGN);
        Self { memory, at }
    }

    /// A copy.
    pub fn of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.bytes().copy_from_slice(bytes);
        copy
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        let len = self.memory.len() - ALIGN;
        &mut self.memory[self.at..self.at + len]
    }
}

/// An i8 file of a network, its hidden scale that of the largest activation over the training images `seen`.
pub fn quantized(
    shape: Shape,
    params: &[f32],
    data: &Dataset,
    seen: &[u32],
    names: &str,
) -> std::result::Result<Aligned, selvedge::Error> {
    let mlp = Mlp { shape, backend: Backend::detect() };
    let mut memory = vec![0.0; Activations::floats(shape, seen.len()) + 15];
    let mut activations = Activations::new(shape, seen.len(), &mut Arena::new(&mut memory))?;
    let fill = |first: usize, rows: &mut [f32]| {
        let index = &seen[first..first + rows.len() / shape.inputs()];
        kernel::gather(mlp.backend, &data.train.images.pixels, index, rows);
    };
    mlp.forward(&Solo, params, &mut activations, seen.len(), &fill)?;
    let most = |l| activations.activation(l, seen.len()).iter().fold(0.0_f32, |most, a| most.max(*a));
    let mut units: Vec<_> = (1..shape.layers()).map(|l| most(l) / 127.0).collect();
    units.insert(0, quantize::HALVED_PIXELS);

    let header = Header::new(shape, Dtype::I8, Packing::Generic)?.with_label_bytes(names.len())?;
    let header = header.with_image(data.train.images.rows, data.train.images.cols)?;
    let mut file = Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, file.bytes())?;
    builder.labels(names)?;
    let mut rows = vec![0.0; Scales::rows_of(shape)];
    quantize::largest_weights(shape, Dtype::I8, params, &mut rows)?;
    quant::quantize(&mut builder, params, &mut Scales { activations: &mut units, rows: &mut rows })?;
    builder.finish()?;
    Ok(file)
}

/// Writes `images`, `labels`, `logits.expected`, and the file in every packing of a core.
pub fn prepare(dir: &Path, model: &Path, data: &Dataset, per_class: usize) -> Result<()> {
    let model = Model::load(model)?;
    let seen: Vec<u32> = (0..2048).collect();
    let mut file =
        quantized(model.shape, &model.params, data, &seen, &data.classes.join("\n")).map_err(core)?;
    let image = Image::parse(file.bytes()).map_err(core)?;
    for packing in Packing::ALL {
        write(&dir.join(format!("{}.selv", packing.name())), &packed(&image, packing).map_err(core)?)?;
    }
    let model = quant::Model::new(image).map_err(core)?;
    let header = model.image().header();
    let (inputs, outputs) = (header.shape().inputs(), header.shape().outputs());
    let (mut scratch, mut logits) = (vec![0; quant::scratch_words(header)], vec![0; outputs]);
    let (mut images, mut labels, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for n in of_each_class(&data.test.labels, outputs, per_class) {
        let pixels = &data.test.images.pixels[n * inputs..][..inputs];
        model.logits(pixels, &mut scratch, &mut logits).map_err(core)?;
        images.extend_from_slice(pixels);
        labels.push(data.test.labels[n]);
        expected.extend(logits.iter().flat_map(|z| z.to_le_bytes()));
    }
    write(&dir.join("images"), &images)?;
    write(&dir.join("labels"), &labels)?;
    write(&dir.join("logits.expected"), &expected)
}

/// The same network in another packing, with a self-test.
pub fn packed(image: &Image<'_>, packing: Packing) -> std::result::Result<Vec<u8>, selvedge::Error> {
    let from = image.header();
    let names = image.labels().collect::<Vec<_>>().join("\n");
    let mut header = Header::new(from.shape(), from.dtype(), packing)?.with_label_bytes(names.len())?;
    if let Some((rows, cols)) = from.image() {
        header = header.with_image(rows, cols)?;
    }
    if from.has_table() {
        header = header.with_table();
    }
    let mut file = Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, file.bytes())?;
    builder.copy(image)?;
    builder.labels(&names)?;
    let (mut scratch, mut logits) =
        (vec![0; quant::scratch_words(&header)], vec![0; header.shape().outputs()]);
    let seed = from.self_test().map_or(1, |t| t.seed);
    builder.finish_with(seed, |seed, image| {
        quant::Model::new(image.clone())?.self_test_crc(seed, &mut scratch, &mut logits)
    })?;
    Ok(file.bytes().to_vec())
}
