//! Layers that a careless quantizer lets set a scale: rows without weights, units that cannot fire, weights too small or
//! too large for a step. They cost the other rows nothing.

mod common;

use common::flash::{Aligned, Network, integer_logits};
use selvedge::format::{Builder, Dtype, HeaderBuf, ModelView, Packing};
use selvedge::quantize::{self, Scales};
use selvedge::quantize::{HALVED_PIXELS, largest_weights};
use selvedge::{Error, Shape};

const WIDTHS: [usize; 4] = [30, 12, 9, 4];
const TYPES: [Dtype; 2] = [Dtype::I8, Dtype::I4];

/// Changes the weights `(i, o)` and the bias of a unit of each hidden layer.
fn changed(unit: usize, change: impl Fn(&mut f32, bool)) -> Network {
    let mut network = Network::new(&WIDTHS, 3);
    let shape = network.problem.shape;
    let layers = shape.split_mut(&mut network.problem.params).unwrap();
    for layer in layers.into_iter().take(shape.layers() - 1) {
        let o = layer.biases.len();
        layer.weights.iter_mut().skip(unit).step_by(o).for_each(|w| change(w, false));
        change(&mut layer.biases[unit], true);
    }
    network
}

/// Images with the whole range of bytes, some without light.
fn images() -> impl Iterator<Item = Vec<u8>> {
    (0..64u32).map(|n| {
        (0..30u32).map(|p| if n % 7 == p % 7 { 0 } else { ((n * 37 + p * 91) % 256) as u8 }).collect()
    })
}

/// The multipliers of the rows of each hidden layer, without `unit`.
fn multipliers(file: &[u8], unit: usize) -> Vec<u32> {
    let image = ModelView::parse(file).unwrap();
    let hidden = image.layers().take(image.layers().len() - 1);
    hidden
        .flat_map(|layer| (0..layer.outputs()).filter(move |&r| r != unit).map(move |r| layer.multiplier(r)))
        .collect()
}

#[test]
fn a_row_without_weights_costs_the_others_nothing() {
    for dtype in TYPES {
        let whole = Network::new(&WIDTHS, 3).file(dtype, Packing::Generic);
        let pruned = changed(3, |w, _| *w = 0.0).file(dtype, Packing::Generic);
        assert_eq!(multipliers(pruned.get(), 3), multipliers(whole.get(), 3));
        // A constant is stated at any size, and none beyond what the outputs reach takes their resolution.
        for bias in [0.5, 1e6, -1e30] {
            let constant = changed(3, |w, is_bias| *w = if is_bias { bias } else { 0.0 });
            let file = constant.file(dtype, Packing::Generic);
            assert_eq!(multipliers(file.get(), 3), multipliers(whole.get(), 3), "{bias}");
            let image = ModelView::parse(file.get()).unwrap();
            let layer = image.layers().next().unwrap();
            let y = (i64::from(layer.bias(3)) * i64::from(layer.multiplier(3)) + (1 << 23)) >> 24;
            let expected = (f64::from(bias) / f64::from(image.scale(1))).round().clamp(0.0, 127.0);
            assert_eq!(y.clamp(0, 127) as f64, expected, "{bias}");
        }
    }
}

#[test]
fn a_unit_that_cannot_fire_costs_the_others_nothing() {
    for dtype in TYPES {
        let pruned = changed(3, |w, _| *w = 0.0).file(dtype, Packing::Generic);
        for bias in [-1e4, -1e9, -3e38] {
            let dead = changed(3, |w, is_bias| {
                if is_bias {
                    *w = bias;
                }
            });
            let dead = dead.file(dtype, Packing::Generic);
            for image in images() {
                assert_eq!(
                    integer_logits(dead.get(), &image),
                    integer_logits(pruned.get(), &image),
                    "{bias}"
                );
            }
        }
    }
}

#[test]
fn a_layer_without_weights_answers_with_its_biases() {
    for dtype in TYPES {
        let mut network = Network::new(&WIDTHS, 3);
        let shape = network.problem.shape;
        let last = shape.split_mut(&mut network.problem.params).unwrap().pop().unwrap();
        last.weights.fill(0.0);
        last.biases.copy_from_slice(&[0.001, -3.0, 0.0015, 0.0]);
        let file = network.file(dtype, Packing::Generic);
        let unit = f64::from(ModelView::parse(file.get()).unwrap().scale(3));
        for image in images() {
            let logits = integer_logits(file.get(), &image);
            assert!((unit * f64::from(logits[1]) + 3.0).abs() < 1e-5, "{logits:?}");
            assert!(logits[2] > logits[0] && logits[0] > logits[3] && logits[3] == 0, "{logits:?}");
        }
    }
}

/// Where a scale leaves f32 the refusal names the layer.
#[test]
fn weights_beyond_all_scales_are_refused() {
    let shape = selvedge::Shape::new(&[2, 2, 2]).unwrap();
    let params = [1e30; 12];
    let header = HeaderBuf::new(shape, Dtype::I8, Packing::Generic).unwrap();
    let mut memory = common::flash::Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, memory.get_mut()).unwrap();
    let mut rows = vec![0.0; Scales::rows_of(shape)];
    largest_weights(shape, Dtype::I8, &params, &mut rows).unwrap();
    let mut activations = [HALVED_PIXELS, 1e30];
    let mut scales = Scales { activations: &mut activations, offsets: &[], sums: &mut [], rows: &mut rows };
    assert_eq!(quantize::quantize(&mut builder, &params, &mut scales), Err(Error::Scale { layer: 1 }));
}

/// A narrow layer whose outputs are small beside what a weight and an input may give: multipliers of 32 bits keep their
/// resolution, those of 16 make it coarser. A little is no reason.
#[test]
fn small_outputs_have_wide_multipliers() {
    let shape = Shape::new(&[2, 2, 1]).unwrap();
    let params = [1.0, 0.5, 1.0, 0.5, 0.0, 0.0, 1.0, 1.0, 0.0];
    let quantized = |output: f32| {
        let mut rows = [0.0; 3];
        largest_weights(shape, Dtype::I8, &params, &mut rows).unwrap();
        let mut activations = [HALVED_PIXELS, output];
        let mut scales =
            Scales { activations: &mut activations, offsets: &[], sums: &mut [], rows: &mut rows };
        let header = HeaderBuf::new(shape, Dtype::I8, Packing::Generic).unwrap();
        let header = quantize::with_wide_multipliers(header, &params, &scales).unwrap();
        let mut memory = Aligned::zeroed(header.file_bytes());
        let mut builder = Builder::new(header, memory.get_mut()).unwrap();
        quantize::quantize(&mut builder, &params, &mut scales).unwrap();
        let view = builder.finish().unwrap();
        (view.header().has_wide_multipliers(0), view.scale(1))
    };
    // A unit of the sums is worth HALVED_PIXELS / 127, and one of the outputs 256 times that at least with 16 bits.
    let finest = 256.0 * HALVED_PIXELS / 127.0;
    assert_eq!(quantized(finest * 1.01), (false, finest * 1.01));
    let (wide, scale) = quantized(finest * 0.6);
    assert!(!wide && scale > finest * 0.999, "{scale}");
    assert_eq!(quantized(finest * 0.4), (true, finest * 0.4));
    assert_eq!(quantized(finest * 1e-3), (true, finest * 1e-3));
}
