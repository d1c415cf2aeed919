//! TensorFlow Lite: a graph that is one chain of dense layers, of floats or of 8-bit integers, as its converters write it.
//!
//! The operators that the output needs are taken in the file's order and become the steps of the chain that the reader of
//! [ONNX](super::onnx) makes its layers of, so that both formats have one meaning for what scales an input, for an activation
//! and for an ending. A quantized file stands for real numbers, `scale * (q - zero_point)`: its constants are turned into
//! them, and what it rounds in between is left out.

mod input;
mod operators;
mod tensor;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use selvedge::Activation;
use selvedge::shape::MAX_LAYERS;

use super::onnx::{self, Chain, FoldingLimit, GraphNetwork, Op, Row, Trace};
use super::task::Ending;
use super::{Clause, ImportOptions, InputKind};
use crate::data::Task;
use crate::files::tflite::{Table, Tables, VERSION, dtype, field, operator};
use operators::Operator;
use tensor::Tensor;

/// More operators than a chain of the most layers has.
const MAX_OPERATORS: usize = 1000;

/// A value of the graph.
#[derive(Debug, Clone)]
enum Value {
    /// A row for each image, after a step.
    Row(Row),
    /// The constant of a tensor, which an operator may have turned into floats.
    Constant(usize),
    /// Probabilities, or the class with the highest one, of the logits of a step.
    Scores(usize),
    /// Numbers that only say into which shape a row is brought.
    Shape,
}

/// The one subgraph of a file.
struct Graph<'a> {
    codes: Tables<'a>,
    buffers: Tables<'a>,
    tensors: Tables<'a>,
    operators: Tables<'a>,
    input: usize,
    output: usize,
}

/// What is known while operators are followed.
struct State<'a> {
    graph: Graph<'a>,
    values: HashMap<usize, Value>,
    trace: Trace,
    /// The least and the greatest number that the quantized input can have.
    range: Option<[f64; 2]>,
    /// Whether weights are integers.
    has_integer_weights: bool,
    /// Why the last operator that clipped or rounded the input is refused, unless a `QUANTIZE` follows.
    clipped: Option<String>,
}

/// Reads the network of a file, of which `options` say what it leaves open.
///
/// # Errors
/// One clause without the file's name.
pub(super) fn read(bytes: &[u8], options: &ImportOptions) -> Clause<GraphNetwork> {
    let graph = graph(bytes)?;
    let input = graph.tensor(graph.input)?;
    let row = input_row(&input)?;
    let (image, has_integer_input) = (onnx::image(&row), row.is_integer);
    let mut state = State {
        range: input.range()?,
        values: HashMap::from([(graph.input, Value::Row(row))]),
        graph,
        trace: Trace::new(FoldingLimit(0), 0),
        has_integer_weights: false,
        clipped: None,
    };
    state.run()?;
    let (at, ending) = state.logits()?;
    let State { mut trace, range, has_integer_weights, .. } = state;
    let assumed = match (options, range) {
        (ImportOptions { inputs: None, is_normalised: false, .. }, Some(range)) => {
            Some(inputs_of(range, &mut trace.notes)?)
        }
        _ => None,
    };
    let inputs = options.inputs.or(assumed);
    let reconstructs = options.task == Some(Task::Reconstruct);
    let chain = onnx::layers_of(&mut trace, at, has_integer_input, inputs, reconstructs)?;
    let Chain { layers, activations, table, standardise, defines_inputs } = chain;
    if has_integer_weights {
        trace.notes.push(
            "its weights are integers, which were taken for the numbers that they stand for: the model computes with these in \
             floats, without the rounding between the layers of the file"
                .into(),
        );
    }
    let width = layers[0].dims[1];
    let image = image.filter(|(rows, cols)| rows.checked_mul(*cols) == Some(width));
    Ok(GraphNetwork {
        layers,
        activations,
        ending,
        image: image.filter(|_| inputs != Some(InputKind::Table)),
        table,
        standardise,
        defines_inputs: defines_inputs || assumed.is_some(),
        has_integer_input,
        notes: trace.notes,
        ..GraphNetwork::default()
    })
}

/// The graph of a file, if it has one with one input and one output.
fn graph(bytes: &[u8]) -> Clause<Graph<'_>> {
    let model = Table::root(bytes)?;
    let version = model.number(field::MODEL_VERSION)?.map_or(0, u32::from_le_bytes);
    if version != VERSION {
        return Err(format!(
            "a TensorFlow Lite file of schema version {version}, expected {VERSION}; convert the model again"
        ));
    }
    let graphs = model.tables(field::MODEL_SUBGRAPHS)?;
    let (1, Some(graph)) = (graphs.len(), graphs.get(0)?) else {
        return Err(format!("it has {} subgraphs, expected 1", graphs.len()));
    };
    let tensors = graph.tables(field::GRAPH_TENSORS)?;
    let only = |number: u16, what: &str| match *graph.vector(number)? {
        [index] => index_of(i32::from_le_bytes(index), &tensors),
        ref several => Err(format!("its graph has {} {what}s, expected 1", several.len())),
    };
    let operators = graph.tables(field::GRAPH_OPERATORS)?;
    match operators.len() {
        0 => return Err("a TensorFlow Lite file without operators".into()),
        1..=MAX_OPERATORS => {}
        many => {
            return Err(format!(
                "its graph has {many} operators, and a model here is a chain of 1 to {MAX_LAYERS} dense layers"
            ));
        }
    }
    Ok(Graph {
        input: only(field::GRAPH_INPUTS, "input")?,
        output: only(field::GRAPH_OUTPUTS, "output")?,
        codes: model.tables(field::MODEL_OPERATOR_CODES)?,
        buffers: model.tables(field::MODEL_BUFFERS)?,
        tensors,
        operators,
    })
}

