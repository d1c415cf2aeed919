//! The example of an Arduino library: a sketch that asks for the answer to one row.

use selvedge::format::{ModelView, Task};

use super::c::Storage;
use super::example::{call, push, with_row};

const SKETCH: &str = include_str!("../../../templates/package/sketch.ino.in");

/// The text of the sketch.
pub(super) fn text(model: &ModelView<'_>, name: &str, storage: Storage) -> String {
    let (declarations, ask, print) = answer(model, storage);
    let (window, fill) = match model.header().window() {
        Some(_) => {
            ("\nstatic @NAME@_window window;\n", format!("    uint32_t at;\n{}", push(model.header())))
        }
        None => ("", String::new()),
    };
    let text = SKETCH
        .replace("@WINDOW@", window)
        .replace("@FILL@", &fill)
        .replace("@DECLARATIONS@", declarations)
        .replace("@ASK@", &ask)
        .replace("@PRINT@", &print);
    with_row(&text, model).replace("@UPPER@", &name.to_uppercase()).replace("@NAME@", name)
}

/// Variables, the statement that asks, and those that print, by the task.
fn answer(model: &ModelView<'_>, storage: Storage) -> (&'static str, String, String) {
    let header = model.header();
    let named = model.label(0).is_some();
    let name = |array: &str, at: &str| match storage {
        Storage::Const => format!("@NAME@_{array}[{at}]"),
        // Names lie in flash on AVR; elsewhere it is a pointer as any other.
        Storage::Progmem => format!("reinterpret_cast<const __FlashStringHelper *>(@NAME@_{array}[{at}])"),
    };
    // One output of many: its number, and its name where it has one.
    let of = |what: &str, number: &str, array: &str, indent: &str| {
        let mut text = format!("{indent}Serial.print(F(\"{what} \"));\n{indent}Serial.print({number});\n");
        if named {
            text += &format!(
                "{indent}Serial.print(F(\": \"));\n{indent}Serial.print({});\n",
                name(array, number)
            );
        }
        text
    };
    let each = |body: &str| format!("    for (int o = 0; o < @UPPER@_OUTPUTS; o++) {{\n{body}    }}\n");
    match header.task() {
        Task::Class => (
            "",
            format!("const int answer = (int){};", call(header, "classify", "")),
            format!(
                "    if (answer < 0) {{\n        Serial.println(F(\"unknown\"));\n    }} else {{\n{}        \
                 Serial.println();\n    }}\n",
                of("class", "answer", "labels", "        ")
            ),
        ),
        Task::Labels => (
            "    uint8_t bits[(@UPPER@_OUTPUTS + 7) / 8];\n",
            format!("(void){};", call(header, "labels", ", bits")),
            each(&format!(
                "        if (bits[o / 8] >> o % 8 & 1) {{\n{}            Serial.println();\n        }}\n",
                of("label", "o", "names", "            ")
            )),
        ),
        Task::Values => {
            let what = if named {
                format!("        Serial.print({});\n", name("names", "o"))
            } else {
                of("number", "o", "names", "        ")
            };
            (
                "    float values[@UPPER@_OUTPUTS];\n",
                format!("(void){};", call(header, "predict", ", values")),
                each(&format!(
                    "{what}        Serial.print(F(\": \"));\n        Serial.println(values[o], 6);\n"
                )),
            )
        }
        _ => (
            "",
            format!("const float answer = {};", call(header, "score", "")),
            "    Serial.print(F(\"score: \"));\n    Serial.println(answer, 6);\n".into(),
        ),
    }
}
