//! A Rust module around a flash file: the aligned bytes, the names of the outputs, and functions whose types carry the sizes
//! and the type of the raw values: the question that the file's task answers.

use std::fmt::Write as _;

use selvedge::format::{Dtype, Header, InputType, ModelView, Packing, Task};

/// The module's template, with placeholders in angle brackets.
const TEMPLATE: &str = include_str!("../../templates/module.rs.in");

/// The module's source. It needs the crate `selvedge`, also without its features. A file packed for a core runs with that
/// core's kernels, a generic one anywhere. `inputs` are the names of the values of a row, where they are known.
pub fn module(model: &ModelView<'_>, inputs: &[String]) -> String {
    let header = model.header();
    let of_core = header.packing() != Packing::Generic;
    let number = if header.dtype().is_integer() { "u32" } else { "f32" };
    let labels: Vec<String> = (0..header.outputs())
        .map(|c| format!("    {:?},\n", model.label(c).map_or_else(|| c.to_string(), String::from)))
        .collect();
    // Labels come last, so that no placeholder is replaced inside a user's text.
    let fields: [(&str, String); 18] = [
        ("questions", questions(header)),
        ("shape", header.to_string()),
        ("dtype", header.dtype().name().into()),
        ("packing", header.packing().name().into()),
        ("imports", imports(header)),
        ("number", number.into()),
        ("logit", if number == "f32" { "f32" } else { "i32" }.into()),
        ("zero", if number == "f32" { "0.0" } else { "0" }.into()),
        (
            "wrong_core",
            if of_core { ", or the file is packed for another core than this" } else { "" }.into(),
        ),
        ("inputs_are", inputs_are(header)),
        ("inputs", header.inputs().to_string()),
        ("outputs_are", outputs_are(header).0.into()),
        ("outputs", header.outputs().to_string()),
        ("names_are", outputs_are(header).1.into()),
        ("sample_is", sample_is(header).into()),
        ("no_logits", no_logits(header).into()),
        ("bytes", model.bytes().len().to_string()),
        ("text", literal(model.bytes())),
    ];
    let text = fields
        .iter()
        .fold(TEMPLATE.to_string(), |text, (name, value)| text.replace(&format!("<{name}>"), value));
    text.replace("<labels>", &labels.concat()).replacen("<input_names>", &input_names(inputs), 1)
}

/// What the module takes of `selvedge::infer`: the engine, and the types of samples and answers.
fn imports(header: &Header<'_>) -> String {
    let engine = match (header.dtype(), header.packing(), header.is_plain()) {
        (Dtype::I8 | Dtype::I4, Packing::Generic, _) => "integer::Engine",
        (Dtype::I8, _, true) => "mcu::I8Engine as Engine",
        (Dtype::I4, _, true) => "mcu::I4Engine as Engine",
        (Dtype::I8, _, false) => "mcu::AnyI8Engine as Engine",
        (Dtype::I4, _, false) => "mcu::AnyI4Engine as Engine",
        _ => "float::Engine",
    };
    let mut used = Vec::new();
    used.extend(header.window().map(|_| "Sample"));
    used.extend((header.task() == Task::Reconstruction).then_some("Score"));
    used.extend(header.window().map(|_| "Window"));
    match used.is_empty() {
        true => engine.into(),
        false => format!("{{{}, {engine}}}", used.join(", ")),
    }
}

fn is_picture(header: &Header<'_>) -> bool {
    !header.input_map().is_affine()
}

fn sample_is(header: &Header<'_>) -> &'static str {
    if is_picture(header) { "image" } else { "sample" }
}

fn inputs_are(header: &Header<'_>) -> String {
    match (is_picture(header), header.window()) {
        (true, _) => "Bytes of an image".into(),
        (false, None) => format!("Raw values of a sample, {} each", header.input_type().name()),
        (false, Some((rows, _))) => format!(
            "Raw values of a window, {} each: {rows} rows of {}",
            header.input_type().name(),
            header.inputs() / rows
        ),
    }
}

/// The array of the inputs' names, or nothing where they are not known.
fn input_names(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "/// The names of the values of a row, in their order; `column=value` is 1 where the column has that value, else 0.\n\
         pub const INPUT_NAMES: [&str; {}] = [\n",
        names.len()
    );
    names.iter().for_each(|name| writeln!(text, "    {name:?},").expect("a string takes what it is given"));
    text + "];\n"
}

