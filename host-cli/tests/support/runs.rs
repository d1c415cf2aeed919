//! Runs for tests of interruptions: one that is undisturbed, and one that is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::{selvedge, small_data, succeeds, with};

/// A network whose checkpoint is larger than its model, which is larger than 40 KB.
pub const TRAIN: [&str; 11] =
    ["train", "--data", "data", "--hidden", "256", "--batch", "16", "--epochs", "60", "-q", "--out"];

/// A folder with data, and the model of an undisturbed run.
pub fn undisturbed() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    small_data(folder.path());
    succeeds(folder.path(), &with(&TRAIN, &["undisturbed"]));
    let model = model(&folder.path().join("undisturbed"));
    (folder, model)
}

/// The bytes of a run's model.
pub fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

/// The names of the files in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Starts a run in the folder `run` and kills it after its first checkpoint.
pub fn killed(here: &Path, words: &[&str]) -> PathBuf {
    let checkpoint = here.join("run/checkpoint.safetensors");
    // An existing checkpoint belongs to an earlier run.
    let _ = fs::remove_file(&checkpoint);
    let mut child = selvedge().current_dir(here).args(words).stdout(Stdio::null()).spawn().unwrap();
    while !checkpoint.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    here.join("run")
}
