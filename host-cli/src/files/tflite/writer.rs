//! Writes TensorFlow Lite files of one subgraph.

use flatbuffers::{FlatBufferBuilder, Push, TableFinishedWIPOffset, UnionWIPOffset, WIPOffset};

use super::{IDENTIFIER, VERSION, field};

/// A graph of operators.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    /// What wrote it, and what its inputs are.
    pub description: String,
    pub tensors: Vec<Tensor>,
    pub operators: Vec<Operator>,
    /// Tensors by their indices.
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
}

/// A tensor: a constant, or a value that is computed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tensor {
    pub name: String,
    pub shape: Vec<i32>,
    /// A code of [`dtype`](super::dtype).
    pub kind: u8,
    /// Little-endian; empty for a value that is computed.
    pub data: Vec<u8>,
    /// Of integers that stand for real numbers: one for all, or one for each index of the first dimension.
    pub scales: Vec<f32>,
    pub zero_points: Vec<i64>,
}

/// An operator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Operator {
    /// A code of [`operator`](super::operator).
    pub code: u32,
    /// The version of its meaning, from which a runtime knows whether it can run it.
    pub version: i32,
    /// Tensors by their indices; -1 is an operand that is left out.
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
    /// The code of the table of its options, and their values in the order of their field numbers.
    pub options: Option<(u8, Vec<Number>)>,
}

/// A value of an operator's options.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Byte(u8),
    Float(f32),
}

type Offset = WIPOffset<TableFinishedWIPOffset>;

/// Puts a value into the table that is being written.
fn put(builder: &mut FlatBufferBuilder<'_>, number: u16, value: impl Push) {
    builder.push_slot_always(4 + 2 * number, value);
}

impl Graph {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.repeated(1)
    }

    /// The same with the subgraph several times.
    pub(crate) fn repeated(&self, subgraphs: usize) -> Vec<u8> {
        let b = &mut FlatBufferBuilder::new();
        let codes = self.codes();
        let code_tables: Vec<_> = codes.iter().map(|&code| code_table(b, code)).collect();
        let code_tables = b.create_vector(&code_tables);
        // The first buffer is that of all values that are computed.
        let data = || self.tensors.iter().map(|tensor| &tensor.data[..]).filter(|data| !data.is_empty());
        let buffers: Vec<_> = [&[][..]].into_iter().chain(data()).map(|data| buffer_table(b, data)).collect();
        let buffers = b.create_vector(&buffers);
        let mut next = 0;
        let tensors: Vec<_> = self
            .tensors
            .iter()
            .map(|tensor| {
                next += u32::from(!tensor.data.is_empty());
                tensor_table(b, tensor, if tensor.data.is_empty() { 0 } else { next })
            })
            .collect();
        let operators: Vec<_> =
            self.operators.iter().map(|operator| operator_table(b, operator, &codes)).collect();
        let (tensors, operators) = (b.create_vector(&tensors), b.create_vector(&operators));
        let (inputs, outputs) = (b.create_vector(&self.inputs), b.create_vector(&self.outputs));
        let name = b.create_string("main");
        let start = b.start_table();
        put(b, field::GRAPH_TENSORS, tensors);
        put(b, field::GRAPH_INPUTS, inputs);
        put(b, field::GRAPH_OUTPUTS, outputs);
        put(b, field::GRAPH_OPERATORS, operators);
        put(b, field::GRAPH_NAME, name);
        let graph = b.end_table(start);
        let graphs = b.create_vector(&vec![graph; subgraphs]);
        let description = b.create_string(&self.description);
        let start = b.start_table();
        put(b, field::MODEL_VERSION, VERSION);
        put(b, field::MODEL_OPERATOR_CODES, code_tables);
        put(b, field::MODEL_SUBGRAPHS, graphs);
        put(b, field::MODEL_DESCRIPTION, description);
        put(b, field::MODEL_BUFFERS, buffers);
        let model = b.end_table(start);
        b.finish(model, Some(IDENTIFIER));
        b.finished_data().to_vec()
    }

    /// The different operators with their versions.
    fn codes(&self) -> Vec<(u32, i32)> {
        let mut codes: Vec<_> = self.operators.iter().map(|o| (o.code, o.version)).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

fn code_table(b: &mut FlatBufferBuilder<'_>, (code, version): (u32, i32)) -> Offset {
    let start = b.start_table();
    // Old readers know the codes of a byte only.
    put(b, field::CODE_DEPRECATED, code.min(127) as u8);
    put(b, field::CODE_VERSION, version);
    put(b, field::CODE_BUILTIN, code);
    b.end_table(start)
}

fn buffer_table(b: &mut FlatBufferBuilder<'_>, data: &[u8]) -> Offset {
    let data = (!data.is_empty()).then(|| b.create_vector(data));
    let start = b.start_table();
    if let Some(data) = data {
        put(b, field::BUFFER_DATA, data);
    }
    b.end_table(start)
}

fn tensor_table(b: &mut FlatBufferBuilder<'_>, tensor: &Tensor, buffer: u32) -> Offset {
    let quantization = (!tensor.scales.is_empty()).then(|| {
        let (scales, zero_points) = (b.create_vector(&tensor.scales), b.create_vector(&tensor.zero_points));
        let start = b.start_table();
        put(b, field::QUANTIZATION_SCALE, scales);
        put(b, field::QUANTIZATION_ZERO_POINT, zero_points);
        b.end_table(start)
    });
    let (shape, name) = (b.create_vector(&tensor.shape), b.create_string(&tensor.name));
    let start = b.start_table();
    put(b, field::TENSOR_SHAPE, shape);
    put(b, field::TENSOR_TYPE, tensor.kind);
    put(b, field::TENSOR_BUFFER, buffer);
    put(b, field::TENSOR_NAME, name);
    if let Some(quantization) = quantization {
        put(b, field::TENSOR_QUANTIZATION, quantization);
    }
    b.end_table(start)
}

fn operator_table(b: &mut FlatBufferBuilder<'_>, operator: &Operator, codes: &[(u32, i32)]) -> Offset {
    let options = operator.options.as_ref().map(|(kind, numbers)| {
        let start = b.start_table();
        for (number, value) in (0..).zip(numbers) {
            match *value {
                Number::Byte(value) => put(b, number, value),
                Number::Float(value) => put(b, number, value),
            }
        }
        let table: WIPOffset<UnionWIPOffset> = b.end_table(start).as_union_value();
        (*kind, table)
    });
    let (inputs, outputs) = (b.create_vector(&operator.inputs), b.create_vector(&operator.outputs));
    let start = b.start_table();
    let code = (operator.code, operator.version);
    put(b, field::OPERATOR_CODE, codes.iter().position(|&c| c == code).map_or(0, |at| at as u32));
    put(b, field::OPERATOR_INPUTS, inputs);
    put(b, field::OPERATOR_OUTPUTS, outputs);
    if let Some((kind, options)) = options {
        put(b, field::OPERATOR_OPTIONS_TYPE, kind);
        put(b, field::OPERATOR_OPTIONS, options);
    }
    b.end_table(start)
}
