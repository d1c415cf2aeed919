//! Operators on constants alone, which exporters leave in a graph: they are carried out when it is read.
//!
//! What they may do is bounded by a [`Budget`], since a file of few bytes can ask for much.

use std::rc::Rc;

use half::{bf16, f16};

use super::super::Clause;
use super::array::{Array, Data, MADE, axes, axis, elements, squeezed, unsqueezed};
use super::proto::{Node, dtype};
use super::read::{called, expect};
use super::row::drops_nothing;

/// How many elements may still be written.
#[derive(Debug)]
pub(super) struct Budget(pub u64);

impl Budget {
    fn spend(&mut self, node: &Node, elements: usize) -> Clause<()> {
        let left = self.0.checked_sub(elements as u64 + 1);
        self.0 = left.ok_or_else(|| format!("{}: its graph computes too much of constants", called(node)))?;
        Ok(())
    }
}

/// The first output of an operator whose operands are all constants; `None` where the operator is not known.
pub(super) fn apply(node: &Node, operands: &[Option<&Array>], budget: &mut Budget) -> Clause<Option<Array>> {
    let operand = |n: usize| operands.get(n).copied().flatten();
    let first = operand(0).ok_or_else(|| format!("{} lacks an operand", called(node)))?;
    budget.spend(node, operands.len())?;
    Ok(Some(match &node.op_type[..] {
        "Identity" => first.clone(),
        "Dropout" => {
            drops_nothing(node, operand(2))?;
            first.clone()
        }
        "Reshape" => {
            let to = operand(1).map(|to| to.known(node)).transpose()?;
            let to = to.or_else(|| node.attribute("shape").map(|a| a.ints.clone())).unwrap_or_default();
            reshape(node, first, &to)?
        }
        "Flatten" => {
            let at = node.integer("axis", 1);
            let at = if at == first.dims.len() as i64 {
                first.dims.len()
            } else {
                axis(node, at, first.dims.len())?
            };
            let (rows, cols) = first.dims.split_at(at);
            let dims = elements(rows).zip(elements(cols));
            let (rows, cols) = dims.ok_or_else(|| format!("{} makes too much", called(node)))?;
            first.shaped(vec![rows, cols])
        }
        "Squeeze" => first.shaped(squeezed(node, &first.dims, axes(node, operand(1))?.as_deref())?),
        "Unsqueeze" => {
            first.shaped(unsqueezed(node, &first.dims, &axes(node, operand(1))?.unwrap_or_default())?)
        }
        "Shape" => {
            let sizes = first.dims.iter().map(|&d| i64::try_from(d).ok()).collect();
            super::arrange::part(node, Array::integers(&first.name, sizes))?
        }
        "Transpose" => {
            budget.spend(node, first.len())?;
            transpose(node, first)?
        }
        "Cast" => {
            budget.spend(node, first.len())?;
            cast(node, first)?
        }
        "Gather" => {
            let index = operand(1).ok_or_else(|| format!("{} lacks an operand", called(node)))?;
            budget.spend(node, index.len())?;
            gather(node, first, index)?
        }
        "Slice" => slice(node, first, operands)?,
        "Concat" => {
            let arrays = operands.iter().copied().flatten();
            arrays.clone().try_for_each(|a| one_dimension(node, a.dims.len() == 1, a))?;
            axis(node, node.integer("axis", 0), 1)?;
            budget.spend(node, arrays.clone().map(Array::len).sum())?;
            let values =
                arrays.map(|a| a.whole(node).map(|v| v.to_vec())).collect::<Clause<Vec<_>>>()?.concat();
            Array::integers(&first.name, values)
        }
        "ConstantOfShape" => filled(node, first, budget)?,
        "ReduceProd" => {
            one_dimension(node, first.dims.len() <= 1, first)?;
            if axes(node, operand(1))?.is_none_or(|axes| axes.is_empty()) {
                expect(node, "noop_with_empty_axes", node.integer("noop_with_empty_axes", 0), 0)?;
            }
            let product = first.known(node)?.iter().try_fold(1i64, |p, &v| p.checked_mul(v));
            let product = product.ok_or_else(|| format!("{} overflows", called(node)))?;
            let dims = if node.integer("keepdims", 1) == 1 { vec![1; first.dims.len()] } else { Vec::new() };
            Array { dims, ..Array::integers(&first.name, vec![Some(product)]) }
        }
        "Add" | "Sub" | "Mul" | "Div" | "Pow" => {
            let second = operand(1).ok_or_else(|| format!("{} lacks an operand", called(node)))?;
            let (dims, count) = broadcast(node, &first.dims, &second.dims)?;
            budget.spend(node, count)?;
            binary(node, first, second, dims)?
        }
        "Neg" | "Sqrt" | "Reciprocal" | "Exp" | "Abs" => {
            budget.spend(node, first.len())?;
            unary(node, first)?
        }
        _ => return Ok(None),
    }))
}

