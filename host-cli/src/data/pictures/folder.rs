//! Finds the pictures of a folder: a folder of files for each class, in the folder itself or in `train`, `val` and `test`.
//!
//! Names that start with a dot are ignored. Files that are neither PNG nor JPEG are counted in a note, unless they are, or
//! are named as, pictures.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::is_picture;
use crate::error::{Error, ErrorKind, Result};
use crate::files::kind::{self, Kind};

/// The maximum number of classes, since a label is a byte.
const MAX_CLASSES: usize = 256;
/// The names of the folders of each set, lower case.
const TRAIN: &[&str] = &["train", "training"];
const VAL: &[&str] = &["val", "valid", "validation"];
const TEST: &[&str] = &["test", "testing"];
/// The number of bytes at the start of a file that are examined.
const HEAD_BYTES: u64 = 512;
/// The maximum number of files of a folder that are examined to see whether it holds pictures.
const MAX_EXAMINED: usize = 100;

/// The files of one set with the class of each, by class, then by name.
#[derive(Debug, Default)]
pub struct PictureSet {
    /// Path and class.
    pub files: Vec<(PathBuf, u8)>,
}

impl PictureSet {
    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }
}

/// The files of a folder of pictures.
#[derive(Debug)]
pub struct Found {
    /// The pictures to train on.
    pub train: PictureSet,
    /// Those of a folder for validation.
    pub val: Option<PictureSet>,
    /// Those of a folder for testing.
    pub test: Option<PictureSet>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// What was ignored or looks wrong.
    pub notes: Vec<String>,
}

/// The visible entries of a folder, by name: its folders and its other files.
struct Entries {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Entries {
    fn of(folder: &Path) -> Result<Self> {
        let unreadable = |e: std::io::Error| Error::unreadable(ErrorKind::Data, folder, &e);
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        let (folders, files) = paths.into_iter().partition(|path| path.is_dir());
        Ok(Self { folders, files })
    }

