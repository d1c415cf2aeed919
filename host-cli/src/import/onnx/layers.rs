//! Dense layers from the steps of a chain: an affine map is folded into the layer in front of it, or, after a ReLU or the
//! input, into the layer that follows.

use selvedge::shape::MAX_LAYERS;

use super::super::dense::{Affine, AffineDense};
use super::super::{Clause, Dense, PixelRange};
use super::symbolic::{Op, Step, Trace, Weights};
use super::tensor::Array;
use crate::files::onnx::Node;
use crate::model::fit::ONE_OUTPUT;

/// The layers of a chain of steps.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub layers: Vec<Dense>,
    /// The table that pixels go through first, as bytes over 255.
    pub table: Option<[u8; 256]>,
    /// Whether the graph defines the normalisation of its inputs.
    pub defines_inputs: bool,
}

/// The dense layers of the steps up to `at`. `integer_input` says that the input is of integers.
pub(super) fn of(
    trace: &mut Trace,
    at: usize,
    integer_input: bool,
    inputs: Option<PixelRange>,
) -> Clause<Chain> {
    let path = trace.path(at);
    let count = path.iter().filter(|s| matches!(s.op, Op::Dense(_))).count();
    if count > MAX_LAYERS {
        return Err(format!("it has {count} dense layers, and a network here has 1 to {MAX_LAYERS}"));
    }
    let mut folding =
        Folding { chain: Chain::default(), last: None, before: Affine::identity(), notes: Vec::new() };
    for (n, step) in path.iter().enumerate() {
        match &step.op {
            Op::Input => {}
            Op::Lookup(table) if n == 1 => folding.chain.table = Some(bytes(table)?),
            Op::Dense(weights) => folding.dense(step, weights, integer_input, inputs)?,
            Op::Affine(next) => folding.affine(step, next)?,
            Op::Relu => folding.relu(step)?,
            Op::TwoOfOne => two_of_one(folding.unactivated().ok_or_else(|| misplaced(step))?),
            Op::Activation(op) if folding.last.is_some() => {
                let outputs = folding.last.as_ref().map_or(0, |last| last.layer.dims[0]);
                return Err(activation(op, outputs, n + 1 == path.len()));
            }
            Op::Lookup(_) | Op::Activation(_) | Op::Complement => return Err(misplaced(step)),
        }
    }
    let (chain, notes) = folding.finish()?;
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
    notes: Vec<String>,
}

/// A layer, and whether a ReLU follows it, after which nothing can be folded into it.
struct LastLayer {
    layer: AffineDense,
    relu: bool,
}

impl Folding {
    /// The last layer, if no ReLU follows it.
    fn unactivated(&mut self) -> Option<&mut AffineDense> {
        self.last.as_mut().filter(|last| !last.relu).map(|last| &mut last.layer)
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

    fn relu(&mut self, step: &Step) -> Clause<()> {
        let last = self.last.as_mut().filter(|_| self.before.is_identity());
        last.ok_or_else(|| misplaced(step))?.relu = true;
        Ok(())
    }

    /// Adds a layer, which ends the one in front of it.
    fn dense(
        &mut self,
        step: &Step,
        weights: &Weights,
        integer_input: bool,
        inputs: Option<PixelRange>,
    ) -> Clause<()> {
        match &self.last {
            Some(LastLayer { relu: false, .. }) => {
                return Err(format!(
                    "{}: there is no Relu between it and the layer in front of it",
                    step.called
                ));
            }
            Some(last) => self.chain.layers.push(last.layer.fold()?),
            None if self.chain.table.is_none() => {
                self.chain.defines_inputs = integer_input || !self.before.is_identity();
                self.before = pixel_map(&self.before, integer_input, inputs, &mut self.notes)?;
            }
            None => self.chain.defines_inputs = true,
        }
        let mut layer = layer(weights)?;
        layer.before = std::mem::replace(&mut self.before, Affine::identity());
        self.last = Some(LastLayer { layer, relu: false });
        Ok(())
    }

    fn finish(mut self) -> Clause<(Chain, Vec<String>)> {
        let LastLayer { layer, relu } = self.last.ok_or("it holds no dense layer")?;
        if relu {
            return Err(
                "its last layer is followed by a Relu; logits may be negative, so export it without".into()
            );
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

/// Why an unsupported activation is refused, between layers or at the end.
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

/// The map from pixels / 255 to the first layer's inputs, where `before` is the graph's map of its own input.
fn pixel_map(
    before: &Affine,
    integer_input: bool,
    inputs: Option<PixelRange>,
    notes: &mut Vec<String>,
) -> Clause<Affine> {
    let byte = match (inputs, integer_input) {
        (Some(PixelRange::Unit), true) => {
            return Err(
                "its input is of integers, which are pixels of 0 to 255; leave out --inputs unit".into()
            );
        }
        (_, true) => true,
        (Some(inputs), false) => inputs == PixelRange::Byte,
        (None, false) if before.is_identity() => false,
        (None, false) => infers_bytes(before, notes)?,
    };
    let times = Affine { factor: vec![if byte { 255.0 } else { 1.0 }], shift: vec![0.0] };
    times.then(before).ok_or_else(|| "what scales its input has no width".into())
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
