//! The graph of a network of floats, whatever its activations, its task and its inputs.
//!
//! It takes what the data hold and answers in the data's units: pixels divided by 255, or the numbers of a row, which it
//! standardises itself. That is done by operators in front of the first layer, not by its weights, since a column far from 0
//! would lose digits. The metadata name the inputs, the outputs and the task.
//!
//! | task | outputs |
//! |---|---|
//! | classify | `logits`, and `probabilities` by a softmax of the logits over the temperature |
//! | multilabel | `logits`, and `probabilities` by sigmoids |
//! | regress | `values` in the targets' units |
//! | reconstruct | `reconstruction` in the inputs' units, and `score`: the mean squared error in standardised units |

use selvedge::kernel::transpose;
use selvedge::{Activation, Shape};
use serde_json::json;

use super::builder::{GraphBuilder, float_attribute, integer_attribute, integers_attribute};
use crate::data::Task;
use crate::error::Result;
use crate::files::onnx::{SCORE, dtype};
use crate::memory::Floats;
use crate::model::Model;
use crate::model::fold::{self, Folded};

/// The graph, or why there is none.
type Graph = std::result::Result<Vec<u8>, String>;

/// The graph of a model.
pub(super) fn of_model(model: &Model) -> Result<Graph> {
    let about = &model.about;
    if about.schema.is_none() && about.task.is_default() && about.temperature.is_none() {
        return Ok(of_folded(&fold::fold_pixels(model)?, &about.classes));
    }
    let mut graph = GraphBuilder::default();
    let table = about.normalisation.table().filter(|_| about.schema.is_none());
    let input = table.map_or_else(|| "input".into(), |table| look_up(&mut graph, &table));
    // The mean and the scale of pixels are those of bytes, but the graph takes bytes over 255.
    let unit = if about.schema.is_some() { 1.0 } else { 255.0 };
    let (mean, scale) = about.normalisation.mean_and_scale();
    let scale: Vec<f32> = scale.iter().map(|s| s * unit).collect();
    let mut standardised = input.clone();
    if !mean.is_empty() {
        let mean: Vec<f32> = mean.iter().map(|m| m / unit).collect();
        graph.floats("mean", &[mean.len()], &mean);
        graph.floats("scale", &[scale.len()], &scale);
        graph.node("Sub", "centred", &[&input, "mean"], Vec::new());
        graph.node("Mul", "standardised", &["centred", "scale"], Vec::new());
        standardised = "standardised".into();
    }
    Ok(finish(graph, model, &standardised, &scale))
}

/// The graph of a classifier of pixels, as a device runs it.
pub(super) fn of_folded(network: &Folded, classes: &[String]) -> Graph {
    let mut graph = GraphBuilder::default();
    let shape = network.shape;
    let value = network.table.as_ref().map_or_else(|| "input".into(), |table| look_up(&mut graph, table));
    layers(&mut graph, shape, &network.params, &value, "logits")?;
    graph.node("Softmax", "probabilities", &["logits"], vec![integer_attribute("axis", 1)]);
    graph.output("logits", dtype::FLOAT, shape.outputs());
    graph.output("probabilities", dtype::FLOAT, shape.outputs());
    let doc = format!("{shape}; input is {PIXELS}");
    Ok(graph.finish(("input", dtype::FLOAT, shape.inputs()), doc, &[("classes", json!(classes))]))
}

/// What the input of a network of pictures is.
pub(in crate::export) const PIXELS: &str = "a row of pixels, each divided by 255";

