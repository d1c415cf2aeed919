//! Operators that scale and shift each image's elements by constants: arithmetic, batch normalisation, scikit-learn's
//! scalers.

use selvedge::Activation;
use selvedge::shape::MAX_WIDTH;

use super::super::Clause;
use super::super::batch_norm::BatchNorm;
use super::super::dense::Affine;
use super::node::{called, expect, required};
use super::symbolic::{Op, Row, Trace, Value};
use super::tensor::{Array, elements};
use crate::files::onnx::Node;

/// The row after an affine map.
pub(in crate::import) fn affine(trace: &mut Trace, node: &Node, row: &Row, step: Affine) -> Clause<Row> {
    if row.is_integer {
        return Err(format!("{} computes with integers, in front of a Cast to floats", called(node)));
    }
    if step.factor.iter().chain(&step.shift).any(|x| !x.is_finite()) {
        return Err(format!("{}: what it multiplies or adds is not finite", called(node)));
    }
    if step.is_identity() {
        return Ok(row.clone());
    }
    Ok(trace.step(node, row, Op::Affine(step)))
}

/// `Add`, `Sub`, `Mul` or `Div` of a row and a constant, the row being the first operand if `first`.
pub(super) fn arithmetic(
    trace: &mut Trace,
    node: &Node,
    row: &Row,
    first: bool,
    array: &Array,
) -> Clause<Row> {
    let values = broadcast(node, row, array)?;
    let zero = vec![0.0];
    let step = match (&node.op_type[..], first) {
        ("Add", _) => Affine { factor: vec![1.0], shift: values },
        ("Sub", true) => Affine { factor: vec![1.0], shift: values.iter().map(|v| -v).collect() },
        ("Sub", false) => {
            let sigmoid = matches!(&trace.steps[row.at].op, Op::Activate(Activation::Sigmoid));
            if sigmoid && values == [1.0] {
                return Ok(trace.step(node, row, Op::Complement));
            }
            Affine { factor: vec![-1.0], shift: values }
        }
        ("Mul", _) => Affine { factor: values, shift: zero },
        ("Div", true) => Affine { factor: values.iter().map(|v| v.recip()).collect(), shift: zero },
        _ => {
            return Err(format!(
                "{} divides by what the image makes, which no dense layer does",
                called(node)
            ));
        }
    };
    let after = affine(trace, node, row, step)?;
    if node.op_type == "Add" && after.at != row.at {
        trace.steps[after.at].bias = Some(array.name.clone());
    }
    Ok(after)
}

/// A constant broadcast to a row: one element for each of the row's, or one for all.
pub(in crate::import) fn broadcast(node: &Node, row: &Row, array: &Array) -> Clause<Vec<f64>> {
    let values = array.floats(node)?;
    if values.len() == 1 {
        return Ok(values.to_vec());
    }
    let wrong = || {
        format!(
            "{}: {} of shape {:?} does not go with a row of {:?}",
            called(node),
            array.name,
            array.dims,
            row.dims
        )
    };
    let Some(dims) = &row.dims else {
        return match &array.dims[..] {
            [_] | [1, _] => Ok(values.to_vec()),
            _ => Err(wrong()),
        };
    };
    let mut own = &array.dims[..];
    while own.len() > dims.len() {
        // The leading dimension is the batch, over which a constant does not vary.
        let Some((1, rest)) = own.split_first() else { return Err(wrong()) };
        own = rest;
    }
    let width = elements(dims).filter(|&w| w <= MAX_WIDTH).ok_or_else(wrong)?;
    let skipped = dims.len() - own.len();
    let mut strides = vec![0; dims.len()];
    let mut stride = 1;
    for n in (0..own.len()).rev() {
        if own[n] != 1 && own[n] != dims[n + skipped] {
            return Err(wrong());
        }
        strides[n + skipped] = if own[n] == 1 { 0 } else { stride };
        stride *= own[n];
    }
    let at = |mut n: usize| {
        dims.iter().zip(&strides).rev().fold(0, |at, (&d, &stride)| {
            let here = n % d * stride;
            n /= d;
            at + here
        })
    };
    Ok((0..width).map(|n| values[at(n)]).collect())
}

/// `BatchNormalization` with the statistics of the training set, for each channel.
pub(super) fn batch_normalization(
    trace: &mut Trace,
    node: &Node,
    row: &Row,
    operands: &[Option<&Array>; 4],
) -> Clause<Row> {
    expect(node, "training_mode", node.integer("training_mode", 0), 0)?;
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let values = |n: usize| required(node, operands[n])?.floats(node);
    let (scale, bias, mean, variance) = (values(0)?, values(1)?, values(2)?, values(3)?);
    let channels = scale.len();
    let inner = row.dims.as_ref().and_then(|d| elements(d.get(1..)?)).unwrap_or(1);
    let fits = row.dims.as_ref().is_none_or(|d| d.first() == Some(&channels));
    let same = [&bias, &mean, &variance].iter().all(|v| v.len() == channels);
    if !fits || !same || channels.checked_mul(inner).is_none_or(|w| w > MAX_WIDTH) {
        return Err(format!(
            "{} is not of as many channels as the row {:?} in front of it",
            called(node),
            row.dims
        ));
    }
    let norm = BatchNorm { gamma: &scale, beta: &bias, mean: &mean, variance: &variance, epsilon };
    let Affine { factor, shift } = norm.to_affine();
    let each =
        |channels: Vec<f64>| channels.into_iter().flat_map(|x| std::iter::repeat_n(x, inner)).collect();
    let step = Affine { factor: each(factor), shift: each(shift) };
    affine(trace, node, row, step)
}

/// The scalers of scikit-learn: `(x - offset) * scale`.
pub(super) fn scaler(trace: &mut Trace, node: &Node, row: &Row) -> Clause<Value> {
    let list = |name: &str, default: f64| {
        let values = node.attribute(name).map(|a| a.floats.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        values.filter(|v| !v.is_empty()).unwrap_or(vec![default])
    };
    let (offset, factor) = (list("offset", 0.0), list("scale", 1.0));
    let width = offset.len().max(factor.len());
    let at = |v: &[f64], n: usize| if v.len() == 1 { v[0] } else { v[n] };
    if [&offset, &factor].iter().any(|v| v.len() != 1 && v.len() != width)
        || row.dims.as_ref().is_some_and(|d| width != 1 && **d != [width])
    {
        return Err(format!("{} is not of as many columns as the row {:?}", called(node), row.dims));
    }
    let shift = (0..width).map(|n| -at(&offset, n) * at(&factor, n)).collect();
    // Its output is of floats, whatever its input.
    let row = Row { is_integer: false, ..row.clone() };
    affine(trace, node, &row, Affine { factor, shift }).map(Value::Row)
}
