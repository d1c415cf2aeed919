//! The weights of integer networks in C: one text for all paths, which macros put in the order of the path that is compiled.
//!
//! The text lists the weights of four outputs input by input, sixteen inputs in a macro, the rest in one of its own. Plain C takes
//! them as they are; the others make words of four inputs of an output, or of four times four.

use std::collections::BTreeSet;
use std::fmt::Write;

use selvedge::format::{Header, LayerView};

use super::storage::STORED;

/// Inputs in a macro, and in a block of MVE.
pub(super) const CHUNK: usize = 16;

/// Rows and columns of a picture that is read in patches of four by four, which are zero more often than sixteen pixels of a row.
pub(super) fn patched(header: &Header<'_>) -> Option<(usize, usize)> {
    header.image().filter(|(rows, cols)| !header.input_map().is_affine() && rows % 4 == 0 && cols % 4 == 0)
}

/// The pixels of a picture patch by patch.
fn patches((rows, cols): (usize, usize)) -> impl Iterator<Item = usize> {
    let corners =
        (0..rows).step_by(4).flat_map(move |row| (0..cols).step_by(4).map(move |col| row * cols + col));
    corners
        .flat_map(move |corner| (0..4).flat_map(move |row| (0..4).map(move |col| corner + row * cols + col)))
}

/// The type of weights, the macros, and an array for each layer.
pub(super) fn arrays<'a>(
    header: &Header<'_>,
    layers: impl Iterator<Item = LayerView<'a>>,
    four_bits: bool,
) -> String {
    let (mut text, mut lengths) = (String::new(), BTreeSet::new());
    for (l, layer) in layers.enumerate() {
        let inputs: Vec<usize> = match patched(header).filter(|_| l == 0) {
            Some(image) => patches(image).collect(),
            None => (0..layer.inputs()).collect(),
        };
        let _ = write!(text, "\nstatic const @_weight @_weights{}[]{STORED} = {{", l + 1);
        for output in (0..layer.outputs()).step_by(4) {
            for chunk in inputs.chunks(CHUNK) {
                lengths.insert(chunk.len());
                call(&mut text, &layer, output, chunk, four_bits);
            }
        }
        text += "\n};\n";
    }
    macros(&lengths, four_bits) + &text
}

/// The bytes of the arrays in plain C.
pub(super) fn bytes<'a>(layers: impl Iterator<Item = LayerView<'a>>, four_bits: bool) -> usize {
    layers
        .map(|layer| layer.inputs() * layer.outputs().next_multiple_of(4) / if four_bits { 2 } else { 1 })
        .sum()
}

/// A macro with the weights of four outputs for some inputs, wrapped at 100 columns; of i4, two outputs in a byte, the even one's in
/// the low nibble.
fn call(text: &mut String, layer: &LayerView<'_>, output: usize, inputs: &[usize], four_bits: bool) {
    let weight = |output: usize, input: usize| {
        if output < layer.outputs() { layer.weight(output, input) as i8 } else { 0 }
    };
    let pair = |low: i8, high: i8| i32::from((high / 16 * 16) as u8 | ((low / 16) as u8 & 15));
    let of = |input: usize| -> Vec<i32> {
        let [a, b, c, d] = std::array::from_fn(|k| weight(output + k, input));
        if four_bits { vec![pair(a, b), pair(c, d)] } else { [a, b, c, d].map(i32::from).to_vec() }
    };
    let mut line = format!("    UPPER_W{}(", inputs.len());
    text.push('\n');
    for value in inputs.iter().flat_map(|&input| of(input)) {
        let value = value.to_string();
        if line.len() + value.len() + 2 > 100 {
            text.push_str(line.trim_end());
            line = "\n        ".into();
        }
        let _ = write!(line, "{value}, ");
    }
    text.push_str(line.trim_end_matches(", "));
    text.push_str("),");
}

