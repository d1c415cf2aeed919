//! Detects the type of a file: signatures, the names in zip archives, texts, and the outermost fields of protobuf messages.

use selvedge::format::MAGIC;

use super::Kind;

/// The signature of PNG.
const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// The signature of JPEG: start of image, and the first byte of the next marker.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];
/// The signature of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Whether a file is a PNG by the first half of its signature. The second half only detects damage, which a decoder reports.
pub fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(&PNG[..4])
}

/// Whether a file is a JPEG by its signature.
pub fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&JPEG)
}

/// Whether a file is gzip by its signature.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP)
}

/// Whether the first bytes of a stream, however few, are those of gzip.
pub fn may_be_gzip(start: &[u8]) -> bool {
    start.starts_with(&GZIP[..start.len().min(GZIP.len())])
}

/// Signatures: bytes at an offset, and the kind that they identify.
const SIGNATURES: &[(usize, &[u8], Kind)] = &[
    (0, &MAGIC, Kind::Flash),
    (0, b"version https://git-lfs.github.com/", Kind::GitLfs),
    (0, &PNG, Kind::Png),
    (0, b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
    (0, b"\x93NUMPY", Kind::Npy),
    (0, &GZIP, Kind::Gzip),
    (0, b"BZh", Kind::Archive),
    (0, b"\xfd7zXZ\0", Kind::Archive),
    (0, b"\x28\xb5\x2f\xfd", Kind::Archive),
    (0, b"7z\xbc\xaf\x27\x1c", Kind::Archive),
    (257, b"ustar", Kind::Archive),
    (4, b"TFL3", Kind::Tflite),
    (0, &JPEG, Kind::Picture),
    (0, b"GIF8", Kind::Picture),
    (8, b"WEBP", Kind::Picture),
    (0, b"II*\0", Kind::Picture),
    (0, b"MM\0*", Kind::Picture),
    (0, b"MATLAB 5.0", Kind::Matlab),
    (0, b"PAR1", Kind::Parquet),
    (0, b"GGUF", Kind::Gguf),
    (0, b"%PDF-", Kind::Pdf),
];

/// The type of the file with these bytes.
pub fn of(bytes: &[u8]) -> Kind {
    if bytes.is_empty() {
        return Kind::Empty;
    }
    if looks_like_safetensors(bytes) {
        return Kind::Safetensors;
    }
    let at = |&(at, sign, _): &(usize, &[u8], Kind)| bytes.get(at..).is_some_and(|b| b.starts_with(sign));
    if let Some(&(.., kind)) = SIGNATURES.iter().find(|s| at(s)) {
        return kind;
    }
    match bytes {
        [b'P', b'K', 3, 4, ..] => zip(bytes),
        [0x80, version, ..] if *version < 6 => Kind::Pickle,
        [0, 0, 8..=14, 1..=4, ..] => Kind::Idx,
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Kind::Picture,
        _ => text(bytes).or_else(|| protobuf(bytes)).unwrap_or(Kind::Unknown),
    }
}

/// Whether a file begins with the length of a JSON object and that object, as safetensors files do.
pub fn looks_like_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes[6..8] == [0, 0]
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The type of a zip by the names of its entries, which it holds uncompressed.
fn zip(bytes: &[u8]) -> Kind {
    let length = bytes.get(26).map_or(0, |&n| usize::from(n));
    let first = bytes.get(30..30 + length).unwrap_or_default();
    if first.ends_with(b".npy") {
        Kind::Npz
    } else if first.ends_with(b"data.pkl") || contains(bytes, b"/data.pkl") {
        Kind::Torch
    } else if contains(bytes, b"model.weights.h5") {
        Kind::Keras
    } else {
        Kind::Zip
    }
}

/// The type of a text; `None` where the start of the file is not text.
fn text(bytes: &[u8]) -> Option<Kind> {
    let head = &bytes[..bytes.len().min(1024)];
    let head = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if head.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c')) {
        return None;
    }
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let starts = |with: &str| head.get(..with.len()).is_some_and(|h| h.eq_ignore_ascii_case(with));
    Some(if starts("<!doctype html") || starts("<html") || starts("<head") || starts("<body") {
        Kind::Html
    } else if starts("<?xml") || starts("<error>") {
        Kind::Xml
    } else if (starts("{") || starts("[")) && contains(bytes, b"\"weight_map\"") {
        Kind::SafetensorsIndex
    } else if starts("{") || starts("[") {
        Kind::Json
    } else {
        Kind::Text
    })
}

