//! What quantized files do to their input alone: a table of bytes, and what clips and rounds numbers on their way to a
//! `QUANTIZE`.
//!
//! The model computes in floats, so that rounding is left out here as everywhere in a quantized file. It is taken for the
//! rounding of an input only where a `QUANTIZE` follows: anywhere else these operators make another network.

use super::super::Clause;
use super::super::onnx::{Op, Row};
use super::operators::Operator;
use super::{State, Value};

/// What is said of an input that is clipped and rounded.
const LEFT_OUT: &str = "the graph clips its input and rounds it to whole numbers before it quantizes it, as a device does: the \
    model does neither";

impl State<'_> {
    /// `FLOOR`, or `MAXIMUM` or `MINIMUM` of a constant, in front of the first layer.
    pub(super) fn clip(&mut self, operator: &Operator<'_>, row: &Row) -> Clause<Row> {
        let in_layers =
            self.trace.path(row.at).iter().any(|step| !matches!(step.op, Op::Input | Op::Affine(_)));
        let of_constants = || (1..operator.inputs.len()).all(|at| self.constant(operator, at).is_ok());
        if in_layers || row.is_integer || !of_constants() {
            return Err(operator.unsupported());
        }
        self.clipped = Some(operator.unsupported());
        Ok(row.clone())
    }

    /// What a `QUANTIZE` makes of an input that was clipped.
    pub(super) fn quantized(&mut self) {
        if self.clipped.take().is_some() {
            self.trace.notes.push(LEFT_OUT.into());
        }
    }

    /// `GATHER` from a table of 256 numbers by the bytes of the input.
    pub(super) fn gather(&mut self, operator: &Operator<'_>, table: usize) -> Clause<Value> {
        let row = match self.operand(operator, 1)? {
            Some(Value::Row(row)) if row.is_integer && row.at == 0 => row,
            _ => return Err(operator.unsupported()),
        };
        let array = self.graph.tensor(table)?.array()?;
        if array.dims != [256] || operator.integer(0)? != 0 {
            return Err(format!(
                "{}: {} has shape {:?}, and a table of pixels has 256 numbers",
                operator.called(),
                array.name,
                array.dims
            ));
        }
        let input = Row { is_integer: false, ..row };
        Ok(Value::Row(self.trace.step(&operator.node(), &input, Op::Lookup(array))))
    }
}
