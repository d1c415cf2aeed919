//! Arrays of NumPy's: `.npy` files, and `.npz` archives of a data set as Keras, scikit-learn and people write them.
//!
//! `npy_header` and `npy` read one array, this module finds those of a data set by their names, and `convert` turns them into
//! images, rows of numbers or labels. Pickled objects are refused. NaN stands for a missing value and is left.

mod convert;
mod npy;
mod npy_header;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::ZipArchive;

use crate::error::{Error, ErrorKind, Result};
use crate::files::kind::{self, Kind};

pub use convert::{Labels, images, labels, rows};

/// The elements of an array.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Unsigned bytes; booleans as 0 and 1.
    U8(Vec<u8>),
    /// Floats of any width, none infinite.
    F32(Vec<f32>),
    /// Integers of any other width.
    I64(Vec<i64>),
    /// Texts.
    Text(Vec<String>),
}

/// An array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// What errors call it: the file, and its name there.
    pub name: String,
    /// The type of its elements as NumPy writes it: `<f8`.
    pub kind: String,
    /// Its dimensions, the outermost first.
    pub shape: Vec<usize>,
    /// Its elements.
    pub values: Values,
}

impl Array {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Whether it has no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The arrays of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrays {
    /// The inputs: `x_train`, `x`, or the array of an `.npy` file.
    pub x: Array,
    /// The targets, one a sample of `x`.
    pub y: Option<Array>,
    /// The inputs to test on.
    pub x_test: Option<Array>,
    /// The targets to test on.
    pub y_test: Option<Array>,
    /// What was ignored.
    pub notes: Vec<String>,
}

/// The names of a data set's arrays, in lower case: training inputs and targets, test inputs and targets.
const NAMES: &[[&str; 4]] = &[
    ["x_train", "y_train", "x_test", "y_test"],
    ["x", "y", "x_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["data", "target", "data_test", "target_test"],
    ["images", "labels", "images_test", "labels_test"],
];

/// Whether a file is an `.npy` file, by its first bytes.
pub fn is_npy(bytes: &[u8]) -> bool {
    kind::of(bytes) == Kind::Npy
}

/// Whether a file is an `.npz` archive, by its first bytes.
pub fn is_npz(bytes: &[u8]) -> bool {
    kind::of(bytes) == Kind::Npz
}

/// The bytes at the start of a file that tell arrays from others: an archive is known by the name of its first member.
const HEAD_BYTES: u64 = 512;

/// Whether a file holds arrays, by its first bytes.
pub fn is_arrays(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && (is_npy(&head) || is_npz(&head))
}

/// Reads an `.npy` or `.npz` file.
///
/// # Errors
/// `Data`: unreadable, damaged, pickled, infinite, without samples, of unequal lengths or different shapes, or an archive
/// whose names are none of those that are expected.
pub fn read(path: &Path) -> Result<Arrays> {
    let unreadable = |e: std::io::Error| Error::unreadable(ErrorKind::Data, path, &e);
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let length = file.get_ref().metadata().map_err(unreadable)?.len();
    let mut magic = [0; 6];
    let npy = file.read_exact(&mut magic).is_ok() && is_npy(&magic);
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    parse(&path.display().to_string(), file, length, npy)
}

/// As [`read`], from the bytes of a file; errors name it `name`.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Arrays> {
    parse(name, std::io::Cursor::new(bytes), bytes.len() as u64, is_npy(bytes))
}

fn parse(name: &str, mut file: impl Read + Seek, length: u64, npy: bool) -> Result<Arrays> {
    let arrays = if npy {
        let bad = |why| Error::data(format!("{name}: {why}"));
        let x = Array { name: name.into(), ..npy::read(&mut file, length).map_err(bad)? };
        Arrays { x, y: None, x_test: None, y_test: None, notes: Vec::new() }
    } else {
        unpack(name, file)?
    };
    check(&arrays)?;
    Ok(arrays)
}

/// Reads the arrays of an archive that are named like those of a data set.
fn unpack(name: &str, file: impl Read + Seek) -> Result<Arrays> {
    let bad = |why: String| Error::data(format!("{name}: {why}"));
    let mut zip = ZipArchive::new(file).map_err(|e| bad(format!("not a readable .npz archive: {e}")))?;
    let members: Vec<String> = zip
        .file_names()
        .map(|member| member.map(String::from))
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| bad(format!("not a readable .npz archive: {e}")))?;
    let title = |member: &str| member.strip_suffix(".npy").unwrap_or(member).to_string();
    let titles: Vec<String> = members.iter().map(|member| title(member)).collect();
    let position = |wanted: &str| titles.iter().position(|title| title.to_lowercase() == wanted);
    let Some(names) = NAMES.iter().find(|names| position(names[0]).is_some()) else {
        return Err(bad(format!(
            "holds {}; expected are x_train and y_train, with x_test and y_test where there are test samples, or x and y: \
             save it again with numpy.savez(\"data.npz\", x_train=.., y_train=..)",
            if titles.is_empty() { "no arrays".into() } else { format!("the arrays {}", titles.join(", ")) }
        )));
    };
    for wanted in names {
        let mut same = titles.iter().filter(|title| title.to_lowercase() == *wanted);
        if let (Some(a), Some(b)) = (same.next(), same.next()) {
            return Err(bad(format!("holds both {a} and {b}; remove one")));
        }
    }
    let mut take = |wanted: &str| -> Result<Option<Array>> {
        let Some(n) = position(wanted) else { return Ok(None) };
        let of = |why: String| bad(format!("{}: {why}", titles[n]));
        let member = zip.by_name(&members[n]).map_err(|e| of(format!("damaged: {e}")))?;
        let length = member.size();
        let array = npy::read(&mut BufReader::new(member), length).map_err(of)?;
        Ok(Some(Array { name: format!("{name}: {}", titles[n]), ..array }))
    };
    let x = take(names[0])?.ok_or_else(|| bad("has no inputs".into()))?;
    let (y, x_test) = (take(names[1])?, take(names[2])?);
    let y_test = if x_test.is_some() { take(names[3])? } else { None };
    let used = [Some(names[0]), y.as_ref().map(|_| names[1]), x_test.as_ref().map(|_| names[2])];
    let used = used.into_iter().chain([y_test.as_ref().map(|_| names[3])]).flatten().collect::<Vec<_>>();
    let ignored: Vec<&str> =
        titles.iter().filter(|t| !used.contains(&&t.to_lowercase()[..])).map(|t| &t[..]).collect();
    let mut notes = Vec::new();
    if !ignored.is_empty() {
        notes.push(format!("{name}: ignoring the arrays {}", ignored.join(", ")));
    }
    Ok(Arrays { x, y, x_test, y_test, notes })
}

