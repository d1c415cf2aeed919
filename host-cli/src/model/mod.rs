//! The f32 model file: `safetensors` with PyTorch's names and orientation, and everything else in its metadata.
//!
//! Layer `n`, counted from 1, is `fcN.weight (o, i)` and `fcN.bias (o)`, both f32, so that the file opens in PyTorch. All
//! metadata is one JSON value under one key, since the bytes of a file must not depend on the order of a hash map. It opens
//! with the file's checksum, which is checked wherever the file is read; a program that changes a model and keeps the
//! metadata makes a file that is refused as damaged, so it has to leave the key `selvedge` out.

pub mod fit;
pub mod fold;
pub mod state_dict;

use std::io;
use std::path::{Path, PathBuf};

use selvedge::Shape;
use selvedge::format::{self, Dtype, HeaderBuf, InputMap, InputType, MAGIC, ModelView, Packing};
use serde::{Deserialize, Serialize};

use crate::data::normalise::Normalisation;
use crate::data::table::{Schema, TableOptions, Window};
use crate::data::{Reading, Task};
use crate::error::{Error, ErrorKind, Result, typed};
use crate::files;
use crate::files::checksum;
use crate::files::kind::{self, Kind};
use crate::files::safetensors;
use crate::memory::{Bytes, Floats};
use crate::recipe::{HiddenActivations, Recipe};

mod target_scale;

pub use target_scale::TargetScale;

/// The one key of the metadata.
pub const KEY: &str = "selvedge";
/// The name of the file in a run's folder.
pub const FILE: &str = "model.safetensors";
/// The folder in a run's folder that keeps the run that it replaces, until it is done.
pub const PREVIOUS: &str = "previous";

/// A trained network.
#[derive(Debug)]
pub struct Model {
    /// Its widths.
    pub shape: Shape,
    /// In the core's layout.
    pub params: Floats,
    /// The file's metadata.
    pub about: About,
}

/// The metadata of a model file. Files of other programs have none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct About {
    /// The version of the program that wrote it.
    pub version: String,
    /// The classes' names; empty means numbers.
    pub classes: Vec<String>,
    /// Rows and columns of the images.
    pub image: Option<(usize, usize)>,
    /// The channels of the images: 3 for RGB, else grey.
    #[serde(skip_serializing_if = "is_grey")]
    pub channels: usize,
    /// How samples become inputs.
    pub normalisation: Normalisation,
    /// The activations of its hidden layers; ReLU in files that do not say it.
    pub activation: HiddenActivations,
    /// What it answers.
    #[serde(skip_serializing_if = "Task::is_default")]
    pub task: Task,
    /// The columns of the table that it was trained on, and how its rows become inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// The units of its answers, where they are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_scale: Option<TargetScale>,
    /// What logits are divided by before the softmax, so that probabilities are as often right as they say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// The score above which a reconstruction is an anomaly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// How it was trained.
    pub recipe: Option<Recipe>,
    /// Whole epochs that it was trained for.
    pub epochs_done: usize,
    /// Accuracy on the validation images after the last whole epoch.
    pub val_accuracy: Option<f64>,
    /// The [fingerprint](crate::data::Dataset::fingerprint) of the data that it was trained on. Where they lie is not said:
    /// the same data make the same file, whatever folder they are in.
    pub data_sha256: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference.
fn is_grey(channels: &usize) -> bool {
    *channels <= 1
}

impl About {
    /// The header of a flash file of this network, which takes rows of a table as f32, in integers as codes of 7 bits.
    ///
    /// # Errors
    /// What the format refuses.
    pub fn header(
        &self,
        shape: Shape,
        dtype: Dtype,
        packing: Packing,
    ) -> std::result::Result<HeaderBuf, selvedge::Error> {
        let header =
            HeaderBuf::new(shape, dtype, packing)?.with_label_bytes(self.classes.join("\n").len())?;
        let header = header.with_task(self.device_task())?;
        let header = header.with_columns_crc(self.schema.as_ref().map_or(0, Schema::crc));
        let header = match (self.image, self.schema.as_ref().and_then(|schema| schema.window)) {
            (Some((rows, cols)), _) if self.channels <= 1 => header.with_image(rows, cols)?,
            (_, Some(Window { rows, stride })) => header.with_window(rows, stride)?,
            _ => header,
        };
        match &self.schema {
            Some(_) if self.normalisation.standardises() => {
                header.with_input(InputType::F32, InputMap::AffinePerFeature, 7)
            }
            Some(_) => header.with_input(InputType::F32, InputMap::Affine, 7),
            None if self.normalisation.table().is_some() => Ok(header.with_table()),
            None => Ok(header),
        }
    }

