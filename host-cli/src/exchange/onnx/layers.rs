//! From the steps of a chain to dense layers: what scales a row is folded into the layer in front of it, or into the one
//! after it where a ReLU or the input is in front.

use selvedge::shape::MAX_LAYERS;

use super::super::affine::{Affine, Layer};
use super::super::{Clause, Dense, Inputs};
use super::array::Array;
use super::proto::Node;
use super::trace::{Op, Step, Trace, Weights};
use crate::model::fit::ONE_OUTPUT;

/// What a chain comes to.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub layers: Vec<Dense>,
    /// What pixels become first, as bytes over 255.
    pub table: Option<[u8; 256]>,
    /// Whether the graph itself says how its inputs come of pixels.
    pub says_inputs: bool,
}

/// A layer that more may be folded into.
struct Open {
    layer: Layer,
    /// Whether a ReLU has closed it.
    relu: bool,
}

/// The dense layers that the steps up to `at` make. `whole` says that the input is of integers.
pub(super) fn of(trace: &mut Trace, at: usize, whole: bool, inputs: Option<Inputs>) -> Clause<Chain> {
    let mut chain = Chain::default();
    let mut notes = Vec::new();
    let path = trace.path(at);
    let count = path.iter().filter(|s| matches!(s.op, Op::Dense(_))).count();
    if count > MAX_LAYERS {
        return Err(format!("it has {count} dense layers, and a network here has 1 to {MAX_LAYERS}"));
    }
    let mut open: Option<Open> = None;
    let mut before = Affine::identity();
    for (n, step) in path.iter().enumerate() {
        let widths = || format!("{} is of another width than what is in front of it", step.called);
        match (&step.op, open.as_mut()) {
            (Op::Input, _) => {}
            (Op::Lookup(table), None) if n == 1 => chain.table = Some(bytes(table)?),
            (Op::Affine(next), Some(Open { layer, relu: false })) => {
                if layer.names[1].is_empty() && layer.after.is_identity() {
                    layer.names[1] = step.bias.clone().unwrap_or_default();
                }
                layer.after = layer.after.then(next).ok_or_else(widths)?;
            }
            (Op::Affine(next), _) => before = before.then(next).ok_or_else(widths)?,
            (Op::Dense(_), Some(Open { relu: false, .. })) => {
                return Err(format!(
                    "{}: there is no Relu between it and the layer in front of it",
                    step.called
                ));
            }
            (Op::Dense(weights), closed) => {
                match closed {
                    Some(open) => chain.layers.push(open.layer.fold()?),
                    None if chain.table.is_none() => {
                        chain.says_inputs = whole || !before.is_identity();
                        before = units(&before, whole, inputs, &mut notes)?;
                    }
                    None => chain.says_inputs = true,
                }
                let mut layer = layer(weights)?;
                layer.before = std::mem::replace(&mut before, Affine::identity());
                open = Some(Open { layer, relu: false });
            }
            (Op::Relu, Some(open)) if before.is_identity() => open.relu = true,
            (Op::TwoOfOne, Some(Open { layer, relu: false })) => two_of_one(layer),
            (Op::Activation(op), Some(open)) => {
                return Err(activation(op, open.layer.dims[0], n + 1 == path.len()));
            }
            _ => return Err(format!("{} stands where a multilayer perceptron has none", step.called)),
        }
    }
    let Open { layer, relu } = open.ok_or("it holds no dense layer")?;
    if relu {
        return Err(
            "its last layer is followed by a Relu; logits may be negative, so export it without".into()
        );
    }
    chain.layers.push(layer.fold()?);
    trace.notes.extend(notes);
    Ok(chain)
}

/// The logits 0 and `z` in place of `z`.
fn two_of_one(layer: &mut Layer) {
    let inputs = layer.dims[1];
    layer.after = Affine { factor: vec![1.0, layer.after.factor[0]], shift: vec![0.0, layer.after.shift[0]] };
    layer.weights.splice(0..0, vec![0.0; inputs]);
    layer.biases.insert(0, 0.0);
    layer.dims[0] = 2;
}

/// Why a function that no layer has is refused: between layers, or at the end.
fn activation(op: &str, outputs: usize, last: bool) -> String {
    match (op, last) {
        ("Sigmoid" | "Tanh", true) if outputs == 1 => ONE_OUTPUT.into(),
        (_, true) => format!(
            "operator {op} is not supported at the end: a model here ends with softmax, which makes one class of its \
             outputs; export it with its logits as the output if that is what it was trained for"
        ),
        _ => format!(
            "operator {op} is not supported: a model here has ReLU between its layers, which is another network; train \
             it with ReLU and export it again"
        ),
    }
}

