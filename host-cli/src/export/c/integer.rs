//! C for integer networks. Four outputs are computed at a time, so an input is loaded once for four products; zero inputs are
//! skipped. Inputs of 14 bits are two digits, each multiplied by the same weights.
//!
//! The weights of four outputs are interleaved, input by input; the last four are padded with zeros.

use std::fmt::Write;

use selvedge::format::{Dtype, LayerView, Task};

use super::interface::{Interface, PREFIX};
use super::literal::array;
use super::{Files, answers, input, self_test};
use crate::error::Result;

/// The C files of a flash file.
///
/// # Errors
/// `Model` for a file whose thresholds C cannot write.
pub(super) fn write(of: &Interface<'_>) -> Result<Files> {
    let model = of.model;
    let network = Network { of, four_bits: model.header().dtype() == Dtype::I4 };
    let (arrays, mut questions) = answers::of_task(of)?;
    questions.insert(0, answers::logits(of, network.logits()));
    let mut source = network.numbers();
    source += &input::functions(of);
    source += &network.kernels();
    source += &network.layers();
    if model.header().task() == Task::Reconstruction {
        let (last, w) = (model.header().layers(), network.weight());
        let x = network.last_inputs();
        let sums = format!(
            "{}({x}, {}, w, sums);\n            w += {} * {};",
            network.sums(),
            model.header().width(last - 1),
            network.stride(),
            model.header().width(last - 1),
        );
        let start = format!("    const {w} *w = @_weights{last};\n{}", network.start("-2"));
        source += &answers::squares(of, &start, &sums, &format!("READ(int32_t, @_biases{last}, i)"));
    }
    source += &arrays;
    questions.iter().for_each(|question| source += &of.define(question));
    source += &of.window_functions();
    source += &self_test::write(of)?;
    let units = (model.header().task() == Task::Values).then(|| answers::units(of));
    Ok(of.files("", source, units, of.header_file(&network.notes(), &questions)))
}

/// An integer network, about to be written.
struct Network<'a> {
    of: &'a Interface<'a>,
    four_bits: bool,
}

