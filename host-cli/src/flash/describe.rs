//! Describes a flash file, as text with a table or as JSON, whose keys are the fields' names.

use selvedge::format::{Dtype, Header, LayerView, ModelView, Task};
use selvedge::infer::Profile;
use serde::Serialize;

use crate::inference::self_test;
use crate::memory::size;
use crate::terminal::table;

/// Sizes, scales, multipliers, packing, CRC and self-test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    kind: &'static str,
    /// Of the flash format.
    format_version: u8,
    shape: String,
    widths: Vec<usize>,
    dtype: &'static str,
    packing: &'static str,
    parameters: usize,
    macs: usize,
    flash_bytes: usize,
    ram_bytes: usize,
    /// As eight hexadecimal digits.
    crc32: String,
    self_test: Option<SelfTestResult>,
    /// Rows and columns.
    image: Option<[usize; 2]>,
    /// The input of each byte; without a table, integers take half the byte, floats a 255th.
    input_table: Option<Vec<u8>>,
    /// The type of a raw value.
    input_type: &'static str,
    /// What turns raw values into inputs.
    input_map: &'static str,
    /// Bits of an input of integers.
    input_bits: Option<u32>,
    window: Option<WindowDescription>,
    /// What the outputs mean.
    task: &'static str,
    classes: Vec<String>,
    /// The real value of one unit of an integer logit.
    logit_unit: Option<f32>,
    /// By how much the largest logit must lead the second for its class to be known, as a real number.
    margin: Option<f32>,
    /// The real value from which on an output sets its label, or the mean squared error above which a reconstruction is an
    /// anomaly.
    threshold: Option<f32>,
    layers: Vec<LayerDescription>,
}

/// The window of a time series that a network sees at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct WindowDescription {
    rows: usize,
    /// Rows from the start of one window to that of the next.
    stride: usize,
    /// Values of a row.
    channels: usize,
}

/// A self-test, and its result on this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct SelfTestResult {
    seed: u32,
    /// The expected CRC of the logits.
    crc32: String,
    passed: bool,
    /// The result on this machine, or its error.
    #[serde(skip)]
    found: String,
}

/// A layer as it is stored. Fields of integers are empty for floats.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct LayerDescription {
    name: String,
    inputs: usize,
    outputs: usize,
    activation: &'static str,
    bytes: usize,
    weight_bytes: usize,
    bias_bytes: usize,
    multiplier_bytes: usize,
    /// Of the activation's table, where it has one.
    table_bytes: usize,
    /// The real value of one unit of the inputs.
    input_unit: Option<f32>,
    /// The real value of one unit of each output's weights; one for all outputs of the last layer, none for a layer with a
    /// table, whose steps the file does not say.
    row_scales: Vec<f64>,
    /// The multiplier of each output; the last layer has none.
    multipliers: Vec<u32>,
}

impl Description {
    /// The description of a file.
    pub fn new(model: &ModelView<'_>) -> Self {
        let header = model.header();
        let integer = header.dtype().is_integer();
        Self {
            kind: "flash",
            format_version: header.version(),
            shape: header.to_string(),
            widths: header.widths().collect(),
            dtype: header.dtype().name(),
            packing: header.packing().name(),
            parameters: header.params(),
            macs: header.macs(),
            flash_bytes: header.file_bytes(),
            ram_bytes: if integer { Profile::Integer } else { Profile::Float }.ram_bytes(header),
            crc32: format!("{:08x}", header.crc()),
            self_test: SelfTestResult::new(model),
            image: header.image().map(|(rows, cols)| [rows, cols]),
            input_table: model.table().map(|t| t.to_vec()),
            input_type: header.input_type().name(),
            input_map: header.input_map().name(),
            input_bits: integer.then(|| header.input_bits()),
            window: header.window().map(|(rows, stride)| WindowDescription {
                rows,
                stride,
                channels: header.inputs() / rows,
            }),
            task: header.task().name(),
            margin: margin(model),
            threshold: threshold(model),
            classes: model.labels().map(String::from).collect(),
            logit_unit: integer.then(|| model.scale(header.layers())),
            layers: model
                .layers()
                .enumerate()
                .map(|(l, layer)| LayerDescription::new(model, l, &layer))
                .collect(),
        }
    }

