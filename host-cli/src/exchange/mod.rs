//! Models from and for other programs: safetensors state dicts, ONNX, npz, C.
//!
//! What comes in is a list of [`Dense`] layers, in whatever way the file names and orders them, and becomes a [`Model`]
//! in one place; what is none is refused by the name of the tensor or the operator. Numbers pass unchanged: a network
//! that went out and came back gives the same logits.

mod c;
mod npz;
pub mod onnx;
mod safetensors;
mod tensors;
mod widen;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use selvedge::Shape;
use selvedge::format::{Image, MAGIC};

use crate::data::Set;
use crate::error::{Error, Exit, Result};
use crate::fold::Folded;
use crate::kind::looks_like_safetensors;
use crate::memory::Floats;
use crate::model::{About, Model};
use crate::normalise::{Normalisation, absorb};

/// Why a file is no model, as a clause without the file's name.
pub type Clause<T> = std::result::Result<T, String>;

/// A dense layer as another program keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// The tensors' names, weights and biases.
    pub names: [String; 2],
    /// `(out, in)`.
    pub dims: [usize; 2],
    /// `(out, in)` row-major, all finite.
    pub weights: Vec<f32>,
    /// `(out)`, all finite.
    pub biases: Vec<f32>,
}

/// An imported model, and which tensor became which.
#[derive(Debug)]
pub struct Imported {
    /// The model.
    pub model: Model,
    /// Layer by layer the names in the file, weights and biases.
    pub names: Vec<[String; 2]>,
}

/// Reads a model that another program wrote.
///
/// # Errors
/// Exit code 4 with what is wrong with it.
pub fn import(path: &Path) -> Result<Imported> {
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(Exit::Model, path, &e))?;
    parse(&bytes, path.parent()).map_err(|why| Error::model(format!("{}: {why}", path.display())))
}

/// The model in the bytes of a file in `folder`, where an ONNX file may keep tensors in files of their own.
///
/// # Errors
/// One clause without the file's name.
pub fn parse(bytes: &[u8], folder: Option<&Path>) -> Clause<Imported> {
    let (layers, about) = if looks_like_safetensors(bytes) {
        safetensors::read(bytes)?
    } else if bytes.starts_with(&MAGIC) {
        return Err(
            "a flash file, which holds rounded weights: it is used as it is, and no model comes of it".into(),
        );
    } else if is_numpy(bytes) {
        return Err("an archive of numpy's; write its arrays with safetensors.numpy.save_file(dict(numpy.load(\"net.npz\")), \
                    \"model.safetensors\")"
            .into());
    } else if is_pickle(bytes) {
        return Err(
            "a pickle of PyTorch's, which can run code when it is opened; in PyTorch, write the weights with \
             safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")"
                .into(),
        );
    } else {
        (onnx::read(bytes, folder)?, About::default())
    };
    assemble(layers, about)
}

/// An npz file is a zip file whose first entry is an array.
fn is_numpy(bytes: &[u8]) -> bool {
    let name = bytes.get(26).and_then(|&len| bytes.get(30..30 + usize::from(len)));
    bytes.starts_with(b"PK\x03\x04") && name.is_some_and(|name| name.ends_with(b".npy"))
}

/// PyTorch pickles into a zip file, and did so without one in its youth.
fn is_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || (bytes.starts_with(&[0x80]) && bytes.get(1).is_some_and(|&v| v < 6))
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
    let mut params = Floats::zeroed(shape.params(), &shape.to_string()).map_err(|e| e.message)?;
    for (layer, from) in shape.split_mut(&mut params).map_err(|e| e.to_string())?.into_iter().zip(&layers) {
        let [o, i] = from.dims;
        selvedge::kernel::transpose(o, i, &from.weights, layer.weights);
        layer.biases.copy_from_slice(&from.biases);
    }
    if !about.classes.is_empty() && about.classes.len() != shape.outputs() {
        return Err(format!("{} class names for {} outputs", about.classes.len(), shape.outputs()));
    }
    let names = layers.into_iter().map(|l| l.names).collect();
    about.normalisation.check(shape.inputs())?;
    let about = About { version: env!("CARGO_PKG_VERSION").into(), ..about };
    Ok(Imported { model: Model { shape, params, about }, names })
}

