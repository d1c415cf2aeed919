//! A Rust module around a flash file: the aligned bytes, the class names, and a function whose types carry the sizes.

use std::fmt::{Display, Write as _};

use selvedge::format::{Dtype, ModelView, Packing};

/// The module's template, with placeholders in angle brackets.
const TEMPLATE: &str = include_str!("../../templates/module.rs.in");

/// The module's source. It needs the crate `selvedge`, also without its features. A file packed for a core runs with that
/// core's kernels, a generic one anywhere.
pub fn module(model: &ModelView<'_>) -> String {
    let header = model.header();
    let shape = header.shape();
    let (dtype, packing) = (header.dtype().name(), header.packing().name());
    let (module, number, logit, scratch) = match (header.dtype().is_integer(), header.packing()) {
        (false, _) => ("float", "f32", "f32", "scratch_floats"),
        (true, Packing::Generic) => ("integer", "u32", "i32", "scratch_words"),
        (true, _) => ("mcu", "u32", "i32", "scratch_words"),
    };
    let new = if module == "mcu" && header.dtype() == Dtype::I4 { "new_i4" } else { "new" };
    let wrong_core = if module == "mcu" { ", or the file is packed for another core than this" } else { "" };
    let zero = if number == "f32" { "0.0" } else { "0" };
    let labels: Vec<String> = (0..shape.outputs())
        .map(|c| format!("    {:?},\n", model.label(c).map_or_else(|| c.to_string(), String::from)))
        .collect();
    // Labels come last, so that no placeholder is replaced inside a user's text.
    let fields: [(&str, &dyn Display); 15] = [
        ("shape", &shape),
        ("dtype", &dtype),
        ("packing", &packing),
        ("module", &module),
        ("new", &new),
        ("scratch", &scratch),
        ("number", &number),
        ("logit", &logit),
        ("zero", &zero),
        ("wrong_core", &wrong_core),
        ("inputs", &shape.inputs()),
        ("outputs", &shape.outputs()),
        ("bytes", &model.bytes().len()),
        ("text", &literal(model.bytes())),
        ("labels", &labels.concat()),
    ];
    fields.iter().fold(TEMPLATE.to_string(), |text, (name, value)| {
        text.replace(&format!("<{name}>"), &value.to_string())
    })
}

/// The inside of a byte string, 32 bytes a line; a backslash in front of a line's end joins it to the next.
fn literal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(4 * bytes.len() + bytes.len() / 8);
    let mut lines = bytes.chunks(32).peekable();
    while let Some(line) = lines.next() {
        for byte in line {
            write!(text, "\\x{byte:02x}").expect("a string takes what it is given");
        }
        text.push_str(if lines.peek().is_some() { "\\\n" } else { "" });
    }
    text
}