/// The type of weights and the macros, on each path.
fn macros(lengths: &BTreeSet<usize>, four_bits: bool) -> String {
    let each = |of: fn(usize, bool) -> Vec<String>| -> String {
        lengths.iter().map(|&inputs| define(inputs, four_bits, &of(inputs, four_bits))).collect()
    };
    let bias = if four_bits { "0x88888888u" } else { "0x80808080u" };
    let word = if four_bits {
        format!("#define UPPER_WORD(a, b, c, d) (UPPER_BYTES(a, b, c, d) ^ {bias})\n")
    } else {
        format!(
            "#if UPPER_PATH == 2\n\
             #define UPPER_WORD(a, b, c, d) UPPER_BYTES(a, (b) - ((a) < 0), c, (d) - ((c) < 0))\n\
             #else\n#define UPPER_WORD(a, b, c, d) (UPPER_BYTES(a, b, c, d) ^ {bias})\n#endif\n"
        )
    };
    format!(
        "\n/* Weights of four outputs, input by input{}; macros put them in the order of the path. */\n\
         #if UPPER_PATH == 0\ntypedef {} @_weight;\n{}#else\ntypedef uint32_t @_weight;\n\
         #define UPPER_BYTES(a, b, c, d) \\\n    \
         ((uint32_t)((a) & 255) | (uint32_t)((b) & 255) << 8 | (uint32_t)((c) & 255) << 16 | (uint32_t)((d) & 255) << 24)\n\
         #if UPPER_PATH == 3\n{}#else\n{word}{}#endif\n#endif\n",
        if four_bits { ", two in a byte" } else { "" },
        if four_bits { "uint8_t" } else { "int8_t" },
        each(|inputs, four_bits| (0..inputs * per_input(four_bits)).map(|n| format!("p{n}")).collect()),
        each(|_, four_bits| {
            let of = per_input(four_bits);
            (0..of * CHUNK / 4)
                .map(|n| word_of("BYTES", 4 * (n % (CHUNK / 4)), n / (CHUNK / 4), of))
                .collect()
        }),
        each(|inputs, four_bits| {
            let of = per_input(four_bits);
            (0..of * inputs.div_ceil(4)).map(|n| word_of("WORD", 4 * (n / of), n % of, of)).collect()
        }),
    )
}

/// Values that the text has for an input.
fn per_input(four_bits: bool) -> usize {
    if four_bits { 2 } else { 4 }
}

/// A word of four inputs from `input` on: value `k` of the `of` of each.
fn word_of(macro_name: &str, input: usize, k: usize, of: usize) -> String {
    let parameters: Vec<String> = (input..input + 4).map(|input| format!("p{}", input * of + k)).collect();
    format!("UPPER_{macro_name}({})", parameters.join(", "))
}

/// The definition of a macro, wrapped at 100 columns; what it has no parameter for is 0.
fn define(inputs: usize, four_bits: bool, values: &[String]) -> String {
    let count = inputs * per_input(four_bits);
    let known = |value: &String| -> String {
        let Some((name, parameters)) = value.split_once('(') else { return value.clone() };
        let parameters = parameters.trim_end_matches(')').split(", ").map(|parameter| {
            let number: usize = parameter[1..].parse().expect("a parameter is p and a number");
            if number < count { parameter } else { "0" }
        });
        format!("{name}({})", parameters.collect::<Vec<_>>().join(", "))
    };
    let parameters: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
    let (mut text, mut line) = (String::new(), format!("#define UPPER_W{inputs}("));
    let mut add = |part: &str| {
        if line.len() + part.len() > 98 {
            text.push_str(line.trim_end());
            text.push_str(" \\\n");
            line = "    ".into();
        }
        line += part;
    };
    for (n, parameter) in parameters.iter().enumerate() {
        add(&if n + 1 < count { format!("{parameter}, ") } else { format!("{parameter}) ") });
    }
    for (n, value) in values.iter().map(known).enumerate() {
        add(&if n + 1 < values.len() { format!("{value}, ") } else { value });
    }
    text + &line + "\n"
}
