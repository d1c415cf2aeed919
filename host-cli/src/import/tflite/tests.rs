//! Graphs as the converters write them, and graphs that are refused.

mod refusals;

use selvedge::Activation;

use super::super::task::Ending;
use super::super::{Clause, ImportOptions, InputKind};
use crate::data::Task;
use crate::files::tflite::writer::{Graph, Number, Operator, Tensor};
use crate::files::tflite::{dtype, fused, operator};
use crate::import::onnx::GraphNetwork;

/// A value that is computed, of floats.
fn value(name: &str, shape: &[i32]) -> Tensor {
    Tensor { name: name.into(), shape: shape.to_vec(), ..Tensor::default() }
}

/// A value that is computed, of integers that stand for numbers.
fn quantized(name: &str, shape: &[i32], scale: f32, zero_point: i64) -> Tensor {
    Tensor { kind: dtype::INT8, scales: vec![scale], zero_points: vec![zero_point], ..value(name, shape) }
}

/// Floats 1, 2, 3, ... times a factor.
fn floats(name: &str, shape: &[i32], factor: f32) -> Tensor {
    let values = (1..=shape.iter().product::<i32>()).flat_map(|n| (factor * n as f32).to_le_bytes());
    Tensor { data: values.collect(), ..value(name, shape) }
}

/// Integers of 8 bits with scales.
fn bytes(name: &str, shape: &[i32], values: &[i8], scales: &[f32]) -> Tensor {
    Tensor {
        kind: dtype::INT8,
        data: values.iter().map(|&q| q as u8).collect(),
        scales: scales.to_vec(),
        zero_points: vec![0; scales.len()],
        ..value(name, shape)
    }
}

fn integers(name: &str, values: &[i32]) -> Tensor {
    let data = values.iter().flat_map(|q| q.to_le_bytes()).collect();
    Tensor { kind: dtype::INT32, data, ..value(name, &[values.len() as i32]) }
}

fn op(code: u32, inputs: &[i32], output: i32) -> Operator {
    let (inputs, outputs) = (inputs.to_vec(), vec![output]);
    Operator { code, version: 1, inputs, outputs, options: None }
}

fn with(mut operator: Operator, options: &[Number]) -> Operator {
    // The code of the options is of no account to the reader, who knows them from the operator.
    operator.options = Some((8, options.to_vec()));
    operator
}

/// A dense layer with a fused activation.
fn dense(inputs: &[i32], output: i32, activation: u8) -> Operator {
    with(op(operator::FULLY_CONNECTED, inputs, output), &[Number::Byte(activation)])
}

fn softmax(input: i32, output: i32) -> Operator {
    with(op(operator::SOFTMAX, &[input], output), &[Number::Float(1.0)])
}

/// `3-2-2` with a fused ReLU and a softmax: tensors 0 the input, 1 to 4 constants, 5 to 7 what is computed.
fn graph() -> Graph {
    Graph {
        description: "a test".into(),
        tensors: vec![
            value("x", &[1, 3]),
            floats("w1", &[2, 3], 1.0),
            floats("b1", &[2], 10.0),
            floats("w2", &[2, 2], -1.0),
            floats("b2", &[2], 0.5),
            value("a1", &[1, 2]),
            value("z2", &[1, 2]),
            value("y", &[1, 2]),
        ],
        operators: vec![dense(&[0, 1, 2], 5, fused::RELU), dense(&[5, 3, 4], 6, fused::NONE), softmax(6, 7)],
        inputs: vec![0],
        outputs: vec![7],
    }
}

/// The same of integers: per tensor in the first layer, per output in the second.
fn integer_graph() -> Graph {
    let mut graph = graph();
    graph.tensors = vec![
        quantized("x", &[1, 3], 1.0 / 255.0, -128),
        bytes("w1", &[2, 3], &[1, -2, 3, 127, 0, -127], &[0.5]),
        integers("b1", &[255, -510]),
        bytes("w2", &[2, 2], &[1, 2, 3, 4], &[0.5, 0.25]),
        integers("b2", &[8, 16]),
        quantized("a1", &[1, 2], 0.125, -128),
        quantized("z2", &[1, 2], 1.0, 3),
        quantized("y", &[1, 2], 1.0 / 256.0, -128),
    ];
    graph
}

fn read(bytes: &[u8], inputs: Option<InputKind>, task: Option<Task>) -> Clause<GraphNetwork> {
    super::read(bytes, &ImportOptions { inputs, task, ..ImportOptions::default() })
}

fn taken(graph: &Graph) -> GraphNetwork {
    read(&graph.to_bytes(), None, None).unwrap()
}

fn refused(graph: &Graph) -> String {
    read(&graph.to_bytes(), Some(InputKind::Unit), None).unwrap_err()
}

