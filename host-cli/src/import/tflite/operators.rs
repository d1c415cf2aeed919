//! What each operator does to the one row that goes through the graph.

use selvedge::Activation;

use super::super::Clause;
use super::super::dense::Affine;
use super::super::onnx::{self, Array, Op, Row, Weights, elements};
use super::tensor::Tensor;
use super::{State, Value, index_of};
use crate::files::onnx::Node;
use crate::files::tflite::{Table, Tables, dtype, field, fused, operator};

/// More operands than an operator of a chain of layers has.
const MAX_OPERANDS: usize = 16;

/// An operator of the graph.
#[derive(Debug)]
pub(super) struct Operator<'a> {
    /// Its index in the file.
    number: usize,
    pub code: u32,
    name: String,
    /// Tensors by their indices; `None` is an operand that is left out.
    pub inputs: Vec<Option<usize>>,
    pub outputs: Vec<usize>,
    options: Option<Table<'a>>,
}

impl<'a> Operator<'a> {
    /// The operator of a table.
    pub fn read(number: usize, table: Table<'a>, codes: &Tables<'a>, tensors: &Tables<'a>) -> Clause<Self> {
        let index = table.number(field::OPERATOR_CODE)?.map_or(0, u32::from_le_bytes);
        let of = codes.get(index as usize)?;
        let of = of.ok_or_else(|| format!("operator {number} has code {index} of {}", codes.len()))?;
        let old = of.number(field::CODE_DEPRECATED)?.map_or(0, u8::from_le_bytes);
        let new = of.number(field::CODE_BUILTIN)?.map_or(0, u32::from_le_bytes);
        let code = new.max(old.into());
        let name = match code {
            operator::CUSTOM => {
                let name = of.text(field::CODE_CUSTOM)?;
                name.chars().filter(|c| !c.is_control()).take(64).collect()
            }
            _ => operator::name(code),
        };
        let inputs = table.vector(field::OPERATOR_INPUTS)?;
        let outputs = table.vector(field::OPERATOR_OUTPUTS)?;
        if inputs.len() > MAX_OPERANDS || outputs.len() > MAX_OPERANDS {
            return Err(onnx::unsupported_operator(&node(format!("{number} ({name})"))));
        }
        let tensor = |index: &[u8; 4]| index_of(i32::from_le_bytes(*index), tensors);
        let operand = |index: &[u8; 4]| if *index == [0xff; 4] { Ok(None) } else { tensor(index).map(Some) };
        Ok(Self {
            number,
            code,
            inputs: inputs.iter().map(operand).collect::<Clause<_>>()?,
            outputs: outputs.iter().map(tensor).collect::<Clause<_>>()?,
            options: table.table(field::OPERATOR_OPTIONS)?,
            name,
        })
    }

    /// For an error message.
    pub fn called(&self) -> String {
        format!("operator {self}")
    }

    /// Why it is refused.
    pub fn unsupported(&self) -> String {
        onnx::unsupported_operator(&node(self.to_string()))
    }

    /// The node that stands for it in what is shared with ONNX, where it only gives error messages its name.
    pub fn node(&self) -> Node {
        node(self.called())
    }

    /// A number of its options, of one byte.
    fn option(&self, number: u16) -> Clause<u8> {
        let value = self.options.map(|options| options.number(number)).transpose()?.flatten();
        Ok(value.map_or(0, u8::from_le_bytes))
    }

    /// An integer of its options.
    pub fn integer(&self, number: u16) -> Clause<i32> {
        let value = self.options.map(|options| options.number(number)).transpose()?.flatten();
        Ok(value.map_or(0, i32::from_le_bytes))
    }

    /// A float of its options.
    fn float(&self, number: u16) -> Clause<f32> {
        let value = self.options.map(|options| options.number(number)).transpose()?.flatten();
        Ok(value.map_or(0.0, f32::from_le_bytes))
    }
}

/// Its index and its name.
impl std::fmt::Display for Operator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.number, self.name)
    }
}

fn node(op_type: String) -> Node {
    Node { op_type, ..Node::default() }
}

