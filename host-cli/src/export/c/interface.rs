//! How a network is called from C: the header file, and for each question that its task answers a function, or two where its
//! inputs are a window of a time series.
//!
//! Pictures are `const uint8_t *pixels`. Functions for other raw values end in the type of them, such as
//! `NAME_classify_f32(const float *sample)`. A network of windows has a ring buffer, `NAME_window`, and each question is asked
//! of a whole window one after the other or of the ring buffer, by `NAME_classify_window_i16`.

use std::fmt::Write;

use selvedge::format::{Header, InputType, ModelView, Task};

use super::literal::{array, float, quote};
use super::names;
use super::storage::{self, STORED};
use super::{Files, Storage, self_test};

/// What stands for the prefix of all names until a text is [complete](Interface::named): no character of C.
pub(super) const PREFIX: &str = "@";

/// The names and types of a network's functions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interface<'a> {
    pub name: &'a str,
    pub model: &'a ModelView<'a>,
    pub storage: Storage,
    /// The names of the values of a sample, or of a row of a window, where they are known.
    pub inputs: &'a [String],
}

/// A function that a network has.
#[derive(Debug)]
pub(super) struct Question {
    /// Its name without prefix and suffix.
    pub verb: &'static str,
    pub result: &'static str,
    /// Parameters after the sample, and how they are passed on; both start with a comma, or are empty.
    pub parameters: String,
    pub arguments: &'static str,
    /// What the header says of it.
    pub about: String,
    /// The statements, which call others by [`Interface::of_sample`].
    pub body: String,
}

