//! Element-wise functions: the activations that a model has, in the ways that exporters write them.
//!
//! Hard-swish is one operator in new graphs, and a product of its input and a clamped line in older ones ([`product`]). A
//! function with another slope or bound is another network, so it is refused with that number.

use selvedge::Activation;
use selvedge::activation::LEAKY_RELU_SLOPE;

use super::super::Clause;
use super::super::dense::Affine;
use super::node::called;
use super::symbolic::{Op, Row, Trace, Value};
use super::tensor::Array;
use crate::files::onnx::Node;

/// The relative difference up to which a constant is the one of a formula: a few roundings in f32.
const TOLERANCE: f64 = 1e-6;

/// The effect of an operator; `None` if it is no element-wise function.
pub(super) fn of(node: &Node) -> Option<Op> {
    let slope = |default: f32| node.float("alpha", default);
    Some(match &node.op_type[..] {
        "Relu" => Op::Activate(Activation::Relu),
        "Sigmoid" => Op::Activate(Activation::Sigmoid),
        "Tanh" => Op::Activate(Activation::Tanh),
        "HardSwish" => Op::Activate(Activation::HardSwish),
        op @ "LeakyRelu" => leaky_relu(op, slope(LEAKY_RELU_SLOPE)),
        "HardSigmoid" => Op::Clamp { slope: slope(0.2).into(), offset: node.float("beta", 0.5).into() },
        op @ ("PRelu" | "Elu" | "Selu" | "Celu" | "Gelu" | "Softplus" | "Softsign" | "Mish" | "Erf"
        | "Swish" | "ThresholdedRelu") => Op::Unsupported(op.into()),
        _ => return None,
    })
}

/// The effect of a leaky ReLU of a slope, whose operator is called `op`.
pub(in crate::import) fn leaky_relu(op: &str, slope: f32) -> Op {
    if slope == 0.0 {
        Op::Activate(Activation::Relu)
    } else if near(slope.into(), LEAKY_RELU_SLOPE.into()) {
        Op::Activate(Activation::LeakyRelu)
    } else {
        Op::Unsupported(format!("{op} with a slope of {slope} instead of {LEAKY_RELU_SLOPE}"))
    }
}

/// Why an element-wise function is refused.
pub(in crate::import) fn refusal(what: &str) -> String {
    let names = Activation::HIDDEN.map(Activation::name).join(", ");
    format!("operator {what} is not supported: the activations here are {names}; train it with one of them")
}

/// A `Clip` whose bounds are attributes or operands: a ReLU if it clips at 0 alone.
pub(super) fn clip(
    trace: &mut Trace,
    node: &Node,
    row: &Row,
    min: Option<&Array>,
    max: Option<&Array>,
) -> Clause<Row> {
    let bound = |operand: Option<&Array>, name: &str, none: f64| match operand {
        Some(array) => array.scalar(node),
        None => Ok(node.attribute(name).map_or(none, |a| a.f.into())),
    };
    let (min, max) = (bound(min, "min", f64::NEG_INFINITY)?, bound(max, "max", f64::INFINITY)?);
    let unbounded = max >= f64::from(f32::MAX);
    let op = match (min, max) {
        (0.0, _) if unbounded => Op::Activate(Activation::Relu),
        (0.0, 6.0) => return Ok(relu6(trace, node, row)),
        (0.0, 1.0) => Op::Clamp { slope: 1.0, offset: 0.0 },
        _ if min <= f64::from(f32::MIN) && unbounded => return Ok(row.clone()),
        (_, 6.0) if min <= 0.0 && follows_relu(trace, row) => return Ok(relu6(trace, node, row)),
        _ => Op::Unsupported(format!("Clip to {min}..{max}")),
    };
    Ok(trace.step(node, row, op))
}

/// `Max` with 0, which is a ReLU, or `Min` with 6 after one.
pub(super) fn bound(trace: &mut Trace, node: &Node, row: &Row, other: &Array) -> Clause<Row> {
    let all = |x: f64| Clause::Ok(other.floats(node)?.iter().all(|&y| y == x));
    match &node.op_type[..] {
        "Max" if all(0.0)? => Ok(trace.step(node, row, Op::Activate(Activation::Relu))),
        "Max" => Err(format!("{}: of another number than 0 is not supported", called(node))),
        _ if all(6.0)? && follows_relu(trace, row) => Ok(relu6(trace, node, row)),
        _ => Err(format!(
            "{}: of another number than 6, or of 6 without a Relu, is not supported",
            called(node)
        )),
    }
}

fn follows_relu(trace: &Trace, row: &Row) -> bool {
    matches!(trace.steps[row.at].op, Op::Activate(Activation::Relu))
}

/// The row after `min(max(x, 0), 6)`, whose `max` may have been a step of its own.
fn relu6(trace: &mut Trace, node: &Node, row: &Row) -> Row {
    let at = if follows_relu(trace, row) { trace.steps[row.at].from } else { row.at };
    trace.step(node, &Row { at, ..row.clone() }, Op::Activate(Activation::Relu6))
}

/// The product of a row and a clamped line of the same row, which is hard-swish; `None` if it is another operator or other
/// operands.
pub(in crate::import) fn product(
    trace: &mut Trace,
    node: &Node,
    inputs: &[Option<&Value>],
) -> Clause<Option<Row>> {
    let (&[Some(Value::Row(a)), Some(Value::Row(b))], "Mul") = (inputs, &node.op_type[..]) else {
        return Ok(None);
    };
    for (row, gate) in [(a, b), (b, a)] {
        let Some(ops) = trace.between(row.at, gate.at) else { continue };
        if let [Op::Activate(Activation::Sigmoid)] = ops[..] {
            return Err(refusal("Swish (SiLU), x * sigmoid(x),"));
        }
        let Some([slope, offset, factor]) = clamped_line(&ops) else { continue };
        if !near(slope, 1.0 / 6.0) || !near(offset, 0.5) {
            return Err(refusal(&format!("x * clamp({slope:.4} x + {offset:.4}, 0, 1)")));
        }
        let row = trace.step(node, row, Op::Activate(Activation::HardSwish));
        let rest = Affine { factor: vec![if near(factor, 1.0) { 1.0 } else { factor }], shift: vec![0.0] };
        return super::arithmetic::affine(trace, node, &row, rest).map(Some);
    }
    Ok(None)
}

/// Slope, offset and factor of `factor * clamp(slope * x + offset, 0, 1)`, if the steps make such a function.
fn clamped_line(ops: &[&Op]) -> Option<[f64; 3]> {
    let mut line = Affine::identity();
    let mut top = None;
    let mut factor = 1.0;
    for op in ops {
        match (op, top) {
            (Op::Affine(next), None) => line = line.then(next)?,
            (Op::Activate(Activation::Relu6), None) => top = Some(6.0),
            (&&Op::Clamp { slope, offset }, None) => {
                line = line.then(&Affine { factor: vec![slope], shift: vec![offset] })?;
                top = Some(1.0);
            }
            (Op::Affine(Affine { factor: f, shift }), Some(_)) if f.len() == 1 && shift[..] == [0.0] => {
                factor *= f[0];
            }
            _ => return None,
        }
    }
    let (&[slope], &[offset], top) = (&line.factor[..], &line.shift[..], top?) else { return None };
    Some([slope / top, offset / top, factor * top])
}

fn near(x: f64, expected: f64) -> bool {
    (x - expected).abs() <= TOLERANCE * expected.abs()
}
