//! The graph of integer operators alone: `MatMulInteger`, then sums and products of integers, so that every logit is the
//! file's own.
//!
//! A hidden layer's rounding takes 40 bits, hence 64-bit integers between its sums and its outputs. Nothing is negative
//! where it is divided, so that ONNX's division, which cuts towards 0, is the shift.

use selvedge::format::ModelView;

use super::build::{Builder, integer};
use super::integer::{document, look_up, row_weights};
use super::proto::dtype;

/// The graph of a file of integer weights: from bytes to its logits, i32.
pub fn write(image: &ModelView<'_>) -> Vec<u8> {
    let shape = image.header();
    let mut graph = Builder::default();
    look_up(&mut graph, image, dtype::UINT8);
    let hidden = shape.layers() > 1;
    for (name, value) in [("nothing", 0i64), ("half", 1 << 23), ("unit", 1 << 24), ("most", 127)] {
        if hidden {
            graph.constant(name, dtype::INT64, &[], value.to_le_bytes().to_vec());
        }
    }
    for (l, layer) in image.layers().enumerate() {
        let (i, o, n) = (layer.inputs(), layer.outputs(), l + 1);
        let of = |part: &str| format!("fc{n}.{part}");
        let weights = row_weights(&layer);
        let turned = (0..i * o).map(|at| weights[at % o * i + at / o]).collect();
        graph.constant(&of("weight"), dtype::INT8, &[i, o], turned);
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
        graph.node("Cast", &of("long"), &[&of("sum")], vec![integer("to", dtype::INT64.into())]);
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
        graph.node("Cast", &format!("x{n}"), &[&of("clamped")], vec![integer("to", dtype::UINT8.into())]);
    }
    graph.node("Cast", "real", &["logits"], vec![integer("to", dtype::FLOAT.into())]);
    graph.floats("scale", &[], &[image.scale(shape.layers())]);
    graph.node("Mul", "scaled", &["real", "scale"], Vec::new());
    graph.node("Softmax", "probabilities", &["scaled"], vec![integer("axis", 1)]);
    graph.output("logits", dtype::INT32, shape.outputs());
    graph.output("probabilities", dtype::FLOAT, shape.outputs());
    document(graph, image)
}
