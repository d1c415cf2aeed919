//! Checksums of the files of a run: CRC-32, as in flash files.
//!
//! It detects every flipped bit and every burst error of up to 32 bits; other damage passes once in four billion. It protects
//! against damage, not against people. Where it is stored:
//!
//! - safetensors: the first member of our metadata, `{"crc32":"…",`, over the whole file with zeros for its eight digits;
//! - JSON: the last member, `"crc32":"…"}`, over every byte of the file before its digits, so that a line of
//!   `metrics.jsonl` covers the lines above it;
//! - TOML: the last line, `# crc32 = …`, over every byte before its digits.
//!
//! Files of other programs and of old versions have none and are read all the same. A reader must refuse unknown keys,
//! since a flipped bit turns `crc32` into one.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use selvedge::format::crc::Crc;
use serde_json::Value;

/// The name of the member.
pub const KEY: &str = "crc32";
/// The start of our metadata.
const METADATA_START: &str = r#"{"crc32":""#;
/// The same as it is in the file, escaped in a JSON string.
const METADATA_START_ESCAPED: &[u8] = br#"{\"crc32\":\""#;
/// The placeholder of the digits while they are computed.
const ZEROS: &str = "00000000";
/// The start of the last line of a TOML file.
const COMMENT: &str = "# crc32 = ";

/// Why a file with a checksum is refused.
pub const MISMATCH: &str = "its checksum does not match";

fn digits(crc: Crc) -> String {
    format!("{:08x}", crc.value())
}

/// The offset of the digits in a safetensors file, if it has them.
fn digits_offset(file: &[u8]) -> Option<usize> {
    let header = u64::from_le_bytes(*file.first_chunk()?);
    let end = usize::try_from(header).ok()?.checked_add(8)?;
    let header = file.get(8..end)?;
    let found =
        header.windows(METADATA_START_ESCAPED.len()).position(|window| window == METADATA_START_ESCAPED)?;
    let at = 8 + found + METADATA_START_ESCAPED.len();
    (at + ZEROS.len() <= end).then_some(at)
}

/// The checksum of a safetensors file whose digits are at `at`.
fn checksum_of_tensors(file: &[u8], at: usize) -> String {
    let crc = Crc::new().of(&file[..at]).of(ZEROS.as_bytes()).of(&file[at + ZEROS.len()..]);
    digits(crc)
}

