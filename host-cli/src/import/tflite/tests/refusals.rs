//! What is no chain of dense layers, or damaged, is refused in one line that names it.

use super::{
    Graph, dense, floats, fused, graph, integer_graph, integers, op, read, refused, softmax, value, with,
};
use crate::files::tflite::writer::{Number, Tensor};
use crate::files::tflite::{dtype, operator};

/// Applies a change to a graph, and checks what the refusal says.
fn says(graph: Graph, change: impl FnOnce(&mut Graph), part: &str) {
    let mut graph = graph;
    change(&mut graph);
    let why = refused(&graph);
    assert!(why.contains(part) && !why.contains('\n'), "expected {part:?} in: {why}");
}

#[test]
fn operators_by_name_and_index() {
    let convolved = "operator 1 (CONV_2D) is not supported: a model here is a chain of dense layers";
    says(graph(), |g| g.operators[1].code = 3, convolved);
    says(graph(), |g| g.operators[1].code = 250, "operator 1 (BuiltinOperator 250) is not supported");
    says(graph(), |g| g.operators[0].code = operator::CUSTOM, "operator 0 () is not supported");
    says(graph(), |g| g.operators[0].inputs = vec![0; 17], "operator 0 (FULLY_CONNECTED) is not supported");
    for code in [operator::ELU, operator::GELU, operator::PRELU] {
        let name = operator::name(code);
        says(
            graph(),
            |g| g.operators.insert(1, op(code, &[5], 6)),
            &format!("operator 1 ({name}) is not supported: the activations here are relu,"),
        );
    }
    says(
        graph(),
        |g| g.operators[0] = dense(&[0, 1, 2], 5, 2),
        "operator 0 (FULLY_CONNECTED) with RELU_N1_TO_1 is not supported: the activations here are",
    );
    let leaky = |g: &mut Graph| {
        g.tensors.push(value("z1", &[1, 2]));
        g.operators[0] = dense(&[0, 1, 2], 8, fused::NONE);
        g.operators.insert(1, with(op(operator::LEAKY_RELU, &[8], 5), &[Number::Float(0.2)]));
    };
    says(graph(), leaky, "operator 1 (LEAKY_RELU) with a slope of 0.2 instead of 0.01 is not supported");
    says(
        graph(),
        |g| {
            g.tensors.push(integers("axis", &[0]));
            g.operators[2] = op(operator::ARG_MAX, &[6, 8], 7);
        },
        "operator 2 (ARG_MAX) takes no class of each image: its axis is not 1",
    );
    says(graph(), |g| g.operators[2].options = None, "operator 2 (SOFTMAX) has beta 0, expected 1");
}

#[test]
fn graphs_that_are_no_chain() {
    let two = graph().repeated(2);
    assert_eq!(read(&two, None, None).unwrap_err(), "it has 2 subgraphs, expected 1");
    says(graph(), |g| g.inputs = vec![0, 0], "its graph has 2 inputs, expected 1");
    says(graph(), |g| g.outputs = vec![], "its graph has 0 outputs, expected 1");
    says(graph(), |g| g.outputs = vec![99], "it names tensor 99 of 8");
    says(graph(), |g| g.outputs = vec![1], "its output w1 is no layer's");
    says(graph(), |g| g.operators.clear(), "without operators");
    says(graph(), |g| g.operators[1].inputs[0] = 6, "z2 is neither a constant nor computed in front of it");
    says(
        graph(),
        |g| g.operators.insert(1, dense(&[0, 1, 2], 5, fused::RELU)),
        "operator 1 (FULLY_CONNECTED): its result is computed twice",
    );
    says(
        graph(),
        |g| g.operators[1].inputs[1] = 0,
        "operator 1 (FULLY_CONNECTED): its operand 1 is no constant",
    );
    says(
        graph(),
        |g| g.operators[0] = dense(&[0, 1, 2], 5, fused::NONE),
        "there is no activation between it",
    );
    says(
        graph(),
        |g| g.operators[2] = with(op(operator::ADD, &[6, 5], 7), &[]),
        "operator 2 (ADD) joins two values, and a multilayer perceptron is one chain of layers",
    );
    let many = |g: &mut Graph| {
        let layers = selvedge::shape::MAX_LAYERS as i32 + 1;
        g.tensors.extend((0..layers).map(|n| value(&format!("v{n}"), &[1, 2])));
        g.operators.truncate(1);
        g.operators.extend(
            (0..layers - 1).map(|n| dense(&[if n == 0 { 5 } else { 7 + n }, 3, 4], 8 + n, fused::RELU)),
        );
        g.outputs = vec![8 + layers - 2];
    };
    let max = selvedge::shape::MAX_LAYERS;
    says(graph(), many, &format!("it has {} dense layers, and a network here has 1 to {max}", max + 1));
    says(graph(), |g| g.operators = vec![softmax(6, 7); 1001], "its graph has 1001 operators");
    says(
        graph(),
        |g| g.operators[2] = dense(&[0, 1, 2], 7, fused::TANH),
        "its last layer is followed by tanh, and a model here ends with softmax, sigmoid or nothing",
    );
}

