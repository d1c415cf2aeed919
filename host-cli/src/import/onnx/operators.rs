//! What operators do to a row of each image: multiply it by a layer's weights, cut it at 0; or arrange it ([`arrange`]) and
//! scale it ([`scale`]).

use super::super::Clause;
use super::super::affine::Affine;
use super::array::{Array, axis};
use super::proto::{Node, dtype};
use super::read::{called, expect};
use super::trace::{Op, Row, Trace, Value, Weights, is_ml, unsupported};
use super::{arrange, scale};

/// An operator of one row, which is among its inputs, and of constants.
pub(super) fn apply(trace: &mut Trace, node: &Node, row: &Row, inputs: &[Option<&Value>]) -> Clause<Value> {
    let first = matches!(inputs.first(), Some(Some(Value::Row(_))));
    let operand = |n: usize| match inputs.get(n) {
        Some(Some(Value::Constant(array))) => Some(array),
        _ => None,
    };
    if is_ml(node) {
        return match &node.op_type[..] {
            "Scaler" => scale::scaler(trace, node, row),
            _ => Err(unsupported(node)),
        };
    }
    let row = match &node.op_type[..] {
        "Identity" => row.clone(),
        "Dropout" => {
            drops_nothing(node, operand(2))?;
            row.clone()
        }
        "Cast" => cast(trace, node, row)?,
        "Shape" => return arrange::shape(node, row),
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Transpose" => {
            if !first {
                return Err(format!("{} takes a shape that depends on the images", called(node)));
            }
            arrange::apply(node, row, operand(1))?
        }
        "Gemm" | "MatMul" => {
            if !first {
                return Err(format!("{}: the layer's input is not its first operand", called(node)));
            }
            dense(trace, node, row, operand(1), operand(2))?
        }
        "Add" | "Sub" | "Mul" | "Div" => {
            let array =
                operand(usize::from(first)).ok_or_else(|| format!("{} lacks an operand", called(node)))?;
            scale::arithmetic(trace, node, row, first, array)?
        }
        "Neg" => scale::affine(trace, node, row, Affine { factor: vec![-1.0], shift: vec![0.0] })?,
        "BatchNormalization" if first => {
            scale::batch_normalization(trace, node, row, &[1, 2, 3, 4].map(operand))?
        }
        "Relu" => trace.step(node, row, Op::Relu),
        "Clip" if first => clip(trace, node, row, operand(1), operand(2))?,
        "LeakyRelu" if node.float("alpha", 0.01) == 0.0 => trace.step(node, row, Op::Relu),
        "Max" if inputs.len() == 2 => {
            let other = operand(usize::from(first));
            let other = other.ok_or_else(|| format!("{} lacks an operand", called(node)))?;
            if other.floats(node)?.iter().any(|&x| x != 0.0) {
                return Err(format!("{}: of another number than 0 is not supported", called(node)));
            }
            trace.step(node, row, Op::Relu)
        }
        op @ ("Sigmoid" | "Tanh" | "LeakyRelu" | "PRelu" | "Elu" | "Selu" | "Celu" | "Gelu"
        | "HardSigmoid" | "HardSwish" | "Softplus" | "Softsign" | "Mish" | "Erf" | "Swish"
        | "ThresholdedRelu") => trace.step(node, row, Op::Activation(op.into())),
        _ => return Err(unsupported(node)),
    };
    Ok(Value::Row(row))
}

/// A `Dropout` whose `training_mode` is not set.
pub(super) fn drops_nothing(node: &Node, training_mode: Option<&Array>) -> Clause<()> {
    if training_mode.is_some_and(|t| t.known(node).is_ok_and(|t| t != [0])) {
        return Err(format!("{} drops in inference too; export the model in eval mode", called(node)));
    }
    Ok(())
}