/// The file: layers and outputs after what is in `graph` already, which ends with the value `from`. Where it standardises
/// the input, it does so by the constant `mean` and by `scale`.
fn finish(mut graph: GraphBuilder, model: &Model, from: &str, scale: &[f32]) -> Graph {
    let (shape, about, task) = (model.shape, &model.about, model.about.task);
    let o = shape.outputs();
    let linear = match task {
        Task::Classify | Task::Multilabel => "logits",
        Task::Regress => "values",
        Task::Reconstruct => "outputs",
    };
    let units = about.target_scale.as_ref().filter(|_| task == Task::Regress);
    let params = match units {
        Some(units) => &rescaled(shape, &model.params, units.deviations(), units.means())?,
        None => &model.params,
    };
    layers(&mut graph, shape, params, from, linear)?;
    match task {
        Task::Classify => {
            let from = match about.temperature {
                Some(temperature) => {
                    graph.floats("temperature", &[1], &[temperature]);
                    graph.node("Div", "tempered", &["logits", "temperature"], Vec::new());
                    "tempered"
                }
                None => "logits",
            };
            graph.node("Softmax", "probabilities", &[from], vec![integer_attribute("axis", 1)]);
        }
        Task::Multilabel => graph.node("Sigmoid", "probabilities", &["logits"], Vec::new()),
        Task::Regress => {}
        Task::Reconstruct => score(&mut graph, from, scale),
    }
    let outputs: &[(&str, usize)] = match task {
        Task::Classify | Task::Multilabel => &[("logits", o), ("probabilities", o)],
        Task::Regress => &[("values", o)],
        Task::Reconstruct => &[("reconstruction", o), (SCORE, 1)],
    };
    for &(name, width) in outputs {
        graph.output(name, dtype::FLOAT, width);
    }
    let mut metadata = vec![("classes", json!(about.classes)), ("task", json!(task.name()))];
    let mut doc = format!("{shape}, {}; input is ", task.name());
    if let Some(schema) = &about.schema {
        let names = schema.input_names();
        doc.push_str(&format!("a row of numbers as they are in the table: {}", names.join(", ")));
        metadata.push(("inputs", json!(names)));
    } else {
        doc.push_str(PIXELS);
    }
    if !about.classes.is_empty() {
        doc.push_str(&format!("; outputs are {}", about.classes.join(", ")));
    }
    if let Some(temperature) = about.temperature.filter(|_| task == Task::Classify) {
        metadata.push(("temperature", json!(temperature)));
    }
    if let Some(threshold) = about.threshold.filter(|_| task == Task::Reconstruct) {
        metadata.push(("threshold", json!(threshold)));
    }
    Ok(graph.finish(("input", dtype::FLOAT, shape.inputs()), doc, &metadata))
}

/// An autoencoder's outputs in the units of its inputs, and the mean squared error before that.
fn score(graph: &mut GraphBuilder, from: &str, scale: &[f32]) {
    graph.node("Sub", "error", &[from, "outputs"], Vec::new());
    graph.node("Mul", "squared", &["error", "error"], Vec::new());
    let mean = vec![integers_attribute("axes", &[1]), integer_attribute("keepdims", 1)];
    graph.node("ReduceMean", SCORE, &["squared"], mean);
    if scale.is_empty() {
        graph.node("Identity", "reconstruction", &["outputs"], Vec::new());
        return;
    }
    // A constant column has the scale 0, and its mean is all that it can be.
    let deviations: Vec<f32> = scale.iter().map(|&s| if s == 0.0 { 0.0 } else { 1.0 / s }).collect();
    graph.floats("deviation", &[deviations.len()], &deviations);
    graph.node("Mul", "deviations", &["outputs", "deviation"], Vec::new());
    graph.node("Add", "reconstruction", &["deviations", "mean"], Vec::new());
}

