//! Operators that arrange a row of each image anew, and what they are told of shapes.
//!
//! A row may take any shape as long as the batch stays its first dimension and the elements keep their order: then the layers
//! that follow see the same numbers.

use super::super::Clause;
use super::array::{Array, axes, elements, squeezed, unsqueezed};
use super::constant::permutation;
use super::proto::Node;
use super::read::{called, expect};
use super::trace::{Row, Value};

/// The sizes of a row's dimensions, of which the batch is not known: what the graph fixes is no more than the one that it was
/// exported with.
pub(super) fn shape(node: &Node, row: &Row) -> Clause<Value> {
    let dims = row.dims.as_ref().ok_or_else(|| format!("{} of an unknown shape", called(node)))?;
    let sizes = dims.iter().map(|&d| i64::try_from(d).ok());
    let sizes = Array::integers("a shape", [None].into_iter().chain(sizes).collect());
    Ok(Value::Constant(part(node, sizes)?))
}

/// The part of a shape that a `Shape` asks for.
pub(super) fn part(node: &Node, sizes: Array) -> Clause<Array> {
    let rank = sizes.len() as i64;
    let bound = |name: &str, default: i64| {
        let n = node.attribute(name).map_or(default, |a| a.i);
        (if n < 0 { n.saturating_add(rank) } else { n }).clamp(0, rank) as usize
    };
    let (start, end) = (bound("start", 0), bound("end", rank));
    let values = sizes.whole(node)?;
    Ok(Array::integers(&sizes.name, values.get(start..end).unwrap_or_default().to_vec()))
}

/// The row in another arrangement, in which each image is still one row in the same order.
pub(super) fn apply(node: &Node, row: &Row, operand: Option<&Array>) -> Clause<Row> {
    let kept = |dims: Option<Vec<usize>>| Row { dims, ..row.clone() };
    let moved = || format!("{}: it does not keep one row for each image", called(node));
    // Behind the batch, as dimensions of which the first is taken for it.
    let whole = || {
        let dims = row.dims.as_ref().ok_or_else(|| format!("{} of an unknown shape", called(node)))?;
        Clause::Ok([&[usize::MAX], &dims[..]].concat())
    };
    let after = |dims: Vec<usize>| match dims.split_first() {
        Some((&usize::MAX, rest)) => Ok(kept(Some(rest.to_vec()))),
        _ => Err(moved()),
    };
    match &node.op_type[..] {
        "Flatten" => {
            let axis = node.integer("axis", 1);
            let Some(dims) = &row.dims else {
                expect(node, "axis", axis, 1)?;
                return Ok(kept(None));
            };
            let counted = if axis < 0 { axis + 1 + dims.len() as i64 } else { axis };
            let ones = usize::try_from(counted - 1).ok().and_then(|n| dims.get(..n));
            if ones.is_none_or(|ones| ones.iter().any(|&d| d != 1)) {
                expect(node, "axis", axis, 1)?;
            }
            Ok(kept(elements(dims).map(|n| vec![n])))
        }
        "Squeeze" => after(squeezed(node, &whole()?, axes(node, operand)?.as_deref())?),
        "Unsqueeze" => after(unsqueezed(node, &whole()?, &axes(node, operand)?.unwrap_or_default())?),
        "Transpose" => {
            let dims = whole()?;
            let perm = permutation(node, dims.len())?;
            let long: Vec<usize> = perm.iter().copied().filter(|&a| dims[a] != 1).collect();
            if perm.first() != Some(&0) || !long.is_sorted() {
                return Err(format!("{} puts the pixels of an image into another order", called(node)));
            }
            after(perm.iter().map(|&a| dims[a]).collect())
        }
        _ => {
            let to = match operand {
                Some(array) => array.whole(node)?.to_vec(),
                None => node
                    .attribute("shape")
                    .map(|a| a.ints.iter().copied().map(Some).collect())
                    .unwrap_or_default(),
            };
            reshape(row, &to, node.integer("allowzero", 0) == 0).map(kept).ok_or_else(moved)
        }
    }
}

/// The dimensions after the batch after a `Reshape` to `to`; `None` where the batch is not kept.
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
    // An inferred dimension is 0 until it is known.
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