fn cast(trace: &mut Trace, node: &Node, row: &Row) -> Clause<Row> {
    match i32::try_from(node.integer("to", 0)).unwrap_or(0) {
        dtype::FLOAT | dtype::DOUBLE => Ok(Row { whole: false, ..row.clone() }),
        dtype::FLOAT16 | dtype::BFLOAT16 => {
            let note = "the graph computes in floats of 16 bits, the model in f32: their last digits differ";
            if !trace.notes.iter().any(|n| n == note) {
                trace.notes.push(note.into());
            }
            Ok(Row { whole: false, ..row.clone() })
        }
        dtype::INT32 | dtype::INT64 if row.whole => Ok(row.clone()),
        other => Err(format!(
            "{} rounds what it is given to {}, which no dense layer does",
            called(node),
            dtype::name(other)
        )),
    }
}

fn dense(
    trace: &mut Trace,
    node: &Node,
    row: &Row,
    weights: Option<&Array>,
    bias: Option<&Array>,
) -> Clause<Row> {
    let weights = weights.ok_or_else(|| format!("{} lacks an operand", called(node)))?;
    let &[rows, cols] = &weights.dims[..] else {
        return Err(format!("{} has shape {:?}, expected two dimensions", weights.name, weights.dims));
    };
    weights.floats(node)?;
    let gemm = node.op_type == "Gemm";
    if gemm {
        expect(node, "transA", node.integer("transA", 0), 0)?;
    }
    let transposed = !gemm || node.integer("transB", 0) == 0;
    let (inputs, outputs) = if transposed { (rows, cols) } else { (cols, rows) };
    let dims = row.dims.as_deref();
    if let Some((&last, others)) = dims.and_then(<[usize]>::split_last) {
        if others.iter().any(|&d| d != 1) || gemm && !others.is_empty() {
            return Err(format!("{}: the input has more than two dimensions and no Flatten", called(node)));
        }
        if last != inputs {
            return Err(format!(
                "{} has {inputs} inputs, but the value in front of it has {last}",
                weights.name
            ));
        }
    } else if dims.is_some() {
        return Err(format!("{}: the input has fewer than two dimensions", called(node)));
    }
    let (alpha, beta) = if gemm { (node.float("alpha", 1.0), node.float("beta", 1.0)) } else { (1.0, 1.0) };
    if let Some(bias) = bias {
        let fits = matches!(&bias.dims[..], [] | [1] | [1, 1])
            || matches!(&bias.dims[..], [o] | [1, o] if *o == outputs);
        if !fits {
            return Err(format!("{} has shape {:?}, expected [{outputs}]", bias.name, bias.dims));
        }
        bias.floats(node)?;
    }
    let layer = Weights {
        weights: weights.clone(),
        transposed,
        alpha: alpha.into(),
        bias: bias.map(|b| (b.clone(), beta.into())),
    };
    let after = trace.step(node, row, Op::Dense(layer));
    let ones = dims.map_or(0, |d| d.len() - 1);
    Ok(Row { dims: Some([&vec![1; ones][..], &[outputs]].concat()), whole: false, ..after })
}

/// A `Clip` to 0 and more, by attributes or by operands.
fn clip(trace: &mut Trace, node: &Node, row: &Row, min: Option<&Array>, max: Option<&Array>) -> Clause<Row> {
    let bound = |operand: Option<&Array>, name: &str, none: f64| match operand {
        Some(array) => array.scalar(node),
        None => Ok(node.attribute(name).map_or(none, |a| a.f.into())),
    };
    let (min, max) = (bound(min, "min", f64::NEG_INFINITY)?, bound(max, "max", f64::INFINITY)?);
    if min == 0.0 && max >= f64::from(f32::MAX) {
        return Ok(trace.step(node, row, Op::Relu));
    }
    if min <= f64::from(f32::MIN) && max >= f64::from(f32::MAX) {
        return Ok(row.clone());
    }
    Ok(trace.step(node, row, Op::Activation(format!("Clip to {min}..{max}"))))
}

/// An axis that has to be that of the classes: the last of two.
pub(super) fn of_classes(node: &Node, row: &Row, default: i64) -> Clause<()> {
    let at = node.integer("axis", default);
    if let Some(dims) = &row.dims {
        let rank = dims.len() + 1;
        if axis(node, at, rank)? + 1 == rank {
            return Ok(());
        }
    }
    expect(node, "axis", if at == -1 { 1 } else { at }, 1)
}