/// Makes a network that was trained on `(x - mean) / std` take `x`: the first layer absorbs both.
///
/// # Errors
/// Exit code 2 where the model has a normalisation already, 4 where the weights overflow.
pub fn fold_normalisation(model: &mut Model, mean: f32, std: f32) -> Result<()> {
    if model.about.normalisation != Normalisation::default() {
        return Err(Error::misused("--mean and --std: the file says itself how its inputs are normalised"));
    }
    let (mean, std) = (f64::from(mean), f64::from(std));
    absorb(model.shape, &mut model.params, std::iter::repeat((1.0 / std, mean / std)))?;
    if model.params.iter().all(|p| p.is_finite()) {
        return Ok(());
    }
    Err(Error::model("with that --mean and --std the first layer's weights overflow"))
}

/// What a model can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A PyTorch state dict: fc1.weight, fc1.bias, ...
    Safetensors,
    /// A graph of Gemm, Relu and Softmax, of a flash file of integers with QuantizeLinear around them
    Onnx,
    /// A graph of integer operators alone, whose logits are those of a flash file of integers to the last bit
    OnnxInteger,
    /// numpy arrays with the names of the state dict
    Npz,
    /// C99: a header and a source with weights and an inference function
    C,
    /// A flash file
    Selv,
    /// A Rust module around a flash file
    Rust,
    /// A cargo project that runs a flash file on a board
    Firmware,
}

/// The logits of images, image by image.
#[derive(Debug, Clone, PartialEq)]
pub enum Logits {
    /// Of a network of floats.
    Float(Vec<f32>),
    /// Of a file of integers.
    Integer(Vec<i32>),
}

/// The images at `index` of a set, their classes and their logits as an npz file, for other programs to compare with
/// theirs.
///
/// # Errors
/// Exit code 1 where it cannot be written.
pub fn logits(set: &Set, index: &[u32], logits: &Logits) -> Result<Vec<u8>> {
    npz::write(&tensors::of_images(set, index, logits)).map_err(Error::failed)
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub enum Net<'a> {
    /// A network of floats, and the names of its classes.
    Float(&'a Folded, &'a [String]),
    /// A flash file of integers.
    Integer(&'a Image<'a>),
}

/// The files that hold `net` in another program's format, `out` the first of them. `prefix` is what C's names start with,
/// if not the file's name.
///
/// # Errors
/// Exit code 1 where the format cannot hold it, 2 for a bad prefix.
pub fn export(
    net: Net<'_>,
    format: Format,
    out: &Path,
    prefix: Option<&str>,
) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    if prefix.is_some() && format != Format::C {
        return Err(Error::misused("--prefix goes with --format c alone"));
    }
    let tensors = || match net {
        Net::Float(net, _) => tensors::of(net),
        Net::Integer(image) => Ok(tensors::of_integers(image)),
    };
    let bytes = match format {
        Format::Safetensors => tensors().and_then(|t| safetensors::write(&t)),
        Format::Npz => tensors().and_then(|t| npz::write(&t)),
        // Written from the model itself, which knows its images and packs its weights.
        Format::Selv | Format::Rust | Format::Firmware => {
            return Err(Error::misused("flash files are no exchange format"));
        }
        Format::Onnx => match net {
            Net::Float(net, classes) => onnx::write(net, classes),
            Net::Integer(image) => Ok(onnx::write_integer(image)),
        },
        Format::OnnxInteger => match net {
            Net::Float(..) => {
                return Err(Error::misused(
                    "--format onnx-integer takes a flash file of integers, as `selvedge quantize` makes them",
                ));
            }
            Net::Integer(image) => Ok(onnx::write_exact(image)),
        },
        Format::C => {
            let name = c::prefix(prefix, out)?;
            let files = match net {
                Net::Float(net, classes) => c::float(net, classes, &name),
                Net::Integer(image) => c::integer(image, &name),
            };
            return Ok(c::named(files, out, &name));
        }
    };
    let bytes = bytes.map_err(|why| Error::failed(format!("cannot export the model: {why}")))?;
    Ok(vec![(out.to_path_buf(), bytes)])
}
