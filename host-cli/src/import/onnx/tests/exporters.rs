//! What exporters write around the layers: it is taken where it changes nothing, and folded where it scales.

use super::super::super::InputKind;
use super::super::GraphNetwork;
use super::{attribute, file, graph, node, read, refused, taken, tensor, value};
use crate::files::onnx::{
    Attribute, Dim, Graph, Node, OperatorSet, Tensor, TensorShape, TensorType, ValueInfo, ValueType, dtype,
};

/// The logits of an image, in f64.
pub(super) fn logits(read: &GraphNetwork, x: &[f64]) -> Vec<f64> {
    let mut x = x.to_vec();
    for (n, layer) in read.layers.iter().enumerate() {
        let rows = layer.weights.chunks_exact(layer.dims[1]).zip(&layer.biases);
        let sum = |(row, b): (&[f32], &f32)| {
            row.iter().zip(&x).map(|(w, x)| f64::from(*w) * x).sum::<f64>() + f64::from(*b)
        };
        let relu = |z: f64| if n + 1 < read.layers.len() { z.max(0.0) } else { z };
        x = rows.map(sum).map(relu).collect();
    }
    x
}

fn close(found: &[f64], expected: &[f64]) {
    let most = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6 * most), "{found:?} {expected:?}");
}

/// An image, and what the plain graph makes of it.
const X: [f64; 3] = [0.1, -0.4, 0.7];

fn plain(x: &[f64]) -> Vec<f64> {
    logits(&taken(graph()), x)
}

/// An input of some dimensions, 0 for the batch.
pub(super) fn input(name: &str, elem_type: i32, dims: &[i64]) -> ValueInfo {
    let dim = dims.iter().map(|&d| Dim { value: Some(d).filter(|&d| d > 0), name: None }).collect();
    let tensor = TensorType { elem_type, shape: Some(TensorShape { dim }) };
    ValueInfo { name: name.into(), kind: Some(ValueType { tensor: Some(tensor) }) }
}

pub(super) fn integers(name: &str, dims: &[i64], values: &[i64]) -> Tensor {
    let int64_data = values.to_vec();
    Tensor {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: dtype::INT64,
        int64_data,
        ..Tensor::default()
    }
}

pub(super) fn floats(name: &str, dims: &[i64], values: &[f32]) -> Tensor {
    Tensor { float_data: values.to_vec(), ..tensor(name, dims) }
}

pub(super) fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: values.to_vec(), ..Attribute::default() }
}

/// The graph with something else in place of its `Flatten`, which makes `flat` of `x`.
pub(super) fn flattened(dims: &[i64], nodes: Vec<Node>, constants: Vec<Tensor>) -> Graph {
    let mut g = graph();
    g.input = vec![input("x", dtype::FLOAT, dims)];
    g.node.splice(0..1, nodes);
    g.initializer.extend(constants);
    g
}

