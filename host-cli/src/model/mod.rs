//! The f32 model file: `safetensors` with PyTorch's names and orientation, and everything else in its metadata.
//!
//! Layer `n`, counted from 1, is `fcN.weight (o, i)` and `fcN.bias (o)`, both f32, so that the file opens in PyTorch. All
//! metadata is one JSON value under one key, since the bytes of a file must not depend on the order of a hash map. It opens
//! with the file's checksum, which is checked wherever the file is read; a program that changes a model and keeps the
//! metadata makes a file that is refused as damaged, so it has to leave the key `selvedge` out.

pub mod fit;
pub mod fold;

use std::io;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use selvedge::Shape;
use selvedge::format::{Dtype, Header, MAGIC, ModelView, Packing};
use selvedge::shape::MAX_LAYERS;
use serde::{Deserialize, Serialize};

use crate::data::normalise::Normalisation;
use crate::error::{Error, ErrorKind, Result, typed};
use crate::files;
use crate::files::checksum;
use crate::files::kind::{self, Kind};
use crate::memory::{Bytes, Floats};
use crate::recipe::Recipe;

mod activation;

pub use activation::Activation;

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
    /// How pixels become inputs.
    pub normalisation: Normalisation,
    /// The activation of its hidden layers; ReLU in files that do not say it.
    pub activation: Activation,
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

impl About {
    /// The header of a flash file of this network.
    ///
    /// # Errors
    /// What the format refuses.
    pub fn header(
        &self,
        shape: Shape,
        dtype: Dtype,
        packing: Packing,
    ) -> std::result::Result<Header, selvedge::Error> {
        let header = Header::new(shape, dtype, packing)?.with_label_bytes(self.classes.join("\n").len())?;
        let header = match self.image {
            Some((rows, cols)) => header.with_image(rows, cols)?,
            None => header,
        };
        Ok(if self.normalisation.table().is_some() { header.with_table() } else { header })
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
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|e| format!("not a readable safetensors file: {e}"))?;
        let shape = shape_of(&tensors)?;
        fit::check_outputs(shape)?;
        fit::check_names(&about.classes, shape)?;
        about.normalisation.check(shape.inputs())?;
        let mut params = Floats::zeroed(shape.params(), &format!("{shape}")).map_err(|e| e.message)?;
        let layers = shape.split_mut(&mut params).map_err(|e| e.to_string())?;
        for (n, (layer, i)) in layers.into_iter().zip(shape.widths()).enumerate() {
            let o = layer.biases.len();
            let weights = floats(&tensors, &weight_name(n))?;
            selvedge::kernel::transpose(o, i, &weights, layer.weights);
            layer.biases.copy_from_slice(&floats(&tensors, &bias_name(n))?);
        }
        Ok(Self { shape, params, about })
    }

    /// The bytes of the model's file; the same model gives the same bytes.
    ///
    /// # Errors
    /// `Failed` where the numbers cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let failed = |e: String| Error::failed(format!("cannot write the model: {e}"));
        let layers = self.shape.split(&self.params).map_err(|e| failed(e.to_string()))?;
        let mut tensors = Vec::new();
        for (n, (layer, i)) in layers.iter().zip(self.shape.widths()).enumerate() {
            let o = layer.biases.len();
            let mut weights = vec![0.0; i * o];
            selvedge::kernel::transpose(i, o, layer.weights, &mut weights);
            tensors.push((weight_name(n), vec![o, i], little_endian(&weights)));
            tensors.push((bias_name(n), vec![o], little_endian(layer.biases)));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes)
                .map_err(|e| failed(e.to_string()))?;
            Ok((name.clone(), view))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        checksum::write_tensors(views, KEY, &self.about.json()?).map_err(failed)
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
    ModelView::parse(bytes).map_err(|e| {
        Error::model(format!(
            "{}: {e}; copy it again, or make it again with `selvedge quantize`",
            path.display()
        ))
    })
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
    let json = checksum::read_tensors(bytes, KEY).map_err(|why| match why.ends_with(checksum::MISMATCH) {
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
    if let Some(other) = said.get("activation").filter(|a| **a != Activation::Relu.name()) {
        return Err(format!(
            "its activation is {other}, which this version does not know, only {:?}; use the version of selvedge that \
             wrote it",
            Activation::Relu.name()
        ));
    }
    serde_json::from_value(said).map(Some).map_err(damaged)
}

/// `path`, or the model in it where it is a folder.
pub fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(FILE) } else { path.to_path_buf() }
}

fn weight_name(n: usize) -> String {
    format!("fc{}.weight", n + 1)
}

fn bias_name(n: usize) -> String {
    format!("fc{}.bias", n + 1)
}

/// The widths that the tensors' shapes make, if they make any.
fn shape_of(tensors: &SafeTensors<'_>) -> std::result::Result<Shape, String> {
    let layers = (0..).take_while(|&n| tensors.tensor(&weight_name(n)).is_ok()).count();
    if layers == 0 {
        return Err("it has no tensor fc1.weight".into());
    }
    if layers > MAX_LAYERS {
        return Err(format!("{layers} layers: a network has 1 to {MAX_LAYERS}"));
    }
    let mut widths = Vec::new();
    for n in 0..layers {
        let name = weight_name(n);
        let weight = tensors.tensor(&name).map_err(|e| e.to_string())?;
        let &[o, i] = weight.shape() else {
            return Err(format!("{name} has shape {:?}, expected [out, in]", weight.shape()));
        };
        match widths.last() {
            None => widths.push(i),
            Some(&before) if before == i => {}
            Some(&before) => {
                return Err(format!("{name} has {i} inputs, but the layer before it has {before} outputs"));
            }
        }
        let name = bias_name(n);
        let bias = tensors.tensor(&name).map_err(|_| format!("it has no tensor {name}"))?;
        if bias.shape() != [o] {
            return Err(format!("{name} has shape {:?}, expected [{o}]", bias.shape()));
        }
        widths.push(o);
    }
    if tensors.len() != 2 * layers {
        let mut names = tensors.names();
        names.sort_unstable();
        let known: Vec<_> = (0..layers).flat_map(|n| [weight_name(n), bias_name(n)]).collect();
        let other = names.iter().find(|n| !known.contains(&(**n).to_string())).copied().unwrap_or_default();
        return Err(format!("it has a tensor {other} that belongs to no layer of a multilayer perceptron"));
    }
    Shape::new(&widths).map_err(|e| e.to_string())
}

/// The values of an f32 tensor, all finite.
fn floats(tensors: &SafeTensors<'_>, name: &str) -> std::result::Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|e| e.to_string())?;
    if tensor.dtype() != safetensors::Dtype::F32 {
        return Err(format!("{name} is {:?}, expected F32", tensor.dtype()));
    }
    let values: Vec<f32> = tensor
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().expect("a chunk of four")))
        .collect();
    all_finite(name, values)
}

/// A tensor's values, unless one is infinite or not a number.
///
/// # Errors
/// One clause with the tensor's name.
pub fn all_finite(name: &str, values: Vec<f32>) -> std::result::Result<Vec<f32>, String> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(format!("{name} holds {} at position {at}", values[at])),
        None => Ok(values),
    }
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}