    /// Takes out the one folder whose name, in any case, is one of `names`.
    fn take(&mut self, names: &[&str]) -> Result<Option<PathBuf>> {
        let named = |path: &PathBuf| names.contains(&&name(path).to_lowercase()[..]);
        let found: Vec<_> = self.folders.extract_if(.., |path| named(path)).collect();
        match &found[..] {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            [a, b, ..] => Err(Error::data(format!(
                "{} and {} are folders of the same set; keep one",
                a.display(),
                b.display()
            ))),
        }
    }
}

/// Whether a folder holds a folder of pictures for each class, itself or in `train`. Files are recognised by their first bytes.
pub fn is_picture_folder(folder: &Path) -> bool {
    let holds_pictures = |class: &PathBuf| {
        let entries = Entries::of(class);
        entries
            .is_ok_and(|e| e.files.iter().take(MAX_EXAMINED).any(|f| head(f).is_ok_and(|h| is_picture(&h))))
    };
    let holds_classes =
        |folder: &Path| Entries::of(folder).is_ok_and(|e| e.folders.iter().any(holds_pictures));
    let Ok(mut entries) = Entries::of(folder) else { return false };
    match entries.take(TRAIN) {
        // Two folders of a set are an error that `find` explains.
        Ok(Some(train)) => holds_classes(&train) || holds_pictures(&train),
        Ok(None) => entries.folders.iter().any(|f| holds_pictures(f) || is_set(f) && holds_classes(f)),
        Err(_) => true,
    }
}

/// Finds the pictures.
///
/// # Errors
/// As [`read`](super::read), but for what is inside the files.
pub fn find(folder: &Path) -> Result<Found> {
    let mut root = Entries::of(folder)?;
    let mut ignored = Vec::new();
    let (train, val, test) = match root.take(TRAIN)? {
        Some(train) => {
            let (val, test) = (root.take(VAL)?, root.take(TEST)?);
            ignored.append(&mut root.folders);
            ignored.append(&mut root.files);
            (Entries::of(&train)?, val, test)
        }
        None => {
            if let Some(set) = root.folders.iter().find(|set| is_set(set) && has_folders(set)) {
                return Err(Error::data(format!(
                    "{} has {}, but no folder train beside it; name the folder of the pictures to train on train",
                    folder.display(),
                    name(set)
                )));
            }
            (root, None, None)
        }
    };
    let parent = train.folders.first().and_then(|class| class.parent()).unwrap_or(folder).to_path_buf();
    let classes = sorted(train.folders.iter().map(|path| name(path)).collect());
    match classes.len() {
        0 | 1 => {
            return Err(Error::data(format!(
                "{} has {} of pictures, and a classifier needs two classes or more: put the pictures of each class into a \
                 folder of its name",
                parent.display(),
                if classes.is_empty() {
                    "no folder".to_string()
                } else {
                    format!("one folder, {},", classes[0])
                }
            )));
        }
        n if n > MAX_CLASSES => {
            return Err(Error::data(format!(
                "{} has {n} folders, and there are at most {MAX_CLASSES} classes",
                parent.display()
            )));
        }
        _ => {}
    }
    let mut notes = Vec::new();
    let train = set(train, &classes, &mut ignored)?;
    let mut other = |path: Option<PathBuf>| -> Result<Option<PictureSet>> {
        let Some(path) = path else { return Ok(None) };
        let entries = Entries::of(&path)?;
        if let Some(unknown) = entries.folders.iter().find(|class| !classes.contains(&name(class))) {
            return Err(Error::data(format!(
                "{}: no such class is trained; the classes are {}; put pictures of it into the folder to train on too, or remove \
                 it",
                unknown.display(),
                list(&classes)
            )));
        }
        let there: Vec<_> = entries.folders.iter().map(|class| name(class)).collect();
        let missing: Vec<_> = classes.iter().filter(|class| !there.contains(class)).cloned().collect();
        if there.is_empty() {
            return Err(Error::data(format!(
                "{} has no folders of classes; remove it, or fill it",
                path.display()
            )));
        }
        if !missing.is_empty() {
            notes.push(format!("{} has no pictures of {}", path.display(), list(&missing)));
        }
        set(entries, &classes, &mut ignored).map(Some)
    };
    let (val, test) = (other(val)?, other(test)?);
    if let Some(first) = ignored.first() {
        let n = ignored.len();
        let what = if n == 1 { "entry is no picture and is" } else { "entries are no pictures and are" };
        notes.push(format!(
            "{n} {what} ignored: {}{}",
            first.display(),
            if n == 1 { "" } else { " and others" }
        ));
    }
    Ok(Found { train, val, test, classes, notes })
}

/// The pictures of a set, whose folders are classes. Appends to `ignored` what is no picture.
fn set(entries: Entries, classes: &[String], ignored: &mut Vec<PathBuf>) -> Result<PictureSet> {
    let mut set = PictureSet::default();
    ignored.extend(entries.files);
    for (class, of_class) in classes.iter().zip(0_u8..=u8::MAX) {
        let Some(folder) = entries.folders.iter().find(|path| name(path) == *class) else { continue };
        let Entries { folders, files } = Entries::of(folder)?;
        if let Some(inner) = folders.first() {
            return Err(Error::data(format!(
                "{} is a folder inside a class; move its pictures up into {}, or remove it",
                inner.display(),
                folder.display()
            )));
        }
        let before = set.files.len();
        for path in files {
            if counts(&path)? {
                set.files.push((path, of_class));
            } else {
                ignored.push(path);
            }
        }
        if set.files.len() == before {
            return Err(Error::data(format!(
                "{} has no PNG or JPEG file; put the pictures of its class there, or remove it",
                folder.display()
            )));
        }
    }
    Ok(set)
}

/// Whether a file counts as a picture: by its first bytes or by its name, so that damage is reported when it is decoded.
fn counts(path: &Path) -> Result<bool> {
    let head = head(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    Ok(matches!(kind::of(&head), Kind::Png | Kind::Picture)
        || ["png", "jpg", "jpeg"].contains(&&ending[..])
        || is_picture(&head))
}

/// The first bytes of a file.
fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether the name of a folder is that of a set to validate or test on.
fn is_set(path: &Path) -> bool {
    let name = name(path).to_lowercase();
    VAL.contains(&&name[..]) || TEST.contains(&&name[..])
}

fn has_folders(folder: &Path) -> bool {
    Entries::of(folder).is_ok_and(|entries| !entries.folders.is_empty())
}

/// By number where all names are numbers, else alphabetically.
fn sorted(mut names: Vec<String>) -> Vec<String> {
    let number =
        |name: &String| name.bytes().all(|b| b.is_ascii_digit()).then(|| name.parse::<u64>().ok())?;
    names.sort();
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by_key(number);
    }
    names
}

/// A few names, and how many more there are.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names.len() {
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}
