//! Constant folding: exporters leave operators on constants alone in a graph, which are evaluated when it is read.
//!
//! A [`FoldingLimit`] bounds the work, since a file of few bytes can ask for much.

use std::rc::Rc;

use half::{bf16, f16};

use super::super::Clause;
use super::node::{called, expect, required};
use super::operators::drops_nothing;
use super::tensor::{Array, Data, MAX_COMPUTED_ELEMENTS, axes, axis, elements, squeezed, unsqueezed};
use crate::files::onnx::{Node, dtype};

/// The number of elements that may still be written.
#[derive(Debug)]
pub(in crate::import) struct FoldingLimit(pub u64);

impl FoldingLimit {
    fn spend(&mut self, node: &Node, elements: usize) -> Clause<()> {
        let remaining = self.0.checked_sub(elements as u64 + 1);
        self.0 =
            remaining.ok_or_else(|| format!("{}: its graph computes too much of constants", called(node)))?;
        Ok(())
    }
}

/// The first output of an operator on constants; `None` if the operator is not known.
pub(super) fn apply(
    node: &Node,
    operands: &[Option<&Array>],
    limit: &mut FoldingLimit,
) -> Clause<Option<Array>> {
    let operand = |n: usize| operands.get(n).copied().flatten();
    let first = required(node, operand(0))?;
    limit.spend(node, operands.len())?;
    let folded = match &node.op_type[..] {
        "Identity" => first.clone(),
        "Dropout" => {
            drops_nothing(node, operand(2))?;
            first.clone()
        }
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => first.shaped(dims_after(node, first, operand(1))?),
        "Shape" => {
            let sizes = first.dims.iter().map(|&d| i64::try_from(d).ok()).collect();
            super::reshape::part(node, Array::integers(&first.name, sizes))?
        }
        "Transpose" => transpose(node, first, limit)?,
        "Cast" => cast(node, first, limit)?,
        "Gather" => gather(node, first, required(node, operand(1))?, limit)?,
        "Slice" => slice(node, first, operands)?,
        "Concat" => concat(node, first, operands, limit)?,
        "ConstantOfShape" => constant_of_shape(node, first, limit)?,
        "ReduceProd" => reduce_prod(node, first, operand(1))?,
        "Add" | "Sub" | "Mul" | "Div" | "Pow" => binary(node, first, required(node, operand(1))?, limit)?,
        "Neg" | "Sqrt" | "Reciprocal" | "Exp" | "Abs" => unary(node, first, limit)?,
        _ => return Ok(None),
    };
    Ok(Some(folded))
}

/// The dimensions of a constant after an operator that keeps the order of its elements.
fn dims_after(node: &Node, array: &Array, operand: Option<&Array>) -> Clause<Vec<usize>> {
    match &node.op_type[..] {
        "Squeeze" => squeezed(node, &array.dims, axes(node, operand)?.as_deref()),
        "Unsqueeze" => unsqueezed(node, &array.dims, &axes(node, operand)?.unwrap_or_default()),
        "Flatten" => {
            let (at, rank) = (node.integer("axis", 1), array.dims.len());
            let at = if at == rank as i64 { rank } else { axis(node, at, rank)? };
            let (rows, cols) = array.dims.split_at(at);
            let dims = elements(rows).zip(elements(cols));
            let (rows, cols) = dims.ok_or_else(|| format!("{} makes too much", called(node)))?;
            Ok(vec![rows, cols])
        }
        _ => {
            let to = operand.map(|to| to.known(node)).transpose()?;
            let to = to.or_else(|| node.attribute("shape").map(|a| a.ints.clone())).unwrap_or_default();
            reshaped(node, array, &to)
        }
    }
}

/// Refuses an array for which the operator would have to tell its axes apart; computations with shapes need one axis.
fn one_dimension(node: &Node, fits: bool, array: &Array) -> Clause<()> {
    if fits {
        return Ok(());
    }
    Err(format!("{}: of {} dimensions is not supported", called(node), array.dims.len()))
}

