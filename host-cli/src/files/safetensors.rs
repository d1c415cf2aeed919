//! safetensors files with a checksum: model files, checkpoints and exported state dicts are all written here.
//!
//! The metadata is one JSON object under one key, because the order of several keys would follow a hash map and the bytes
//! of a file must depend on its contents alone. The object opens with the file's [checksum](super::checksum).

use std::collections::HashMap;

pub use safetensors::Dtype;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use selvedge::format::crc::Crc;

use super::checksum::{MISMATCH, ZEROS, digits};

/// The start of our metadata.
const OPENING: &str = r#"{"crc32":""#;
/// The same as a JSON string, which is how the file's header holds it.
const OPENING_ESCAPED: &[u8] = br#"{\"crc32\":\""#;

/// A named array. Its values are little-endian and row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The name.
    pub name: String,
    /// The type of its values.
    pub dtype: Dtype,
    /// The dimensions.
    pub dims: Vec<usize>,
    /// The values.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of f32.
    pub fn from_f32(name: impl Into<String>, dims: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::F32, dims: dims.to_vec(), bytes }
    }
}

/// The position of the checksum's digits in a file, if it has a checksum.
fn digits_at(file: &[u8]) -> Option<usize> {
    let header = u64::from_le_bytes(*file.first_chunk()?);
    let end = usize::try_from(header).ok()?.checked_add(8)?;
    let header = file.get(8..end)?;
    let found = header.windows(OPENING_ESCAPED.len()).position(|window| window == OPENING_ESCAPED)?;
    let at = 8 + found + OPENING_ESCAPED.len();
    (at + ZEROS.len() <= end).then_some(at)
}

fn checksum_of(file: &[u8], at: usize) -> String {
    let crc = Crc::new().of(&file[..at]).of(ZEROS.as_bytes()).of(&file[at + ZEROS.len()..]);
    digits(crc)
}

/// A safetensors file of `tensors` whose metadata holds `json`, an object, and the checksum under `key`. The same tensors
/// and metadata give the same bytes.
///
/// # Errors
/// One clause, if the tensors cannot be written.
pub fn write(tensors: &[Tensor], key: &str, json: &str) -> Result<Vec<u8>, String> {
    let views = tensors
        .iter()
        .map(|t| TensorView::new(t.dtype, t.dims.clone(), &t.bytes).map(|view| (&t.name, view)));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let members = json.strip_prefix('{').ok_or("metadata that is no object")?;
    let comma = if members == "}" { "" } else { "," };
    let json = format!("{OPENING}{ZEROS}\"{comma}{members}");
    let mut file = safetensors::serialize(views, Some(HashMap::from([(key.to_string(), json)])))
        .map_err(|e| e.to_string())?;
    sign(&mut file);
    Ok(file)
}

/// Corrects the checksum of a safetensors file, if it has one.
pub fn sign(file: &mut [u8]) {
    if let Some(at) = digits_at(file) {
        let digits = checksum_of(file, at);
        file[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    }
}

/// The JSON under `key` in a file's metadata, without the checksum; `None` if the metadata has no such key. A checksum is
/// checked under any key, so that damage to the key does not hide it.
///
/// # Errors
/// One clause, if the file cannot be read or its checksum does not match.
pub fn read_metadata(file: &[u8], key: &str) -> Result<Option<String>, String> {
    let (_, header) =
        SafeTensors::read_metadata(file).map_err(|e| format!("not a readable safetensors file: {e}"))?;
    let Some(metadata) = header.metadata() else { return Ok(None) };
    if metadata.values().any(|json| json.starts_with(OPENING)) {
        let at = digits_at(file).ok_or(MISMATCH)?;
        if checksum_of(file, at).as_bytes() != &file[at..at + ZEROS.len()] {
            return Err(format!("damaged: {MISMATCH}"));
        }
    }
    let Some(json) = metadata.get(key) else { return Ok(None) };
    let rest = json.strip_prefix(OPENING).and_then(|rest| rest.get(ZEROS.len() + 1..));
    Ok(Some(rest.map_or_else(|| json.clone(), |rest| format!("{{{}", rest.trim_start_matches(',')))))
}

/// The values of an f32 tensor, from its little-endian bytes.
pub fn f32_values(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("a chunk of four")))
}

#[cfg(test)]
mod tests {
    use super::super::checksum::tests::damaged;
    use super::*;
    use serde_json::Value;

    #[test]
    fn tensors_are_refused_whatever_bit_is_flipped() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let tensors = [Tensor { name: "w".into(), dtype: Dtype::F32, dims: vec![2], bytes: bytes.into() }];
        for json in ["{}", r#"{"epochs":3,"name":"a \"b\""}"#] {
            let file = write(&tensors, "ours", json).unwrap();
            assert_eq!(read_metadata(&file, "ours").unwrap().as_deref(), Some(json));
            assert_eq!(write(&tensors, "ours", json).unwrap(), file);
            for bad in damaged(&file) {
                let taken = match read_metadata(&bad, "ours") {
                    // Where the opening of the metadata is hit, its reader meets a member that it does not know.
                    Ok(Some(read)) => serde_json::from_str::<Value>(&read)
                        .is_ok_and(|v| v.as_object().unwrap().keys().all(|key| json.contains(key))),
                    Ok(None) => SafeTensors::deserialize(&bad).is_ok(),
                    Err(_) => false,
                };
                assert!(!taken, "{}", String::from_utf8_lossy(&bad));
            }
        }
        let foreign =
            safetensors::serialize([("w", TensorView::new(Dtype::F32, vec![2], &bytes).unwrap())], None)
                .unwrap();
        assert_eq!(read_metadata(&foreign, "ours"), Ok(None));
    }
}
