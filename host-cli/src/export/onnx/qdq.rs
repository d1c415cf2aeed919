//! The QDQ form of an integer network: `Gemm` and `Relu` on real numbers, between pairs of `QuantizeLinear` and
//! `DequantizeLinear`, which runtimes fuse into integer kernels.
//!
//! Activations are i8 with zero point 0: saturation at 127 after a `Relu` is the clamp of the flash file's arithmetic. An
//! output's scale follows from its multiplier, so both round the same quotient; but a runtime computes it in f32 and rounds
//! half to even, so about one activation in a hundred thousand differs by one unit. No choice of scales avoids that: a sum
//! times its multiplier takes 40 bits, and an f32 holds 24. [`integer`](super::integer) computes them as integers, for
//! runtimes that need not be fast.

use selvedge::format::{InputType, LayerView, ModelView};
use serde_json::{Value, json};

use super::builder::{GraphBuilder, integer_attribute};
use crate::files::onnx::dtype;

/// The graph of a file of integer weights: from bytes to real logits.
pub fn write(model: &ModelView<'_>) -> Vec<u8> {
    let shape = model.header();
    let mut graph = GraphBuilder::default();
    input_lookup(&mut graph, model, dtype::INT8);
    for (l, layer) in model.layers().enumerate() {
        let (i, o, n) = (layer.inputs(), layer.outputs(), l + 1);
        let [x, x_scale, x_real] = [format!("x{l}"), format!("x{l}_scale"), format!("x{l}_real")];
        let fc = format!("fc{n}");
        let of = |part: &str| format!("{fc}.{part}");
        let last = n == shape.layers();
        // The real value of one unit of an output's sum.
        let unit = |output: usize| match last {
            true => f64::from(model.scale(n)),
            false => f64::from(layer.multiplier(output)) / f64::from(1 << 24) * f64::from(model.scale(n)),
        };
        let input = f64::from(model.scale(l));
        let biases = (0..o).flat_map(|r| layer.bias(r).to_le_bytes()).collect();
        let units: Vec<f32> = (0..o).map(|r| unit(r) as f32).collect();
        let steps: Vec<f32> = (0..o).map(|r| (unit(r) / input) as f32).collect();
        graph.floats(&x_scale, &[], &[model.scale(l)]);
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
            graph.node(
                "DequantizeLinear",
                &of(&format!("{part}_real")),
                &inputs,
                vec![integer_attribute("axis", 0)],
            );
        }
        let sum = if last { "logits" } else { &fc };
        let inputs = [&x_real[..], &of("weight_real"), &of("bias_real")];
        graph.node("Gemm", sum, &inputs, vec![integer_attribute("transB", 1)]);
        if !last {
            let (relu, next) = (format!("relu{n}"), format!("x{n}"));
            graph.node("Relu", &relu, &[sum], Vec::new());
            let inputs = [&relu[..], &format!("{next}_scale"), &format!("{next}_zero")];
            graph.node("QuantizeLinear", &next, &inputs, Vec::new());
        }
    }
    graph.node("Softmax", "probabilities", &["logits"], vec![integer_attribute("axis", 1)]);
    graph.output("logits", dtype::FLOAT, shape.outputs());
    graph.output("probabilities", dtype::FLOAT, shape.outputs());
    document(graph, model, Vec::new())
}

/// Maps `pixels` to the first layer's inputs, 0..=127 of a type.
pub(super) fn input_lookup(graph: &mut GraphBuilder, model: &ModelView<'_>, elem_type: i32) {
    let halved = || std::array::from_fn(|p| (p >> 1) as u8);
    let table = model.table().copied().unwrap_or_else(halved);
    graph.constant("table", elem_type, &[256], table.to_vec());
    graph.node("Cast", "position", &["pixels"], vec![integer_attribute("to", dtype::INT32.into())]);
    graph.node("Gather", "x0", &["table", "position"], vec![integer_attribute("axis", 0)]);
}

/// The weights `(o, i)` row-major, as bytes.
pub(super) fn row_weights(layer: &LayerView<'_>) -> Vec<u8> {
    let row = |r| (0..layer.inputs()).map(move |c| layer.weight(r, c) as u8);
    (0..layer.outputs()).flat_map(row).collect()
}

/// The file around a graph that takes `pixels`, or raw values as `input`.
pub(super) fn document(
    graph: GraphBuilder,
    model: &ModelView<'_>,
    mut metadata: Vec<(&'static str, Value)>,
) -> Vec<u8> {
    let header = model.header();
    let (name, what) = match header.input_map().is_affine() {
        false => ("pixels", "bytes".into()),
        true => ("input", format!("raw values of {}", header.input_type().name())),
    };
    let of = match header.input_type() {
        InputType::I16 => dtype::INT16,
        InputType::U16 => dtype::UINT16,
        InputType::F32 => dtype::FLOAT,
        _ => dtype::UINT8,
    };
    let doc = format!("{header}, {} weights; {name} is a row of {what}", header.dtype().name());
    let labels: Vec<String> = model.labels().map(String::from).collect();
    metadata.insert(0, ("classes", json!(labels)));
    graph.finish((name, of, header.inputs()), doc, &metadata)
}
