//! The cost of quantization: the classes before and after, image by image, and the quantization noise of each layer.

use selvedge::format::ModelView;
use selvedge::infer::integer::{BatchEngine, Engine};
use selvedge::naive;
use selvedge::{Backend, Mlp};

use super::calibrate::Images;
use super::plain::{self, IntegerLayer};
use crate::error::Result;
use crate::evaluate::BATCH;
use crate::memory::Bytes;
use crate::model::Model;
use crate::model::fold::{Folded, fold};

/// The CRC of the logits of the self-test with a seed.
///
/// # Errors
/// What the core refuses.
pub fn self_test(seed: u32, image: &ModelView<'_>) -> std::result::Result<u32, selvedge::Error> {
    let engine = Engine::new(image.clone())?;
    let mut scratch = vec![0; Engine::scratch_words(image.header())];
    let mut logits = vec![0; image.header().outputs()];
    engine.self_test_crc(seed, &mut scratch, &mut logits)
}

/// The class of each image at `index`, by the float network.
///
/// # Errors
/// Exit code 1 without the memory.
pub fn float_classes(model: &Model, pixels: &[u8], index: &[u32]) -> Result<Vec<u8>> {
    Ok(classes(&float_logits(model, pixels, index)?, model.shape.outputs()))
}

fn classes<T: PartialOrd + Copy>(logits: &[T], outputs: usize) -> Vec<u8> {
    logits.chunks_exact(outputs).map(|row| naive::argmax(row) as u8).collect()
}

/// The logits of each image at `index`, by the float network.
///
/// # Errors
/// Exit code 1 without the memory.
fn float_logits(model: &Model, pixels: &[u8], index: &[u32]) -> Result<Vec<f32>> {
    let folded = fold(model)?;
    let mlp = Mlp::new(folded.shape, Backend::detect());
    let values = folded.input_values();
    let mut logits = Vec::new();
    Images { pixels, index, values: &values }
        .forward(&mlp, &folded.params, |activations, b| logits.extend_from_slice(activations.logits(b)))?;
    Ok(logits)
}

/// The logits of each image at `index`, by the integer network.
///
/// # Errors
/// Exit code 1 without the memory, or where the core refuses the file.
pub fn integer_logits(image: &ModelView<'_>, pixels: &[u8], index: &[u32]) -> Result<Vec<i32>> {
    let header = image.header();
    let (i, o) = (header.inputs(), header.outputs());
    let engine = Engine::new(image.clone())?;
    let mut memory = Bytes::zeroed(BatchEngine::bytes(header), "the model")?;
    let batch = BatchEngine::new(&engine, Backend::detect(), &mut memory)?;
    let mut scratch = Bytes::zeroed(BatchEngine::scratch_bytes(header, BATCH), "a forward pass")?;
    let mut logits = vec![0; index.len() * o];
    for (index, logits) in index.chunks(BATCH).zip(logits.chunks_mut(BATCH * o)) {
        let rows: Vec<u8> = index.iter().flat_map(|&n| &pixels[n as usize * i..][..i]).copied().collect();
        batch.logits(&rows, &mut scratch, logits)?;
    }
    Ok(logits)
}

/// The class of each image at `index`, by the integer network.
///
/// # Errors
/// As [`integer_logits`].
pub fn integer_classes(image: &ModelView<'_>, pixels: &[u8], index: &[u32]) -> Result<Vec<u8>> {
    Ok(classes(&integer_logits(image, pixels, index)?, image.header().outputs()))
}

/// The signal-to-noise ratio of each layer's outputs in decibels: the mean square of the float outputs over that of the
/// quantization error.
///
/// # Errors
/// Exit code 1 without the memory.
pub fn noise(net: &Folded, image: &ModelView<'_>, pixels: &[u8], index: &[u32]) -> Result<Vec<f64>> {
    let squares = squares(net, image, pixels, index)?;
    Ok(squares.iter().map(|[signal, noise]| 10.0 * (signal / noise).log10()).collect())
}

/// The sums of squares of each layer's float outputs and of the errors of its integer outputs.
///
/// # Errors
/// Exit code 1 without the memory.
pub fn squares(net: &Folded, image: &ModelView<'_>, pixels: &[u8], index: &[u32]) -> Result<Vec<[f64; 2]>> {
    let shape = net.shape;
    let mlp = Mlp::new(shape, Backend::detect());
    let values = net.input_values();
    let (layers, bytes) = (IntegerLayer::from_model(image), plain::input_values(image));
    let mut squares = vec![[0.0f64; 2]; shape.layers()];
    let mut next = index.iter();
    Images { pixels, index, values: &values }.forward(&mlp, &net.params, |activations, b| {
        for (row, &n) in (0..b).zip(next.by_ref()) {
            let pixels = &pixels[n as usize * shape.inputs()..][..shape.inputs()];
            let mut x: Vec<u8> = pixels.iter().map(|&p| bytes[usize::from(p)]).collect();
            for (l, layer) in layers.iter().enumerate() {
                let (o, last) = (shape.width(l + 1), l + 1 == shape.layers());
                let (sums, y) = layer.run(&x);
                x = y;
                let real = if last { activations.logits(b) } else { activations.activation(l + 1, b) };
                let scale = image.scale(l + 1);
                for (at, &real) in real[row * o..][..o].iter().enumerate() {
                    let found = scale * if last { sums[at] as f32 } else { f32::from(x[at]) };
                    squares[l][0] += f64::from(real).powi(2);
                    squares[l][1] += f64::from(real - found).powi(2);
                }
            }
        }
    })?;
    Ok(squares)
}
