//! Graphs as other exporters write them, and graphs that are refused.

mod activations;
mod constants;
mod exporters;
mod scikit_learn;

use prost::Message;

use super::{Ending, read};
use crate::files::onnx::{Attribute, Entry, Graph, Model, Node, Tensor, ValueInfo, dtype};

/// Its layers and what goes with them.
fn taken(graph: Graph) -> super::GraphNetwork {
    read(&file(graph), None, None, None).unwrap()
}

fn attribute(name: &str, i: i64, f: f32) -> Attribute {
    Attribute { name: name.into(), i, f, ..Attribute::default() }
}

fn node(op: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> Node {
    Node {
        op_type: op.into(),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        attribute: attributes.to_vec(),
        ..Node::default()
    }
}

/// Values 1, 2, 3, ...
fn tensor(name: &str, dims: &[i64]) -> Tensor {
    let float_data = (1..=dims.iter().product::<i64>()).map(|n| n as f32).collect();
    Tensor {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: dtype::FLOAT,
        float_data,
        ..Tensor::default()
    }
}

fn value(name: &str) -> ValueInfo {
    ValueInfo { name: name.into(), kind: None }
}

/// `3-2-2` by a `Gemm` with `transB`, and a `MatMul` with its `Add`.
fn graph() -> Graph {
    Graph {
        node: vec![
            node("Flatten", &["x"], "flat", &[]),
            node("Gemm", &["flat", "w1", "b1"], "z1", &[attribute("transB", 1, 0.0)]),
            node("Relu", &["z1"], "a1", &[]),
            node("MatMul", &["a1", "w2"], "p2", &[]),
            node("Add", &["b2", "p2"], "z2", &[]),
            node("Softmax", &["z2"], "y", &[attribute("axis", 1, 0.0)]),
        ],
        initializer: vec![
            tensor("w1", &[2, 3]),
            tensor("b1", &[2]),
            tensor("w2", &[2, 2]),
            tensor("b2", &[1, 2]),
        ],
        input: vec![value("x")],
        output: vec![value("y")],
        ..Graph::default()
    }
}

fn file(graph: Graph) -> Vec<u8> {
    Model { graph: Some(graph), ..Model::default() }.encode_to_vec()
}

#[test]
fn both_ways_to_write_a_layer() {
    let layers = taken(graph()).layers;
    assert_eq!(layers[0].names, ["w1", "b1"]);
    assert_eq!((layers[0].dims, &layers[0].weights[..]), ([2, 3], &[1., 2., 3., 4., 5., 6.][..]));
    // A MatMul's weights are (in, out).
    assert_eq!((layers[1].dims, &layers[1].weights[..]), ([2, 2], &[1., 3., 2., 4.][..]));
    assert_eq!(layers[1].biases, [1., 2.]);
    assert_eq!(layers.len(), 2);
}

#[test]
fn constants_raw_bytes_half_floats_and_other_files() {
    let expected = taken(graph());
    let mut g = graph();
    let moved = g.initializer.remove(0);
    let held = Attribute { name: "value".into(), t: Some(moved), ..Attribute::default() };
    g.node.insert(0, node("Constant", &[], "w1", &[held]));
    let half = |x: &f32| half::f16::from_f32(*x);
    g.initializer[0].data_type = dtype::FLOAT16;
    g.initializer[0].int32_data =
        g.initializer[0].float_data.drain(..).map(|x| i32::from(half(&x).to_bits())).collect();
    g.initializer[1].raw_data = g.initializer[1].float_data.drain(..).flat_map(f32::to_le_bytes).collect();
    let bf = g.initializer[2].float_data.drain(..).flat_map(|x| half::bf16::from_f32(x).to_le_bytes());
    g.initializer[2].raw_data = bf.collect();
    g.initializer[2].data_type = dtype::BFLOAT16;
    assert_eq!(taken(g), expected);

    let folder = tempfile::tempdir().unwrap();
    let external = |location: &str, offset: &str| {
        let mut g = graph();
        let w1 = &mut g.initializer[0];
        let bytes: Vec<u8> = w1.float_data.drain(..).flat_map(f32::to_le_bytes).collect();
        std::fs::write(folder.path().join("weights.data"), [&[9; 4], &bytes[..]].concat()).unwrap();
        w1.data_location = 1;
        for (key, value) in [("location", location), ("offset", offset), ("length", "24")] {
            w1.external_data.push(Entry { key: key.into(), value: value.into() });
        }
        read(&file(g), Some(folder.path()), None, None)
    };
    assert_eq!(external("weights.data", "4").unwrap(), expected);
    assert!(external("weights.data", "5").unwrap_err().contains("which is 6 values, but it holds 5"));
    assert!(external("weights.data", "x").unwrap_err().contains("w1 has offset \"x\""));
    assert!(external("none.data", "0").unwrap_err().contains("none.data"));
    for outside in ["../weights.data", "/etc/passwd", "a/../../b"] {
        assert!(external(outside, "0").unwrap_err().contains("outside the model's folder"), "{outside}");
    }
}

/// Expects that a change makes the graph none of ours.
fn refused(change: impl Fn(&mut Graph), what: &str) {
    let mut g = graph();
    change(&mut g);
    let why = read(&file(g), None, None, None).unwrap_err();
    assert!(why.contains(what), "{what}: {why}");
}

#[test]
fn other_networks_are_refused_by_the_operators_name() {
    for op in ["Gelu", "PRelu", "Elu"] {
        let what = format!("operator {op} is not supported: the activations here are relu, leaky-relu,");
        refused(|g| g.node[2].op_type = op.into(), &what);
    }
    refused(|g| g.node[5].op_type = "Tanh".into(), "its last layer is followed by tanh");
    refused(
        |g| g.node[0].op_type = "Conv".into(),
        "operator Conv is not supported: a model here is a chain of dense",
    );
    refused(
        |g| g.node[0].op_type = "QuantizeLinear".into(),
        "import the network from before it was quantized",
    );
    refused(|g| g.node[2].domain = "com.microsoft".into(), "operator com.microsoft.Relu is not supported");
    refused(|g| g.node[2].op_type = "Normalizer".into(), "operator Normalizer is not supported");
    refused(|g| g.node[1].attribute.push(attribute("transA", 1, 0.0)), "transA 1, expected 0");
    refused(|g| g.node[0].attribute.push(attribute("axis", 0, 0.0)), "Flatten has axis 0, expected 1");
    refused(|g| g.node[5].attribute[0].i = 0, "Softmax has axis 0, expected 1");
    let unfinished = |g: &mut Graph| {
        g.node.truncate(3);
        g.output[0].name = "a1".into();
    };
    refused(unfinished, "its last layer is followed by relu");
    refused(|g| g.node.truncate(4), "its output y is not computed");
    refused(|g| g.node[5] = node("Identity", &["flat"], "y", &[]), "it holds no dense layer");
    refused(|g| g.node.clear(), "an ONNX file without operators");
    refused(|g| g.output.push(value("a1")), "its output a1 is not the last layer's");
    refused(|g| g.input.push(value("second")), "its graph has 2 inputs");
    let skip = |g: &mut Graph| {
        g.node.remove(2);
        g.node[2].input[0] = "z1".into();
    };
    refused(skip, "there is no activation between");
    let joined = |g: &mut Graph| g.node[4].input = vec!["z1".into(), "p2".into()];
    refused(joined, "Add joins two values, and a multilayer perceptron is one chain");
    let clip = |min, max| {
        move |g: &mut Graph| {
            g.node[2] = node("Clip", &["z1"], "a1", &[attribute("min", 0, min), attribute("max", 0, max)]);
        }
    };
    refused(clip(0.0, 5.0), "operator Clip to 0..5 is not supported");
    refused(clip(-1.0, 1.0), "operator Clip to -1..1 is not supported");
    refused(|g| g.node[2] = node("Max", &["z1", "b1"], "a1", &[]), "Max: of another number than 0");
}

#[test]
fn one_output_is_read_and_too_many_layers_are_refused() {
    for (ending, expected) in [("Sigmoid", Ending::Sigmoid), ("Identity", Ending::Linear)] {
        let mut g = graph();
        (g.initializer[2], g.initializer[3]) = (tensor("w2", &[2, 1]), tensor("b2", &[1]));
        g.node[5] = node(ending, &["z2"], "y", &[]);
        let taken = taken(g);
        assert_eq!((taken.layers[1].dims, taken.ending), ([1, 2], expected));
    }
    let mut g = graph();
    let mut last = "z2".to_string();
    for n in 0..31 {
        g.node.push(node("Relu", &[&last], &format!("r{n}"), &[]));
        g.node.push(node("Gemm", &[&format!("r{n}"), "w2"], &format!("g{n}"), &[]));
        last = format!("g{n}");
    }
    g.output[0].name = last;
    let why = read(&file(g), None, None, None).unwrap_err();
    assert_eq!(why, "it has 33 dense layers, and a network here has 1 to 32");
}

#[test]
fn damaged_tensors_are_refused_by_their_names() {
    refused(|g| g.initializer[0].dims = vec![6], "w1 has shape [6], expected two dimensions");
    refused(|g| g.initializer[0].dims = vec![7, 1], "which is 7 values, but it holds 6");
    refused(|g| g.initializer[0].dims = vec![i64::MAX, i64::MAX], "w1 has shape");
    refused(|g| g.initializer[0].dims = vec![-1, 3], "w1 has shape [-1, 3]");
    let integers = |g: &mut Graph| {
        g.initializer[0].data_type = dtype::INT64;
        g.initializer[0].int64_data = vec![1; 6];
    };
    refused(integers, "w1 is of integers, expected FLOAT");
    refused(|g| g.initializer[0].data_type = 14, "w1 is COMPLEX64, expected FLOAT");
    refused(|g| g.initializer[0].float_data[2] = f32::NAN, "w1 holds NaN at position 2");
    refused(|g| g.initializer[1].dims = vec![2, 1], "b1 has shape [2, 1], expected [2]");
    refused(|g| drop(g.initializer.remove(0)), "Gemm: w1 is neither a constant nor computed");
    let large = |g: &mut Graph| {
        let values = [1e300; 6].to_vec();
        g.initializer[0] = Tensor { data_type: dtype::DOUBLE, double_data: values, ..tensor("w1", &[2, 3]) };
        g.initializer[0].float_data.clear();
    };
    refused(large, "w1: a weight or bias is inf in f32");
}

/// Small files that ask for much: a value that is used before it is there, sizes that grow, and chains of large copies.
#[test]
fn what_a_graph_asks_for_is_bounded() {
    refused(|g| g.node[0].input[0] = "a1".into(), "a1 is neither a constant nor computed in front of it");
    refused(|g| g.node.insert(2, node("Relu", &["z1"], "z1", &[])), "z1 is computed twice");
    let made = |g: &mut Graph| {
        let mut sizes = tensor("sizes", &[2]);
        sizes.data_type = dtype::INT64;
        sizes.int64_data = vec![1 << 40, 1 << 40];
        g.initializer.push(sizes);
        g.node.insert(0, node("ConstantOfShape", &["sizes"], "b3", &[]));
        g.node[2].input[2] = "b3".into();
    };
    refused(made, "ConstantOfShape makes too much");
    let grown = |g: &mut Graph| {
        let (mut row, mut column) = (tensor("row", &[1, 4096]), tensor("column", &[4096, 1]));
        (row.name, column.name) = ("row".into(), "column".into());
        g.initializer.extend([row, column]);
        g.node.insert(0, node("Add", &["row", "column"], "b3", &[]));
        g.node[2].input[2] = "b3".into();
    };
    refused(grown, "Add makes too much");
    let copied = |g: &mut Graph| {
        g.initializer.push(tensor("t0", &[1000, 100]));
        let turn = |n: usize| node("Transpose", &[&format!("t{n}")], &format!("t{}", n + 1), &[]);
        g.node.splice(0..0, (0..1000).map(turn));
        let at = g.node.len() - 5;
        g.node[at].input[2] = "t1000".into();
    };
    refused(copied, "its graph computes too much of constants");
}

#[test]
fn colour_images_are_refused() {
    for dims in [[1, 3, 8, 8], [1, 8, 8, 4]] {
        let mut g = graph();
        g.input = vec![exporters::input("x", dtype::FLOAT, &dims)];
        let why = read(&file(g), None, None, None).unwrap_err();
        assert!(why.contains("channels: colour is not read yet; train it on grey images"), "{why}");
    }
}