    /// How data are read for it: as in its training, or by the task alone where another program trained it.
    pub fn reading(&self) -> Reading {
        self.recipe.as_ref().map_or_else(
            || {
                let unsupervised = self.task == Task::Reconstruct;
                let table = TableOptions { unsupervised, ..TableOptions::default() };
                Reading { task: Some(self.task), table, ..Reading::default() }
            },
            Recipe::reading,
        )
    }

    /// What a flash file calls its task.
    pub fn device_task(&self) -> format::Task {
        match self.task {
            Task::Classify => format::Task::Class,
            Task::Multilabel => format::Task::Labels,
            Task::Regress => format::Task::Values,
            Task::Reconstruct => format::Task::Reconstruction,
        }
    }

    /// The same with a normalisation that does to the pixels what a table of 256 bytes does.
    ///
    /// # Errors
    /// One clause, if no gamma gives that table.
    pub fn with_table(self, table: Option<[u8; 256]>) -> std::result::Result<Self, String> {
        let Some(table) = table else { return Ok(self) };
        if self.normalisation.table() == Some(table) {
            return Ok(self);
        }
        let normalisation = Normalisation::from_table(&table).ok_or(
            "its pixels go through a table of 256 bytes that no gamma gives, and a model can have no other; import the model \
             that the file was exported from",
        )?;
        Ok(Self { normalisation, ..self })
    }

    /// Refuses metadata that do not belong to a network of `shape`.
    fn check(&self, shape: Shape) -> std::result::Result<(), String> {
        let inputs = self.schema.as_ref().map_or(shape.inputs(), Schema::inputs);
        let outputs = self.target_scale.as_ref().map_or(shape.outputs(), TargetScale::outputs);
        let valid = |value: Option<f32>| value.is_none_or(f32::is_finite);
        if inputs != shape.inputs() {
            return Err(format!("its columns make {inputs} inputs, but it has {}", shape.inputs()));
        }
        if outputs != shape.outputs() {
            return Err(format!("it has units for {outputs} targets, but {} outputs", shape.outputs()));
        }
        if self.temperature.is_some_and(|t| t <= 0.0) || !valid(self.temperature) || !valid(self.threshold) {
            return Err("its temperature or its threshold is damaged".into());
        }
        Ok(())
    }

    /// The entry of a safetensors file's metadata, under [`KEY`].
    ///
    /// # Errors
    /// `Failed` where the numbers cannot be written.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::failed(format!("cannot write the model: {e}")))
    }
}

impl Model {
    /// What it is more than layers of ReLU that classify grey pictures; `None` where it is no more.
    pub fn more_than_layers(&self) -> Option<String> {
        let About { task, schema, activation, channels, .. } = &self.about;
        match () {
            () if *task != Task::Classify => Some(format!("the task {}", task.name())),
            () if schema.is_some() => Some("rows of a table as inputs".into()),
            () if *activation != HiddenActivations::default() => Some(format!("the activation {activation}")),
            () if *channels > 1 => Some("pictures in colour".into()),
            () => None,
        }
    }

    /// Reads a model file, or the one in a run's folder.
    ///
    /// # Errors
    /// `Model` with what is wrong with it.
    pub fn load(path: &Path) -> Result<Self> {
        let file = file_of(path);
        let bytes = std::fs::read(&file).map_err(|e| {
            let Error { message, .. } = Error::unreadable(ErrorKind::Model, &file, &e);
            let hint = if e.kind() == io::ErrorKind::NotFound { none_here(path) } else { String::new() };
            Error::model(format!("no model: {message}{hint}"))
        })?;
        if bytes.starts_with(&MAGIC) {
            return Err(Error::model(format!(
                "{} is a flash file, which holds rounded weights; name the model that it was made of",
                file.display()
            )));
        }
        let parsed = match kind::of(&bytes) {
            Kind::Safetensors if matches!(about_own(&bytes), Ok(None)) => Err(foreign(&typed(&file))),
            Kind::Safetensors => Self::parse(&bytes),
            other => Err(other.no_model(&file)),
        };
        parsed.map_err(|why| Error::model(format!("{}: {why}", file.display())))
    }

