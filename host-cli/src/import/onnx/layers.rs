//! Dense layers from the steps of a chain: an affine map is folded into the layer in front of it, or, after an activation or
//! the input, into the layer that follows.

use selvedge::Activation;
use selvedge::shape::MAX_LAYERS;

use super::super::dense::{Affine, AffineDense};
use super::super::{Clause, Dense, InputKind};
use super::activations;
use super::symbolic::{Op, Step, Trace, Weights};
use super::tensor::Array;
use crate::files::onnx::Node;

/// The layers of a chain of steps.
#[derive(Debug, Default)]
pub(in crate::import) struct Chain {
    pub layers: Vec<Dense>,
    /// The activations between them.
    pub activations: Vec<Activation>,
    /// The table that pixels go through first, as bytes over 255.
    pub table: Option<[u8; 256]>,
    /// The standardisation of columns, which is not folded: a column far from 0 would lose digits.
    pub standardise: Option<Affine>,
    /// Whether the graph defines the normalisation of its inputs.
    pub defines_inputs: bool,
}

/// The dense layers of the steps up to `at`. `integer_input` says that the input is of integers, `reconstructs` that the
/// outputs are to equal the graph's input: they are turned into the units of the model's inputs, with which it compares them.
pub(in crate::import) fn of(
    trace: &mut Trace,
    at: usize,
    integer_input: bool,
    inputs: Option<InputKind>,
    reconstructs: bool,
) -> Clause<Chain> {
    let path = trace.path(at);
    let count = path.iter().filter(|s| matches!(s.op, Op::Dense(_))).count();
    if count > MAX_LAYERS {
        return Err(format!("it has {count} dense layers, and a network here has 1 to {MAX_LAYERS}"));
    }
    let mut folding = Folding {
        chain: Chain::default(),
        last: None,
        before: Affine::identity(),
        to_inputs: Affine::identity(),
        notes: Vec::new(),
    };
    for (n, step) in path.iter().enumerate() {
        match &step.op {
            Op::Input => {}
            Op::Lookup(table) if n == 1 => folding.chain.table = Some(bytes(table)?),
            Op::Dense(weights) => folding.dense(step, weights, integer_input, inputs)?,
            Op::Affine(next) => folding.affine(step, next)?,
            Op::Activate(activation) => folding.activate(step, *activation)?,
            Op::TwoOfOne => two_of_one(folding.unactivated().ok_or_else(|| misplaced(step))?),
            Op::Complement => folding.affine(step, &Affine { factor: vec![-1.0], shift: vec![1.0] })?,
            Op::Unsupported(op) if folding.last.is_some() => return Err(activations::refusal(op)),
            Op::Clamp { .. } if folding.last.is_some() => return Err(activations::refusal(&step.called)),
            Op::Lookup(_) | Op::Unsupported(_) | Op::Clamp { .. } => return Err(misplaced(step)),
        }
    }
    let (chain, notes) = folding.finish(reconstructs)?;
    trace.notes.extend(notes);
    Ok(chain)
}

/// The layers so far, and the maps that are not folded into one yet.
struct Folding {
    chain: Chain,
    /// The last layer, into which the following steps are folded.
    last: Option<LastLayer>,
    /// The map in front of the next layer.
    before: Affine,
    /// The map from the graph's input to the model's inputs.
    to_inputs: Affine,
    notes: Vec<String>,
}

/// A layer, and the activation that follows it, after which nothing can be folded into it.
struct LastLayer {
    layer: AffineDense,
    activation: Option<Activation>,
}

impl Folding {
    /// The last layer, if no activation follows it.
    fn unactivated(&mut self) -> Option<&mut AffineDense> {
        self.last.as_mut().filter(|last| last.activation.is_none()).map(|last| &mut last.layer)
    }

    /// Folds a map into the layer in front of it, or keeps it for the next one.
    fn affine(&mut self, step: &Step, next: &Affine) -> Clause<()> {
        let widths = || format!("{} is of another width than what is in front of it", step.called);
        if let Some(layer) = self.unactivated() {
            if layer.names[1].is_empty() && layer.after.is_identity() {
                layer.names[1] = step.bias.clone().unwrap_or_default();
            }
            layer.after = layer.after.then(next).ok_or_else(widths)?;
        } else {
            self.before = self.before.then(next).ok_or_else(widths)?;
        }
        Ok(())
    }

    fn activate(&mut self, step: &Step, activation: Activation) -> Clause<()> {
        let last = self.last.as_mut().filter(|_| self.before.is_identity());
        let last = last.ok_or_else(|| misplaced(step))?;
        // A ReLU changes nothing that is not negative.
        let (before, again) = (last.activation, activation == Activation::Relu);
        match before {
            None => last.activation = Some(activation),
            Some(Activation::Relu | Activation::Relu6 | Activation::Sigmoid) if again => {}
            Some(_) => return Err(format!("{}: it follows another activation", step.called)),
        }
        Ok(())
    }