impl State<'_> {
    /// The result of an operator, which is the tensor `output`.
    pub(super) fn apply(&mut self, operator: &Operator<'_>, output: usize) -> Clause<Value> {
        let first = self.operand(operator, 0)?;
        let called = || operator.called();
        if let Some(Value::Constant(tensor)) = first {
            match operator.code {
                operator::DEQUANTIZE => return Ok(Value::Constant(tensor)),
                operator::ADD | operator::MUL | operator::SUB | operator::DIV => {}
                operator::PACK | operator::STRIDED_SLICE => return Ok(Value::Shape),
                operator::GATHER => return self.gather(operator, tensor),
                _ => return Err(format!("{} computes with constants alone, or has no input", called())),
            }
        }
        let value = match (operator.code, first) {
            (operator::SHAPE, Some(Value::Row(_))) => Value::Shape,
            (operator::STRIDED_SLICE | operator::PACK, Some(Value::Shape)) => Value::Shape,
            (operator::SOFTMAX, Some(Value::Row(row))) => {
                // A temperature that a model here does not have. Its default in the schema is 0.
                let beta = operator.float(0)?;
                if beta != 1.0 {
                    return Err(format!("{} has beta {beta}, expected 1", called()));
                }
                Value::Scores(row.at)
            }
            (operator::LOG_SOFTMAX, Some(Value::Row(row))) => Value::Scores(row.at),
            (operator::ARG_MAX, Some(Value::Row(Row { at, .. }) | Value::Scores(at))) => {
                let axis = self.constant(operator, 1)?.integer();
                if !matches!(axis, Some(1 | -1)) {
                    return Err(format!("{} takes no class of each image: its axis is not 1", called()));
                }
                Value::Scores(at)
            }
            (
                operator::QUANTIZE | operator::DEQUANTIZE | operator::CAST | operator::RESHAPE,
                Some(Value::Scores(at)),
            ) => Value::Scores(at),
            (_, Some(Value::Row(row))) => Value::Row(self.follow(operator, &row, output)?),
            (operator::ADD | operator::MUL | operator::SUB | operator::DIV, Some(Value::Constant(_))) => {
                match self.operand(operator, 1)? {
                    Some(Value::Row(row)) => Value::Row(self.arithmetic(operator, &row, 0)?),
                    _ => return Err(format!("{} computes with constants alone", called())),
                }
            }
            (_, None) => return Err(format!("{} has no input", called())),
            _ => return Err(format!("operator {operator} stands where a multilayer perceptron has none")),
        };
        Ok(value)
    }

    /// An operand: what was computed in front of the operator, or a constant; `None` if it is left out.
    pub(super) fn operand(&self, operator: &Operator<'_>, at: usize) -> Clause<Option<Value>> {
        let Some(tensor) = operator.inputs.get(at).copied().flatten() else { return Ok(None) };
        if let Some(value) = self.values.get(&tensor) {
            return Ok(Some(value.clone()));
        }
        let of = self.graph.tensor(tensor)?;
        if of.is_constant() {
            return Ok(Some(Value::Constant(tensor)));
        }
        Err(format!("{}: {} is neither a constant nor computed in front of it", operator.called(), of.name))
    }

    /// The constant of an operand.
    pub(super) fn constant(&self, operator: &Operator<'_>, at: usize) -> Clause<Tensor<'_>> {
        match self.operand(operator, at)? {
            Some(Value::Constant(tensor)) => self.graph.tensor(tensor),
            _ => Err(format!("{}: its operand {at} is no constant", operator.called())),
        }
    }

    /// The row after an operator whose first operand it is.
    fn follow(&mut self, operator: &Operator<'_>, row: &Row, output: usize) -> Clause<Row> {
        let node = operator.node();
        let activate =
            |state: &mut Self, activation| Ok(state.trace.step(&node, row, Op::Activate(activation)));
        match operator.code {
            operator::FULLY_CONNECTED => self.dense(operator, row),
            operator::RELU => activate(self, Activation::Relu),
            operator::RELU6 => activate(self, Activation::Relu6),
            operator::TANH => activate(self, Activation::Tanh),
            operator::LOGISTIC => activate(self, Activation::Sigmoid),
            operator::HARD_SWISH => activate(self, Activation::HardSwish),
            operator::LEAKY_RELU => {
                let op = onnx::leaky_relu(&operator.to_string(), operator.float(0)?);
                Ok(self.trace.step(&node, row, op))
            }
            operator::ELU
            | operator::GELU
            | operator::PRELU
            | operator::RELU_N1_TO_1
            | operator::RELU_0_TO_1 => Err(onnx::refusal(&operator.to_string())),
            operator::RESHAPE | operator::SQUEEZE | operator::EXPAND_DIMS => {
                self.reshape(operator, row, output)
            }
            operator::QUANTIZE => {
                if row.at == 0 && self.range.is_none() {
                    self.range = self.graph.tensor(output)?.range()?;
                }
                self.quantized();
                Ok(row.clone())
            }
            operator::DEQUANTIZE => Ok(row.clone()),
            operator::FLOOR | operator::MAXIMUM | operator::MINIMUM => self.clip(operator, row),
            operator::CAST => match self.graph.tensor(output)?.kind {
                dtype::FLOAT32 | dtype::FLOAT16 => Ok(Row { is_integer: false, ..row.clone() }),
                dtype::INT32 | dtype::INT64 if row.is_integer => Ok(row.clone()),
                other => Err(format!(
                    "{} rounds what it is given to {}, which no dense layer does",
                    operator.called(),
                    dtype::name(other)
                )),
            },
            operator::ADD | operator::MUL | operator::SUB | operator::DIV => {
                match self.operand(operator, 1)? {
                    Some(Value::Row(other)) => self.product(operator, row, &other),
                    _ => self.arithmetic(operator, row, 1),
                }
            }
            _ => Err(operator.unsupported()),
        }
    }

    /// A row in the shape of the output, in which each image is still one row: its elements keep their order.
    fn reshape(&self, operator: &Operator<'_>, row: &Row, output: usize) -> Clause<Row> {
        let (batch, dims) = self.graph.tensor(output)?.rows()?;
        let features = row.dims.as_deref().and_then(elements);
        if row.batch != Some(batch) || elements(&dims) != features {
            return Err(format!("{}: it does not keep one row for each image", operator.called()));
        }
        Ok(Row { dims: Some(dims), ..row.clone() })
    }

    /// A dense layer and its fused activation. Its input is flattened to one row.
    fn dense(&mut self, operator: &Operator<'_>, row: &Row) -> Clause<Row> {
        let called = operator.called();
        if let Some(why) = self.clipped.take() {
            return Err(why);
        }
        if operator.option(1)? != 0 {
            return Err(format!(
                "{called}: its weights are shuffled for one kind of CPU; convert the model again"
            ));
        }
        let (weights, bias) = self.layer(operator)?;
        let &[outputs, inputs] = &weights.dims[..] else {
            return Err(format!("{} has shape {:?}, expected two dimensions", weights.name, weights.dims));
        };
        let width = row.dims.as_deref().and_then(elements);
        if width != Some(inputs) {
            return Err(format!(
                "{} has {inputs} inputs, but the value in front of it has {}",
                weights.name,
                width.unwrap_or(0)
            ));
        }
        if let Some(bias) = bias.as_ref().filter(|bias| bias.dims[..] != [outputs]) {
            return Err(format!("{} has shape {:?}, expected [{outputs}]", bias.name, bias.dims));
        }
        let bias = bias.map(|bias| (bias, 1.0));
        let op = Op::Dense(Weights { weights, transposed: false, alpha: 1.0, bias });
        let row = self.trace.step(&operator.node(), row, op);
        self.fused(operator, Row { dims: Some(vec![outputs]), is_integer: false, ..row })
    }

    /// The weights and biases of a dense layer, as real numbers.
    fn layer(&mut self, operator: &Operator<'_>) -> Clause<(Array, Option<Array>)> {
        let declared = |at: usize| {
            let tensor = operator.inputs.get(at).copied().flatten();
            tensor.map(|tensor| self.graph.tensor(tensor)).transpose()
        };
        let missing = || format!("{} has no weights", operator.called());
        let (input, named) = (declared(0)?.ok_or_else(missing)?, declared(1)?.ok_or_else(missing)?);
        let weights = self.constant(operator, 1)?;
        let bias = match declared(2)? {
            Some(_) => Some(self.constant(operator, 2)?),
            None => None,
        };
        if let Some(old) = [&input, &weights].into_iter().find(|t| t.kind == dtype::UINT8 && t.is_quantized())
        {
            return Err(old.unsigned());
        }
        let array = weights.array()?;
        let outputs = array.dims.first().copied().unwrap_or(0);
        let kinds = (input.kind, named.kind, bias.as_ref().map(|bias| bias.kind));
        let biases = match kinds {
            (_, _, None) => None,
            (dtype::FLOAT32, dtype::FLOAT32 | dtype::INT8, Some(dtype::FLOAT32 | dtype::FLOAT16)) => {
                bias.as_ref().map(Tensor::array).transpose()?
            }
            (dtype::INT8 | dtype::INT16, dtype::INT8, Some(dtype::INT32 | dtype::INT64)) => {
                let scale = input.scale()?;
                let scales: Vec<f64> = weights.row_scales(outputs)?.iter().map(|s| s * scale).collect();
                bias.as_ref().map(|bias| bias.biases(&scales)).transpose()?
            }
            (_, _, Some(bias)) => {
                return Err(format!(
                    "{} mixes types: its input is {}, its weights are {} and its biases {}",
                    operator.called(),
                    dtype::name(input.kind),
                    dtype::name(named.kind),
                    dtype::name(bias)
                ));
            }
        };
        if !matches!(
            (input.kind, named.kind),
            (dtype::FLOAT32, dtype::FLOAT32 | dtype::INT8) | (dtype::INT8 | dtype::INT16, dtype::INT8)
        ) {
            return Err(format!(
                "{} mixes types: its input is {} and its weights are {}",
                operator.called(),
                dtype::name(input.kind),
                dtype::name(named.kind)
            ));
        }
        let is_integer = weights.kind == dtype::INT8;
        self.has_integer_weights |= is_integer;
        Ok((array, biases))
    }

    /// The activation that an operator applies to its own result: the first of its options.
    fn fused(&mut self, operator: &Operator<'_>, row: Row) -> Clause<Row> {
        let activation = match operator.option(0)? {
            fused::NONE => return Ok(row),
            fused::RELU => Activation::Relu,
            fused::RELU6 => Activation::Relu6,
            fused::TANH => Activation::Tanh,
            other => return Err(onnx::refusal(&format!("{operator} with {}", fused::name(other)))),
        };
        Ok(self.trace.step(&operator.node(), &row, Op::Activate(activation)))
    }

    /// `ADD`, `MUL`, `SUB` or `DIV` of a row and the constant operand `at`.
    fn arithmetic(&mut self, operator: &Operator<'_>, row: &Row, at: usize) -> Clause<Row> {
        let node = operator.node();
        let array = self.constant(operator, at)?.array()?;
        let values = onnx::broadcast(&node, row, &array)?;
        let is_second = at == 1;
        let step = match operator.code {
            operator::ADD => Affine { factor: vec![1.0], shift: values },
            operator::SUB if is_second => {
                Affine { factor: vec![1.0], shift: values.iter().map(|v| -v).collect() }
            }
            operator::SUB => Affine { factor: vec![-1.0], shift: values },
            operator::MUL => Affine { factor: values, shift: vec![0.0] },
            _ if is_second => Affine { factor: values.iter().map(|v| v.recip()).collect(), shift: vec![0.0] },
            _ => {
                return Err(format!(
                    "{} divides by what the image makes, which no dense layer does",
                    operator.called()
                ));
            }
        };
        let after = onnx::affine(&mut self.trace, &node, row, step)?;
        if operator.code == operator::ADD && after.at != row.at {
            self.trace.steps[after.at].bias = Some(array.name);
        }
        self.fused(operator, after)
    }

    /// The product of two rows, which is hard-swish if one of them is made of the other.
    fn product(&mut self, operator: &Operator<'_>, row: &Row, other: &Row) -> Clause<Row> {
        if operator.code == operator::MUL {
            let node = Node { name: operator.called(), ..node("Mul".into()) };
            let rows = [row, other].map(|row| onnx::Value::Row(row.clone()));
            if let Some(row) = onnx::product(&mut self.trace, &node, &[Some(&rows[0]), Some(&rows[1])])? {
                return self.fused(operator, row);
            }
        }
        Err(format!(
            "{} joins two values, and a multilayer perceptron is one chain of layers",
            operator.called()
        ))
    }
}
