//! The integer form of an integer network: `MatMulInteger`, then sums and products of integers, so that every logit is
//! exactly the flash file's, whatever its input map, activations and task.
//!
//! Requantizing a hidden layer takes 40 bits, hence 64-bit integers between its sums and its outputs.
//!
//! | task | outputs |
//! |---|---|
//! | class | `logits`, and `probabilities` by a softmax; a margin is in the metadata, in units of logits |
//! | labels | `logits`, and `probabilities` by sigmoids; the threshold is in the metadata, in units of logits |
//! | values | `fixed`, and `values` in the units of the data |
//! | reconstruction | `logits`, and `score`: the mean squared error |
//!
//! Raw values go in as `input`, pictures as `pixels`. A value that is not a number, which devices refuse, has no defined code.

use selvedge::format::{LayerView, ModelView, Task, ValueScale};
use serde_json::{Value, json};

use super::builder::{GraphBuilder, integer_attribute};
use super::codes::{cast, document, inputs, longs, row_weights, steps};
use crate::files::onnx::{SCORE, dtype};

/// The graph of a file of integer weights, from raw values to its answers. `names` are those of the inputs, where they are known.
pub fn write(model: &ModelView<'_>, names: &[String]) -> Vec<u8> {
    let header = model.header();
    let mut graph = GraphBuilder::default();
    let fine = header.input_bits() == 14;
    inputs(&mut graph, model, dtype::UINT8);
    for (l, layer) in model.layers().enumerate() {
        let last = l + 1 == header.layers();
        sums(&mut graph, l, &layer, fine && l == 0, if last { "logits" } else { "" });
        match layer.table() {
            _ if last => {}
            None => clamped(&mut graph, l, &layer),
            Some(table) => looked_up(&mut graph, l, &layer, table),
        }
    }
    let mut metadata = answers(&mut graph, model);
    metadata.push(("inputs", json!(names)));
    document(graph, model, metadata)
}

/// The sums of a layer, i32, under that name or `fcN.sum`.
fn sums(graph: &mut GraphBuilder, l: usize, layer: &LayerView<'_>, fine: bool, name: &str) {
    let (i, o, n) = (layer.inputs(), layer.outputs(), l + 1);
    let of = |part: &str| format!("fc{n}.{part}");
    let weights = row_weights(layer);
    let transposed = (0..i * o).map(|at| weights[at % o * i + at / o]).collect();
    graph.constant(&of("weight"), dtype::INT8, &[i, o], transposed);
    let biases = (0..o).flat_map(|r| layer.bias(r).to_le_bytes()).collect();
    graph.constant(&of("bias"), dtype::INT32, &[o], biases);
    graph.node("MatMulInteger", &of("products"), &[&format!("x{l}"), &of("weight")], Vec::new());
    let mut products = of("products");
    if fine {
        // Below 2^23 in magnitude, so that they are positive once 2^24 is added.
        graph.node("MatMulInteger", &of("low"), &["x0.low", &of("weight")], Vec::new());
        cast(graph, &of("low"), &of("low_long"), dtype::INT64);
        let shifted = [("Add", 64 + (1 << 24)), ("Div", 128), ("Sub", 1 << 17)];
        steps(graph, &of("low_long"), &of("shifted"), &shifted);
        cast(graph, &of("shifted"), &of("low_part"), dtype::INT32);
        graph.node("Add", &of("both"), &[&products, &of("low_part")], Vec::new());
        products = of("both");
    }
    let sum = if name.is_empty() { of("sum") } else { name.into() };
    graph.node("Add", &sum, &[&products, &of("bias")], Vec::new());
}

/// The sums times the multipliers, i64, as `fcN.scaled`.
fn scaled(graph: &mut GraphBuilder, l: usize, layer: &LayerView<'_>) {
    let of = |part: &str| format!("fc{}.{part}", l + 1);
    longs(graph, &of("multiplier"), (0..layer.outputs()).map(|r| layer.multiplier(r).into()));
    cast(graph, &of("sum"), &of("long"), dtype::INT64);
    graph.node("Mul", &of("scaled"), &[&of("long"), &of("multiplier")], Vec::new());
}

/// The outputs of a hidden layer whose activation is the clamp.
fn clamped(graph: &mut GraphBuilder, l: usize, layer: &LayerView<'_>) {
    let of = |part: &str| format!("fc{}.{part}", l + 1);
    scaled(graph, l, layer);
    let clamp = [("Max", 0), ("Add", 1 << 23), ("Div", 1 << 24), ("Min", 127)];
    steps(graph, &of("scaled"), &of("clamped"), &clamp);
    cast(graph, &of("clamped"), &format!("x{}", l + 1), dtype::UINT8);
}