#[test]
fn tensors_that_do_not_fit() {
    says(graph(), |g| g.tensors[0].shape = vec![3], "x has shape [3], expected a batch of rows or of images");
    says(graph(), |g| g.tensors[0].shape = vec![1, -1], "x has shape [1, -1], expected a batch");
    says(
        graph(),
        |g| g.tensors[0].shape = vec![1, 28, 28, 3],
        "images of 3 channels: colour is not read yet",
    );
    says(graph(), |g| g.tensors[0].kind = 5, "its input x is STRING, expected FLOAT32 or INT8");
    says(
        graph(),
        |g| g.tensors[1].shape = vec![2, 4],
        "w1 has shape [2, 4], which does not fit its 24 bytes",
    );
    says(graph(), |g| g.tensors[1].shape = vec![3, 2], "w1 has 2 inputs, but the value in front of it has 3");
    says(graph(), |g| g.tensors[1].shape = vec![6], "w1 has shape [6], expected two dimensions");
    says(graph(), |g| g.tensors[2] = floats("b1", &[3], 1.0), "b1 has shape [3], expected [2]");
    let infinite = |g: &mut Graph| g.tensors[1].data.splice(0..4, f32::INFINITY.to_le_bytes()).for_each(drop);
    says(graph(), infinite, "w1 holds inf at position 0");
    says(graph(), |g| g.operators[0].options = Some((8, vec![Number::Byte(0), Number::Byte(1)])), "shuffled");
    let reshaped = |g: &mut Graph| g.operators.insert(1, op(operator::RESHAPE, &[5], 8));
    says(
        graph(),
        |g| {
            g.tensors.push(value("r", &[2, 1]));
            reshaped(g);
            g.operators[2].inputs[0] = 8;
        },
        "operator 1 (RESHAPE): it does not keep one row for each image",
    );
}

#[test]
fn quantization_that_contradicts_itself() {
    let scales = |count: usize| {
        move |g: &mut Graph| {
            g.tensors[3].scales = vec![0.5; count];
            g.tensors[3].zero_points = vec![0; count];
        }
    };
    says(
        integer_graph(),
        scales(3),
        "w2 has 3 scales along dimension 0, expected 1 or one for each of its 2 outputs",
    );
    says(integer_graph(), |g| g.tensors[3].zero_points = vec![0; 5], "w2 has 5 zero points for 2 scales");
    says(integer_graph(), |g| g.tensors[3].scales[1] = f32::NAN, "w2 has a scale of NaN at position 1");
    says(integer_graph(), |g| g.tensors[3].scales[1] = -1.0, "w2 has a scale of -1 at position 1");
    says(integer_graph(), |g| g.tensors[0].scales = vec![1.0, 2.0], "x has 2 scales, expected 1");
    says(
        integer_graph(),
        |g| g.tensors[0].zero_points = vec![1 << 40],
        "x has a zero point of 1099511627776",
    );
    says(
        integer_graph(),
        |g| g.tensors[1].scales.clear(),
        "w1 is INT8, expected FLOAT32 or INT8 with scales",
    );
    says(integer_graph(), |g| g.tensors[1].kind = 17, "w1 is INT4, expected FLOAT32 or INT8 with scales");
    says(integer_graph(), |g| g.tensors[2] = integers("b1", &[1]), "b1 has shape [1], expected [2]");
}

