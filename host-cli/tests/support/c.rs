//! The exported C as a program: this machine's compiler, without a warning, and images on its stdin; or every question of many
//! files, for samples in files.

use std::fs;
use std::path::Path;
use std::process::Command;

use selvedge::format::{InputType, Task};

use super::files::Spec;

/// Prints the bytes of the logits of each image on stdin, and their class.
const MAIN: &str = r#"
#include "NAME.h"
#include <stdio.h>
int main(void)
{
    static uint8_t pixels[UPPER_INPUTS];
    VALUE logits[UPPER_OUTPUTS];
    while (fread(pixels, 1, UPPER_INPUTS, stdin) == UPPER_INPUTS) {
        uint32_t class = NAME_classify(pixels);
        NAME_logits(pixels, logits);
        if (fwrite(logits, sizeof logits[0], UPPER_OUTPUTS, stdout) != UPPER_OUTPUTS) {
            return 1;
        }
        if (fwrite(&class, sizeof class, 1, stdout) != 1) {
            return 1;
        }
    }
    return 0;
}
"#;

/// Compiles `NAME.c` with a main program and feeds it `pixels`; the logits' four bytes, and the classes.
pub fn run(
    folder: &Path,
    name: &str,
    value: &str,
    outputs: usize,
    pixels: &[u8],
) -> (Vec<[u8; 4]>, Vec<u32>) {
    let main = MAIN.replace("UPPER", &name.to_uppercase()).replace("NAME", name).replace("VALUE", value);
    fs::write(folder.join("main.c"), main).unwrap();
    fs::write(folder.join("pixels"), pixels).unwrap();
    let source = format!("{name}.c");
    let words =
        ["-Wall", "-Wextra", "-Werror", "-Wconversion", "-std=c99", "-pedantic", "-O2", "-o", "program"];
    let compiled =
        Command::new("cc").current_dir(folder).args(words).args(["main.c", &source]).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let stdin = fs::File::open(folder.join("pixels")).unwrap();
    let ran = Command::new(folder.join("program")).stdin(stdin).output().unwrap();
    assert!(ran.status.success());
    let words: Vec<[u8; 4]> = ran.stdout.chunks_exact(4).map(|w| w.try_into().unwrap()).collect();
    let rows = words.chunks_exact(outputs + 1);
    let classes = rows.clone().map(|row| u32::from_ne_bytes(row[outputs])).collect();
    (rows.flat_map(|row| row[..outputs].to_vec()).collect(), classes)
}

/// The questions of a file, as C asks them: what is written for each sample.
fn questions(spec: &Spec, name: &str, raw: &str) -> String {
    let sample = if spec.window.is_some() { "&window" } else { "sample" };
    let suffix = if spec.input.1.is_affine() { format!("_{raw}") } else { String::new() };
    let kind = if spec.window.is_some() { "_window" } else { "" };
    let (outputs, integer) = (spec.widths[spec.widths.len() - 1], spec.dtype.is_integer());
    let logit = if integer { "int32_t" } else { "float" };
    let ask = |verb: &str, more: &str| format!("{name}_{verb}{kind}{suffix}({sample}{more})");
    let mut text =
        format!("{logit} z[{outputs}];\n{};\nif (!put(z, sizeof z)) return 1;\n", ask("logits", ", z"));
    text += &match spec.task {
        Task::Class => {
            format!("{{ const int32_t c = (int32_t){}; if (!put(&c, 4)) return 1; }}", ask("classify", ""))
        }
        Task::Labels => format!(
            "{{ uint8_t b[{}]; {}; if (!put(b, sizeof b)) return 1; }}",
            outputs.div_ceil(8),
            ask("labels", ", b")
        ),
        Task::Values => {
            let fixed = format!(
                "{{ int32_t v[{outputs}]; {}; if (!put(v, sizeof v)) return 1; }}",
                ask("predict_fixed", ", v")
            );
            format!(
                "{{ float v[{outputs}]; {}; if (!put(v, sizeof v)) return 1; }}{}",
                ask("predict", ", v"),
                if integer { fixed } else { String::new() }
            )
        }
        _ => {
            let verdict = format!("{{ const int v = {}; if (!put(&v, 4)) return 1; }}", ask("anomaly", ""));
            format!(
                "{{ const float s = {}; if (!put(&s, 4)) return 1; }}{}",
                ask("score", ""),
                if spec.bound != 0 { verdict } else { String::new() }
            )
        }
    };
    text
}

