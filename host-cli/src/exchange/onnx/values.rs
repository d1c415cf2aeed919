//! The values of an ONNX tensor: in the message, or in a file beside the model's.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::super::Clause;
use super::super::widen::Float;
use super::proto::{Tensor, dtype};
use crate::error::why;
use crate::model::all_finite;

/// A tensor's dimensions and values, widened to f32.
pub(super) fn floats(tensor: &Tensor, folder: Option<&Path>) -> Clause<(Vec<usize>, Vec<f32>)> {
    let name = &tensor.name;
    let float = match tensor.data_type {
        dtype::FLOAT => Float::F32,
        dtype::FLOAT16 => Float::F16,
        dtype::BFLOAT16 => Float::Bf16,
        other => {
            return Err(format!("{name} is {}, expected FLOAT, FLOAT16 or BFLOAT16", dtype::name(other)));
        }
    };
    let width = float.bytes();
    let dims = tensor.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let dims = dims.map_err(|_| format!("{name} has shape {:?}", tensor.dims))?;
    let count = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let bytes = count.and_then(|n| n.checked_mul(width)).ok_or(format!("{name} has shape {dims:?}"))?;
    let wrong = |found: usize| {
        format!("{name} has shape {dims:?}, which is {} values, but it holds {found}", bytes / width)
    };
    let raw = match (tensor.data_location, tensor.raw_data.is_empty()) {
        (0, true) if float == Float::F32 => {
            let values = &tensor.float_data;
            return if values.len() * width == bytes {
                Ok((dims, all_finite(name, values.clone())?))
            } else {
                Err(wrong(values.len()))
            };
        }
        (0, true) => tensor.int32_data.iter().flat_map(|&x| (x as u16).to_le_bytes()).collect(),
        (0, false) => tensor.raw_data.clone(),
        _ => external(tensor, folder, bytes)?,
    };
    if raw.len() != bytes {
        return Err(wrong(raw.len() / width));
    }
    Ok((dims, all_finite(name, float.widen(&raw))?))
}

/// `bytes` bytes of the file that the tensor names, which must lie in the model's folder or below.
fn external(tensor: &Tensor, folder: Option<&Path>, bytes: usize) -> Clause<Vec<u8>> {
    let name = &tensor.name;
    let entries: HashMap<_, _> = tensor.external_data.iter().map(|e| (&e.key[..], &e.value[..])).collect();
    let number = |key: &str| match entries.get(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| format!("{name} has {key} {text:?}")),
    };
    let location =
        entries.get("location").ok_or(format!("{name} is in another file that it does not name"))?;
    if !Path::new(location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Err(format!("{name} is in {location:?}, outside the model's folder"));
    }
    if number("length")?.is_some_and(|length| length != bytes as u64) {
        return Err(format!("{name} has shape {:?}, which does not fit its length", tensor.dims));
    }
    let path = folder.unwrap_or(Path::new("")).join(location);
    let read = || {
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::Start(number("offset").ok().flatten().unwrap_or(0)))?;
        // The file decides how much is read, not a number in the message.
        let mut raw = Vec::new();
        file.take(bytes as u64).read_to_end(&mut raw)?;
        std::io::Result::Ok(raw)
    };
    number("offset")?;
    read().map_err(|e| format!("{name} is in {}: {}", path.display(), why(&e)))
}
