//! The npz format of numpy: a zip of `.npy` files, each a description of an array in Python's syntax and its bytes. The files
//! are stored, not deflated, so that numpy can map them and the bytes depend on the model alone.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{ExportOptions, Exported, Exporter, FormatInfo, ModelFile, tensors};
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::files::safetensors::{Dtype, Tensor};
use crate::inference::Logits;

/// `--format npz`.
pub(super) struct Npz;

impl Exporter for Npz {
    fn info(&self) -> FormatInfo {
        FormatInfo::new(
            "npz",
            "NumPy arrays with the names of the state dict; of an integer flash file, all that it holds",
        )
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        match model {
            ModelFile::Model(model) => {
                if let Some(what) = model.more_than_layers() {
                    return Err(Error::model(format!(
                        "cannot export the model: --format npz has no place for {what}; --format onnx, safetensors and selv \
                         hold all of it"
                    )));
                }
            }
            ModelFile::Flash(file) if file.header().dtype().is_integer() => {}
            ModelFile::Flash(_) => model.layers_only("npz")?,
        }
        Exported::one(options.out, tensors::of(&model.parameters()?).and_then(|tensors| bytes(&tensors)))
    }
}

/// The images at `index` of a set, their classes and their logits as an npz file, for comparison with other programs.
///
/// # Errors
/// `Failed` if it cannot be written.
pub fn logits(set: &Samples, index: &[u32], logits: &Logits) -> Result<Vec<u8>> {
    bytes(&tensors::of_images(set.images()?, set.labels(), index, logits)).map_err(Error::failed)
}

/// The file.
fn bytes(tensors: &[Tensor]) -> std::result::Result<Vec<u8>, String> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for tensor in tensors {
        let header = header(tensor)?;
        zip.start_file(format!("{}.npy", tensor.name), options).map_err(|e| e.to_string())?;
        zip.write_all(&header).map_err(|e| e.to_string())?;
        zip.write_all(&tensor.bytes).map_err(|e| e.to_string())?;
    }
    Ok(zip.finish().map_err(|e| e.to_string())?.into_inner())
}

/// Version 1.0: magic, the length of the description, the description, padded so that the data start on 64 bytes.
fn header(tensor: &Tensor) -> std::result::Result<Vec<u8>, String> {
    let dtype = match tensor.dtype {
        Dtype::F32 => "<f4",
        Dtype::I32 => "<i4",
        Dtype::U64 => "<u8",
        Dtype::U32 => "<u4",
        Dtype::U16 => "<u2",
        Dtype::I8 => "|i1",
        Dtype::U8 => "|u1",
        other => return Err(format!("{} is {other:?}, which is not written to npz files", tensor.name)),
    };
    // A tuple of one needs its comma.
    let dims: String = tensor.dims.iter().map(|d| format!("{d}, ")).collect();
    let mut text =
        format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    let whole = (10 + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', whole - 11 - text.len()));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("a few dozen characters");
    Ok([b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], text.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::{Dtype, Tensor, header};

    #[test]
    fn headers_are_python_and_whole_lines() {
        let of = |dims: &[usize]| {
            let tensor =
                Tensor { name: "a".into(), dtype: Dtype::F32, dims: dims.to_vec(), bytes: Vec::new() };
            header(&tensor).unwrap()
        };
        for (dims, shape) in [(&[][..], "()"), (&[3], "(3,)"), (&[10, 128], "(10, 128,)")] {
            let bytes = of(dims);
            assert_eq!(bytes.len() % 64, 0);
            assert_eq!(usize::from(bytes[8]) + 256 * usize::from(bytes[9]), bytes.len() - 10);
            let text = std::str::from_utf8(&bytes[10..]).unwrap();
            assert!(text.contains(&format!("'shape': {shape}, }}")) && text.ends_with(" \n"), "{text}");
        }
    }
}