/// The dimensions after a `Reshape` to `to`.
fn reshaped(node: &Node, array: &Array, to: &[i64]) -> Clause<Vec<usize>> {
    let wrong =
        || format!("{}: {} of shape {:?} does not become {to:?}", called(node), array.name, array.dims);
    let keep = node.integer("allowzero", 0) == 0;
    let known = |(at, &d): (usize, &i64)| match d {
        0 if keep => array.dims.get(at).copied().ok_or_else(wrong),
        -1 => Ok(1),
        d => usize::try_from(d).map_err(|_| wrong()),
    };
    let mut dims = to.iter().enumerate().map(known).collect::<Clause<Vec<_>>>()?;
    let product = elements(&dims).ok_or_else(wrong)?;
    if let Some(at) = to.iter().position(|&d| d == -1) {
        dims[at] = array.len().checked_div(product).ok_or_else(wrong)?;
    }
    if elements(&dims) != Some(array.len()) || to.iter().filter(|&&d| d == -1).count() > 1 {
        return Err(wrong());
    }
    Ok(dims)
}

/// The position in a row-major array of each element of `dims`, read with `strides`.
fn positions(dims: &[usize], strides: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let (dims, strides) = (dims.to_vec(), strides.to_vec());
    let count: usize = dims.iter().product();
    (0..count).map(move |mut n| {
        let mut at = 0;
        for (&d, &stride) in dims.iter().zip(&strides).rev() {
            at += n % d * stride;
            n /= d;
        }
        at
    })
}

/// The distances between neighbours along each axis.
fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for n in (1..dims.len()).rev() {
        strides[n - 1] = strides[n] * dims[n];
    }
    strides
}

/// The elements at some positions, as an array of `dims`.
fn pick(array: &Array, dims: Vec<usize>, at: impl Iterator<Item = usize>) -> Array {
    let data = match &array.data {
        Data::Float(values) => Data::Float(Rc::new(at.map(|n| values[n]).collect())),
        Data::Integer(values) => Data::Integer(Rc::new(at.map(|n| values[n]).collect())),
        Data::Text(values) => Data::Text(Rc::new(at.map(|n| values[n].clone()).collect())),
    };
    Array { name: array.name.clone(), dims, data }
}

/// The axes of a `Transpose` of `rank` dimensions.
pub(super) fn permutation(node: &Node, rank: usize) -> Clause<Vec<usize>> {
    let Some(perm) = node.attribute("perm") else { return Ok((0..rank).rev().collect()) };
    let perm = perm.ints.iter().map(|&a| axis(node, a, rank)).collect::<Clause<Vec<_>>>()?;
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    if sorted != (0..rank).collect::<Vec<_>>() {
        return Err(format!("{} has perm {perm:?} of {rank} dimensions", called(node)));
    }
    Ok(perm)
}

fn transpose(node: &Node, array: &Array, limit: &mut FoldingLimit) -> Clause<Array> {
    limit.spend(node, array.len())?;
    let perm = permutation(node, array.dims.len())?;
    let strides = strides(&array.dims);
    let (dims, strides): (Vec<_>, Vec<_>) = perm.iter().map(|&a| (array.dims[a], strides[a])).unzip();
    Ok(pick(array, dims.clone(), positions(&dims, &strides)))
}

fn cast(node: &Node, array: &Array, limit: &mut FoldingLimit) -> Clause<Array> {
    limit.spend(node, array.len())?;
    let to = i32::try_from(node.integer("to", 0)).unwrap_or(0);
    let round: fn(f64) -> f64 = match to {
        dtype::FLOAT => |x| f64::from(x as f32),
        dtype::DOUBLE => |x| x,
        dtype::FLOAT16 => |x| f16::from_f64(x).to_f64(),
        dtype::BFLOAT16 => |x| bf16::from_f64(x).to_f64(),
        dtype::INT32 | dtype::INT64 => {
            let integer = match &array.data {
                Data::Float(values) => {
                    Data::Integer(Rc::new(values.iter().map(|&x| Some(x as i64)).collect()))
                }
                other => other.clone(),
            };
            return Ok(Array { data: integer, ..array.clone() });
        }
        other => return Err(format!("{} to {} is not supported", called(node), dtype::name(other))),
    };
    let values = array.numbers(node)?.iter().map(|&x| round(x)).collect();
    Ok(Array { data: Data::Float(Rc::new(values)), ..array.clone() })
}

