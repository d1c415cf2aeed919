//! Reading a graph that is one chain from its input to its output.
//!
//! Taken: `Gemm` (alpha and beta 1, the weights transposed or not), `MatMul` followed by `Add`, `Relu` between the
//! layers, a `Flatten` in front, a `Softmax` over the classes behind, weights as initializers or `Constant`s. Everything
//! else is refused by the operator's name, since a network that is nearly the same is another network.

use std::collections::HashMap;
use std::path::Path;

use prost::Message;

use super::super::{Clause, Dense};
use super::proto::{Graph, Model, Node, Tensor, ValueInfo};
use super::values::floats;
use selvedge::kernel::transpose;

/// The dense layers of a file; tensors that it keeps in other files are looked for in `folder`.
///
/// # Errors
/// One clause without the file's name.
pub fn read(bytes: &[u8], folder: Option<&Path>) -> Clause<Vec<Dense>> {
    let neither = "neither a safetensors file nor an ONNX one";
    let model = Model::decode(bytes).map_err(|e| format!("{neither}: {e}"))?;
    let graph = model.graph.filter(|g| !g.node.is_empty()).ok_or(neither)?;
    let mut chain = Chain::new(&graph, folder)?;
    let mut layers = Vec::new();
    for node in graph.node.iter().filter(|n| n.op_type != "Constant") {
        chain.take(node, &mut layers)?;
    }
    chain.finish(&graph)?;
    Ok(layers)
}

/// What the chain's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Input,
    Flat,
    /// A `MatMul` that waits for its `Add`.
    Product,
    Dense,
    Relu,
    Softmax,
}

/// The chain as far as it was followed.
struct Chain<'a> {
    tensors: HashMap<&'a str, &'a Tensor>,
    folder: Option<&'a Path>,
    /// The name of the value at its end.
    value: String,
    /// The value in front of a `Softmax`.
    logits: String,
    end: End,
}

impl<'a> Chain<'a> {
    fn new(graph: &'a Graph, folder: Option<&'a Path>) -> Clause<Self> {
        let mut tensors: HashMap<_, _> = graph.initializer.iter().map(|t| (&t.name[..], t)).collect();
        for node in graph.node.iter().filter(|n| n.op_type == "Constant") {
            let tensor = node.attribute.iter().find(|a| a.name == "value").and_then(|a| a.t.as_ref());
            match (&node.output[..], tensor) {
                ([name], Some(tensor)) => tensors.insert(name, tensor),
                _ => return Err(format!("{}: a Constant without a tensor", called(node))),
            };
        }
        let inputs: Vec<&ValueInfo> =
            graph.input.iter().filter(|v| !tensors.contains_key(&v.name[..])).collect();
        let [input] = inputs[..] else {
            return Err(format!("its graph has {} inputs, expected 1", inputs.len()));
        };
        let dims = input.kind.as_ref().and_then(|k| k.tensor.as_ref()).and_then(|t| t.shape.as_ref());
        // More than two dimensions have to be flattened first; an unknown number is taken for a batch of rows.
        let end = if dims.is_none_or(|s| s.dim.len() <= 2) { End::Flat } else { End::Input };
        Ok(Self { tensors, folder, value: input.name.clone(), logits: String::new(), end })
    }

    /// Follows the chain through one operator.
    fn take(&mut self, node: &Node, layers: &mut Vec<Dense>) -> Clause<()> {
        if !matches!(&node.domain[..], "" | "ai.onnx") {
            return Err(format!("operator {}.{} is not supported", node.domain, node.op_type));
        }
        let Some(output) = node.output.first().filter(|_| node.output.len() == 1) else {
            return Err(format!("{} has {} outputs, expected 1", called(node), node.output.len()));
        };
        if !node.input.contains(&self.value) {
            return Err(format!("{} does not follow the operator in front of it", called(node)));
        }
        self.end = self.behind(node, layers)?;
        self.value.clone_from(output);
        Ok(())
    }

    /// What the chain's end is behind an operator, whose layer is added.
    fn behind(&mut self, node: &Node, layers: &mut Vec<Dense>) -> Clause<End> {
        Ok(match (&node.op_type[..], self.end) {
            ("Flatten", End::Input | End::Flat) => {
                expect(node, "axis", node.integer("axis", 1), 1)?;
                End::Flat
            }
            ("Gemm", End::Flat | End::Relu) => {
                layers.push(self.gemm(node)?);
                End::Dense
            }
            ("MatMul", End::Flat | End::Relu) => {
                layers.push(self.matmul(node)?);
                End::Product
            }
            ("Add", End::Product) => {
                let layer = layers.last_mut().expect("a MatMul made one");
                let name = node.input.iter().find(|n| **n != self.value);
                (layer.names[1], layer.biases) = self.bias(node, name, layer.dims[0])?;
                End::Dense
            }
            ("Relu", End::Dense) => End::Relu,
            ("Softmax", End::Dense) => {
                let axis = node.integer("axis", -1);
                expect(node, "axis", if axis == -1 { 1 } else { axis }, 1)?;
                self.logits.clone_from(&self.value);
                End::Softmax
            }
            _ => return Err(self.refusal(node)),
        })
    }

