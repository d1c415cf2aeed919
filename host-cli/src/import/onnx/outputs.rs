//! Both ends of a graph: a lookup table of bytes at the input, and the classifier after the logits at the output.
//!
//! Probabilities, classes and their names follow from the logits, so operators after a softmax add no step. The class names
//! of a scikit-learn classifier become the model's. Its labels follow from sigmoids, `Binarizer` at a half, and its exporter
//! joins the probabilities that none applies with those that each does.

use selvedge::Activation;

use super::super::Clause;
use super::super::dense::Affine;
use super::node::{called, expect};
use super::operators::expect_class_axis;
use super::symbolic::{Op, Row, Trace, Value, is_ml};
use super::tensor::{Array, Data};
use crate::files::onnx::{Graph, Model, Node, Tensor, dtype};

/// The result of an operator at one of the ends; `None` if it is another operator.
pub(super) fn apply(trace: &mut Trace, node: &Node, inputs: &[Option<&Value>]) -> Clause<Option<Value>> {
    use Value::{Bytes, Constant, Label, Row as Of, Scores};
    let [first, second] = [0, 1].map(|n| inputs.get(n).copied().flatten());
    let op = if is_ml(node) { ["ml.", &node.op_type].concat() } else { node.op_type.clone() };
    Ok(Some(match (&op[..], first, second) {
        ("Softmax" | "LogSoftmax", Some(Of(row)), None) => {
            expect_class_axis(node, row, if trace.opset < 13 { 1 } else { -1 })?;
            Scores(row.at)
        }
        ("Log", Some(&Scores(at)), None) => Scores(at),
        ("ArgMax", Some(value @ (Of(_) | Scores(_))), None) => {
            expect(node, "select_last_index", node.integer("select_last_index", 0), 0)?;
            match value {
                Of(row) => expect_class_axis(node, row, 0)?,
                _ => match node.integer("axis", 0) {
                    1 | -1 => {}
                    other => expect(node, "axis", other, 1)?,
                },
            }
            let (Of(Row { at, .. }) | Scores(at)) = value else { return Ok(None) };
            Label(*at)
        }
        ("ml.ZipMap", Some(&Scores(at)), None) => {
            zip_map(trace, node);
            Scores(at)
        }
        ("ml.Binarizer", Some(Of(row)), None)
            if is_sigmoid(trace, row) && node.float("threshold", 0.0) == 0.5 =>
        {
            Of(Row { is_integer: true, ..row.clone() })
        }
        // Its keys are 0 and 1, whatever the labels.
        ("ml.ZipMap", Some(Of(row)), None) if is_sigmoid(trace, row) => Of(row.clone()),
        ("ml.ArrayFeatureExtractor" | "Gather", Some(Constant(names)), Some(&Label(at))) => {
            gathered_names(trace, names);
            Label(at)
        }
        ("Concat", Some(Of(no)), Some(Of(yes))) if inputs.len() == 2 => {
            return two_of_one(trace, node, no, yes);
        }
        ("Round", Some(Of(row)), None) if is_bytes(trace, row) => Bytes(row.clone()),
        ("Cast", Some(Bytes(row)), None) => {
            let to = node.integer("to", 0);
            let integer = [dtype::INT32, dtype::INT64].map(i64::from).contains(&to);
            return if integer { Ok(Some(Bytes(row.clone()))) } else { Ok(None) };
        }
        ("Gather", Some(Constant(table)), Some(Bytes(row))) => Of(look_up(trace, node, table, row)?),
        ("Gather", Some(Constant(table)), Some(Of(row))) if row.is_integer && row.at == 0 => {
            Of(look_up(trace, node, table, row)?)
        }
        ("Identity" | "Cast" | "Dropout", Some(value @ (Scores(_) | Label(_))), None) => value.clone(),
        ("Reshape" | "Squeeze" | "Unsqueeze" | "Flatten", Some(&Label(at)), None | Some(Constant(_))) => {
            Label(at)
        }
        _ => return Ok(None),
    }))
}