#[test]
fn rows_are_flattened_in_every_way() {
    let reshape = || node("Reshape", &["x", "to"], "flat", &[]);
    for (dims, to) in [
        (&[0, 1, 1, 3][..], &[-1, 3][..]),
        (&[0, 3, 1], &[0, -1]),
        (&[1, 1, 3], &[1, 3]),
        (&[0, 1, 3], &[1, 3]),
        (&[8, 3], &[8, 3]),
        (&[], &[-1, 3]),
    ] {
        let mut g = flattened(dims, vec![reshape()], vec![integers("to", &[2], to)]);
        if dims.is_empty() {
            g.input = vec![value("x")];
        }
        assert_eq!(taken(g).layers, taken(graph()).layers, "{dims:?} {to:?}");
    }
    // The sizes from a Shape, as PyTorch writes x.view(x.size(0), -1).
    let computed = vec![
        node("Shape", &["x"], "shape", &[]),
        node("Gather", &["shape", "zero"], "batch", &[attribute("axis", 0, 0.0)]),
        node("Unsqueeze", &["batch", "first"], "batches", &[]),
        node("Concat", &["batches", "rest"], "to", &[attribute("axis", 0, 0.0)]),
        reshape(),
    ];
    let constants =
        vec![integers("zero", &[], &[0]), integers("first", &[1], &[0]), integers("rest", &[1], &[-1])];
    assert_eq!(taken(flattened(&[0, 1, 3, 1], computed, constants)).layers, taken(graph()).layers);
    // And as tf2onnx does: the product of all but the first.
    let computed = vec![
        node("Shape", &["x"], "shape", &[]),
        node("Cast", &["shape"], "wide", &[attribute("to", 7, 0.0)]),
        node("Slice", &["wide", "start", "end"], "tail", &[]),
        node("ReduceProd", &["tail"], "size", &[attribute("keepdims", 1, 0.0)]),
        node("Concat", &["minus", "size"], "to", &[attribute("axis", 0, 0.0)]),
        reshape(),
    ];
    let constants = vec![
        integers("start", &[1], &[1]),
        integers("end", &[1], &[i64::MAX]),
        integers("minus", &[1], &[-1]),
    ];
    assert_eq!(taken(flattened(&[0, 3, 1], computed, constants)).layers, taken(graph()).layers);
    // A transpose that moves dimensions of 1 alone, and dimensions that come and go.
    let moved = vec![
        node("Transpose", &["x"], "t", &[ints("perm", &[0, 2, 3, 1])]),
        node("Squeeze", &["t"], "s", &[ints("axes", &[1, -1])]),
        node("Unsqueeze", &["s", "one"], "u", &[]),
        node("Flatten", &["u"], "flat", &[]),
    ];
    let one = vec![integers("one", &[1], &[1])];
    assert_eq!(taken(flattened(&[0, 1, 1, 3], moved, one)).layers, taken(graph()).layers);
}

#[test]
fn rows_that_are_not_kept_are_refused() {
    let case = |dims: &[i64], nodes: Vec<Node>, constants: Vec<Tensor>, what: &str| {
        let why = read(&file(flattened(dims, nodes, constants)), None, None, None).unwrap_err();
        assert!(why.contains(what), "{what}: {why}");
    };
    let reshape = || vec![node("Reshape", &["x", "to"], "flat", &[])];
    for to in [&[-1i64][..], &[3, -1], &[-1, 2], &[0, 4], &[-1, -1], &[i64::MIN, 3], &[]] {
        case(&[0, 1, 3], reshape(), vec![integers("to", &[to.len() as i64], to)], "it does not keep one row");
    }
    let turn = vec![node("Transpose", &["x"], "flat", &[ints("perm", &[0, 2, 1])])];
    case(&[0, 2, 3], turn, vec![], "Transpose puts the pixels of an image into another order");
    let none = || vec![node("Identity", &["x"], "flat", &[])];
    case(&[0, 1, 3], none(), vec![], "the input has more than two dimensions and no Flatten");
    case(&[0, 4], none(), vec![], "w1 has 3 inputs, but the value in front of it has 4");
    case(&[3], none(), vec![], "its input x has 1 dimensions, expected a batch");
    let whole = vec![node("Cast", &["x"], "flat", &[attribute("to", 7, 0.0)])];
    case(&[0, 3], whole, vec![], "Cast rounds what it is given to INT64");
}

#[test]
fn what_changes_nothing_is_passed_over() {
    let mut g = graph();
    g.node[5] = node("LogSoftmax", &["q2"], "y", &[attribute("axis", -1, 0.0)]);
    g.node.insert(5, node("Cast", &["z2"], "q2", &[attribute("to", 1, 0.0)]));
    g.node[3].input[0] = "d1".into();
    g.node.insert(3, node("Dropout", &["a1"], "d1", &[]));
    g.node[2] = node("Clip", &["z1", "", ""], "c1", &[]);
    g.node.insert(3, node("Max", &["zero", "c1"], "a1", &[]));
    g.initializer.push(floats("zero", &[], &[0.0]));
    // A dead end, and weights that are computed of others.
    g.node.insert(2, node("Conv", &["z1"], "dead", &[]));
    g.node[1].input = vec!["flat".into(), "turned".into(), "named".into()];
    g.node.insert(0, node("Identity", &["b1"], "named", &[]));
    g.node.insert(0, node("Transpose", &["w1t"], "turned", &[ints("perm", &[1, 0])]));
    g.initializer[0] = floats("w1t", &[3, 2], &[1., 4., 2., 5., 3., 6.]);
    let found = taken(g);
    let [expected, named] = [taken(graph()).layers, found.layers.clone()];
    assert_eq!(named[0].names, ["w1t", "b1"]);
    assert_eq!((&named[0].weights, &named[1]), (&expected[0].weights, &expected[1]));
    let clip = |g: &mut Graph| g.node[2] = node("Clip", &["z1"], "a1", &[attribute("min", 0, 0.0)]);
    let mut g = graph();
    clip(&mut g);
    assert_eq!(taken(g).layers, expected);
    refused(
        |g| g.node[2] = node("Clip", &["z1", "b1"], "a1", &[]),
        "Clip: b1 has shape [2], expected a scalar",
    );
}

