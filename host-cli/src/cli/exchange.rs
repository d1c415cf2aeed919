//! The words of the commands that exchange models with other programs.

use std::path::PathBuf;

use clap::Args;

use crate::exchange::Format;

/// `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// A safetensors state dict, as PyTorch's modules have it, or an ONNX file
    pub file: PathBuf,
    /// The model file to write
    #[arg(short, long, value_name = "MODEL")]
    pub out: PathBuf,
    /// The class names in a text file, one a line
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// The mean that was subtracted from the inputs in 0..1, as torchvision's Normalize does
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub mean: f32,
    /// The deviation that they were then divided by
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub std: f32,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// A model file or a run's folder
    pub model: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub format: Format,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}
