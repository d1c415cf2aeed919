//! Files of formats that are not read given as a data set, and folders of files that are read one by one: names the format,
//! and says what to type.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::find::entries;
use super::folder::ADVICE;
use crate::error::{Error, ErrorKind, Result, typed};
use crate::files::kind::{self, Kind};

/// The number of bytes at the start of a file that are examined.
const HEAD_BYTES: u64 = 64 << 10;
/// The maximum number of entries of a folder that are examined.
const MAX_ENTRIES: usize = 1000;

/// How to save what Python has loaded.
const SAVE: &str = "save it as arrays, numpy.savez('data.npz', x_train=.., y_train=.., x_test=.., y_test=..), or a table as CSV";

/// What the file at `path` is, and what to type instead; a clause that follows `is`.
///
/// # Errors
/// `Data` where it cannot be read.
pub fn of_file(path: &Path) -> Result<String> {
    let kind = kind_of(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    if kind == Kind::Text && is_table(path) {
        return Ok(
            "text, but no table: separate the columns by commas, semicolons or tabs, in two columns at least"
                .into(),
        );
    }
    if let Some(clause) = clause(kind, path) {
        return Ok(clause);
    }
    Ok(match kind {
        Kind::Idx | Kind::Gzip => {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            format!("a file, not a folder; --data takes the folder of all four: `--data {}`", typed(folder))
        }
        Kind::Png | Kind::Picture => {
            format!(
                "a picture, not a folder of data; `selvedge predict MODEL {}` names its class",
                typed(path)
            )
        }
        _ => format!("a file, not a folder: {}; {ADVICE}", kind.name()),
    })
}

/// What a folder holds instead of IDX files, if its format is known; a clause that follows its name.
pub fn in_folder(folder: &Path) -> Option<String> {
    let files = entries(folder, &mut { MAX_ENTRIES }).into_iter().filter(|path| path.is_file());
    files.filter_map(|path| Some((kind_of(&path).ok()?, path))).find_map(|(kind, path)| {
        let clause = clause(kind, &path)?;
        Some(format!("has no IDX files; {} is {clause}", path.file_name()?.to_string_lossy()))
    })
}

/// What a file is and how to convert it, where that is possible.
fn clause(kind: Kind, path: &Path) -> Option<String> {
    let file = typed(path);
    let is = kind.name();
    Some(match kind {
        Kind::Text if is_table(path) => format!("a table; `--data {file}` reads it"),
        Kind::Npz | Kind::Npy => format!("{is}; `--data {file}` reads it"),
        Kind::Zip => format!("{is}; unpack it: unzip {file} -d data, then --data data"),
        Kind::Archive => format!("{is}; unpack it: tar -xf {file}, then --data with the folder that it made"),
        Kind::Hdf5 | Kind::Parquet | Kind::Matlab | Kind::Pickle | Kind::Torch => {
            format!("{is}; load it in Python and {SAVE}")
        }
        _ => format!("{is}; {}", kind.fetch_again()?),
    })
}

/// The kind of a file by its first bytes.
fn kind_of(path: &Path) -> std::io::Result<Kind> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(kind::of(&head))
}

fn is_table(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["csv", "tsv"].contains(&&ending[..])
}