/// A `Gather` from an array of one dimension, such as a shape.
fn gather(node: &Node, array: &Array, index: &Array, limit: &mut FoldingLimit) -> Clause<Array> {
    limit.spend(node, index.len())?;
    let count = *array.dims.first().ok_or_else(|| format!("{} takes of a scalar", called(node)))?;
    one_dimension(node, node.integer("axis", 0) == 0 && array.dims.len() == 1, array)?;
    let at = index.known(node)?.into_iter().map(|n| axis(node, n, count)).collect::<Clause<Vec<_>>>()?;
    Ok(pick(array, index.dims.clone(), at.into_iter()))
}

/// A `Slice` of an array of one dimension, whose bounds are attributes or operands.
fn slice(node: &Node, array: &Array, operands: &[Option<&Array>]) -> Clause<Array> {
    let list = |n: usize, name: &str, default: i64| match operands.get(n).copied().flatten() {
        Some(array) => array.known(node),
        None => Ok(node.attribute(name).map_or(vec![default], |a| a.ints.clone())),
    };
    let (starts, ends) = (list(1, "starts", 0)?, list(2, "ends", i64::MAX)?);
    let (axes, steps) = (list(3, "axes", 0)?, list(4, "steps", 1)?);
    let (&[count], &[start], &[end], &[0], &[1]) =
        (&array.dims[..], &starts[..], &ends[..], &axes[..], &steps[..])
    else {
        return Err(format!("{} is not one of one dimension and of steps of 1", called(node)));
    };
    let clamp = |n: i64| {
        let n = if n < 0 { n.saturating_add(count as i64) } else { n };
        n.clamp(0, count as i64) as usize
    };
    let (start, end) = (clamp(start), clamp(end));
    let end = end.max(start);
    Ok(pick(array, vec![end - start], start..end))
}

/// A `Concat` of arrays of integers of one dimension.
fn concat(
    node: &Node,
    first: &Array,
    operands: &[Option<&Array>],
    limit: &mut FoldingLimit,
) -> Clause<Array> {
    let arrays = operands.iter().copied().flatten();
    arrays.clone().try_for_each(|a| one_dimension(node, a.dims.len() == 1, a))?;
    axis(node, node.integer("axis", 0), 1)?;
    limit.spend(node, arrays.clone().map(Array::len).sum())?;
    let values =
        arrays.map(|a| a.integer_values(node).map(|v| v.to_vec())).collect::<Clause<Vec<_>>>()?.concat();
    Ok(Array::integers(&first.name, values))
}

/// The product of the integers of an array of one dimension.
fn reduce_prod(node: &Node, array: &Array, operand: Option<&Array>) -> Clause<Array> {
    one_dimension(node, array.dims.len() <= 1, array)?;
    if axes(node, operand)?.is_none_or(|axes| axes.is_empty()) {
        expect(node, "noop_with_empty_axes", node.integer("noop_with_empty_axes", 0), 0)?;
    }
    let product = array.known(node)?.iter().try_fold(1i64, |p, &v| p.checked_mul(v));
    let product = product.ok_or_else(|| format!("{} overflows", called(node)))?;
    let dims = if node.integer("keepdims", 1) == 1 { vec![1; array.dims.len()] } else { Vec::new() };
    Ok(Array { dims, ..Array::integers(&array.name, vec![Some(product)]) })
}

