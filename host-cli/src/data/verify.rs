//! Whether a folder holds Fashion-MNIST, judged by the files that training would read.
//!
//! The published hashes are of the compressed files. Of others, unpacked or under another usual name, it is checked that
//! they are whole, of the data set's dimensions, and the training labels its own.

use std::path::Path;

use super::fetch::{FASHION_MNIST, RemoteFile, Status, status};
use super::{FILES, find, idx, is_fashion};
use crate::error::{Error, ErrorKind, Result};

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The published file.
    Good,
    /// Readable and of the right dimensions, but not the published file, so no hash is known for it.
    Unpacked,
    /// Not there.
    Missing,
    /// It has the published file's name, but not its SHA-256.
    WrongHash,
    /// Not readable, or of another data set.
    Corrupt,
}

impl State {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unpacked => "unpacked",
            Self::Missing => "missing",
            Self::WrongHash => "wrong SHA-256",
            Self::Corrupt => "corrupt",
        }
    }

    /// Whether training would read it as it should be.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Unpacked)
    }
}

/// The name and the state of each of the four files in a folder.
///
/// # Errors
/// Exit code 3 where a file cannot be read, or where more than one fits a place.
pub fn verify(folder: &Path) -> Result<Vec<(String, State)>> {
    let found = find::find(folder)?;
    found
        .iter()
        .zip(&FASHION_MNIST)
        .map(|(path, file)| {
            let Some(path) = path else { return Ok((file.name.into(), State::Missing)) };
            let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
            Ok((name, judge(path, file)?))
        })
        .collect()
}

fn judge(path: &Path, file: &RemoteFile<'_>) -> Result<State> {
    if path.file_name().is_some_and(|name| name == file.name) {
        return Ok(match status(path, file)? {
            Status::Good => State::Good,
            Status::Missing => State::Missing,
            Status::Corrupt => State::WrongHash,
        });
    }
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    let role = FILES.iter().position(|name| file.name.starts_with(name));
    let images = |count| {
        idx::parse_images("", &bytes).is_ok_and(|(i, _)| (i.count, i.rows, i.cols) == (count, 28, 28))
    };
    let labels = || idx::parse_labels("", &bytes, 0).map(|(labels, _)| labels).unwrap_or_default();
    let whole = match role {
        Some(0) => images(60_000),
        Some(1) => is_fashion(&labels()),
        Some(2) => images(10_000),
        _ => labels().len() == 10_000 && labels().iter().all(|&label| label < 10),
    };
    Ok(if whole { State::Unpacked } else { State::Corrupt })
}
