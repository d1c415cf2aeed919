//! The file of a flash file of integers: hidden layers are `FULLY_CONNECTED` of int8, whose sums are the device's, the last
//! layer is one of floats on the same integers.
//!
//! Activations are int8 from 0 to 127, weights int8 with a scale for each output, such that
//! `scale of the input · scale of the weights / scale of the output` is the row's multiplier over 2^24. A sum is the device's to
//! the bit, so that a code differs only where rounding does: LiteRT's own kernels round twice, those of its delegate XNNPACK
//! compute the product in f32, and either is now and then a unit away. Biases absorb zero points, as in the flash file.
//!
//! The last layer has no output of 8 bits: 256 steps for all logits make the two largest equal in many rows, or need rows to be
//! calibrated on. Its weights stay int8 behind a `DEQUANTIZE`, and its sums, which fit 24 bits, are added in f32. They are exact
//! where its scales are powers of two: those of its weights are, with the rest of their worth in a `MUL` behind it, and so are those of
//! every ReLU, whose scale is free as long as the next layer's makes up for it. Logits that are equal on a device then stay so.
//!
//! Inputs of 14 bits make the first layer one of int16 inputs and int8 weights, with an output of int16 that is rounded to
//! int8. i4 weights are written as the int8 that the arithmetic takes them for.
//!
//! | task | output |
//! |---|---|
//! | class, labels | `probabilities` |
//! | values | `values` in the units of the data |
//! | reconstruction | `reconstruction` in the units of the inputs |

use selvedge::format::{InputType, LayerView, ModelView, Task, ValueScale};

use super::super::onnx::row_weights;
use super::input::{self, Feature};
use super::layers::hidden;
use super::options;
use crate::files::tflite::writer::{Graph, Number, Operator, Tensor};
use crate::files::tflite::{dtype, fused, operator};

/// The file, from raw values to answers. `names` are those of the inputs, where they are known.
pub(super) fn write(model: &ModelView<'_>, names: &[String]) -> Vec<u8> {
    let header = model.header();
    let mut chain = IntegerChain::new(header.inputs());
    let mut codes = input::codes(&mut chain, model);
    for (l, layer) in model.layers().enumerate() {
        if l + 1 < header.layers() {
            codes = hidden(&mut chain, model, (l, &layer), codes);
        } else {
            let unit = sums(&mut chain, (l, &layer), codes, model.scale(l + 1));
            answers(&mut chain, model, unit);
        }
    }
    let description = description(model, names);
    chain.graph.description = description;
    chain.graph.outputs = vec![chain.last];
    chain.graph.to_bytes()
}

/// What the integers of the last value stand for: `(code - zero) · unit` each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes {
    pub unit: f32,
    /// The code of the real number 0.
    pub zero: i32,
    /// Whether they have 14 bits, of which a sum counts 128 as one.
    pub fine: bool,
}

impl Codes {
    /// What one unit of a sum is worth, for one unit of the weights.
    pub fn sum_unit(self) -> f64 {
        f64::from(self.unit) * if self.fine { 128.0 } else { 1.0 }
    }

    /// The bias of a row of sums of `code - zero`.
    pub fn bias(self, layer: &LayerView<'_>, row: usize) -> i64 {
        let sum: i64 = (0..layer.inputs()).map(|column| i64::from(layer.weight(row, column))).sum();
        i64::from(layer.bias(row)) + i64::from(self.zero) * sum
    }
}

/// A tensor's type, and its scale and zero point where it has some.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub code: u8,
    pub quantization: Option<(f32, i64)>,
}

impl Type {
    pub const FLOAT: Self = Self { code: dtype::FLOAT32, quantization: None };
    pub const INT32: Self = Self { code: dtype::INT32, quantization: None };
    pub const BYTE: Self = Self { code: dtype::UINT8, quantization: None };

    /// Integers that stand for `(q - zero_point) · scale`.
    pub const fn quantized(code: u8, scale: f32, zero_point: i64) -> Self {
        Self { code, quantization: Some((scale, zero_point)) }
    }
}

/// A chain of operators that is being written.
pub(super) struct IntegerChain {
    graph: Graph,
    /// The last value, its tensor and its width.
    last: i32,
    width: usize,
}

impl IntegerChain {
    fn new(inputs: usize) -> Self {
        Self { graph: Graph::default(), last: 0, width: inputs }
    }

