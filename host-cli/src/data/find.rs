//! Finds the four files of a data set by the names that people and programs give them.
//!
//! A name is taken apart at `-`, `.`, `_` and blanks: what comes before `train-images` is the data set's own
//! (`emnist-letters-`), what follows says IDX (`idx3-ubyte`, `.gz`). Folders are looked into level by level, and the first
//! level with such files is the only one that counts. Two files for one place are refused, unless they are the same.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::FILES;
use crate::error::{Error, Result, typed};

/// Folders are opened this far below the one that is named: torchvision's files lie in `FashionMNIST/raw`.
const DEPTH: usize = 2;
/// The most entries that are looked at.
const MOST: usize = 20_000;

/// Where each of the four files is, in the order of [`FILES`].
pub type Found = [Option<PathBuf>; 4];

/// A file with a name of one of the four.
#[derive(Debug, Clone)]
struct Candidate {
    path: PathBuf,
    /// What the name starts with, lower case: `emnist-letters`, or nothing.
    set: String,
    /// Its position in [`FILES`].
    role: usize,
    zipped: bool,
}

/// Finds the files of a data set: in a folder, or in one whose data sets' names differ in what they start with, such as
/// `gzip/emnist-letters`.
///
/// # Errors
/// Exit code 3 where more than one data set is there, with what to type for each.
pub fn find(path: &Path) -> Result<Found> {
    if path.is_dir() {
        let candidates = candidates(path);
        return pick(path, candidates);
    }
    let (Some(folder), Some(set)) = (path.parent(), path.file_name()) else {
        return Ok(Found::default());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let set = words(&set.to_string_lossy()).join("-");
    let mut candidates = if folder.is_dir() { candidates(folder) } else { Vec::new() };
    candidates.retain(|c| c.set == set);
    pick(path, candidates)
}

/// The files of the first level that has any.
fn candidates(folder: &Path) -> Vec<Candidate> {
    let (mut level, mut budget) = (vec![folder.to_path_buf()], MOST);
    for _ in 0..=DEPTH {
        let (mut found, mut below) = (Vec::new(), Vec::new());
        let paths: Vec<_> = level.iter().flat_map(|folder| entries(folder, &mut budget)).collect();
        for path in paths {
            let folder = path.is_dir();
            match candidate(&path) {
                // An archive that is unpacked by itself leaves the file in a folder of its name.
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

/// What is in a folder, by name, without what systems leave there.
fn entries(folder: &Path, budget: &mut usize) -> Vec<PathBuf> {
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

/// The parts of a name, lower case.
fn words(name: &str) -> Vec<String> {
    name.to_lowercase().split(['-', '.', '_', ' ']).map(String::from).collect()
}

/// What a path's name says, if it is that of one of the four files.
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
        set: words[..at].join("-"),
        role: role(&words[at], &words[at + 1]).expect("it was found"),
        zipped,
    })
}

/// Validation images beside the training images of a data set.
pub fn left_unread(train_images: &Path) -> Option<PathBuf> {
    let folder = train_images.parent()?;
    let is_validation = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        words(&name).windows(2).any(|pair| {
            ["val", "valid", "validation"].contains(&&pair[0][..]) && role("train", &pair[1]) == Some(0)
        })
    };
    entries(folder, &mut { MOST }).into_iter().find(is_validation)
}

/// The position in [`FILES`] of `train-images` and the like.
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

/// The one data set that the candidates make.
fn pick(path: &Path, candidates: Vec<Candidate>) -> Result<Found> {
    let mut sets: Vec<&str> = candidates.iter().map(|c| &c.set[..]).collect();
    sets.sort_unstable();
    sets.dedup();
    if sets.len() > 1 {
        return Err(several_sets(path, &sets, &candidates));
    }
    let mut found = Found::default();
    for (role, place) in found.iter_mut().enumerate() {
        let of_role: Vec<&Candidate> = candidates.iter().filter(|c| c.role == role).collect();
        match one(&of_role) {
            Ok(path) => *place = path,
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

/// The error of files of more than one name: what to type for each that is whole.
fn several_sets(path: &Path, sets: &[&str], candidates: &[Candidate]) -> Error {
    let whole = |set: &&&str| {
        (0..FILES.len()).all(|role| candidates.iter().any(|c| c.role == role && c.set == **set))
    };
    let typable = sets.iter().filter(whole).filter(|set| !set.is_empty()).map(|set| {
        let of_set = candidates.iter().find(|c| c.set == **set).and_then(|c| c.path.parent());
        format!("`--data {}`", typed(&of_set.unwrap_or(path).join(set)))
    });
    let typable: Vec<_> = typable.collect();
    let next = match (&typable[..], sets.contains(&"")) {
        ([], _) => "give the four files of one data set the same beginning, or a folder of their own".into(),
        (some, false) => format!("type {}", some.join(" or ")),
        (some, true) => {
            format!(
                "type {}, or give those whose names start with train- and t10k- a folder of their own",
                some.join(" or ")
            )
        }
    };
    let names =
        sets.iter().map(|set| if set.is_empty() { "train-, t10k-".into() } else { format!("{set}-") });
    Error::data(format!(
        "{} holds files of {} data sets ({}); {next}",
        path.display(),
        sets.len(),
        names.collect::<Vec<_>>().join(", ")
    ))
}

/// The file to read of those that fit one place, or two that differ. Beside its own archive the unpacked file is taken, and
/// one of several that are the same.
fn one(candidates: &[&Candidate]) -> std::result::Result<Option<PathBuf>, [PathBuf; 2]> {
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

/// Whether two files can be read and hold the same.
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
