//! The integer form of an integer network: `MatMulInteger`, then sums and products of integers, so that every logit is
//! exactly the flash file's.
//!
//! Requantizing a hidden layer takes 40 bits, hence 64-bit integers between its sums and its outputs. No dividend is
//! negative, so ONNX's division, which truncates, is the shift.

use selvedge::format::ModelView;

use super::builder::{GraphBuilder, integer_attribute};
use super::qdq::{document, input_lookup, row_weights};
use crate::files::onnx::dtype;

/// The graph of a file of integer weights: from bytes to its logits, i32.
pub fn write(model: &ModelView<'_>) -> Vec<u8> {
    let shape = model.header();
    let mut graph = GraphBuilder::default();
    input_lookup(&mut graph, model, dtype::UINT8);
    let hidden = shape.layers() > 1;
    for (name, value) in [("nothing", 0i64), ("half", 1 << 23), ("unit", 1 << 24), ("most", 127)] {
        if hidden {
            graph.constant(name, dtype::INT64, &[], value.to_le_bytes().to_vec());
        }
    }
    for (l, layer) in model.layers().enumerate() {
        let (i, o, n) = (layer.inputs(), layer.outputs(), l + 1);
        let of = |part: &str| format!("fc{n}.{part}");
        let weights = row_weights(&layer);
        let transposed = (0..i * o).map(|at| weights[at % o * i + at / o]).collect();
        graph.constant(&of("weight"), dtype::INT8, &[i, o], transposed);
        let biases = (0..o).flat_map(|r| layer.bias(r).to_le_bytes()).collect();
        graph.constant(&of("bias"), dtype::INT32, &[o], biases);
        graph.node("MatMulInteger", &of("products"), &[&format!("x{l}"), &of("weight")], Vec::new());
        if n == shape.layers() {
            graph.node("Add", "logits", &[&of("products"), &of("bias")], Vec::new());
            break;
        }
        graph.node("Add", &of("sum"), &[&of("products"), &of("bias")], Vec::new());
        let multipliers = (0..o).flat_map(|r| i64::from(layer.multiplier(r)).to_le_bytes()).collect();
        graph.constant(&of("multiplier"), dtype::INT64, &[o], multipliers);
        graph.node("Cast", &of("long"), &[&of("sum")], vec![integer_attribute("to", dtype::INT64.into())]);
        let steps = [
            ("Max", "relu", "long", "nothing".into()),
            ("Mul", "scaled", "relu", of("multiplier")),
            ("Add", "raised", "scaled", "half".into()),
            ("Div", "rounded", "raised", "unit".into()),
            ("Min", "clamped", "rounded", "most".into()),
        ];
        for (op, name, from, with) in steps {
            graph.node(op, &of(name), &[&of(from), &with], Vec::new());
        }
        graph.node(
            "Cast",
            &format!("x{n}"),
            &[&of("clamped")],
            vec![integer_attribute("to", dtype::UINT8.into())],
        );
    }
    graph.node("Cast", "real", &["logits"], vec![integer_attribute("to", dtype::FLOAT.into())]);
    graph.floats("scale", &[], &[model.scale(shape.layers())]);
    graph.node("Mul", "scaled", &["real", "scale"], Vec::new());
    graph.node("Softmax", "probabilities", &["scaled"], vec![integer_attribute("axis", 1)]);
    graph.output("logits", dtype::INT32, shape.outputs());
    graph.output("probabilities", dtype::FLOAT, shape.outputs());
    document(graph, model)
}