    /// The value that the graph is given.
    pub fn input(&mut self, name: &str, of: Type) {
        self.last = self.tensor(name, &[1, self.width], of, Vec::new());
        self.graph.inputs = vec![self.last];
    }

    /// A constant; a value that is computed without any data.
    pub fn tensor(&mut self, name: &str, shape: &[usize], of: Type, data: Vec<u8>) -> i32 {
        self.graph.tensors.push(Tensor {
            name: name.into(),
            shape: shape.iter().map(|&d| d as i32).collect(),
            kind: of.code,
            data,
            scales: of.quantization.iter().map(|of| of.0).collect(),
            zero_points: of.quantization.iter().map(|of| of.1).collect(),
        });
        self.graph.tensors.len() as i32 - 1
    }

    /// A constant of floats.
    pub fn floats(&mut self, name: &str, values: &[f32]) -> i32 {
        let data = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensor(name, &[values.len()], Type::FLOAT, data)
    }

    /// A constant of integers with a scale for each row.
    pub fn scaled(&mut self, name: &str, shape: &[usize], code: u8, data: Vec<u8>, scales: Vec<f32>) -> i32 {
        let at = self.tensor(name, shape, Type { code, quantization: None }, data);
        if let Some(tensor) = self.graph.tensors.last_mut() {
            tensor.zero_points = vec![0; scales.len()];
            tensor.scales = scales;
        }
        at
    }

    /// An operator whose result, as wide as what is in front of it, is the last value then.
    pub fn operator(&mut self, (code, version): (u32, i32), name: &str, of: Type, operands: Operands<'_>) {
        let output = self.tensor(name, &[1, self.width], of, Vec::new());
        let inputs = match operands.first {
            Some(first) => [&[first, self.last], operands.constants].concat(),
            None => [&[self.last], operands.constants].concat(),
        };
        let options = operands.options;
        self.graph.operators.push(Operator { code, version, inputs, outputs: vec![output], options });
        self.last = output;
    }

    /// An operator on the last value alone.
    pub fn alone(&mut self, code: u32, version: i32, name: &str, of: Type) {
        self.operator((code, version), name, of, Operands::default());
    }

    /// `ADD`, `SUB`, `MUL`, `MAXIMUM` or `MINIMUM` of floats: one number for all elements or one for each.
    pub fn arithmetic(&mut self, code: u32, name: &str, values: &[f32]) {
        let constant = self.floats(name, values);
        let table = match code {
            operator::ADD => Some(options::ADD),
            operator::SUB => Some(options::SUB),
            operator::MUL => Some(options::MUL),
            _ => None,
        };
        let options = table.map(|table| (table, vec![Number::Byte(fused::NONE)]));
        let operands = Operands { constants: &[constant], options, ..Operands::default() };
        self.operator((code, 1), &format!("after_{name}"), Type::FLOAT, operands);
    }

    /// `FULLY_CONNECTED` of constants.
    pub fn dense(
        &mut self,
        (version, activation): (i32, u8),
        name: &str,
        of: Type,
        [w, b]: [i32; 2],
        width: usize,
    ) {
        self.width = width;
        let options = Some((options::FULLY_CONNECTED, vec![Number::Byte(activation)]));
        let operands = Operands { constants: &[w, b], options, ..Operands::default() };
        self.operator((operator::FULLY_CONNECTED, version), name, of, operands);
    }
}

/// What an operator takes besides the last value.
#[derive(Debug, Default)]
pub(super) struct Operands<'a> {
    /// In front of it.
    pub first: Option<i32>,
    /// After it.
    pub constants: &'a [i32],
    pub options: Option<(u8, Vec<Number>)>,
}

/// The power of two next to a scale.
pub(super) fn power_of_two(scale: f32) -> f32 {
    2_f32.powi(scale.log2().round().clamp(-100.0, 100.0) as i32)
}