fn constant_of_shape(node: &Node, shape: &Array, limit: &mut FoldingLimit) -> Clause<Array> {
    let dims = shape.known(node)?.into_iter().map(|d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>();
    let count = dims.as_deref().and_then(elements);
    let (Some(dims), Some(count)) = (dims, count.filter(|&n| n <= MAX_COMPUTED_ELEMENTS)) else {
        return Err(format!("{} makes too much", called(node)));
    };
    limit.spend(node, count)?;
    let value = node.attribute("value").and_then(|a| a.t.as_ref());
    let value = value.map(|t| super::initializer::array(t, None)).transpose()?;
    let data = match value.map(|v| v.data) {
        None => Data::Float(Rc::new(vec![0.0; count])),
        Some(Data::Float(v)) if v.len() == 1 => Data::Float(Rc::new(vec![v[0]; count])),
        Some(Data::Integer(v)) if v.len() == 1 => Data::Integer(Rc::new(vec![v[0]; count])),
        _ => return Err(format!("{} has a value that is none", called(node))),
    };
    Ok(Array { name: shape.name.clone(), dims, data })
}

/// The common dimensions of two arrays after broadcasting, and the number of elements.
fn broadcast(node: &Node, a: &[usize], b: &[usize]) -> Clause<(Vec<usize>, usize)> {
    let wrong = || format!("{}: shapes {a:?} and {b:?} do not go together", called(node));
    let rank = a.len().max(b.len());
    let of = |dims: &[usize], n: usize| (n + dims.len()).checked_sub(rank).map_or(1, |at| dims[at]);
    let pair = |n: usize| match (of(a, n), of(b, n)) {
        (x, y) if x == y || y == 1 => Ok(x),
        (1, y) => Ok(y),
        _ => Err(wrong()),
    };
    let dims = (0..rank).map(pair).collect::<Clause<Vec<_>>>()?;
    let most = [a, b].into_iter().filter_map(elements).fold(MAX_COMPUTED_ELEMENTS, usize::max);
    let count = elements(&dims).filter(|&n| n <= most);
    let count = count.ok_or_else(|| format!("{} makes too much", called(node)))?;
    Ok((dims, count))
}

/// The position in an array of each element of `dims`, to which the array is broadcast.
fn broadcast_positions(from: &[usize], dims: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let own = strides(from);
    let skipped = dims.len() - from.len();
    let stride = |n: usize| n.checked_sub(skipped).map_or(0, |at| if from[at] == 1 { 0 } else { own[at] });
    positions(dims, &(0..dims.len()).map(stride).collect::<Vec<_>>())
}

/// An operator on two arrays, element by element.
fn binary(node: &Node, a: &Array, b: &Array, limit: &mut FoldingLimit) -> Clause<Array> {
    let (dims, count) = broadcast(node, &a.dims, &b.dims)?;
    limit.spend(node, count)?;
    // The name of the larger array, which may be a layer's weights.
    let name = if a.len() >= b.len() { &a.name } else { &b.name }.clone();
    let pairs = broadcast_positions(&a.dims, &dims).zip(broadcast_positions(&b.dims, &dims));
    let op = &node.op_type[..];
    let data = match (&a.data, &b.data) {
        (Data::Integer(a), Data::Integer(b)) => {
            let of = |(m, n): (usize, usize)| match (op, a[m]?, b[n]?) {
                ("Add", x, y) => x.checked_add(y),
                ("Sub", x, y) => x.checked_sub(y),
                ("Mul", x, y) => x.checked_mul(y),
                ("Div", x, y) => x.checked_div(y),
                _ => None,
            };
            let values = pairs.map(of).collect::<Option<Vec<_>>>();
            let values = values.ok_or_else(|| format!("{}: of the batch, or too large", called(node)))?;
            Data::Integer(Rc::new(values.into_iter().map(Some).collect()))
        }
        _ => {
            let (a, b) = (a.numbers(node)?, b.numbers(node)?);
            let of = |(m, n): (usize, usize)| match (op, a[m], b[n]) {
                ("Add", x, y) => x + y,
                ("Sub", x, y) => x - y,
                ("Mul", x, y) => x * y,
                ("Div", x, y) => x / y,
                (_, x, y) => x.powf(y),
            };
            Data::Float(Rc::new(pairs.map(of).collect()))
        }
    };
    Ok(Array { name, dims, data })
}

/// An operator on the elements of one array. Integers stay integers, since a `Div` of integers drops the fraction.
fn unary(node: &Node, array: &Array, limit: &mut FoldingLimit) -> Clause<Array> {
    limit.spend(node, array.len())?;
    if matches!(array.data, Data::Integer(_)) {
        let of = match &node.op_type[..] {
            "Neg" => i64::checked_neg,
            "Abs" => i64::checked_abs,
            _ => return Err(format!("{}: {} is of integers, expected FLOAT", called(node), array.name)),
        };
        let values = array.known(node)?.into_iter().map(|x| of(x).map(Some)).collect::<Option<Vec<_>>>();
        let values = values.ok_or_else(|| format!("{} overflows", called(node)))?;
        return Ok(Array { data: Data::Integer(Rc::new(values)), ..array.clone() });
    }
    let of: fn(f64) -> f64 = match &node.op_type[..] {
        "Neg" => |x| -x,
        "Sqrt" => f64::sqrt,
        "Reciprocal" => f64::recip,
        "Exp" => f64::exp,
        _ => f64::abs,
    };
    let values = array.numbers(node)?.iter().map(|&x| of(x)).collect();
    Ok(Array { data: Data::Float(Rc::new(values)), ..array.clone() })
}