#[test]
fn layers_without_biases_and_with_factors() {
    let mut g = graph();
    g.node[1].input.pop();
    g.node[1].attribute.push(attribute("alpha", 0, 0.5));
    g.node[4] = node("Identity", &["p2"], "z2", &[]);
    let found = taken(g);
    assert_eq!((&found.layers[0].biases, &found.layers[0].names[1][..]), (&vec![0.0; 2], ""));
    assert_eq!(found.layers[0].weights, [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]);
    let mut g = graph();
    g.initializer[1] = floats("b1", &[], &[0.25]);
    g.node[1].attribute.push(attribute("beta", 0, 2.0));
    assert_eq!(taken(g).layers[0].biases, [0.5, 0.5]);
    // Doubles are rounded, which is told.
    let mut g = graph();
    let w1 = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
    g.initializer[0] = Tensor {
        data_type: dtype::DOUBLE,
        double_data: w1.to_vec(),
        float_data: Vec::new(),
        ..tensor("w1", &[2, 3])
    };
    let found = taken(g);
    assert_eq!(found.layers[0].weights, w1.map(|x| x as f32));
    assert!(found.notes[0].contains("64 bits (DOUBLE) and were rounded"), "{:?}", found.notes);
}

#[test]
fn what_scales_a_layer_is_folded_into_it() {
    // After the first layer, and after its ReLU.
    let mut g = graph();
    g.node[2].input[0] = "n1".into();
    let bn = ["z1", "scale", "shift", "mean", "variance"];
    g.node.insert(2, node("BatchNormalization", &bn, "n1", &[attribute("epsilon", 0, 1e-3)]));
    g.node[4].input[0] = "m1".into();
    g.node.insert(4, node("Mul", &["two", "a1"], "m1", &[]));
    g.initializer.extend([
        floats("scale", &[2], &[0.5, -2.0]),
        floats("shift", &[2], &[0.1, 0.2]),
        floats("mean", &[2], &[1.0, -1.0]),
        floats("variance", &[2], &[4.0, 0.25]),
        floats("two", &[1, 2], &[2.0, 3.0]),
    ]);
    let z = logits(
        &GraphNetwork { layers: vec![taken(graph()).layers.remove(0)], ..GraphNetwork::default() },
        &X,
    );
    let of = |n: usize, s: f64, t: f64, m: f64, v: f64| {
        ((z[n] - m) / (v + f64::from(1e-3f32)).sqrt() * s + t).max(0.0)
    };
    let hidden =
        [2.0 * of(0, 0.5, f64::from(0.1f32), 1.0, 4.0), 3.0 * of(1, -2.0, f64::from(0.2f32), -1.0, 0.25)];
    let second = GraphNetwork { layers: vec![taken(graph()).layers.remove(1)], ..GraphNetwork::default() };
    let found = taken(g.clone());
    close(&logits(&found, &X), &logits(&second, &hidden));
    assert!(found.notes.is_empty() && !found.defines_inputs, "{found:?}");
    let at = g.initializer.len() - 2;
    g.initializer[at] = floats("variance", &[2], &[-1.0, 0.25]);
    assert!(
        read(&file(g), None, None, None)
            .unwrap_err()
            .contains("BatchNormalization: what it multiplies or adds is not finite")
    );
    refused(|g| g.node[4] = node("Div", &["b2", "p2"], "z2", &[]), "Div divides by what the image makes");
}