/// Checks that there are samples, a target for each, and that those to test on have the same shape.
fn check(arrays: &Arrays) -> Result<()> {
    let Arrays { x, y, x_test, y_test, .. } = arrays;
    for (x, y) in [(Some(x), y), (x_test.as_ref(), y_test)] {
        let Some(x) = x else { continue };
        if x.shape.is_empty() {
            return Err(Error::data(format!("{}: a single number, not an array of samples", x.name)));
        }
        if x.is_empty() || x.shape.contains(&0) {
            return Err(Error::data(format!("{}: no samples: its shape is {}", x.name, shape(&x.shape))));
        }
        if let Some(y) = y
            && y.len() != x.len()
        {
            return Err(Error::data(format!(
                "{} has {} samples, but {} has {}",
                x.name,
                x.len(),
                y.name,
                y.len()
            )));
        }
    }
    match x_test {
        Some(test) if test.shape[1..] != x.shape[1..] => Err(Error::data(format!(
            "{} has samples of another shape than {}: {} and {}",
            test.name,
            x.name,
            shape(&test.shape),
            shape(&x.shape)
        ))),
        _ => Ok(()),
    }
}

/// A shape as NumPy prints it.
fn shape(dims: &[usize]) -> String {
    match dims {
        [one] => format!("({one},)"),
        _ => format!("({})", dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests;
