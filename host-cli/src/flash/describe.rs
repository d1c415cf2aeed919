//! What a flash file holds: gathered once, then told in words and a table, or as JSON, whose keys are the fields' names.

use selvedge::format::{Dtype, LayerView, ModelView};
use selvedge::{infer::float, infer::integer};
use serde::Serialize;

use crate::inference::self_test;
use crate::memory::size;
use crate::terminal::table;

/// Everything that there is to see: sizes, scales, multipliers, packing, CRC, self-test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    kind: &'static str,
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
    self_test: Option<Tested>,
    /// Rows and columns.
    image: Option<[usize; 2]>,
    /// What a pixel becomes; without it integers take half of it, and floats a 255th.
    input_table: Option<Vec<u8>>,
    classes: Vec<String>,
    /// What one unit of the logits is; floats are what they are.
    logit_unit: Option<f32>,
    layers: Vec<Layer>,
}

/// A self-test, and what came of it here.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tested {
    seed: u32,
    /// Of the logits that the file asks for.
    crc32: String,
    passed: bool,
    /// What this machine got, or could not get, where that is something else.
    #[serde(skip)]
    found: String,
}

/// A layer as it is stored. What only integers have is empty for floats.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Layer {
    name: String,
    inputs: usize,
    outputs: usize,
    bytes: usize,
    weight_bytes: usize,
    bias_bytes: usize,
    multiplier_bytes: usize,
    /// What one unit of the inputs is.
    input_unit: Option<f32>,
    /// What one unit of the weights of a row is; one for all rows of the last layer.
    row_scales: Vec<f64>,
    /// Of the rows; the last layer has none.
    multipliers: Vec<u16>,
}

impl Description {
    /// Of a file.
    pub fn new(image: &ModelView<'_>) -> Self {
        let header = image.header();
        let shape = header.shape();
        let integer = header.dtype().is_integer();
        Self {
            kind: "flash",
            shape: shape.to_string(),
            widths: shape.widths().collect(),
            dtype: header.dtype().name(),
            packing: header.packing().name(),
            parameters: shape.params(),
            macs: shape.macs(),
            flash_bytes: header.file_bytes(),
            ram_bytes: if integer { integer::ram_bytes(header) } else { float::ram_bytes(header) },
            crc32: format!("{:08x}", header.crc()),
            self_test: Tested::new(image),
            image: header.image().map(|(rows, cols)| [rows, cols]),
            input_table: image.table().map(|t| t.to_vec()),
            classes: image.labels().map(String::from).collect(),
            logit_unit: integer.then(|| image.scale(shape.layers())),
            layers: image.layers().iter().enumerate().map(|(l, layer)| Layer::new(image, l, layer)).collect(),
        }
    }

    /// The words and the table.
    pub fn text(&self) -> String {
        let mut lines = vec![
            format!("shape        {}", self.shape),
            format!("parameters   {} as {}", self.parameters, self.dtype),
            format!("packing      {}", self.packing),
            format!("multiplies   {} an image", self.macs),
            format!("flash        {} bytes ({})", self.flash_bytes, size(self.flash_bytes as u64)),
            format!("memory       {} bytes to predict one image", self.ram_bytes),
            format!("CRC-32       {}, as it should be", self.crc32),
            format!("self-test    {}", self.self_test.as_ref().map_or("none".into(), Tested::text)),
        ];
        if let Some([rows, cols]) = self.image {
            lines.push(format!("input        {cols} x {rows} pixels, {}", self.input()));
        }
        if !self.classes.is_empty() {
            lines.push(format!("classes      {}", self.classes.join(", ")));
        }
        if let Some(unit) = self.logit_unit {
            lines.push(format!("logits       one unit is {unit:.4e}"));
        }
        let header = ["layer", "inputs", "outputs", "bytes", "one unit in", "row scales", "multipliers"];
        let columns = if self.logit_unit.is_some() { header.len() } else { 4 };
        let rows = self.layers.iter().map(|l| l.row().into_iter().take(columns).collect::<Vec<_>>());
        format!("{}\n\n{}", lines.join("\n"), table(header.map(String::from).into_iter().take(columns), rows))
    }

    fn input(&self) -> String {
        match self.input_table.as_deref() {
            Some([first, .., last]) => format!("through a table from {first} to {last}"),
            _ if self.logit_unit.is_some() => "halved".into(),
            _ => "u8/255".into(),
        }
    }
}

impl Tested {
    fn new(image: &ModelView<'_>) -> Option<Self> {
        let test = image.header().self_test()?;
        let found = self_test(test.seed, image);
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

impl Layer {
    fn new(image: &ModelView<'_>, l: usize, layer: &LayerView<'_>) -> Self {
        let integer = image.header().dtype().is_integer();
        let spans = image.header().layout().layers[l];
        let multipliers: Vec<u16> = match layer.multipliers().is_empty() {
            true => Vec::new(),
            false => (0..layer.outputs()).map(|r| layer.multiplier(r)).collect(),
        };
        // The stored i4 is a sixteenth of the weight that is multiplied.
        let step = if image.header().dtype() == Dtype::I4 { 16.0 } else { 1.0 };
        let row_scales = match (integer, multipliers.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => vec![step * f64::from(image.scale(l + 1)) / f64::from(image.scale(l))],
            // A row's multiplier is its scale, in units of what comes in and goes out.
            (true, false) => {
                let out = f64::from(image.scale(l + 1)) / f64::from(image.scale(l)) / f64::from(1 << 24);
                multipliers.iter().map(|&r| step * out * f64::from(r)).collect()
            }
        };
        Self {
            name: format!("fc{}", l + 1),
            inputs: layer.inputs(),
            outputs: layer.outputs(),
            bytes: spans.weights.len + spans.biases.len + spans.multipliers.len,
            weight_bytes: spans.weights.len,
            bias_bytes: spans.biases.len,
            multiplier_bytes: spans.multipliers.len,
            input_unit: integer.then(|| image.scale(l)),
            row_scales,
            multipliers,
        }
    }

    fn row(&self) -> [String; 7] {
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
        [self.name.clone(), inputs, outputs, bytes, unit, scales, multipliers]
    }
}
