//! Import: a [`Model`] from a file of another program, a safetensors state dict or an ONNX graph.
//!
//! The reader of the file's format returns a list of dense layers, however the file names and orders them; this module
//! makes a network of them. A file that is no multilayer perceptron is refused by the name of the tensor or operator that
//! does not fit. Numbers pass unchanged: a network that is exported and imported again gives the same logits.

mod batch_norm;
mod dense;
mod floats;
mod onnx;
mod safetensors;

use std::path::Path;

use clap::ValueEnum;
use selvedge::Shape;

use crate::data::normalise::{Normalisation, absorb};
use crate::error::{Error, ErrorKind, Result};
use crate::files::kind::{self, Kind};
use crate::memory::Floats;
use crate::model::state_dict::all_finite;
use crate::model::{self, About, Model};

use dense::Dense;

/// A result whose error is a clause that completes an error message: it does not name the file.
type Clause<T> = std::result::Result<T, String>;

/// Why an import is refused: a clause without the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The file is at fault, exit code 4.
    File(String),
    /// The arguments are at fault, exit code 2.
    Arguments(String),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::File(why)
    }
}

/// The range of the pixels that a network was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PixelRange {
    /// Pixels divided by 255, from 0 to 1
    Unit,
    /// Pixels from 0 to 255
    Byte,
}

/// Facts about a file that the file does not hold.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The layers of a state dict in order, by their prefixes; empty to take the order from names and widths.
    pub order: Vec<String>,
    /// The range of the pixels.
    pub inputs: Option<PixelRange>,
}

/// An imported model, and the tensors that it came from.
#[derive(Debug)]
pub struct Imported {
    /// The model.
    pub model: Model,
    /// The names of weights and biases in the file, layer by layer; empty for missing biases.
    pub names: Vec<[String; 2]>,
    /// Assumptions about what the file leaves open.
    pub notes: Vec<String>,
    /// Whether the file defines the normalisation of its inputs.
    pub defines_inputs: bool,
    /// Whether this program wrote the file, so that nothing is left open.
    pub is_own: bool,
}

/// Reads a model that another program wrote.
///
/// # Errors
/// `Model` if the file is no model, `Usage` if `options` do not apply to it.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported> {
    let unreadable = |e| match kind::of_folder(path) {
        Some(other) => Error::model(format!("{}: {other}", path.display())),
        None => Error::unreadable(ErrorKind::Model, path, &e),
    };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let whole = safetensors::shards::whole(path).map_err(Refusal::File);
    let imported = whole.and_then(|()| parse(&bytes, path.parent(), options));
    imported.map_err(|refusal| match refusal {
        Refusal::File(why) => Error::model(format!("{}: {why}", path.display())),
        Refusal::Arguments(why) => Error::usage(format!("{}: {why}", path.display())),
    })
}

/// The model in the bytes of a file in `folder`, where the other files of the model are looked for.
///
/// # Errors
/// One clause without the file's name.
pub fn parse(
    bytes: &[u8],
    folder: Option<&Path>,
    options: &ImportOptions,
) -> std::result::Result<Imported, Refusal> {
    let read = match kind::of(bytes) {
        Kind::Safetensors => safetensors::read(bytes, &options.order)?,
        Kind::SafetensorsIndex => safetensors::shards::read(bytes, folder, &options.order)?,
        Kind::Onnx => return parse_onnx(bytes, folder, options),
        Kind::Flash => {
            return Err(Refusal::File(
                "a flash file, which holds rounded weights: it is used as it is, and no model comes of it"
                    .into(),
            ));
        }
        other => return Err(Refusal::File(other.no_import())),
    };
    let is_own = read.about.is_some();
    let about = read.about.unwrap_or_default().with_table(read.table)?;
    let mut imported = assemble(read.layers, about)?;
    imported.notes = read.notes;
    imported.is_own = is_own;
    imported.defines_inputs = imported.model.about.normalisation != Normalisation::default();
    match options.inputs {
        Some(_) if imported.defines_inputs => Err(Refusal::Arguments(format!("--inputs: {DEFINES_INPUTS}"))),
        Some(PixelRange::Byte) => {
            let Model { shape, params, .. } = &mut imported.model;
            let maps = std::iter::repeat((255.0, 0.0));
            absorb(*shape, params, maps).map_err(|e| Refusal::File(e.message))?;
            all_finite("its first layer times 255", params.to_vec())?;
            Ok(imported)
        }
        _ => Ok(imported),
    }
}

