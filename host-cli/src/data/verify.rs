//! Checks that a folder holds Fashion-MNIST, by the files that training would read.
//!
//! The published hashes are those of the compressed files. Other files, unpacked or under another common name, must be
//! complete and have the dimensions of Fashion-MNIST, and the training labels must be its own.

use std::path::Path;

use super::fetch::{self, FASHION_MNIST, HashCheck, RemoteFile};
use super::{FILES, find, idx, is_fashion_mnist};
use crate::error::{Error, ErrorKind, Result};

/// What a folder has of a file of Fashion-MNIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// The published file.
    Good,
    /// Readable and of the right dimensions, but not a published file, so that no hash is known for it.
    Unpacked,
    /// Not there.
    Missing,
    /// It has the published file's name, but not its SHA-256.
    WrongHash,
    /// Not readable, or of another data set.
    Corrupt,
}

impl FileState {
    /// As `data verify` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unpacked => "unpacked",
            Self::Missing => "missing",
            Self::WrongHash => "wrong SHA-256",
            Self::Corrupt => "corrupt",
        }
    }

    /// Whether training can use it.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Unpacked)
    }
}

/// The name and the state of each of the four files of a folder.
///
/// # Errors
/// `Data` where a file cannot be read, or where several files match one of the four.
pub fn verify(folder: &Path) -> Result<Vec<(String, FileState)>> {
    let found = find::find(folder)?;
    found
        .iter()
        .zip(&FASHION_MNIST)
        .map(|(path, file)| {
            let Some(path) = path else { return Ok((file.name.into(), FileState::Missing)) };
            let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
            Ok((name, state_of(path, file)?))
        })
        .collect()
}

fn state_of(path: &Path, file: &RemoteFile<'_>) -> Result<FileState> {
    if path.file_name().is_some_and(|name| name == file.name) {
        return Ok(match fetch::check(path, file)? {
            HashCheck::Matches => FileState::Good,
            HashCheck::Missing => FileState::Missing,
            HashCheck::Differs => FileState::WrongHash,
        });
    }
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    let role = FILES.iter().position(|name| file.name.starts_with(name));
    let images = |count| {
        idx::parse_images("", &bytes).is_ok_and(|(i, _)| (i.count, i.rows, i.cols) == (count, 28, 28))
    };
    let labels = || idx::parse_labels("", &bytes, 0).map(|(labels, _)| labels).unwrap_or_default();
    let complete = match role {
        Some(0) => images(60_000),
        Some(1) => is_fashion_mnist(&labels()),
        Some(2) => images(10_000),
        _ => labels().len() == 10_000 && labels().iter().all(|&label| label < 10),
    };
    Ok(if complete { FileState::Unpacked } else { FileState::Corrupt })
}
