//! A model of a file of another program: which reader takes it, what is said of it, and the network that its layers make.

use std::path::Path;

use clap::ValueEnum;
use selvedge::Shape;

use super::{Clause, Dense, onnx, safetensors};
use crate::data::normalise::{Normalisation, absorb};
use crate::error::{Error, ErrorKind, Result};
use crate::files::kind::{self, Kind};
use crate::memory::Floats;
use crate::model::fold::Folded;
use crate::model::{self, About, Model, all_finite};

/// Why an import is refused: for what is in the file, or for what the arguments say of it. A clause without the file's
/// name either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The file's fault, exit code 4.
    File(String),
    /// The arguments', exit code 2.
    Arguments(String),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::File(why)
    }
}

/// The inputs that a network was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Inputs {
    /// Pixels divided by 255, from 0 to 1
    Unit,
    /// Pixels from 0 to 255
    Byte,
}

/// What is said of a file that does not say it itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The layers of a state dict in order, by their prefixes; empty where names and widths are to say it.
    pub order: Vec<String>,
    /// The inputs.
    pub inputs: Option<Inputs>,
}

/// An imported model, and which tensor became which.
#[derive(Debug)]
pub struct Imported {
    /// The model.
    pub model: Model,
    /// Layer by layer the names in the file, weights and biases; empty for biases that it does not have.
    pub names: Vec<[String; 2]>,
    /// What the file was taken to mean, where it does not say it.
    pub notes: Vec<String>,
    /// Whether the file says itself how its inputs come of pixels.
    pub says_inputs: bool,
    /// Whether this program wrote the file, so that nothing is left open.
    pub own: bool,
}

/// Reads a model that another program wrote.
///
/// # Errors
/// Exit code 4 with what is wrong with it, 2 with what `options` has no place for.
pub fn import(path: &Path, options: &Options) -> Result<Imported> {
    let unreadable = |e| match kind::of_folder(path) {
        Some(other) => Error::model(format!("{}: {other}", path.display())),
        None => Error::unreadable(ErrorKind::Model, path, &e),
    };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let whole = safetensors::index::whole(path).map_err(Refusal::File);
    let imported = whole.and_then(|()| parse(&bytes, path.parent(), options));
    imported.map_err(|refusal| match refusal {
        Refusal::File(why) => Error::model(format!("{}: {why}", path.display())),
        Refusal::Arguments(why) => Error::misused(format!("{}: {why}", path.display())),
    })
}

/// The model in the bytes of a file in `folder`, where an ONNX file may keep tensors in files of their own.
///
/// # Errors
/// One clause without the file's name.
pub fn parse(
    bytes: &[u8],
    folder: Option<&Path>,
    options: &Options,
) -> std::result::Result<Imported, Refusal> {
    let read = match kind::of(bytes) {
        Kind::Safetensors => safetensors::read(bytes, &options.order)?,
        Kind::SafetensorsIndex => safetensors::index::read(bytes, folder, &options.order)?,
        Kind::Onnx => return graph(bytes, folder, options),
        Kind::Flash => {
            return Err(Refusal::File(
                "a flash file, which holds rounded weights: it is used as it is, and no model comes of it"
                    .into(),
            ));
        }
        other => return Err(Refusal::File(other.no_import())),
    };
    let own = read.about.is_some();
    let about = with_table(read.about.unwrap_or_default(), read.table)?;
    let mut imported = assemble(read.layers, about)?;
    imported.notes = read.notes;
    imported.own = own;
    imported.says_inputs = imported.model.about.normalisation != Normalisation::default();
    match options.inputs {
        Some(_) if imported.says_inputs => Err(Refusal::Arguments(format!("--inputs: {SAYS_INPUTS}"))),
        Some(Inputs::Byte) => {
            let Model { shape, params, .. } = &mut imported.model;
            let rows = std::iter::repeat((255.0, 0.0));
            absorb(*shape, params, rows).map_err(|e| Refusal::File(e.message))?;
            all_finite("its first layer times 255", params.to_vec())?;
            Ok(imported)
        }
        _ => Ok(imported),
    }
}

/// Why nothing can be said of the inputs.
const SAYS_INPUTS: &str = "the file says itself how its inputs are normalised";

/// The model of an ONNX graph.
fn graph(bytes: &[u8], folder: Option<&Path>, options: &Options) -> std::result::Result<Imported, Refusal> {
    if !options.order.is_empty() {
        return Err(Refusal::Arguments(
            "--order goes with state dicts: a graph says the order of its layers".into(),
        ));
    }
    let read = onnx::read(bytes, folder, options.inputs)?;
    let fixed = read.table.is_some() || read.whole && options.inputs == Some(Inputs::Unit);
    if fixed && options.inputs.is_some() {
        return Err(Refusal::Arguments(format!("--inputs: {SAYS_INPUTS}")));
    }
    let about = About { classes: read.classes, image: read.image, ..About::default() };
    let imported = assemble(read.layers, with_table(about, read.table)?)?;
    Ok(Imported { notes: read.notes, says_inputs: read.says_inputs, ..imported })
}

/// `about` with the normalisation that makes of pixels what a table does.
fn with_table(about: About, table: Option<[u8; 256]>) -> Clause<About> {
    let Some(table) = table else { return Ok(about) };
    if about.normalisation.table() == Some(table) {
        return Ok(about);
    }
    let normalisation = Normalisation::of_table(&table).ok_or(
        "the table of its pixels is none of a gamma, which is all that a model can have; import the model that the file \
         was exported from",
    )?;
    Ok(About { normalisation, ..about })
}

/// The network that the layers make, in their order.
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
    for (layer, from) in shape.split_mut(&mut params).map_err(|e| e.to_string())?.into_iter().zip(&layers) {
        let [o, i] = from.dims;
        selvedge::kernel::transpose(o, i, &from.weights, layer.weights);
        layer.biases.copy_from_slice(&from.biases);
    }
    model::fit::check_names(&about.classes, shape)?;
    let names = layers.into_iter().map(|l| l.names).collect();
    about.normalisation.check(shape.inputs())?;
    let about = About { version: env!("CARGO_PKG_VERSION").into(), ..about };
    Ok(Imported {
        model: Model { shape, params, about },
        names,
        notes: Vec::new(),
        says_inputs: false,
        own: false,
    })
}

/// Makes a network that was trained on `(x - mean) / std` take `x`: the first layer absorbs both.
///
/// # Errors
/// Exit code 2 where the file says itself how its inputs are normalised, 4 where the weights overflow.
pub fn fold_normalisation(imported: &mut Imported, mean: f32, std: f32) -> Result<()> {
    if imported.says_inputs {
        return Err(Error::misused(format!("--mean and --std: {SAYS_INPUTS}")));
    }
    let model = &mut imported.model;
    let (mean, std) = (f64::from(mean), f64::from(std));
    absorb(model.shape, &mut model.params, std::iter::repeat((1.0 / std, mean / std)))?;
    if model.params.iter().all(|p| p.is_finite()) {
        return Ok(());
    }
    Err(Error::model("with that --mean and --std the first layer's weights overflow"))
}

/// What an exported state dict says of itself to this program.
pub(super) fn about(net: &Folded, classes: &[String]) -> Clause<About> {
    let about =
        About { version: env!("CARGO_PKG_VERSION").into(), classes: classes.to_vec(), ..About::default() };
    with_table(about, net.table)
}
