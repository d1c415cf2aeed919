//! Symbolic execution of a graph: what each value is, and which steps lead to it from the input.
//!
//! A value is a constant, a row for each image after some [`Step`], or a result computed from the logits. Operators that
//! only reshape add no step, as long as each image stays one row in the same order. Every other operator of a multilayer
//! perceptron is one of the few kinds of [`Op`]; an operator that is none is refused by its name.

use selvedge::Activation;

use super::super::Clause;
use super::super::dense::Affine;
use super::constant_folding::{self, FoldingLimit};
use super::node::called;
use super::tensor::Array;
use super::{activations, layers, operators, outputs};
use crate::files::onnx::Node;

/// A step of the chain of layers.
#[derive(Debug)]
pub(in crate::import) struct Step {
    /// The previous step, as an index of [`Trace::steps`].
    pub from: usize,
    pub op: Op,
    /// The operator, for error messages.
    pub called: String,
    /// The name of the constant that an `Add` adds: the bias of the layer in front of it.
    pub bias: Option<String>,
}

/// The effect of a step on a row.
#[derive(Debug)]
pub(in crate::import) enum Op {
    Input,
    /// Maps bytes over 255 through a table of 256 values.
    Lookup(Array),
    Dense(Weights),
    /// `factor * x + shift`.
    Affine(Affine),
    Activate(Activation),
    /// `slope * x + offset`, clamped to 0..1: a part of hard-swish, and no activation here by itself.
    Clamp {
        slope: f64,
        offset: f64,
    },
    /// An element-wise function that is not supported, by its operator.
    Unsupported(String),
    /// `1 - p`, the other one of two probabilities.
    Complement,
    /// Two logits, 0 and `z`, for one logit `z` with a sigmoid.
    TwoOfOne,
}

/// A dense layer, not folded yet.
#[derive(Debug)]
pub(in crate::import) struct Weights {
    pub weights: Array,
    /// Whether they are `(in, out)`.
    pub transposed: bool,
    /// The factor of the weights.
    pub alpha: f64,
    /// One bias for all outputs or one for each, and their factor.
    pub bias: Option<(Array, f64)>,
}

/// A value with one row for each image.
#[derive(Debug, Clone)]
pub(in crate::import) struct Row {
    /// The step that made it.
    pub at: usize,
    /// The size of the batch, if the graph fixes it.
    pub batch: Option<i64>,
    /// The dimensions after the batch, if they are known.
    pub dims: Option<Vec<usize>>,
    /// Whether its elements are integers.
    pub is_integer: bool,
}

/// A value of the graph.
#[derive(Debug, Clone)]
pub(in crate::import) enum Value {
    Constant(Array),
    Row(Row),
    /// Probabilities, or their logarithms, of the logits of a step.
    Scores(usize),
    /// The class with the highest score.
    Label(usize),
    /// The pixels of each image as bytes again, of inputs that are bytes over 255.
    Bytes(Row),
    /// An output that is not needed.
    Nothing,
}

/// The state of the execution.
#[derive(Debug)]
pub(in crate::import) struct Trace {
    pub steps: Vec<Step>,
    pub limit: FoldingLimit,
    pub opset: i64,
    /// The names of the classes in the graph's classifier.
    pub classes: Vec<String>,
    /// Assumptions about what the graph leaves open.
    pub notes: Vec<String>,
}

impl Trace {
    /// The trace of an input, before any operator.
    pub fn new(limit: FoldingLimit, opset: i64) -> Self {
        Self { steps: vec![layers::input()], limit, opset, classes: Vec::new(), notes: Vec::new() }
    }

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
            let folded =
                if is_ml(node) { None } else { constant_folding::apply(node, &operands, &mut self.limit)? };
            return folded.map(Value::Constant).ok_or_else(|| unsupported(node));
        }
        if let Some(value) = outputs::apply(self, node, inputs)? {
            return Ok(value);
        }
        let is_only = inputs.iter().flatten().filter(|v| !matches!(v, Value::Constant(_))).count() == 1;
        match inputs.iter().flatten().find(|v| !matches!(v, Value::Constant(_))) {
            Some(Value::Row(input)) if is_only => operators::apply(self, node, input, inputs),
            Some(Value::Row(_)) => {
                let joins = || {
                    format!(
                        "{} joins two values, and a multilayer perceptron is one chain of layers",
                        called(node)
                    )
                };
                activations::product(self, node, inputs)?.map(Value::Row).ok_or_else(joins)
            }
            _ => Err(match supported(node) {
                true => format!("{} stands where a multilayer perceptron has none", called(node)),
                false => unsupported(node),
            }),
        }
    }

    /// The row after one more step.
    pub fn step(&mut self, node: &Node, row: &Row, op: Op) -> Row {
        self.steps.push(Step { from: row.at, op, called: called(node), bias: None });
        Row { at: self.steps.len() - 1, ..row.clone() }
    }

    /// The effects of the few steps after `from` up to `at`; `None` if `at` does not follow from it, or not soon.
    pub fn between(&self, from: usize, mut at: usize) -> Option<Vec<&Op>> {
        /// More than an activation takes.
        const MOST: usize = 8;
        let mut ops = Vec::new();
        while at != from {
            let step = self.steps.get(at).filter(|_| at != 0 && ops.len() < MOST)?;
            ops.push(&step.op);
            at = step.from;
        }
        ops.reverse();
        Some(ops).filter(|ops| !ops.is_empty())
    }

    /// The steps up to `at`, the input first.
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

/// Whether an operator belongs to ONNX's domain of classical machine learning.
pub(super) fn is_ml(node: &Node) -> bool {
    node.domain == "ai.onnx.ml"
}

/// Whether an operator is supported in some place.
fn supported(node: &Node) -> bool {
    const KNOWN: [&str; 9] =
        ["Gemm", "MatMul", "Add", "Mul", "Relu", "Flatten", "Reshape", "Softmax", "BatchNormalization"];
    KNOWN.contains(&&node.op_type[..])
}

/// The error for an unsupported operator, with the next step.
pub(in crate::import) fn unsupported(node: &Node) -> String {
    let op = &node.op_type[..];
    let next = match op {
        "Conv" | "MaxPool" | "AveragePool" | "GlobalAveragePool" | "LSTM" | "GRU" | "RNN" | "Attention"
        | "LayerNormalization" => {
            "a model here is a chain of dense layers with activations between them; train such a one"
        }
        "QuantizeLinear" | "DequantizeLinear" | "QLinearMatMul" | "MatMulInteger" | "QGemm" => {
            "its weights are rounded to integers; import the network from before it was quantized"
        }
        _ => {
            "a model here is a chain of dense layers with activations between them and softmax, sigmoid or nothing at the end; \
             export the network without it"
        }
    };
    match &node.domain[..] {
        "" | "ai.onnx" => format!("operator {op} is not supported: {next}"),
        domain => format!("operator {domain}.{op} is not supported: {next}"),
    }
}