impl Network<'_> {
    /// The C type of the stored weights.
    fn weight(&self) -> &'static str {
        if self.four_bits { "uint8_t" } else { "int8_t" }
    }

    /// The C type of the multipliers of all layers.
    fn multiplier(&self) -> &'static str {
        let header = self.of.header();
        if (0..header.layers()).any(|l| header.has_wide_multipliers(l)) { "uint32_t" } else { "uint16_t" }
    }

    /// Elements of the stored weights for an input and four outputs.
    fn stride(&self) -> &'static str {
        if self.four_bits { "2" } else { "4" }
    }

    fn two_digits(&self) -> bool {
        self.of.header().input_bits() == 14
    }

    /// The function that sums up four rows.
    fn sums(&self) -> &'static str {
        if self.two_digits() { "@_digits" } else { "@_sums" }
    }

    fn notes(&self) -> String {
        let (header, model) = (self.of.header(), self.of.model);
        let mut notes = format!(
            "Integers only: i{} weights.\n * A logit of 1 is worth {:e}.",
            if self.four_bits { 4 } else { 8 },
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
        notes
    }

    /// Weights, biases, multipliers and tables.
    fn numbers(&self) -> String {
        let mut text = String::new();
        for (l, layer) in self.of.model.layers().enumerate() {
            let n = l + 1;
            let weights = format!("@_weights{n}");
            if self.four_bits {
                array(&mut text, "static const uint8_t", &weights, nibbles(&layer).into_iter());
            } else {
                let all: Vec<_> = interleaved(&layer).flatten().collect();
                array(&mut text, "static const int8_t", &weights, all.into_iter());
            }
            let outputs = 0..layer.outputs();
            let biases = outputs.clone().map(|o| layer.bias(o));
            array(&mut text, "static const int32_t", &format!("@_biases{n}"), biases);
            if n < self.of.header().layers() {
                let multipliers = outputs.map(|o| layer.multiplier(o));
                let of = format!("static const {}", self.multiplier());
                array(&mut text, &of, &format!("@_multipliers{n}"), multipliers);
            }
            if let Some(table) = layer.table() {
                array(&mut text, "static const uint8_t", &format!("@_activation{n}"), table.iter());
            }
        }
        text
    }

    /// The functions that compute a layer, as far as the network has such layers.
    fn kernels(&self) -> String {
        let hidden = self.of.header().layers() - 1;
        let tables = self.of.model.layers().filter(|layer| layer.table().is_some()).count();
        let mut text = SUMS
            .replace("PRODUCTS", if self.four_bits { NIBBLES } else { BYTES })
            .replace("UNIT", if self.four_bits { "16 * " } else { "" });
        for (needed, function) in [
            (answers::shifts(self.of), SHIFTED),
            (self.two_digits(), DIGITS),
            (tables < hidden, REQUANTIZE),
            (tables < hidden, HIDDEN),
            (tables > 0, LOOKED_UP),
            (tables > 0, TABLE),
            (true, LAST),
        ] {
            text += if needed { function } else { "" };
        }
        text.replace("FOUR", self.sums())
            .replace("LOW_OF", if self.two_digits() { "low, " } else { "" })
            .replace("LOW", if self.two_digits() { "const uint8_t *low, " } else { "" })
            .replace("STRIDE", self.stride())
            .replace("WEIGHT", self.weight())
            .replace("MULTIPLIER", self.multiplier())
    }

    /// The buffers of the inputs of layers, and their lengths.
    fn buffers(&self) -> Vec<(&'static str, usize)> {
        let header = self.of.header();
        let widest = |parity: usize| (parity..header.layers()).step_by(2).map(|l| header.width(l)).max();
        let low = self.two_digits().then_some(header.inputs());
        let all = [("x", widest(0)), ("y", widest(1)), ("low", low)];
        all.into_iter().filter_map(|(name, length)| Some((name, length?))).collect()
    }

    /// The inputs of layer `l` as they are passed to its function.
    fn inputs(&self, l: usize) -> String {
        let low = match (self.two_digits(), l) {
            (false, _) => "",
            (true, 0) => ", low",
            (true, _) => ", 0",
        };
        format!("{}{low}", if l.is_multiple_of(2) { "x" } else { "y" })
    }

    fn last_inputs(&self) -> String {
        self.inputs(self.of.header().layers() - 1)
    }

    /// The function that computes the inputs of the last layer.
    fn layers(&self) -> String {
        let (of, header) = (self.of, self.of.header());
        let buffers: String = self.buffers().iter().map(|(name, _)| format!(", uint8_t *{name}")).collect();
        let mut text = format!(
            "\nstatic {} {PREFIX}_layers({}{buffers})\n{{\n{}{}",
            of.outcome(),
            of.parameters(),
            of.each_variables(),
            of.refuse_nan()
        );
        let code = input::code(of, "VALUE");
        let statements = if self.two_digits() {
            format!(
                "        const uint16_t q = {code};\n        x[i] = (uint8_t)(q >> 7);\n        \
                 low[i] = (uint8_t)(q & 127);\n"
            )
        } else {
            format!("        x[i] = {code};\n")
        };
        text += &of.each(&statements, "VALUE");
        for (l, layer) in self.of.model.layers().enumerate().take(header.layers() - 1) {
            let (n, x, to) = (l + 1, self.inputs(l), if l.is_multiple_of(2) { "y" } else { "x" });
            let (kind, table) = match layer.table() {
                Some(_) => ("by_table", format!(", @_activation{n}")),
                None => ("hidden", String::new()),
            };
            let (i, o) = (layer.inputs(), layer.outputs());
            let _ = writeln!(
                text,
                "    @_{kind}({x}, {i}, @_weights{n}, @_biases{n}, @_multipliers{n}{table}, {o}, {to});"
            );
        }
        text + of.done() + "}\n"
    }

    /// The statements that provide the inputs of the last layer.
    fn start(&self, failure: &str) -> String {
        let buffers = self.buffers();
        let mut text: String =
            buffers.iter().map(|(name, length)| format!("    uint8_t {name}[{length}];\n")).collect();
        let names: String = buffers.iter().map(|(name, _)| format!(", {name}")).collect();
        text += &self.of.call(&format!("@_layers({}{names})", self.of.arguments()), failure);
        text
    }

    /// The body of the function of the logits.
    fn logits(&self) -> String {
        let (header, n) = (self.of.header(), self.of.header().layers());
        format!(
            "{}    @_last({}, {}, @_weights{n}, @_biases{n}, {}, logits);\n{}",
            self.start("-2"),
            self.last_inputs(),
            header.width(n - 1),
            header.outputs(),
            self.of.done()
        )
    }
}

/// The weights of four outputs for each input, padded with zeros.
fn interleaved<'a>(layer: &'a LayerView<'a>) -> impl Iterator<Item = [i8; 4]> + 'a {
    let weight = |output: usize, input: usize| {
        if output < layer.outputs() { layer.weight(output, input) as i8 } else { 0 }
    };
    (0..layer.outputs()).step_by(4).flat_map(move |output| {
        (0..layer.inputs()).map(move |input| std::array::from_fn(|k| weight(output + k, input)))
    })
}

/// The same with two weights in a byte, the even output's in the low nibble.
fn nibbles(layer: &LayerView<'_>) -> Vec<u8> {
    let pair = |low: i8, high: i8| (high / 16 * 16) as u8 | ((low / 16) as u8 & 15);
    interleaved(layer).flat_map(|[a, b, c, d]| [pair(a, b), pair(c, d)]).collect()
}