/// The sums of the last layer, of which one unit of the device's is worth about `unit`; what it is worth.
fn sums(chain: &mut IntegerChain, (l, layer): (usize, &LayerView<'_>), codes: Codes, unit: f32) -> f64 {
    let (i, o, n) = (layer.inputs(), layer.outputs(), l + 1);
    chain.alone(operator::DEQUANTIZE, 2, &format!("x{l}_real"), Type::FLOAT);
    let scale = power_of_two((f64::from(unit) / codes.sum_unit()) as f32);
    let unit = f64::from(scale) * codes.sum_unit();
    let stored = Type::quantized(dtype::INT8, scale, 0);
    let stored = chain.tensor(&format!("fc{n}.weight"), &[o, i], stored, row_weights(layer));
    let w = chain.tensor(&format!("fc{n}.weight_real"), &[o, i], Type::FLOAT, Vec::new());
    let (inputs, outputs) = (vec![stored], vec![w]);
    let operator = Operator { code: operator::DEQUANTIZE, version: 2, inputs, outputs, options: None };
    chain.graph.operators.push(operator);
    let bias = |row| (codes.bias(layer, row) as f64 * unit) as f32;
    let b = chain.floats(&format!("fc{n}.bias"), &(0..o).map(bias).collect::<Vec<_>>());
    chain.dense((1, fused::NONE), "sums", Type::FLOAT, [w, b], o);
    unit
}

/// What the task makes of the sums, of which one unit of the device's is worth `unit`.
fn answers(chain: &mut IntegerChain, model: &ModelView<'_>, unit: f64) {
    let header = model.header();
    let outputs = 0..header.outputs();
    if matches!(header.task(), Task::Class | Task::Labels) {
        let logit = f64::from(model.scale(header.layers()));
        chain.arithmetic(operator::MUL, "unit_of_logits", &[(logit / unit) as f32]);
    }
    match header.task() {
        Task::Labels => chain.alone(operator::LOGISTIC, 1, "probabilities", Type::FLOAT),
        Task::Values => {
            let of = |output| match model.value_scale(output) {
                ValueScale::Integer { add, scale } => {
                    (f64::from(scale) / unit, f64::from(add) * f64::from(scale))
                }
                ValueScale::Float { scale, offset } => (f64::from(scale) / unit, offset.into()),
            };
            affine(chain, "values", outputs.map(of));
        }
        Task::Reconstruction => {
            // A code is worth two units of the input's map.
            let of = |output| {
                let (Feature { offset, scale, .. }, error) =
                    (input::feature(model, output), model.error_scale(output));
                let constant = error.mul == 0 || scale == 0.0;
                let code = if constant { 0.0 } else { 512.0 / (f64::from(error.mul) * scale) };
                (code / unit, offset + code * f64::from(error.add))
            };
            affine(chain, "reconstruction", outputs.map(of));
        }
        _ => {
            let options = Some((options::SOFTMAX, vec![Number::Float(1.0)]));
            let operands = Operands { options, ..Operands::default() };
            chain.operator((operator::SOFTMAX, 1), "probabilities", Type::FLOAT, operands);
        }
    }
}

/// `factor · x + shift` for each output.
fn affine(chain: &mut IntegerChain, name: &str, maps: impl Iterator<Item = (f64, f64)>) {
    let (factors, shifts): (Vec<f32>, Vec<f32>) =
        maps.map(|(factor, shift)| (factor as f32, shift as f32)).unzip();
    chain.arithmetic(operator::MUL, &format!("factor_of_{name}"), &factors);
    chain.arithmetic(operator::ADD, &format!("shift_of_{name}"), &shifts);
}

/// What the graph takes and answers, for people.
fn description(model: &ModelView<'_>, names: &[String]) -> String {
    let header = model.header();
    let unit = f64::from(model.scale(header.layers()));
    let mut text =
        format!("{header}, {} weights, {}; input is ", header.dtype().name(), header.task().name());
    if !header.input_map().is_affine() {
        text += "pixels of 0 to 255";
    } else {
        text += match header.input_type() {
            InputType::F32 => "a row of numbers as they are in the table",
            _ => "a row of the sensor's whole numbers",
        };
    }
    if let Some((rows, stride)) = header.window() {
        text += &format!(", a window of {rows} rows, {stride} apart");
    }
    if !names.is_empty() {
        text += &format!(": {}", names.join(", "));
    }
    let labels: Vec<&str> = model.labels().collect();
    if !labels.is_empty() {
        text += &format!("; outputs are {}", labels.join(", "));
    }
    match (header.task(), header.margin_bits()) {
        (Task::Class, 1..) => {
            let lead = (f64::from(header.margin_bits()) * unit).exp();
            text += &format!("; unknown where the largest is less than {lead:.4} times the second");
        }
        (Task::Labels, _) => {
            let z = f64::from(header.label_threshold_bits() as i32) * unit;
            text += &format!("; a label applies from {:.6}", 1.0 / (1.0 + (-z).exp()));
        }
        _ => {}
    }
    text
}
