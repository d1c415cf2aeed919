//! What both graphs of integers share: operators on 64-bit integers, the way from raw values to the inputs of the first
//! layer, and the file around the graph.
//!
//! No dividend is negative, so ONNX's division, which truncates, is the shift; sums that may be are raised by a multiple of
//! the divisor before.

use selvedge::format::{InputMap, InputType, LayerView, ModelView};
use selvedge::naive::integer::{largest_code, map_shift};
use serde_json::{Value, json};

use super::builder::{GraphBuilder, integer_attribute};
use crate::files::onnx::dtype;

/// A scalar of 64 bits with the name of its value.
fn long(graph: &mut GraphBuilder, value: i64) -> String {
    let name = format!("long_{value}");
    graph.scalar(&name, value);
    name
}

/// A constant of 64-bit integers, one for each feature or output.
pub(super) fn longs(graph: &mut GraphBuilder, name: &str, values: impl ExactSizeIterator<Item = i64>) {
    let count = values.len();
    graph.constant(name, dtype::INT64, &[count], values.flat_map(i64::to_le_bytes).collect());
}

/// Applies operators with 64-bit scalars one after the other; the last result is called `to`.
pub(super) fn steps(graph: &mut GraphBuilder, from: &str, to: &str, operators: &[(&str, i64)]) {
    let mut value = from.to_string();
    for (n, &(operator, scalar)) in operators.iter().enumerate() {
        let with = long(graph, scalar);
        let result = if n + 1 == operators.len() { to.into() } else { format!("{to}.{n}") };
        graph.node(operator, &result, &[&value, &with], Vec::new());
        value = result;
    }
}

/// Converts a value to another type.
pub(super) fn cast(graph: &mut GraphBuilder, from: &str, to: &str, elem_type: i32) {
    graph.node("Cast", to, &[from], vec![integer_attribute("to", elem_type.into())]);
}

/// Turns raw values into the first layer's inputs `x0`, 0..=127 of a type; of 14 bits, into the two digits `x0` and `x0.low`.
/// Where there is an affine map, the codes are `code`, i64.
pub(super) fn inputs(graph: &mut GraphBuilder, model: &ModelView<'_>, elem_type: i32) {
    if model.header().input_map().is_affine() {
        codes(graph, model);
        digits(graph, model.header().input_bits() == 14, elem_type);
    } else {
        look_up(graph, model, elem_type);
    }
}

fn codes(graph: &mut GraphBuilder, model: &ModelView<'_>) {
    let header = model.header();
    let count = if header.input_map() == InputMap::Affine { 1 } else { header.inputs() };
    let bits = header.input_bits();
    if header.input_type() == InputType::F32 {
        let maps = || (0..count).map(|feature| model.float_map(feature));
        graph.floats("offset", &[count], &maps().map(|(offset, _)| offset).collect::<Vec<_>>());
        graph.floats("scale", &[count], &maps().map(|(_, scale)| scale).collect::<Vec<_>>());
        graph.floats("least", &[], &[0.0]);
        graph.floats("most", &[], &[2.0 * f32::from(largest_code(bits))]);
        graph.node("Sub", "centred", &["input", "offset"], Vec::new());
        graph.node("Mul", "halves", &["centred", "scale"], Vec::new());
        graph.node("Clip", "bounded", &["halves", "least", "most"], Vec::new());
        cast(graph, "bounded", "whole", dtype::INT64);
        steps(graph, "whole", "code", &[("Add", 1), ("Div", 2)]);
        return;
    }
    let maps = || (0..count).map(|feature| model.integer_map(feature));
    longs(graph, "lowest", maps().map(|(lo, ..)| lo.into()));
    longs(graph, "span", maps().map(|(_, span, _)| span.into()));
    longs(graph, "factor", maps().map(|(.., m)| m.into()));
    cast(graph, "input", "long", dtype::INT64);
    graph.node("Sub", "from_lowest", &["long", "lowest"], Vec::new());
    steps(graph, "from_lowest", "not_below", &[("Max", 0)]);
    graph.node("Min", "within", &["not_below", "span"], Vec::new());
    graph.node("Mul", "scaled_code", &["within", "factor"], Vec::new());
    let shift = map_shift(bits);
    steps(graph, "scaled_code", "code", &[("Add", 1 << (shift - 1)), ("Div", 1 << shift)]);
}

fn digits(graph: &mut GraphBuilder, fine: bool, elem_type: i32) {
    if !fine {
        return cast(graph, "code", "x0", elem_type);
    }
    steps(graph, "code", "high", &[("Div", 128)]);
    steps(graph, "high", "high_part", &[("Mul", 128)]);
    graph.node("Sub", "low", &["code", "high_part"], Vec::new());
    cast(graph, "high", "x0", elem_type);
    cast(graph, "low", "x0.low", elem_type);
}

fn look_up(graph: &mut GraphBuilder, model: &ModelView<'_>, elem_type: i32) {
    let halved = || std::array::from_fn(|p| (p >> 1) as u8);
    let table = model.table().copied().unwrap_or_else(halved);
    graph.constant("table", elem_type, &[256], table.to_vec());
    graph.node("Cast", "position", &["pixels"], vec![integer_attribute("to", dtype::INT32.into())]);
    graph.node("Gather", "x0", &["table", "position"], vec![integer_attribute("axis", 0)]);
}

/// The weights `(o, i)` row-major, as bytes.
pub(in crate::export) fn row_weights(layer: &LayerView<'_>) -> Vec<u8> {
    let row = |r| (0..layer.inputs()).map(move |c| layer.weight(r, c) as u8);
    (0..layer.outputs()).flat_map(row).collect()
}

/// The file around a graph that takes `pixels`, or raw values as `input`.
pub(super) fn document(
    graph: GraphBuilder,
    model: &ModelView<'_>,
    mut metadata: Vec<(&'static str, Value)>,
) -> Vec<u8> {
    let header = model.header();
    let (name, what) = match header.input_map().is_affine() {
        false => ("pixels", "bytes".into()),
        true => ("input", format!("raw values of {}", header.input_type().name())),
    };
    let of = match header.input_type() {
        InputType::I16 => dtype::INT16,
        InputType::U16 => dtype::UINT16,
        InputType::F32 => dtype::FLOAT,
        _ => dtype::UINT8,
    };
    let doc = format!("{header}, {} weights; {name} is a row of {what}", header.dtype().name());
    let labels: Vec<String> = model.labels().map(String::from).collect();
    metadata.insert(0, ("classes", json!(labels)));
    metadata
        .extend(header.window().map(|(rows, stride)| ("window", json!({"rows": rows, "stride": stride}))));
    graph.finish((name, of, header.inputs()), doc, &metadata)
}
