//! ONNX: a graph that is one chain of dense layers, however its exporter wrote it.
//!
//! Three passes: decode the [messages](crate::files::onnx); take the operators that the outputs need and either evaluate
//! each on constants ([`constant_folding`]) or follow it as a step of the chain ([`symbolic`]); make dense [`layers`] of the
//! steps. Operators are taken in the file's order, as the format demands, so a cycle shows as a value that is used before
//! it is computed. Any other graph is refused by the name of its operator: a network that is nearly the same is another
//! network.

mod activations;
mod arithmetic;
mod constant_folding;
mod initializer;
mod layers;
mod node;
mod operators;
mod outputs;
mod reshape;
mod symbolic;
mod tensor;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message;
use selvedge::Activation;

use super::dense::Affine;
use super::task::Ending;
use super::{Clause, Dense, InputKind};
use crate::data::Task;
use crate::files::onnx::{Graph, Model, SCORE, Tensor, ValueInfo, dtype};
use initializer::{array, constant};
use node::called;
use symbolic::unsupported;

/// What the importer of TensorFlow Lite shares.
pub(super) use self::{
    activations::{leaky_relu, product, refusal},
    arithmetic::{affine, broadcast},
    constant_folding::FoldingLimit,
    layers::{Chain, of as layers_of},
    symbolic::{Op, Row, Trace, Value, Weights, unsupported as unsupported_operator},
    tensor::{Array, Data, elements},
};

/// The network in a graph.
#[derive(Debug, Default, PartialEq)]
pub(super) struct GraphNetwork {
    /// Its layers in order.
    pub layers: Vec<Dense>,
    /// The activations of its hidden layers.
    pub activations: Vec<Activation>,
    /// What follows its last layer.
    pub ending: Ending,
    /// The names of the outputs; empty if the graph has none.
    pub classes: Vec<String>,
    /// Rows and columns of the images, if the input has these dimensions.
    pub image: Option<(usize, usize)>,
    /// The table that pixels go through first.
    pub table: Option<[u8; 256]>,
    /// The standardisation of the columns of a table, which is not folded into the first layer.
    pub standardise: Option<Affine>,
    /// What our own exporter wrote beside the graph.
    pub said: Said,
    /// Whether the graph defines the normalisation of its inputs.
    pub defines_inputs: bool,
    /// Whether its input is of integers: pixels of 0 to 255.
    pub has_integer_input: bool,
    /// Assumptions about what the graph leaves open.
    pub notes: Vec<String>,
}

/// The metadata of our own exporter.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// What the network answers.
    pub task: Option<Task>,
    /// The names of its inputs, where these are columns of a table.
    pub inputs: Vec<String>,
    /// The score above which a reconstruction is an anomaly.
    pub threshold: Option<f32>,
    /// What its logits are divided by before the softmax.
    pub temperature: Option<f32>,
}

/// Reads the network of a file, which answers `task` unless it says another. Tensors that it keeps in other files are looked for in `folder`.
///
/// # Errors
/// One clause without the file's name.
pub(super) fn read(
    bytes: &[u8],
    folder: Option<&Path>,
    inputs: Option<InputKind>,
    task: Option<Task>,
) -> Clause<GraphNetwork> {
    let mut model = Model::decode(bytes).map_err(|e| format!("a damaged ONNX file: {e}"))?;
    let said = said(&model)?;
    let mut graph =
        model.graph.take().filter(|g| !g.node.is_empty()).ok_or("an ONNX file without operators")?;
    // The score and probabilities at a temperature follow from the outputs that are kept.
    let (scored, tempered) = (said.task == Some(Task::Reconstruct), said.temperature.is_some());
    let follows = |name: &str| scored && name == SCORE || tempered && name == "probabilities";
    graph.output.retain(|output| !follows(&output.name));
    for at in 0..graph.node.len() {
        if outputs::joins_targets(&model, &graph, &graph.node[at]) {
            graph.node[at].op_type = "Identity".into();
            graph.node[at].input.truncate(1);
        }
    }
    let graph = &graph;
    let inputs = match said {
        Said { ref inputs, .. } if !inputs.is_empty() => Some(InputKind::Table),
        Said { task: Some(_), .. } => Some(InputKind::Unit),
        _ => inputs,
    };
    let reconstructs = said.task.or(task) == Some(Task::Reconstruct);
    let (input, row) = input(graph)?;
    let version =
        model.opset_import.iter().find(|o| matches!(&o.domain[..], "" | "ai.onnx")).map(|o| o.version);
    let limit = FoldingLimit(16 * bytes.len() as u64 + (1 << 24));
    let mut trace = Trace::new(limit, version.unwrap_or(17));
    let has_integer_input = row.is_integer;
    let image = image(&row);
    let values = run(graph, (input, row), folder, &mut trace)?;
    let (at, ending) = logits_step(graph, &values, &trace.steps)?;
    let chain = layers::of(&mut trace, at, has_integer_input, inputs, reconstructs)?;
    let classes = own(&model, "classes")?.unwrap_or(trace.classes);
    let mut classes: Vec<String> = classes;
    let mut notes = trace.notes;
    let nameless = |name: &String| name.trim().is_empty() || name.chars().any(char::is_control);
    if classes.iter().any(nameless) {
        notes.push(
            "some of its class names are empty or hold line breaks: none was taken, name them with --classes"
                .into(),
        );
        classes.clear();
    }
    if is_double(graph) {
        notes.push("its weights are of 64 bits (DOUBLE) and were rounded to f32".into());
    }
    let image = image.filter(|(rows, cols)| rows.checked_mul(*cols) == Some(chain.layers[0].dims[1]));
    let Chain { layers, activations, table, standardise, defines_inputs } = chain;
    let image = image.filter(|_| inputs != Some(InputKind::Table));
    Ok(GraphNetwork {
        layers,
        activations,
        ending,
        classes,
        image,
        table,
        standardise,
        said,
        defines_inputs,
        has_integer_input,
        notes,
    })
}

