//! Arguments of `import`, `export`, `quantize` and `estimate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use selvedge::format::{Dtype, InputType, Packing};

use super::{DataArgs, FirmwareArgs};
use crate::data::Task;
use crate::estimate::{Bytes, Hertz};
use crate::export::{Format, Storage};
use crate::import::InputKind;
use crate::quantize::bits::InputBits;
use crate::quantize::clip::Clip;
use crate::recipe::HiddenActivations;

/// `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// ONNX or TensorFlow Lite file, safetensors state dict of PyTorch or Keras, or the index of a sharded one
    pub file: PathBuf,
    /// Write the model to this file
    #[arg(short, long, value_name = "MODEL")]
    pub out: PathBuf,
    /// Read class names from a text file, one per line
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// Set the order of a state dict's layers by their name prefixes (fc1 of fc1.weight), where neither numbers in the
    /// names nor the widths determine it
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub order: Vec<String>,
    /// Set the activations of a state dict's hidden layers, one for all or one for each: relu, leaky-relu, relu6, tanh,
    /// sigmoid, hard-swish; a graph (ONNX, TensorFlow Lite) says them itself [default: relu]
    #[arg(long, value_name = "NAME[,NAME..]")]
    pub activation: Option<HiddenActivations>,
    /// Set what the outputs are, where the file does not say it [default: multilabel if a graph ends with several
    /// sigmoids, else classify]
    #[arg(long, value_enum)]
    pub task: Option<Task>,
    /// Set what the inputs are that the network was trained on [default: byte if a graph takes integers or divides
    /// its input by 255, else unit]
    #[arg(long, value_enum, conflicts_with_all = ["mean", "std"])]
    pub inputs: Option<InputKind>,
    /// Fold in the mean that was subtracted from inputs in 0..1, as in torchvision's Normalize
    #[arg(long, default_value_t = 0.0)]
    pub mean: f32,
    /// Fold in the standard deviation that inputs were then divided by
    #[arg(long, default_value_t = 1.0)]
    pub std: f32,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// A model file, a run's folder, or a flash file
    pub model: PathBuf,
    /// Write this format
    #[arg(long, value_enum)]
    pub format: Format,
    /// Write to this file; c writes FILE.c and FILE.h, arduino a FILE.zip, cmake and firmware a folder
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Pack the weights of a flash file for a core: generic, cortex-m0 (also m0+, m3, rv32), cortex-m4 (also m7, m33),
    /// cortex-m55 (also m85) [default: the flash file's own, or generic]
    #[arg(long, value_name = "CORE", value_parser = packing)]
    pub packing: Option<Packing>,
    /// Set the weight type of a flash file: f32, f16, bf16, or the integer type that it already has [default: the flash
    /// file's own, or f32]
    #[arg(long, value_name = "TYPE", value_parser = dtype)]
    pub dtype: Option<Dtype>,
    /// Prefix the names in C, and name the package of cmake or the library of arduino [default: the file's or folder's name]
    #[arg(long, value_name = "NAME")]
    pub prefix: Option<String>,
    /// Set where constants in C lie: const leaves it to the compiler, progmem keeps them in the flash of an AVR instead of
    /// its RAM, with no effect on other cores [default: const for c, progmem for arduino]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub storage: Option<Storage>,
    /// Name the inputs after the columns of a table in this model, which a flash file was made of: it does not say them
    #[arg(long, value_name = "MODEL")]
    pub schema: Option<PathBuf>,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// The flags of `--format firmware`.
    #[command(flatten, next_help_heading = "Firmware")]
    pub firmware: FirmwareArgs,
}

/// The integer weight types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IntegerType {
    /// One byte per weight
    I8,
    /// Half a byte per weight
    I4,
}

impl IntegerType {
    /// The type of the flash file.
    pub fn dtype(self) -> Dtype {
        match self {
            Self::I8 => Dtype::I8,
            Self::I4 => Dtype::I4,
        }
    }
}

