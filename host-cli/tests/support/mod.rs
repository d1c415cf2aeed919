//! Shared helpers of the program's tests: runs the program, and writes small data sets for it.
#![allow(dead_code)] // Each test binary uses its own part.

pub mod c;
pub mod examples;
pub mod files;
pub mod rows;
pub mod runs;
pub mod sets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use host_cli::data::FILES;
use host_cli::data::idx::{self, Images};
use selvedge::Rng;
use serde_json::Value;

/// The arguments of a training run on [`small_data`], the default of the tests.
pub const TRAIN: [&str; 9] = ["train", "--data", "data", "--hidden", "16", "--batch", "16", "--init", "he"];

/// Appends arguments.
pub fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

/// The program under test.
pub fn selvedge() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.env_remove("SELVEDGE_DATA").env("NO_COLOR", "1");
    command
}

/// Runs the program with some arguments.
pub fn run(folder: &Path, args: &[&str]) -> Output {
    selvedge().current_dir(folder).args(args).output().unwrap()
}

/// Runs the program and expects success; returns stdout.
pub fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program and expects an exit code and an error on stderr; returns its line.
pub fn fails(folder: &Path, args: &[&str], code: i32) -> String {
    let output = run(folder, args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    let line = stderr.lines().last().unwrap_or_default().to_string();
    assert!(line.starts_with("error: "), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    line
}

/// The JSON objects of some lines.
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// A temporary folder, which is deleted with the value.
pub struct TemporaryFolder(tempfile::TempDir);

impl std::ops::Deref for TemporaryFolder {
    type Target = Path;
    fn deref(&self) -> &Path {
        self.0.path()
    }
}

/// A temporary folder with [`small_data`].
pub fn folder_with_data() -> TemporaryFolder {
    let folder = TemporaryFolder(tempfile::tempdir().unwrap());
    small_data(&folder);
    folder
}

/// Writes images of four classes that are easy to tell apart, as the four files of the folder `data`.
pub fn small_data(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    fs::create_dir(&data).unwrap();
    for (names, count, seed) in [([FILES[0], FILES[1]], 240, 1), ([FILES[2], FILES[3]], 60, 2)] {
        let mut rng = Rng::new(seed);
        let labels: Vec<u8> = (0..count).map(|_| rng.below(4) as u8).collect();
        let pixels = labels.iter().flat_map(|&l| {
            let row: [u8; 36] = std::array::from_fn(|p| if p / 9 == usize::from(l) { 200 } else { 0 });
            row.map(|p| p + rng.below(50) as u8)
        });
        let images = Images { pixels: pixels.collect(), count, rows: 6, cols: 6, channels: 1 };
        fs::write(data.join(names[0]), idx::write_images(&images)).unwrap();
        fs::write(data.join(names[1]), idx::write_labels(&labels)).unwrap();
    }
    fs::write(data.join("labels.txt"), "top\nupper\nlower\nbottom\n").unwrap();
    data
}