#[test]
fn a_chain_of_floats() {
    let read = taken(&graph());
    assert_eq!((read.ending, read.layers.len()), (Ending::Softmax, 2));
    assert_eq!(read.activations, [Activation::Relu]);
    assert_eq!((read.defines_inputs, read.notes.len()), (false, 0));
    let [first, second] = &read.layers[..] else { panic!() };
    assert_eq!((first.dims, &first.names), ([2, 3], &["w1", "b1"].map(String::from)));
    assert_eq!((&first.weights[..], &first.biases[..]), (&[1., 2., 3., 4., 5., 6.][..], &[10., 20.][..]));
    assert_eq!((&second.weights[..], &second.biases[..]), (&[-1., -2., -3., -4.][..], &[0.5, 1.][..]));
}

#[test]
fn operators_that_the_output_does_not_need_and_missing_biases() {
    let mut graph = graph();
    graph.operators.insert(0, op(3, &[0], 7));
    graph.operators[1].inputs[2] = -1;
    graph.operators[2].inputs.pop();
    graph.outputs = vec![6];
    let read = taken(&graph);
    assert_eq!(read.ending, Ending::Linear);
    assert!(read.layers.iter().all(|layer| layer.biases == [0., 0.] && layer.names[1].is_empty()));
}

#[test]
fn every_activation_fused_and_alone() {
    for (code, activation) in
        [(fused::RELU, Activation::Relu), (fused::RELU6, Activation::Relu6), (fused::TANH, Activation::Tanh)]
    {
        let mut graph = graph();
        graph.operators[0] = dense(&[0, 1, 2], 5, code);
        assert_eq!(taken(&graph).activations, [activation]);
    }
    for (code, options, activation) in [
        (operator::RELU, None, Activation::Relu),
        (operator::RELU6, None, Activation::Relu6),
        (operator::TANH, None, Activation::Tanh),
        (operator::LOGISTIC, None, Activation::Sigmoid),
        (operator::HARD_SWISH, None, Activation::HardSwish),
        (operator::LEAKY_RELU, Some(0.01), Activation::LeakyRelu),
        (operator::LEAKY_RELU, None, Activation::Relu),
    ] {
        let mut graph = graph();
        graph.tensors.push(value("z1", &[1, 2]));
        graph.operators[0] = dense(&[0, 1, 2], 8, fused::NONE);
        let alone = with(op(code, &[8], 5), &options.map(Number::Float).into_iter().collect::<Vec<_>>());
        graph.operators.insert(1, alone);
        assert_eq!(taken(&graph).activations, [activation], "{code}");
    }
}

#[test]
fn hard_swish_in_parts() {
    let mut graph = graph();
    let scalar = |name: &str, x: f32| Tensor { data: x.to_le_bytes().into(), ..value(name, &[]) };
    graph.tensors.extend([value("z1", &[1, 2]), scalar("three", 3.0), scalar("sixth", 1.0 / 6.0)]);
    graph.tensors.extend(["s", "c", "m"].map(|name| value(name, &[1, 2])));
    graph.operators.splice(
        0..1,
        [
            dense(&[0, 1, 2], 8, fused::NONE),
            with(op(operator::ADD, &[8, 9], 11), &[Number::Byte(fused::RELU6)]),
            op(operator::MUL, &[8, 11], 13),
            op(operator::MUL, &[13, 10], 5),
        ],
    );
    assert_eq!(taken(&graph).activations, [Activation::HardSwish]);
}

#[test]
fn the_end_says_the_task() {
    for (code, ending) in [
        (operator::LOGISTIC, Ending::Sigmoid),
        (operator::LOG_SOFTMAX, Ending::Softmax),
        (operator::ARG_MAX, Ending::Softmax),
        (operator::DEQUANTIZE, Ending::Linear),
    ] {
        let mut graph = graph();
        graph.tensors.push(integers("axis", &[-1]));
        graph.operators[2] = op(code, &[6, 8], 7);
        assert_eq!(taken(&graph).ending, ending, "{code}");
    }
}

#[test]
fn integers_become_the_numbers_that_they_stand_for() {
    let read = taken(&integer_graph());
    let [first, second] = &read.layers[..] else { panic!() };
    assert_eq!(first.weights, [0.5, -1.0, 1.5, 63.5, 0.0, -63.5]);
    // Biases are in units of the input's scale times the weights'.
    assert_eq!(first.biases, [0.5, -1.0]);
    assert_eq!(second.weights, [0.5, 1.0, 0.75, 1.0]);
    assert_eq!(second.biases, [8.0 * 0.125 * 0.5, 16.0 * 0.125 * 0.25]);
    assert!(read.defines_inputs && read.notes.len() == 2, "{:?}", read.notes);
    assert!(
        read.notes.iter().any(|note| note.contains("taken to expect pixels of 0 to 1;")),
        "{:?}",
        read.notes
    );
}

