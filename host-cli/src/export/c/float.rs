//! C for float networks. Each input is added to the sums of all outputs at once, which keeps the order of summation and lets
//! zero inputs be skipped.

use super::{Files, array, classify, header};
use crate::model::fold::Folded;

/// The C files of a network.
pub(super) fn write(folded: &Folded, labels: &[String], name: &str) -> Files {
    let shape = folded.shape;
    let mut source = String::from("/* See HEADER. */\n#include \"HEADER\"\n");
    let mut rest = &folded.params[..];
    for l in 0..shape.layers() {
        let (i, o) = (shape.width(l), shape.width(l + 1));
        let (weights, tail) = rest.split_at(i * o);
        let (biases, tail) = tail.split_at(o);
        rest = tail;
        let literals = |values: &[f32]| values.iter().map(|x| format!("{x:e}f")).collect::<Vec<_>>();
        array(&mut source, "float", &format!("{name}_weights{}", l + 1), literals(weights).into_iter());
        array(&mut source, "float", &format!("{name}_biases{}", l + 1), literals(biases).into_iter());
    }
    if let Some(table) = folded.table {
        array(&mut source, "uint8_t", &format!("{name}_table"), table.iter());
    }
    source += &LAYER.replace("NAME", name);
    source += &logits(folded, name);
    source += &classify(name, shape, "float", labels);
    Files { header: header(name, shape, "float", "Single precision.", labels), source }
}

fn logits(folded: &Folded, name: &str) -> String {
    let shape = folded.shape;
    let pixel = if folded.table.is_some() { format!("{name}_table[pixels[i]]") } else { "pixels[i]".into() };
    let input = format!("(float){pixel} / 255.0f");
    super::logits(name, shape, ["float", "float"], &input, |l, from, to| {
        let (i, o, n, relu) = (shape.width(l), shape.width(l + 1), l + 1, u8::from(l + 1 < shape.layers()));
        format!("{name}_layer({from}, {i}, {name}_weights{n}, {name}_biases{n}, {o}, {relu}, {to});")
    })
}

const LAYER: &str = "
/* z = x W + bias, W one input a row; 0 where that is negative if relu. */
static void NAME_layer(const float *x, uint32_t inputs, const float *w, const float *bias, uint32_t outputs,
                       int relu, float *z)
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
                z[o] += v * w[o];
            }
        }
    }
    for (o = 0; o < outputs; o++) {
        z[o] += bias[o];
        if (relu && z[o] < 0.0f) {
            z[o] = 0.0f;
        }
    }
}
";
