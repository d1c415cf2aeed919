//! A data set from the four files of a folder.

use std::path::{Path, PathBuf};

use super::classes::{self, Classes, read_names};
use super::find;
use super::idx::{self, RawImages};
use super::{Dataset, FASHION_MNIST_CLASSES, FILES, Reading, Samples, foreign, is_fashion_mnist};
use crate::error::{Error, ErrorKind, Result};

/// The advice where a folder holds no data set.
pub(super) const ADVICE: &str = "name a table (CSV), arrays (.npy or .npz), a folder of pictures for each class, or a folder of the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                      t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz, or try `--data demo`";

/// The advice where the folder that `--data` names holds no data set: the built-in name that resembles it, or [`ADVICE`].
pub(super) fn advice(folder: &Path) -> String {
    let typed = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let near =
        ["fashion-mnist", "demo"].into_iter().find(|name| strsim::damerau_levenshtein(name, &typed) <= 2);
    near.map_or_else(|| ADVICE.into(), |name| format!("did you mean `--data {name}`?"))
}

/// Finds and reads the four files of a folder. `advice` ends the error where they are missing.
pub(super) fn load(folder: &Path, advice: &str, reading: &Reading) -> Result<Dataset> {
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
        _ if folder.is_dir() => Err(none(
            foreign::in_folder(folder)
                .unwrap_or_else(|| format!("has neither {0} nor {0}.gz; {advice}", FILES[0])),
        )),
        _ => Err(none(format!("does not exist; {advice}"))),
    }
}

/// Reads the four files of a data set.
fn read_files(folder: &Path, paths: &[PathBuf; 4], reading: &Reading) -> Result<Dataset> {
    let names = names_file(folder, paths)?;
    let names = names.map(|path| read_names(&path).map(|names| (path, names))).transpose()?;
    let [train_images, train_labels, test_images, test_labels] = paths;
    // A second thread decompresses the test files.
    let (train, test) = std::thread::scope(|scope| {
        let test = scope.spawn(|| RawSamples::read(test_images, test_labels, reading.first_label));
        let train = RawSamples::read(train_images, train_labels, reading.first_label);
        (train, test.join().expect("reading a file does not panic"))
    });
    let (train, test) = (train?, test?);
    train.images.check_same_scale(&test.images)?;
    let mut warnings = Vec::from_iter(is_transposed(train_images, reading));
    warnings.extend([&train, &test].into_iter().flat_map(RawSamples::warnings));
    warnings.extend(find::unread_validation_images(train_images).map(|path| {
        format!("{} is not read: validation images are split off the training files", path.display())
    }));
    let (train, test) = (train.into_samples(reading), test.into_samples(reading));
    let first = reading.first_label;
    let counted = names.is_none() && !(first == 0 && is_fashion_mnist(train.labels()));
    let classes = match names {
        Some((path, names)) => Classes::named(train.labels(), test.labels(), first, &path, names)?,
        None if counted => Classes::counted(train.labels(), test.labels(), first)?,
        None => Classes::named(
            train.labels(),
            test.labels(),
            0,
            folder,
            FASHION_MNIST_CLASSES.map(String::from).to_vec(),
        )?,
    };
    warnings.extend(classes.warnings);
    check_same_size(&train, &test)?;
    Ok(Dataset { counted, first_label: first, warnings, ..Dataset::of_classes(train, test, classes.names) })
}

/// The file of class names: in the folder of the labels, or in the folder that `--data` names.
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

/// The warning where a file belongs to EMNIST, which is stored transposed, and no flag says how to read it.
pub fn is_transposed(images: &Path, reading: &Reading) -> Option<String> {
    let named = images
        .components()
        .rev()
        .take(3)
        .any(|part| part.as_os_str().to_string_lossy().to_lowercase().contains("emnist"));
    (named && reading.transpose.is_none()).then(|| {
        format!(
            "{} belongs to EMNIST by its name, whose images are stored transposed, but is read as it is; add --transpose to \
             set them upright, or --transpose=false where they are upright",
            images.display()
        )
    })
}

/// The images and labels of a pair of files, before the images are converted to bytes.
pub(super) struct RawSamples {
    images: RawImages,
    labels: Vec<u8>,
    warning: Option<String>,
}

impl RawSamples {
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

    pub(super) fn into_samples(self, reading: &Reading) -> Samples {
        let mut images = self.images.into_images();
        if reading.transpose == Some(true) {
            images.transpose();
        }
        Samples::of_images(images, self.labels)
    }
}

fn check_same_size(train: &Samples, test: &Samples) -> Result<()> {
    let size = |s: &Samples| s.images().map(|images| (images.rows, images.cols));
    let (a, b) = (size(train)?, size(test)?);
    if a == b {
        return Ok(());
    }
    Err(Error::data(format!("training images are {a:?} pixels, test images {b:?}")))
}
