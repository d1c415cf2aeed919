//! Builds an ONNX graph: nodes, tensors, values, and the model around them.

use prost::Message;

use crate::files::onnx::{
    Attribute, Dim, Entry, Graph, Model, Node, OperatorSet, Tensor, TensorShape, TensorType, ValueInfo,
    ValueType, dtype,
};

/// The oldest operator set with everything that is written here, scales per output channel included, and its IR version.
const OPSET: i64 = 13;
const IR_VERSION: i64 = 7;

/// A graph under construction.
#[derive(Debug, Default)]
pub(super) struct GraphBuilder {
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
    outputs: Vec<ValueInfo>,
}

impl GraphBuilder {
    /// Adds an operator; its only output is called `name`.
    pub fn node(&mut self, op: &str, name: &str, inputs: &[&str], attributes: Vec<Attribute>) {
        self.nodes.push(Node {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![name.into()],
            name: format!("{op}_{name}"),
            op_type: op.into(),
            attribute: attributes,
            domain: String::new(),
        });
    }

    /// Adds a constant of f32.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        let raw = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(name, dtype::FLOAT, dims, raw);
    }

    /// Adds a constant of little-endian values.
    pub fn constant(&mut self, name: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) {
        let dims = dims.iter().map(|&d| d as i64).collect();
        self.initializers.push(Tensor { name: name.into(), data_type, dims, raw_data, ..Tensor::default() });
    }

    /// Adds a scalar of i64, unless there is one of that name.
    pub fn scalar(&mut self, name: &str, value: i64) {
        if self.initializers.iter().all(|tensor| tensor.name != name) {
            self.constant(name, dtype::INT64, &[], value.to_le_bytes().to_vec());
        }
    }

    /// Makes a value `(batch, width)` an output of the graph.
    pub fn output(&mut self, name: &str, elem_type: i32, width: usize) {
        self.outputs.push(value(name, elem_type, width));
    }

    /// The file of the graph. `input` is the name, element type and width of its input `(batch, width)`; an empty list is left
    /// out of the metadata.
    pub fn finish(
        self,
        input: (&str, i32, usize),
        doc: String,
        metadata: &[(&str, serde_json::Value)],
    ) -> Vec<u8> {
        let said = metadata.iter().filter(|(_, value)| *value != serde_json::json!([]));
        let entry = |&(key, ref value): &(&str, serde_json::Value)| Entry {
            key: key.into(),
            value: value.to_string(),
        };
        let graph = Graph {
            node: self.nodes,
            name: "multilayer_perceptron".into(),
            initializer: self.initializers,
            doc_string: doc,
            input: vec![value(input.0, input.1, input.2)],
            output: self.outputs,
        };
        let metadata_props = said.map(entry).collect();
        Model {
            ir_version: IR_VERSION,
            producer_name: "selvedge".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph),
            opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
            metadata_props,
        }
        .encode_to_vec()
    }
}

/// An integer attribute.
pub(super) fn integer_attribute(name: &str, i: i64) -> Attribute {
    Attribute { name: name.into(), i, kind: 2, ..Attribute::default() }
}

/// A float attribute.
pub(super) fn float_attribute(name: &str, f: f32) -> Attribute {
    Attribute { name: name.into(), f, kind: 1, ..Attribute::default() }
}

/// An attribute of integers.
pub(super) fn integers_attribute(name: &str, ints: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: ints.to_vec(), kind: 7, ..Attribute::default() }
}

/// A value `(batch, width)`.
fn value(name: &str, elem_type: i32, width: usize) -> ValueInfo {
    let dim =
        vec![Dim { value: None, name: Some("batch".into()) }, Dim { value: Some(width as i64), name: None }];
    let tensor = TensorType { elem_type, shape: Some(TensorShape { dim }) };
    ValueInfo { name: name.into(), kind: Some(ValueType { tensor: Some(tensor) }) }
}