#[test]
fn the_range_of_a_quantized_input_says_what_it_is() {
    let bytes = quantized("x", &[1, 3], 1.0, -128);
    let mut graph = Graph { tensors: integer_graph().tensors, ..graph() };
    graph.tensors[0] = bytes.clone();
    graph.tensors[2] = integers("b1", &[2, -4]);
    let first = |read: GraphNetwork| (read.layers[0].weights[0], read.layers[0].biases[0], read.notes);
    let (weight, bias, notes) = first(taken(&graph));
    // The model divides pixels by 255.
    assert_eq!((weight, bias), (0.5 * 255.0, 1.0));
    assert!(notes[0].contains("taken to expect pixels of 0 to 255;"), "{notes:?}");
    let table = read(&graph.to_bytes(), Some(InputKind::Table), None).unwrap();
    assert_eq!(first(table).0, 0.5);
    // The same behind an input of floats.
    graph.tensors[0].name = "q".into();
    graph.tensors.push(value("x", &[1, 3]));
    graph.operators.insert(0, op(operator::QUANTIZE, &[8], 0));
    graph.inputs = vec![8];
    assert_eq!(first(taken(&graph)).0, 0.5 * 255.0);
    graph.tensors[0].zero_points = vec![0];
    let normalised = ImportOptions { is_normalised: true, ..ImportOptions::default() };
    assert!(!super::read(&graph.to_bytes(), &normalised).unwrap().defines_inputs);
    let why = read(&graph.to_bytes(), None, None).unwrap_err();
    assert!(
        why.contains("of -128.0000 to 127.0000, which are neither") && why.contains("`--inputs table`"),
        "{why}"
    );
}

#[test]
fn half_floats_and_weights_of_integers_among_floats() {
    let mut graph = graph();
    let halves = [1.5f32, -2.0, 0.25, 3.0, 4.0, 5.0].map(half::f16::from_f32);
    let data = halves.iter().flat_map(|x| x.to_le_bytes()).collect();
    graph.tensors.push(Tensor { kind: dtype::FLOAT16, data, ..value("h1", &[2, 3]) });
    graph.tensors[1] = value("w1", &[2, 3]);
    graph.tensors[3] = bytes("w2", &[2, 2], &[1, 2, 3, 4], &[0.5, 2.0]);
    graph.operators.insert(0, op(operator::DEQUANTIZE, &[8], 1));
    let read = taken(&graph);
    assert_eq!(read.layers[0].weights, [1.5, -2.0, 0.25, 3.0, 4.0, 5.0]);
    assert_eq!(
        (&read.layers[1].weights[..], &read.layers[1].biases[..]),
        (&[0.5, 1., 6., 8.][..], &[0.5, 1.][..])
    );
    assert_eq!(read.notes.len(), 1);
}

#[test]
fn pictures_are_flattened() {
    let mut graph = graph();
    graph.tensors[0] = value("x", &[1, 28, 28, 1]);
    graph.tensors[1] = floats("w1", &[2, 784], 1.0);
    graph.tensors.extend([value("flat", &[1, 784]), integers("sizes", &[-1, 784])]);
    graph.tensors.extend([value("shape", &[4]), value("batch", &[]), value("packed", &[2])]);
    let mut second = graph.clone();
    graph.operators[0].inputs[0] = 8;
    graph.operators.insert(0, op(operator::RESHAPE, &[0, 9], 8));
    let read = taken(&graph);
    assert_eq!((read.image, read.layers[0].dims), (Some((28, 28)), [2, 784]));
    // A batch of any size is asked for first.
    graph.operators[0].inputs[1] = 12;
    let asked = [
        op(operator::SHAPE, &[0], 10),
        op(operator::STRIDED_SLICE, &[10, 9, 9, 9], 11),
        op(operator::PACK, &[11, 9], 12),
    ];
    graph.operators.splice(0..0, asked);
    assert_eq!(taken(&graph).layers[0].dims, [2, 784]);
    // A dense layer flattens too.
    assert_eq!(taken(&second).layers[0].dims, [2, 784]);
    second.tensors[0].shape = vec![784, 1];
    assert!(refused(&second).contains("w1 has 784 inputs, but the value in front of it has 1"));
}