/// The type of a protobuf message by its outermost fields, the last of which may be cut short.
fn protobuf(bytes: &[u8]) -> Option<Kind> {
    let mut rest = bytes;
    let (mut fields, mut graph, mut version) = (0u64, false, false);
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let (field, wire) = (tag >> 3, tag & 7);
        match wire {
            0 => {
                varint(&mut rest)?;
            }
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..).unwrap_or_default();
            }
            _ => return None,
        }
        if !(1..64).contains(&field) {
            return None;
        }
        fields |= 1 << field;
        graph |= (field, wire) == (7, 2);
        version |= (field, wire) == (1, 0);
    }
    let only = |known: &[u32]| known.iter().fold(fields, |f, n| f & !(1 << n)) == 0;
    if graph && only(&[1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26]) {
        Some(Kind::Onnx)
    } else if fields & 6 != 0 && only(if version { &[1, 2] } else { &[1, 2, 3, 4] }) {
        Some(Kind::SavedModel)
    } else {
        None
    }
}

/// Reads a varint: seven bits a byte, lowest first, at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let end = bytes.iter().take(10).position(|b| b & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    *bytes = rest;
    Some(number.iter().rev().fold(0, |n, b| n << 7 | u64::from(b & 0x7f)))
}

#[cfg(test)]
mod tests {
    use super::{Kind, of};

    #[test]
    fn kinds_by_their_bytes() {
        let zip = |name: &str, rest: &str| {
            let mut bytes = b"PK\x03\x04".to_vec();
            bytes.resize(30, 0);
            bytes[26] = name.len() as u8;
            bytes.extend(name.bytes().chain(rest.bytes()));
            bytes
        };
        let tar = [&[b'n'; 257][..], b"ustar"].concat();
        for (bytes, kind) in [
            (&b""[..], Kind::Empty),
            (b"SELV\x01", Kind::Flash),
            (b"\x10\0\0\0\0\0\0\0{\"a\":{}}", Kind::Safetensors),
            (b"{\"metadata\": {}, \"weight_map\": {}}", Kind::SafetensorsIndex),
            (b"{\"class_name\": \"Sequential\"}", Kind::Json),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", Kind::GitLfs),
            (b"\xef\xbb\xbf\n <!DOCTYPE HTML><title>", Kind::Html),
            (b"<html lang=en>", Kind::Html),
            (b"<?xml version=\"1.0\"?><Error>", Kind::Xml),
            (b"404: Not Found", Kind::Text),
            (b"\x89HDF\r\n\x1a\n\0", Kind::Hdf5),
            (&zip("metadata.json", "{} model.weights.h5"), Kind::Keras),
            (&zip("net/data.pkl", ""), Kind::Torch),
            (&zip("net/data/0", "net/data.pkl"), Kind::Torch),
            (&zip("x_train.npy", ""), Kind::Npz),
            (&zip("a.txt", ""), Kind::Zip),
            (b"PK\x03\x04", Kind::Zip),
            (b"\x80\x02\x8a\x0a", Kind::Pickle),
            (b"\x93NUMPY\x01\0", Kind::Npy),
            (b"\x1f\x8b\x08", Kind::Gzip),
            (&tar, Kind::Archive),
            (b"\x89PNG\r\n\x1a\n", Kind::Png),
            (b"\xff\xd8\xff\xe0", Kind::Picture),
            (b"\x1c\0\0\0TFL3", Kind::Tflite),
            (b"\0\0\x08\x03\0\0\0\x01", Kind::Idx),
            // Version 8 and a graph, whole and cut short; a schema version and a meta graph.
            (b"\x08\x08\x3a\x01\x0a", Kind::Onnx),
            (b"\x08\x08\x12\x01x\x3a\xff\x01\x0a", Kind::Onnx),
            (b"\x08\x01\x12\x02\x0a\0", Kind::SavedModel),
            (b"\x0a\x02\x0a\0\x22\0", Kind::SavedModel),
            (&[7; 100], Kind::Unknown),
            (&[0xff; 100], Kind::Unknown),
        ] {
            assert_eq!(of(bytes), kind, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