/// `quantize`.
#[derive(Debug, Args)]
pub struct Quantize {
    /// Model file or run folder
    pub model: PathBuf,
    /// Set the weight type
    #[arg(long, value_enum)]
    pub dtype: IntegerType,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Calibrate activation scales on this many training samples
    #[arg(long, value_name = "SAMPLES", default_value_t = crate::quantize::CALIBRATE)]
    pub calibrate: usize,
    /// Set the clip limit of weights and activations: max (no clipping), mse (least squared error), or a percentile such
    /// as percentile:99.9
    #[arg(long, default_value = "mse")]
    pub clip: Clip,
    /// Fine-tune for this many epochs with quantized weights (QAT); with --clip mse, i4 is more accurate without it
    #[arg(long, value_name = "EPOCHS", default_value_t = 0)]
    pub qat: usize,
    /// Set the type of the raw numbers that the device takes for the rows of a table, in the table's units: f32, or whole
    /// numbers as i16, u16 or u8 [default: f32; pictures are bytes]
    #[arg(long, value_name = "TYPE", value_parser = input_type)]
    pub input: Option<InputType>,
    /// Set the bits of an input of a row: 7, 14 (two passes over the first layer), or auto, which takes 14 where 7 lose
    /// more than a quarter of a point on the calibration rows, or change the score of validation rows by more than 1 %
    #[arg(long, value_name = "auto|7|14", default_value_t = InputBits::Auto)]
    pub input_bits: InputBits,
    /// Answer unknown where a class is less probable than P against the second most probable, from above 0.5 to below 1;
    /// stored in the file [default: none, every sample has a class]
    #[arg(long, value_name = "P", value_parser = above_half)]
    pub reject: Option<f32>,
    /// Write the flash file here
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Pack the weights for a core, as in `selvedge export` [default: generic, which runs on every core]
    #[arg(long, value_name = "CORE", value_parser = packing)]
    pub packing: Option<Packing>,
    /// Also print the loss per class and the quantization noise per layer
    #[arg(long)]
    pub report: bool,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `estimate`.
#[derive(Debug, Args)]
pub struct Estimate {
    /// Flash file, or a model, which is counted as i8 in the target's packing
    pub model: PathBuf,
    /// Estimate for one core: m0 (or cortex-m0), m3, m4, m7, m55, rv32 [default: all cores, the file packed for each]
    #[arg(long)]
    pub target: Option<String>,
    /// Set the core's clock, such as 168MHz [default: a typical one]
    #[arg(long, requires = "target")]
    pub clock: Option<Hertz>,
    /// Limit flash for model and code, such as 128K; exit code 6 if exceeded [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub flash: Option<Bytes>,
    /// Limit RAM for inference, such as 8K; exit code 6 if exceeded [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub ram: Option<Bytes>,
    /// Print one JSON object per core on stdout
    #[arg(long)]
    pub json: bool,
}

fn packing(text: &str) -> Result<Packing, String> {
    let of = |name: &str| selvedge::format::Packing::for_core(name);
    of(text).or_else(|| of(&format!("cortex-{text}"))).ok_or_else(|| {
        "write generic, cortex-m0, cortex-m3, cortex-m4, cortex-m7, cortex-m33, cortex-m55 or rv32".into()
    })
}

fn dtype(text: &str) -> Result<Dtype, String> {
    let found = Dtype::ALL.into_iter().find(|d| d.name() == text);
    found.ok_or_else(|| "write f32, f16, bf16, i8 or i4".into())
}

fn input_type(text: &str) -> Result<InputType, String> {
    let found = InputType::ALL.into_iter().find(|input| input.name() == text);
    found.ok_or_else(|| "write f32, i16, u16 or u8".into())
}

fn above_half(text: &str) -> Result<f32, String> {
    let p = text.parse().ok().filter(|p: &f32| *p > 0.5 && *p < 1.0);
    p.ok_or_else(|| "write a probability above 0.5 and below 1, such as 0.9".into())
}
