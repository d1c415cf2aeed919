//! Following the images through a graph: what each value is, and by which steps it came of the input.
//!
//! A value is a constant, a row of each image at a [`Step`], or what is made of the logits at the end. Operators that only
//! arrange a row anew add no step, as long as each image stays one row in the same order; what else may stand in a
//! multilayer perceptron is one of the few kinds of [`Op`]. Everything else is refused by the operator's name.

use super::super::Clause;
use super::super::affine::Affine;
use super::array::Array;
use super::constant::{self, Budget};
use super::proto::Node;
use super::read::called;
use super::{ending, row};

/// A step of the chain.
#[derive(Debug)]
pub(super) struct Step {
    /// The step in front of it, in [`Trace::steps`].
    pub from: usize,
    pub op: Op,
    /// The operator, for people.
    pub called: String,
    /// The constant that it adds to a layer, whose bias that is.
    pub bias: Option<String>,
}

/// What a step does to a row.
#[derive(Debug)]
pub(super) enum Op {
    Input,
    /// Bytes over 255 become what a table of 256 says.
    Lookup(Array),
    Dense(Weights),
    /// `factor * x + shift`, of one element for all or one for each.
    Affine(Affine),
    Relu,
    /// An element-wise function that no layer has yet, by its operator.
    Activation(String),
    /// The other one of two probabilities.
    Complement,
    /// Two logits, 0 and `z`, of one that a sigmoid would follow.
    TwoOfOne,
}

/// A dense layer, not folded yet.
#[derive(Debug)]
pub(super) struct Weights {
    pub weights: Array,
    /// Whether they are `(in, out)`.
    pub transposed: bool,
    /// What they are multiplied by.
    pub alpha: f64,
    /// One for all outputs, or one for each, and what they are multiplied by.
    pub bias: Option<(Array, f64)>,
}

/// A row of each image.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The step that made it.
    pub at: usize,
    /// The size of the batch, where the graph fixes it.
    pub batch: Option<i64>,
    /// The dimensions after the batch, where they are known.
    pub dims: Option<Vec<usize>>,
    /// Whether its elements are integers.
    pub whole: bool,
}

/// A value of the graph.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Constant(Array),
    Row(Row),
    /// Probabilities, or their logarithms, of the logits of a step.
    Scores(usize),
    /// The class of the highest of them.
    Label(usize),
    /// The pixels of each image as bytes again, of inputs that are bytes over 255.
    Bytes(Row),
    /// An output that none of this needs.
    Nothing,
}

/// What is known while a graph is followed.
#[derive(Debug)]
pub(super) struct Trace {
    pub steps: Vec<Step>,
    pub budget: Budget,
    pub opset: i64,
    /// The names of the classes that the graph ends with.
    pub classes: Vec<String>,
    /// What it was taken to mean.
    pub notes: Vec<String>,
}

impl Trace {
    /// The first output of an operator.
    pub fn apply(&mut self, node: &Node, inputs: &[Option<&Value>]) -> Clause<Value> {
        let constants: Option<Vec<Option<&Array>>> = inputs
            .iter()
            .map(|value| match value {
                None => Some(None),
                Some(Value::Constant(array)) => Some(Some(array)),
                Some(_) => None,
            })
            .collect();
        if let Some(operands) = constants {
            let folded = if is_ml(node) { None } else { constant::apply(node, &operands, &mut self.budget)? };
            return folded.map(Value::Constant).ok_or_else(|| unsupported(node));
        }
        if let Some(value) = ending::apply(self, node, inputs)? {
            return Ok(value);
        }
        let lone = inputs.iter().flatten().filter(|v| !matches!(v, Value::Constant(_))).count() == 1;
        match inputs.iter().flatten().find(|v| !matches!(v, Value::Constant(_))) {
            Some(Value::Row(input)) if lone => row::apply(self, node, input, inputs),
            Some(Value::Row(_)) => Err(format!(
                "{} joins two values, and a multilayer perceptron is one chain of layers",
                called(node)
            )),
            _ => Err(match supported(node) {
                true => format!("{} stands where a multilayer perceptron has none", called(node)),
                false => unsupported(node),
            }),
        }
    }

    /// A row after one more step.
    pub fn step(&mut self, node: &Node, row: &Row, op: Op) -> Row {
        self.steps.push(Step { from: row.at, op, called: called(node), bias: None });
        Row { at: self.steps.len() - 1, ..row.clone() }
    }

    /// The steps up to `at`, the input's first.
    pub fn path(&self, mut at: usize) -> Vec<&Step> {
        let mut path = Vec::new();
        while let Some(step) = self.steps.get(at) {
            path.push(step);
            if at == 0 {
                break;
            }
            at = step.from;
        }
        path.reverse();
        path
    }
}

/// Whether an operator is one of classical machine learning.
pub(super) fn is_ml(node: &Node) -> bool {
    node.domain == "ai.onnx.ml"
}

/// Whether an operator is known where it can stand.
fn supported(node: &Node) -> bool {
    const KNOWN: [&str; 9] =
        ["Gemm", "MatMul", "Add", "Mul", "Relu", "Flatten", "Reshape", "Softmax", "BatchNormalization"];
    KNOWN.contains(&&node.op_type[..])
}

/// The refusal of an operator by its name, with the next step.
pub(super) fn unsupported(node: &Node) -> String {
    let op = &node.op_type[..];
    let next = match op {
        "Conv" | "MaxPool" | "AveragePool" | "GlobalAveragePool" | "LSTM" | "GRU" | "RNN" | "Attention"
        | "LayerNormalization" => {
            "a model here is a chain of dense layers with ReLU between them; train such a one"
        }
        "QuantizeLinear" | "DequantizeLinear" | "QLinearMatMul" | "MatMulInteger" | "QGemm" => {
            "its weights are rounded to integers; import the network from before it was quantized"
        }
        _ => "a model here is a chain of dense layers with ReLU between them and softmax at the end",
    };
    match &node.domain[..] {
        "" | "ai.onnx" => format!("operator {op} is not supported: {next}"),
        domain => format!("operator {domain}.{op} is not supported: {next}"),
    }
}
