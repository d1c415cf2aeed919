//! A flash file as a Rust module: the aligned bytes, the names, and an entry point whose types carry the sizes.

use std::fmt::Write as _;

use selvedge::format::{Image, Packing};

/// The module's source. It needs the crate `selvedge`, also without its features. A file packed for a core runs with that
/// core's kernels, a generic one anywhere.
pub fn module(image: &Image<'_>) -> String {
    let header = image.header();
    let shape = header.shape();
    let (dtype, packing) = (header.dtype().name(), header.packing().name());
    let (module, number, logit, scratch) = match (header.dtype().is_integer(), header.packing()) {
        (false, _) => ("float", "f32", "f32", "scratch_floats"),
        (true, Packing::Generic) => ("quant", "u32", "i32", "scratch_words"),
        (true, _) => ("micro", "u32", "i32", "scratch_words"),
    };
    let wrong_core =
        if module == "micro" { ", or the file is packed for another core than this" } else { "" };
    let zero = if number == "f32" { "0.0" } else { "0" };
    let logit_zero = if logit == "f32" { "0.0" } else { "0" };
    let labels: Vec<String> = (0..shape.outputs())
        .map(|c| format!("    {:?},\n", image.label(c).map_or_else(|| c.to_string(), String::from)))
        .collect();
    format!(
        "// {shape} with {dtype} weights, packed as {packing}; written by `selvedge export --format rust`.\n\
         // Needs the crate `selvedge`, default-features = false on a microcontroller.\n\
         \n\
         use selvedge::format::{{Header, Image}};\n\
         use selvedge::{{Error, {module}}};\n\
         \n\
         #[repr(C, align(16))]\n\
         struct Aligned([u8; {bytes}]);\n\
         \n\
         const ALIGNED: &Aligned = &Aligned(*b\"\\\n{text}\");\n\
         \n\
         /// The flash file.\n\
         pub const FILE: &[u8] = &ALIGNED.0;\n\
         /// What it says of itself.\n\
         pub const HEADER: Header = match Header::read(FILE) {{\n    Ok(header) => header,\n    Err(_) => panic!(),\n}};\n\
         /// Bytes of an image.\n\
         pub const INPUTS: usize = {inputs};\n\
         /// Classes.\n\
         pub const OUTPUTS: usize = {outputs};\n\
         /// The classes' names.\n\
         pub const LABELS: [&str; OUTPUTS] = [\n{labels}];\n\
         \n\
         const SCRATCH: usize = {module}::{scratch}(&HEADER);\n\
         \n\
         /// The network and the memory that it runs in.\n\
         pub struct Network {{\n    \
             model: {module}::Model<'static>,\n    \
             scratch: [{number}; SCRATCH],\n    \
             logits: [{logit}; OUTPUTS],\n\
         }}\n\
         \n\
         impl Network {{\n    \
             /// Checks the file and runs its self-test.\n    \
             ///\n    \
             /// # Errors\n    \
             /// Where flash or processor are damaged{wrong_core}.\n    \
             pub fn new() -> Result<Self, Error> {{\n        \
                 let model = {module}::Model::new(Image::parse(FILE)?)?;\n        \
                 let mut network = Self {{ model, scratch: [{zero}; SCRATCH], logits: [{logit_zero}; OUTPUTS] }};\n        \
                 network.model.self_test(&mut network.scratch, &mut network.logits)?;\n        \
                 Ok(network)\n    \
             }}\n\
         \n    \
             /// The class of an image; its name is in `LABELS`.\n    \
             ///\n    \
             /// # Errors\n    \
             /// None: the sizes are right by their types.\n    \
             pub fn classify(&mut self, pixels: &[u8; INPUTS]) -> Result<usize, Error> {{\n        \
                 self.model.classify(pixels, &mut self.scratch, &mut self.logits)\n    \
             }}\n\
         \n    \
             /// The logits of the last image.\n    \
             pub fn logits(&self) -> &[{logit}; OUTPUTS] {{\n        \
                 &self.logits\n    \
             }}\n\
         }}\n",
        bytes = image.bytes().len(),
        text = literal(image.bytes()),
        inputs = shape.inputs(),
        outputs = shape.outputs(),
        labels = labels.concat(),
    )
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