#[test]
fn types_that_are_mixed_or_old() {
    says(
        integer_graph(),
        |g| g.tensors[2] = floats("b1", &[2], 1.0),
        "operator 0 (FULLY_CONNECTED) mixes types: its input is INT8, its weights are INT8 and its biases FLOAT32",
    );
    says(
        integer_graph(),
        |g| g.tensors[1] = floats("w1", &[2, 3], 1.0),
        "mixes types: its input is INT8, its weights are FLOAT32 and its biases INT32",
    );
    says(
        graph(),
        |g| g.tensors[0].kind = dtype::INT32,
        "mixes types: its input is INT32, its weights are FLOAT32 and its biases FLOAT32",
    );
    let old = |tensor: &mut Tensor| tensor.kind = dtype::UINT8;
    says(integer_graph(), |g| old(&mut g.tensors[0]), "x is UINT8: the file is quantized in the old way");
    says(integer_graph(), |g| old(&mut g.tensors[1]), "w1 is UINT8: the file is quantized in the old way");
}

#[test]
fn files_that_end_too_soon_or_point_outside() {
    let whole = graph().to_bytes();
    assert!(read(&whole, None, None).is_ok());
    for length in 0..whole.len() {
        // Only what aligns the last numbers may be missing.
        if let Err(why) = read(&whole[..length], None, None) {
            assert!(!why.contains('\n'), "{why}");
        }
    }
    let why = read(&whole[..whole.len() / 2], None, None).unwrap_err();
    assert!(why.starts_with("a damaged TensorFlow Lite file: "), "{why}");
    let mut outside = whole;
    outside[..4].fill(0xff);
    let why = read(&outside, None, None).unwrap_err();
    assert!(why.starts_with("a damaged TensorFlow Lite file: "), "{why}");
}

#[test]
fn rounding_that_no_quantize_follows() {
    let unsupported = |name: &str| format!("({name}) is not supported");
    for (at, name) in [(0, "MAXIMUM"), (1, "MINIMUM"), (2, "FLOOR")] {
        says(
            super::clipped(),
            |graph| {
                // The layer takes the value in front of the QUANTIZE, and only one of the three is in its way.
                let output = graph.operators[at].outputs[0];
                graph.operators[at].inputs[0] = 0;
                graph.operators[5].inputs[0] = output;
                graph.tensors[1] = floats("w1", &[2, 3], 1.0);
                graph.tensors[2] = floats("b1", &[2], 1.0);
            },
            &unsupported(name),
        );
    }
    // Behind a layer it is another network, whatever follows.
    says(
        graph(),
        |graph| {
            graph.tensors.push(value("floor", &[1, 2]));
            graph.operators.insert(1, op(operator::FLOOR, &[5], 8));
            graph.operators[2].inputs[0] = 8;
        },
        "operator 1 (FLOOR) is not supported",
    );
    says(
        super::clipped(),
        |graph| {
            // Of two values instead of a constant.
            graph.operators[1].inputs[1] = 0;
        },
        &unsupported("MINIMUM"),
    );
}

#[test]
fn tables_of_something_else_than_bytes() {
    says(
        graph(),
        |graph| {
            graph.tensors.extend([floats("table", &[3], 1.0), value("looked_up", &[1, 3])]);
            graph.operators.insert(0, op(operator::GATHER, &[8, 0], 9));
            graph.operators[1].inputs[0] = 9;
        },
        "operator 0 (GATHER) is not supported",
    );
    says(
        graph(),
        |graph| {
            graph.tensors[0].kind = dtype::UINT8;
            graph.tensors.extend([floats("table", &[3], 1.0), value("looked_up", &[1, 3])]);
            graph.operators.insert(0, op(operator::GATHER, &[8, 0], 9));
            graph.operators[1].inputs[0] = 9;
        },
        "table has shape [3], and a table of pixels has 256 numbers",
    );
}
