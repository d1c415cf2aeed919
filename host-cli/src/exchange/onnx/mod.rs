//! ONNX: a chain of dense layers as a graph of operators, read and written.
//!
//! Written: `Gemm`, `Relu` and a `Softmax`, with the logits as an output of their own. Read: the same, and what other
//! exporters make of such networks ([`read`] lists it). The messages are declared here by hand, since of the format's
//! hundreds only a dozen matter.

mod build;
mod proto;
mod read;
#[cfg(test)]
mod tests;
mod values;

use selvedge::kernel::transpose;

use super::Clause;
use crate::model::Model;
use build::{Builder, integer};
use proto::dtype;

pub use read::read;

/// The float graph.
pub(super) fn write(model: &Model) -> Clause<Vec<u8>> {
    let mut graph = Builder::default();
    let shape = model.shape;
    let layers = shape.split(&model.params).map_err(|e| e.to_string())?;
    let mut value = String::from("input");
    for (n, layer) in layers.iter().enumerate() {
        let (i, o) = (shape.width(n), shape.width(n + 1));
        let mut weights = vec![0.0; i * o];
        transpose(i, o, layer.weights, &mut weights);
        let fc = format!("fc{}", n + 1);
        let (w, b) = (format!("{fc}.weight"), format!("{fc}.bias"));
        graph.floats(&w, &[o, i], &weights);
        graph.floats(&b, &[o], layer.biases);
        let last = n + 1 == layers.len();
        let out = if last { "logits" } else { &fc };
        graph.node("Gemm", out, &[&value, &w, &b], vec![integer("transB", 1)]);
        value = out.into();
        if !last {
            value = format!("relu{}", n + 1);
            graph.node("Relu", &value, &[out], Vec::new());
        }
    }
    graph.node("Softmax", "probabilities", &[&value], vec![integer("axis", 1)]);
    graph.output("logits", shape.outputs());
    graph.output("probabilities", shape.outputs());
    let doc = format!("{shape}; input is a row of pixels, each divided by 255");
    Ok(graph.finish(("input", dtype::FLOAT, shape.inputs()), doc, &model.about))
}
