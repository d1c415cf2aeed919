//! C99: a header and a source with the weights and an inference function, for any compiler and core.
//!
//! No heap, no library but `<stdint.h>`, every name with a prefix. Integer networks compute what the flash file does, bit
//! for bit, in 32-bit sums with one long multiplication for each hidden unit; float networks add up in the order of the
//! flash file's arithmetic.

mod float;
mod integer;

use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

use selvedge::Shape;

pub(super) use float::write as float;
pub(super) use integer::write as integer;

use crate::error::{Error, Result};

/// A header and a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `NAME.h`.
    pub header: String,
    /// `NAME.c`, with HEADER for the name of the header, twice.
    pub source: String,
}

/// The prefix that was asked for, or one made of the file's name.
///
/// # Errors
/// Exit code 2 where it is no identifier.
pub fn prefix(asked: Option<&str>, out: &Path) -> Result<String> {
    let good = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && text.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
    };
    match asked {
        Some(prefix) if good(prefix) => Ok(prefix.into()),
        Some(prefix) => Err(Error::misused(format!(
            "--prefix {prefix}: a C identifier starts with a letter and goes on in letters, digits and _"
        ))),
        None => {
            let stem = out.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
            let kept = stem.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            Ok(if good(&kept) { kept } else { format!("model_{kept}") })
        }
    }
}

/// The two files, beside each other: `out` with the endings `.c` and `.h`.
pub(super) fn named(files: Files, out: &Path, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Files { header, source } = files;
    let (c, h) = (out.with_extension("c"), out.with_extension("h"));
    let included = h.file_name().map_or_else(|| format!("{name}.h"), |f| f.to_string_lossy().into_owned());
    vec![(c, source.replacen("HEADER", &included, 2).into_bytes()), (h, header.into_bytes())]
}

/// What is the same in both headers; `value` is the C type of a logit.
fn header(name: &str, shape: Shape, value: &str, notes: &str, labels: &[String]) -> String {
    let mut text = format!(
        "/* A {shape} network. {notes}
 * Written by selvedge {}; the same model gives the same text. */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {{
#endif

#define {upper}_INPUTS {}
#define {upper}_OUTPUTS {}
",
        env!("CARGO_PKG_VERSION"),
        shape.inputs(),
        shape.outputs(),
        upper = name.to_uppercase(),
    );
    if !labels.is_empty() {
        let _ = write!(
            text,
            "\n/* The names of the classes. */\nextern const char *const {name}_labels[{}];\n",
            shape.outputs()
        );
    }
    let _ = write!(
        text,
        "
/* From {} pixels to {} logits. */
void {name}_logits(const uint8_t *pixels, {value} *logits);

/* The class of an image: the position of its largest logit, the first of equals. */
uint32_t {name}_classify(const uint8_t *pixels);

#ifdef __cplusplus
}}
#endif

#endif
",
        shape.inputs(),
        shape.outputs(),
    );
    text
}

/// The function that runs the layers, one after the other: `types` of activations and of logits, `input` for a pixel,
/// `call` for a layer that reads one buffer and writes another.
fn logits(
    name: &str,
    shape: Shape,
    types: [&str; 2],
    input: &str,
    call: impl Fn(usize, &str, &str) -> String,
) -> String {
    let [activation, logit] = types;
    let widest = |parity: usize| (parity..shape.layers()).step_by(2).map(|l| shape.width(l)).max();
    let mut text = format!("\nvoid {name}_logits(const uint8_t *pixels, {logit} *logits)\n{{\n");
    for (buffer, parity) in [("x", 0), ("y", 1)] {
        if let Some(width) = widest(parity) {
            let _ = writeln!(text, "    {activation} {buffer}[{width}];");
        }
    }
    let inputs = shape.inputs();
    let _ = write!(
        text,
        "    uint32_t i;\n    for (i = 0; i < {inputs}; i++) {{\n        x[i] = {input};\n    }}\n"
    );
    for l in 0..shape.layers() {
        let (from, to) = if l % 2 == 0 { ("x", "y") } else { ("y", "x") };
        let to = if l + 1 == shape.layers() { "logits" } else { to };
        let _ = writeln!(text, "    {}", call(l, from, to));
    }
    text + "}\n"
}

/// The end of both sources.
fn classify(name: &str, shape: Shape, value: &str, labels: &[String]) -> String {
    let mut text = CLASSIFY
        .replace("NAME", name)
        .replace("VALUE", value)
        .replace("OUTPUTS", &shape.outputs().to_string());
    if !labels.is_empty() {
        let quoted: Vec<String> = labels.iter().map(|l| quote(l)).collect();
        let _ = write!(
            text,
            "\nconst char *const {name}_labels[{}] = {{\n    {},\n}};\n",
            shape.outputs(),
            quoted.join(",\n    ")
        );
    }
    text
}

const CLASSIFY: &str = "
uint32_t NAME_classify(const uint8_t *pixels)
{
    VALUE logits[OUTPUTS];
    uint32_t best = 0;
    uint32_t o;
    NAME_logits(pixels, logits);
    for (o = 1; o < OUTPUTS; o++) {
        if (logits[o] > logits[best]) {
            best = o;
        }
    }
    return best;
}
";

/// A string literal: bytes outside plain ASCII as three octal digits, and no trigraphs.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A constant array, wrapped.
fn array<T: Display>(text: &mut String, kind: &str, name: &str, values: impl ExactSizeIterator<Item = T>) {
    let _ = write!(text, "\nstatic const {kind} {name}[{}] = {{", values.len());
    let mut column = usize::MAX;
    for value in values {
        let value = value.to_string();
        if column.saturating_add(value.len() + 2) > 100 {
            text.push_str("\n   ");
            column = 3;
        }
        column += value.len() + 2;
        let _ = write!(text, " {value},");
    }
    text.push_str("\n};\n");
}

#[cfg(test)]
mod tests {
    use super::{array, prefix, quote};
    use std::path::Path;

    #[test]
    fn prefixes_are_identifiers() {
        let of = |out: &str| prefix(None, Path::new(out)).unwrap();
        assert_eq!(
            [of("a/net.c"), of("my-net.c"), of("3.c"), of("é")],
            ["net", "my_net", "model_3", "model__"]
        );
        assert_eq!(prefix(Some("ok_1"), Path::new("x")).unwrap(), "ok_1");
        for bad in ["", "1a", "a-b", "_a", "é"] {
            assert!(prefix(Some(bad), Path::new("x")).unwrap_err().message.contains("--prefix"), "{bad}");
        }
    }

    #[test]
    fn names_survive_as_literals() {
        assert_eq!(quote("T-shirt/top"), "\"T-shirt/top\"");
        assert_eq!(quote("a\"b\\c??/é"), "\"a\\\"b\\\\c\\?\\?/\\303\\251\"");
    }

    #[test]
    fn arrays_wrap() {
        let mut text = String::new();
        array(&mut text, "int8_t", "w", (0..100).map(|n| n - 50));
        assert!(text.starts_with("\nstatic const int8_t w[100] = {\n    -50, -49,"), "{text}");
        assert!(text.lines().all(|l| l.len() <= 100) && text.ends_with(" 49,\n};\n"), "{text}");
    }
}