/// The probabilities of two classes, which scikit-learn computes from one sigmoid. They equal the softmax of 0 and the
/// sigmoid's logit.
fn two_of_one(trace: &mut Trace, node: &Node, no: &Row, yes: &Row) -> Clause<Option<Value>> {
    let complement = &trace.steps[no.at];
    if !matches!(complement.op, Op::Complement) || complement.from != yes.at || !is_sigmoid(trace, yes) {
        return Ok(None);
    }
    expect_class_axis(node, yes, 1)?;
    if yes.dims.as_deref() != Some(&[1]) {
        // Of several labels they follow from the probabilities that each applies.
        return Ok(Some(Value::Row(yes.clone())));
    }
    let logit = Row { at: trace.steps[yes.at].from, ..yes.clone() };
    let both = trace.step(node, &logit, Op::TwoOfOne);
    Ok(Some(Value::Scores(both.at)))
}

fn is_sigmoid(trace: &Trace, row: &Row) -> bool {
    matches!(trace.steps[row.at].op, Op::Activate(Activation::Sigmoid))
}

/// Whether a node of scikit-learn's exporter joins the outputs of all rows in one column, as it does in front of the outputs of a
/// regression, whose targets it takes for one: the row in front of it is what the network answers.
pub(super) fn joins_targets(model: &Model, graph: &Graph, node: &Node) -> bool {
    let column = |t: &Tensor| {
        t.dims == [2] && t.int64_data.is_empty() && t.raw_data == COLUMN || t.int64_data == [-1, 1]
    };
    let shape = node.input.get(1).and_then(|name| graph.initializer.iter().find(|t| t.name == *name));
    model.producer_name == "skl2onnx"
        && node.op_type == "Reshape"
        && node.output.iter().any(|name| graph.output.iter().any(|output| output.name == *name))
        && shape.is_some_and(column)
}

/// The shape `[-1, 1]`, little-endian.
const COLUMN: [u8; 16] = [255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0];

/// Whether a row is 255 times the input, whose elements are bytes over 255.
fn is_bytes(trace: &Trace, row: &Row) -> bool {
    let step = &trace.steps[row.at];
    let times = |factor: f64| Affine { factor: vec![factor], shift: vec![0.0] };
    row.at != 0 && step.from == 0 && matches!(&step.op, Op::Affine(a) if *a == times(255.0))
}

/// The input mapped through a table of 256 values.
fn look_up(trace: &mut Trace, node: &Node, table: &Array, row: &Row) -> Clause<Row> {
    expect(node, "axis", node.integer("axis", 0), 0)?;
    if table.dims != [256] {
        return Err(format!(
            "{}: {} has shape {:?}, and a table of pixels has 256 values",
            called(node),
            table.name,
            table.dims
        ));
    }
    if !matches!(table.data, Data::Float(_)) {
        return Err(format!(
            "{}: the graph is one of integers, whose weights are rounded; import the network from before it was quantized",
            called(node)
        ));
    }
    table.floats(node)?;
    let input = Row { at: 0, is_integer: false, ..row.clone() };
    Ok(trace.step(node, &input, Op::Lookup(table.clone())))
}

/// Takes the class names of a `ZipMap`.
fn zip_map(trace: &mut Trace, node: &Node) {
    let texts = node.attribute("classlabels_strings").map(|a| &a.strings[..]).unwrap_or_default();
    let numbers = node.attribute("classlabels_int64s").map(|a| &a.ints[..]).unwrap_or_default();
    let texts = texts.iter().map(|t| String::from_utf8_lossy(t).into_owned());
    let names: Vec<String> = texts.chain(numbers.iter().map(i64::to_string)).collect();
    set_classes(trace, names);
}

/// Takes the class names of an array from which a class's name is gathered.
fn gathered_names(trace: &mut Trace, names: &Array) {
    let names = match &names.data {
        Data::Text(names) => names.to_vec(),
        Data::Integer(numbers) => numbers.iter().flatten().map(i64::to_string).collect(),
        Data::Float(numbers) => numbers.iter().map(f64::to_string).collect(),
    };
    set_classes(trace, names);
}

/// Sets the class names, unless they are the classes' numbers.
fn set_classes(trace: &mut Trace, names: Vec<String>) {
    let numbers = names.iter().enumerate().all(|(n, name)| *name == n.to_string());
    if !numbers {
        trace.classes = names;
    }
}