/// What a graph does to its input, the inputs that it is given for pixels of 0 to 1, and what it says.
#[test]
fn inputs_are_pixels_of_a_byte_or_of_one() {
    let with = |nodes: Vec<Node>, constants: Vec<Tensor>| flattened(&[0, 3], nodes, constants);
    let scalars = |values: &[f32]| {
        values.iter().enumerate().map(|(n, &v)| floats(&format!("k{n}"), &[], &[v])).collect::<Vec<_>>()
    };
    let check = |g: &Graph, inputs: Option<InputKind>, expected: &dyn Fn(f64) -> f64, note: &str| {
        let found = read(&file(g.clone()), None, inputs, None).unwrap();
        close(&logits(&found, &X), &plain(&X.map(expected)));
        let notes = found.notes.join("");
        assert!(
            found.defines_inputs && notes.contains(note) && note.is_empty() == notes.is_empty(),
            "{notes}"
        );
    };
    let div = with(vec![node("Div", &["x", "k0"], "flat", &[])], scalars(&[255.0]));
    check(
        &div,
        None,
        &|x| x,
        "divides its input by 255.0000, so that it was taken to expect pixels of 0 to 255",
    );
    check(&div, Some(InputKind::Byte), &|x| x, "");
    check(&div, Some(InputKind::Unit), &|x| x / 255.0, "");
    // torchvision's Normalize, and both after a division.
    let normalise =
        |from: &str| [node("Sub", &[from, "k0"], "s", &[]), node("Div", &["s", "k1"], "flat", &[])];
    let torch = with(normalise("x").to_vec(), scalars(&[0.25, 0.5]));
    check(
        &torch,
        None,
        &|x| (x - 0.25) / 0.5,
        "multiplies its input by 2.0000, so that it was taken to expect pixels of 0 to 1;",
    );
    let both = [&[node("Mul", &["k2", "x"], "d", &[])][..], &normalise("d")].concat();
    let both = with(both, scalars(&[0.25, 0.5, 1.0 / 255.0]));
    check(&both, None, &|x| (x * 255.0 * f64::from(1.0f32 / 255.0) - 0.25) / 0.5, "pixels of 0 to 255");
    // Keras' Rescaling(1 / 127.5, offset=-1), and what is neither.
    let keras = [node("Mul", &["x", "k0"], "m", &[]), node("Add", &["m", "k1"], "flat", &[])];
    let keras = with(keras.to_vec(), scalars(&[1.0 / 127.5, -1.0]));
    check(&keras, None, &|x| x * 255.0 * f64::from(1.0f32 / 127.5) - 1.0, "pixels of 0 to 255");
    let odd = with(vec![node("Div", &["x", "k0"], "flat", &[])], scalars(&[4.0]));
    let why = read(&file(odd.clone()), None, None, None).unwrap_err();
    assert!(
        why.contains("divides its input by 4.0000, which fits neither") && why.contains("`--inputs byte`"),
        "{why}"
    );
    check(&odd, Some(InputKind::Byte), &|x| x * 255.0 / 4.0, "");
    // An input of bytes says it itself.
    let mut bytes = with(vec![node("Cast", &["x"], "flat", &[attribute("to", 1, 0.0)])], vec![]);
    bytes.input = vec![input("x", dtype::UINT8, &[0, 3])];
    check(&bytes, None, &|x| 255.0 * x, "");
    bytes.node[0] = node("Div", &["x", "k0"], "flat", &[]);
    bytes.initializer.extend(scalars(&[255.0]));
    assert!(read(&file(bytes), None, None, None).unwrap_err().contains("Div computes with integers"));
    // A mean and a deviation of each pixel of an image.
    let each = vec![node("Sub", &["x", "m"], "s", &[]), node("Flatten", &["s"], "flat", &[])];
    let each = flattened(&[0, 1, 3], each, vec![floats("m", &[1, 1, 3], &[0.5, 0.25, 0.125])]);
    let found = taken(each);
    close(&logits(&found, &X), &plain(&[X[0] - 0.5, X[1] - 0.25, X[2] - 0.125]));
    assert!(found.notes[0].contains("scales each pixel by a number of its own"), "{:?}", found.notes);
}

