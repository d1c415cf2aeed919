//! A run between two steps, in a file: its floats as tensors, the rest as JSON in the metadata.
//!
//! A checkpoint belongs to one recipe and one data set, and names them. A run that is resumed from it ends with the same
//! bytes as if it had never stopped. The metadata opens with the file's checksum, without which one flipped bit would be trained on.

use std::path::Path;

use ::safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, typed};
use crate::files;
use crate::files::safetensors::{self, Dtype, Tensor};
use crate::pipeline::{Epoch, Position, State};
use crate::recipe::Recipe;

/// The name of the file in a run's folder.
pub const FILE: &str = "checkpoint.safetensors";
/// The one key of the metadata.
const KEY: &str = "selvedge-checkpoint";

/// What the file says besides its tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    recipe: Recipe,
    data: String,
    at: Position,
    kept_epoch: usize,
    epochs: Vec<Epoch>,
}

/// Writes a checkpoint into a run's folder; the one before stays until it is whole.
///
/// # Errors
/// `Io` where it cannot be written.
pub fn save(folder: &Path, recipe: &Recipe, data: &str, state: &State) -> Result<()> {
    let failed = |e: String| Error::failed(format!("cannot write the checkpoint: {e}"));
    let tensors: Vec<Tensor> = state
        .tensors()
        .iter()
        .map(|(name, values)| Tensor::from_f32(*name, &[values.len()], values))
        .collect();
    let about = About {
        recipe: recipe.clone(),
        data: data.into(),
        at: state.at,
        kept_epoch: state.kept_epoch,
        epochs: state.epochs.clone(),
    };
    let json = serde_json::to_string(&about).map_err(|e| failed(e.to_string()))?;
    let bytes = safetensors::write(&tensors, KEY, &json).map_err(failed)?;
    files::write_atomic(&folder.join(FILE), &bytes)
}

/// A checkpoint's file, checked, and what it says besides its tensors; `None` where the folder has none.
fn read(folder: &Path) -> Result<Option<(Vec<u8>, About)>> {
    let path = folder.join(FILE);
    let bytes = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|e| Error::io("read", &path, &e))?,
    };
    let json = safetensors::read_metadata(&bytes, KEY).map_err(|why| {
        refused(
            folder,
            &if why.starts_with("damaged") { why } else { format!("no readable checkpoint: {why}") },
        )
    })?;
    let json = json.ok_or_else(|| refused(folder, "no checkpoint"))?;
    let about =
        serde_json::from_str(&json).map_err(|e| refused(folder, &format!("its metadata is damaged: {e}")))?;
    Ok(Some((bytes, about)))
}

/// A checkpoint that a run cannot go on from, and what to do then.
fn refused(folder: &Path, why: &str) -> Error {
    let path = folder.join(FILE);
    Error::failed(format!(
        "{}: {why}; remove it to start the run again from its first step: `rm {}`, then `selvedge train --resume {}`",
        path.display(),
        typed(&path),
        typed(folder)
    ))
}

/// The recipe and the fingerprint of the training images in the checkpoint of a run's folder, if it has a whole one.
pub fn recipe_and_data(folder: &Path) -> Option<(Recipe, String)> {
    let (_, about) = read(folder).ok()??;
    Some((about.recipe, about.data))
}

/// Puts the checkpoint in a run's folder, if there is one, into the `state` of a run that has not begun.
///
/// # Errors
/// `Failed` where it is damaged or belongs to another recipe or other data.
pub fn restore(folder: &Path, recipe: &Recipe, data: &str, state: &mut State) -> Result<()> {
    let Some((bytes, about)) = read(folder)? else { return Ok(()) };
    let refuse = |why: String| refused(folder, &why);
    let unreadable = |e: ::safetensors::SafeTensorError| refuse(format!("no readable checkpoint: {e}"));
    let tensors = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
    if about.recipe != *recipe {
        return Err(refuse("it is of another recipe than config.toml".into()));
    }
    if about.data != data {
        return Err(refuse("it is of other training data".into()));
    }
    for (name, values) in state.tensors_mut() {
        let tensor = tensors.tensor(name).map_err(unreadable)?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != [values.len()] {
            return Err(refuse(format!("{name} is {:?}, expected {} floats", tensor.shape(), values.len())));
        }
        values.iter_mut().zip(safetensors::f32_values(tensor.data())).for_each(|(to, from)| *to = from);
    }
    (state.at, state.kept_epoch, state.epochs) = (about.at, about.kept_epoch, about.epochs);
    if state.at.epoch != state.epochs.len() || state.kept_epoch > state.at.epoch {
        return Err(refuse("its metadata is damaged".into()));
    }
    Ok(())
}