    /// The text and the table.
    pub fn text(&self) -> String {
        let (a_sample, one_sample) =
            if self.has_pictures() { ("an image", "one image") } else { ("a sample", "one sample") };
        let mut lines = vec![
            format!("format       version {}", self.format_version),
            format!("shape        {}", self.shape),
            format!("parameters   {} as {}", self.parameters, self.dtype),
            format!("packing      {}", self.packing),
            format!("multiplies   {} {a_sample}", self.macs),
            format!("flash        {} bytes ({})", self.flash_bytes, size(self.flash_bytes as u64)),
            format!("memory       {} bytes to predict {one_sample}", self.ram_bytes),
            format!("CRC-32       {}, as it should be", self.crc32),
            format!("self-test    {}", self.self_test.as_ref().map_or("none".into(), SelfTestResult::text)),
        ];
        lines.extend(self.meaning());
        let header =
            ["layer", "inputs", "outputs", "activation", "bytes", "one unit in", "row scales", "multipliers"];
        let columns = if self.logit_unit.is_some() { header.len() } else { 5 };
        let rows = self.layers.iter().map(|l| l.row().into_iter().take(columns).collect::<Vec<_>>());
        format!("{}\n\n{}", lines.join("\n"), table(header.map(String::from).into_iter().take(columns), rows))
    }

    /// What goes in and what comes out.
    fn meaning(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.has_pictures() {
            let (inputs, of, map) = (self.widths[0], self.input_type, self.input_map);
            let to = self.input_bits.map_or("floats".into(), |bits| format!("{bits} bits"));
            lines.push(format!("input        {inputs} values of {of}, {map} map to {to}"));
        } else if let Some([rows, cols]) = self.image {
            lines.push(format!("input        {cols} x {rows} pixels, {}", self.input()));
        }
        if let Some(WindowDescription { rows, stride, channels }) = self.window {
            lines.push(format!("window       {rows} rows of {channels} values, every {stride} rows"));
        }
        lines.push(format!("task         {}", self.task));
        if !self.classes.is_empty() {
            lines.push(format!("{:12} {}", self.outputs(), self.classes.join(", ")));
        }
        if let Some(unit) = self.logit_unit {
            lines.push(format!("logits       one unit is {unit:.4e}"));
        }
        if let Some(margin) = self.margin {
            lines.push(format!("unknown      where the two largest logits are less than {margin:.4} apart"));
        }
        if let Some(threshold) = self.threshold {
            lines.push(match self.task == Task::Labels.name() {
                true => format!("threshold    a label applies from a logit of {threshold:.4} on"),
                false => format!("threshold    a mean squared error above {threshold:.6} is an anomaly"),
            });
        }
        lines
    }

    /// Whether samples are bytes that become inputs each for itself.
    fn has_pictures(&self) -> bool {
        !self.input_map.starts_with("affine")
    }

    /// What the names of the outputs are of.
    fn outputs(&self) -> &'static str {
        match self.task {
            "class" => "classes",
            "labels" => "labels",
            _ => "outputs",
        }
    }

    fn input(&self) -> String {
        match self.input_table.as_deref() {
            Some([first, .., last]) => format!("through a table from {first} to {last}"),
            _ if self.logit_unit.is_some() => "halved".into(),
            _ => "u8/255".into(),
        }
    }
}

/// The margin of classes as a real number, where the file has one.
fn margin(model: &ModelView<'_>) -> Option<f32> {
    let bits = model.header().margin_bits();
    (bits != 0).then(|| real(model, bits, f64::from(bits)))
}