/// The outputs, and their names.
fn outputs_are(header: &Header<'_>) -> (&'static str, &'static str) {
    match header.task() {
        Task::Class => ("Classes", "The classes' names"),
        Task::Labels => ("Labels", "The labels' names"),
        _ => ("Outputs", "The outputs' names"),
    }
}

/// What is said of the logits where there are none.
fn no_logits(header: &Header<'_>) -> &'static str {
    let squared = header.task() == Task::Reconstruction && header.dtype().is_integer();
    if squared { " that the self-test ran on: a score needs none" } else { "" }
}

/// The functions of the task.
fn questions(header: &Header<'_>) -> String {
    let (a_sample, raw) = (sample_is(header), raw(header));
    let article = if is_picture(header) { "an" } else { "a" };
    let name = if is_picture(header) { "pixels" } else { "sample" };
    let sample = match header.window() {
        Some(_) => format!("{name}: &(impl Sample + ?Sized)"),
        None => format!("{name}: &[{raw}; INPUTS]"),
    };
    let errors = if header.window().is_some() {
        "For a sample of another length or type, or with a value that is not a number."
    } else if header.input_type() == InputType::F32 {
        "Where a value is not a number."
    } else {
        "None: the sizes are right by their types."
    };
    let memory = "&mut self.scratch, &mut self.logits";
    let function = |name: &str, about: &str, answer: &str, body: &str| {
        format!(
            "\n    /// {about}\n    ///\n    /// # Errors\n    /// {errors}\n    \
             pub fn {name}(&mut self, {sample}) -> Result<{answer}, Error> {{\n        {body}\n    }}\n"
        )
    };
    let mut text = match header.task() {
        Task::Class => {
            let unknown = if header.margin_bits() == 0 {
                "its name is in `LABELS`"
            } else {
                "its name is in `LABELS`. `None` is unknown"
            };
            function(
                "classify",
                &format!("The class of {article} {a_sample}; {unknown}."),
                "Option<usize>",
                &format!("self.engine.classify({name}, {memory})"),
            )
        }
        Task::Labels => function(
            "labels",
            &format!(
                "The labels of {article} {a_sample}: bit `o % 8` of byte `o / 8` is set where `LABELS[o]` applies."
            ),
            "[u8; OUTPUTS.div_ceil(8)]",
            &format!(
                "let mut bits = [0; OUTPUTS.div_ceil(8)];\n        \
                 self.engine.labels({name}, {memory}, &mut bits)?;\n        Ok(bits)"
            ),
        ),
        Task::Values => function(
            "predict",
            &format!("The numbers that {article} {a_sample} stands for, in the units of the data."),
            "[f32; OUTPUTS]",
            &format!(
                "let mut values = [0.0; OUTPUTS];\n        \
                 self.engine.predict({name}, {memory}, &mut values)?;\n        Ok(values)"
            ),
        ),
        _ => function(
            "score",
            &format!("How far the reconstruction of {article} {a_sample} is from it."),
            "Score",
            &match header.dtype().is_integer() {
                true => format!("self.engine.score({name}, &mut self.scratch)"),
                false => format!("self.engine.score_of_floats({name}, {memory})"),
            },
        ),
    };
    if header.task() == Task::Values && header.dtype().is_integer() {
        text += &function(
            "predict_fixed",
            "The same in fixed point and without floats: number `o` is worth `value_scale(o)` of the file's view times its unit.",
            "[i32; OUTPUTS]",
            &format!("self.engine.predict_fixed({name}, {memory})?;\n        Ok(self.logits)"),
        );
    }
    if header.window().is_some() {
        let _ = write!(text, "{}", WINDOW.replace("RAW", raw));
    }
    text
}

/// The Rust type of a raw value.
fn raw(header: &Header<'_>) -> &'static str {
    header.input_type().name()
}

const WINDOW: &str = "
    /// A ring buffer of the last rows: `push` says when a window is due, which is then a sample.
    ///
    /// # Errors
    /// None: the sizes are right by their types.
    pub fn window(memory: &mut [RAW; INPUTS]) -> Result<Window<'_, RAW>, Error> {
        Window::new(&HEADER, memory)
    }
";

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
