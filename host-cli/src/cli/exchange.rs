//! The words of the commands that exchange models with other programs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use selvedge::format::{Dtype, Packing};

use super::{DataArgs, FirmwareArgs};
use crate::estimate::{Bytes, Hertz};
use crate::exchange::{Format, Inputs};
use crate::quantize::clip::Clip;

/// `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// A safetensors state dict, as PyTorch's modules or Keras have it, the index of one in several files, or an ONNX file
    pub file: PathBuf,
    /// The model file to write
    #[arg(short, long, value_name = "MODEL")]
    pub out: PathBuf,
    /// The class names in a text file, one a line
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// The layers of a state dict in order, by the names in front of .weight, where neither numbers in the names nor the
    /// widths say it
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub order: Vec<String>,
    /// The inputs that the network was trained on [default: what an ONNX graph shows (an input of integers, or one that it
    /// divides by 255, is byte), else unit]
    #[arg(long, value_enum, conflicts_with_all = ["mean", "std"])]
    pub inputs: Option<Inputs>,
    /// The mean that was subtracted from the inputs in 0..1, as torchvision's Normalize does
    #[arg(long, default_value_t = 0.0)]
    pub mean: f32,
    /// The deviation that they were then divided by
    #[arg(long, default_value_t = 1.0)]
    pub std: f32,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// A model file, a run's folder, or a flash file
    pub model: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub format: Format,
    /// The file to write; of c two, with the endings .c and .h; of firmware the folder
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// The cores that the weights of a flash file are packed for: generic, cortex-m0 (and m0+, m3, rv32), cortex-m4 (and
    /// m7, m33), cortex-m55 (and m85) [default: generic, or as the flash file is]
    #[arg(long, value_name = "CORE", value_parser = packing)]
    pub packing: Option<Packing>,
    /// The type of a flash file's weights: f32, f16, bf16, or the integers of a flash file [default: f32, or as the flash
    /// file has]
    #[arg(long, value_name = "TYPE", value_parser = dtype)]
    pub dtype: Option<Dtype>,
    /// What the names in C start with [default: the file's name]
    #[arg(long, value_name = "NAME")]
    pub prefix: Option<String>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// What goes with firmware.
    #[command(flatten, next_help_heading = "Firmware")]
    pub firmware: FirmwareArgs,
}

/// The integer types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IntegerType {
    /// A byte a weight
    I8,
    /// Half a byte a weight
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
    /// A model file or a run's folder
    pub model: PathBuf,
    /// The type of the weights
    #[arg(long, value_enum)]
    pub dtype: IntegerType,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Training images that the scales of the activations are taken from
    #[arg(long, value_name = "IMAGES", default_value_t = crate::quantize::CALIBRATE)]
    pub calibrate: usize,
    /// Where to cut off large weights and activations: max (nowhere), mse (where the squared error is least), or
    /// percentile:99.9
    #[arg(long, default_value = "mse")]
    pub clip: Clip,
    /// Epochs of fine-tuning with the weights as they will be; where clipping is mse, i4 loses less without
    #[arg(long, value_name = "EPOCHS", default_value_t = 0)]
    pub qat: usize,
    /// The flash file to write
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// The cores that the weights are packed for, as in `selvedge export` [default: generic, which runs on any]
    #[arg(long, value_name = "CORE", value_parser = packing)]
    pub packing: Option<Packing>,
    /// Class by class and layer by layer
    #[arg(long)]
    pub report: bool,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `estimate`.
#[derive(Debug, Args)]
pub struct Estimate {
    /// A flash file; or a model, which is taken as i8 in the target's packing
    pub model: PathBuf,
    /// The core: m0 (or cortex-m0), m3, m4, m7, m55, rv32 [default: a table of all, the file packed for each]
    #[arg(long)]
    pub target: Option<String>,
    /// Its clock, such as 168MHz [default: a usual one]
    #[arg(long, requires = "target")]
    pub clock: Option<Hertz>,
    /// Flash that is there for model and code, such as 128K
    #[arg(long, value_name = "BYTES")]
    pub flash: Option<Bytes>,
    /// RAM that is there for inference, such as 8K
    #[arg(long, value_name = "BYTES")]
    pub ram: Option<Bytes>,
    /// A JSON object for each core on stdout
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