    /// A model from the bytes of a file, or why they are none.
    ///
    /// # Errors
    /// One clause without the file's name.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let about = about_own(bytes)?.ok_or_else(|| foreign("FILE"))?;
        let (tensors, shape) = state_dict::parse(bytes)?;
        let shape = about.activation.apply(shape)?;
        about.check(shape)?;
        fit::check_outputs(shape, about.task)?;
        fit::check_names(&about.classes, shape)?;
        about.normalisation.check(shape.inputs())?;
        let params = state_dict::params(&tensors, shape)?;
        Ok(Self { shape, params, about })
    }

    /// The bytes of the model's file; the same model gives the same bytes.
    ///
    /// # Errors
    /// `Failed` where the numbers cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let failed = |e: String| Error::failed(format!("cannot write the model: {e}"));
        let tensors = state_dict::tensors(self.shape, &self.params).map_err(failed)?;
        safetensors::write(&tensors, KEY, &self.about.json()?).map_err(failed)
    }

    /// Writes the model's file.
    ///
    /// # Errors
    /// `Io` where it cannot be written; what was there before stays.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_atomic(path, &self.to_bytes()?)
    }

    /// The name of a class.
    pub fn class(&self, label: usize) -> String {
        self.about.classes.get(label).cloned().unwrap_or_else(|| label.to_string())
    }
}

/// What to type where there is no model at `path`, after `; `.
fn none_here(path: &Path) -> String {
    let folder = typed(path);
    let holds = |folder: &Path| folder.join(FILE).is_file();
    if let Some(other) = kind::of_folder(path) {
        return format!("; {other}");
    }
    let runs = std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path());
    match runs.filter(|run| holds(run)).min() {
        _ if path.join(crate::recipe::config::FILE).is_file() => {
            let previous = Some(path.join(PREVIOUS)).filter(|folder| folder.is_dir());
            let before =
                previous.map_or_else(String::new, |p| format!("; the run before it is {}", p.display()));
            format!(
                "; the run has not come to its end: go on with `selvedge train --resume {folder}`{before}"
            )
        }
        Some(run) => format!("; did you mean {}?", run.display()),
        None => "; `selvedge train` makes one".into(),
    }
}

/// The bytes of a flash file, or `None` where the file is no such file.
///
/// # Errors
/// `Failed` without the memory.
pub fn flash(path: &Path) -> Result<Option<Bytes>> {
    let bytes = std::fs::read(file_of(path)).ok().filter(|bytes| bytes.starts_with(&MAGIC));
    bytes.map(|bytes| Bytes::copy_of(&bytes, "the model")).transpose()
}

/// Checks the bytes of [`flash`].
///
/// # Errors
/// `Model` with what is wrong with them.
pub fn parse_flash<'a>(path: &Path, bytes: &'a Bytes) -> Result<ModelView<'a>> {
    let file = path.display();
    let view = ModelView::parse(bytes).map_err(|e| {
        let again = "; copy it again, or make it again with `selvedge quantize`";
        let sound = matches!(e, selvedge::Error::Newer { .. });
        Error::model(format!("{file}: {e}{}", if sound { "" } else { again }))
    })?;
    match view.header().shape() {
        Ok(_) => Ok(view),
        Err(e) => Err(Error::model(format!("{file}: {e}"))),
    }
}

/// The shape of a flash file that [`parse_flash`] took, or that was made of a model.
pub fn flash_shape(view: &ModelView<'_>) -> Shape {
    view.header().shape().expect("files of more layers than a shape has are refused where they are read")
}

/// Why a state dict that this program did not write is no model; `file` is how it is typed.
fn foreign(file: &str) -> String {
    format!(
        "a safetensors file that does not say that selvedge wrote it; `selvedge import {file} -o net` makes a model of it"
    )
}

/// The metadata of a model file, `None` where another program wrote it; or why it cannot be read. Its checksum is checked.
///
/// # Errors
/// One clause without the file's name.
pub fn about_own(bytes: &[u8]) -> std::result::Result<Option<About>, String> {
    let json = safetensors::read_metadata(bytes, KEY).map_err(|why| match why.ends_with(checksum::MISMATCH) {
        true => format!(
            "{why}; take another copy of it, or train it again (a program that changed it on purpose leaves the \
             metadata's key `{KEY}` out)"
        ),
        false => why,
    })?;
    let Some(json) = json else { return Ok(None) };
    let damaged = |e: serde_json::Error| {
        let newer = e.to_string().starts_with("unknown field");
        format!("its metadata is damaged{}: {e}", if newer { ", or a newer version wrote it" } else { "" })
    };
    let said: serde_json::Value = serde_json::from_str(&json).map_err(damaged)?;
    let activation = said.get("activation").and_then(serde_json::Value::as_str);
    if let Some(Err(why)) = activation.map(str::parse::<HiddenActivations>) {
        return Err(format!(
            "this version does not know its activation: {why}; use the version of selvedge that wrote it"
        ));
    }
    serde_json::from_value(said).map(Some).map_err(damaged)
}

/// `path`, or the model in it where it is a folder.
pub fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(FILE) } else { path.to_path_buf() }
}
