//! What the exporters of scikit-learn and of Keras write at the ends of a graph.

use prost::Message;

use super::super::Ending;
use super::exporters::{floats, integers};
use super::{attribute, file, graph, node, read, taken, value};
use crate::files::onnx::{Model, Node};

fn ml(node: Node) -> Node {
    Node { domain: "ai.onnx.ml".into(), ..node }
}

#[test]
fn labels_follow_from_sigmoids() {
    let mut g = graph();
    g.node[5] = node("Sigmoid", &["z2"], "p", &[]);
    g.initializer.push(floats("one", &[], &[1.0]));
    g.node.extend([
        ml(node("Binarizer", &["p"], "set", &[attribute("threshold", 0, 0.5)])),
        node("Cast", &["set"], "label", &[attribute("to", 7, 0.0)]),
        node("Sub", &["one", "p"], "none", &[]),
        node("Concat", &["none", "p"], "both", &[attribute("axis", 1, 0.0)]),
        ml(node("ZipMap", &["both"], "y", &[])),
    ]);
    g.output.push(value("label"));
    let found = taken(g.clone());
    assert_eq!((found.ending, &found.layers), (Ending::Sigmoid, &taken(graph()).layers));
    // Another threshold is not that of the model's labels.
    g.node[6].attribute[0].f = 0.7;
    let why = read(&file(g), None, None, None).unwrap_err();
    assert!(why.starts_with("node 6: operator ai.onnx.ml.Binarizer is not supported: "), "{why}");
    assert!(why.ends_with("; export the network without it"), "{why}");
}

#[test]
fn several_targets_in_one_column() {
    let mut g = graph();
    g.node[5] = node("Reshape", &["z2", "column"], "y", &[]);
    g.initializer.push(integers("column", &[2], &[-1, 1]));
    let of = |producer_name: &str, g| {
        let model = Model { producer_name: producer_name.into(), graph: Some(g), ..Model::default() };
        read(&model.encode_to_vec(), None, None, None)
    };
    assert!(of("", g.clone()).unwrap_err().contains("one row for each image"));
    let found = of("skl2onnx", g.clone()).unwrap();
    assert_eq!((found.ending, &found.layers), (Ending::Linear, &taken(graph()).layers));
    // Its bytes may be raw.
    let column = g.initializer.last_mut().unwrap();
    column.raw_data = column.int64_data.drain(..).flat_map(i64::to_le_bytes).collect();
    assert_eq!(of("skl2onnx", g.clone()).unwrap().layers, found.layers);
    // It is the last operator that joins them, and no other shape does.
    g.initializer.pop();
    g.initializer.push(integers("column", &[2], &[-1, 2]));
    g.node[5].input[0] = "a1".into();
    assert!(of("skl2onnx", g).is_err());
}

#[test]
fn constants_that_keras_leaves_out() {
    let mut g = graph();
    g.input.push(value("sequential/normalization/Sub/y:0"));
    let why = read(&file(g), None, None, None).unwrap_err();
    assert!(why.contains("2 inputs") && why.contains("import the TensorFlow Lite file"), "{why}");
}
