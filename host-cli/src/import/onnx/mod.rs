//! Reading a graph that is one chain of dense layers, however its exporter wrote it.
//!
//! Three passes: the messages ([`proto`](super::proto)); the operators that the outputs need, each carried out on constants
//! or followed as a step of the chain ([`trace`](super::trace)); and the layers that the steps make
//! ([`layers`](super::layers)). Operators are taken in the file's order, as the format demands, so that a cycle is a value
//! used before it is there. What is no such chain is refused by the operator's name, since a network that is nearly the same is
//! another network.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message;

use super::super::{Clause, Dense, Inputs};
use super::constant::Budget;
use super::layers;
use super::proto::{Attribute, Graph, Model, Node, Tensor, ValueInfo, dtype};
use super::trace::{Row, Trace, Value, unsupported};
use super::values::array;

/// What a graph holds.
#[derive(Debug, Default, PartialEq)]
pub struct Read {
    /// Its layers in order.
    pub layers: Vec<Dense>,
    /// The names of the classes; none where it has none.
    pub classes: Vec<String>,
    /// Rows and columns of the images, where the input has them.
    pub image: Option<(usize, usize)>,
    /// What pixels become first.
    pub table: Option<[u8; 256]>,
    /// Whether the graph itself says how its inputs come of pixels.
    pub says_inputs: bool,
    /// Whether its input is of integers, which are pixels as they are.
    pub whole: bool,
    /// What it was taken to mean.
    pub notes: Vec<String>,
}

/// The dense layers of a file; tensors that it keeps in other files are looked for in `folder`.
///
/// # Errors
/// One clause without the file's name.
pub fn read(bytes: &[u8], folder: Option<&Path>, inputs: Option<Inputs>) -> Clause<Read> {
    let model = Model::decode(bytes).map_err(|e| format!("a damaged ONNX file: {e}"))?;
    let graph =
        model.graph.as_ref().filter(|g| !g.node.is_empty()).ok_or("an ONNX file without operators")?;
    let (input, row) = input(graph)?;
    let version =
        model.opset_import.iter().find(|o| matches!(&o.domain[..], "" | "ai.onnx")).map(|o| o.version);
    let mut trace = Trace {
        steps: vec![layers::input()],
        budget: Budget(16 * bytes.len() as u64 + (1 << 24)),
        opset: version.unwrap_or(17),
        classes: Vec::new(),
        notes: Vec::new(),
    };
    let whole = row.whole;
    let image = image(&row);
    let values = follow(graph, (input, row), folder, &mut trace)?;
    let at = end(graph, &values)?;
    let chain = layers::of(&mut trace, at, whole, inputs)?;
    let mut classes = trace.classes;
    if let Some(own) =
        model.metadata_props.iter().find(|e| e.key == "classes").filter(|_| model.producer_name == "selvedge")
    {
        classes =
            serde_json::from_str(&own.value).map_err(|e| format!("its class names are damaged: {e}"))?;
    }
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
    let layers::Chain { layers, table, says_inputs } = chain;
    Ok(Read { layers, classes, image, table, says_inputs, whole, notes })
}

fn is_double(graph: &Graph) -> bool {
    let held = graph.node.iter().flat_map(|n| &n.attribute).filter_map(|a| a.t.as_ref());
    graph.initializer.iter().chain(held).any(|t| t.data_type == dtype::DOUBLE && t.dims.len() == 2)
}

/// The one input, and the row of an image that it is.
fn input(graph: &Graph) -> Clause<(&str, Row)> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| &t.name[..]).collect();
    let inputs: Vec<&ValueInfo> = graph.input.iter().filter(|v| !constants.contains(&v.name[..])).collect();
    let [input] = inputs[..] else {
        return Err(format!("its graph has {} inputs, expected 1", inputs.len()));
    };
    let tensor = input.kind.as_ref().and_then(|k| k.tensor.as_ref());
    let whole = match tensor.map_or(dtype::FLOAT, |t| t.elem_type) {
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
    let mut row = Row { at: 0, batch: None, dims: None, whole };
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
    if let Some(channels) = row.dims.as_deref().and_then(colours) {
        return Err(format!(
            "its input {} is images of {channels} channels: colour is not read yet; train it on grey images",
            input.name
        ));
    }
    Ok((&input.name, row))
}

