//! Activations in the ways that exporters write them, and what follows the last layer.

use selvedge::{Activation, naive};

use super::super::super::InputKind;
use super::super::{Ending, GraphNetwork};
use super::exporters::{flattened, floats, logits};
use super::{attribute, file, graph, node, read, refused, taken, tensor, value};
use crate::data::Task;
use crate::files::onnx::{Graph, Node, Tensor};

/// The graph with something else between its layers, which makes `a1` of `z1`.
fn between(nodes: Vec<Node>, constants: &[(&str, f32)]) -> Graph {
    let mut g = graph();
    g.node.splice(2..3, nodes);
    g.initializer.extend(constants.iter().map(|&(name, x)| floats(name, &[], &[x])));
    g
}

/// The second layer's outputs of hidden values.
fn second(found: &GraphNetwork, hidden: &[f64]) -> Vec<f64> {
    logits(&GraphNetwork { layers: vec![found.layers[1].clone()], ..GraphNetwork::default() }, hidden)
}

#[test]
fn activations_by_their_operators() {
    let clip = |min: f32, max: f32| [attribute("min", 0, min), attribute("max", 0, max)];
    let one = |op: &str, attributes: &[_]| vec![node(op, &["z1"], "a1", attributes)];
    let relu = || node("Relu", &["z1"], "r", &[]);
    for (nodes, expected) in [
        (one("Relu", &[]), Activation::Relu),
        (one("Tanh", &[]), Activation::Tanh),
        (one("Sigmoid", &[]), Activation::Sigmoid),
        (one("HardSwish", &[]), Activation::HardSwish),
        (one("LeakyRelu", &[]), Activation::LeakyRelu),
        (one("LeakyRelu", &[attribute("alpha", 0, 0.01)]), Activation::LeakyRelu),
        (one("LeakyRelu", &[attribute("alpha", 0, 0.0)]), Activation::Relu),
        (one("Clip", &clip(0.0, 6.0)), Activation::Relu6),
        (vec![node("Clip", &["z1", "zero", "six"], "a1", &[])], Activation::Relu6),
        (vec![relu(), node("Min", &["r", "six"], "a1", &[])], Activation::Relu6),
        (vec![relu(), node("Clip", &["r", "", "six"], "a1", &[])], Activation::Relu6),
        (vec![relu(), node("Relu", &["r"], "a1", &[])], Activation::Relu),
    ] {
        let what = format!("{nodes:?}");
        let found = taken(between(nodes, &[("zero", 0.0), ("six", 6.0)]));
        assert_eq!(found.activations, [expected], "{what}");
        assert_eq!(found.layers, taken(graph()).layers, "{what}");
    }
}

/// As PyTorch writes it before and after it had an operator, as TensorFlow's ReLU6 of `x + 3`, and by PyTorch's own formula,
/// whose division comes last and is folded into the next layer.
#[test]
fn hard_swish_in_parts() {
    let gate = |name: &str| {
        vec![node("Add", &["z1", "three"], "s", &[]), node("Clip", &["s", "zero", "six"], name, &[])]
    };
    let line = [attribute("alpha", 0, 1.0 / 6.0), attribute("beta", 0, 0.5)];
    let constants =
        [("three", 3.0), ("zero", 0.0), ("six", 6.0), ("one", 1.0), ("sixth", 1.0 / 6.0), ("half", 0.5)];
    let of = |first: Vec<Node>, rest: &[Node]| [&first[..], rest].concat();
    for nodes in [
        vec![node("HardSigmoid", &["z1"], "g", &line), node("Mul", &["z1", "g"], "a1", &[])],
        of(gate("c"), &[node("Div", &["c", "six"], "g", &[]), node("Mul", &["g", "z1"], "a1", &[])]),
        of(gate("c"), &[node("Mul", &["c", "sixth"], "g", &[]), node("Mul", &["z1", "g"], "a1", &[])]),
        of(gate("c"), &[node("Mul", &["z1", "c"], "m", &[]), node("Div", &["m", "six"], "a1", &[])]),
        vec![
            node("Mul", &["z1", "sixth"], "m", &[]),
            node("Add", &["m", "half"], "s", &[]),
            node("Clip", &["s", "zero", "one"], "g", &[]),
            node("Mul", &["z1", "g"], "a1", &[]),
        ],
    ] {
        let what = format!("{nodes:?}");
        let found = taken(between(nodes, &constants));
        assert_eq!(found.activations, [Activation::HardSwish], "{what}");
        assert_eq!(found.layers, taken(graph()).layers, "{what}");
    }
    // A factor that is not 1 is kept, in the next layer.
    let g = between(of(gate("c"), &[node("Mul", &["z1", "c"], "a1", &[])]), &constants);
    let (found, plain) = (taken(g), taken(graph()));
    let doubled: Vec<f32> = plain.layers[1].weights.iter().map(|w| 6.0 * w).collect();
    assert_eq!((&found.layers[1].weights, &found.layers[1].biases), (&doubled, &plain.layers[1].biases));
    let hidden: [f64; 2] = [0.5, -1.5];
    let mut swish = hidden;
    naive::activate(Activation::HardSwish, &mut swish);
    let sum = second(&plain, &swish);
    let six = second(&found, &swish.map(|a| a / 6.0));
    assert!(sum.iter().zip(&six).all(|(a, b)| (a - b).abs() < 1e-6), "{sum:?} {six:?}");
}

