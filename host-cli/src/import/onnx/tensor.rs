//! The constant tensors of a graph: initializers and the results of constant folding.
//!
//! Floats are kept in f64, so that folding rounds once, to f32, at the end. An unknown integer is the size of the batch,
//! which graphs pass from `Shape` to `Reshape`.

use std::rc::Rc;

use super::super::Clause;
use super::node::called;
use crate::files::onnx::Node;

/// The limit on the elements of a constant that is computed, since a graph of few bytes can ask for many.
pub(super) const MAX_COMPUTED_ELEMENTS: usize = 1 << 20;

/// A constant.
#[derive(Debug, Clone)]
pub(in crate::import) struct Array {
    /// The name of the initializer that it comes from.
    pub name: String,
    pub dims: Vec<usize>,
    pub data: Data,
}

/// The elements, row-major.
#[derive(Debug, Clone)]
pub(in crate::import) enum Data {
    /// In f64.
    Float(Rc<Vec<f64>>),
    /// `None` is the size of the batch.
    Integer(Rc<Vec<Option<i64>>>),
    Text(Rc<Vec<String>>),
}

impl Array {
    /// Integers of one dimension.
    pub fn integers(name: &str, values: Vec<Option<i64>>) -> Self {
        Self { name: name.into(), dims: vec![values.len()], data: Data::Integer(Rc::new(values)) }
    }

    /// The same elements with other dimensions.
    pub fn shaped(&self, dims: Vec<usize>) -> Self {
        Self { dims, ..self.clone() }
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Float(values) => values.len(),
            Data::Integer(values) => values.len(),
            Data::Text(values) => values.len(),
        }
    }

    /// Its elements as numbers.
    pub fn numbers(&self, node: &Node) -> Clause<Rc<Vec<f64>>> {
        let name = &self.name;
        match &self.data {
            Data::Float(values) => Ok(values.clone()),
            Data::Integer(values) => {
                let number = |v: &Option<i64>| v.map(|v| v as f64);
                let numbers = values.iter().map(number).collect::<Option<Vec<_>>>();
                let batch = || format!("{}: {name} depends on the size of the batch", called(node));
                Ok(Rc::new(numbers.ok_or_else(batch)?))
            }
            Data::Text(_) => Err(format!("{}: {name} is STRING, expected numbers", called(node))),
        }
    }

    /// Its elements as finite floats.
    pub fn floats(&self, node: &Node) -> Clause<Rc<Vec<f64>>> {
        let name = &self.name;
        let Data::Float(values) = &self.data else {
            let kind = if matches!(self.data, Data::Text(_)) { "STRING" } else { "of integers" };
            return Err(format!("{}: {name} is {kind}, expected FLOAT", called(node)));
        };
        match values.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(format!("{name} holds {} at position {at}", values[at])),
            None => Ok(values.clone()),
        }
    }

    /// Its elements as integers; `None` is the size of the batch.
    pub fn integer_values(&self, node: &Node) -> Clause<Rc<Vec<Option<i64>>>> {
        match &self.data {
            Data::Integer(values) => Ok(values.clone()),
            _ => Err(format!("{}: {} is not of integers", called(node), self.name)),
        }
    }

    /// Its elements as integers, none of which may be the size of the batch.
    pub fn known(&self, node: &Node) -> Clause<Vec<i64>> {
        let known = self.integer_values(node)?.iter().copied().collect::<Option<Vec<_>>>();
        known.ok_or_else(|| format!("{}: {} depends on the size of the batch", called(node), self.name))
    }

    /// Its only element as a number.
    pub fn scalar(&self, node: &Node) -> Clause<f64> {
        match self.numbers(node)?[..] {
            [value] => Ok(value),
            _ => Err(format!("{}: {} has shape {:?}, expected a scalar", called(node), self.name, self.dims)),
        }
    }
}

/// The number of elements of an array; `None` if the product of the dimensions other than 0 overflows, even if the array is
/// empty, since strides are products of any of them.
pub(in crate::import) fn elements(dims: &[usize]) -> Option<usize> {
    let others = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)))?;
    Some(if dims.contains(&0) { 0 } else { others })
}

/// An axis of `rank` dimensions; a negative one counts from the end.
pub(super) fn axis(node: &Node, axis: i64, rank: usize) -> Clause<usize> {
    let counted = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let counted = counted.and_then(|a| usize::try_from(a).ok()).filter(|&a| a < rank);
    counted.ok_or_else(|| format!("{} has axis {axis} of {rank} dimensions", called(node)))
}

/// The axes of a `Squeeze` or `Unsqueeze`, an attribute or an operand; `None` if it has neither.
pub(super) fn axes(node: &Node, operand: Option<&Array>) -> Clause<Option<Vec<i64>>> {
    match (operand, node.attribute("axes")) {
        (Some(array), _) => array.known(node).map(Some),
        (None, Some(attribute)) => Ok(Some(attribute.ints.clone())),
        (None, None) => Ok(None),
    }
}

/// The dimensions after a `Squeeze` of `dims`.
pub(super) fn squeezed(node: &Node, dims: &[usize], axes: Option<&[i64]>) -> Clause<Vec<usize>> {
    let mut removed = vec![false; dims.len()];
    match axes {
        None => removed.iter_mut().zip(dims).for_each(|(removed, &d)| *removed = d == 1),
        Some(axes) => {
            for &a in axes {
                removed[axis(node, a, dims.len())?] = true;
            }
        }
    }
    if removed.iter().zip(dims).any(|(&removed, &d)| removed && d != 1) {
        return Err(format!("{}: a dimension of {dims:?} that it takes away is not 1", called(node)));
    }
    Ok(dims.iter().zip(removed).filter(|(_, removed)| !removed).map(|(&d, _)| d).collect())
}

/// The dimensions after an `Unsqueeze` of `dims`.
pub(super) fn unsqueezed(node: &Node, dims: &[usize], axes: &[i64]) -> Clause<Vec<usize>> {
    let rank = dims.len() + axes.len();
    // No program has tensors of more dimensions.
    if rank > 64 {
        return Err(format!("{} makes {rank} dimensions", called(node)));
    }
    let mut new = vec![false; rank];
    for &a in axes {
        new[axis(node, a, rank)?] = true;
    }
    let mut old = dims.iter();
    let dims: Option<Vec<_>> =
        new.iter().map(|&new| if new { Some(1) } else { old.next().copied() }).collect();
    dims.ok_or_else(|| format!("{} names an axis twice", called(node)))
}
