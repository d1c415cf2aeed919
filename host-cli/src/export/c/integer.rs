//! C for integer networks: what [`kernels`](super::kernels) sums up four outputs at a time. Inputs of 14 bits are two digits, each
//! multiplied by the same weights.

use std::fmt::Write;

use selvedge::format::{Dtype, Task};

use super::interface::{Interface, PREFIX};
use super::kernels::{Needs, PATH};
use super::literal::array;
use super::weights::{self, CHUNK};
use super::{Files, answers, input, self_test};
use crate::error::Result;

/// The C files of a flash file.
///
/// # Errors
/// `Model` for a file whose thresholds C cannot write.
pub(super) fn write(of: &Interface<'_>) -> Result<Files> {
    let model = of.model;
    let network = Network::new(of);
    let (arrays, mut questions) = answers::of_task(of)?;
    questions.insert(0, answers::logits(of, network.logits()));
    let mut source = network.numbers();
    source += &input::functions(of);
    source += &network.needs.functions();
    source += &network.buffers();
    source += &network.layers();
    if model.header().task() == Task::Reconstruction {
        let last = model.header().layers();
        let sums = format!(
            "{}({}, w, sums);\n            w += @_step({});",
            network.needs.sums(),
            network.inputs(last - 1, "of."),
            network.buffer(last - 1, "of."),
        );
        let start = format!("    const @_weight *w = @_weights{last};\n{}", network.start("-2"));
        source += &answers::squares(of, &start, &sums, &format!("READ(int32_t, @_biases{last}, i)"));
    }
    source += &arrays;
    questions.iter().for_each(|question| source += &of.define(question));
    source += &of.window_functions();
    source += &self_test::write(of)?;
    let units = (model.header().task() == Task::Values).then(|| answers::units(of));
    let mut files = of.files(PATH, source, units, of.header_file(&network.notes(), &questions));
    files.constants += weights::bytes(model.layers(), network.needs.four_bits);
    Ok(files)
}

/// An integer network, about to be written.
struct Network<'a> {
    of: &'a Interface<'a>,
    needs: Needs,
}

impl<'a> Network<'a> {
    fn new(of: &'a Interface<'a>) -> Self {
        let header = of.header();
        let tables = of.model.layers().filter(|layer| layer.table().is_some()).count();
        let needs = Needs {
            four_bits: header.dtype() == Dtype::I4,
            wide_multipliers: (0..header.layers()).any(|l| header.has_wide_multipliers(l)),
            two_digits: header.input_bits() == 14,
            relu: tables < header.layers() - 1,
            table: tables > 0,
            shifts: answers::shifts(of),
            one_by_one: weights::patched(header).is_none(),
        };
        Self { of, needs }
    }

    fn notes(&self) -> String {
        let (header, model) = (self.of.header(), self.of.model);
        let mut notes = format!(
            "Integers only: i{} weights.\n * A logit of 1 is worth {:e}.",
            if self.needs.four_bits { 4 } else { 8 },
            model.scale(header.layers())
        );
        if !self.of.is_picture() {
            let _ = write!(
                notes,
                "\n * Samples are raw values as `{}`; their map to {} bits is part of the code.",
                self.of.raw(),
                header.input_bits()
            );
        }
        let of_each = |bytes: fn(usize) -> usize| self.memory().iter().map(|&(_, n)| bytes(n)).sum::<usize>();
        let _ = write!(
            notes,
            "\n * Inputs of layers lie on the stack: {} bytes, in plain C {}, with MVE {} ({}_PATH in the source chooses).",
            of_each(words),
            of_each(|n| n),
            of_each(|n| 20 * n.div_ceil(CHUNK)),
            self.of.name.to_uppercase()
        );
        notes
    }

    /// The buffers of the inputs of even and of odd layers and of low digits, and how many inputs they hold.
    fn memory(&self) -> Vec<(&'static str, usize)> {
        let header = self.of.header();
        let widest = |parity: usize| (parity..header.layers()).step_by(2).map(|l| header.width(l)).max();
        let low = self.needs.two_digits.then_some(header.inputs());
        let all = [("x", widest(0)), ("y", widest(1)), ("low", low)];
        all.into_iter().filter_map(|(name, length)| Some((name, length?))).collect()
    }

    /// Weights, biases, multipliers and tables.
    fn numbers(&self) -> String {
        let header = self.of.header();
        let mut text = weights::arrays(header, self.of.model.layers(), self.needs.four_bits);
        for (l, layer) in self.of.model.layers().enumerate() {
            let n = l + 1;
            let outputs = 0..layer.outputs();
            let biases = outputs.clone().map(|o| layer.bias(o));
            array(&mut text, "static const int32_t", &format!("@_biases{n}"), biases);
            if n < header.layers() {
                let multipliers = outputs.map(|o| layer.multiplier(o));
                let of = format!("static const {}", self.needs.multiplier());
                array(&mut text, &of, &format!("@_multipliers{n}"), multipliers);
            }
            if let Some(table) = layer.table() {
                array(&mut text, "static const uint8_t", &format!("@_activation{n}"), table.iter());
            }
        }
        text
    }

