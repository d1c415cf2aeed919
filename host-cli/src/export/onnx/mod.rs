//! The ONNX formats: a graph of `Gemm`, activations and `Softmax` with the logits as an output of their own ([`float`]).
//!
//! The graph of an integer network is either of the same operators between `QuantizeLinear` and `DequantizeLinear`
//! ([`qdq`]), which runtimes turn into their fast integer kernels, or of integer operators alone ([`integer`]), which gives
//! exactly the flash file's logits. What they share is in [`codes`].

mod builder;
mod codes;
mod float;
mod integer;
mod qdq;
mod sum_step;

use selvedge::format::Dtype;

use super::{ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile, Parameters};
use crate::error::{Error, Result};
use std::path::Path;

/// What the exporter of TensorFlow Lite shares.
pub(super) use {
    codes::row_weights,
    float::{PIXELS, rescaled},
    sum_step::LookUp,
};

/// `--format onnx`.
pub(super) struct Onnx;

impl Exporter for Onnx {
    fn info(&self) -> FormatInfo {
        FormatInfo::new(
            "onnx",
            "ONNX graph of Gemm and activations, of any model; of an integer flash file, with QuantizeLinear around them (QDQ)",
        )
        .with_options(&[ExportOption::Schema])
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        if !model.dtype().is_integer() {
            model.layers_only("onnx")?;
        }
        let bytes = match model {
            ModelFile::Model(model) => float::of_model(model)?,
            ModelFile::Flash(_) => match model.parameters()? {
                Parameters::Float(folded, classes) => float::of_folded(&folded, &classes),
                Parameters::Integer(model) => Ok(qdq::write(model, &options.input_names())),
            },
        };
        Exported::one(options.out, bytes)
    }
}

/// `--format onnx-integer`.
pub(super) struct OnnxInteger;

impl OnnxInteger {
    fn needs_integers() -> Error {
        Error::usage(
            "--format onnx-integer takes a flash file of integers, as `selvedge quantize` makes them",
        )
    }
}

impl Exporter for OnnxInteger {
    fn info(&self) -> FormatInfo {
        FormatInfo::new(
            "onnx-integer",
            "ONNX graph of integer operators only, with exactly the logits of an integer flash file",
        )
        .with_options(&[ExportOption::Schema])
    }

    fn accepts(&self, dtype: Dtype, _path: &Path) -> Result<()> {
        if dtype.is_integer() { Ok(()) } else { Err(Self::needs_integers()) }
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        match model {
            ModelFile::Flash(model) if model.header().dtype().is_integer() => {
                Exported::one(options.out, Ok(integer::write(model, &options.input_names())))
            }
            _ => Err(Self::needs_integers()),
        }
    }
}