/// Why arguments cannot define the inputs.
const DEFINES_INPUTS: &str = "the file says itself how its inputs are normalised";

/// The model of an ONNX graph.
fn parse_onnx(
    bytes: &[u8],
    folder: Option<&Path>,
    options: &ImportOptions,
) -> std::result::Result<Imported, Refusal> {
    if !options.order.is_empty() {
        return Err(Refusal::Arguments(
            "--order goes with state dicts: a graph says the order of its layers".into(),
        ));
    }
    let read = onnx::read(bytes, folder, options.inputs)?;
    let fixed = read.table.is_some() || read.has_integer_input && options.inputs == Some(PixelRange::Unit);
    if fixed && options.inputs.is_some() {
        return Err(Refusal::Arguments(format!("--inputs: {DEFINES_INPUTS}")));
    }
    let about = About { classes: read.classes, image: read.image, ..About::default() };
    let imported = assemble(read.layers, about.with_table(read.table)?)?;
    Ok(Imported { notes: read.notes, defines_inputs: read.defines_inputs, ..imported })
}

/// The network of some layers, in their order.
fn assemble(layers: Vec<Dense>, about: About) -> Clause<Imported> {
    let first = layers.first().ok_or("it holds no dense layer")?;
    let mut widths = vec![first.dims[1]];
    for pair in layers.windows(2) {
        if pair[0].dims[0] != pair[1].dims[1] {
            return Err(format!(
                "{} has {} inputs, but {} in front of it has {} outputs",
                pair[1].names[0], pair[1].dims[1], pair[0].names[0], pair[0].dims[0]
            ));
        }
    }
    widths.extend(layers.iter().map(|l| l.dims[0]));
    let shape = Shape::new(&widths).map_err(|e| e.to_string())?;
    model::fit::check_outputs(shape)?;
    let mut params = Floats::zeroed(shape.params(), &shape.to_string()).map_err(|e| e.message)?;
    for (to, from) in shape.split_mut(&mut params).map_err(|e| e.to_string())?.into_iter().zip(&layers) {
        let [o, i] = from.dims;
        selvedge::kernel::transpose(o, i, &from.weights, to.weights);
        to.biases.copy_from_slice(&from.biases);
    }
    model::fit::check_names(&about.classes, shape)?;
    let names = layers.into_iter().map(|l| l.names).collect();
    about.normalisation.check(shape.inputs())?;
    let about = About { version: env!("CARGO_PKG_VERSION").into(), ..about };
    Ok(Imported {
        model: Model { shape, params, about },
        names,
        notes: Vec::new(),
        defines_inputs: false,
        is_own: false,
    })
}

/// Folds the normalisation `(x - mean) / std` into the first layer, so that the network takes `x`.
///
/// # Errors
/// `Usage` if the file defines its own normalisation, `Model` if the weights overflow.
pub fn fold_normalisation(imported: &mut Imported, mean: f32, std: f32) -> Result<()> {
    if imported.defines_inputs {
        return Err(Error::usage(format!("--mean and --std: {DEFINES_INPUTS}")));
    }
    let model = &mut imported.model;
    let (mean, std) = (f64::from(mean), f64::from(std));
    absorb(model.shape, &mut model.params, std::iter::repeat((1.0 / std, mean / std)))?;
    if model.params.iter().all(|p| p.is_finite()) {
        return Ok(());
    }
    Err(Error::model("with that --mean and --std the first layer's weights overflow"))
}