/// The value under a key of the metadata that our own exporter wrote.
fn own<T: serde::de::DeserializeOwned>(model: &Model, key: &str) -> Clause<Option<T>> {
    let entry = model.metadata_props.iter().find(|e| e.key == key);
    let entry = entry.filter(|_| model.producer_name == "selvedge");
    let read = |value: &str| serde_json::from_str(value).map_err(|e| format!("its {key} are damaged: {e}"));
    entry.map(|entry| read(&entry.value)).transpose()
}

fn said(model: &Model) -> Clause<Said> {
    Ok(Said {
        task: own(model, "task")?,
        inputs: own(model, "inputs")?.unwrap_or_default(),
        threshold: own(model, "threshold")?,
        temperature: own(model, "temperature")?.filter(|t: &f32| t.is_finite() && *t > 0.0),
    })
}

fn is_double(graph: &Graph) -> bool {
    let held = graph.node.iter().flat_map(|n| &n.attribute).filter_map(|a| a.t.as_ref());
    graph.initializer.iter().chain(held).any(|t| t.data_type == dtype::DOUBLE && t.dims.len() == 2)
}

/// The name of the one input, and its value.
fn input(graph: &Graph) -> Clause<(&str, Row)> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| &t.name[..]).collect();
    let inputs: Vec<&ValueInfo> = graph.input.iter().filter(|v| !constants.contains(&v.name[..])).collect();
    let [input] = inputs[..] else {
        let hint = match inputs.iter().any(|input| input.name.contains("normalization")) {
            true => {
                "; Keras leaves the mean of a Normalization layer out of its ONNX files: import the TensorFlow Lite file"
            }
            false => "",
        };
        return Err(format!("its graph has {} inputs, expected 1{hint}", inputs.len()));
    };
    let tensor = input.kind.as_ref().and_then(|k| k.tensor.as_ref());
    let is_integer = match tensor.map_or(dtype::FLOAT, |t| t.elem_type) {
        0 | dtype::FLOAT | dtype::DOUBLE | dtype::FLOAT16 | dtype::BFLOAT16 => false,
        dtype::UINT8 | dtype::UINT16 | dtype::INT16 | dtype::INT32 | dtype::INT64 => true,
        other => {
            return Err(format!(
                "its input {} is {}, expected FLOAT or UINT8",
                input.name,
                dtype::name(other)
            ));
        }
    };
    let mut row = Row { at: 0, batch: None, dims: None, is_integer };
    if let Some(shape) = tensor.and_then(|t| t.shape.as_ref()) {
        let Some((batch, rest)) = shape.dim.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return Err(format!(
                "its input {} has {} dimensions, expected a batch of rows or of images",
                input.name,
                shape.dim.len()
            ));
        };
        row.batch = batch.value;
        row.dims = rest.iter().map(|d| usize::try_from(d.value?).ok().filter(|&d| d > 0)).collect();
    }
    if let Some(channels) = row.dims.as_deref().and_then(colour_channels) {
        return Err(format!(
            "its input {} is images of {channels} channels: colour is not read yet; train it on grey images",
            input.name
        ));
    }
    Ok((&input.name, row))
}

