//! ONNX: a chain of dense layers as a graph of operators, read and written.
//!
//! Written: `Gemm`, `Relu` and a `Softmax`, with the logits as an output of their own, around integers where the network
//! is one of integers, or of integer operators alone. Read: the float form, and what other exporters make of such networks
//! ([`read`] lists it). The messages are declared here by hand, since of the format's hundreds only a dozen matter.

mod arrange;
mod array;
mod build;
mod constant;
mod ending;
mod exact;
mod integer;
mod layers;
mod proto;
mod read;
mod row;
mod scale;
#[cfg(test)]
mod tests;
mod trace;
mod values;

use selvedge::kernel::transpose;

use super::Clause;
use crate::model::fold::Folded;
use build::{Builder, integer};
use proto::dtype;

pub(super) use exact::write as write_exact;
pub(super) use integer::write as write_integer;
pub use read::{Read, read};

/// The float graph.
pub(super) fn write(net: &Folded, classes: &[String]) -> Clause<Vec<u8>> {
    let mut graph = Builder::default();
    let shape = net.shape;
    let layers = shape.split(&net.params).map_err(|e| e.to_string())?;
    let mut value = String::from("input");
    if let Some(table) = &net.table {
        value = look_up(&mut graph, table);
    }
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
    graph.output("logits", dtype::FLOAT, shape.outputs());
    graph.output("probabilities", dtype::FLOAT, shape.outputs());
    let doc = format!("{shape}; input is a row of pixels, each divided by 255");
    Ok(graph.finish(("input", dtype::FLOAT, shape.inputs()), doc, classes))
}

/// What the table makes of the inputs. They are bytes over 255, so that rounding finds the bytes again.
fn look_up(graph: &mut Builder, table: &[u8; 256]) -> String {
    let values: Vec<f32> = table.iter().map(|&u| f32::from(u) / 255.0).collect();
    graph.floats("table", &[256], &values);
    graph.floats("most", &[], &[255.0]);
    graph.node("Mul", "scaled", &["input", "most"], Vec::new());
    graph.node("Round", "rounded", &["scaled"], Vec::new());
    graph.node("Cast", "position", &["rounded"], vec![integer("to", dtype::INT32.into())]);
    graph.node("Gather", "pixels", &["table", "position"], vec![integer("axis", 0)]);
    "pixels".into()
}
