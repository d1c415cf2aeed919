//! Inference with an integer network.

use std::hint::black_box;
use std::time::Duration;

use selvedge::format::{ALIGN, Builder, Dtype, HeaderBuf, ModelView, Packing};
use selvedge::infer::integer::{BatchEngine, Engine};
use selvedge::quantize;
use selvedge::{Backend, Shape, naive};

use super::compare::Comparison;
use super::network::{DRAWN, Net, add_inference, images, thread_pool};
use super::{Case, Measurement};
use crate::error::Result;
use crate::quantize::plain::IntegerLayer;

/// A network computed by the specification, one image at a time.
struct Plain(Vec<IntegerLayer>);

impl Plain {
    fn logits(&self, pixels: &[u8], logits: &mut [i32]) {
        let mut x: Vec<u8> = pixels.iter().map(|p| p >> 1).collect();
        for IntegerLayer { weights, biases, multipliers, .. } in &self.0 {
            if multipliers.is_empty() {
                naive::integer::accumulate(&x, weights, biases, logits);
            } else {
                let (mut acc, mut y) = (vec![0; biases.len()], vec![0; biases.len()]);
                naive::integer::hidden(&x, weights, biases, multipliers, &mut acc, &mut y);
                x = y;
            }
        }
    }
}

/// Quantizes a network of random weights into `bytes`.
fn file<'m>(header: HeaderBuf, bytes: &'m mut [u8], widths: &[usize]) -> Result<ModelView<'m>> {
    /// The clip limit of activations, near the largest for these weights and images.
    const MAX_ACTIVATION: f32 = 4.0;
    let net = Net::new(Backend::PORTABLE, widths, 1)?;
    let shape = Shape::new(widths)?;
    let mut builder = Builder::new(header, bytes)?;
    let mut rows = vec![0.0; quantize::Scales::rows_of(shape)];
    quantize::largest_weights(shape, Dtype::I8, &net.params, &mut rows)?;
    let mut activations = vec![MAX_ACTIVATION / 127.0; shape.layers()];
    activations[0] = quantize::HALVED_PIXELS;
    let mut scales =
        quantize::Scales { activations: &mut activations, offsets: &[], sums: &mut [], rows: &mut rows };
    quantize::quantize(&mut builder, &net.params, &mut scales)?;
    Ok(builder.finish()?)
}

/// Compares inference with the backend's peak of integer dot products, naive loops over the same integers, and the same
/// network in floats. The kernel of a single image skips zeros, so it may exceed the peak.
pub(super) fn infer(case: &Case) -> Result<Measurement> {
    let (count, widths) = (case.shape[0], &case.shape[1..]);
    let shape = Shape::new(widths)?;
    let header = HeaderBuf::new(shape, Dtype::I8, Packing::Generic)?;
    let mut bytes = vec![0; header.file_bytes() + ALIGN];
    let start = bytes.as_ptr().align_offset(ALIGN);
    let file_bytes = header.file_bytes();
    let view = file(header, &mut bytes[start..][..file_bytes], widths)?;
    let plain = Plain(IntegerLayer::from_model(&view));
    let engine = Engine::new(view)?;
    let header = engine.view().header();
    let mut memory = vec![0; BatchEngine::bytes(header)];
    let batch_engine = BatchEngine::new(&engine, case.backend, &mut memory)?;

    let pixels = images(count.max(DRAWN)).0;
    let (inputs, outputs) = (shape.inputs(), shape.outputs());
    let thread_pool = thread_pool(1);
    let mut comparison = Comparison::new();
    let (mut scratch, mut logits) =
        (vec![0; BatchEngine::scratch_bytes(header, count)], vec![0; count * outputs]);
    let mut batches = pixels.chunks_exact(count * inputs).cycle();
    let own = comparison.add(move || {
        let pixels = batches.next().expect("images without end");
        batch_engine.logits(pixels, &mut scratch, &mut logits).expect("lengths that fit");
        black_box(&logits);
    });
    let mut logits = vec![0; outputs];
    let mut batches = pixels.chunks_exact(count * inputs).cycle();
    let naive = comparison.add(move || {
        for pixels in batches.next().expect("images without end").chunks_exact(inputs) {
            plain.logits(pixels, &mut logits);
            black_box(&logits);
        }
    });
    let floats = add_inference(&mut comparison, case, case.backend, &pixels, &thread_pool)?;
    let peak = comparison.add_dot_peak(case.backend);
    let times = comparison.run(Duration::from_millis(500));
    let of_peak = times.of_peak(own, 2.0 * case.macs(), peak);
    Ok(Measurement {
        vs_naive: Some(times.speed_up(own, naive)),
        vs_f32: Some(times.speed_up(own, floats)),
        ..case.measurement(times.seconds(own), Some(of_peak))
    })
}
