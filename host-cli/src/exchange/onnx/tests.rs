//! Graphs as other exporters write them, and graphs that are refused.

use prost::Message;

use super::proto::{Attribute, Entry, Graph, Model, Node, Tensor, ValueInfo, dtype};
use super::read::read;

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
    let layers = read(&file(graph()), None).unwrap();
    assert_eq!(layers[0].names, ["w1", "b1"]);
    assert_eq!((layers[0].dims, &layers[0].weights[..]), ([2, 3], &[1., 2., 3., 4., 5., 6.][..]));
    // A MatMul's weights are (in, out).
    assert_eq!((layers[1].dims, &layers[1].weights[..]), ([2, 2], &[1., 3., 2., 4.][..]));
    assert_eq!(layers[1].biases, [1., 2.]);
    assert_eq!(layers.len(), 2);
}

#[test]
fn constants_raw_bytes_half_floats_and_other_files() {
    let expected = read(&file(graph()), None).unwrap();
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
    assert_eq!(read(&file(g), None).unwrap(), expected);

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
        read(&file(g), Some(folder.path()))
    };
    assert_eq!(external("weights.data", "4").unwrap(), expected);
    assert!(external("weights.data", "5").unwrap_err().contains("which is 6 values, but it holds 5"));
    assert!(external("weights.data", "x").unwrap_err().contains("w1 has offset \"x\""));
    assert!(external("none.data", "0").unwrap_err().contains("none.data"));
    for outside in ["../weights.data", "/etc/passwd", "a/../../b"] {
        assert!(external(outside, "0").unwrap_err().contains("outside the model's folder"), "{outside}");
    }
}

#[test]
fn other_networks_are_refused_by_the_operators_name() {
    let case = |change: &dyn Fn(&mut Graph), what: &str| {
        let mut g = graph();
        change(&mut g);
        let why = read(&file(g), None).unwrap_err();
        assert!(why.contains(what), "{what}: {why}");
    };
    case(&|g| g.node[2].op_type = "Sigmoid".into(), "operator Sigmoid is not supported");
    case(&|g| g.node[0].op_type = "Conv".into(), "operator Conv is not supported");
    case(&|g| g.node[2].domain = "com.microsoft".into(), "operator com.microsoft.Relu is not supported");
    case(&|g| g.node[1].attribute.push(attribute("alpha", 0, 2.0)), "Gemm has alpha 2, expected 1");
    case(&|g| g.node[1].attribute.push(attribute("transA", 1, 0.0)), "transA 1, expected 0");
    case(&|g| g.node[0].attribute.push(attribute("axis", 0, 0.0)), "Flatten has axis 0, expected 1");
    case(&|g| g.node[5].attribute[0].i = 0, "Softmax has axis 0, expected 1");
    case(&|g| g.node[1].input.truncate(2), "Gemm has no bias");
    let no_add = |g: &mut Graph| {
        g.node.remove(4);
        g.node[4].input[0] = "p2".into();
    };
    case(&no_add, "Softmax: the MatMul in front of it has no bias");
    case(&|g| g.node.truncate(4), "its last MatMul has no bias");
    case(&|g| g.node.truncate(3), "its last layer is followed by a Relu");
    case(&|g| g.node.truncate(1), "it holds no dense layer");
    case(&|g| g.node.clear(), "neither a safetensors file nor an ONNX one");
    case(&|g| g.initializer[0].dims = vec![6], "w1 has shape [6], expected two dimensions");
    case(&|g| g.initializer[0].dims = vec![7, 1], "which is 7 values, but it holds 6");
    case(&|g| g.initializer[0].dims = vec![i64::MAX, i64::MAX], "w1 has shape");
    case(&|g| g.initializer[0].dims = vec![-1, 3], "w1 has shape [-1, 3]");
    case(&|g| g.initializer[0].data_type = 7, "w1 is INT64, expected FLOAT");
    case(&|g| g.initializer[0].float_data[2] = f32::NAN, "w1 holds NaN at position 2");
    case(&|g| g.initializer[1].dims = vec![2, 1], "b1 has shape [2, 1], expected [2]");
    case(&|g| drop(g.initializer.remove(0)), "Gemm: w1 is computed, expected a constant");
    case(&|g| g.input.push(value("second")), "its graph has 2 inputs");
    case(&|g| g.output[0].name = "a1".into(), "its output a1 is not the last layer's");
    let skip = |g: &mut Graph| {
        g.node.remove(2);
        g.node[2].input[0] = "z1".into();
    };
    case(&skip, "there is no Relu between");
    case(&|g| g.node[4].input = vec!["b2".into(), "a1".into()], "Add does not follow");
}