fn ml(op: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> Node {
    Node { domain: "ai.onnx.ml".into(), ..node(op, inputs, output, attributes) }
}

/// As skl2onnx writes a pipeline of a scaler and a classifier, with labels and with a map of probabilities.
#[test]
fn classifiers_of_scikit_learn() {
    let names = |texts: &[&str]| Tensor {
        name: "classes".into(),
        dims: vec![texts.len() as i64],
        data_type: dtype::STRING,
        string_data: texts.iter().map(|t| t.as_bytes().to_vec()).collect(),
        ..Tensor::default()
    };
    let list = |name: &str, values: &[f32]| Attribute {
        name: name.into(),
        floats: values.to_vec(),
        ..Attribute::default()
    };
    let scaler = [list("offset", &[0.5, 0.25, 0.0]), list("scale", &[2.0, 4.0, 1.0])];
    let mut g = flattened(&[0, 3], vec![ml("Scaler", &["x"], "flat", &scaler)], vec![names(&["cat", "dog"])]);
    g.node.extend([
        node("ArgMax", &["y"], "at", &[attribute("axis", 1, 0.0)]),
        ml("ArrayFeatureExtractor", &["classes", "at"], "found", &[]),
        node("Reshape", &["found", "flat_shape"], "label", &[]),
    ]);
    g.initializer.push(integers("flat_shape", &[1], &[-1]));
    g.output.insert(0, value("label"));
    let found = taken(g.clone());
    close(&logits(&found, &X), &plain(&[2.0 * (X[0] - 0.5), 4.0 * (X[1] - 0.25), X[2]]));
    assert_eq!(found.classes, ["cat", "dog"]);
    let strings = Attribute {
        name: "classlabels_strings".into(),
        strings: vec![b"a".to_vec(), b"b\n".to_vec()],
        ..Attribute::default()
    };
    g.node.push(ml("ZipMap", &["y"], "map", &[strings]));
    g.output = vec![value("map")];
    let found = taken(g.clone());
    assert!(found.classes.is_empty() && found.notes.iter().any(|n| n.contains("line breaks")), "{found:?}");
    g.node.pop();
    g.node.push(ml("ZipMap", &["y"], "map", &[ints("classlabels_int64s", &[3, 7])]));
    assert_eq!(taken(g.clone()).classes, ["3", "7"]);
    g.node.pop();
    g.node.push(ml("ZipMap", &["y"], "map", &[ints("classlabels_int64s", &[0, 1])]));
    assert!(taken(g).classes.is_empty());
}

/// A decision of two classes: the one probability and what is left of 1 are the softmax of 0 and the logit.
#[test]
fn two_classes_of_one_sigmoid() {
    let mut g = graph();
    (g.initializer[2], g.initializer[3]) = (tensor("w2", &[2, 1]), tensor("b2", &[1]));
    g.initializer.push(floats("one", &[], &[1.0]));
    g.node.pop();
    g.node.extend([
        node("Sigmoid", &["z2"], "p", &[]),
        node("Sub", &["one", "p"], "q", &[]),
        node("Concat", &["q", "p"], "y", &[attribute("axis", 1, 0.0)]),
    ]);
    let found = taken(g.clone());
    let z = logits(&found, &X);
    let hidden = logits(
        &GraphNetwork { layers: vec![taken(graph()).layers.remove(0)], ..GraphNetwork::default() },
        &X,
    );
    close(&z, &[0.0, hidden[0].max(0.0) + 2.0 * hidden[1].max(0.0) + 1.0]);
    g.node.last_mut().unwrap().input.reverse();
    assert!(read(&file(g), None, None, None).is_err());
}

/// An operator set of before 13, where a softmax is over all from axis 1.
#[test]
fn old_operator_sets() {
    use prost::Message;
    let mut g = graph();
    g.node[5].attribute.clear();
    let old = super::Model {
        graph: Some(g),
        opset_import: vec![OperatorSet { domain: String::new(), version: 9 }],
        ..super::Model::default()
    };
    assert_eq!(read(&old.encode_to_vec(), None, None, None).unwrap().layers, taken(graph()).layers);
}
