//! Export: a model in another program's format.
//!
//! Each format is an [`Exporter`] in its own module, and [`FORMATS`] lists them all: the values of `--format`, their help
//! and the errors of options that do not fit come from that list. A new format is one module and one entry.
//!
//! Exporters do not touch the disk: they return the [`Exported`] files, and the command writes them. Numbers pass
//! unchanged: a network that is exported and imported again gives the same logits.

mod c;
mod firmware;
mod flash;
mod npz;
mod onnx;
mod package;
mod state_dict;
mod tensors;
mod tflite;

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::PossibleValue;
use selvedge::Activation;
use selvedge::format::{Dtype, ModelView, Packing, Task};
use serde_json::{Value, json};

use crate::data::table::Schema;
use crate::error::{Error, Result};
use crate::memory::size;
use crate::model::Model;
use crate::model::fold::{self, Folded};

pub use c::Storage;
pub use firmware::FirmwareOptions;
pub use npz::logits;

/// The formats, in the order of the help.
pub static FORMATS: [Format; 11] = [
    Format(&state_dict::StateDict),
    Format(&onnx::Onnx),
    Format(&onnx::OnnxInteger),
    Format(&tflite::Tflite),
    Format(&npz::Npz),
    Format(&c::C),
    Format(&package::Cmake),
    Format(&package::Arduino),
    Format(&flash::FlashFile),
    Format(&flash::RustModule),
    Format(&firmware::Firmware),
];

/// What a format has to provide.
pub trait Exporter: Sync {
    /// Its name, help and options.
    fn info(&self) -> FormatInfo;

    /// Refuses a model, read from `path`, with weights of a type that the format cannot hold.
    ///
    /// # Errors
    /// `Usage` with what to export instead.
    fn accepts(&self, _dtype: Dtype, _path: &Path) -> Result<()> {
        Ok(())
    }

    /// Makes the files.
    ///
    /// # Errors
    /// `Failed` if the format cannot hold the network, `Usage` for options with bad values.
    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported>;
}

/// What the command line says of a format.
#[derive(Debug, Clone, Copy)]
pub struct FormatInfo {
    /// The value of `--format`.
    pub name: &'static str,
    /// Its help text.
    pub description: &'static str,
    /// The options that it takes; all others are refused.
    pub options: &'static [ExportOption],
    /// Where its files go.
    pub destination: Destination,
}

impl FormatInfo {
    /// A format without options, whose files go to the paths that it returns.
    const fn new(name: &'static str, description: &'static str) -> Self {
        Self { name, description, options: &[], destination: Destination::Files }
    }

    const fn with_options(self, options: &'static [ExportOption]) -> Self {
        Self { options, ..self }
    }

    const fn with_destination(self, destination: Destination) -> Self {
        Self { destination, ..self }
    }
}

/// The formats, as `--format` chooses one.
#[derive(Clone, Copy)]
pub struct Format(&'static dyn Exporter);

impl Format {
    /// The format's exporter.
    pub fn exporter(self) -> &'static dyn Exporter {
        self.0
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.info().name)
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &FORMATS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.info().name).help(self.0.info().description))
    }
}

/// Options of `export` that only some formats take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportOption {
    /// `--prefix`.
    Prefix,
    /// `--packing` and `--dtype`.
    Weights,
    /// `--storage`.
    Storage,
    /// `--overwrite`.
    Overwrite,
    /// `--schema`.
    Schema,
    /// `--board` and everything else of [`FirmwareOptions`].
    Board,
}

impl ExportOption {
    /// The error of giving the option, typed as `flag`, with a format that does not take it.
    pub fn refusal(self, flag: &str) -> Error {
        let takes = |format: &&Format| format.0.info().options.contains(&self);
        let names: Vec<_> = FORMATS.iter().filter(takes).map(|format| format.0.info().name).collect();
        let (verb, alone) = match (flag.contains(" and "), names.len()) {
            (true, 1) => ("go", " alone"),
            (true, _) => ("go", ""),
            (false, 1) => ("goes", " alone"),
            (false, _) => ("goes", ""),
        };
        let names = match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
            _ => names.concat(),
        };
        Error::usage(format!("{flag} {verb} with --format {names}{alone}"))
    }
}

/// Where an exporter's files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To the paths that it returns.
    Files,
    /// Into the folder `--out`, which may be replaced if it holds files of these names.
    Folder(&'static [&'static str]),
}

/// A model as it was read.
#[derive(Debug)]
pub enum ModelFile<'a> {
    /// A model file.
    Model(Box<Model>),
    /// A flash file.
    Flash(ModelView<'a>),
}

/// The parameters of a network, in the arithmetic that it computes in.
#[derive(Debug)]
pub enum Parameters<'a> {
    /// A network of floats, and the names of its classes.
    Float(Box<Folded>, Vec<String>),
    /// A flash file of integers.
    Integer(&'a ModelView<'a>),
}