const SUMS: &str = "
/* The sums of four rows whose weights lie side by side. A product fits the least int that C allows. */
static void @_sums(const uint8_t *x, uint32_t inputs, const WEIGHT *w, int32_t *sums)
{
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;
    uint32_t i;
    for (i = 0; i < inputs; i++, w += STRIDE) {
        const int v = x[i];
        if (v != 0) {
PRODUCTS
        }
    }
    sums[0] = UNITa;
    sums[1] = UNITb;
    sums[2] = UNITc;
    sums[3] = UNITd;
}
";

const BYTES: &str = "            a += v * READ(WEIGHT, w, 0);
            b += v * READ(WEIGHT, w, 1);
            c += v * READ(WEIGHT, w, 2);
            d += v * READ(WEIGHT, w, 3);";

/// The exclusive or and the difference extend the nibble's sign.
const NIBBLES: &str = "            a += v * (((READ(WEIGHT, w, 0) & 15) ^ 8) - 8);
            b += v * (((READ(WEIGHT, w, 0) >> 4) ^ 8) - 8);
            c += v * (((READ(WEIGHT, w, 1) & 15) ^ 8) - 8);
            d += v * (((READ(WEIGHT, w, 1) >> 4) ^ 8) - 8);";

const SHIFTED: &str = "
/* value / 2^bits rounded down; C leaves the right shift of what is negative to the compiler. */
static int32_t @_shifted(int32_t value, uint32_t bits)
{
    return value < 0 ? ~(~value >> bits) : value >> bits;
}
";

const DIGITS: &str = "
/* The sums of four rows; inputs of 14 bits are x + low / 128. There is no low where inputs have 7 bits. */
static void @_digits(const uint8_t *x, const uint8_t *low, uint32_t inputs, const WEIGHT *w, int32_t *sums)
{
    int32_t lows[4];
    uint32_t k;
    @_sums(x, inputs, w, sums);
    if (low == 0) {
        return;
    }
    @_sums(low, inputs, w, lows);
    for (k = 0; k < 4; k++) {
        sums[k] += @_shifted(lows[k] + 64, 7);
    }
}
";

const REQUANTIZE: &str = "
/* (sum * multiplier + 2^23) >> 24 within 0..127, which is the ReLU; the sum is below 2^23. */
static uint8_t @_requantize(int32_t sum, MULTIPLIER multiplier)
{
    uint32_t y;
    if (sum <= 0) {
        return 0;
    }
    y = (uint32_t)(((uint64_t)(uint32_t)sum * multiplier + 0x800000u) >> 24);
    return (uint8_t)(y > 127 ? 127 : y);
}
";

const HIDDEN: &str = "
static void @_hidden(const uint8_t *x, LOWuint32_t inputs, const WEIGHT *w, const int32_t *biases,
                     const MULTIPLIER *multipliers, uint32_t outputs, uint8_t *y)
{
    int32_t sums[4];
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        if (o % 4 == 0) {
            FOUR(x, LOW_OFinputs, w, sums);
            w += STRIDE * inputs;
        }
        y[o] = @_requantize(sums[o % 4] + READ(int32_t, biases, o), READ(MULTIPLIER, multipliers, o));
    }
}
";

const LOOKED_UP: &str = "
/* table[128 + t] with t = (sum * multiplier + 2^23) >> 24 within -128..127; the sum is below 2^23. */
static uint8_t @_looked_up(int32_t sum, MULTIPLIER multiplier, const uint8_t *table)
{
    const int64_t raised = (int64_t)sum * multiplier + (int64_t)0x80800000u;
    if (raised < 0) {
        return READ(uint8_t, table, 0);
    }
    return READ(uint8_t, table, raised >> 32 != 0 ? 255 : raised >> 24);
}
";

const TABLE: &str = "
static void @_by_table(const uint8_t *x, LOWuint32_t inputs, const WEIGHT *w, const int32_t *biases,
                    const MULTIPLIER *multipliers, const uint8_t *table, uint32_t outputs, uint8_t *y)
{
    int32_t sums[4];
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        if (o % 4 == 0) {
            FOUR(x, LOW_OFinputs, w, sums);
            w += STRIDE * inputs;
        }
        y[o] = @_looked_up(sums[o % 4] + READ(int32_t, biases, o), READ(MULTIPLIER, multipliers, o), table);
    }
}
";

const LAST: &str = "
static void @_last(const uint8_t *x, LOWuint32_t inputs, const WEIGHT *w, const int32_t *biases,
                   uint32_t outputs, int32_t *logits)
{
    int32_t sums[4];
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        if (o % 4 == 0) {
            FOUR(x, LOW_OFinputs, w, sums);
            w += STRIDE * inputs;
        }
        logits[o] = sums[o % 4] + READ(int32_t, biases, o);
    }
}
";
