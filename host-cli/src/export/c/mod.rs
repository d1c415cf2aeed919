//! The C99 format: a header and a source with the weights and an inference function, for any compiler and core.
//!
//! The code uses no heap and no library but `<stdint.h>`, and every name has a prefix. Integer networks give the flash
//! file's results bit for bit, in 32-bit sums with one 64-bit multiplication per hidden unit. Float networks sum in the
//! order of the flash file's arithmetic.

mod float;
mod integer;

use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

use selvedge::Shape;

use super::{ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile, Parameters};
use crate::error::{Error, Result};

/// `--format c`.
pub(super) struct C;

impl Exporter for C {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("c", "C99 header and source with the weights and an inference function")
            .with_options(&[ExportOption::Prefix])
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        let parameters = model.parameters()?;
        let prefix = prefix(options.prefix, options.out)?;
        let files = match &parameters {
            Parameters::Float(folded, classes) => float::write(folded, classes, &prefix),
            Parameters::Integer(model) => integer::write(model, &prefix),
        };
        Ok(Exported::files(named(files, options.out, &prefix)))
    }
}

/// A header and a source.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    /// `NAME.h`.
    header: String,
    /// `NAME.c`, with the placeholder HEADER for the header's name, twice.
    source: String,
}

/// The given prefix, or one made of the file's name.
///
/// # Errors
/// `Usage` if it is no identifier.
fn prefix(given: Option<&str>, out: &Path) -> Result<String> {
    let good = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && text.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
    };
    match given {
        Some(prefix) if good(prefix) => Ok(prefix.into()),
        Some(prefix) => Err(Error::usage(format!(
            "--prefix {prefix}: a C identifier starts with a letter and goes on in letters, digits and _"
        ))),
        None => {
            let stem = out.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
            let kept = stem.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            Ok(if good(&kept) { kept } else { format!("model_{kept}") })
        }
    }
}

/// The two files: `out` with the extensions `.c` and `.h`.
fn named(files: Files, out: &Path, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Files { header, source } = files;
    let (c, h) = (out.with_extension("c"), out.with_extension("h"));
    let included = h.file_name().map_or_else(|| format!("{name}.h"), |f| f.to_string_lossy().into_owned());
    vec![(c, source.replacen("HEADER", &included, 2).into_bytes()), (h, header.into_bytes())]
}

/// The header file; `value` is the C type of a logit.
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

/// The C function that runs the layers in turn. `types` are those of activations and logits, `input` is the expression of an
/// input, and `call` gives the call of a layer that reads one buffer and writes another.
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

/// The C function that classifies, and the names of the classes.
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

/// A string literal without trigraphs; bytes outside printable ASCII become three octal digits.
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

/// Appends a constant array, wrapped at 100 columns.
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
