//! The affine map of an integer file in C: what turns a raw value into a code, the same bits as
//! [`code_of_float`](selvedge::naive::integer::code_of_float) and
//! [`code_of_integer`](selvedge::naive::integer::code_of_integer) on every compiler.

use selvedge::format::InputType;
use selvedge::naive::integer::{largest_code, map_shift};

use super::answers::per_feature;
use super::interface::Interface;
use super::literal::{array, float};

/// The code of the raw value `value` of feature `i`.
pub(super) fn code(of: &Interface<'_>, value: &str) -> String {
    match (of.is_picture(), of.model.table().is_some()) {
        (true, true) => format!("READ(uint8_t, @_table, {value})"),
        (true, false) => format!("(uint8_t)({value} >> 1)"),
        (false, _) if per_feature(of) => format!("@_code({value}, i)"),
        (false, _) => format!("@_code({value})"),
    }
}

/// The arrays and the function that [`code`] calls.
pub(super) fn functions(of: &Interface<'_>) -> String {
    let (mut text, header) = (String::new(), of.header());
    if let Some(table) = of.model.table() {
        array(&mut text, "static const uint8_t", "@_table", table.iter());
    }
    if of.is_picture() {
        return text;
    }
    let bits = header.input_bits();
    let count = if per_feature(of) { header.inputs() } else { 1 };
    let mut parameter = |kind: &str, part: &str, values: Vec<String>| match per_feature(of) {
        true => {
            array(&mut text, &format!("static const {kind}"), &format!("@_{part}"), values.into_iter());
            format!("READ({kind}, @_{part}, i)")
        }
        false => values.concat(),
    };
    let features = || 0..count;
    let body = if header.input_type() == InputType::F32 {
        let largest = largest_code(bits);
        let map = |feature| of.model.float_map(feature);
        let offset = parameter("float", "offsets", features().map(|i| float(map(i).0)).collect());
        let scale = parameter("float", "scales", features().map(|i| float(map(i).1)).collect());
        FLOAT
            .replace("OFFSET", &offset)
            .replace("SCALE", &scale)
            .replace("TWICE", &format!("{}.0f", 2 * u32::from(largest)))
            .replace("LARGEST", &largest.to_string())
    } else {
        let map = |feature| of.model.integer_map(feature);
        let lo = parameter(of.raw(), "lows", features().map(|i| map(i).0.to_string()).collect());
        let span = parameter("uint16_t", "spans", features().map(|i| map(i).1.to_string()).collect());
        let m = parameter("uint32_t", "multipliers", features().map(|i| format!("{}u", map(i).2)).collect());
        let shift = map_shift(bits);
        INTEGER
            .replace("LOWEST", &lo)
            .replace("SPAN", &span)
            .replace("MULTIPLIER", &m)
            .replace("HALF", &format!("{}u", 1u32 << (shift - 1)))
            .replace("SHIFT", &shift.to_string())
    };
    let feature = if per_feature(of) { ", uint32_t i" } else { "" };
    text + &of.fill(
        &body
            .replace("RAW", of.raw())
            .replace("FEATURE", feature)
            .replace("CODE", if bits == 14 { "uint16_t" } else { "uint8_t" }),
    )
}

const FLOAT: &str = "
/* The code of a raw value. The scale is twice the codes of a raw unit, so that no floats are added after the product: there
 * is nothing that a compiler could fuse with it. */
static CODE @_code(float xFEATURE)
{
    const float t = (x - OFFSET) * SCALE;
    if (!(t > 0.0f)) {
        return 0;
    }
    if (t >= TWICE) {
        return LARGEST;
    }
    return (CODE)(((uint32_t)(int32_t)t + 1u) >> 1);
}
";

const INTEGER: &str = "
/* The code of a raw value, rounded half up. */
static CODE @_code(RAW xFEATURE)
{
    const int32_t lowest = LOWEST;
    const uint32_t span = SPAN;
    const uint32_t d = x < lowest ? 0 : (uint32_t)(x - lowest);
    return (CODE)(((d > span ? span : d) * MULTIPLIER + HALF) >> SHIFT);
}
";