impl<'a> Interface<'a> {
    pub fn header(&self) -> &Header<'a> {
        self.model.header()
    }

    /// Whether samples are pictures, whose functions have no suffix.
    pub fn is_picture(&self) -> bool {
        !self.header().input_map().is_affine()
    }

    /// The C type of a raw value.
    pub fn raw(&self) -> &'static str {
        match self.header().input_type() {
            InputType::I16 => "int16_t",
            InputType::U16 => "uint16_t",
            InputType::F32 => "float",
            _ => "uint8_t",
        }
    }

    /// The C type of a logit.
    pub fn logit(&self) -> &'static str {
        if self.header().dtype().is_integer() { "int32_t" } else { "float" }
    }

    /// The end of the functions' names.
    pub fn suffix(&self) -> String {
        if self.is_picture() { String::new() } else { format!("_{}", self.header().input_type().name()) }
    }

    /// The name of the parameter.
    pub fn sample(&self) -> &'static str {
        if self.is_picture() { "pixels" } else { "sample" }
    }

    /// Whether raw values may be no numbers: functions then return -2.
    pub fn may_be_nan(&self) -> bool {
        self.header().input_type() == InputType::F32
    }

    pub fn has_window(&self) -> bool {
        self.header().window().is_some()
    }

    /// The parameters of a function that reads a sample, in a window from its oldest value on.
    pub fn parameters(&self) -> String {
        let oldest = if self.has_window() { ", uint32_t oldest" } else { "" };
        format!("const {} *{}{oldest}", self.raw(), self.sample())
    }

    /// The sample as it is passed on.
    pub fn arguments(&self) -> String {
        format!("{}{}", self.sample(), if self.has_window() { ", oldest" } else { "" })
    }

    /// The type of a function that returns nothing but whether all values are numbers.
    pub fn outcome(&self) -> &'static str {
        if self.may_be_nan() { "int" } else { "void" }
    }

    /// Its last statement.
    pub fn done(&self) -> &'static str {
        if self.may_be_nan() { "    return 0;\n" } else { "" }
    }

    /// The statement that calls a function of that type, and returns `failure` where a value is not a number.
    pub fn call(&self, call: &str, failure: &str) -> String {
        if self.may_be_nan() {
            format!("    if ({call} != 0) {{\n        return {failure};\n    }}\n")
        } else {
            format!("    {call};\n")
        }
    }

    /// The start of the call of the function `verb`, up to the sample.
    pub fn of_sample(&self, verb: &str) -> String {
        let end = if self.has_window() { "_from".into() } else { self.suffix() };
        format!("{PREFIX}_{verb}{end}({}", self.arguments())
    }

    /// The statements that fill an array of logits called `to`.
    pub fn logits_into(&self, to: &str, failure: &str) -> String {
        self.call(&format!("{}, {to})", self.of_sample("logits")), failure)
    }

    /// Replaces the placeholders of a template, all but the prefix of names.
    pub fn fill(&self, template: &str) -> String {
        template
            .replace("LOGIT", self.logit())
            .replace("PARAMETERS", &self.parameters())
            .replace("INPUTS", &self.header().inputs().to_string())
            .replace("OUTPUTS", &self.header().outputs().to_string())
    }

    /// A loop over the values of a sample: value `i` is `value` in its statements.
    pub fn each(&self, statements: &str, value: &str) -> String {
        let (sample, inputs) = (self.sample(), self.header().inputs());
        let (start, at, step) = if self.has_window() {
            ("    at = oldest;\n", "at", format!("        at = at + 1 == {inputs} ? 0 : at + 1;\n"))
        } else {
            ("", "i", String::new())
        };
        let statements = statements.replace(value, &format!("{sample}[{at}]"));
        format!("{start}    for (i = 0; i < {inputs}; i++) {{\n{statements}{step}    }}\n")
    }

    /// The variables of [`each`](Self::each).
    pub fn each_variables(&self) -> &'static str {
        if self.has_window() { "    uint32_t i;\n    uint32_t at;\n" } else { "    uint32_t i;\n" }
    }

    /// The statements that return where a value is not a number.
    pub fn refuse_nan(&self) -> String {
        let (sample, inputs) = (self.sample(), self.header().inputs());
        if !self.may_be_nan() {
            return String::new();
        }
        format!(
            "    for (i = 0; i < {inputs}; i++) {{\n        if ({sample}[i] != {sample}[i]) {{\n            \
             return -2;\n        }}\n    }}\n"
        )
    }

    /// The functions of a question.
    pub fn define(&self, question: &Question) -> String {
        let Question { verb, result, parameters, arguments, body, .. } = question;
        if !self.has_window() {
            return format!("\n{}\n{{\n{body}}}\n", self.prototype(question, false));
        }
        let back = if *result == "void" { "" } else { "return " };
        let mut text = format!(
            "\nstatic {result} {PREFIX}_{verb}_from({}{parameters})\n{{\n{body}}}\n",
            self.parameters()
        );
        for (of_buffer, from) in [(false, format!("{}, 0", self.sample())), (true, BUFFER.into())] {
            let prototype = self.prototype(question, of_buffer);
            let _ =
                write!(text, "\n{prototype}\n{{\n    {back}{PREFIX}_{verb}_from({from}{arguments});\n}}\n");
        }
        text
    }

    /// `int32_t NAME_classify_f32(const float *sample)`, or of a ring buffer.
    fn prototype(&self, question: &Question, of_buffer: bool) -> String {
        let Question { verb, result, parameters, .. } = question;
        let suffix = self.suffix();
        if of_buffer {
            return format!(
                "{result} {PREFIX}_{verb}_window{suffix}(const {PREFIX}_window *window{parameters})"
            );
        }
        format!("{result} {PREFIX}_{verb}{suffix}(const {} *{}{parameters})", self.raw(), self.sample())
    }

    /// The header file.
    pub fn header_file(&self, notes: &str, questions: &[Question]) -> String {
        let (header, upper) = (self.header(), self.name.to_uppercase());
        let (inputs, outputs) = (header.inputs(), header.outputs());
        let mut text = format!(
            "/* A {header} network. {notes}
 * Written by selvedge {}; the same model gives the same text. */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {{
#endif

#define {upper}_INPUTS {inputs}
#define {upper}_OUTPUTS {outputs}
",
            env!("CARGO_PKG_VERSION"),
        );
        // Names are the user's text, in which nothing is replaced.
        let start = self.named(&text) + &names::declaration(&upper, self.inputs, self.has_window());
        text.clear();
        if let Some((what, array)) = self.names() {
            let _ = write!(
                text,
                "\n/* The names of the {what}.{} */\nextern {};\n",
                self.on_avr("strcpy_P and Arduino's __FlashStringHelper read them"),
                self.names_array(array)
            );
        }
        if header.task() == Task::Values && header.dtype().is_integer() {
            let _ = write!(
                text,
                "\n/* What one unit of each number in fixed point is worth.{} */\nextern const float {PREFIX}_units[{outputs}];\n",
                self.on_avr("pgm_read_float reads it")
            );
        }
        text += &self.window_declarations();
        for question in questions {
            let _ = write!(text, "\n/* {} */\n{};\n", question.about, self.prototype(question, false));
            if self.has_window() {
                let _ = writeln!(text, "{};", self.prototype(question, true));
            }
        }
        text += self_test::DECLARATION;
        text += "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
        start + &self.named(&text)
    }

    /// What the outputs' names are of, and the array of them.
    fn names(&self) -> Option<(&'static str, &'static str)> {
        self.model.label(0)?;
        Some(match self.header().task() {
            Task::Class => ("classes", "labels"),
            Task::Labels => ("labels", "names"),
            _ => ("outputs", "names"),
        })
    }

    /// What the header says of an array that lies in flash on AVR.
    fn on_avr(&self, how: &str) -> String {
        match self.storage {
            Storage::Const => String::new(),
            Storage::Progmem => format!(" On AVR in flash: {how}."),
        }
    }

    /// The declaration of the array of the outputs' names. Pointers to strings would lie in flash, but not the strings.
    fn names_array(&self, array: &str) -> String {
        let count = self.header().outputs();
        match self.storage {
            Storage::Const => format!("const char *const {PREFIX}_{array}[{count}]"),
            Storage::Progmem => {
                let longest = self.model.labels().map(str::len).max().unwrap_or(0);
                format!("const char {PREFIX}_{array}[{count}][{}]", longest + 1)
            }
        }
    }

    /// A text with the prefix in its place.
    fn named(&self, text: &str) -> String {
        text.replace(PREFIX, self.name)
    }

    /// The files of a source: how it starts behind its header, its text, what numbers in fixed point are worth, and the
    /// header.
    pub fn files(&self, start: &str, mut body: String, units: Option<Vec<f32>>, header: String) -> Files {
        if let Some(units) = units {
            let units: Vec<_> = units.into_iter().map(float).collect();
            array(&mut body, "const float", "@_units", units.into_iter());
        }
        let mut names = String::new();
        if let Some((_, array)) = self.names() {
            let _ = write!(body, "\n{}{STORED} = {{\n", self.names_array(array));
            // The user's text: nothing in it is replaced.
            let quoted: Vec<String> = self.model.labels().map(quote).collect();
            names = format!("    {},\n}};\n", quoted.join(",\n    "));
        }
        let constants = storage::bytes(&body);
        let opening = super::opening(self.header()) + start;
        let source = self.storage.complete(&opening, &body, &self.name.to_uppercase());
        Files { header, source: self.named(&source) + &names, constants }
    }

    fn window_declarations(&self) -> String {
        let Some((rows, stride)) = self.header().window() else { return String::new() };
        let (name, raw, suffix, upper) = (PREFIX, self.raw(), self.suffix(), self.name.to_uppercase());
        format!(
            "
/* Rows of a window, rows from one window to the next, and values of a row. */
#define {upper}_ROWS {rows}
#define {upper}_STRIDE {stride}
#define {upper}_CHANNELS {}

/* A ring buffer of the last rows. Of zeros, as a static variable is, it is empty. */
typedef struct {{
    {raw} values[{upper}_INPUTS];
    uint32_t next;
    int32_t rows;
}} {name}_window;

/* Empties a ring buffer, between recordings. */
void {name}_window_init({name}_window *window);

/* Adds a row; 1 where a window is complete, so that a question is due, else 0. */
int {name}_push{suffix}({name}_window *window, const {raw} *row);
",
            self.header().inputs() / rows
        )
    }

    /// The functions of the ring buffer.
    pub fn window_functions(&self) -> String {
        let Some((rows, stride)) = self.header().window() else { return String::new() };
        let zero = if self.may_be_nan() { "0.0f" } else { "0" };
        self.fill(
            &WINDOW
                .replace("ZERO", zero)
                .replace("ROWS", &rows.to_string())
                .replace("AGAIN", &(rows as i64 - stride as i64).to_string())
                .replace("CHANNELS", &(self.header().inputs() / rows).to_string())
                .replace("SUFFIX", &self.suffix())
                .replace("RAW", self.raw()),
        )
    }
}

/// What a ring buffer passes on.
const BUFFER: &str = "window->values, window->next";

const WINDOW: &str = "
void @_window_init(@_window *window)
{
    uint32_t i;
    for (i = 0; i < INPUTS; i++) {
        window->values[i] = ZERO;
    }
    window->next = 0;
    window->rows = 0;
}

int @_pushSUFFIX(@_window *window, const RAW *row)
{
    uint32_t c;
    for (c = 0; c < CHANNELS; c++) {
        window->values[window->next + c] = row[c];
    }
    window->next = window->next + CHANNELS == INPUTS ? 0 : window->next + CHANNELS;
    window->rows++;
    if (window->rows < ROWS) {
        return 0;
    }
    window->rows = AGAIN;
    return 1;
}
";