    /// The type of all buffers, and the function that prepares them.
    fn buffers(&self) -> String {
        let all = self.memory();
        let each = |of: &dyn Fn(&str, usize) -> String| -> String {
            all.iter().map(|&(name, n)| of(name, n)).collect()
        };
        format!(
            "\ntypedef struct {{\n{}#if UPPER_PATH == 0\n{}#elif UPPER_PATH == 3\n{}#else\n{}#endif\n}} @_buffers;\n\n\
             static void @_prepare(@_buffers *of)\n{{\n#if UPPER_PATH == 0 || UPPER_PATH == 3\n{}#endif\n#if UPPER_PATH != 0\n\
             {}#endif\n{}}}\n",
            each(&|name, _| format!("    @_inputs {name};\n")),
            each(&|name, n| format!("    uint8_t {name}_bytes[{n}];\n")),
            each(&|name, n| {
                let blocks = n.div_ceil(CHUNK);
                format!(
                    "    uint8_t {name}_bytes[{}];\n    uint32_t {name}_list[{blocks}];\n",
                    CHUNK * blocks
                )
            }),
            each(&|name, n| format!("    uint32_t {name}_list[{}];\n", words(n) / 4)),
            each(&|name, _| format!("    of->{name}.bytes = of->{name}_bytes;\n")),
            each(&|name, _| format!("    of->{name}.list = of->{name}_list;\n")),
            each(&|name, _| format!("    @_start(&of->{name});\n")),
        )
    }

    /// The inputs of layer `l`, of buffers that are accessed by `of`.
    fn buffer(&self, l: usize, of: &str) -> String {
        format!("&{of}{}", if l.is_multiple_of(2) { "x" } else { "y" })
    }

    /// The inputs of layer `l` as they are passed to its function.
    fn inputs(&self, l: usize, of: &str) -> String {
        let low = match (self.needs.two_digits, l) {
            (false, _) => String::new(),
            (true, 0) => format!(", &{of}low"),
            (true, _) => ", 0".into(),
        };
        self.buffer(l, of) + &low
    }

    /// The function that computes the inputs of the last layer.
    fn layers(&self) -> String {
        let (of, header) = (self.of, self.of.header());
        let reading = match weights::patched(header) {
            Some(image) => self.patches(image),
            None => self.codes(),
        };
        let (before, reading) = reading;
        let mut text = format!(
            "{before}\nstatic {} {PREFIX}_layers({}, @_buffers *of)\n{{\n{reading}",
            of.outcome(),
            of.parameters(),
        );
        for (l, layer) in self.of.model.layers().enumerate().take(header.layers() - 1) {
            let (n, x, to) = (l + 1, self.inputs(l, "of->"), self.buffer(l + 1, "of->"));
            let (kind, table) = match layer.table() {
                Some(_) => ("by_table", format!(", @_activation{n}")),
                None => ("hidden", String::new()),
            };
            let _ = writeln!(
                text,
                "    @_{kind}({x}, @_weights{n}, @_biases{n}, @_multipliers{n}{table}, {}, {to});",
                layer.outputs()
            );
        }
        text + of.done() + "}\n"
    }

    /// The statements that read the first layer's inputs one by one.
    fn codes(&self) -> (String, String) {
        let of = self.of;
        let code = input::code(of, "VALUE");
        let (put, end) = if self.needs.two_digits {
            (
                format!(
                    "        const uint16_t q = {code};\n        @_put(&of->x, (uint8_t)(q >> 7));\n        \
                     @_put(&of->low, (uint8_t)(q & 127));\n"
                ),
                "    @_end(&of->low);\n",
            )
        } else {
            (format!("        @_put(&of->x, {code});\n"), "")
        };
        let text = format!(
            "{}{}    @_prepare(of);\n{}    @_end(&of->x);\n{end}",
            of.each_variables(),
            of.refuse_nan(),
            of.each(&put, "VALUE"),
        );
        (String::new(), text)
    }