/// An operator whose axes need no telling apart, as on the sizes of a shape.
fn one_dimension(node: &Node, fits: bool, array: &Array) -> Clause<()> {
    if fits {
        return Ok(());
    }
    Err(format!("{}: of {} dimensions is not supported", called(node), array.dims.len()))
}

fn reshape(node: &Node, array: &Array, to: &[i64]) -> Clause<Array> {
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
    Ok(array.shaped(dims))
}

/// Where in a row-major array each element of `dims`, read with `strides`, lies.
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

/// How far apart neighbours along each axis lie.
fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for n in (1..dims.len()).rev() {
        strides[n - 1] = strides[n] * dims[n];
    }
    strides
}

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

fn transpose(node: &Node, array: &Array) -> Clause<Array> {
    let perm = permutation(node, array.dims.len())?;
    let strides = strides(&array.dims);
    let (dims, strides): (Vec<_>, Vec<_>) = perm.iter().map(|&a| (array.dims[a], strides[a])).unzip();
    Ok(pick(array, dims.clone(), positions(&dims, &strides)))
}

fn cast(node: &Node, array: &Array) -> Clause<Array> {
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

/// Of the first axis, as the sizes of a shape are taken.
fn gather(node: &Node, array: &Array, index: &Array) -> Clause<Array> {
    let count = *array.dims.first().ok_or_else(|| format!("{} takes of a scalar", called(node)))?;
    one_dimension(node, node.integer("axis", 0) == 0 && array.dims.len() == 1, array)?;
    let at = index.known(node)?.into_iter().map(|n| axis(node, n, count)).collect::<Clause<Vec<_>>>()?;
    Ok(pick(array, index.dims.clone(), at.into_iter()))
}

/// Of one dimension, by attributes or by operands.
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

fn filled(node: &Node, shape: &Array, budget: &mut Budget) -> Clause<Array> {
    let dims = shape.known(node)?.into_iter().map(|d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>();
    let count = dims.as_deref().and_then(elements);
    let (Some(dims), Some(count)) = (dims, count.filter(|&n| n <= MADE)) else {
        return Err(format!("{} makes too much", called(node)));
    };
    budget.spend(node, count)?;
    let value = node.attribute("value").and_then(|a| a.t.as_ref());
    let value = value.map(|t| super::values::array(t, None)).transpose()?;
    let data = match value.map(|v| v.data) {
        None => Data::Float(Rc::new(vec![0.0; count])),
        Some(Data::Float(v)) if v.len() == 1 => Data::Float(Rc::new(vec![v[0]; count])),
        Some(Data::Integer(v)) if v.len() == 1 => Data::Integer(Rc::new(vec![v[0]; count])),
        _ => return Err(format!("{} has a value that is none", called(node))),
    };
    Ok(Array { name: shape.name.clone(), dims, data })
}

/// The dimensions of what two arrays make element by element, and how many elements these are.
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
    let most = [a, b].into_iter().filter_map(elements).fold(MADE, usize::max);
    let count = elements(&dims).filter(|&n| n <= most);
    let count = count.ok_or_else(|| format!("{} makes too much", called(node)))?;
    Ok((dims, count))
}

/// Where each element of `dims` is taken from in an array that is broadcast to it.
fn spread(from: &[usize], dims: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let own = strides(from);
    let skipped = dims.len() - from.len();
    let stride = |n: usize| n.checked_sub(skipped).map_or(0, |at| if from[at] == 1 { 0 } else { own[at] });
    positions(dims, &(0..dims.len()).map(stride).collect::<Vec<_>>())
}

fn binary(node: &Node, a: &Array, b: &Array, dims: Vec<usize>) -> Clause<Array> {
    // The name of the larger one, which a layer is called by.
    let name = if a.len() >= b.len() { &a.name } else { &b.name }.clone();
    let pairs = spread(&a.dims, &dims).zip(spread(&b.dims, &dims));
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

/// Integers stay integers, since a `Div` of such cuts the fraction off.
fn unary(node: &Node, array: &Array) -> Clause<Array> {
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
