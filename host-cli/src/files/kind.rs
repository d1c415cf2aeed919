//! What a file is, from its bytes alone: for errors that name what was given in place of a model or of data, and the step
//! that leads on.
//!
//! Names and endings are not looked at, since they are what is wrong most often. [`of`] reads signatures, the names in zip
//! archives and the outermost fields of protobuf messages; it allocates nothing and takes any bytes.

use std::path::Path;

use selvedge::format::MAGIC;

use crate::error::typed;

/// The kinds of file that people give to programs of this field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No bytes at all.
    Empty,
    /// A flash file.
    Flash,
    /// A safetensors file, of this program or another.
    Safetensors,
    /// The index of a safetensors model in several files.
    SafetensorsIndex,
    /// An ONNX model, whole or cut short.
    Onnx,
    /// A TensorFlow Lite flatbuffer.
    Tflite,
    /// A TensorFlow SavedModel, or a frozen graph.
    SavedModel,
    /// What Git leaves in place of a large file that was not fetched.
    GitLfs,
    /// A page, or an error message of a server.
    Html,
    /// An XML document.
    Xml,
    /// Any other JSON.
    Json,
    /// Any other text.
    Text,
    /// HDF5: Keras' `.h5`, newer MATLAB files.
    Hdf5,
    /// Keras' `.keras`: a zip of a configuration and weights in HDF5.
    Keras,
    /// PyTorch's zip of a pickle.
    Torch,
    /// A bare pickle: old PyTorch, joblib, scikit-learn.
    Pickle,
    /// One array of numpy's.
    Npy,
    /// Numpy's zip of arrays.
    Npz,
    /// Any other zip.
    Zip,
    /// gzip.
    Gzip,
    /// A tar, bzip2, xz, zstd or 7z archive.
    Archive,
    /// A picture in PNG.
    Png,
    /// A picture in another format.
    Picture,
    /// IDX images or labels, not compressed.
    Idx,
    /// MATLAB before 7.3.
    Matlab,
    /// A Parquet table.
    Parquet,
    /// A model of llama.cpp.
    Gguf,
    /// A PDF document.
    Pdf,
    /// None of these.
    Unknown,
}

/// Where a kind shows: bytes at an offset.
const SIGNATURES: &[(usize, &[u8], Kind)] = &[
    (0, &MAGIC, Kind::Flash),
    (0, b"version https://git-lfs.github.com/", Kind::GitLfs),
    (0, b"\x89PNG\r\n\x1a\n", Kind::Png),
    (0, b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
    (0, b"\x93NUMPY", Kind::Npy),
    (0, b"\x1f\x8b", Kind::Gzip),
    (0, b"BZh", Kind::Archive),
    (0, b"\xfd7zXZ\0", Kind::Archive),
    (0, b"\x28\xb5\x2f\xfd", Kind::Archive),
    (0, b"7z\xbc\xaf\x27\x1c", Kind::Archive),
    (257, b"ustar", Kind::Archive),
    (4, b"TFL3", Kind::Tflite),
    (0, b"\xff\xd8\xff", Kind::Picture),
    (0, b"GIF8", Kind::Picture),
    (8, b"WEBP", Kind::Picture),
    (0, b"II*\0", Kind::Picture),
    (0, b"MM\0*", Kind::Picture),
    (0, b"MATLAB 5.0", Kind::Matlab),
    (0, b"PAR1", Kind::Parquet),
    (0, b"GGUF", Kind::Gguf),
    (0, b"%PDF-", Kind::Pdf),
];

/// What the file with these bytes is.
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

/// Whether a file opens with the length of a JSON object and that object, as safetensors files do.
pub fn looks_like_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes[6..8] == [0, 0]
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A zip by the names of its entries, which stand in it as they are.
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

/// What a text is, unless the start of the file is none.
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
    let opens = |with: &str| head.get(..with.len()).is_some_and(|h| h.eq_ignore_ascii_case(with));
    Some(if opens("<!doctype html") || opens("<html") || opens("<head") || opens("<body") {
        Kind::Html
    } else if opens("<?xml") || opens("<error>") {
        Kind::Xml
    } else if (opens("{") || opens("[")) && contains(bytes, b"\"weight_map\"") {
        Kind::SafetensorsIndex
    } else if opens("{") || opens("[") {
        Kind::Json
    } else {
        Kind::Text
    })
}

/// What a protobuf message is by its outermost fields, the last of which may be cut short.
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

/// A number of seven bits a byte, lowest first, of ten bytes at most.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let end = bytes.iter().take(10).position(|b| b & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    *bytes = rest;
    Some(number.iter().rev().fold(0, |n, b| n << 7 | u64::from(b & 0x7f)))
}

