//! Finds the four files of a data set by the names that people and programs give them.
//!
//! A name is split at `-`, `.`, `_` and spaces. The part before `train-images` names the data set (`emnist-letters-`); the
//! part after it is the IDX suffix (`idx3-ubyte`, `.gz`). Folders are searched level by level, down to the first level with
//! such files. Two different files for one role are refused.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::FILES;
use crate::error::{Error, Result, typed};

/// The levels below the given folder that are searched: torchvision stores its files in `FashionMNIST/raw`.
const MAX_DEPTH: usize = 2;
/// The maximum number of folder entries that are examined.
const MAX_ENTRIES: usize = 20_000;

/// The path of each of the four files, in the order of [`FILES`].
pub type FoundFiles = [Option<PathBuf>; 4];

/// A file whose name is that of one of the four.
#[derive(Debug, Clone)]
struct Candidate {
    path: PathBuf,
    /// The prefix of the name, lower case: `emnist-letters`, or nothing.
    prefix: String,
    /// Its index in [`FILES`].
    role: usize,
    zipped: bool,
}

/// Finds the files of a data set in a folder. Where a folder holds several data sets, `path` ends in the prefix of one, such
/// as `gzip/emnist-letters`.
///
/// # Errors
/// `Data` where there are several data sets, with what to type for each.
pub fn find(path: &Path) -> Result<FoundFiles> {
    if path.is_dir() {
        let candidates = candidates(path);
        return pick(path, candidates);
    }
    let (Some(folder), Some(prefix)) = (path.parent(), path.file_name()) else {
        return Ok(FoundFiles::default());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let prefix = words(&prefix.to_string_lossy()).join("-");
    let mut candidates = if folder.is_dir() { candidates(folder) } else { Vec::new() };
    candidates.retain(|c| c.prefix == prefix);
    pick(path, candidates)
}

/// The files of the first level that has any.
fn candidates(folder: &Path) -> Vec<Candidate> {
    let (mut level, mut budget) = (vec![folder.to_path_buf()], MAX_ENTRIES);
    for _ in 0..=MAX_DEPTH {
        let (mut found, mut below) = (Vec::new(), Vec::new());
        let paths: Vec<_> = level.iter().flat_map(|folder| entries(folder, &mut budget)).collect();
        for path in paths {
            let folder = path.is_dir();
            match candidate(&path) {
                // Some programs unpack an archive into a folder of its name.
                Some(named) if folder => {
                    let inside = entries(&path, &mut budget);
                    found.extend(
                        inside
                            .iter()
                            .filter_map(|p| candidate(p))
                            .filter(|c| c.path.is_file() && c.role == named.role),
                    );
                }
                Some(named) => found.push(named),
                None if folder => below.push(path),
                None => {}
            }
        }
        if !found.is_empty() {
            return found;
        }
        level = below;
    }
    Vec::new()
}

/// The entries of a folder, sorted by name, without hidden files and those that macOS adds. Examines at most `budget` entries
/// and subtracts them from it.
pub(super) fn entries(folder: &Path, budget: &mut usize) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(*budget).map(|e| e.path());
    let mut paths: Vec<_> = entries.collect();
    *budget -= paths.len();
    let hidden = |path: &PathBuf| {
        path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.') || n == "__MACOSX")
    };
    paths.retain(|path| !hidden(path));
    paths.sort();
    paths
}

/// The words of a name, lower case.
fn words(name: &str) -> Vec<String> {
    name.to_lowercase().split(['-', '.', '_', ' ']).map(String::from).collect()
}

/// The candidate that the name of a path makes, if it is that of one of the four files.
fn candidate(path: &Path) -> Option<Candidate> {
    let mut words = words(&path.file_name()?.to_string_lossy());
    let zipped = words.last().is_some_and(|w| w == "gz");
    if zipped {
        words.pop();
    }
    let at = words.windows(2).position(|pair| role(&pair[0], &pair[1]).is_some())?;
    let idx = |word: &String| {
        word.starts_with("idx")
            || ["ubyte", "byte", "uint8", "int", "short", "float", "double"].contains(&&word[..])
    };
    words[at + 2..].iter().all(idx).then(|| Candidate {
        path: path.into(),
        prefix: words[..at].join("-"),
        role: role(&words[at], &words[at + 1]).expect("it was found"),
        zipped,
    })
}

