//! Models from and for other programs: safetensors state dicts, ONNX, npz, C.
//!
//! What comes in is a list of [`Dense`] layers, in whatever way the file names and orders them, and becomes a [`Model`](crate::model::Model)
//! in one place; what is none is refused by the name of the tensor or the operator. Numbers pass unchanged: a network
//! that went out and came back gives the same logits.

mod affine;
mod c;
mod import;
mod npz;
pub mod onnx;
mod safetensors;
mod tensors;
mod widen;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use selvedge::format::ModelView;

use crate::data::Set;
use crate::error::{Error, Result};
use crate::inference::Logits;
use crate::model::fold::Folded;

pub use import::{Imported, Inputs, Options, Refusal, fold_normalisation, import, parse};

/// Why a file is no model, as a clause without the file's name.
pub type Clause<T> = std::result::Result<T, String>;

/// A dense layer as another program keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// The tensors' names, weights and biases; the second is empty where it has none.
    pub names: [String; 2],
    /// `(out, in)`.
    pub dims: [usize; 2],
    /// `(out, in)` row-major, all finite.
    pub weights: Vec<f32>,
    /// `(out)`, all finite.
    pub biases: Vec<f32>,
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
    Integer(&'a ModelView<'a>),
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
        Format::Safetensors => tensors().and_then(|t| match net {
            Net::Float(net, classes) => safetensors::write(&t, Some(&import::about(net, classes)?)),
            Net::Integer(_) => safetensors::write(&t, None),
        }),
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
