//! The ONNX formats: a graph of `Gemm`, `Relu` and `Softmax` with the logits as an output of their own.
//!
//! The graph of an integer network is either of the same operators between `QuantizeLinear` and `DequantizeLinear`
//! ([`qdq`]), which runtimes turn into their fast integer kernels, or of integer operators alone ([`integer`]), which gives
//! exactly the flash file's logits.

mod builder;
mod integer;
mod qdq;

use selvedge::format::Dtype;
use selvedge::kernel::transpose;

use super::{ExportOptions, Exported, Exporter, FormatInfo, ModelFile, Parameters};
use crate::error::{Error, Result};
use crate::files::onnx::dtype;
use crate::model::fold::Folded;
use builder::{GraphBuilder, integer_attribute};
use std::path::Path;

/// `--format onnx`.
pub(super) struct Onnx;

impl Exporter for Onnx {
    fn info(&self) -> FormatInfo {
        FormatInfo::new(
            "onnx",
            "ONNX graph of Gemm, Relu and Softmax; of an integer flash file, with QuantizeLinear around them (QDQ)",
        )
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        let bytes = match model.parameters()? {
            Parameters::Float(folded, classes) => float(&folded, &classes),
            Parameters::Integer(model) => Ok(qdq::write(model)),
        };
        Exported::one(options.out, bytes)
    }
}

/// `--format onnx-integer`.
pub(super) struct OnnxInteger;

impl OnnxInteger {
    fn needs_integers() -> Error {
        Error::usage(
            "--format onnx-integer takes a flash file of integers, as `selvedge quantize` makes them",
        )
    }
}

impl Exporter for OnnxInteger {
    fn info(&self) -> FormatInfo {
        FormatInfo::new(
            "onnx-integer",
            "ONNX graph of integer operators only, with exactly the logits of an integer flash file",
        )
    }

    fn accepts(&self, dtype: Dtype, _path: &Path) -> Result<()> {
        if dtype.is_integer() { Ok(()) } else { Err(Self::needs_integers()) }
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        match model {
            ModelFile::Flash(model) if model.header().dtype().is_integer() => {
                Exported::one(options.out, Ok(integer::write(model)))
            }
            _ => Err(Self::needs_integers()),
        }
    }
}

/// The graph of a network of floats.
fn float(network: &Folded, classes: &[String]) -> std::result::Result<Vec<u8>, String> {
    let mut graph = GraphBuilder::default();
    let shape = network.shape;
    let layers = shape.split(&network.params).map_err(|e| e.to_string())?;
    let mut value = String::from("input");
    if let Some(table) = &network.table {
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
        graph.node("Gemm", out, &[&value, &w, &b], vec![integer_attribute("transB", 1)]);
        value = out.into();
        if !last {
            value = format!("relu{}", n + 1);
            graph.node("Relu", &value, &[out], Vec::new());
        }
    }
    graph.node("Softmax", "probabilities", &[&value], vec![integer_attribute("axis", 1)]);
    graph.output("logits", dtype::FLOAT, shape.outputs());
    graph.output("probabilities", dtype::FLOAT, shape.outputs());
    let doc = format!("{shape}; input is a row of pixels, each divided by 255");
    Ok(graph.finish(("input", dtype::FLOAT, shape.inputs()), doc, classes))
}

/// Maps the inputs through the table. They are bytes over 255, so rounding recovers the bytes.
fn look_up(graph: &mut GraphBuilder, table: &[u8; 256]) -> String {
    let values: Vec<f32> = table.iter().map(|&u| f32::from(u) / 255.0).collect();
    graph.floats("table", &[256], &values);
    graph.floats("most", &[], &[255.0]);
    graph.node("Mul", "scaled", &["input", "most"], Vec::new());
    graph.node("Round", "rounded", &["scaled"], Vec::new());
    graph.node("Cast", "position", &["rounded"], vec![integer_attribute("to", dtype::INT32.into())]);
    graph.node("Gather", "pixels", &["table", "position"], vec![integer_attribute("axis", 0)]);
    "pixels".into()
}