/// What pixels / 255 go through in front of the first layer, where `before` is what the graph does to its input.
fn units(before: &Affine, whole: bool, inputs: Option<Inputs>, notes: &mut Vec<String>) -> Clause<Affine> {
    let byte = match (inputs, whole) {
        (Some(Inputs::Unit), true) => {
            return Err(
                "its input is of integers, which are pixels of 0 to 255; leave out --inputs unit".into()
            );
        }
        (_, true) => true,
        (Some(inputs), false) => inputs == Inputs::Byte,
        (None, false) if before.is_identity() => false,
        (None, false) => guessed(before, notes)?,
    };
    let times = Affine { factor: vec![if byte { 255.0 } else { 1.0 }], shift: vec![0.0] };
    times.then(before).ok_or_else(|| "what scales its input has no width".into())
}

/// Whether inputs that the graph normalises itself are pixels of 0 to 255. Pixels of 0 to 1 have a mean in that range and a
/// deviation of a half at most, so that nothing makes them smaller.
fn guessed(before: &Affine, notes: &mut Vec<String>) -> Clause<bool> {
    let width = before.factor.len().max(before.shift.len());
    let each = || (0..width).map(|n| before.at(n));
    let smallest = each().map(|[factor, _]| factor.abs()).fold(f64::INFINITY, f64::min);
    let mean = each().map(|[factor, shift]| -shift / factor).fold(0.0, f64::max);
    let what = match width {
        1 if smallest < 1.0 => format!("divides its input by {:.4}", smallest.recip()),
        1 => format!("multiplies its input by {smallest:.4}"),
        _ => "scales each pixel by a number of its own".into(),
    };
    let (byte, takes, other) = if smallest < 0.1 || mean > 1.5 {
        (true, "pixels of 0 to 255", "`--inputs unit` that they are of 0 to 1")
    } else if smallest >= 0.5 && mean <= 1.0 {
        (false, "pixels of 0 to 1", "`--inputs byte` that they are of 0 to 255")
    } else {
        return Err(format!(
            "its graph {what}, which fits neither pixels of 0 to 1 nor of 0 to 255; say \
             which with `--inputs unit` or `--inputs byte`"
        ));
    };
    notes.push(format!("the graph {what}, so that it was taken to expect {takes}; say with {other}"));
    Ok(byte)
}

/// A table whose values are bytes over 255.
fn bytes(table: &Array) -> Clause<[u8; 256]> {
    let values = table.numbers(&Node::default())?;
    let byte = |x: &f64| {
        let byte = (255.0 * x).round();
        ((0.0..=255.0).contains(&byte) && (255.0 * x - byte).abs() < 1e-3).then_some(byte as u8)
    };
    let bytes: Option<Vec<u8>> = values.iter().map(byte).collect();
    let bytes = bytes.and_then(|b| b.try_into().ok());
    bytes.ok_or_else(|| format!("{} is a table of other values than bytes over 255", table.name))
}

/// A layer as the graph has it.
fn layer(of: &Weights) -> Clause<Layer> {
    let node = Node { op_type: "a layer".into(), ..Node::default() };
    let [rows, cols] = [0, 1].map(|n| of.weights.dims.get(n).copied().unwrap_or(0));
    let [o, i] = if of.transposed { [cols, rows] } else { [rows, cols] };
    let values = of.weights.floats(&node)?;
    let at = |n: usize| if of.transposed { n % i * o + n / i } else { n };
    let weights = (0..o * i).map(|n| of.alpha * values[at(n)]).collect();
    let (name, biases) = match &of.bias {
        None => (String::new(), vec![0.0; o]),
        Some((array, beta)) => {
            let values = array.floats(&node)?;
            let values = (0..o).map(|n| beta * values[if values.len() == 1 { 0 } else { n }]);
            (array.name.clone(), values.collect())
        }
    };
    Ok(Layer::new([of.weights.name.clone(), name], [o, i], weights, biases))
}

/// The first step of a trace.
pub(super) fn input() -> Step {
    Step { from: 0, op: Op::Input, called: "the input".into(), bias: None }
}