/// The channels of images that are not grey: three or four, in front of rows and columns or after them.
pub(super) fn colour_channels(dims: &[usize]) -> Option<usize> {
    let is_colour =
        |channels: usize, rows: usize, cols: usize| (3..=4).contains(&channels) && rows > 4 && cols > 4;
    match *dims {
        [channels, rows, cols] if is_colour(channels, rows, cols) => Some(channels),
        [rows, cols, channels] if is_colour(channels, rows, cols) => Some(channels),
        _ => None,
    }
}

/// Rows and columns of images of one channel.
pub(super) fn image(row: &Row) -> Option<(usize, usize)> {
    match row.dims.as_deref()? {
        &[rows, cols] | &[1, rows, cols] | &[rows, cols, 1] if rows > 1 && cols > 1 => Some((rows, cols)),
        _ => None,
    }
}

/// Evaluates the operators that the outputs need, and returns all values by name.
fn run<'a>(
    graph: &'a Graph,
    (input, row): (&'a str, Row),
    folder: Option<&Path>,
    trace: &mut Trace,
) -> Clause<HashMap<&'a str, Value>> {
    let mut needed: HashSet<&str> = graph.output.iter().map(|v| &v.name[..]).collect();
    let mut live = Vec::new();
    for (index, node) in graph.node.iter().enumerate().rev() {
        if node.output.iter().any(|name| needed.contains(&name[..])) {
            needed.extend(node.input.iter().map(|name| &name[..]).filter(|n| !n.is_empty()));
            live.push((index, node));
        }
    }
    let tensors: HashMap<&str, &Tensor> = graph.initializer.iter().map(|t| (&t.name[..], t)).collect();
    let mut values = HashMap::from([(input, Value::Row(row))]);
    for (index, node) in live.into_iter().rev() {
        let placed = |why: String| format!("node {index}: {why}");
        if !matches!(&node.domain[..], "" | "ai.onnx" | "ai.onnx.ml") {
            return Err(placed(unsupported(node)));
        }
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            if !values.contains_key(&name[..]) {
                let missing =
                    || format!("{}: {name} is neither a constant nor computed in front of it", called(node));
                let tensor = tensors.get(&name[..]).ok_or_else(missing)?;
                values.insert(&tensor.name, Value::Constant(array(tensor, folder)?));
            }
        }
        let first = if node.op_type == "Constant" && node.domain.is_empty() {
            Value::Constant(constant(node, folder)?)
        } else {
            let inputs: Vec<Option<&Value>> = node.input.iter().map(|name| values.get(&name[..])).collect();
            trace.apply(node, &inputs).map_err(placed)?
        };
        let firsts = [first].into_iter().chain(std::iter::repeat(Value::Nothing));
        for (name, value) in node.output.iter().zip(firsts).filter(|(name, _)| !name.is_empty()) {
            if values.insert(name, value).is_some() {
                return Err(format!("{}: {name} is computed twice", called(node)));
            }
        }
    }
    Ok(values)
}

/// The step that computes the logits from which all outputs are computed, and what follows it.
fn logits_step(
    graph: &Graph,
    values: &HashMap<&str, Value>,
    steps: &[symbolic::Step],
) -> Clause<(usize, Ending)> {
    let mut found: Option<(usize, Ending)> = None;
    for output in &graph.output {
        let (at, ending) = match values.get(&output.name[..]) {
            Some(Value::Row(row)) => match &steps[row.at] {
                step if matches!(step.op, Op::Activate(Activation::Sigmoid)) => (step.from, Ending::Sigmoid),
                _ => (row.at, Ending::Linear),
            },
            Some(&(Value::Scores(at) | Value::Label(at))) => (at, Ending::Softmax),
            Some(_) => return Err(format!("its output {} is no layer's", output.name)),
            None => return Err(format!("its output {} is not computed", output.name)),
        };
        let other = || format!("its output {} is not the last layer's; export the logits alone", output.name);
        found = match found {
            None => Some((at, ending)),
            Some((before, _)) if before != at => return Err(other()),
            Some((_, Ending::Softmax)) if ending == Ending::Sigmoid => return Err(other()),
            Some((_, Ending::Sigmoid)) if ending == Ending::Softmax => return Err(other()),
            Some((_, before)) => Some((at, before.max(ending))),
        };
    }
    found.ok_or_else(|| "its graph has no output".into())
}
