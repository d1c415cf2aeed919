//! From raw values to the codes of the first layer, by operators on floats that give the device's codes.
//!
//! A code is `(floor(t) + 1) / 2` without its fraction, of `t = (x - offset) · scale` between 0 and twice the largest code. As
//! operators: `FLOOR`, plus a half, and a `QUANTIZE` by 2, which thus never decides a tie: runtimes differ in how they round
//! one. Of f32 that is what a device computes, to the bit; the maps of integers take more than the 24 bits of an f32, so that
//! a raw value next to the edge of a code may get its neighbour.

use selvedge::format::{InputMap, InputType, ModelView};
use selvedge::naive::integer::{largest_code, map_shift};

use super::integer::{Codes, IntegerChain, Operands, Type};
use crate::files::tflite::{dtype, operator};

/// What `QUANTIZE` divides by: a code is two units of `t`.
const CODE: f32 = 2.0;

/// What a byte over 255 is worth where a table halves it.
const HALVED: f32 = 2.0 / 255.0;

/// The map of a feature: `t = (x - offset) · scale`, and the largest `t`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feature {
    pub offset: f64,
    pub scale: f64,
    most: f64,
}

/// The map of a feature. Of pictures it is that of pixels, or of what a table makes of them, over 255.
pub(super) fn feature(model: &ModelView<'_>, n: usize) -> Feature {
    let header = model.header();
    let bits = header.input_bits();
    let most = 2.0 * f64::from(largest_code(bits));
    if !header.input_map().is_affine() {
        return match model.table() {
            Some(_) => Feature { offset: 0.0, scale: 255.0, most },
            None => Feature { offset: 0.5, scale: 1.0, most },
        };
    }
    if header.input_type() == InputType::F32 {
        let (offset, scale) = model.float_map(n);
        return Feature { offset: offset.into(), scale: scale.into(), most };
    }
    let (lo, span, m) = model.integer_map(n);
    let scale = 2.0 * f64::from(m) / f64::from(1_u32 << map_shift(bits));
    Feature { offset: lo.into(), scale, most: most.min(f64::from(span) * scale) }
}

/// Writes the graph's input and what makes codes of it.
pub(super) fn codes(chain: &mut IntegerChain, model: &ModelView<'_>) -> Codes {
    let header = model.header();
    let fine = header.input_bits() == 14;
    let of = |unit| Codes { unit, zero: 0, fine };
    let int8 = |unit| Type::quantized(dtype::INT8, unit, 0);
    if !header.input_map().is_affine() {
        chain.input("pixels", Type::BYTE);
        if let Some(table) = model.table() {
            let table = chain.tensor("table", &[256], int8(HALVED), table.to_vec());
            chain.alone(operator::CAST, 1, "position", Type::INT32);
            let operands = Operands { first: Some(table), ..Operands::default() };
            chain.operator((operator::GATHER, 2), "x0", int8(HALVED), operands);
            return of(HALVED);
        }
        // (p - 1/2) / 2 rounds to half of p, without its fraction.
        chain.alone(operator::CAST, 1, "bytes", Type::FLOAT);
        chain.arithmetic(operator::SUB, "half", &[0.5]);
        chain.alone(operator::QUANTIZE, 1, "x0", int8(CODE));
        return of(CODE);
    }
    chain.input("input", Type::FLOAT);
    let count = if header.input_map() == InputMap::Affine { 1 } else { header.inputs() };
    let each = |of: fn(Feature) -> f64| (0..count).map(|n| of(feature(model, n)) as f32).collect::<Vec<_>>();
    chain.arithmetic(operator::SUB, "offset", &each(|of| of.offset));
    chain.arithmetic(operator::MUL, "scale", &each(|of| of.scale));
    chain.arithmetic(operator::MAXIMUM, "least", &[0.0]);
    chain.arithmetic(operator::MINIMUM, "most", &each(|of| of.most));
    chain.alone(operator::FLOOR, 1, "whole", Type::FLOAT);
    // A constant column stays 0, so that a reader can tell its mean.
    chain.arithmetic(operator::ADD, "half", &each(|of| if of.scale == 0.0 { 0.0 } else { 0.5 }));
    let code = if fine { Type::quantized(dtype::INT16, CODE, 0) } else { int8(CODE) };
    chain.alone(operator::QUANTIZE, if fine { 2 } else { 1 }, "x0", code);
    of(CODE)
}
