//! The QDQ form of an integer network: `Gemm` and activations on real numbers, between pairs of `QuantizeLinear` and
//! `DequantizeLinear`, which runtimes fuse into integer kernels.
//!
//! Inputs and activations are i8 with zero point 0, and never negative: saturation at 127 after a `Relu` is the clamp of the
//! flash file's arithmetic, and what is worth nothing is part of the next layer's biases, as in the file. An output's scale
//! follows from its multiplier, so both round the same quotient; but a runtime computes it in f32 and rounds half to even, so
//! about one activation in a hundred thousand differs by one unit. No choice of scales avoids that: a sum times its multiplier
//! takes 40 bits, and an f32 holds 24. [`integer`](super::integer) computes them as integers, for runtimes that need not be
//! fast.
//!
//! Raw values become codes by operators on integers, exactly; a code of 14 bits is two inputs of a `Gemm` each, whose sums
//! are added as the file says. Sums in front of an activation other than ReLU are quantized to the 256 steps of its table, in the unit that
//! [`sum_step`](super::sum_step) finds; where it finds none, the table itself is in the graph.
//!
//! | task | outputs |
//! |---|---|
//! | class | `logits`, real, and `probabilities` by a softmax; a margin is in the metadata, in the same unit |
//! | labels | `logits`, real, and `probabilities` by sigmoids; the threshold is in the metadata, in the unit of the logits |
//! | values | `values` in the units of the data |
//! | reconstruction | `logits`, real, and `score`: the mean squared error |

use selvedge::format::{LayerView, ModelView, Task, ValueScale};
use serde_json::{Value, json};

use super::builder::{GraphBuilder, integer_attribute};
use super::codes::{cast, document, inputs, row_weights};
use super::float::activate;
use super::sum_step::LookUp;
use crate::files::onnx::{SCORE, dtype};

/// The graph of a file of integer weights, from raw values to real answers. `names` are those of the inputs, where they are known.
pub fn write(model: &ModelView<'_>, names: &[String]) -> Vec<u8> {
    let shape = model.header();
    let mut graph = GraphBuilder::default();
    inputs(&mut graph, model, dtype::INT8);
    graph.constant("zero", dtype::INT8, &[], vec![0]);
    let fine = shape.input_bits() == 14;
    for (l, layer) in model.layers().enumerate() {
        let n = l + 1;
        let last = n == shape.layers();
        let look_up = layer.table().filter(|_| !last).map(|table| LookUp {
            activation: shape.activation(l),
            table,
            scale: model.scale(n),
        });
        // Without a unit, sums are numbers of steps.
        let step = look_up.map(|look_up| look_up.sum_unit());
        let output_unit = step.map_or(model.scale(n), |unit| unit.unwrap_or(1.0));
        // The real value of one unit of an output's sum.
        let unit = |output: usize| match last {
            true => f64::from(model.scale(n)),
            false => f64::from(layer.multiplier(output)) / f64::from(1 << 24) * f64::from(output_unit),
        };
        let units: Vec<f64> = (0..layer.outputs()).map(unit).collect();
        let sum = if last { "logits".into() } else { format!("fc{n}") };
        sums(&mut graph, (l, &layer), (model.scale(l), &units), fine && l == 0, &sum);
        match look_up.zip(step) {
            _ if last => {}
            None => clamped(&mut graph, n, &sum),
            Some((look_up, Some(unit))) => activated(&mut graph, n, &look_up, unit, &sum),
            Some((look_up, None)) => looked_up(&mut graph, n, &look_up, &sum),
        }
    }
    let mut metadata = answers(&mut graph, model);
    metadata.push(("inputs", json!(names)));
    document(graph, model, metadata)
}

