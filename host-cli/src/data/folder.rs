//! A data set from the four files of a folder.

use std::path::{Path, PathBuf};

use super::classes::{self, Classes, read_names};
use super::find;
use super::idx::{self, RawImages};
use super::{Dataset, FASHION, FILES, Reading, Set, foreign, is_fashion};
use crate::error::{Error, ErrorKind, Result};

/// What is expected where nothing fits.
pub(super) const ADVICE: &str = "name a folder of the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                      t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz, or try `--data demo`";

/// What to try where a folder that was named holds no data: the set whose name is near, or what makes a folder one.
pub(super) fn advice(folder: &Path) -> String {
    let said = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let near =
        ["fashion-mnist", "demo"].into_iter().find(|name| strsim::damerau_levenshtein(name, &said) <= 2);
    near.map_or_else(|| ADVICE.into(), |name| format!("did you mean `--data {name}`?"))
}

/// Reads the four files at a path; `advice` says what to try where they are missing.
pub(super) fn load(folder: &Path, advice: &str, reading: Reading) -> Result<Dataset> {
    let none = |why: String| Error::data(format!("no data: {} {why}", folder.display()));
    let found = find::find(folder)?;
    let missing = found.iter().position(Option::is_none);
    let there: Vec<_> = found.iter().flatten().filter_map(|path| path.file_name()?.to_str()).collect();
    match (missing.map(|role| FILES[role]), found.clone()) {
        (None, [Some(a), Some(b), Some(c), Some(d)]) => read_files(folder, &[a, b, c, d], reading),
        (Some(file), _) if !there.is_empty() => {
            Err(none(format!("has {}, but neither {file} nor {file}.gz; {advice}", there.join(" and "))))
        }
        _ if folder.is_file() => Err(none(format!("is {}", foreign::of_file(folder)?))),
        _ if folder.is_dir() => Err(none(match foreign::in_folder(folder) {
            Some(what) => what,
            None => format!("has neither {0} nor {0}.gz; {advice}", FILES[0]),
        })),
        _ => Err(none(format!("does not exist; {advice}"))),
    }
}

/// Reads the four files of a data set.
fn read_files(folder: &Path, paths: &[PathBuf; 4], reading: Reading) -> Result<Dataset> {
    let names = names_file(folder, paths)?;
    let names = names.map(|path| read_names(&path).map(|names| (path, names))).transpose()?;
    let [train_images, train_labels, test_images, test_labels] = paths;
    // The test set inflates beside the training set.
    let (train, test) = std::thread::scope(|scope| {
        let test = scope.spawn(|| RawSet::read(test_images, test_labels, reading.first_label));
        let train = RawSet::read(train_images, train_labels, reading.first_label);
        (train, test.join().expect("reading a file does not panic"))
    });
    let (train, test) = (train?, test?);
    train.images.check_same_scale(&test.images)?;
    let mut warnings = Vec::from_iter(is_transposed(train_images, reading));
    warnings.extend([&train, &test].into_iter().flat_map(RawSet::warnings));
    warnings.extend(find::left_unread(train_images).map(|path| {
        format!("{} is not read: validation images are split off the training files", path.display())
    }));
    let (train, test) = (train.into_set(reading), test.into_set(reading));
    let first = reading.first_label;
    let counted = names.is_none() && !(first == 0 && is_fashion(&train.labels));
    let classes = match names {
        Some((path, names)) => Classes::named(&train.labels, &test.labels, first, &path, names)?,
        None if counted => Classes::counted(&train.labels, &test.labels, first)?,
        None => Classes::named(&train.labels, &test.labels, 0, folder, FASHION.map(String::from).to_vec())?,
    };
    warnings.extend(classes.warnings);
    check_sizes(&train, &test)?;
    Ok(Dataset {
        name: String::new(),
        train,
        test,
        classes: classes.names,
        counted,
        first_label: first,
        warnings,
    })
}

/// The file of class names: beside the labels, or in the folder that was named.
fn names_file(folder: &Path, paths: &[PathBuf; 4]) -> Result<Option<PathBuf>> {
    let mut folders = vec![paths[1].parent().unwrap_or(folder), folder];
    folders.dedup();
    let is_names = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(classes::FILE)) && path.is_file()
    };
    let in_folder = |folder: &Path| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).find(is_names)
    };
    match folders.into_iter().filter_map(in_folder).collect::<Vec<_>>().as_slice() {
        [a, b] => Err(Error::data(format!(
            "{} and {} both name the classes; remove the one that is not of this data set",
            a.display(),
            b.display()
        ))),
        found => Ok(found.first().cloned()),
    }
}

/// What to warn of where a file is of a data set that is known to be stored transposed, and nobody said how to read it.
pub fn is_transposed(images: &Path, reading: Reading) -> Option<String> {
    let named = images
        .components()
        .rev()
        .take(3)
        .any(|part| part.as_os_str().to_string_lossy().to_lowercase().contains("emnist"));
    (named && reading.transpose.is_none()).then(|| {
        format!(
            "{} is EMNIST by its name, whose images are stored transposed, and is read as it is; add --transpose to set \
             them upright, or --transpose=false where they are",
            images.display()
        )
    })
}

/// Images and labels as their files have them.
pub(super) struct RawSet {
    images: RawImages,
    labels: Vec<u8>,
    warning: Option<String>,
}

impl RawSet {
    fn read(images: &Path, labels: &Path, first_label: usize) -> Result<Self> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e));
        let [images_name, labels_name] = [images, labels].map(|path| path.display().to_string());
        Self::parse((&images_name, &read(images)?), (&labels_name, &read(labels)?), first_label)
    }

    pub(super) fn parse(images: (&str, &[u8]), labels: (&str, &[u8]), first_label: usize) -> Result<Self> {
        let (images_name, labels_name) = (images.0, labels.0);
        let images = RawImages::parse(images_name, images.1)?;
        let (labels, warning) = idx::parse_labels(labels_name, labels.1, first_label)?;
        if images.count() != labels.len() {
            return Err(Error::data(format!(
                "{images_name} holds {} images, but {labels_name} holds {} labels",
                images.count(),
                labels.len()
            )));
        }
        Ok(Self { images, labels, warning })
    }

    fn warnings(&self) -> impl Iterator<Item = String> {
        self.images.warning().into_iter().chain(self.warning.clone())
    }

    pub(super) fn into_set(self, reading: Reading) -> Set {
        let mut images = self.images.into_images();
        if reading.transpose == Some(true) {
            images.transpose();
        }
        Set { images, labels: self.labels }
    }
}

fn check_sizes(train: &Set, test: &Set) -> Result<()> {
    let size = |s: &Set| (s.images.rows, s.images.cols);
    let (a, b) = (size(train), size(test));
    if a == b {
        return Ok(());
    }
    Err(Error::data(format!("training images are {a:?} pixels, test images {b:?}")))
}
