//! `--format tflite`: a TensorFlow Lite file of a network, whatever its activations, its task and its inputs.
//!
//! The graph takes what the data hold and has one output: probabilities (classes, labels), values in the targets' units
//! (regression), or the reconstruction in the inputs' units. The file's description names inputs and outputs, since the format
//! has no place of its own for that.
//!
//! The graph of a network of floats is here: it takes pixels divided by 255, or the numbers of a row, which it standardises
//! itself. ReLU and ReLU6 are fused into the layer in front of them. That of a flash file of integers is in [`integer`].

mod input;
mod integer;
mod layers;

use selvedge::activation::LEAKY_RELU_SLOPE;
use selvedge::kernel::transpose;
use selvedge::{Activation, Shape};

use super::onnx::{PIXELS, rescaled};
use super::{ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile, Parameters};
use crate::data::Task;
use crate::error::Result;
use crate::files::tflite::writer::{Graph, Number, Operator, Tensor};
use crate::files::tflite::{fused, operator};
use crate::model::Model;
use crate::model::fold::{self, Folded};

/// The codes of the tables of options.
mod options {
    pub const FULLY_CONNECTED: u8 = 8;
    pub const SOFTMAX: u8 = 9;
    pub const ADD: u8 = 11;
    pub const MUL: u8 = 21;
    pub const SUB: u8 = 28;
    pub const LEAKY_RELU: u8 = 75;
}

/// A file, or why there is none.
type File = std::result::Result<Vec<u8>, String>;

/// `--format tflite`.
pub(super) struct Tflite;

impl Exporter for Tflite {
    fn info(&self) -> FormatInfo {
        FormatInfo::new(
            "tflite",
            "TensorFlow Lite file: of floats, or of a flash file of integers with its int8 layers",
        )
        .with_options(&[ExportOption::Schema])
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        let bytes = match model {
            ModelFile::Model(model) => of_model(model)?,
            ModelFile::Flash(_) => match model.parameters()? {
                Parameters::Float(folded, classes) => of_folded(&folded, &classes),
                Parameters::Integer(model) => Ok(integer::write(model, &options.input_names())),
            },
        };
        Exported::one(options.out, bytes)
    }
}

/// The file of a classifier of pixels, as a device runs it.
fn of_folded(network: &Folded, classes: &[String]) -> File {
    if network.table.is_some() {
        return Err(TABLE.into());
    }
    let mut chain = Chain::new(network.shape.inputs());
    chain.layers(network.shape, &network.params)?;
    chain.softmax();
    Ok(chain.finish(format!("{}, classify; input is {PIXELS}", network.shape), classes))
}

/// Why a normalisation of bytes is not written.
const TABLE: &str = "its normalisation maps each byte of a picture through a table, for which TensorFlow Lite has no operator \
    on floats; export it with --format onnx";

/// The file of a model.
fn of_model(model: &Model) -> Result<File> {
    let about = &model.about;
    if about.schema.is_none() && about.normalisation.table().is_some() {
        return Ok(Err(TABLE.into()));
    }
    if about.schema.is_none() && about.task.is_default() && about.temperature.is_none() {
        return Ok(of_folded(&fold::fold_pixels(model)?, &about.classes));
    }
    Ok(unfolded(model))
}

/// The same with the standardisation in front of the layers: folded into them, a column far from 0 would lose digits.
fn unfolded(model: &Model) -> File {
    let (shape, about, task) = (model.shape, &model.about, model.about.task);
    let mut chain = Chain::new(shape.inputs());
    // The mean and the scale of pixels are those of bytes, but the graph takes bytes over 255.
    let unit = if about.schema.is_some() { 1.0 } else { 255.0 };
    let (mean, scale) = about.normalisation.mean_and_scale();
    let (mean, scale): (Vec<f32>, Vec<f32>) =
        mean.iter().zip(scale).map(|(m, s)| (m / unit, s * unit)).unzip();
    if !mean.is_empty() {
        chain.constant_operator(operator::SUB, options::SUB, "mean", &mean);
        chain.constant_operator(operator::MUL, options::MUL, "scale", &scale);
    }
    let units = about.target_scale.as_ref().filter(|_| task == Task::Regress);
    match units {
        Some(units) => {
            chain.layers(shape, &rescaled(shape, &model.params, units.deviations(), units.means())?)?;
        }
        None => chain.layers(shape, &model.params)?,
    }
    match task {
        Task::Classify => {
            if let Some(temperature) = about.temperature {
                chain.constant_operator(
                    operator::MUL,
                    options::MUL,
                    "inverse_temperature",
                    &[1.0 / temperature],
                );
            }
            chain.softmax();
        }
        Task::Multilabel => chain.operator(operator::LOGISTIC, "probabilities", &[], None),
        Task::Reconstruct if !mean.is_empty() => {
            // A constant column has the scale 0, and its mean is all that it can be.
            let deviations: Vec<f32> = scale.iter().map(|&s| if s == 0.0 { 0.0 } else { 1.0 / s }).collect();
            chain.constant_operator(operator::MUL, options::MUL, "deviation", &deviations);
            chain.constant_operator(operator::ADD, options::ADD, "mean", &mean);
        }
        Task::Regress | Task::Reconstruct => {}
    }
    let inputs = match &about.schema {
        Some(schema) => {
            format!("a row of numbers as they are in the table: {}", schema.input_names().join(", "))
        }
        None => PIXELS.into(),
    };
    Ok(chain.finish(format!("{shape}, {}; input is {inputs}", task.name()), &about.classes))
}

