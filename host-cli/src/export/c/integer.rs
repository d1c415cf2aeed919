//! C for integer networks. Four outputs are computed at a time, so an input is loaded once for four products; zero inputs are
//! skipped.
//!
//! The weights of four outputs are interleaved, input by input; the last four are padded with zeros.

use selvedge::format::{Dtype, LayerView, ModelView};

use super::{Files, array, classify, header};

/// The C files of a flash file.
pub(super) fn write(model: &ModelView<'_>, name: &str) -> Files {
    let (shape, four_bits) = (crate::model::flash_shape(model), model.header().dtype() == Dtype::I4);
    let labels: Vec<String> = model.labels().map(String::from).collect();
    let notes = format!(
        "Integers only: i{} weights.\n * A logit of 1 is worth {:e}.",
        if four_bits { 4 } else { 8 },
        model.scale(shape.layers())
    );
    let mut source = String::from("/* See HEADER. */\n#include \"HEADER\"\n");
    for (l, layer) in model.layers().enumerate() {
        let weights = format!("{name}_weights{}", l + 1);
        if four_bits {
            array(&mut source, "uint8_t", &weights, nibbles(&layer).into_iter());
        } else {
            array(
                &mut source,
                "int8_t",
                &weights,
                interleaved(&layer).flatten().collect::<Vec<_>>().into_iter(),
            );
        }
        let outputs = 0..layer.outputs();
        let biases = outputs.clone().map(|o| layer.bias(o));
        array(&mut source, "int32_t", &format!("{name}_biases{}", l + 1), biases);
        if l + 1 < shape.layers() {
            let multipliers = outputs.map(|o| layer.multiplier(o));
            array(&mut source, "uint16_t", &format!("{name}_multipliers{}", l + 1), multipliers);
        }
    }
    if let Some(table) = model.table() {
        array(&mut source, "uint8_t", &format!("{name}_table"), table.iter());
    }
    source += &SUMS
        .replace("PRODUCTS", if four_bits { NIBBLES } else { BYTES })
        .replace("UNIT", if four_bits { "16 * " } else { "" });
    if shape.layers() > 1 {
        source += HIDDEN;
    }
    source += LAST;
    source = source
        .replace("STRIDE", if four_bits { "2" } else { "4" })
        .replace("WEIGHT", if four_bits { "uint8_t" } else { "int8_t" })
        .replace("NAME", name);
    source += &logits(model, name);
    source += &classify(name, shape, "int32_t", &labels);
    Files { header: header(name, shape, "int32_t", &notes, &labels), source }
}

/// The weights of four outputs for each input, padded with zeros.
fn interleaved<'a>(layer: &'a LayerView<'a>) -> impl Iterator<Item = [i8; 4]> + 'a {
    let weight = |output: usize, input: usize| {
        if output < layer.outputs() { layer.weight(output, input) as i8 } else { 0 }
    };
    (0..layer.outputs()).step_by(4).flat_map(move |output| {
        (0..layer.inputs()).map(move |input| std::array::from_fn(|k| weight(output + k, input)))
    })
}

/// The same with two weights in a byte, the even output's in the low nibble.
fn nibbles(layer: &LayerView<'_>) -> Vec<u8> {
    let pair = |low: i8, high: i8| (high / 16 * 16) as u8 | ((low / 16) as u8 & 15);
    interleaved(layer).flat_map(|[a, b, c, d]| [pair(a, b), pair(c, d)]).collect()
}

fn logits(model: &ModelView<'_>, name: &str) -> String {
    let shape = crate::model::flash_shape(model);
    let table = model.table().is_some();
    let input = if table { format!("{name}_table[pixels[i]]") } else { "(uint8_t)(pixels[i] >> 1)".into() };
    super::logits(name, shape, ["uint8_t", "int32_t"], &input, |l, from, to| {
        let (i, o, n) = (shape.width(l), shape.width(l + 1), l + 1);
        let numbers = format!("{from}, {i}, {name}_weights{n}, {name}_biases{n}");
        if n < shape.layers() {
            format!("{name}_hidden({numbers}, {name}_multipliers{n}, {o}, {to});")
        } else {
            format!("{name}_last({numbers}, {o}, {to});")
        }
    })
}

const SUMS: &str = "
/* The sums of four rows whose weights lie side by side. */
static void NAME_sums(const uint8_t *x, uint32_t inputs, const WEIGHT *w, int32_t *sums)
{
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;
    uint32_t i;
    for (i = 0; i < inputs; i++, w += STRIDE) {
        const int32_t v = x[i];
        if (v != 0) {
PRODUCTS
        }
    }
    sums[0] = UNITa;
    sums[1] = UNITb;
    sums[2] = UNITc;
    sums[3] = UNITd;
}
";

const BYTES: &str = "            a += v * w[0];
            b += v * w[1];
            c += v * w[2];
            d += v * w[3];";

/// The exclusive or and the difference extend the nibble's sign.
const NIBBLES: &str = "            a += v * (((w[0] & 15) ^ 8) - 8);
            b += v * (((w[0] >> 4) ^ 8) - 8);
            c += v * (((w[1] & 15) ^ 8) - 8);
            d += v * (((w[1] >> 4) ^ 8) - 8);";

const HIDDEN: &str = "
/* (sum * multiplier + 2^23) >> 24 within 0..127, which is the ReLU; the sum is below 2^23. */
static uint8_t NAME_requantize(int32_t sum, uint16_t multiplier)
{
    uint32_t y;
    if (sum <= 0) {
        return 0;
    }
    y = (uint32_t)(((uint64_t)(uint32_t)sum * multiplier + 0x800000u) >> 24);
    return (uint8_t)(y > 127 ? 127 : y);
}

static void NAME_hidden(const uint8_t *x, uint32_t inputs, const WEIGHT *w, const int32_t *biases,
                        const uint16_t *multipliers, uint32_t outputs, uint8_t *y)
{
    int32_t sums[4];
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        if (o % 4 == 0) {
            NAME_sums(x, inputs, w, sums);
            w += STRIDE * inputs;
        }
        y[o] = NAME_requantize(sums[o % 4] + biases[o], multipliers[o]);
    }
}
";

const LAST: &str = "
static void NAME_last(const uint8_t *x, uint32_t inputs, const WEIGHT *w, const int32_t *biases,
                      uint32_t outputs, int32_t *logits)
{
    int32_t sums[4];
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        if (o % 4 == 0) {
            NAME_sums(x, inputs, w, sums);
            w += STRIDE * inputs;
        }
        logits[o] = sums[o % 4] + biases[o];
    }
}
";
