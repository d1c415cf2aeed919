//! C for float networks. Each input is added to the sums of all outputs at once, which keeps the order of summation and lets
//! zero inputs be skipped.
//!
//! Activations are those that C computes with the bits of this crate; sigmoid and tanh need a library whose bits differ from
//! one to the next, so they are refused.

use std::fmt::Write;

use selvedge::Activation;
use selvedge::activation::LEAKY_RELU_SLOPE;

use super::interface::{Interface, PREFIX};
use super::literal::{array, float};
use super::{Files, answers, self_test};
use crate::error::{Error, Result};

/// The C files of a file of floats.
///
/// # Errors
/// `Model` for an activation or a threshold that C cannot have.
pub(super) fn write(of: &Interface<'_>) -> Result<Files> {
    let (model, header) = (of.model, of.header());
    let (arrays, mut questions) = answers::of_task(of)?;
    questions.insert(0, answers::logits(of, logits(of)));
    let mut source = String::new();
    for (n, layer) in (1..).zip(model.layers()) {
        let (i, o) = (layer.inputs(), layer.outputs());
        let weights = (0..i * o).map(|at| float(layer.float_weight(at % o, at / o)));
        array(&mut source, "static const float", &format!("@_weights{n}"), weights);
        let biases = (0..o).map(|row| float(layer.float_bias(row)));
        array(&mut source, "static const float", &format!("@_biases{n}"), biases);
    }
    source += &input_arrays(of);
    source += LAYER;
    source += &activations(header.layers(), |l| header.activation(l))?;
    source += &arrays;
    questions.iter().for_each(|question| source += &of.define(question));
    source += &of.window_functions();
    source += &self_test::write(of)?;
    Ok(of.files(CONTRACTION, source, None, of.header_file("Single precision.", &questions)))
}

/// Compilers fuse a product and a sum to one operation by default, which rounds once instead of twice.
const CONTRACTION: &str = "
/* No product is fused with a sum: the result would depend on the core. clang heeds this but with -ffp-contract=fast: leave that
 * flag out. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize (\"fp-contract=off\")
#elif defined(_MSC_VER) && !defined(__clang__)
#pragma fp_contract(off)
#else
#pragma STDC FP_CONTRACT OFF
#endif
";

/// The input that the raw value `value` of feature `i` becomes.
pub(super) fn input(of: &Interface<'_>, value: &str) -> String {
    if of.is_picture() {
        let byte = if of.model.table().is_some() {
            format!("READ(uint8_t, @_table, {value})")
        } else {
            value.into()
        };
        return format!("(float){byte} / 255.0f");
    }
    let value = if of.raw() == "float" { value.into() } else { format!("(float){value}") };
    if answers::per_feature(of) {
        return format!("({value} - READ(float, @_offsets, i)) * READ(float, @_scales, i)");
    }
    let (offset, scale) = of.model.float_map(0);
    format!("({value} - {}) * {}", float(offset), float(scale))
}

/// The arrays of [`input`].
fn input_arrays(of: &Interface<'_>) -> String {
    let mut text = String::new();
    if let Some(table) = of.model.table() {
        array(&mut text, "static const uint8_t", "@_table", table.iter());
    }
    if answers::per_feature(of) {
        let maps = || (0..of.header().inputs()).map(|i| of.model.float_map(i));
        array(&mut text, "static const float", "@_offsets", maps().map(|(offset, _)| float(offset)));
        array(&mut text, "static const float", "@_scales", maps().map(|(_, scale)| float(scale)));
    }
    text
}

/// The body of the function of the logits.
fn logits(of: &Interface<'_>) -> String {
    let header = of.header();
    let widest = |parity: usize| (parity..header.layers()).step_by(2).map(|l| header.width(l)).max();
    let mut text = String::new();
    for (buffer, parity) in [("x", 0), ("y", 1)] {
        if let Some(width) = widest(parity) {
            let _ = writeln!(text, "    float {buffer}[{width}];");
        }
    }
    text += of.each_variables();
    text += &of.refuse_nan();
    text += &of.each(&format!("        x[i] = {};\n", input(of, "VALUE")), "VALUE");
    for l in 0..header.layers() {
        let (from, to) = if l.is_multiple_of(2) { ("x", "y") } else { ("y", "x") };
        let (n, last) = (l + 1, l + 1 == header.layers());
        let to = if last { "logits" } else { to };
        let (i, o) = (header.width(l), header.width(n));
        let _ = writeln!(text, "    {PREFIX}_layer({from}, {i}, @_weights{n}, @_biases{n}, {o}, {to});");
        if !last && header.activation(l) != Activation::Identity {
            let _ = writeln!(text, "    {PREFIX}_{}({to}, {o});", function(header.activation(l)));
        }
    }
    text + of.done()
}

/// The name of an activation as part of a name in C.
fn function(activation: Activation) -> String {
    activation.name().replace('-', "_")
}

/// The functions of the hidden activations that the network has.
fn activations(layers: usize, of: impl Fn(usize) -> Activation) -> Result<String> {
    let mut text = String::new();
    let used: Vec<_> = (0..layers - 1).map(of).collect();
    for activation in Activation::HIDDEN.into_iter().filter(|activation| used.contains(activation)) {
        let statement = match activation {
            Activation::Relu => "z[o] = z[o] < 0.0f ? 0.0f : z[o];".into(),
            Activation::LeakyRelu => {
                format!("z[o] = z[o] < 0.0f ? {} * z[o] : z[o];", float(LEAKY_RELU_SLOPE))
            }
            Activation::Relu6 => "z[o] = z[o] > 6.0f ? 6.0f : z[o] < 0.0f ? 0.0f : z[o];".into(),
            Activation::HardSwish => "const float gate = z[o] + 3.0f;
        z[o] = z[o] * (gate > 6.0f ? 6.0f : gate < 0.0f ? 0.0f : gate) / 6.0f;"
                .into(),
            _ => {
                return Err(Error::model(format!(
                    "cannot export the model: C has no {activation} with the same bits everywhere; `selvedge quantize MODEL \
                     -o FILE.selv` makes a table of it, and C of FILE.selv has the same bits on every core"
                )));
            }
        };
        text += &ACTIVATION.replace("FUNCTION", &function(activation)).replace("STATEMENT", &statement);
    }
    Ok(text)
}

const ACTIVATION: &str = "
static void @_FUNCTION(float *z, uint32_t outputs)
{
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        STATEMENT
    }
}
";

const LAYER: &str = "
/* z = x W + bias, W one input a row. */
static void @_layer(const float *x, uint32_t inputs, const float *w, const float *bias, uint32_t outputs, float *z)
{
    uint32_t i;
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        z[o] = 0.0f;
    }
    for (i = 0; i < inputs; i++, w += outputs) {
        const float v = x[i];
        if (v != 0.0f) {
            for (o = 0; o < outputs; o++) {
                z[o] += v * READ(float, w, o);
            }
        }
    }
    for (o = 0; o < outputs; o++) {
        z[o] += READ(float, bias, o);
    }
}
";
