//! The tables of a TensorFlow Lite file that a multilayer perceptron needs, with the field numbers of `schema.fbs`.
//!
//! A FlatBuffer is a web of offsets. Every table passes the verifier of the crate `flatbuffers` before one of its fields is
//! read, and every value is a part of the file's own bytes: nothing is copied, so a small file cannot ask for much memory,
//! however often its offsets lead to the same bytes. The code that the FlatBuffers compiler generates reads without these
//! checks, in unsafe code.

pub(crate) mod writer;

use std::borrow::Cow;
use std::ops::Range;

use flatbuffers::{InvalidFlatbuffer, Verifier, VerifierOptions};

/// The identifier of the format, at byte 4.
pub(crate) const IDENTIFIER: &str = "TFL3";

/// The version of the schema.
pub(crate) const VERSION: u32 = 3;

/// A result whose error is a clause about the file.
type Read<T> = Result<T, String>;

/// Field numbers, table by table.
pub(crate) mod field {
    pub const MODEL_VERSION: u16 = 0;
    pub const MODEL_OPERATOR_CODES: u16 = 1;
    pub const MODEL_SUBGRAPHS: u16 = 2;
    pub const MODEL_DESCRIPTION: u16 = 3;
    pub const MODEL_BUFFERS: u16 = 4;

    /// The code of an old file, a byte; newer ones have both, and the larger one counts.
    pub const CODE_DEPRECATED: u16 = 0;
    pub const CODE_CUSTOM: u16 = 1;
    pub const CODE_VERSION: u16 = 2;
    pub const CODE_BUILTIN: u16 = 3;

    pub const GRAPH_TENSORS: u16 = 0;
    pub const GRAPH_INPUTS: u16 = 1;
    pub const GRAPH_OUTPUTS: u16 = 2;
    pub const GRAPH_OPERATORS: u16 = 3;
    pub const GRAPH_NAME: u16 = 4;

    pub const TENSOR_SHAPE: u16 = 0;
    pub const TENSOR_TYPE: u16 = 1;
    pub const TENSOR_BUFFER: u16 = 2;
    pub const TENSOR_NAME: u16 = 3;
    pub const TENSOR_QUANTIZATION: u16 = 4;
    pub const TENSOR_SPARSITY: u16 = 6;

    pub const QUANTIZATION_SCALE: u16 = 2;
    pub const QUANTIZATION_ZERO_POINT: u16 = 3;
    pub const QUANTIZATION_DIMENSION: u16 = 6;

    pub const OPERATOR_CODE: u16 = 0;
    pub const OPERATOR_INPUTS: u16 = 1;
    pub const OPERATOR_OUTPUTS: u16 = 2;
    pub const OPERATOR_OPTIONS_TYPE: u16 = 3;
    pub const OPERATOR_OPTIONS: u16 = 4;

    pub const BUFFER_DATA: u16 = 0;
    /// Where data behind the FlatBuffer begin, in files of more than 2 GB.
    pub const BUFFER_OFFSET: u16 = 1;
}

/// `TensorType`.
pub(crate) mod dtype {
    pub const FLOAT32: u8 = 0;
    pub const FLOAT16: u8 = 1;
    pub const INT32: u8 = 2;
    pub const UINT8: u8 = 3;
    pub const INT64: u8 = 4;
    pub const INT16: u8 = 7;
    pub const INT8: u8 = 9;

    /// As the schema calls it.
    pub fn name(code: u8) -> String {
        const NAMES: [&str; 20] = [
            "FLOAT32",
            "FLOAT16",
            "INT32",
            "UINT8",
            "INT64",
            "STRING",
            "BOOL",
            "INT16",
            "COMPLEX64",
            "INT8",
            "FLOAT64",
            "COMPLEX128",
            "UINT64",
            "RESOURCE",
            "VARIANT",
            "UINT32",
            "UINT16",
            "INT4",
            "BFLOAT16",
            "INT2",
        ];
        NAMES.get(usize::from(code)).map_or_else(|| format!("of type {code}"), |name| (*name).into())
    }
}

/// `BuiltinOperator`: the codes that are read, and the names of all.
pub(crate) mod operator {
    pub const ADD: u32 = 0;
    pub const DEQUANTIZE: u32 = 6;
    pub const FLOOR: u32 = 8;
    pub const FULLY_CONNECTED: u32 = 9;
    pub const LOGISTIC: u32 = 14;
    pub const MUL: u32 = 18;
    pub const RELU: u32 = 19;
    pub const RELU_N1_TO_1: u32 = 20;
    pub const RELU6: u32 = 21;
    pub const RESHAPE: u32 = 22;
    pub const SOFTMAX: u32 = 25;
    pub const TANH: u32 = 28;
    pub const CUSTOM: u32 = 32;
    pub const GATHER: u32 = 36;
    pub const SUB: u32 = 41;
    pub const DIV: u32 = 42;
    pub const SQUEEZE: u32 = 43;
    pub const STRIDED_SLICE: u32 = 45;
    pub const LOG_SOFTMAX: u32 = 50;
    pub const CAST: u32 = 53;
    pub const PRELU: u32 = 54;
    pub const MAXIMUM: u32 = 55;
    pub const ARG_MAX: u32 = 56;
    pub const MINIMUM: u32 = 57;
    pub const EXPAND_DIMS: u32 = 70;
    pub const SHAPE: u32 = 77;
    pub const PACK: u32 = 83;
    pub const LEAKY_RELU: u32 = 98;
    pub const ELU: u32 = 111;
    pub const QUANTIZE: u32 = 114;
    pub const HARD_SWISH: u32 = 117;
    pub const GELU: u32 = 150;
    pub const RELU_0_TO_1: u32 = 152;