/// The real sums of layer `l` under that name. `input` is what one unit of its inputs is worth, `units` what one of each sum is.
fn sums(
    graph: &mut GraphBuilder,
    (l, layer): (usize, &LayerView<'_>),
    (input, units): (f32, &[f64]),
    fine: bool,
    name: &str,
) {
    let (i, o) = (layer.inputs(), layer.outputs());
    let of = |part: &str| format!("fc{}.{part}", l + 1);
    let biases = (0..o).flat_map(|r| layer.bias(r).to_le_bytes()).collect();
    let bias_units: Vec<f32> = units.iter().map(|&unit| unit as f32).collect();
    let steps: Vec<f32> = units.iter().map(|unit| (unit / f64::from(input)) as f32).collect();
    graph.constant(&of("weight"), dtype::INT8, &[o, i], row_weights(layer));
    graph.floats(&of("weight_scale"), &[o], &steps);
    graph.constant(&of("weight_zero"), dtype::INT8, &[o], vec![0; o]);
    graph.constant(&of("bias"), dtype::INT32, &[o], biases);
    graph.floats(&of("bias_scale"), &[o], &bias_units);
    graph.constant(&of("bias_zero"), dtype::INT32, &[o], vec![0; 4 * o]);
    for part in ["weight", "bias"] {
        let inputs = [of(part), of(&format!("{part}_scale")), of(&format!("{part}_zero"))];
        let axis = vec![integer_attribute("axis", 0)];
        graph.node(
            "DequantizeLinear",
            &of(&format!("{part}_real")),
            &inputs.each_ref().map(|s| &s[..]),
            axis,
        );
    }
    let transposed = || vec![integer_attribute("transB", 1)];
    let x = dequantized(graph, &format!("x{l}"), input);
    let gemm = [&x[..], &of("weight_real"), &of("bias_real")];
    if !fine {
        return graph.node("Gemm", name, &gemm, transposed());
    }
    graph.node("Gemm", &of("high"), &gemm, transposed());
    // The low digits add whole units of a sum, so that their sums are counted in units first.
    let low = dequantized(graph, "x0.low", 1.0 / 128.0);
    graph.floats(&of("weight_one"), &[o], &vec![1.0; o]);
    let inputs = [of("weight"), of("weight_one"), of("weight_zero")];
    let axis = vec![integer_attribute("axis", 0)];
    graph.node("DequantizeLinear", &of("weight_units"), &inputs.each_ref().map(|s| &s[..]), axis);
    graph.node("Gemm", &of("low"), &[&low, &of("weight_units")], transposed());
    graph.floats("half", &[], &[0.5]);
    graph.node("Add", &of("low_raised"), &[&of("low"), "half"], Vec::new());
    graph.node("Floor", &of("low_whole"), &[&of("low_raised")], Vec::new());
    graph.node("Mul", &of("low_real"), &[&of("low_whole"), &of("bias_scale")], Vec::new());
    graph.node("Add", name, &[&of("high"), &of("low_real")], Vec::new());
}

/// The real values of integers, of which one unit is worth `unit`; their name.
fn dequantized(graph: &mut GraphBuilder, from: &str, unit: f32) -> String {
    let (scale, real) = (format!("{from}_scale"), format!("{from}_real"));
    graph.floats(&scale, &[], &[unit]);
    graph.node("DequantizeLinear", &real, &[from, &scale, "zero"], Vec::new());
    real
}

/// Quantizes real numbers, negative ones to 0, to the inputs `xN` of the next layer, which defines their scale.
fn clamped(graph: &mut GraphBuilder, n: usize, from: &str) {
    let relu = format!("relu{n}");
    graph.node("Relu", &relu, &[from], Vec::new());
    graph.node("QuantizeLinear", &format!("x{n}"), &[&relu, &format!("x{n}_scale"), "zero"], Vec::new());
}

/// The outputs of a hidden layer whose activation is computed, of sums that are rounded to steps of `unit`.
fn activated(graph: &mut GraphBuilder, n: usize, look_up: &LookUp<'_>, unit: f32, from: &str) {
    let steps = format!("steps{n}");
    graph.node("QuantizeLinear", &steps, &[from, &format!("{steps}_scale"), "zero"], Vec::new());
    let real = dequantized(graph, &steps, unit);
    let active = activate(graph, look_up.activation, &real, n);
    let (offset, raised) = (format!("offset{n}"), format!("raised{n}"));
    graph.floats(&offset, &[], &[look_up.offset() as f32]);
    graph.node("Sub", &raised, &[&active, &offset], Vec::new());
    clamped(graph, n, &raised);
}

/// The outputs of a hidden layer by its table, of sums that are numbers of steps.
fn looked_up(graph: &mut GraphBuilder, n: usize, look_up: &LookUp<'_>, from: &str) {
    let [one, steps, position] = ["one", "steps", "position"].map(|part| format!("{part}{n}"));
    let [middle, table] = ["middle", "table"].map(|part| format!("{part}{n}"));
    graph.floats(&one, &[], &[1.0]);
    graph.node("QuantizeLinear", &steps, &[from, &one, "zero"], Vec::new());
    cast(graph, &steps, &format!("{steps}_wide"), dtype::INT32);
    graph.constant(&middle, dtype::INT32, &[], 128_i32.to_le_bytes().to_vec());
    graph.node("Add", &position, &[&format!("{steps}_wide"), &middle], Vec::new());
    graph.constant(&table, dtype::INT8, &[256], look_up.table.to_vec());
    let axis = vec![integer_attribute("axis", 0)];
    graph.node("Gather", &format!("x{n}"), &[&table, &position], axis);
}

/// The outputs of the graph; what the metadata say of the task.
fn answers(graph: &mut GraphBuilder, model: &ModelView<'_>) -> Vec<(&'static str, Value)> {
    let header = model.header();
    let (task, outputs, unit) = (header.task(), header.outputs(), model.scale(header.layers()));
    let mut metadata = Vec::new();
    match task {
        Task::Labels => {
            graph.node("Sigmoid", "probabilities", &["logits"], Vec::new());
            let threshold = header.label_threshold_bits() as i32;
            metadata.push(("threshold", json!(threshold as f32 * unit)));
        }
        Task::Values => values(graph, model),
        Task::Reconstruction => {
            score(graph, model);
            let threshold = header.score_threshold();
            metadata.extend(threshold.map(|sum| ("threshold", json!(sum as f32 * header.score_unit()))));
        }
        _ => {
            graph.node("Softmax", "probabilities", &["logits"], vec![integer_attribute("axis", 1)]);
            let margin = header.margin_bits();
            metadata.extend((margin != 0).then(|| ("margin", json!(margin as f32 * unit))));
        }
    }
    let names: &[(&str, usize)] = match task {
        Task::Values => &[("values", outputs)],
        Task::Reconstruction => &[("logits", outputs), (SCORE, 1)],
        _ => &[("logits", outputs), ("probabilities", outputs)],
    };
    for &(name, width) in names {
        graph.output(name, dtype::FLOAT, width);
    }
    if !header.is_plain() || task != Task::Class {
        metadata.push(("task", json!(task.name())));
    }
    metadata
}

/// The numbers in the units of the data.
fn values(graph: &mut GraphBuilder, model: &ModelView<'_>) {
    let (outputs, unit) = (model.header().outputs(), f64::from(model.scale(model.header().layers())));
    let of = |output| match model.value_scale(output) {
        ValueScale::Integer { add, scale } => (f64::from(scale) / unit, f64::from(add) * f64::from(scale)),
        ValueScale::Float { scale, offset } => (scale.into(), offset.into()),
    };
    let (factors, shifts): (Vec<f32>, Vec<f32>) =
        (0..outputs).map(of).map(|(factor, shift)| (factor as f32, shift as f32)).unzip();
    graph.floats("factor_of_values", &[outputs], &factors);
    graph.floats("mean_of_values", &[outputs], &shifts);
    graph.node("Mul", "deviations", &["logits", "factor_of_values"], Vec::new());
    graph.node("Add", "values", &["deviations", "mean_of_values"], Vec::new());
}

/// The mean squared error of a reconstruction, without the rounding of each error.
fn score(graph: &mut GraphBuilder, model: &ModelView<'_>) {
    let (header, outputs) = (model.header(), model.header().outputs());
    // What one unit of an error, that of the logits, is worth.
    let unit = model.scale(header.layers());
    let scales = || (0..outputs).map(|output| model.error_scale(output));
    let worth = |mul: u32| (f64::from(mul) / 256.0 * f64::from(unit)) as f32;
    graph.floats("worth", &[outputs], &scales().map(|scale| worth(scale.mul)).collect::<Vec<_>>());
    graph.floats("add", &[outputs], &scales().map(|scale| scale.add as f32 * unit).collect::<Vec<_>>());
    let code = if header.input_map().is_affine() { "code" } else { "x0" };
    cast(graph, code, "code_real", dtype::FLOAT);
    graph.node("Mul", "truth", &["code_real", "worth"], Vec::new());
    graph.node("Add", "raised", &["logits", "add"], Vec::new());
    graph.node("Sub", "error", &["raised", "truth"], Vec::new());
    let most = 32767.0 * 2_f32.powi(header.score_shift() as i32) * unit;
    graph.floats("least_error", &[], &[-most]);
    graph.floats("most_error", &[], &[most]);
    graph.node("Clip", "difference", &["error", "least_error", "most_error"], Vec::new());
    graph.node("Mul", "squared", &["difference", "difference"], Vec::new());
    // From set 13 on the axes are an input.
    graph.constant("axes", dtype::INT64, &[1], 1_i64.to_le_bytes().to_vec());
    graph.node("ReduceSum", "sum", &["squared", "axes"], vec![integer_attribute("keepdims", 1)]);
    // The unit of a score is that of a squared error over the number of outputs, up to its rounding.
    let step = f64::from(unit) * 2_f64.powi(header.score_shift() as i32);
    graph.floats("unit", &[], &[(f64::from(header.score_unit()) / (step * step)) as f32]);
    graph.node("Mul", SCORE, &["sum", "unit"], Vec::new());
}
