//! Reads the values of an ONNX tensor, from the message or from a file beside the model's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};
use std::rc::Rc;

use half::{bf16, f16};

use super::super::Clause;
use super::node::called;
use super::tensor::{Array, Data, MAX_COMPUTED_ELEMENTS, elements};
use crate::error::why;
use crate::files::onnx::{Attribute, Node, Tensor, dtype};

/// A tensor's dimensions and values. Floats become f64 and integers i64, which is exact.
pub(super) fn array(tensor: &Tensor, folder: Option<&Path>) -> Clause<Array> {
    let name = &tensor.name;
    let dims = tensor.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let dims = dims.map_err(|_| format!("{name} has shape {:?}", tensor.dims))?;
    let count = elements(&dims).ok_or(format!("{name} has shape {dims:?}"))?;
    let float = [dtype::FLOAT, dtype::DOUBLE, dtype::FLOAT16, dtype::BFLOAT16].contains(&tensor.data_type);
    if !float && count > MAX_COMPUTED_ELEMENTS {
        return Err(format!("{name} is {}, expected FLOAT", dtype::name(tensor.data_type)));
    }
    let wrong =
        |found: usize| format!("{name} has shape {dims:?}, which is {count} values, but it holds {found}");
    let data = if tensor.data_type == dtype::STRING {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Data::Text(Rc::new(tensor.string_data.iter().map(text).collect()))
    } else {
        let width = width(tensor)?;
        let bytes = count.checked_mul(width).ok_or(format!("{name} has shape {dims:?}"))?;
        let raw = match (tensor.data_location, tensor.raw_data.is_empty()) {
            (0, true) => None,
            (0, false) => Some(Cow::Borrowed(&tensor.raw_data[..])),
            _ => Some(Cow::Owned(external(tensor, folder, bytes)?)),
        };
        if let Some(raw) = raw.as_ref().filter(|raw| raw.len() != bytes) {
            return Err(wrong(raw.len() / width));
        }
        numbers(tensor, raw.as_deref(), width)
    };
    let array = Array { name: name.clone(), dims: dims.clone(), data };
    let found = array.len();
    if found != count {
        return Err(wrong(found));
    }
    Ok(array)
}

/// The bytes of an element.
fn width(tensor: &Tensor) -> Clause<usize> {
    match tensor.data_type {
        dtype::UINT8 | dtype::INT8 | dtype::BOOL => Ok(1),
        dtype::UINT16 | dtype::INT16 | dtype::FLOAT16 | dtype::BFLOAT16 => Ok(2),
        dtype::FLOAT | dtype::INT32 => Ok(4),
        dtype::DOUBLE | dtype::INT64 => Ok(8),
        other => Err(format!("{} is {}, expected FLOAT", tensor.name, dtype::name(other))),
    }
}

/// The values in raw bytes, or in the field of the message that is for their type.
fn numbers(tensor: &Tensor, raw: Option<&[u8]>, width: usize) -> Data {
    let float = |values: Vec<f64>| Data::Float(Rc::new(values));
    let Some(raw) = raw else {
        let narrow = &tensor.int32_data;
        return match tensor.data_type {
            dtype::FLOAT => float(tensor.float_data.iter().map(|&x| x.into()).collect()),
            dtype::DOUBLE => float(tensor.double_data.clone()),
            dtype::FLOAT16 => float(narrow.iter().map(|&x| f16::from_bits(x as u16).into()).collect()),
            dtype::BFLOAT16 => float(narrow.iter().map(|&x| bf16::from_bits(x as u16).into()).collect()),
            dtype::INT64 => Data::Integer(Rc::new(tensor.int64_data.iter().map(|&x| Some(x)).collect())),
            _ => Data::Integer(Rc::new(narrow.iter().map(|&x| Some(x.into())).collect())),
        };
    };
    let chunks = raw.chunks_exact(width);
    let integers = |value: fn(&[u8]) -> i64| {
        Data::Integer(Rc::new(raw.chunks_exact(width).map(|b| Some(value(b))).collect()))
    };
    match tensor.data_type {
        dtype::FLOAT => float(chunks.map(|b| f32::from_le_bytes(fixed(b)).into()).collect()),
        dtype::DOUBLE => float(chunks.map(|b| f64::from_le_bytes(fixed(b))).collect()),
        dtype::FLOAT16 => float(chunks.map(|b| f16::from_le_bytes(fixed(b)).into()).collect()),
        dtype::BFLOAT16 => float(chunks.map(|b| bf16::from_le_bytes(fixed(b)).into()).collect()),
        dtype::INT64 => integers(|b| i64::from_le_bytes(fixed(b))),
        dtype::INT32 => integers(|b| i32::from_le_bytes(fixed(b)).into()),
        dtype::INT16 => integers(|b| i16::from_le_bytes(fixed(b)).into()),
        dtype::UINT16 => integers(|b| u16::from_le_bytes(fixed(b)).into()),
        dtype::INT8 => integers(|b| (b[0] as i8).into()),
        _ => integers(|b| b[0].into()),
    }
}

fn fixed<const N: usize>(chunk: &[u8]) -> [u8; N] {
    chunk.try_into().expect("a chunk of the element's width")
}

/// Reads `bytes` bytes of the file that the tensor names, which must lie in the model's folder or below.
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
        // `take` allocates as the file is read, so a number in the message cannot ask for more memory than the file has.
        let mut raw = Vec::new();
        file.take(bytes as u64).read_to_end(&mut raw)?;
        std::io::Result::Ok(raw)
    };
    number("offset")?;
    read().map_err(|e| format!("{name} is in {}: {}", path.display(), why(&e)))
}

/// The value of a `Constant`.
pub(super) fn constant(node: &Node, folder: Option<&Path>) -> Clause<Array> {
    let name = node.output.first().cloned().unwrap_or_default();
    let vector =
        |data_type, dims: Vec<i64>| Tensor { name: name.clone(), data_type, dims, ..Tensor::default() };
    let one = |a: &Attribute| a.ints.len().max(a.floats.len()) as i64;
    let tensor = match node.attribute.first() {
        Some(Attribute { name: kind, t: Some(tensor), .. }) if kind == "value" => {
            Tensor { name: name.clone(), ..tensor.clone() }
        }
        Some(a) if a.name == "value_float" => {
            Tensor { float_data: vec![a.f], ..vector(dtype::FLOAT, vec![]) }
        }
        Some(a) if a.name == "value_int" => Tensor { int64_data: vec![a.i], ..vector(dtype::INT64, vec![]) },
        Some(a) if a.name == "value_floats" => {
            Tensor { float_data: a.floats.clone(), ..vector(dtype::FLOAT, vec![one(a)]) }
        }
        Some(a) if a.name == "value_ints" => {
            Tensor { int64_data: a.ints.clone(), ..vector(dtype::INT64, vec![one(a)]) }
        }
        _ => return Err(format!("{}: a Constant without a tensor", called(node))),
    };
    array(&tensor, folder)
}
