//! A Rust module around a flash file: the aligned bytes, the class names, and a function whose types carry the sizes.

use std::fmt::{Display, Write as _};

use selvedge::format::{Dtype, ModelView, Packing};

/// The module's template, with placeholders in angle brackets.
const TEMPLATE: &str = include_str!("../../templates/module.rs.in");

/// The module's source. It needs the crate `selvedge`, also without its features. A file packed for a core runs with that
/// core's kernels, a generic one anywhere.
pub fn module(model: &ModelView<'_>) -> String {
    let header = model.header();
    let (dtype, packing) = (header.dtype().name(), header.packing().name());
    let (engine, number, logit) = match (header.dtype(), header.packing()) {
        (Dtype::I8 | Dtype::I4, Packing::Generic) => ("integer::Engine", "u32", "i32"),
        (Dtype::I8, _) => ("mcu::I8Engine as Engine", "u32", "i32"),
        (Dtype::I4, _) => ("mcu::I4Engine as Engine", "u32", "i32"),
        _ => ("float::Engine", "f32", "f32"),
    };
    let of_core = header.packing() != Packing::Generic;
    let wrong_core = if of_core { ", or the file is packed for another core than this" } else { "" };
    let zero = if number == "f32" { "0.0" } else { "0" };
    let labels: Vec<String> = (0..header.outputs())
        .map(|c| format!("    {:?},\n", model.label(c).map_or_else(|| c.to_string(), String::from)))
        .collect();
    // Labels come last, so that no placeholder is replaced inside a user's text.
    let fields: [(&str, &dyn Display); 13] = [
        ("shape", &header),
        ("dtype", &dtype),
        ("packing", &packing),
        ("engine", &engine),
        ("number", &number),
        ("logit", &logit),
        ("zero", &zero),
        ("wrong_core", &wrong_core),
        ("inputs", &header.inputs()),
        ("outputs", &header.outputs()),
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