#[test]
fn what_scales_the_input_is_folded() {
    let mut graph = graph();
    let scalar = Tensor { data: (1.0f32 / 255.0).to_le_bytes().into(), ..value("k", &[]) };
    graph.tensors.extend([scalar, value("scaled", &[1, 3]), floats("mean", &[1, 3], 0.5)]);
    graph.operators[0].inputs[0] = 9;
    graph.operators.insert(0, op(operator::MUL, &[0, 8], 9));
    let read_as = |graph: &Graph, inputs| read(&graph.to_bytes(), inputs, None).unwrap();
    let read = read_as(&graph, None);
    assert!(
        read.defines_inputs && read.notes[0].contains("divides its input by 255.0000"),
        "{:?}",
        read.notes
    );
    assert!((read.layers[0].weights[5] - 6.0).abs() < 1e-5);
    // A mean of each column is kept as the model's standardisation.
    graph.operators[0] = op(operator::SUB, &[0, 10], 9);
    let read = read_as(&graph, Some(InputKind::Table));
    assert_eq!(read.standardise.unwrap().shift, [-0.5, -1.0, -1.5]);
    assert_eq!(read.layers[0].weights, [1., 2., 3., 4., 5., 6.]);
}

#[test]
fn bytes_are_cast() {
    let mut graph = graph();
    graph.tensors[0].kind = dtype::UINT8;
    graph.tensors.push(value("cast", &[1, 3]));
    graph.operators[0].inputs[0] = 8;
    graph.operators.insert(0, op(operator::CAST, &[0], 8));
    let read = taken(&graph);
    assert!(read.has_integer_input && read.defines_inputs);
    assert_eq!(read.layers[0].weights[0], 255.0);
}

#[test]
fn reconstructions_are_turned_into_the_units_of_the_inputs() {
    let mut graph = graph();
    graph.outputs = vec![6];
    let task = Some(Task::Reconstruct);
    let layer = |inputs| -> Clause<_> { Ok(read(&graph.to_bytes(), Some(inputs), task)?.layers.remove(1)) };
    assert_eq!(layer(InputKind::Table).unwrap().weights, [-1., -2., -3., -4.]);
    let byte = layer(InputKind::Byte).unwrap();
    assert!((byte.weights[3] + 4.0 / 255.0).abs() < 1e-7);
}

/// An input between 0 and 4, rounded to whole numbers, as int8 of 2 a unit; then the layers of integers.
fn clipped() -> Graph {
    let mut graph = integer_graph();
    graph.tensors[0] = value("input", &[1, 3]);
    let first = graph.tensors.len() as i32;
    let number = |name: &str, x: f32| Tensor { data: x.to_le_bytes().to_vec(), ..value(name, &[1]) };
    graph.tensors.extend([
        number("least", 0.0),
        number("most", 4.0),
        number("half", 0.5),
        value("raised", &[1, 3]),
        value("bounded", &[1, 3]),
        value("whole", &[1, 3]),
        value("centred", &[1, 3]),
        quantized("x", &[1, 3], 2.0, 0),
    ]);
    let start = [
        op(operator::MAXIMUM, &[0, first], first + 3),
        op(operator::MINIMUM, &[first + 3, first + 1], first + 4),
        op(operator::FLOOR, &[first + 4], first + 5),
        op(operator::ADD, &[first + 5, first + 2], first + 6),
        op(operator::QUANTIZE, &[first + 6], first + 7),
    ];
    graph.operators[0].inputs[0] = first + 7;
    graph.operators.splice(0..0, start);
    graph
}

#[test]
fn what_a_device_rounds_of_its_input_is_left_out() {
    let read = read(&clipped().to_bytes(), Some(InputKind::Table), None).unwrap();
    assert!(read.notes.iter().any(|note| note.contains("clips its input")), "{:?}", read.notes);
    let shift = read.standardise.unwrap();
    assert_eq!((shift.factor, shift.shift), (vec![1.0], vec![0.5]));
    assert_eq!(read.layers[0].weights, [0.5, -1.0, 1.5, 63.5, 0.0, -63.5]);
    // Biases are in units of the input's scale times the weights'.
    assert_eq!(read.layers[0].biases, [255.0, -510.0]);
}

#[test]
fn bytes_are_looked_up() {
    let codes: Vec<i8> = (0..=255_u8).map(|p| (p >> 1) as i8).collect();
    let mut graph = integer_graph();
    graph.tensors[0] = Tensor { kind: dtype::UINT8, ..value("pixels", &[1, 3]) };
    let first = graph.tensors.len() as i32;
    graph.tensors.extend([
        bytes("table", &[256], &codes, &[2.0 / 255.0]),
        Tensor { kind: dtype::INT32, ..value("position", &[1, 3]) },
        quantized("x", &[1, 3], 2.0 / 255.0, 0),
    ]);
    graph.operators[0].inputs[0] = first + 2;
    let start = [op(operator::CAST, &[0], first + 1), op(operator::GATHER, &[first, first + 1], first + 2)];
    graph.operators.splice(0..0, start);
    let taken = taken(&graph);
    let table = taken.table.unwrap();
    assert!((0..=255_u8).zip(table).all(|(p, code)| code == p >> 1 << 1));
    assert_eq!(taken.layers[0].weights, [0.5, -1.0, 1.5, 63.5, 0.0, -63.5]);
}
