//! Options of one kind of data set that another does not have: refused, since ignoring them would answer another question.

use std::path::Path;

use super::pictures::Channels;
use super::{Reading, Task};
use crate::error::{Error, Result};

/// Options of pictures, which a table does not have.
pub(super) fn refuse_picture_options(path: &Path, reading: &Reading) -> Result<()> {
    let flags = [
        ("--size", reading.pictures.size.is_some()),
        ("--channels rgb", reading.pictures.channels == Some(Channels::Rgb)),
        ("--transpose", reading.transpose == Some(true)),
        ("--first-label", reading.first_label != 0),
    ];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(Error::usage(format!("{flag} goes with pictures, and {} is a table", path.display())))
        }
        None => Ok(()),
    }
}

/// Options that a data set of IDX files does not have: its samples are pictures with a class each, and its files say which of
/// them are tested on.
///
/// # Errors
/// `Usage` with the first of them.
pub(super) fn refuse_for_idx(name: &str, reading: &Reading) -> Result<()> {
    refuse_table_options(Path::new(name), reading)?;
    let flags = [
        ("--task", reading.task.is_some_and(|task| task != Task::Classify)),
        ("--size", reading.pictures.size.is_some()),
        ("--channels rgb", reading.pictures.channels == Some(Channels::Rgb)),
    ];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::usage(format!(
            "{flag} goes with tables, arrays or picture folders, and {name} holds IDX files of grey images with classes"
        ))),
        None => Ok(()),
    }
}

/// Options that name columns, which arrays do not have.
pub(super) fn refuse_table_options(path: &Path, reading: &Reading) -> Result<()> {
    let table = &reading.table;
    let flags = [
        ("--target", !table.target.is_empty()),
        ("--drop", !table.drop.is_empty()),
        ("--categorical", !table.categorical.is_empty()),
        ("--group", !table.group.is_empty()),
        ("--time", !table.time.is_empty()),
        ("--window", table.window > 0),
        ("--test", reading.test.is_some()),
    ];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::usage(format!(
            "{flag} goes with a table, a CSV or TSV file; {} holds arrays or pictures without named columns",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Folds need samples that nobody has divided.
pub(super) fn refuse_folds(path: &Path, reading: &Reading, divided: bool) -> Result<()> {
    if reading.fold.is_none() || !divided {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--folds: {} has test samples of its own, so it is not divided into folds",
        path.display()
    )))
}