/// A value that is not a number must be refused by every function, of a sample and of a ring buffer.
fn refusals(spec: &Spec, name: &str) -> String {
    let (inputs, integer) = (spec.widths[0], spec.dtype.is_integer());
    let mut asked = vec![("logits", if integer { ", integers" } else { ", floats" })];
    match spec.task {
        Task::Class => asked.push(("classify", "")),
        Task::Labels => asked.push(("labels", ", bytes")),
        Task::Values => {
            asked.push(("predict", ", floats"));
            asked.extend(integer.then_some(("predict_fixed", ", integers")));
        }
        _ => {
            asked.push(("score", ""));
            asked.extend((spec.bound != 0).then_some(("anomaly", "")));
        }
    }
    let mut text = format!(
        "{{ static float values[{inputs}]; static float floats[64]; static uint8_t bytes[64]; static int32_t integers[64];\n\
         volatile float zero = 0.0f; (void)floats; (void)bytes; (void)integers;\n\
         values[{}] = zero / zero;\n",
        inputs - 1
    );
    let mut places = vec![("", "values")];
    if let Some((rows, _)) = spec.window {
        text += &format!("(void){name}_push_f32(&window, values + {});\n", inputs - inputs / rows);
        places.push(("_window", "&window"));
    }
    for (kind, sample) in places {
        for (verb, more) in &asked {
            text += &format!("if ((int){name}_{verb}{kind}_f32({sample}{more}) != -2) return 2;\n");
        }
    }
    text + "}"
}

/// A program that runs all networks on their samples: it reads `NAME.rows` and writes `NAME.answers`.
pub fn program(specs: &[(String, Spec)]) -> String {
    let mut text = String::from(
        "#include <stdio.h>\n#include <stdint.h>\nstatic FILE *in;\nstatic FILE *out;\n\
         static int put(const void *p, size_t n) { return fwrite(p, 1, n, out) == n; }\n",
    );
    let mut calls = String::new();
    for (name, spec) in specs {
        let (raw, of) = match spec.input.0 {
            InputType::U8 => ("u8", "uint8_t"),
            InputType::I16 => ("i16", "int16_t"),
            InputType::U16 => ("u16", "uint16_t"),
            _ => ("f32", "float"),
        };
        let ask = questions(spec, name, raw);
        let loops = match spec.window {
            None => {
                let n = spec.widths[0];
                format!(
                    "{of} sample[{n}];\nwhile (fread(sample, sizeof sample[0], {n}, in) == {n}) {{\n{ask}\n}}\n"
                )
            }
            Some((rows, _)) => {
                let n = spec.widths[0] / rows;
                format!(
                    "{of} row[{n}] = {{0}};\nstatic {name}_window window;\n{name}_window again;\n{name}_window_init(&again);\n\
                     (void){name}_push_{raw}(&again, row);\n{name}_window_init(&again);\n\
                     while (fread(row, sizeof row[0], {n}, in) == {n}) {{\n\
                     const int due = {name}_push_{raw}(&window, row);\n\
                     if ({name}_push_{raw}(&again, row) != due || again.next != window.next) return 3;\n\
                     if (due) {{\n{ask}\n}}\n}}\n"
                )
            }
        };
        let refused = if raw == "f32" { refusals(spec, name) } else { String::new() };
        text += &format!(
            "#include \"{name}.h\"\nstatic int run_{name}(void)\n{{\nin = fopen(\"{name}.rows\", \"rb\");\n\
             out = fopen(\"{name}.answers\", \"wb\");\nif (!in || !out) return 1;\nif ({name}_selftest() != 1) return 4;\n{loops}{refused}\n\
             return fclose(in) || fclose(out);\n}}\n"
        );
        calls += &format!("if (run_{name}()) {{ puts(\"{name}\"); return 1; }}\n");
    }
    text + &format!("int main(void)\n{{\n{calls}return 0;\n}}\n")
}