/// The bytes of a safetensors file with `json`, an object, and the checksum under `key` of its metadata. The same tensors and
/// metadata give the same bytes.
///
/// # Errors
/// One clause, where the tensors cannot be written.
pub fn write_tensors<S: AsRef<str> + Ord + std::fmt::Display>(
    tensors: Vec<(S, TensorView<'_>)>,
    key: &str,
    json: &str,
) -> Result<Vec<u8>, String> {
    let members = json.strip_prefix('{').ok_or("metadata that is no object")?;
    let comma = if members == "}" { "" } else { "," };
    let json = format!("{METADATA_START}{ZEROS}\"{comma}{members}");
    let mut file = safetensors::serialize(tensors, Some(HashMap::from([(key.to_string(), json)])))
        .map_err(|e| e.to_string())?;
    sign_tensors(&mut file);
    Ok(file)
}

/// Updates the checksum of a safetensors file, if it has one.
pub fn sign_tensors(file: &mut [u8]) {
    if let Some(at) = digits_offset(file) {
        let digits = checksum_of_tensors(file, at);
        file[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    }
}

/// The JSON under `key` in the metadata of a safetensors file, without the checksum; `None` where there is none. The checksum
/// is checked under any key, since damage may have changed the key.
///
/// # Errors
/// One clause, where the file cannot be read or its checksum does not match.
pub fn read_tensors(file: &[u8], key: &str) -> Result<Option<String>, String> {
    let (_, header) =
        SafeTensors::read_metadata(file).map_err(|e| format!("not a readable safetensors file: {e}"))?;
    let Some(metadata) = header.metadata() else { return Ok(None) };
    if metadata.values().any(|json| json.starts_with(METADATA_START)) {
        let at = digits_offset(file).ok_or(MISMATCH)?;
        if checksum_of_tensors(file, at).as_bytes() != &file[at..at + ZEROS.len()] {
            return Err(format!("damaged: {MISMATCH}"));
        }
    }
    let Some(json) = metadata.get(key) else { return Ok(None) };
    let rest = json.strip_prefix(METADATA_START).and_then(|rest| rest.get(ZEROS.len() + 1..));
    Ok(Some(rest.map_or_else(|| json.clone(), |rest| format!("{{{}", rest.trim_start_matches(',')))))
}

/// Adds a JSON object to `text`, the file so far, with its checksum as its last member.
pub fn push_json(text: &mut String, object: &str) {
    let pretty = object.contains('\n');
    let members = object.trim_end().strip_suffix('}').unwrap_or(object).trim_end();
    text.push_str(members);
    text.push_str(match (members.ends_with('{'), pretty) {
        (true, _) => "",
        (false, false) => ",",
        (false, true) => ",\n  ",
    });
    text.push_str(if pretty { "\"crc32\": \"" } else { "\"crc32\":\"" });
    text.push_str(&digits(Crc::new().of(text.as_bytes())));
    text.push_str(if pretty { "\"\n}" } else { "\"}" });
}

/// The members of a JSON object without the checksum, and whether it has one. `text` is the file up to the end of the object,
/// which begins at `from`.
///
/// # Errors
/// One clause, where it is no object or its checksum does not match.
pub fn read_json(text: &str, from: usize) -> Result<(Value, bool), String> {
    let mut object: Value = serde_json::from_str(&text[from..]).map_err(|e| e.to_string())?;
    let members = object.as_object_mut().ok_or("not an object")?;
    let Some(found) = members.remove(KEY) else { return Ok((object, false)) };
    let before = text.strip_suffix("\"}").or_else(|| text.strip_suffix("\"\n}"));
    let before = before.and_then(|t| t.len().checked_sub(ZEROS.len()).and_then(|at| t.as_bytes().get(..at)));
    let right = before.is_some_and(|before| found == digits(Crc::new().of(before)));
    if right { Ok((object, true)) } else { Err(MISMATCH.into()) }
}

/// Adds the checksum to a TOML file.
pub fn sign_toml(text: &mut String) {
    text.push_str(COMMENT);
    text.push_str(&digits(Crc::new().of(text.as_bytes())));
    text.push('\n');
}

/// Whether a TOML file has a checksum. A damaged one may look like a comment, so a reader that expects one must refuse a file
/// without.
///
/// # Errors
/// One clause, where it does not match.
pub fn check_toml(text: &str) -> Result<bool, String> {
    let Some(last) = text.lines().last().filter(|line| line.starts_with(COMMENT)) else { return Ok(false) };
    let mut whole =
        text.strip_suffix('\n').and_then(|t| t.strip_suffix(last)).unwrap_or_default().to_string();
    sign_toml(&mut whole);
    if whole == text { Ok(true) } else { Err(MISMATCH.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::Dtype;

    /// Every file that is `file` with one bit flipped, or cut short.
    fn damaged(file: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
        let flipped = (0..8 * file.len()).map(|bit| {
            let mut file = file.to_vec();
            file[bit / 8] ^= 1 << (bit % 8);
            file
        });
        flipped.chain((0..file.len()).map(|n| file[..n].to_vec()))
    }

    #[test]
    fn tensors_are_refused_whatever_bit_is_flipped() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let view = || vec![("w", TensorView::new(Dtype::F32, vec![2], &bytes).unwrap())];
        for json in ["{}", r#"{"epochs":3,"name":"a \"b\""}"#] {
            let file = write_tensors(view(), "ours", json).unwrap();
            assert_eq!(read_tensors(&file, "ours").unwrap().as_deref(), Some(json));
            assert_eq!(write_tensors(view(), "ours", json).unwrap(), file);
            for bad in damaged(&file) {
                let accepted = match read_tensors(&bad, "ours") {
                    // Where the start of the metadata is damaged, its reader finds an unknown member.
                    Ok(Some(read)) => serde_json::from_str::<Value>(&read)
                        .is_ok_and(|v| v.as_object().unwrap().keys().all(|key| json.contains(key))),
                    Ok(None) => SafeTensors::deserialize(&bad).is_ok(),
                    Err(_) => false,
                };
                assert!(!accepted, "{}", String::from_utf8_lossy(&bad));
            }
        }
        let foreign = safetensors::serialize(view(), None).unwrap();
        assert_eq!(read_tensors(&foreign, "ours"), Ok(None));
    }

    #[test]
    fn json_and_toml_are_refused_whatever_bit_is_flipped() {
        let mut lines = String::new();
        for line in [r#"{"epoch":1}"#, r#"{"epoch":2,"loss":0.5}"#] {
            push_json(&mut lines, line);
            lines.push('\n');
        }
        let second = lines.find('\n').unwrap() + 1;
        let line = lines.trim_end();
        assert_eq!(read_json(line, second), Ok((serde_json::json!({"epoch": 2, "loss": 0.5}), true)));
        let mut pretty = String::new();
        push_json(&mut pretty, "{\n  \"a\": 1\n}");
        assert_eq!(pretty.lines().count(), 4);
        assert_eq!(read_json(&pretty, 0), Ok((serde_json::json!({"a": 1}), true)));
        let mut nested = String::new();
        push_json(&mut nested, r#"{"a":{"b":1}}"#);
        assert_eq!(read_json(&nested, 0), Ok((serde_json::json!({"a": {"b": 1}}), true)));
        let known =
            |v: &Value| v.as_object().unwrap().keys().all(|k| ["epoch", "loss", "a"].contains(&&k[..]));
        for (text, from) in [(line, second), (&pretty, 0)] {
            for bad in damaged(text.as_bytes()).filter_map(|bad| String::from_utf8(bad).ok()) {
                let read = if bad.is_char_boundary(from) && from < bad.len() {
                    read_json(&bad, from)
                } else {
                    continue;
                };
                assert!(!matches!(&read, Ok((v, _)) if known(v)), "{bad}: {read:?}");
            }
        }
        assert_eq!(read_json(r#"{"epoch":1}"#, 0), Ok((serde_json::json!({"epoch": 1}), false)));

        let mut toml = "a = 1\n".to_string();
        assert_eq!(check_toml(&toml), Ok(false));
        sign_toml(&mut toml);
        assert_eq!(check_toml(&toml), Ok(true));
        for bad in damaged(toml.as_bytes()).filter_map(|bad| String::from_utf8(bad).ok()) {
            assert!(check_toml(&bad) != Ok(true), "{bad}");
        }
    }
}
