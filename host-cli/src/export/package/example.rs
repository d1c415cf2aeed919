//! The example of a package: a program that asks for the answer to one row.

use std::fmt::Write;

use selvedge::format::{Header, InputType, ModelView, Task};

use super::c::row;

const MAIN: &str = include_str!("../../../templates/package/main.c.in");

/// The text of the program.
pub(super) fn main(model: &ModelView<'_>, name: &str) -> String {
    let header = model.header();
    let (declarations, ask, print) = answer(model);
    let (of_window, fill) = match header.window() {
        Some(_) => (format!("    static {name}_window window;\n    uint32_t at;\n"), push(header)),
        None => (String::new(), String::new()),
    };
    let text = MAIN
        .replace("@DECLARATIONS@", &(of_window + declarations))
        .replace("@FILL@", &fill)
        .replace("@ASK@", &ask)
        .replace("@PRINT@", &print);
    with_row(&text, model).replace("@UPPER@", &name.to_uppercase()).replace("@NAME@", name)
}

/// A template with a sample of raw values in its place.
pub(super) fn with_row(template: &str, model: &ModelView<'_>) -> String {
    let header = model.header();
    let raw = match header.input_type() {
        InputType::I16 => "int16_t",
        InputType::U16 => "uint16_t",
        InputType::F32 => "float",
        _ => "uint8_t",
    };
    let about = match header.input_map().is_affine() {
        true => "Raw values drawn from the range that the network covers",
        false => "Pixels drawn from a seed",
    };
    let mut lines = String::new();
    for chunk in row(model).chunks(8) {
        let _ = writeln!(lines, "    {},", chunk.join(", "));
    }
    template.replace("@ABOUT_ROW@", about).replace("@VALUES@\n", &lines).replace("@RAW@", raw)
}

/// The call of a function of the network with the sample, or the window, and `more` arguments.
pub(super) fn call(header: &Header<'_>, verb: &str, more: &str) -> String {
    let (kind, sample) = if header.window().is_some() { ("_window", "&window") } else { ("", "row") };
    format!("@NAME@_{verb}{kind}{}({sample}{more})", suffix(header))
}

/// The end of the functions' names that tells the type of raw values.
fn suffix(header: &Header<'_>) -> String {
    if header.input_map().is_affine() { format!("_{}", header.input_type().name()) } else { String::new() }
}

/// The statements that fill the window with the rows of the sample.
pub(super) fn push(header: &Header<'_>) -> String {
    format!(
        "    for (at = 0; at < @UPPER@_INPUTS; at += @UPPER@_CHANNELS) {{\n        (void)@NAME@_push{}(&window, row + at);\n    }}\n",
        suffix(header)
    )
}

/// Variables, the statement that asks, and those that print, by the task.
fn answer(model: &ModelView<'_>) -> (&'static str, String, String) {
    let header = model.header();
    let named = model.label(0).is_some();
    match header.task() {
        Task::Class => {
            let known = match named {
                true => "printf(\"class %ld: %s\\n\", (long)answer, @NAME@_labels[answer]);",
                false => "printf(\"class %ld\\n\", (long)answer);",
            };
            let print = format!(
                "    if (answer < 0) {{\n        printf(\"unknown\\n\");\n    }} else {{\n        {known}\n    }}"
            );
            (
                "    int32_t answer = -1;\n",
                format!("answer = (int32_t){};", call(header, "classify", "")),
                print,
            )
        }
        Task::Labels => (
            "    uint8_t bits[(@UPPER@_OUTPUTS + 7) / 8];\n    int o;\n",
            format!("(void){};", call(header, "labels", ", bits")),
            format!(
                "    for (o = 0; o < @UPPER@_OUTPUTS; o++) {{\n        if (bits[o / 8] >> o % 8 & 1) {{\n            {}\n        }}\n    }}",
                if named {
                    "printf(\"label %d: %s\\n\", o, @NAME@_names[o]);"
                } else {
                    "printf(\"label %d\\n\", o);"
                }
            ),
        ),
        Task::Values => (
            "    float values[@UPPER@_OUTPUTS];\n    int o;\n",
            format!("(void){};", call(header, "predict", ", values")),
            format!(
                "    for (o = 0; o < @UPPER@_OUTPUTS; o++) {{\n        {}\n    }}",
                match named {
                    true => "printf(\"%s: %.9g\\n\", @NAME@_names[o], (double)values[o]);",
                    false => "printf(\"number %d: %.9g\\n\", o, (double)values[o]);",
                }
            ),
        ),
        _ => (
            "    float answer = 0.0f;\n",
            format!("answer = {};", call(header, "score", "")),
            "    printf(\"score: %.9g\\n\", (double)answer);".into(),
        ),
    }
}