/// The outputs of a hidden layer whose activation is a table: 128 steps are added, so that the first has position 0.
fn looked_up(graph: &mut GraphBuilder, l: usize, layer: &LayerView<'_>, table: &[u8; 256]) {
    let of = |part: &str| format!("fc{}.{part}", l + 1);
    scaled(graph, l, layer);
    let position = [("Add", (128 << 24) + (1 << 23)), ("Max", 0), ("Div", 1 << 24), ("Min", 255)];
    steps(graph, &of("scaled"), &of("position"), &position);
    graph.constant(&of("table"), dtype::UINT8, &[256], table.to_vec());
    let axis = vec![integer_attribute("axis", 0)];
    graph.node("Gather", &format!("x{}", l + 1), &[&of("table"), &of("position")], axis);
}

/// The outputs of the graph; what the metadata say of the task.
fn answers(graph: &mut GraphBuilder, model: &ModelView<'_>) -> Vec<(&'static str, Value)> {
    let header = model.header();
    let (task, outputs) = (header.task(), header.outputs());
    let mut metadata = Vec::new();
    if matches!(task, Task::Class | Task::Labels) {
        cast(graph, "logits", "real", dtype::FLOAT);
        graph.floats("unit", &[], &[model.scale(header.layers())]);
        graph.node("Mul", "scaled", &["real", "unit"], Vec::new());
        if task == Task::Class {
            graph.node("Softmax", "probabilities", &["scaled"], vec![integer_attribute("axis", 1)]);
            metadata.extend((header.margin_bits() != 0).then(|| ("margin", json!(header.margin_bits()))));
        } else {
            graph.node("Sigmoid", "probabilities", &["scaled"], Vec::new());
            metadata.push(("threshold", json!(header.label_threshold_bits() as i32)));
        }
        graph.output("logits", dtype::INT32, outputs);
        graph.output("probabilities", dtype::FLOAT, outputs);
    } else if task == Task::Values {
        values(graph, model);
    } else {
        score(graph, model);
        metadata.extend(header.score_threshold().map(|sum| {
            // As the graph computes a score of that sum.
            ("threshold", json!(sum as f32 * header.score_unit()))
        }));
    }
    if header.input_map().is_affine() || task != Task::Class {
        metadata.push(("task", json!(task.name())));
    }
    metadata
}

fn values(graph: &mut GraphBuilder, model: &ModelView<'_>) {
    let outputs = model.header().outputs();
    let scales = (0..outputs).map(|output| match model.value_scale(output) {
        ValueScale::Integer { add, scale } => (add, scale),
        ValueScale::Float { scale, .. } => (0, scale),
    });
    let (adds, units): (Vec<i32>, Vec<f32>) = scales.unzip();
    graph.constant("add", dtype::INT32, &[outputs], adds.iter().flat_map(|a| a.to_le_bytes()).collect());
    graph.floats("unit", &[outputs], &units);
    graph.node("Add", "fixed", &["logits", "add"], Vec::new());
    cast(graph, "fixed", "real", dtype::FLOAT);
    graph.node("Mul", "values", &["real", "unit"], Vec::new());
    graph.output("fixed", dtype::INT32, outputs);
    graph.output("values", dtype::FLOAT, outputs);
}

/// The squared errors of a reconstruction; an error is below 2^25 in magnitude.
fn score(graph: &mut GraphBuilder, model: &ModelView<'_>) {
    let (header, outputs) = (model.header(), model.header().outputs());
    let scales = || (0..outputs).map(|output| model.error_scale(output));
    longs(graph, "add", scales().map(|scale| scale.add.into()));
    longs(graph, "worth", scales().map(|scale| scale.mul.into()));
    if !header.input_map().is_affine() {
        cast(graph, "x0", "code", dtype::INT64);
    }
    graph.node("Mul", "worths", &["code", "worth"], Vec::new());
    steps(graph, "worths", "truth", &[("Add", 128), ("Div", 256)]);
    cast(graph, "logits", "logits_long", dtype::INT64);
    graph.node("Add", "raised", &["logits_long", "add"], Vec::new());
    graph.node("Sub", "error", &["raised", "truth"], Vec::new());
    let shift = header.score_shift();
    let half = (1_i64 << shift) >> 1;
    let rounded = [
        ("Add", half + (1 << (25 + shift))),
        ("Div", 1 << shift),
        ("Sub", 1 << 25),
        ("Max", -32767),
        ("Min", 32767),
    ];
    steps(graph, "error", "difference", &rounded);
    graph.node("Mul", "squared", &["difference", "difference"], Vec::new());
    // From set 13 on the axes are an input.
    graph.constant("axes", dtype::INT64, &[1], 1_i64.to_le_bytes().to_vec());
    graph.node("ReduceSum", "sum", &["squared", "axes"], vec![integer_attribute("keepdims", 1)]);
    cast(graph, "sum", "real", dtype::FLOAT);
    graph.floats("unit", &[], &[header.score_unit()]);
    graph.node("Mul", SCORE, &["real", "unit"], Vec::new());
    graph.output("logits", dtype::INT32, outputs);
    graph.output(SCORE, dtype::FLOAT, 1);
}