/// A tensor's index, which is one of the graph's.
fn index_of(index: i32, tensors: &Tables<'_>) -> Clause<usize> {
    let inside = usize::try_from(index).ok().filter(|&index| index < tensors.len());
    inside.ok_or_else(|| format!("it names tensor {index} of {}", tensors.len()))
}

impl<'a> Graph<'a> {
    fn tensor(&self, index: usize) -> Clause<Tensor<'a>> {
        let table = self.tensors.get(index)?.ok_or_else(|| format!("it has no tensor {index}"))?;
        Tensor::read(table, &self.buffers)
    }

    fn operator(&self, number: usize) -> Clause<Operator<'a>> {
        let table = self.operators.get(number)?.ok_or_else(|| format!("it has no operator {number}"))?;
        Operator::read(number, table, &self.codes, &self.tensors)
    }
}

/// The value of the input, whose first dimension is the batch.
fn input_row(input: &Tensor<'_>) -> Clause<Row> {
    let name = &input.name;
    let is_integer = match input.kind {
        dtype::FLOAT32 | dtype::FLOAT16 => false,
        dtype::INT8 | dtype::INT16 | dtype::UINT8 if input.is_quantized() => false,
        dtype::UINT8 | dtype::INT32 | dtype::INT64 => true,
        other => return Err(format!("its input {name} is {}, expected FLOAT32 or INT8", dtype::name(other))),
    };
    let (batch, dims) = input.rows()?;
    if let Some(channels) = onnx::colour_channels(&dims) {
        return Err(format!(
            "its input {name} is images of {channels} channels: colour is not read yet; train it on grey images"
        ));
    }
    Ok(Row { at: 0, batch: Some(batch), dims: Some(dims), is_integer })
}

impl State<'_> {
    /// Follows the operators that the output needs.
    fn run(&mut self) -> Clause<()> {
        let count = self.graph.operators.len();
        let mut needed = HashSet::from([self.graph.output]);
        let mut live = Vec::new();
        for number in (0..count).rev() {
            let operator = self.graph.operator(number)?;
            if operator.outputs.iter().any(|output| needed.contains(output)) {
                needed.extend(operator.inputs.iter().flatten());
                live.push(operator);
            }
        }
        let layers = live.iter().filter(|o| o.code == operator::FULLY_CONNECTED).count();
        if layers > MAX_LAYERS {
            return Err(format!("it has {layers} dense layers, and a network here has 1 to {MAX_LAYERS}"));
        }
        for operator in live.into_iter().rev() {
            let &[output] = &operator.outputs[..] else {
                return Err(operator.unsupported());
            };
            let value = self.apply(&operator, output)?;
            if self.values.insert(output, value).is_some() {
                return Err(format!("{}: its result is computed twice", operator.called()));
            }
        }
        Ok(())
    }

    /// The step that computes the logits, and what follows it.
    fn logits(&self) -> Clause<(usize, Ending)> {
        match self.values.get(&self.graph.output) {
            Some(Value::Row(row)) => Ok(match self.trace.steps.get(row.at) {
                Some(step) if matches!(step.op, Op::Activate(Activation::Sigmoid)) => {
                    (step.from, Ending::Sigmoid)
                }
                _ => (row.at, Ending::Linear),
            }),
            Some(&Value::Scores(at)) => Ok((at, Ending::Softmax)),
            _ => Err(format!("its output {} is no layer's", self.graph.tensor(self.graph.output)?.name)),
        }
    }
}

/// What the inputs of a file are whose first tensor holds numbers of a range. It was seen on the data of the calibration, so
/// pixels may not reach its ends.
fn inputs_of([low, high]: [f64; 2], notes: &mut Vec<String>) -> Clause<InputKind> {
    let (kind, takes, other) = if low > -0.02 && (0.5..1.1).contains(&high) {
        (InputKind::Unit, "pixels of 0 to 1", "`--inputs table` that they are columns of a table")
    } else if low > -4.0 && (128.0..270.0).contains(&high) {
        (InputKind::Byte, "pixels of 0 to 255", "`--inputs table` that they are columns of a table")
    } else {
        return Err(format!(
            "its input is quantized for numbers of {low:.4} to {high:.4}, which are neither pixels of 0 to 1 nor of 0 to 255; \
             say with `--inputs table` that they are columns of a table, or with `--mean` and `--std` how pixels of 0 to 1 were \
             normalised"
        ));
    };
    notes.push(format!(
        "its input is quantized for numbers of {low:.4} to {high:.4}, so that it was taken to expect {takes}; say with {other}"
    ));
    Ok(kind)
}
