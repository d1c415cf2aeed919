//! Checksums of the files that a run is read back from: CRC-32, as in flash files.
//!
//! CRC-32 detects every flipped bit and every burst of up to 32 bits; other damage passes once in four billion. It guards
//! against damage, not against tampering. Its place depends on the kind of file:
//!
//! - safetensors: the first member of our metadata, `{"crc32":"…",`, computed over the whole file with zeros for its eight
//!   digits ([`safetensors`](super::safetensors) reads and writes it);
//! - JSON: the last member, `"crc32":"…"}`, computed over every byte of the file before its digits, so that a line of
//!   `metrics.jsonl` vouches for the lines above it;
//! - TOML: the last line, `# crc32 = …`, computed over every byte before its digits.
//!
//! Files of other programs have no checksum, and neither do files of early versions: both are read without one. A reader
//! has to refuse keys that it does not know, because a flipped bit in `crc32` makes an unknown key of it.

use selvedge::format::crc::Crc;
use serde_json::Value;

/// The name of the member.
pub const KEY: &str = "crc32";
/// The placeholder of the digits while they are computed.
pub(super) const ZEROS: &str = "00000000";
/// The start of the last line of a TOML file.
const COMMENT: &str = "# crc32 = ";

/// Why a file with a checksum is refused.
pub const MISMATCH: &str = "its checksum does not match";

/// The eight hexadecimal digits of a checksum.
pub(super) fn digits(crc: Crc) -> String {
    format!("{:08x}", crc.value())
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
pub fn append_checksum_toml(text: &mut String) {
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
    append_checksum_toml(&mut whole);
    if whole == text { Ok(true) } else { Err(MISMATCH.into()) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every file that is `file` with one bit flipped, or cut short.
    pub(in crate::files) fn damaged(file: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
        let flipped = (0..8 * file.len()).map(|bit| {
            let mut file = file.to_vec();
            file[bit / 8] ^= 1 << (bit % 8);
            file
        });
        flipped.chain((0..file.len()).map(|n| file[..n].to_vec()))
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
        append_checksum_toml(&mut toml);
        assert_eq!(check_toml(&toml), Ok(true));
        for bad in damaged(toml.as_bytes()).filter_map(|bad| String::from_utf8(bad).ok()) {
            assert!(check_toml(&bad) != Ok(true), "{bad}");
        }
    }
}
