//! Operators that change the shape of a value, and `Shape` itself.
//!
//! A value may take any shape as long as the batch stays its first dimension and the elements keep their order: then the
//! following layers get the same numbers.

use super::super::Clause;
use super::constant_folding::permutation;
use super::node::{called, expect};
use super::symbolic::{Row, Value};
use super::tensor::{Array, axes, elements, squeezed, unsqueezed};
use crate::files::onnx::Node;

/// A `Shape`. The batch stays unknown: a size that the graph fixes is only the one that it was exported with.
pub(super) fn shape(node: &Node, row: &Row) -> Clause<Value> {
    let dims = row.dims.as_ref().ok_or_else(|| format!("{} of an unknown shape", called(node)))?;
    let sizes = dims.iter().map(|&d| i64::try_from(d).ok());
    let sizes = Array::integers("a shape", [None].into_iter().chain(sizes).collect());
    Ok(Value::Constant(part(node, sizes)?))
}

/// The part of a shape that the attributes of a `Shape` select.
pub(super) fn part(node: &Node, sizes: Array) -> Clause<Array> {
    let rank = sizes.len() as i64;
    let bound = |name: &str, default: i64| {
        let n = node.attribute(name).map_or(default, |a| a.i);
        (if n < 0 { n.saturating_add(rank) } else { n }).clamp(0, rank) as usize
    };
    let (start, end) = (bound("start", 0), bound("end", rank));
    let values = sizes.integer_values(node)?;
    Ok(Array::integers(&sizes.name, values.get(start..end).unwrap_or_default().to_vec()))
}

/// The row in another shape, in which each image is still one row in the same order.
pub(super) fn apply(node: &Node, row: &Row, operand: Option<&Array>) -> Clause<Row> {
    let kept = |dims: Option<Vec<usize>>| Row { dims, ..row.clone() };
    let moved = || format!("{}: it does not keep one row for each image", called(node));
    // The dimensions with a marker for the batch.
    let with_batch = || {
        let dims = row.dims.as_ref().ok_or_else(|| format!("{} of an unknown shape", called(node)))?;
        Clause::Ok([&[usize::MAX], &dims[..]].concat())
    };
    let without_batch = |dims: Vec<usize>| match dims.split_first() {
        Some((&usize::MAX, rest)) => Ok(kept(Some(rest.to_vec()))),
        _ => Err(moved()),
    };
    match &node.op_type[..] {
        "Flatten" => flattened(node, row).map(kept),
        "Squeeze" => without_batch(squeezed(node, &with_batch()?, axes(node, operand)?.as_deref())?),
        "Unsqueeze" => {
            without_batch(unsqueezed(node, &with_batch()?, &axes(node, operand)?.unwrap_or_default())?)
        }
        "Transpose" => {
            let dims = with_batch()?;
            let perm = permutation(node, dims.len())?;
            let long: Vec<usize> = perm.iter().copied().filter(|&a| dims[a] != 1).collect();
            if perm.first() != Some(&0) || !long.is_sorted() {
                return Err(format!("{} puts the pixels of an image into another order", called(node)));
            }
            without_batch(perm.iter().map(|&a| dims[a]).collect())
        }
        _ => {
            let to = match operand {
                Some(array) => array.integer_values(node)?.to_vec(),
                None => node
                    .attribute("shape")
                    .map(|a| a.ints.iter().copied().map(Some).collect())
                    .unwrap_or_default(),
            };
            reshape(row, &to, node.integer("allowzero", 0) == 0).map(kept).ok_or_else(moved)
        }
    }
}

/// The dimensions after the batch of a `Flatten`. Another axis than 1 is the same if only dimensions of 1 lie between.
fn flattened(node: &Node, row: &Row) -> Clause<Option<Vec<usize>>> {
    let axis = node.integer("axis", 1);
    let Some(dims) = &row.dims else {
        expect(node, "axis", axis, 1)?;
        return Ok(None);
    };
    let counted = if axis < 0 { axis + 1 + dims.len() as i64 } else { axis };
    let ones = usize::try_from(counted - 1).ok().and_then(|n| dims.get(..n));
    if ones.is_none_or(|ones| ones.iter().any(|&d| d != 1)) {
        expect(node, "axis", axis, 1)?;
    }
    Ok(elements(dims).map(|n| vec![n]))
}

/// The dimensions after the batch of a `Reshape` to `to`; `None` if the batch is not kept.
#[allow(clippy::option_option)] // Dimensions may be unknown.
fn reshape(row: &Row, to: &[Option<i64>], keep_zeros: bool) -> Option<Option<Vec<usize>>> {
    let (first, rest) = to.split_first()?;
    let batch = match *first {
        None => true,
        Some(0) => keep_zeros,
        Some(-1) => false,
        Some(1) if row.batch.is_none() => true,
        Some(n) if row.batch == Some(n) => true,
        Some(_) => return None,
    };
    let features = match &row.dims {
        Some(dims) => Some(elements(dims)?),
        None => None,
    };
    let known = |(at, &d): (usize, &Option<i64>)| match d? {
        -1 => batch.then_some(0),
        0 if keep_zeros => row.dims.as_ref()?.get(at).copied(),
        d => usize::try_from(d).ok().filter(|&d| d > 0),
    };
    // A dimension to be inferred is 0 until it is known.
    let mut dims = rest.iter().enumerate().map(known).collect::<Option<Vec<_>>>()?;
    let open: Vec<usize> = (0..dims.len()).filter(|&n| dims[n] == 0).collect();
    match (&open[..], features) {
        ([], None) => {}
        ([], Some(features)) => {
            if elements(&dims)? != features {
                return None;
            }
        }
        (&[at], Some(features)) => {
            dims[at] = 1;
            let others = elements(&dims)?;
            if others == 0 || features % others != 0 {
                return None;
            }
            dims[at] = features / others;
        }
        (&[0], None) if dims.len() == 1 => return Some(None),
        _ => return None,
    }
    Some(Some(dims))
}