/// A file of validation images in the folder of the training images, which is not read.
pub fn unread_validation_images(train_images: &Path) -> Option<PathBuf> {
    let folder = train_images.parent()?;
    let is_validation = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        words(&name).windows(2).any(|pair| {
            ["val", "valid", "validation"].contains(&&pair[0][..]) && role("train", &pair[1]) == Some(0)
        })
    };
    entries(folder, &mut { MAX_ENTRIES }).into_iter().find(is_validation)
}

/// The index in [`FILES`] of `train-images` and the like.
fn role(split: &str, what: &str) -> Option<usize> {
    let split = match split {
        "train" | "training" => 0,
        "t10k" | "test" | "testing" => 2,
        _ => return None,
    };
    match what {
        "images" | "image" => Some(split),
        "labels" | "label" => Some(split + 1),
        _ => None,
    }
}

/// The single data set that the candidates make.
fn pick(path: &Path, candidates: Vec<Candidate>) -> Result<FoundFiles> {
    let mut prefixes: Vec<&str> = candidates.iter().map(|c| &c.prefix[..]).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    if prefixes.len() > 1 {
        return Err(several_sets(path, &prefixes, &candidates));
    }
    let mut found = FoundFiles::default();
    for (role, file) in found.iter_mut().enumerate() {
        let of_role: Vec<&Candidate> = candidates.iter().filter(|c| c.role == role).collect();
        match choose(&of_role) {
            Ok(path) => *file = path,
            Err([a, b]) => {
                let folders = [&a, &b].map(|p| p.parent().unwrap_or(p));
                let next = if folders[0] == folders[1] {
                    "move one of them away".into()
                } else {
                    format!("type `--data {}` or `--data {}`", typed(folders[0]), typed(folders[1]))
                };
                return Err(Error::data(format!(
                    "{} and {} are different files for the same place in a data set; {next}",
                    a.display(),
                    b.display()
                )));
            }
        }
    }
    Ok(found)
}

/// The error where a folder holds several data sets: what to type for each that is complete.
fn several_sets(path: &Path, prefixes: &[&str], candidates: &[Candidate]) -> Error {
    let complete = |prefix: &&&str| {
        (0..FILES.len()).all(|role| candidates.iter().any(|c| c.role == role && c.prefix == **prefix))
    };
    let typable = prefixes.iter().filter(complete).filter(|prefix| !prefix.is_empty()).map(|prefix| {
        let folder = candidates.iter().find(|c| c.prefix == **prefix).and_then(|c| c.path.parent());
        format!("`--data {}`", typed(&folder.unwrap_or(path).join(prefix)))
    });
    let typable: Vec<_> = typable.collect();
    let next = match (&typable[..], prefixes.contains(&"")) {
        ([], _) => "give the four files of one data set the same beginning, or a folder of their own".into(),
        (some, false) => format!("type {}", some.join(" or ")),
        (some, true) => {
            format!(
                "type {}, or give those whose names start with train- and t10k- a folder of their own",
                some.join(" or ")
            )
        }
    };
    let names = prefixes.iter().map(|p| if p.is_empty() { "train-, t10k-".into() } else { format!("{p}-") });
    Error::data(format!(
        "{} holds files of {} data sets ({}); {next}",
        path.display(),
        prefixes.len(),
        names.collect::<Vec<_>>().join(", ")
    ))
}

/// Chooses the file to read among those of one role; `Err` with two that differ. An unpacked file is preferred to its
/// archive, and of files with the same bytes any will do.
fn choose(candidates: &[&Candidate]) -> std::result::Result<Option<PathBuf>, [PathBuf; 2]> {
    let plain_beside = |c: &&&Candidate| {
        let unpacked = c.path.with_extension("");
        !(c.zipped && candidates.iter().any(|other| other.path == unpacked))
    };
    let mut left = candidates.iter().filter(plain_beside);
    let Some(first) = left.next() else { return Ok(None) };
    match left.find(|other| !same_bytes(&first.path, &other.path)) {
        Some(other) => Err([first.path.clone(), other.path.clone()]),
        None => Ok(Some(first.path.clone())),
    }
}

/// Whether two files can be read and hold the same bytes.
fn same_bytes(a: &Path, b: &Path) -> bool {
    let open = |path: &Path| {
        let file = File::open(path).ok()?;
        Some((file.metadata().ok()?.len(), BufReader::new(file)))
    };
    let (Some((a_len, a)), Some((b_len, b))) = (open(a), open(b)) else { return false };
    a_len == b_len && a.bytes().zip(b.bytes()).all(|pair| matches!(pair, (Ok(a), Ok(b)) if a == b))
}

#[cfg(test)]
mod tests;
