//! Small real tables, with nothing but their file and their target said. Run by
//! `SELVEDGE_TEST_TABLES=FOLDER cargo test -p host-cli --test real_tables -- --ignored --nocapture`, where the folder holds
//! scikit-learn's bundled data sets as CSV files with a header and the target last.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{json_lines, succeeds};

/// Of each table: its file, target and measure, and the mean and deviation of scikit-learn 1.9.1's `StandardScaler` and
/// `MLPClassifier(64)` over five folds twice, in percent; of diabetes, the R² to reach.
const TABLES: [(&str, &str, &str, f64, f64); 5] = [
    ("iris.csv", "class", "accuracy", 95.0, 4.0),
    ("wine.csv", "class", "accuracy", 97.2, 2.2),
    ("breast_cancer.csv", "class", "accuracy", 97.5, 1.3),
    ("digits.csv", "class", "accuracy", 97.4, 0.9),
    ("diabetes.csv", "progression", "r2", 45.0, 0.0),
];

fn folder() -> PathBuf {
    std::env::var_os("SELVEDGE_TEST_TABLES")
        .expect("SELVEDGE_TEST_TABLES names the folder of the tables")
        .into()
}

#[test]
#[ignore = "needs the tables; the head of this file has the command"]
fn five_folds_twice_are_as_good_as_scikit_learns() {
    let here = tempfile::tempdir().unwrap();
    for (file, target, measure, theirs, deviation) in TABLES {
        let path = folder().join(file);
        let mut folds = Vec::new();
        for seed in ["42", "43"] {
            let words = [
                "train",
                "--data",
                path.to_str().unwrap(),
                "--target",
                target,
                "--folds",
                "5",
                "--seed",
                seed,
            ];
            folds.extend(percents(here.path(), &words, measure));
        }
        let mean = folds.iter().sum::<f64>() / folds.len() as f64;
        let spread = folds.iter().map(|fold| (fold - mean).powi(2)).sum::<f64>() / (folds.len() - 1) as f64;
        println!("{file}: {measure} {mean:.2} ± {:.2} % over {} folds", spread.sqrt(), folds.len());
        let least = theirs - deviation / (folds.len() as f64).sqrt();
        assert!(folds.len() == 10 && mean >= least, "{file}: {mean} is below {least}");
    }
}

/// The measure of each fold, in percent.
fn percents(here: &Path, words: &[&str], measure: &str) -> Vec<f64> {
    let lines = json_lines(&succeeds(here, &[words, &["--json", "--quiet"]].concat()));
    let folds = lines.iter().filter(|line| line.get("fold").is_some());
    folds.map(|line: &Value| 100.0 * line[measure].as_f64().unwrap()).collect()
}

/// The seeds of the runs that are quantized.
const SEEDS: [&str; 5] = ["42", "43", "44", "45", "46"];

/// The measures before and after quantization with raw floats, and the bits of an input, of a run for each seed.
fn quantized(here: &Path, train: &[&str], key: &str) -> (f64, f64) {
    let (mut before, mut after, mut bits) = (0.0, 0.0, Vec::new());
    for seed in SEEDS {
        succeeds(here, &[&["train", "--seed", seed, "--out", "run", "--overwrite", "-q"], train].concat());
        let json =
            json_lines(&succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "q.selv", "--json"]))
                .remove(0);
        before += json[format!("test_{key}_before")].as_f64().unwrap() / SEEDS.len() as f64;
        after += json[format!("test_{key}")].as_f64().unwrap() / SEEDS.len() as f64;
        bits.push(json["input_bits"].as_u64().unwrap());
    }
    println!("{}: {key} {before:.5}, in integers {after:.5}, bits {bits:?}", train.join(" "));
    (before, after)
}

#[test]
#[ignore = "needs the tables; the head of this file has the command"]
fn integers_lose_at_most_half_a_point() {
    let here = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    for (file, target, measure, ..) in TABLES {
        let path = folder().join(file);
        let (key, most) = if measure == "r2" { ("r2", 0.01) } else { ("accuracy", 0.005) };
        let words = ["--data", path.to_str().unwrap(), "--target", target];
        let (before, after) = quantized(here.path(), &words, key);
        if before - after > most {
            failed.push(format!("{file}: {before} to {after}"));
        }
    }
    for (file, target) in [("wine.csv", "class"), ("breast_cancer.csv", "class"), ("digits.csv", "class")] {
        let path = folder().join(file);
        let data = ["--data", path.to_str().unwrap(), "--drop", target, "--task", "reconstruct"];
        let net = [
            "--hidden",
            "16,6,16",
            "--epochs",
            "60",
            "--optimizer",
            "adamw",
            "--lr",
            "0.01",
            "--batch",
            "32",
        ];
        let (before, after) = quantized(here.path(), &[&data[..], &net].concat(), "score_mean");
        if after > 1.03 * before {
            failed.push(format!("{file}: {before} to {after}"));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