    /// Adds a layer, which ends the one in front of it.
    fn dense(
        &mut self,
        step: &Step,
        weights: &Weights,
        integer_input: bool,
        inputs: Option<InputKind>,
    ) -> Clause<()> {
        match &self.last {
            Some(LastLayer { activation: None, .. }) => {
                return Err(format!(
                    "{}: there is no activation between it and the layer in front of it",
                    step.called
                ));
            }
            Some(LastLayer { layer, activation: Some(activation) }) => {
                self.chain.activations.push(*activation);
                self.chain.layers.push(layer.fold()?);
            }
            None if inputs == Some(InputKind::Table) => {
                if self.chain.table.is_some() {
                    return Err(format!("{}: a table of bytes in front of it is for pixels", step.called));
                }
                self.chain.defines_inputs = true;
                if self.before.standardises() {
                    self.to_inputs = std::mem::replace(&mut self.before, Affine::identity());
                    self.chain.standardise = Some(self.to_inputs.clone());
                }
            }
            None if self.chain.table.is_none() => {
                self.chain.defines_inputs = integer_input || !self.before.is_identity();
                let byte = takes_bytes(&self.before, integer_input, inputs, &mut self.notes)?;
                if byte {
                    let times = |factor: f64| Affine { factor: vec![factor], shift: vec![0.0] };
                    self.to_inputs = times(1.0 / 255.0);
                    let before = times(255.0).then(&self.before);
                    self.before = before.ok_or("what scales its input has no width")?;
                }
            }
            None => self.chain.defines_inputs = true,
        }
        let mut layer = layer(weights)?;
        layer.before = std::mem::replace(&mut self.before, Affine::identity());
        if self.last.is_none() && self.chain.standardise.as_ref().is_some_and(|map| !map.fits(layer.dims[1]))
        {
            return Err(format!("{} is of another width than what scales its inputs", layer.names[0]));
        }
        self.last = Some(LastLayer { layer, activation: None });
        Ok(())
    }

    fn finish(mut self, reconstructs: bool) -> Clause<(Chain, Vec<String>)> {
        let LastLayer { mut layer, activation } = self.last.ok_or("it holds no dense layer")?;
        if let Some(activation) = activation {
            return Err(format!(
                "its last layer is followed by {activation}, and a model here ends with softmax, sigmoid or nothing; export \
                 it without"
            ));
        }
        if reconstructs {
            let width = || format!("{} is of another width than the input", layer.names[0]);
            layer.after = layer.after.then(&self.to_inputs).ok_or_else(width)?;
        }
        self.chain.layers.push(layer.fold()?);
        Ok((self.chain, self.notes))
    }
}

/// Why a step that is known elsewhere is refused here.
fn misplaced(step: &Step) -> String {
    format!("{} stands where a multilayer perceptron has none", step.called)
}

/// Replaces a layer's one logit `z` by the two logits 0 and `z`.
fn two_of_one(layer: &mut AffineDense) {
    let inputs = layer.dims[1];
    layer.after = Affine { factor: vec![1.0, layer.after.factor[0]], shift: vec![0.0, layer.after.shift[0]] };
    layer.weights.splice(0..0, vec![0.0; inputs]);
    layer.biases.insert(0, 0.0);
    layer.dims[0] = 2;
}

/// Whether the graph takes pixels of 0 to 255, where `before` is its map of its own input; else it takes pixels / 255.
fn takes_bytes(
    before: &Affine,
    integer_input: bool,
    inputs: Option<InputKind>,
    notes: &mut Vec<String>,
) -> Clause<bool> {
    match (inputs, integer_input) {
        (Some(InputKind::Unit), true) => {
            Err("its input is of integers, which are pixels of 0 to 255; leave out --inputs unit".into())
        }
        (_, true) => Ok(true),
        (Some(inputs), false) => Ok(inputs == InputKind::Byte),
        (None, false) if before.is_identity() => Ok(false),
        (None, false) => infers_bytes(before, notes),
    }
}

/// Whether the inputs of a graph that normalises them are pixels of 0 to 255, inferred from the normalisation: pixels of
/// 0 to 1 have a mean in that range and a standard deviation of at most a half, so normalising them never divides by more.
fn infers_bytes(before: &Affine, notes: &mut Vec<String>) -> Clause<bool> {
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

/// The bytes of a table whose values are bytes over 255.
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

/// A layer as the graph holds it.
fn layer(of: &Weights) -> Clause<AffineDense> {
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
    Ok(AffineDense::new([of.weights.name.clone(), name], [o, i], weights, biases))
}

/// The first step of a trace.
pub(super) fn input() -> Step {
    Step { from: 0, op: Op::Input, called: "the input".into(), bias: None }
}
