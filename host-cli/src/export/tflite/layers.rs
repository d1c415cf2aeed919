//! Hidden layers of integers: `FULLY_CONNECTED`, and what becomes of its sums.
//!
//! ReLU is the clamp to 0..=127 of a fused `RELU`. In front of any other activation sums are rounded to the 256 steps of its
//! table, as on the device, and the activation is computed of the step in floats between `DEQUANTIZE` and `QUANTIZE`: the step's
//! unit is the one with which the formula gives the table ([`LookUp`]). The ends of the table, beyond which its codes stay 0
//! and 127, are those of an int8 where its zero point is chosen so. Where there is no such unit or zero point, the table itself is
//! in the graph, behind a `GATHER`.

use selvedge::Activation;
use selvedge::format::{LayerView, ModelView};

use super::super::onnx::{LookUp, row_weights};
use super::activation_operator;
use super::integer::{Codes, IntegerChain, Operands, Type, power_of_two};
use super::options;
use crate::files::tflite::writer::Number;
use crate::files::tflite::{dtype, fused, operator};

/// How much finer than its codes the output of a layer with inputs of 14 bits is, before it is rounded to them.
const FINER: f32 = 256.0;

/// The version of `FULLY_CONNECTED` from which int8 weights have a scale for each output, and that with inputs of int16.
const PER_OUTPUT: i32 = 12;