/// The channels of images that are not grey: three or four, in front of rows and columns or after them.
fn colours(dims: &[usize]) -> Option<usize> {
    let is_colour =
        |channels: usize, rows: usize, cols: usize| (3..=4).contains(&channels) && rows > 4 && cols > 4;
    match *dims {
        [channels, rows, cols] if is_colour(channels, rows, cols) => Some(channels),
        [rows, cols, channels] if is_colour(channels, rows, cols) => Some(channels),
        _ => None,
    }
}

/// Rows and columns of images of one channel.
fn image(row: &Row) -> Option<(usize, usize)> {
    match row.dims.as_deref()? {
        &[rows, cols] | &[1, rows, cols] | &[rows, cols, 1] if rows > 1 && cols > 1 => Some((rows, cols)),
        _ => None,
    }
}

/// The values that the outputs need.
fn follow<'a>(
    graph: &'a Graph,
    (input, row): (&'a str, Row),
    folder: Option<&Path>,
    trace: &mut Trace,
) -> Clause<HashMap<&'a str, Value>> {
    let mut needed: HashSet<&str> = graph.output.iter().map(|v| &v.name[..]).collect();
    let mut live = Vec::new();
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|name| needed.contains(&name[..])) {
            needed.extend(node.input.iter().map(|name| &name[..]).filter(|n| !n.is_empty()));
            live.push(node);
        }
    }
    let tensors: HashMap<&str, &Tensor> = graph.initializer.iter().map(|t| (&t.name[..], t)).collect();
    let mut values = HashMap::from([(input, Value::Row(row))]);
    for node in live.into_iter().rev() {
        if !matches!(&node.domain[..], "" | "ai.onnx" | "ai.onnx.ml") {
            return Err(unsupported(node));
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
            trace.apply(node, &inputs)?
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

/// The value of a `Constant`.
fn constant(node: &Node, folder: Option<&Path>) -> Clause<super::array::Array> {
    let name = node.output.first().cloned().unwrap_or_default();
    let vector =
        |data_type, dims: Vec<i64>| Tensor { name: name.clone(), data_type, dims, ..Tensor::default() };
    let one = |a: &Attribute| a.ints.len().max(a.floats.len()) as i64;
    let tensor = match node.attribute.first() {
        Some(Attribute { name: kind, t: Some(tensor), .. }) if kind == "value" => {
            Tensor { name: name.clone(), ..tensor.clone() }
        }
        Some(a) if a.name == "value_float" => {
            Tensor { float_data: vec![a.f], ..vector(dtype::FLOAT, vec![]) }
        }
        Some(a) if a.name == "value_int" => Tensor { int64_data: vec![a.i], ..vector(dtype::INT64, vec![]) },
        Some(a) if a.name == "value_floats" => {
            Tensor { float_data: a.floats.clone(), ..vector(dtype::FLOAT, vec![one(a)]) }
        }
        Some(a) if a.name == "value_ints" => {
            Tensor { int64_data: a.ints.clone(), ..vector(dtype::INT64, vec![one(a)]) }
        }
        _ => return Err(format!("{}: a Constant without a tensor", called(node))),
    };
    array(&tensor, folder)
}

/// The step that makes the logits which all outputs are made of.
fn end(graph: &Graph, values: &HashMap<&str, Value>) -> Clause<usize> {
    let mut found = None;
    for output in &graph.output {
        let at = match values.get(&output.name[..]) {
            Some(Value::Row(row)) => row.at,
            Some(&(Value::Scores(at) | Value::Label(at))) => at,
            Some(_) => return Err(format!("its output {} is none of a classifier", output.name)),
            None => return Err(format!("its output {} is not computed", output.name)),
        };
        if found.is_some_and(|before| before != at) {
            return Err(format!(
                "its output {} is not the last layer's; export the logits alone",
                output.name
            ));
        }
        found = Some(at);
    }
    found.ok_or_else(|| "its graph has no output".into())
}

impl Node {
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|a| a.name == name)
    }
    pub(super) fn integer(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }
    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }
}

/// The operator, with its name where it has one.
pub(super) fn called(node: &Node) -> String {
    if node.name.is_empty() { node.op_type.clone() } else { format!("{} {}", node.op_type, node.name) }
}

pub(super) fn expect<T: PartialEq + std::fmt::Display>(
    node: &Node,
    name: &str,
    found: T,
    expected: T,
) -> Clause<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{} has {name} {found}, expected {expected}", called(node)))
}
