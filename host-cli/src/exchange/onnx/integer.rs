//! The integer graph: real numbers between pairs of `QuantizeLinear` and `DequantizeLinear`, which runtimes turn into
//! integer kernels.
//!
//! Activations are i8 with zero point 0, whose saturation at 127 behind a `Relu` is the clamp of the flash file's
//! arithmetic. A row's scale is what its multiplier says, so that both round the same quotient; a runtime takes it in f32
//! and rounds half to even, hence about one activation in a hundred thousand comes out one unit away. No choice of scales
//! helps: a sum times its multiplier takes 40 bits, a float holds 24. [`exact`](super::exact) computes them as integers,
//! for a runtime that need not be fast.

use selvedge::format::{LayerView, ModelView};

use super::build::{Builder, integer};
use super::proto::dtype;

/// The graph of a file of integer weights: from bytes to real logits.
pub fn write(image: &ModelView<'_>) -> Vec<u8> {
    let shape = image.header();
    let mut graph = Builder::default();
    look_up(&mut graph, image, dtype::INT8);
    for (l, layer) in image.layers().enumerate() {
        let (i, o, n) = (layer.inputs(), layer.outputs(), l + 1);
        let [x, x_scale, x_real] = [format!("x{l}"), format!("x{l}_scale"), format!("x{l}_real")];
        let fc = format!("fc{n}");
        let of = |part: &str| format!("{fc}.{part}");
        let last = n == shape.layers();
        // What a unit of a row's sum is worth, and that of a weight.
        let unit = |row: usize| match last {
            true => f64::from(image.scale(n)),
            false => f64::from(layer.multiplier(row)) / f64::from(1 << 24) * f64::from(image.scale(n)),
        };
        let input = f64::from(image.scale(l));
        let biases = (0..o).flat_map(|r| layer.bias(r).to_le_bytes()).collect();
        let units: Vec<f32> = (0..o).map(|r| unit(r) as f32).collect();
        let steps: Vec<f32> = (0..o).map(|r| (unit(r) / input) as f32).collect();
        graph.floats(&x_scale, &[], &[image.scale(l)]);
        graph.constant(&format!("{x}_zero"), dtype::INT8, &[], vec![0]);
        graph.constant(&of("weight"), dtype::INT8, &[o, i], row_weights(&layer));
        graph.floats(&of("weight_scale"), &[o], &steps);
        graph.constant(&of("weight_zero"), dtype::INT8, &[o], vec![0; o]);
        graph.constant(&of("bias"), dtype::INT32, &[o], biases);
        graph.floats(&of("bias_scale"), &[o], &units);
        graph.constant(&of("bias_zero"), dtype::INT32, &[o], vec![0; 4 * o]);

        graph.node("DequantizeLinear", &x_real, &[&x, &x_scale, &format!("{x}_zero")], Vec::new());
        for part in ["weight", "bias"] {
            let inputs = [of(part), of(&format!("{part}_scale")), of(&format!("{part}_zero"))];
            let inputs = inputs.each_ref().map(|s| &s[..]);
            graph.node("DequantizeLinear", &of(&format!("{part}_real")), &inputs, vec![integer("axis", 0)]);
        }
        let sum = if last { "logits" } else { &fc };
        let inputs = [&x_real[..], &of("weight_real"), &of("bias_real")];
        graph.node("Gemm", sum, &inputs, vec![integer("transB", 1)]);
        if !last {
            let (relu, next) = (format!("relu{n}"), format!("x{n}"));
            graph.node("Relu", &relu, &[sum], Vec::new());
            let inputs = [&relu[..], &format!("{next}_scale"), &format!("{next}_zero")];
            graph.node("QuantizeLinear", &next, &inputs, Vec::new());
        }
    }
    graph.node("Softmax", "probabilities", &["logits"], vec![integer("axis", 1)]);
    graph.output("logits", dtype::FLOAT, shape.outputs());
    graph.output("probabilities", dtype::FLOAT, shape.outputs());
    document(graph, image)
}

/// What the first layer takes of `pixels`, bytes of 0..=127 of a type.
pub(super) fn look_up(graph: &mut Builder, image: &ModelView<'_>, elem_type: i32) {
    let halved = || std::array::from_fn(|p| (p >> 1) as u8);
    let table = image.table().copied().unwrap_or_else(halved);
    graph.constant("table", elem_type, &[256], table.to_vec());
    graph.node("Cast", "position", &["pixels"], vec![integer("to", dtype::INT32.into())]);
    graph.node("Gather", "x0", &["table", "position"], vec![integer("axis", 0)]);
}

/// The weights `(o, i)` row-major, as bytes.
pub(super) fn row_weights(layer: &LayerView<'_>) -> Vec<u8> {
    let row = |r| (0..layer.inputs()).map(move |c| layer.weight(r, c) as u8);
    (0..layer.outputs()).flat_map(row).collect()
}

/// The file around a graph that takes `pixels`.
pub(super) fn document(graph: Builder, image: &ModelView<'_>) -> Vec<u8> {
    let shape = image.header();
    let doc = format!("{shape}, {} weights; pixels is a row of bytes", image.header().dtype().name());
    let labels: Vec<String> = image.labels().map(String::from).collect();
    graph.finish(("pixels", dtype::UINT8, shape.inputs()), doc, &labels)
}