/// The parameters with the outputs multiplied by `factor` and then raised by `shift`.
pub(in crate::export) fn rescaled(
    shape: Shape,
    params: &[f32],
    factor: &[f32],
    shift: &[f32],
) -> std::result::Result<Floats, String> {
    let mut params = Floats::copy_of(params, "a copy of the parameters").map_err(|e| e.message)?;
    let layers = shape.split_mut(&mut params).map_err(|e| e.to_string())?;
    let last = layers.into_iter().last().ok_or("it has no layers")?;
    let o = last.biases.len();
    if factor.len() != o || shift.len() != o {
        return Err(format!("the units of {} outputs, but it has {o}", factor.len()));
    }
    for (n, w) in last.weights.iter_mut().enumerate() {
        *w *= factor[n % o];
    }
    for ((b, f), s) in last.biases.iter_mut().zip(factor).zip(shift) {
        *b = (f64::from(*b) * f64::from(*f) + f64::from(*s)) as f32;
    }
    Ok(params)
}

/// The layers, from the value `from` to the last one's sums, which are called `to`.
fn layers(
    graph: &mut GraphBuilder,
    shape: Shape,
    params: &[f32],
    from: &str,
    to: &str,
) -> std::result::Result<(), String> {
    let layers = shape.split(params).map_err(|e| e.to_string())?;
    let mut value = String::from(from);
    for (n, layer) in layers.iter().enumerate() {
        let (i, o) = (shape.width(n), shape.width(n + 1));
        let mut weights = vec![0.0; i * o];
        transpose(i, o, layer.weights, &mut weights);
        let fc = format!("fc{}", n + 1);
        let (w, b) = (format!("{fc}.weight"), format!("{fc}.bias"));
        graph.floats(&w, &[o, i], &weights);
        graph.floats(&b, &[o], layer.biases);
        let last = n + 1 == layers.len();
        let out = if last { to } else { &fc };
        graph.node("Gemm", out, &[&value, &w, &b], vec![integer_attribute("transB", 1)]);
        if !last {
            value = activate(graph, shape.activation(n), out, n + 1);
        }
    }
    Ok(())
}

/// Applies the activation of hidden layer `n`, counted from 1, to the value `from`; returns the name of the result.
pub(super) fn activate(graph: &mut GraphBuilder, activation: Activation, from: &str, n: usize) -> String {
    let out = format!("{}{n}", activation.name());
    let mut node = |op: &str, attributes| graph.node(op, &out, &[from], attributes);
    match activation {
        Activation::Relu => node("Relu", Vec::new()),
        Activation::Tanh => node("Tanh", Vec::new()),
        Activation::Sigmoid => node("Sigmoid", Vec::new()),
        Activation::LeakyRelu => {
            node("LeakyRelu", vec![float_attribute("alpha", selvedge::activation::LEAKY_RELU_SLOPE)]);
        }
        Activation::Relu6 => {
            let [zero, six] = [format!("{out}.least"), format!("{out}.most")];
            graph.floats(&zero, &[], &[0.0]);
            graph.floats(&six, &[], &[6.0]);
            graph.node("Clip", &out, &[from, &zero, &six], Vec::new());
        }
        Activation::HardSwish => {
            // `HardSwish` is an operator from set 14 on only.
            let gate = format!("{out}.gate");
            let line = vec![float_attribute("alpha", 1.0 / 6.0), float_attribute("beta", 0.5)];
            graph.node("HardSigmoid", &gate, &[from], line);
            graph.node("Mul", &out, &[from, &gate], Vec::new());
        }
        _ => node("Identity", Vec::new()),
    }
    out
}

/// Maps the inputs through the table. They are bytes over 255, so rounding recovers the bytes.
fn look_up(graph: &mut GraphBuilder, table: &[u8; 256]) -> String {
    let values: Vec<f32> = table.iter().map(|&u| f32::from(u) / 255.0).collect();
    graph.floats("table", &[256], &values);
    graph.floats("most", &[], &[255.0]);
    graph.node("Mul", "scaled", &["input", "most"], Vec::new());
    graph.node("Round", "rounded", &["scaled"], Vec::new());
    graph.node("Cast", "position", &["rounded"], vec![integer_attribute("to", dtype::INT32.into())]);
    graph.node("Gather", "pixels", &["table", "position"], vec![integer_attribute("axis", 0)]);
    "pixels".into()
}
