//! Checksums of the files that a run is read back from: CRC-32, as flash files have it.
//!
//! It finds every flipped bit and every burst of up to 32, at two gigabytes a second; other damage passes once in four
//! billion. It guards against damage, not against people. Where it lies:
//!
//! - safetensors: the first member of our metadata, `{"crc32":"…",`, over the whole file with zeros for its eight digits;
//! - JSON: the last member, `"crc32":"…"}`, over every byte of the file in front of its digits, so that a line of
//!   `metrics.jsonl` vouches for the lines above it;
//! - TOML: the last line, `# crc32 = …`, over every byte in front of its digits.
//!
//! Files of other programs have none, nor have those that were written before there were any: they are read all the same.
//! A reader has to refuse keys that it does not know, since a flipped bit in `crc32` makes one of it.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use selvedge::format::crc::Crc;
use serde_json::Value;

/// The member's name.
pub const KEY: &str = "crc32";
/// How our metadata opens.
const OPENING: &str = r#"{"crc32":""#;
/// The same in the file, where it is a string in JSON.
const OPENING_STORED: &[u8] = br#"{\"crc32\":\""#;
/// Digits, and what stands for them while they are computed.
const ZEROS: &str = "00000000";
/// How a TOML file's last line opens.
const COMMENT: &str = "# crc32 = ";

/// Why a file with a checksum is refused.
pub const MISMATCH: &str = "its checksum does not match";

fn digits(crc: Crc) -> String {
    format!("{:08x}", crc.value())
}

/// Where the digits lie in a safetensors file, if they are there.
fn place(file: &[u8]) -> Option<usize> {
    let header = u64::from_le_bytes(*file.first_chunk()?);
    let end = usize::try_from(header).ok()?.checked_add(8)?;
    let header = file.get(8..end)?;
    let found = header.windows(OPENING_STORED.len()).position(|window| window == OPENING_STORED)?;
    let at = 8 + found + OPENING_STORED.len();
    (at + ZEROS.len() <= end).then_some(at)
}

fn of_tensors(file: &[u8], at: usize) -> String {
    let crc = Crc::new().of(&file[..at]).of(ZEROS.as_bytes()).of(&file[at + ZEROS.len()..]);
    digits(crc)
}

/// A safetensors file whose metadata holds `json`, an object, and the checksum under `key`; the same tensors and metadata
/// give the same bytes.
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
    let json = format!("{OPENING}{ZEROS}\"{comma}{members}");
    let mut file = safetensors::serialize(tensors, Some(HashMap::from([(key.to_string(), json)])))
        .map_err(|e| e.to_string())?;
    sign_tensors(&mut file);
    Ok(file)
}

/// Makes the checksum of a safetensors file right, if it has one.
pub fn sign_tensors(file: &mut [u8]) {
    if let Some(at) = place(file) {
        let digits = of_tensors(file, at);
        file[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    }
}

/// The JSON under `key` in a safetensors file's metadata, without the checksum, which is checked whatever its key has
/// become; `None` where there is none.
///
/// # Errors
/// One clause, where the file cannot be read or its checksum does not match.
pub fn read_tensors(file: &[u8], key: &str) -> Result<Option<String>, String> {
    let (_, header) =
        SafeTensors::read_metadata(file).map_err(|e| format!("not a readable safetensors file: {e}"))?;
    let Some(metadata) = header.metadata() else { return Ok(None) };
    if metadata.values().any(|json| json.starts_with(OPENING)) {
        let at = place(file).ok_or(MISMATCH)?;
        if of_tensors(file, at).as_bytes() != &file[at..at + ZEROS.len()] {
            return Err(format!("damaged: {MISMATCH}"));
        }
    }
    let Some(json) = metadata.get(key) else { return Ok(None) };
    let rest = json.strip_prefix(OPENING).and_then(|rest| rest.get(ZEROS.len() + 1..));
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

/// The members of a JSON object but for the checksum, and whether it has one; `text` is the file up to and with the object,
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

/// Whether a TOML file has a checksum. A damaged one may look like any comment, so a reader that knows that there must be
/// one refuses a file without.
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
                let taken = match read_tensors(&bad, "ours") {
                    // Where the opening of the metadata is hit, its reader meets a member that it does not know.
                    Ok(Some(read)) => serde_json::from_str::<Value>(&read)
                        .is_ok_and(|v| v.as_object().unwrap().keys().all(|key| json.contains(key))),
                    Ok(None) => SafeTensors::deserialize(&bad).is_ok(),
                    Err(_) => false,
                };
                assert!(!taken, "{}", String::from_utf8_lossy(&bad));
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
