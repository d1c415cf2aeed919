//! Writing files so that nothing is ever lost: a temporary name in the same folder, synced, then renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes `bytes` to `path`, which holds either the old or the new contents at every moment.
///
/// # Errors
/// Exit code 1 with the operating system's reason; the temporary file is removed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary_name(path);
    let written = write_synced(&temporary, bytes).and_then(|()| rename_synced(&temporary, path));
    written.map_err(|reason| {
        // The write has failed already; that the leftover cannot be removed either is no news.
        let _ = fs::remove_file(&temporary);
        Error::io("write", path, &reason)
    })
}

/// Renames a file that was already synced, and syncs the folder so that the new name survives a power cut.
///
/// # Errors
/// The operating system's reason.
pub fn rename_synced(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let folder = to.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Some file systems cannot sync a folder; the rename itself has succeeded.
    let _ = File::open(folder).and_then(|f| f.sync_all());
    Ok(())
}

/// Creates a folder and its parents.
///
/// # Errors
/// Exit code 1 with the operating system's reason.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io("create the folder", path, &e))
}

/// Removes what writers that were killed left in a folder.
///
/// # Errors
/// Exit code 1 with the operating system's reason.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    let failed = |e: io::Error| Error::io("clean", folder, &e);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// A name beside `path` that no other process uses: hidden, with the process's number.
fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::write_atomic;
    use std::fs;

    #[test]
    fn replaces_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_one_clear_line() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomic(&folder.path().join("no/a"), b"").unwrap_err();
        assert!(error.message.starts_with("cannot write "), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