#[test]
fn other_slopes_and_gates_are_refused_by_their_numbers() {
    let case = |nodes: Vec<Node>, what: &str| {
        let constants = [("three", 3.0), ("zero", 0.0), ("six", 6.0)];
        let why = read(&file(between(nodes, &constants)), None, None, None).unwrap_err();
        assert!(why.contains(what), "{what}: {why}");
    };
    let one = |op: &str, attributes: &[_]| vec![node(op, &["z1"], "a1", attributes)];
    case(one("LeakyRelu", &[attribute("alpha", 0, 0.2)]), "LeakyRelu with a slope of 0.2 instead of 0.01");
    case(one("HardSigmoid", &[]), "operator HardSigmoid is not supported");
    let gated = |gate: Node| vec![gate, node("Mul", &["z1", "g"], "a1", &[])];
    case(
        gated(node("Sigmoid", &["z1"], "g", &[])),
        "operator Swish (SiLU), x * sigmoid(x), is not supported",
    );
    case(gated(node("HardSigmoid", &["z1"], "g", &[])), "x * clamp(0.2000 x + 0.5000, 0, 1)");
    case(gated(node("Tanh", &["z1"], "g", &[])), "Mul joins two values");
    case(vec![node("Mul", &["z1", "z1"], "a1", &[])], "Mul joins two values");
    case(vec![node("Min", &["z1", "six"], "a1", &[])], "or of 6 without a Relu");
    let two = |first: &str, then: &str| vec![node(first, &["z1"], "t", &[]), node(then, &["t"], "a1", &[])];
    case(two("Tanh", "Relu"), "Relu: it follows another activation");
    case(two("Relu", "Tanh"), "Tanh: it follows another activation");
    refused(
        |g| g.node[0] = node("Tanh", &["x"], "flat", &[]),
        "Tanh stands where a multilayer perceptron has none",
    );
}

/// What is done with a sigmoid afterwards is folded into the next layer.
#[test]
fn one_less_a_sigmoid_is_folded() {
    let nodes = vec![node("Sigmoid", &["z1"], "p", &[]), node("Sub", &["one", "p"], "a1", &[])];
    let found = taken(between(nodes, &[("one", 1.0)]));
    assert_eq!(found.activations, [Activation::Sigmoid]);
    let plain = taken(graph());
    let expected = second(&plain, &[1.0 - 0.25, 1.0 - 0.75]);
    assert_eq!(second(&found, &[0.25, 0.75]), expected);
}

#[test]
fn endings_are_told_apart() {
    let ended = |op: &str, outputs: &[&str]| {
        let mut g = graph();
        g.node[5] = node(op, &["z2"], "y", &[]);
        g.output = outputs.iter().map(|name| value(name)).collect();
        g
    };
    for (op, outputs, expected) in [
        ("Identity", &["y"][..], Ending::Linear),
        ("Sigmoid", &["y"], Ending::Sigmoid),
        ("Sigmoid", &["z2", "y"], Ending::Sigmoid),
        ("Sigmoid", &["y", "z2"], Ending::Sigmoid),
        ("Softmax", &["z2", "y"], Ending::Softmax),
    ] {
        let found = taken(ended(op, outputs));
        assert_eq!(found.ending, expected, "{op} {outputs:?}");
        assert_eq!(found.layers, taken(graph()).layers);
    }
    let mut both = ended("Softmax", &["y", "p"]);
    both.node.push(node("Sigmoid", &["z2"], "p", &[]));
    let why = read(&file(both), None, None, None).unwrap_err();
    assert!(why.contains("its output p is not the last layer's"), "{why}");
}

/// The standardisation of columns stays outside the layer; what an autoencoder makes of them is standardised too.
#[test]
fn columns_keep_their_standardisation() {
    let standardise = || {
        let nodes = vec![node("Sub", &["x", "m"], "s", &[]), node("Mul", &["s", "k"], "flat", &[])];
        flattened(
            &[0, 3],
            nodes,
            vec![floats("m", &[3], &[2000.0, 1.0, -1.0]), floats("k", &[3], &[4.0, 0.5, 0.0])],
        )
    };
    let found = read(&file(standardise()), None, Some(InputKind::Table), None).unwrap();
    assert_eq!(found.layers, taken(graph()).layers);
    let normalisation = found.standardise.unwrap().to_normalisation(3);
    assert_eq!(normalisation.mean_and_scale(), (&[2000.0, 1.0, 0.0][..], &[4.0, 0.5, 0.0][..]));

    let mut auto = standardise();
    let widened: [Tensor; 2] = [tensor("w2", &[2, 3]), tensor("b2", &[3])];
    auto.initializer.splice(2..4, widened);
    auto.node.pop();
    auto.output = vec![value("z2")];
    let found = read(&file(auto), None, Some(InputKind::Table), Some(Task::Reconstruct)).unwrap();
    // Of outputs 1, 2 and 3, the first is (1 - 2000) * 4.
    assert_eq!(found.layers[1].biases, [-7996.0, 0.5, 0.0]);
}
