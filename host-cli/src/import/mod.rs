//! Import: a [`Model`] from a file of another program, a safetensors state dict or a graph of ONNX or TensorFlow Lite.
//!
//! The reader of the file's format returns a list of dense layers, however the file names and orders them; this module
//! makes a network of them. A file that is no multilayer perceptron is refused by the name of the tensor or operator that
//! does not fit. Numbers pass unchanged: a network that is exported and imported again gives the same logits.

mod batch_norm;
mod dense;
mod floats;
mod onnx;
mod safetensors;
mod task;
mod tflite;

use std::path::Path;

use clap::ValueEnum;
use selvedge::Shape;

use crate::data::Task;
use crate::data::normalise::{Normalisation, absorb};
use crate::data::table::Schema;
use crate::error::{Error, ErrorKind, Result};
use crate::files::kind::{self, Kind};
use crate::memory::Floats;
use crate::model::state_dict::all_finite;
use crate::model::{self, About, Model};
use crate::recipe::HiddenActivations;

use dense::Dense;
use onnx::GraphNetwork;
use task::Ending;

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

/// What the inputs of a network are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputKind {
    /// Pixels divided by 255, from 0 to 1
    Unit,
    /// Pixels from 0 to 255
    Byte,
    /// Numbers of a table's columns x0, x1, ..., as they are
    Table,
}

/// Facts about a file that the file does not hold.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The layers of a state dict in order, by their prefixes; empty to take the order from names and widths.
    pub order: Vec<String>,
    /// What the inputs are.
    pub inputs: Option<InputKind>,
    /// The activations of a state dict's hidden layers; ReLU if it is not given.
    pub activation: Option<HiddenActivations>,
    /// What the network answers; if it is not given, what the file says, or else one of several classes.
    pub task: Option<Task>,
    /// Whether [`fold_normalisation`] follows, which says what the pixels were normalised by.
    pub is_normalised: bool,
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
        Kind::Onnx => {
            let read = || onnx::read(bytes, folder, options.inputs, options.task);
            return parse_graph(options, read);
        }
        Kind::Tflite => return parse_graph(options, || tflite::read(bytes, options)),
        Kind::Flash => {
            return Err(Refusal::File(
                "a flash file, which holds rounded weights: it is used as it is, and no model comes of it"
                    .into(),
            ));
        }
        other => return Err(Refusal::File(other.no_import())),
    };
    let is_own = read.about.is_some();
    let said = [("--task", options.task.is_some()), ("--activation", options.activation.is_some())];
    if let Some((flag, _)) = said.iter().find(|(_, said)| *said && is_own) {
        return Err(Refusal::Arguments(format!("{flag}: selvedge wrote the file, which says that itself")));
    }
    let mut about = read.about.unwrap_or_default().with_table(read.table)?;
    let (mut layers, mut notes) = (read.layers, read.notes);
    if !is_own {
        about.task = task::of(Ending::Linear, &mut layers, options.task, &mut notes)?;
    }
    if let Some(activation) = &options.activation {
        about.activation = activation.clone();
        let hidden = layers.len().saturating_sub(1);
        let wrong = |why| Refusal::Arguments(format!("--activation {activation}: {why}"));
        activation.check(hidden).map_err(wrong)?;
    } else if !is_own && layers.len() > 1 {
        notes.push(ASSUMES_RELU.into());
    }
    let mut imported = assemble(layers, about)?;
    imported.notes = notes;
    imported.is_own = is_own;
    let About { normalisation, schema, .. } = &imported.model.about;
    imported.defines_inputs = *normalisation != Normalisation::default() || schema.is_some();
    match options.inputs {
        Some(_) if imported.defines_inputs => Err(Refusal::Arguments(format!("--inputs: {DEFINES_INPUTS}"))),
        Some(InputKind::Byte) => {
            let Model { shape, params, .. } = &mut imported.model;
            let maps = std::iter::repeat((255.0, 0.0));
            absorb(*shape, params, maps).map_err(|e| Refusal::File(e.message))?;
            all_finite("its first layer times 255", params.to_vec())?;
            if imported.model.about.task == Task::Reconstruct {
                return Err(Refusal::Arguments(BYTES_RECONSTRUCTED.into()));
            }
            Ok(imported)
        }
        Some(InputKind::Table) => {
            imported.model.about.schema = Some(columns(imported.model.shape.inputs()));
            Ok(imported)
        }
        Some(InputKind::Unit) | None => Ok(imported),
    }
}