impl<'a> ModelFile<'a> {
    /// The type of its weights.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Model(_) => Dtype::F32,
            Self::Flash(model) => model.header().dtype(),
        }
    }

    /// Refuses a flash file that is more than layers: `format` has no place for what turns raw values into inputs and outputs
    /// into answers.
    ///
    /// # Errors
    /// `Model` with what the file has.
    pub fn layers_only(&self, format: &str) -> Result<()> {
        let Self::Flash(model) = self else { return Ok(()) };
        let header = model.header();
        let mut hidden = (0..header.layers() - 1).map(|l| header.activation(l));
        let other = hidden.find(|&activation| activation != Activation::Relu);
        let what = match (other, header.task(), header.window()) {
            _ if header.input_map().is_affine() => {
                format!("an input map of raw values ({})", header.input_type().name())
            }
            (_, _, Some(_)) => "windows of a time series".into(),
            (_, Task::Class, _) if header.margin_bits() != 0 => {
                "a margin below which classes are unknown".into()
            }
            (Some(activation), ..) => format!("the activation {activation}"),
            (None, Task::Class, _) => return Ok(()),
            (None, task, _) => format!("the task {}", task.name()),
        };
        Err(Error::model(format!(
            "cannot export the file: --format {format} has no place for {what}; --format c, rust, selv and, in \
             integers, onnx, onnx-integer and npz hold all of it"
        )))
    }

    /// Its parameters.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn parameters(&'a self) -> Result<Parameters<'a>> {
        Ok(match self {
            Self::Flash(model) if model.header().dtype().is_integer() => Parameters::Integer(model),
            Self::Flash(model) => Parameters::Float(
                Box::new(fold::from_file(model)?),
                model.labels().map(String::from).collect(),
            ),
            Self::Model(model) => {
                Parameters::Float(Box::new(fold::fold(model)?), model.about.classes.clone())
            }
        })
    }
}

/// The options of an export.
#[derive(Debug)]
pub struct ExportOptions<'a> {
    /// The path of the model.
    pub model: &'a Path,
    /// The file or folder to write.
    pub out: &'a Path,
    /// The start of names in C; the file's name if it is not given.
    pub prefix: Option<&'a str>,
    /// Where the constants of C lie.
    pub storage: Option<Storage>,
    /// The type of a flash file's weights.
    pub dtype: Option<Dtype>,
    /// The packing of a flash file's weights.
    pub packing: Option<Packing>,
    /// The board and its program.
    pub firmware: Option<FirmwareOptions<'a>>,
    /// The columns of the table that the model takes, where they are known: a flash file does not say them.
    pub schema: Option<Schema>,
}

impl ExportOptions<'_> {
    /// The names of the values of a row, where they are known.
    fn row_names(&self) -> Vec<String> {
        self.schema.as_ref().map(Schema::row_names).unwrap_or_default()
    }

    /// The names of the inputs, where they are known.
    fn input_names(&self) -> Vec<String> {
        self.schema.as_ref().map(Schema::input_names).unwrap_or_default()
    }
}

/// The files of an export, and what to tell the user.
#[derive(Debug)]
pub struct Exported {
    /// Paths and contents. In a folder the paths are relative to it.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// Lines for people, each with the JSON object for `--json`.
    pub report: Vec<(String, Value)>,
}

impl Exported {
    /// Files that are reported by their names and sizes.
    fn files(files: Vec<(PathBuf, Vec<u8>)>) -> Self {
        let line = |(path, bytes): &(PathBuf, Vec<u8>)| {
            let (file, bytes) = (path.display().to_string(), bytes.len());
            (format!("{file}, {}", size(bytes as u64)), json!({"file": file, "bytes": bytes}))
        };
        let report = files.iter().map(line).collect();
        Self { files, report }
    }

    /// One file, or the reason why the format cannot hold the network.
    fn one(out: &Path, bytes: std::result::Result<Vec<u8>, String>) -> Result<Self> {
        let bytes = bytes.map_err(|why| Error::failed(format!("cannot export the model: {why}")))?;
        Ok(Self::files(vec![(out.to_path_buf(), bytes)]))
    }
}

#[cfg(test)]
mod tests {
    use super::ExportOption::{Board, Overwrite, Prefix, Schema, Storage, Weights};

    #[test]
    fn options_name_the_formats_that_take_them() {
        for (option, flag, expected) in [
            (Prefix, "--prefix", "--prefix goes with --format c, cmake and arduino"),
            (Weights, "--packing and --dtype", "--packing and --dtype go with --format selv and rust"),
            (Storage, "--storage", "--storage goes with --format c and arduino"),
            (Overwrite, "--overwrite", "--overwrite goes with --format cmake and firmware"),
            (
                Schema,
                "--schema",
                "--schema goes with --format onnx, onnx-integer, tflite, c, cmake, arduino, rust and firmware",
            ),
            (Board, "--cpu", "--cpu goes with --format firmware alone"),
        ] {
            assert_eq!(option.refusal(flag).message, expected);
        }
    }
}