    /// The function and the statements that read a picture patch by patch.
    fn patches(&self, (rows, cols): (usize, usize)) -> (String, String) {
        let table = self.of.model.table().is_some();
        let byte = |k: usize| {
            let pixel =
                if table { format!("READ(uint8_t, @_table, pixels[{k}])") } else { format!("pixels[{k}]") };
            format!("(uint32_t){pixel}{}", if k > 0 { format!(" << {}", 8 * k) } else { String::new() })
        };
        let four = if table { "" } else { " >> 1 & 0x7f7f7f7fu" };
        // Offsets of a byte reach the fourth row of a patch.
        let near = 3 * cols + 3 <= 255;
        let (words, patch) = match (near, table) {
            (true, true) => (
                "UPPER_PATH == 1 || UPPER_PATH == 2",
                GATHERED.replace("INPUT", "vldrbq_gather_offset_u8(@_table, v)"),
            ),
            (true, false) => (
                "UPPER_PATH == 1 || UPPER_PATH == 2 || (UPPER_PATH == 3 && defined(__ARM_FEATURE_UNALIGNED))",
                format!("#ifdef __ARM_FEATURE_UNALIGNED\n{OF_WORDS}#else\n{GATHERED}#endif\n")
                    .replace("INPUT", "vshrq_n_u8(v, 1)"),
            ),
            (false, true) => ("UPPER_PATH != 0", OF_WORDS.replace("INPUT", "v")),
            (false, false) => ("UPPER_PATH != 0", OF_WORDS.replace("INPUT", "vshrq_n_u8(v, 1)")),
        };
        let code = input::code(self.of, "pixels[k]");
        PATCHES
            .replace("LOAD\n", if table { "" } else { LOADED })
            .replace("BYTEWISE", if table { "" } else { "#endif\n" })
            .replace("BYTES", &[byte(0), byte(1), byte(2), byte(3)].join(" | "))
            .replace("CODE", &code)
            .replace("SHIFTED", four)
            .replace("PATCH\n", &patch)
            .replace("WORDS", words)
            .replace("FOUR_ROWS", &(4 * cols).to_string())
            .replace("COLS_2", &(2 * cols).to_string())
            .replace("COLS_3", &(3 * cols).to_string())
            .replace("COLS", &cols.to_string())
            .replace("PIXELS", &(rows * cols).to_string())
            .split_once("STATEMENTS\n")
            .map(|(before, statements)| (before.into(), statements.into()))
            .expect("the template has two parts")
    }

    /// The statements that provide the inputs of the last layer.
    fn start(&self, failure: &str) -> String {
        let call = self.of.call(&format!("@_layers({}, &of)", self.of.arguments()), failure);
        format!("    @_buffers of;\n{call}")
    }

    /// The body of the function of the logits.
    fn logits(&self) -> String {
        let (header, n) = (self.of.header(), self.of.header().layers());
        format!(
            "{}    @_last({}, @_weights{n}, @_biases{n}, {}, logits);\n{}",
            self.start("-2"),
            self.inputs(n - 1, "of."),
            header.outputs(),
            self.of.done()
        )
    }
}

/// Bytes of the list of some inputs: three words for each four, and its end.
fn words(inputs: usize) -> usize {
    4 * (3 * inputs.div_ceil(4) + 1)
}

/// clang does not see that four bytes of a vector are a word.
const LOADED: &str = "#if UPPER_PATH == 3 && defined(__GNUC__)
    uint32_t word;
    __builtin_memcpy(&word, pixels, sizeof word);
    return word;
#else
";

const OF_WORDS: &str = "    uint32x4_t words = vdupq_n_u32(@_word(pixels));
    uint8x16_t v;
    words = vsetq_lane_u32(@_word(pixels + COLS), words, 1);
    words = vsetq_lane_u32(@_word(pixels + COLS_2), words, 2);
    words = vsetq_lane_u32(@_word(pixels + COLS_3), words, 3);
    v = vreinterpretq_u8_u32(words);
    return INPUT;
";

/// Words that are not aligned are loaded byte by byte where the compiler takes it that the core cannot.
const GATHERED: &str = "    const uint8x16_t k = vidupq_n_u8(0, 1);
    const uint8x16_t at = vmlaq_n_u8(vandq_u8(k, vdupq_n_u8(3)), vshrq_n_u8(k, 2), COLS);
    const uint8x16_t v = vldrbq_gather_offset_u8(pixels, at);
    return INPUT;
";

const PATCHES: &str = "
#if WORDS
/* Four pixels of a row in a word. */
static uint32_t @_word(const uint8_t *pixels)
{
LOAD
    return BYTES;
BYTEWISE}
#endif
#if UPPER_PATH == 3

static uint8x16_t @_patch(const uint8_t *pixels)
{
PATCH
}
#endif
STATEMENTS
    uint32_t row;
    uint32_t patch;
    @_prepare(of);
    /* Patches of four by four pixels are all zero more often than sixteen in a row. */
    for (row = 0; row < PIXELS; row += FOUR_ROWS) {
        for (patch = row; patch < row + COLS; patch += 4) {
#if UPPER_PATH == 3
            @_keep(&of->x, @_patch(pixels + patch));
#else
            uint32_t i;
            for (i = patch; i < patch + FOUR_ROWS; i += COLS) {
#if UPPER_PATH == 0
                uint32_t k;
                for (k = i; k < i + 4; k++) {
                    @_put(&of->x, CODE);
                }
#else
                @_put_four(&of->x, @_word(pixels + i)SHIFTED);
#endif
            }
#endif
        }
    }
    @_end(&of->x);
";
