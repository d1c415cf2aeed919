//! The safetensors format: a PyTorch state dict.

use super::{ExportOptions, Exported, Exporter, FormatInfo, ModelFile, Parameters, tensors};
use crate::data::Task;
use crate::data::normalise::Normalisation;
use crate::error::{Error, Result};
use crate::files::safetensors;
use crate::memory::Floats;
use crate::model::fold::{self, Folded};
use crate::model::{self, About, Model};

/// `--format safetensors`.
pub(super) struct StateDict;

impl Exporter for StateDict {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("safetensors", "PyTorch state dict: fc1.weight, fc1.bias, ...")
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        model.layers_only("safetensors")?;
        let bytes = match model {
            ModelFile::Model(model)
                if model.more_than_layers().is_some() || model.about.temperature.is_some() =>
            {
                whole(model)?
            }
            _ => bytes(&model.parameters()?),
        };
        Exported::one(options.out, bytes)
    }
}

/// The file of a model that no device runs. The normalisation of pictures is folded into the weights, as for devices; that of
/// columns stays in the metadata, since a column far from 0 would lose digits, and an autoencoder's, whose outputs are
/// normalised too.
fn whole(model: &Model) -> Result<std::result::Result<Vec<u8>, String>> {
    let about = &model.about;
    let kept = about.schema.is_some() || about.task == Task::Reconstruct;
    let folded = if kept {
        let params = Floats::copy_of(&model.params, "a copy of the parameters")?;
        Folded { shape: model.shape, table: about.normalisation.table(), columns: None, params }
    } else {
        fold::fold_pixels(model)?
    };
    let about = About {
        version: env!("CARGO_PKG_VERSION").into(),
        normalisation: if kept { about.normalisation.clone() } else { Normalisation::default() },
        recipe: None,
        epochs_done: 0,
        val_accuracy: None,
        data_sha256: None,
        ..about.clone()
    };
    let json = about.with_table(folded.table).map_err(Error::failed)?.json()?;
    let tensors = tensors::of(&Parameters::Float(Box::new(folded), Vec::new()));
    Ok(tensors.and_then(|tensors| safetensors::write(&tensors, model::KEY, &json)))
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