/// Why arguments cannot define the inputs.
const DEFINES_INPUTS: &str = "the file says itself how its inputs are normalised";

/// Why an autoencoder of bytes is refused.
const BYTES_RECONSTRUCTED: &str = "--inputs byte: outputs of 0 to 255 are not compared with pixels, which are 0 to 1 here; \
    train it on pixels divided by 255";

/// What is assumed of a state dict without `--activation`.
const ASSUMES_RELU: &str = "a state dict does not say its activation: ReLU was taken between the layers; say another with \
    --activation, and check with `selvedge eval` on its test images, since with the wrong one the accuracy is off";

/// Columns of numbers without names of their own.
fn columns(count: usize) -> Schema {
    Schema::of_columns((0..count).map(|column| format!("x{column}")))
}

/// The model of a graph.
fn parse_graph(
    options: &ImportOptions,
    read: impl FnOnce() -> Clause<GraphNetwork>,
) -> std::result::Result<Imported, Refusal> {
    let says = |flag: &str, what: &str| {
        Err(Refusal::Arguments(format!("{flag} goes with state dicts: a graph says {what}")))
    };
    if !options.order.is_empty() {
        return says("--order", "the order of its layers");
    }
    if options.activation.is_some() {
        return says("--activation", "its activations");
    }
    let mut read = read()?;
    let said = read.said;
    if options.task.is_some() && said.task.is_some() {
        return Err(Refusal::Arguments("--task: selvedge wrote the file, which says that itself".into()));
    }
    let is_byte = read.has_integer_input && options.inputs == Some(InputKind::Unit);
    if options.inputs.is_some() && (read.table.is_some() || said.task.is_some() || is_byte) {
        return Err(Refusal::Arguments(format!("--inputs: {DEFINES_INPUTS}")));
    }
    let task = task::of(read.ending, &mut read.layers, said.task.or(options.task), &mut read.notes)?;
    // The score of standardised pixels is another than that of the pixels, which the model takes.
    let threshold = said.threshold.filter(|_| !said.inputs.is_empty() || !read.defines_inputs);
    let about = About {
        classes: read.classes,
        image: read.image,
        activation: HiddenActivations::from_layers(read.activations),
        task,
        threshold,
        temperature: said.temperature,
        ..About::default()
    };
    let mut imported = assemble(read.layers, about.with_table(read.table)?)?;
    let Imported { model: Model { shape, about, .. }, .. } = &mut imported;
    if !said.inputs.is_empty() {
        about.schema = Some(Schema::of_columns(said.inputs));
    } else if options.inputs == Some(InputKind::Table) {
        about.schema = Some(columns(shape.inputs()));
    }
    // Our own file says that it takes pixels divided by 255.
    let defines_inputs = read.defines_inputs || said.task.is_some();
    if let Some(map) = read.standardise {
        about.normalisation = map.to_normalisation(shape.inputs());
    }
    let own = about.schema.as_ref().map_or(shape.inputs(), Schema::inputs);
    if own != shape.inputs() {
        return Err(Refusal::File(format!("it names {own} inputs, but has {}", shape.inputs())));
    }
    Ok(Imported { notes: read.notes, defines_inputs, ..imported })
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
    let shape = about.activation.apply(Shape::new(&widths).map_err(|e| e.to_string())?)?;
    model::fit::check_outputs(shape, about.task)?;
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
    if model.about.task == Task::Reconstruct {
        return Err(Error::usage(
            "--mean and --std: the outputs of an autoencoder would be compared with pixels that are not normalised; train it on \
             pixels divided by 255",
        ));
    }
    let (mean, std) = (f64::from(mean), f64::from(std));
    absorb(model.shape, &mut model.params, std::iter::repeat((1.0 / std, mean / std)))?;
    if model.params.iter().all(|p| p.is_finite()) {
        return Ok(());
    }
    Err(Error::model("with that --mean and --std the first layer's weights overflow"))
}
