//! The safetensors format: a PyTorch state dict.

use super::{ExportOptions, Exported, Exporter, FormatInfo, ModelFile, Parameters, tensors};
use crate::error::Result;
use crate::files::safetensors;
use crate::model::{self, About};

/// `--format safetensors`.
pub(super) struct StateDict;

impl Exporter for StateDict {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("safetensors", "PyTorch state dict: fc1.weight, fc1.bias, ...")
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        Exported::one(options.out, bytes(&model.parameters()?))
    }
}

/// The file. The metadata of a network of floats holds what `selvedge import` needs to make the same model of it.
fn bytes(parameters: &Parameters<'_>) -> std::result::Result<Vec<u8>, String> {
    let tensors = tensors::of(parameters)?;
    let json = match parameters {
        Parameters::Float(folded, classes) => {
            let version = env!("CARGO_PKG_VERSION").into();
            let about = About { version, classes: classes.clone(), ..About::default() };
            about.with_table(folded.table)?.json().map_err(|e| e.to_string())?
        }
        Parameters::Integer(_) => "{}".into(),
    };
    safetensors::write(&tensors, model::KEY, &json)
}
