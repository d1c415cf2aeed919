//! Writes files and folders atomically: under a temporary name in the same folder, synced, then renamed.

pub mod checksum;
pub mod kind;
pub(crate) mod onnx;
pub mod safetensors;
pub(crate) mod tflite;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, typed};

/// Writes `bytes` to `path`, which holds either the old or the new contents at every moment. Removes the temporary file of an
/// earlier writer of the same file that was killed.
///
/// # Errors
/// `Failed` with the operating system's reason; the temporary file is removed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    // A symbolic link stays; its target is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let path = if path.is_symlink() { &target } else { path };
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    // Where the folder cannot be read the write reports it, and a leftover does no harm.
    let _ = remove_temporary(folder_of(path), |of, process| of == name && has_ended(process));
    let temporary = temporary_name(path);
    let written = write_synced(&temporary, bytes).and_then(|()| rename_synced(&temporary, path));
    written.map_err(|reason| {
        // The failed write is the error to report, not that its temporary file cannot be removed.
        let _ = fs::remove_file(&temporary);
        Error::io("write", path, &reason)
    })
}

/// Refuses, before the work that would be lost, a path that [`write_atomic`] could not write, or whose file is the `input`.
///
/// # Errors
/// `Failed` where it is a folder, a device or a pipe, or its folder does not exist; 2 where it is the `input`.
pub fn check_output(path: &Path, input: &Path) -> Result<()> {
    let (output, folder) = (path.display(), folder_of(path));
    let canonical = |path: &Path| fs::canonicalize(path).ok();
    if canonical(path).is_some_and(|file| Some(file) == canonical(input)) {
        return Err(Error::usage(format!(
            "{output} is read and would be replaced; name another file to write"
        )));
    }
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Err(Error::failed(format!(
            "cannot write {output}: it is a device or a pipe, which writing would replace by a file; name a file"
        )));
    }
    if path.is_dir() {
        return Err(Error::failed(format!(
            "cannot write {output}: it is a folder; name a file, such as {output}/FILE"
        )));
    }
    if !folder.is_dir() {
        return Err(Error::failed(format!(
            "cannot write {output}: there is no folder {}; make it with `mkdir -p {}`, or name another place",
            folder.display(),
            typed(folder)
        )));
    }
    Ok(())
}

/// Renames a file that has been synced, and syncs the folder so that the new name survives a power failure.
///
/// # Errors
/// The operating system's reason.
pub fn rename_synced(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    // Some file systems cannot sync a folder; the rename itself has succeeded.
    let _ = File::open(folder_of(to)).and_then(|f| f.sync_all());
    Ok(())
}

/// Creates a folder and its parents.
///
/// # Errors
/// `Failed` with the operating system's reason.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io("create the folder", path, &e))
}

/// Writes a folder of files, completely or not at all. `replace` names the files that identify a folder that may be replaced;
/// any other folder that is not empty stays as it is.
///
/// # Errors
/// `Usage` where the folder exists, `Failed` with the operating system's reason; no temporary files remain.
pub fn write_folder(path: &Path, files: &[(PathBuf, Vec<u8>)], replace: Option<&[&str]>) -> Result<()> {
    let exists = path.is_file() || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if exists {
        let Some(markers) = replace else {
            return Err(Error::usage(format!(
                "{} already exists; name another --out, or add --overwrite",
                path.display()
            )));
        };
        if !markers.iter().all(|marker| path.join(marker).is_file()) {
            return Err(Error::usage(format!(
                "{} holds something else, which --overwrite does not replace; name another --out",
                path.display()
            )));
        }
    }
    let path = std::path::absolute(path).map_err(|e| Error::io("write", path, &e))?;
    let (new, old) = (temporary_name(&path), temporary_name(&path).with_extension("old"));
    let written = write_all_synced(&new, files).and_then(|()| {
        if exists {
            fs::rename(&path, &old)?;
        }
        rename_synced(&new, &path)
    });
    if let Err(reason) = written {
        if exists && !path.exists() {
            // Restore the old folder.
            let _ = fs::rename(&old, &path);
        }
        let _ = fs::remove_dir_all(&new);
        return Err(Error::io("write", &path, &reason));
    }
    if exists { fs::remove_dir_all(&old).map_err(|e| Error::io("remove", &old, &e)) } else { Ok(()) }
}

fn write_all_synced(folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> io::Result<()> {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        write_synced(&path, bytes)?;
    }
    Ok(())
}

/// Removes the temporary files that killed writers left in a folder.
///
/// # Errors
/// `Failed` with the operating system's reason.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    remove_temporary(folder, |_, _| true).map_err(|e| Error::io("clean", folder, &e))
}

/// Removes the temporary files and folders of a folder that `unwanted` selects by the final name and the process of the
/// writer.
fn remove_temporary(folder: &Path, unwanted: impl Fn(&str, u32) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let parts =
            file.strip_prefix('.').and_then(|f| f.strip_suffix(".tmp")).and_then(|f| f.rsplit_once('.'));
        if let Some((name, process)) = parts
            && process.parse().is_ok_and(|process| unwanted(name, process))
        {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Whether no process has that number; `false` where the system does not list its processes.
fn has_ended(process: u32) -> bool {
    let list = Path::new("/proc");
    list.join("self").exists() && !list.join(process.to_string()).exists()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A hidden name in the folder of `path` that no other process uses, since it has the process's number.
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
    fn replaces_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_of_ended_processes_are_removed_and_those_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // The greatest number that Linux gives is 4,194,304; 1 is always there.
        let [dead, living, other] = [".a.4194305.tmp", ".a.1.tmp", ".b.4194305.tmp"].map(at);
        for path in [&dead, &living, &other] {
            fs::write(path, "half").unwrap();
        }
        write_atomic(&at("a"), b"whole").unwrap();
        let listed = std::path::Path::new("/proc/self").exists();
        assert_eq!([dead.exists(), living.exists(), other.exists()], [!listed, true, true]);
        super::remove_leftovers(folder.path()).unwrap();
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