/// The threshold of labels or of a score, where the file has one.
fn threshold(model: &ModelView<'_>) -> Option<f32> {
    let header: &Header<'_> = model.header();
    match (header.task(), header.dtype().is_integer()) {
        (Task::Labels, _) => {
            let bits = header.label_threshold_bits();
            Some(real(model, bits, f64::from(bits as i32)))
        }
        (Task::Reconstruction, true) => header.score_threshold().map(|sum| sum as f32 * header.score_unit()),
        (Task::Reconstruction, false) => {
            Some(header.float_score_threshold()).filter(|threshold| threshold.is_finite())
        }
        _ => None,
    }
}

/// A number that a header stores for logits: `units` of them in the integer types, an f32 in the float types.
fn real(model: &ModelView<'_>, bits: u32, units: f64) -> f32 {
    let header = model.header();
    match header.dtype().is_integer() {
        true => (units * f64::from(model.scale(header.layers()))) as f32,
        false => f32::from_bits(bits),
    }
}

impl SelfTestResult {
    fn new(model: &ModelView<'_>) -> Option<Self> {
        let test = model.header().self_test()?;
        let found = self_test(test.seed, model);
        Some(Self {
            seed: test.seed,
            crc32: format!("{:08x}", test.crc),
            passed: found == Ok(test.crc),
            found: found.map_or_else(|e| e.to_string(), |crc| format!("{crc:08x}")),
        })
    }

    fn text(&self) -> String {
        let Self { seed, crc32, passed, found } = self;
        let outcome = if *passed { "passed here".into() } else { format!("FAILED here: {found}") };
        format!("seed {seed}, logits {crc32}, {outcome}")
    }
}

impl LayerDescription {
    fn new(model: &ModelView<'_>, l: usize, layer: &LayerView<'_>) -> Self {
        let integer = model.header().dtype().is_integer();
        let spans = model.header().layer_spans(l);
        let multipliers: Vec<u32> = match layer.is_requantized() {
            true => (0..layer.outputs()).map(|r| layer.multiplier(r)).collect(),
            false => Vec::new(),
        };
        // A stored i4 is a sixteenth of the weight that is multiplied.
        let step = if model.header().dtype() == Dtype::I4 { 16.0 } else { 1.0 };
        let row_scales = match (integer, multipliers.is_empty()) {
            (false, _) => Vec::new(),
            _ if layer.table().is_some() => Vec::new(),
            (true, true) => vec![step * f64::from(model.scale(l + 1)) / f64::from(model.scale(l))],
            // An output's multiplier is its scale, in units of the inputs and outputs.
            (true, false) => {
                let out = f64::from(model.scale(l + 1)) / f64::from(model.scale(l)) / f64::from(1 << 24);
                multipliers.iter().map(|&r| step * out * f64::from(r)).collect()
            }
        };
        Self {
            name: format!("fc{}", l + 1),
            inputs: layer.inputs(),
            outputs: layer.outputs(),
            activation: model.header().activation(l).name(),
            bytes: spans.weights.len + spans.biases.len + spans.multipliers.len + spans.table.len,
            weight_bytes: spans.weights.len,
            bias_bytes: spans.biases.len,
            multiplier_bytes: spans.multipliers.len,
            table_bytes: spans.table.len,
            input_unit: integer.then(|| model.scale(l)),
            row_scales,
            multipliers,
        }
    }

    fn row(&self) -> [String; 8] {
        let unit = self.input_unit.map_or(String::new(), |unit| format!("{unit:.3e}"));
        let scales = match self.row_scales[..] {
            [] => String::new(),
            [one] if self.multipliers.is_empty() => format!("{one:.3e}"),
            ref all => {
                let (least, most) = (all.iter().copied().fold(f64::INFINITY, f64::min), all.iter().copied());
                format!("{least:.3e} to {:.3e}", most.fold(0.0, f64::max))
            }
        };
        let multipliers = match (self.multipliers.iter().min(), self.multipliers.iter().max()) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            _ => "none".into(),
        };
        let numbers = [self.inputs, self.outputs, self.bytes].map(|n| n.to_string());
        let [inputs, outputs, bytes] = numbers;
        let activation = self.activation.to_string();
        [self.name.clone(), inputs, outputs, activation, bytes, unit, scales, multipliers]
    }
}