    /// Why an operator cannot stand at the chain's end.
    fn refusal(&self, node: &Node) -> String {
        let called = called(node);
        match (&node.op_type[..], self.end) {
            ("Gemm" | "MatMul", End::Input) => {
                format!("{called}: the input has more than two dimensions and no Flatten")
            }
            (_, End::Product) => {
                format!("{called}: the MatMul in front of it has no bias; it must be followed by an Add")
            }
            ("Gemm" | "MatMul", End::Dense) => {
                format!("{called}: there is no Relu between it and the layer in front of it")
            }
            ("Gemm" | "MatMul" | "Add" | "Relu" | "Flatten" | "Softmax", _) => {
                format!("{called} stands where a multilayer perceptron has none")
            }
            (op, _) => format!("operator {op} is not supported"),
        }
    }

    /// Refuses a chain that does not end where the graph does.
    fn finish(&self, graph: &Graph) -> Clause<()> {
        match self.end {
            End::Dense | End::Softmax => {}
            End::Product => return Err("its last MatMul has no bias; it must be followed by an Add".into()),
            End::Relu => return Err("its last layer is followed by a Relu; logits may be negative".into()),
            End::Input | End::Flat => return Err("it holds no dense layer".into()),
        }
        let known = |v: &&ValueInfo| v.name == self.value || v.name == self.logits;
        match graph.output.iter().find(|v| !known(v)) {
            Some(other) => Err(format!("its output {} is not the last layer's", other.name)),
            None => Ok(()),
        }
    }

    fn gemm(&self, node: &Node) -> Clause<Dense> {
        for name in ["alpha", "beta"] {
            expect(node, name, node.float(name, 1.0), 1.0)?;
        }
        expect(node, "transA", node.integer("transA", 0), 0)?;
        if node.input.first() != Some(&self.value) {
            return Err(format!("{}: the layer's input is not its first operand", called(node)));
        }
        let mut layer = self.weights(node, node.input.get(1), node.integer("transB", 0) == 0)?;
        let bias = node.input.get(2).filter(|n| !n.is_empty());
        let bias = bias.ok_or(format!("{} has no bias", called(node)))?;
        (layer.names[1], layer.biases) = self.bias(node, Some(bias), layer.dims[0])?;
        Ok(layer)
    }

    fn matmul(&self, node: &Node) -> Clause<Dense> {
        if node.input.first() != Some(&self.value) {
            return Err(format!("{}: the layer's input is not its first operand", called(node)));
        }
        self.weights(node, node.input.get(1), true)
    }

    /// A layer without biases from weights that are `(in, out)` where they are `transposed`.
    fn weights(&self, node: &Node, name: Option<&String>, transposed: bool) -> Clause<Dense> {
        let (name, dims, values) = self.tensor(node, name)?;
        let &[rows, cols] = &dims[..] else {
            return Err(format!("{name} has shape {dims:?}, expected two dimensions"));
        };
        let (dims, weights) = if transposed {
            let mut weights = vec![0.0; values.len()];
            transpose(rows, cols, &values, &mut weights);
            ([cols, rows], weights)
        } else {
            ([rows, cols], values)
        };
        Ok(Dense { names: [name, String::new()], dims, weights, biases: Vec::new() })
    }

    fn bias(&self, node: &Node, name: Option<&String>, outputs: usize) -> Clause<(String, Vec<f32>)> {
        let (name, dims, values) = self.tensor(node, name)?;
        match &dims[..] {
            [o] | [1, o] if *o == outputs => Ok((name, values)),
            _ => Err(format!("{name} has shape {dims:?}, expected [{outputs}]")),
        }
    }

    fn tensor(&self, node: &Node, name: Option<&String>) -> Clause<(String, Vec<usize>, Vec<f32>)> {
        let name = name.ok_or(format!("{} lacks an operand", called(node)))?;
        let tensor = self.tensors.get(&name[..]);
        let tensor = tensor.ok_or(format!("{}: {name} is computed, expected a constant", called(node)))?;
        let named = Tensor { name: name.clone(), ..(*tensor).clone() };
        let (dims, values) = floats(&named, self.folder)?;
        Ok((name.clone(), dims, values))
    }
}

impl Node {
    fn integer(&self, name: &str, default: i64) -> i64 {
        self.attribute.iter().find(|a| a.name == name).map_or(default, |a| a.i)
    }
    fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute.iter().find(|a| a.name == name).map_or(default, |a| a.f)
    }
}

/// The operator, with its name where it has one.
fn called(node: &Node) -> String {
    if node.name.is_empty() { node.op_type.clone() } else { format!("{} {}", node.op_type, node.name) }
}

fn expect<T: PartialEq + std::fmt::Display>(node: &Node, name: &str, found: T, expected: T) -> Clause<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{} has {name} {found}, expected {expected}", called(node)))
}