/// An operator's code, and its options.
type ActivationOperator = (u32, Option<(u8, Vec<Number>)>);

/// The operator of an activation; none for the identity.
fn activation_operator(activation: Activation) -> std::result::Result<Option<ActivationOperator>, String> {
    Ok(Some(match activation {
        Activation::Identity => return Ok(None),
        Activation::Relu => (operator::RELU, None),
        Activation::Relu6 => (operator::RELU6, None),
        Activation::Tanh => (operator::TANH, None),
        Activation::Sigmoid => (operator::LOGISTIC, None),
        Activation::HardSwish => (operator::HARD_SWISH, None),
        Activation::LeakyRelu => {
            (operator::LEAKY_RELU, Some((options::LEAKY_RELU, vec![Number::Float(LEAKY_RELU_SLOPE)])))
        }
        other => return Err(format!("TensorFlow Lite has no {other}")),
    }))
}

/// A chain of operators that is being written.
struct Chain {
    graph: Graph,
    /// The last value, its tensor and its width.
    last: i32,
    width: usize,
}

impl Chain {
    fn new(inputs: usize) -> Self {
        let mut chain = Self { graph: Graph::default(), last: 0, width: inputs };
        chain.last = chain.tensor("input", &[1, inputs], &[]);
        chain.graph.inputs = vec![chain.last];
        chain
    }

    /// A constant of floats; a value that is computed without any.
    fn tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) -> i32 {
        self.graph.tensors.push(Tensor {
            name: name.into(),
            shape: shape.iter().map(|&d| d as i32).collect(),
            data: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ..Tensor::default()
        });
        self.graph.tensors.len() as i32 - 1
    }

    /// An operator on the last value and constants, whose result is the last value then.
    fn operator(&mut self, code: u32, name: &str, constants: &[i32], options: Option<(u8, Vec<Number>)>) {
        let output = self.tensor(name, &[1, self.width], &[]);
        let inputs = [&[self.last], constants].concat();
        self.graph.operators.push(Operator { code, version: 1, inputs, outputs: vec![output], options });
        self.last = output;
    }

    /// `ADD`, `SUB` or `MUL` of a constant: one number for all elements or one for each.
    fn constant_operator(&mut self, code: u32, options: u8, name: &str, values: &[f32]) {
        let constant = self.tensor(name, &[values.len()], values);
        let out = format!("after_{name}");
        self.operator(code, &out, &[constant], Some((options, vec![Number::Byte(fused::NONE)])));
    }

    fn softmax(&mut self) {
        let beta = vec![Number::Float(1.0)];
        self.operator(operator::SOFTMAX, "probabilities", &[], Some((options::SOFTMAX, beta)));
    }

    /// The layers up to the last one's sums.
    fn layers(&mut self, shape: Shape, params: &[f32]) -> std::result::Result<(), String> {
        let layers = shape.split(params).map_err(|e| e.to_string())?;
        let count = layers.len();
        for (n, layer) in layers.iter().enumerate() {
            let (i, o) = (shape.width(n), shape.width(n + 1));
            let mut weights = vec![0.0; i * o];
            transpose(i, o, layer.weights, &mut weights);
            let fc = format!("fc{}", n + 1);
            let w = self.tensor(&format!("{fc}.weight"), &[o, i], &weights);
            let b = self.tensor(&format!("{fc}.bias"), &[o], layer.biases);
            let activation = if n + 1 == count { Activation::Identity } else { shape.activation(n) };
            let (in_layer, alone) = match activation {
                Activation::Relu => (fused::RELU, None),
                Activation::Relu6 => (fused::RELU6, None),
                other => (fused::NONE, activation_operator(other)?),
            };
            self.width = o;
            let options = Some((options::FULLY_CONNECTED, vec![Number::Byte(in_layer)]));
            self.operator(operator::FULLY_CONNECTED, &fc, &[w, b], options);
            if let Some((code, options)) = alone {
                self.operator(code, &format!("{activation}{}", n + 1), &[], options);
            }
        }
        Ok(())
    }

    fn finish(mut self, mut description: String, classes: &[String]) -> Vec<u8> {
        if !classes.is_empty() {
            description.push_str(&format!("; outputs are {}", classes.join(", ")));
        }
        self.graph.description = description;
        self.graph.outputs = vec![self.last];
        self.graph.to_bytes()
    }
}