    /// As the schema calls it.
    pub fn name(code: u32) -> String {
        let name = usize::try_from(code).ok().and_then(|code| NAMES.split_whitespace().nth(code));
        name.map_or_else(|| format!("BuiltinOperator {code}"), Into::into)
    }

    /// In the order of their codes, up to the operators of StableHLO.
    const NAMES: &str = "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE \
        EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D \
        LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 \
        RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM \
        CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND \
        SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE \
        BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM \
        CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE \
        SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW \
        ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK \
        REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR \
        LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS \
        WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE \
        NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM \
        BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG \
        REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL \
        CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL \
        BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD \
        UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR \
        RIGHT_SHIFT";
}

/// `ActivationFunctionType`: what an operator applies to its result.
pub(crate) mod fused {
    pub const NONE: u8 = 0;
    pub const RELU: u8 = 1;
    pub const RELU6: u8 = 3;
    pub const TANH: u8 = 4;

    /// As the schema calls it.
    pub fn name(code: u8) -> String {
        let names = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"];
        names.get(usize::from(code)).map_or_else(|| format!("activation {code}"), |name| (*name).into())
    }
}

/// The verifier counts what one call reads, which is never more than one table.
const OPTIONS: VerifierOptions = VerifierOptions {
    max_depth: 64,
    max_tables: 1_000_000,
    max_apparent_size: 1 << 31,
    ignore_missing_null_terminator: true,
};

/// A table that the verifier has passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Table<'a> {
    /// The model of a file.
    pub fn root(file: &'a [u8]) -> Read<Self> {
        Self::pointed(file, 0)
    }

    /// The table to which the offset at a position leads.
    fn pointed(file: &'a [u8], at: usize) -> Read<Self> {
        let at = follow(file, at)?;
        Verifier::new(&OPTIONS, file).visit_table(at).map_err(damaged)?;
        Ok(Self { file, at })
    }

    /// Where the value of a field begins; `None` if the table leaves it out.
    fn field(&self, number: u16) -> Read<Option<usize>> {
        let mut verifier = Verifier::new(&OPTIONS, self.file);
        let mut table = verifier.visit_table(self.at).map_err(damaged)?;
        // The first four bytes of a table's list of fields are its own size and the table's.
        table.deref(4 + 2 * number).map_err(damaged)
    }

    /// Whether a field is there.
    pub fn has(&self, number: u16) -> Read<bool> {
        self.field(number).map(|at| at.is_some())
    }

    /// The little-endian bytes of a number; `None` if the table leaves it at its default.
    pub fn number<const N: usize>(&self, number: u16) -> Read<Option<[u8; N]>> {
        let Some(at) = self.field(number)? else { return Ok(None) };
        let bytes = self.file.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().map(Some).ok_or_else(|| outside(at))
    }

    /// A table in a field.
    pub fn table(&self, number: u16) -> Read<Option<Self>> {
        self.field(number)?.map(|at| Self::pointed(self.file, at)).transpose()
    }

    /// The little-endian elements of a vector in a field; none if the field is left out.
    pub fn vector<const N: usize>(&self, number: u16) -> Read<&'a [[u8; N]]> {
        Ok(self.file[self.span(number, N)?].as_chunks().0)
    }

    /// The tables of a vector in a field.
    pub fn tables(&self, number: u16) -> Read<Tables<'a>> {
        let span = self.span(number, 4)?;
        Ok(Tables { file: self.file, at: span.start, count: span.len() / 4 })
    }

    /// The text in a field, with marks for what is no UTF-8; empty if the field is left out.
    pub fn text(&self, number: u16) -> Read<Cow<'a, str>> {
        Ok(String::from_utf8_lossy(&self.file[self.span(number, 1)?]))
    }

    /// Where the elements of a vector lie, which have `width` bytes each: inside the file.
    fn span(&self, number: u16, width: usize) -> Read<Range<usize>> {
        let Some(at) = self.field(number)? else { return Ok(0..0) };
        let at = follow(self.file, at)?;
        let count = offset(self.file, at)?;
        let from = at.saturating_add(4);
        let to = from.saturating_add(count.saturating_mul(width));
        if to <= self.file.len() { Ok(from..to) } else { Err(outside(from)) }
    }
}

/// A vector of tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables<'a> {
    file: &'a [u8],
    at: usize,
    count: usize,
}

impl<'a> Tables<'a> {
    pub fn len(&self) -> usize {
        self.count
    }

    /// The table of an index; `None` if there are not as many.
    pub fn get(&self, index: usize) -> Read<Option<Table<'a>>> {
        let inside = (index < self.count).then(|| Table::pointed(self.file, self.at + 4 * index));
        inside.transpose()
    }
}

/// The unsigned number of four bytes at a position.
fn offset(file: &[u8], at: usize) -> Read<usize> {
    Verifier::new(&OPTIONS, file).get_uoffset(at).map(|offset| offset as usize).map_err(damaged)
}

/// The position to which the offset at a position leads.
fn follow(file: &[u8], at: usize) -> Read<usize> {
    Ok(at.saturating_add(offset(file, at)?))
}

fn outside(at: usize) -> String {
    format!("a damaged TensorFlow Lite file: what begins at byte {at} does not end in the file")
}

/// In one line, without the list of the tables around.
fn damaged(error: InvalidFlatbuffer) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default().trim_end_matches(['.', ' ']);
    format!("a damaged TensorFlow Lite file: {line}")
}
