//! Data sets with any labels, and the output of commands about them.

use std::fs;
use std::path::{Path, PathBuf};

use host_cli::data::idx::{self, Images};
use selvedge::Rng;
use serde_json::Value;

use super::{json_lines, run, with};

/// The numbers of training and test images.
pub const COUNTS: [usize; 2] = [240, 60];
/// Rows and columns of an image.
const SIDE: usize = 6;

/// Images whose class determines a bright pixel; `labels` are those of the classes.
pub fn set(count: usize, labels: &[u8], seed: u64) -> (Images, Vec<u8>) {
    let mut rng = Rng::new(seed);
    let classes: Vec<usize> = (0..count).map(|n| n % labels.len()).collect();
    let pixels = classes.iter().flat_map(|&class| {
        let bright = 7 * class % (SIDE * SIDE);
        (0..SIDE * SIDE).map(move |p| if p == bright { 200 } else { 0 })
    });
    let pixels = pixels.map(|p: u8| p + rng.below(50) as u8).collect();
    (
        Images { pixels, count, rows: SIDE, cols: SIDE, channels: 1 },
        classes.iter().map(|&c| labels[c]).collect(),
    )
}

/// The bytes of the four files of a data set with such labels.
pub fn four(labels: &[u8]) -> [Vec<u8>; 4] {
    let [(train, of_train), (test, of_test)] =
        [(COUNTS[0], 1), (COUNTS[1], 2)].map(|(n, seed)| set(n, labels, seed));
    [
        idx::write_images(&train),
        idx::write_labels(&of_train),
        idx::write_images(&test),
        idx::write_labels(&of_test),
    ]
}

/// Writes the four files under the given names.
pub fn write(folder: &Path, names: &[impl AsRef<Path>; 4], files: &[Vec<u8>; 4]) -> PathBuf {
    for (name, bytes) in names.iter().zip(files) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder.to_path_buf()
}

/// The JSON of a command, and the warnings on stderr, which are those in it.
pub fn said(here: &Path, words: &[&str]) -> (Value, Vec<String>) {
    let output = run(here, &with(words, &["--json"]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words:?}: {stderr}");
    let json = json_lines(&String::from_utf8(output.stdout).unwrap()).pop().unwrap();
    let warnings = |line: &str| line.strip_prefix("warning: ").map(String::from);
    let on_stderr: Vec<String> = stderr.lines().filter_map(warnings).collect();
    assert_eq!(json["warnings"], serde_json::json!(on_stderr), "{words:?}");
    (json, on_stderr)
}

/// The classes that `data show` shows.
pub fn names(shown: &Value) -> Vec<&str> {
    shown["classes"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect()
}

/// The arguments of a training run of three epochs; the folder follows.
pub const TRAIN: [&str; 10] =
    ["train", "--hidden", "16", "--batch", "16", "--init", "he", "--epochs", "3", "--data"];

/// The arguments of a run that is long enough to be killed; the folder follows.
pub const LONG: [&str; 9] = ["train", "--hidden", "256", "--batch", "16", "--epochs", "60", "-q", "--data"];

/// The floats of a model, which its recipe does not change.
pub fn weights(model: &Path) -> Vec<f32> {
    host_cli::model::Model::load(model).unwrap().params.to_vec()
}