impl Kind {
    /// With its article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::Flash => "a flash file",
            Self::Safetensors => "a safetensors file",
            Self::SafetensorsIndex => "the index of a safetensors model in several files",
            Self::Onnx => "an ONNX file",
            Self::Tflite => "a TensorFlow Lite file",
            Self::SavedModel => "a TensorFlow graph (SavedModel)",
            Self::GitLfs => "a Git LFS pointer, which stands for a file that was not fetched",
            Self::Html => "an HTML page, which a failed download leaves",
            Self::Xml => "an XML document, which a failed download may leave",
            Self::Json => "a JSON file",
            Self::Text => "a text file",
            Self::Hdf5 => "an HDF5 file (Keras' .h5)",
            Self::Keras => "a .keras archive",
            Self::Torch => "a PyTorch checkpoint (.pt, .pth), a pickle that can run code when it is opened",
            Self::Pickle => "a Python pickle, which can run code when it is opened",
            Self::Npy => "an array of numpy's (.npy)",
            Self::Npz => "an archive of numpy's (.npz)",
            Self::Zip => "a zip archive",
            Self::Gzip => "a gzip file",
            Self::Archive => "a compressed archive",
            Self::Png => "a PNG picture",
            Self::Picture => "a picture",
            Self::Idx => "an IDX file of images or labels",
            Self::Matlab => "a MATLAB file (.mat)",
            Self::Parquet => "a Parquet table",
            Self::Gguf => "a GGUF file of llama.cpp",
            Self::Pdf => "a PDF document",
            Self::Unknown => "a file of no known kind",
        }
    }

    /// What to do about a file that is not what its name says, whatever it should have been.
    pub fn fetch_again(self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("copy or download it again"),
            Self::GitLfs => Some("fetch the file itself with `git lfs pull`"),
            Self::Html | Self::Xml => {
                Some("download the file itself: on GitHub and Hugging Face, the link named raw or download")
            }
            _ => None,
        }
    }

    /// Why a file at `path` is no model, and what to type next; a clause without the file's name.
    pub fn no_model(self, path: &Path) -> String {
        match self {
            Self::Onnx | Self::Safetensors | Self::SafetensorsIndex => {
                format!("{}; `selvedge import {} -o net` makes a model of it", self.name(), typed(path))
            }
            _ => self.no_import(),
        }
    }

    /// Why no model comes of a file, and what to type next; a clause without the file's name.
    pub fn no_import(self) -> String {
        let next = match self {
            Self::Tflite | Self::SavedModel | Self::Hdf5 | Self::Keras => {
                "in Keras, write it with model.export(\"model.onnx\", format=\"onnx\"), then \
                 `selvedge import model.onnx -o net`"
            }
            Self::Torch => {
                "in PyTorch, write the weights with \
                            safetensors.torch.save_file(model.state_dict(), \"model.safetensors\"), then \
                            `selvedge import model.safetensors -o net`"
            }
            Self::Pickle => {
                "in PyTorch, write the weights with \
                             safetensors.torch.save_file(model.state_dict(), \"model.safetensors\"); of scikit-learn, \
                             skl2onnx.to_onnx makes an ONNX file; then `selvedge import FILE -o net`"
            }
            Self::Npz => {
                "write its arrays with safetensors.numpy.save_file(dict(numpy.load(\"net.npz\")), \
                          \"model.safetensors\"), then `selvedge import model.safetensors -o net`"
            }
            Self::Gzip | Self::Zip | Self::Archive => "unpack it and name the model in it",
            Self::Png | Self::Picture | Self::Idx => "a model comes first, and images after it",
            _ => self.fetch_again().unwrap_or(
                "neither a safetensors file nor an ONNX one, of which models are made, nor a flash file",
            ),
        };
        format!("{}; {next}", self.name())
    }
}

/// What a folder holds in place of a model, and what to type next, where it is one that another program wrote.
pub fn of_folder(folder: &Path) -> Option<String> {
    let index = folder.join("model.safetensors.index.json");
    if folder.join("saved_model.pb").is_file() {
        return Some(format!("the folder is {}", Kind::SavedModel.no_import()));
    }
    index.is_file().then(|| format!("the folder holds {}", Kind::SafetensorsIndex.no_model(&index)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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

    #[test]
    fn refusals_say_what_to_type_next() {
        let path = Path::new("my net.onnx");
        assert_eq!(
            Kind::Onnx.no_model(path),
            "an ONNX file; `selvedge import 'my net.onnx' -o net` makes a model of it"
        );
        assert!(Kind::GitLfs.no_model(path).ends_with("`git lfs pull`"));
        assert!(Kind::Html.no_model(path).contains("download the file itself"));
    }
}