/// Writes hidden layer `l`, whose inputs are `codes`, and returns what its own codes stand for.
pub(super) fn hidden(
    chain: &mut IntegerChain,
    model: &ModelView<'_>,
    (l, layer): (usize, &LayerView<'_>),
    codes: Codes,
) -> Codes {
    let n = l + 1;
    let unit = model.scale(n);
    let Some(table) = layer.table() else {
        let unit = power_of_two(unit);
        sums(chain, (n, layer), codes, (unit, 0, fused::RELU), &format!("x{n}"));
        return Codes { unit, zero: 0, fine: false };
    };
    let look_up = LookUp { activation: model.header().activation(l), table, scale: unit };
    let steps = format!("steps{n}");
    let Some(range) = Range::of(&look_up) else {
        sums(chain, (n, layer), codes, (1.0, 0, fused::NONE), &steps);
        looked_up(chain, n, &look_up);
        return Codes { unit, zero: 0, fine: false };
    };
    sums(chain, (n, layer), codes, (range.step, range.steps_zero, fused::NONE), &steps);
    chain.alone(operator::DEQUANTIZE, 2, &format!("{steps}_real"), Type::FLOAT);
    if let Ok(Some((code, options))) = activation_operator(look_up.activation) {
        let operands = Operands { options, ..Operands::default() };
        chain.operator((code, 1), &format!("{}{n}", look_up.activation), Type::FLOAT, operands);
    }
    let at_zero = look_up.formula(0.0) as f32;
    if at_zero != 0.0 {
        chain.arithmetic(operator::SUB, &format!("at_zero{n}"), &[at_zero]);
    }
    let zero = i32::from(table[128]);
    let output = Type::quantized(dtype::INT8, unit, i64::from(zero) - range.lowered);
    chain.alone(operator::QUANTIZE, 1, &format!("x{n}"), output);
    Codes { unit, zero, fine: false }
}

/// The sums of layer `n`, counted from 1, rounded to int8 of `unit` and `zero_point`.
fn sums(
    chain: &mut IntegerChain,
    (n, layer): (usize, &LayerView<'_>),
    codes: Codes,
    (unit, zero_point, activation): (f32, i64, u8),
    name: &str,
) {
    let (i, o) = (layer.inputs(), layer.outputs());
    // A multiplier of 0 gives what one of 1 gives: no sum reaches half of 2^24.
    let worth = |row| f64::from(layer.multiplier(row).max(1)) / f64::from(1 << 24) * f64::from(unit);
    let scales: Vec<f32> = (0..o).map(|row| (worth(row) / codes.sum_unit()) as f32).collect();
    let bias_scales = scales.iter().map(|scale| scale * codes.unit).collect();
    let of = |part: &str| format!("fc{n}.{part}");
    let w = chain.scaled(&of("weight"), &[o, i], dtype::INT8, row_weights(layer), scales);
    let output = Type::quantized(dtype::INT8, unit, zero_point);
    if codes.fine {
        let biases = (0..o).flat_map(|row| (128 * codes.bias(layer, row)).to_le_bytes()).collect();
        let b = chain.scaled(&of("bias"), &[o], dtype::INT64, biases, bias_scales);
        let finer = Type::quantized(dtype::INT16, unit / FINER, 0);
        chain.dense((PER_OUTPUT, activation), &of("sum"), finer, [w, b], o);
        return chain.alone(operator::QUANTIZE, 2, name, output);
    }
    let biases = (0..o).flat_map(|row| (codes.bias(layer, row) as i32).to_le_bytes()).collect();
    let b = chain.scaled(&of("bias"), &[o], dtype::INT32, biases, bias_scales);
    chain.dense((PER_OUTPUT, activation), name, output, [w, b], o);
}

/// The codes of a table, of steps that are int8.
fn looked_up(chain: &mut IntegerChain, n: usize, look_up: &LookUp<'_>) {
    chain.alone(operator::CAST, 1, &format!("steps{n}_wide"), Type::INT32);
    let middle = chain.tensor(&format!("middle{n}"), &[1], Type::INT32, 128_i32.to_le_bytes().to_vec());
    let options = Some((options::ADD, vec![Number::Byte(fused::NONE)]));
    let operands = Operands { constants: &[middle], options, ..Operands::default() };
    chain.operator((operator::ADD, 1), &format!("position{n}"), Type::INT32, operands);
    let output = Type::quantized(dtype::INT8, look_up.scale, 0);
    let table = chain.tensor(&format!("table{n}"), &[256], output, look_up.table.to_vec());
    let operands = Operands { first: Some(table), ..Operands::default() };
    chain.operator((operator::GATHER, 2), &format!("x{n}"), output, operands);
}

/// How an activation is quantized, so that an int8 ends where its table does.
#[derive(Debug, PartialEq)]
struct Range {
    /// What one step of the sums is worth.
    step: f32,
    /// The zero point of the steps.
    steps_zero: i64,
    /// What the int8 of an output is below its code.
    lowered: i64,
}

impl Range {
    /// `None` where there is no unit of the steps, or where no zero points end as the table does.
    fn of(look_up: &LookUp<'_>) -> Option<Self> {
        let step = look_up.sum_unit()?;
        let output = |t| look_up.output(t, step.into());
        let outputs = || (-128..=127).map(output);
        let ends_low = outputs().fold(f64::INFINITY, f64::min) < -0.5;
        let ends_high = outputs().fold(f64::NEG_INFINITY, f64::max) >= 127.5;
        Some(match (ends_low, ends_high) {
            // An int8 of the codes ends at 127, one of codes less 128 at 0.
            (false, _) => Self { step, steps_zero: 0, lowered: 0 },
            (true, false) => Self { step, steps_zero: 0, lowered: 128 },
            (true, true) => {
                // Steps end at the last one whose code is 0, and beyond 127 the code stays 127.
                let first =
                    (-128..=127).zip(look_up.table).filter(|(_, code)| **code == 0).map(|(t, _)| t).last()?;
                let rises = look_up.activation != Activation::HardSwish;
                let ends = rises && output(first) >= -0.5 && look_up.table[255] == 127;
                ends.then(|| Self { step, steps_zero: -128 - i64::from(first), lowered: 0 })?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use selvedge::Activation;

    use super::{LookUp, Range};

    /// The table of an activation, of which `zero` is the code for a sum of 0.
    fn table(activation: Activation, step: f64, scale: f32, zero: u8) -> [u8; 256] {
        let look_up = LookUp { activation, table: &[zero; 256], scale };
        std::array::from_fn(|n| look_up.output(n as i32 - 128, step).round().clamp(0.0, 127.0) as u8)
    }

    /// The code that an int8 of the step and one of the output give for a sum of so many steps.
    fn code(range: &Range, look_up: &LookUp<'_>, sum: i64) -> i64 {
        let int8 = |x: i64| x.clamp(-128, 127);
        let t = int8(sum + range.steps_zero) - range.steps_zero;
        let zero = i64::from(look_up.table[128]);
        let units = look_up.output(t as i32, range.step.into()) - zero as f64;
        int8(units.round() as i64 + zero - range.lowered) + range.lowered
    }

    #[test]
    fn an_int8_ends_where_the_table_does() {
        let mut ends = [0; 4];
        for activation in Activation::HIDDEN.into_iter().chain([Activation::Identity]) {
            for (step, scale, zero) in
                [(0.031, 0.0159_f32, 60), (0.004, 0.0081, 31), (0.11, 0.05, 8), (0.06, 0.02, 40)]
            {
                let table = table(activation, step, scale, zero);
                let look_up = LookUp { activation, table: &table, scale };
                let Some(range) = Range::of(&look_up) else {
                    // It has no order, and steps of more than a code may pass the last one at the end.
                    assert!(
                        activation == Activation::HardSwish || step > f64::from(scale),
                        "{activation} {step}"
                    );
                    ends[3] += 1;
                    continue;
                };
                ends[match range {
                    Range { lowered: 128, .. } => 1,
                    Range { steps_zero: 0, .. } => 0,
                    _ => 2,
                }] += 1;
                for sum in -1000..1000 {
                    let expected = table[(sum.clamp(-128, 127) + 128) as usize];
                    assert_eq!(
                        code(&range, &look_up, sum),
                        i64::from(expected),
                        "{activation} {step} {sum} {range:?}"
                    );
                }
            }
        }
        assert!(ends.iter().all(|&count| count > 0), "{ends:?}");
    }

    #[test]
    fn a_table_of_something_else_is_looked_up() {
        let mut table = table(Activation::Tanh, 0.031, 0.0159, 60);
        table[200] = 3;
        assert_eq!(Range::of(&LookUp { activation: Activation::Tanh, table: &table, scale: 0.0159 }), None);
    }
}
