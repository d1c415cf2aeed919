//! Reading a node's attributes, and naming it in errors.

use super::super::Clause;
use super::tensor::Array;
use crate::files::onnx::{Attribute, Node};

impl Node {
    /// The attribute of a name.
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// An integer attribute.
    pub(super) fn integer(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    /// A float attribute.
    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }
}

/// An operand that has to be there.
pub(super) fn required<'a>(node: &Node, operand: Option<&'a Array>) -> Clause<&'a Array> {
    operand.ok_or_else(|| format!("{} lacks an operand", called(node)))
}

/// The operator for an error message, with the node's name if it has one.
pub(super) fn called(node: &Node) -> String {
    if node.name.is_empty() { node.op_type.clone() } else { format!("{} {}", node.op_type, node.name) }
}

/// Refuses an attribute with another value than `expected`.
pub(super) fn expect<T: PartialEq + std::fmt::Display>(
    node: &Node,
    name: &str,
    found: T,
    expected: T,
) -> Clause<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{} has {name} {found}, expected {expected}", called(node)))
}
