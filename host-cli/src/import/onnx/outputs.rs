//! The two ends of a graph: a table of bytes at the input, and at the output what is made of logits.
//!
//! Probabilities, classes and their names follow from the logits, so that operators after a softmax add no step. The names
//! that a classifier of scikit-learn ends with become the model's.

use super::super::Clause;
use super::super::affine::Affine;
use super::array::{Array, Data};
use super::proto::{Node, dtype};
use super::read::{called, expect};
use super::row::of_classes;
use super::trace::{Op, Row, Trace, Value, is_ml};

/// The value after an operator of an end; `None` where it is of none.
pub(super) fn apply(trace: &mut Trace, node: &Node, inputs: &[Option<&Value>]) -> Clause<Option<Value>> {
    use Value::{Bytes, Constant, Label, Row as Of, Scores};
    let [first, second] = [0, 1].map(|n| inputs.get(n).copied().flatten());
    let op = if is_ml(node) { ["ml.", &node.op_type].concat() } else { node.op_type.clone() };
    Ok(Some(match (&op[..], first, second) {
        ("Softmax" | "LogSoftmax", Some(Of(row)), None) => {
            of_classes(node, row, if trace.opset < 13 { 1 } else { -1 })?;
            Scores(row.at)
        }
        ("Log", Some(&Scores(at)), None) => Scores(at),
        ("ArgMax", Some(value @ (Of(_) | Scores(_))), None) => {
            expect(node, "select_last_index", node.integer("select_last_index", 0), 0)?;
            match value {
                Of(row) => of_classes(node, row, 0)?,
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
        ("ml.ArrayFeatureExtractor" | "Gather", Some(Constant(names)), Some(&Label(at))) => {
            named(trace, names);
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
        ("Gather", Some(Constant(table)), Some(Of(row))) if row.whole && row.at == 0 => {
            Of(look_up(trace, node, table, row)?)
        }
        ("Identity" | "Cast" | "Dropout", Some(value @ (Scores(_) | Label(_))), None) => value.clone(),
        ("Reshape" | "Squeeze" | "Unsqueeze" | "Flatten", Some(&Label(at)), None | Some(Constant(_))) => {
            Label(at)
        }
        _ => return Ok(None),
    }))
}

/// The probability of the one class and, after it, of the other, as scikit-learn makes two of one sigmoid. A softmax of 0
/// and the sigmoid's logit is the same.
fn two_of_one(trace: &mut Trace, node: &Node, no: &Row, yes: &Row) -> Clause<Option<Value>> {
    let complement = &trace.steps[no.at];
    let sigmoid = matches!(&trace.steps[yes.at].op, Op::Activation(a) if a == "Sigmoid");
    if !matches!(complement.op, Op::Complement) || complement.from != yes.at || !sigmoid {
        return Ok(None);
    }
    of_classes(node, yes, 1)?;
    if yes.dims.as_deref() != Some(&[1]) {
        return Err(format!("{} joins more than two probabilities", called(node)));
    }
    let logit = Row { at: trace.steps[yes.at].from, ..yes.clone() };
    let both = trace.step(node, &logit, Op::TwoOfOne);
    Ok(Some(Value::Scores(both.at)))
}

/// Whether a row is 255 times the input, whose elements are bytes over 255.
fn is_bytes(trace: &Trace, row: &Row) -> bool {
    let step = &trace.steps[row.at];
    let times = |factor: f64| Affine { factor: vec![factor], shift: vec![0.0] };
    row.at != 0 && step.from == 0 && matches!(&step.op, Op::Affine(a) if *a == times(255.0))
}

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
    let input = Row { at: 0, whole: false, ..row.clone() };
    Ok(trace.step(node, &input, Op::Lookup(table.clone())))
}

/// The names in a `ZipMap`.
fn zip_map(trace: &mut Trace, node: &Node) {
    let texts = node.attribute("classlabels_strings").map(|a| &a.strings[..]).unwrap_or_default();
    let numbers = node.attribute("classlabels_int64s").map(|a| &a.ints[..]).unwrap_or_default();
    let texts = texts.iter().map(|t| String::from_utf8_lossy(t).into_owned());
    let names: Vec<String> = texts.chain(numbers.iter().map(i64::to_string)).collect();
    take(trace, names);
}

/// The names in an array that a class is looked up in.
fn named(trace: &mut Trace, names: &Array) {
    let names = match &names.data {
        Data::Text(names) => names.to_vec(),
        Data::Integer(numbers) => numbers.iter().flatten().map(i64::to_string).collect(),
        Data::Float(numbers) => numbers.iter().map(f64::to_string).collect(),
    };
    take(trace, names);
}

/// Classes that are called by their numbers need no names.
fn take(trace: &mut Trace, names: Vec<String>) {
    let numbers = names.iter().enumerate().all(|(n, name)| *name == n.to_string());
    if !numbers {
        trace.classes = names;
    }
}
