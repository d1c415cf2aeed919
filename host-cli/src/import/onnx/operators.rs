//! Operators on values that depend on the image: dense layers and casts here, changes of shape in [`reshape`],
//! scaling in [`arithmetic`], element-wise functions in [`activations`].

use super::super::Clause;
use super::super::dense::Affine;
use super::node::{called, expect, required};
use super::symbolic::{Op, Row, Trace, Value, Weights, is_ml, unsupported};
use super::tensor::{Array, axis};
use super::{activations, arithmetic, reshape};
use crate::files::onnx::{Node, dtype};

/// Applies an operator to one row, which is among its inputs, and to constants.
pub(super) fn apply(trace: &mut Trace, node: &Node, row: &Row, inputs: &[Option<&Value>]) -> Clause<Value> {
    let first = matches!(inputs.first(), Some(Some(Value::Row(_))));
    let operand = |n: usize| match inputs.get(n) {
        Some(Some(Value::Constant(array))) => Some(array),
        _ => None,
    };
    if is_ml(node) {
        return match &node.op_type[..] {
            "Scaler" => arithmetic::scaler(trace, node, row),
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
        "Shape" => return reshape::shape(node, row),
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Transpose" => {
            if !first {
                return Err(format!("{} takes a shape that depends on the images", called(node)));
            }
            reshape::apply(node, row, operand(1))?
        }
        "Gemm" | "MatMul" => {
            if !first {
                return Err(format!("{}: the layer's input is not its first operand", called(node)));
            }
            dense(trace, node, row, operand(1), operand(2))?
        }
        "Add" | "Sub" | "Mul" | "Div" => {
            let array = required(node, operand(usize::from(first)))?;
            arithmetic::arithmetic(trace, node, row, first, array)?
        }
        "Neg" => arithmetic::affine(trace, node, row, Affine { factor: vec![-1.0], shift: vec![0.0] })?,
        "BatchNormalization" if first => {
            arithmetic::batch_normalization(trace, node, row, &[1, 2, 3, 4].map(operand))?
        }
        "Clip" if first => activations::clip(trace, node, row, operand(1), operand(2))?,
        "Max" | "Min" if inputs.len() == 2 => {
            activations::bound(trace, node, row, required(node, operand(usize::from(first)))?)?
        }
        _ => {
            let op = activations::of(node).ok_or_else(|| unsupported(node))?;
            trace.step(node, row, op)
        }
    };
    Ok(Value::Row(row))
}

/// Refuses a `Dropout` that is in training mode.
pub(super) fn drops_nothing(node: &Node, training_mode: Option<&Array>) -> Clause<()> {
    if training_mode.is_some_and(|t| t.known(node).is_ok_and(|t| t != [0])) {
        return Err(format!("{} drops in inference too; export the model in eval mode", called(node)));
    }
    Ok(())
}

/// A `Cast` that rounds no value that matters.
fn cast(trace: &mut Trace, node: &Node, row: &Row) -> Clause<Row> {
    match i32::try_from(node.integer("to", 0)).unwrap_or(0) {
        dtype::FLOAT | dtype::DOUBLE => Ok(Row { is_integer: false, ..row.clone() }),
        dtype::FLOAT16 | dtype::BFLOAT16 => {
            let note = "the graph computes in floats of 16 bits, the model in f32: their last digits differ";
            if !trace.notes.iter().any(|n| n == note) {
                trace.notes.push(note.into());
            }
            Ok(Row { is_integer: false, ..row.clone() })
        }
        dtype::INT32 | dtype::INT64 if row.is_integer => Ok(row.clone()),
        other => Err(format!(
            "{} rounds what it is given to {}, which no dense layer does",
            called(node),
            dtype::name(other)
        )),
    }
}

/// A `Gemm` or `MatMul` with constant weights.
fn dense(
    trace: &mut Trace,
    node: &Node,
    row: &Row,
    weights: Option<&Array>,
    bias: Option<&Array>,
) -> Clause<Row> {
    let weights = required(node, weights)?;
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
    Ok(Row { dims: Some([&vec![1; ones][..], &[outputs]].concat()), is_integer: false, ..after })
}

/// Refuses an axis other than that of the classes, the last one.
pub(super) fn expect_class_axis(node: &Node, row: &Row, default: i64) -> Clause<()> {
    let at = node.integer("axis", default);
    if let Some(dims) = &row.dims {
        let rank = dims.len() + 1;
        if axis(node, at, rank)? + 1 == rank {
            return Ok(());
        }
    }
    expect(node, "axis", if at == -1 { 1 } else { at }, 1)
}
