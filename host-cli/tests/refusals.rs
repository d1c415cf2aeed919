//! What the program refuses, and how: one line that says what happened and what to do, the right exit code, nothing
//! written.

mod support;

use std::fs;
use std::path::Path;

use host_cli::files;
use serde_json::Value;
use support::{TRAIN, fails, folder_with_data, run, small_data, succeeds, with};

#[test]
fn words_that_make_no_sense() {
    let here: &Path = &folder_with_data();
    let bad = |more: &[&str]| fails(here, &with(&TRAIN[..3], more), 2);
    assert!(bad(&["--hidden", "0"]).contains("--hidden 0: a layer has 1 to 32768 units"));
    assert!(bad(&["--hidden", &["1"; 32].join(",")]).contains("at most 31 hidden layers"));
    assert!(bad(&["--hidden", "32769"]).contains("1 to 32768"));
    assert!(bad(&["--hidden", "x"]).contains("128,64, or none"));
    assert!(bad(&["--batch", "0"]).contains("--batch 0"));
    assert!(bad(&["--batch", "201"]).contains("there are 200 training images"));
    assert!(bad(&["--epochs", "0"]).contains("--epochs 0"));
    for lr in ["nan", "inf", "0", "-1"] {
        assert!(bad(&["--lr", lr]).contains("the learning rate is a number above 0"));
    }
    assert!(bad(&["--init", "xavier"]).contains("normal:0.01"));
    assert!(bad(&["--backend", "gpu"]).contains("this CPU has auto, naive"));
    assert!(bad(&["--frobnicate"]).contains("unexpected argument '--frobnicate'"));
    assert!(bad(&["--nesterov"]).contains("along SGD's --momentum"));
    assert!(!here.join("runs").exists(), "a refused run left a folder");
    let output = run(here, &with(&TRAIN, &["--lr", "nan", "--json"]));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], 2);
    assert!(error["error"].as_str().unwrap().contains("--lr"));
}

#[test]
fn data_that_is_missing_or_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let data = small_data(here);
    let line = fails(here, &["train", "--data", "nowhere"], 3);
    assert!(line.contains("does not exist") && line.contains("--data demo"), "{line}");
    let words = ["train", "--data", "fashion-mnist", "--data-dir", "nowhere"];
    assert!(fails(here, &words, 3).contains("selvedge data fetch"));
    let damage = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = data.join(file);
        let good = fs::read(&path).unwrap();
        let mut bytes = good.clone();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let line = fails(here, &TRAIN, 3);
        fs::write(&path, good).unwrap();
        line
    };
    let images = "train-images-idx3-ubyte";
    assert!(damage(images, &|b| b.truncate(1000)).contains("cut short"));
    assert!(damage(images, &|b| b.clear()).contains("the file is empty"));
    assert!(
        damage(images, &|b| b[3] = 1).contains("uint8 of 1 dimension: 240; these are labels, not images")
    );
    assert!(damage(images, &|b| b[0] = 1).contains("not an IDX file but"));
    assert!(damage(images, &|b| b.push(0)).contains("continues after"));
    let line = damage("train-labels-idx1-ubyte", &|b| b[20] = 10);
    assert!(line.contains("labels.txt names 4 classes, but the largest label is 10"), "{line}");
    let line = damage("t10k-labels-idx1-ubyte", &|b| {
        b.pop();
        b[7] = 59;
    });
    assert!(line.contains("holds 60 images, but") && line.contains("holds 59 labels"), "{line}");
    fs::remove_file(data.join(images)).unwrap();
    assert!(fails(here, &TRAIN, 3).contains("but neither train-images-idx3-ubyte nor"));
    assert!(!here.join("runs").exists());
}

#[test]
fn a_diverging_run_keeps_the_last_good_state() {
    let here: &Path = &folder_with_data();
    let line = fails(here, &with(&TRAIN, &["--lr", "1e30", "--out", "run"]), 1);
    assert!(line.contains("the loss is not finite at step ") && line.contains("smaller --lr"), "{line}");
    assert!(line.contains("no whole epoch was done"), "{line}");
    assert!(!here.join("run/model.safetensors").exists());
}

/// The shell limits the memory, so that the answer is the same on a machine that has more.
#[cfg(unix)]
#[test]
fn a_shape_larger_than_memory() {
    let here: &Path = &folder_with_data();
    let words = with(&TRAIN[..3], &["--hidden", "32768,32768,32768,32768,32768,32768,32768"]);
    let output = std::process::Command::new("sh")
        .current_dir(here)
        .args(["-c", "ulimit -v 8000000 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_selvedge")])
        .args(words)
        .output()
        .unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(line.starts_with("error: ") && line.lines().count() == 1, "{line}");
    assert!(line.contains("needs 26 GB of memory") && line.contains("narrower layers"), "{line}");
}

#[test]
fn an_output_folder_that_cannot_be_written() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("file"), "").unwrap();
    let line = fails(here, &with(&TRAIN, &["--out", "file/run"]), 1);
    assert!(line.contains("cannot create the folder file/run"), "{line}");
}

#[test]
fn models_that_are_none() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    let good = fs::read(here.join("run/model.safetensors")).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(here.join("bad.safetensors"), bytes).unwrap();
        fails(here, &["eval", "bad.safetensors"], 4)
    };
    assert!(fails(here, &["eval", "none"], 4).contains("`selvedge train` makes one"));
    for n in [0, 4, 8, 20, 100, good.len() - 1] {
        let line = refused(&good[..n]);
        let kind = match n {
            0 => "an empty file; copy or download it again",
            1..9 => {
                "neither a safetensors, an ONNX nor a TensorFlow Lite file, of which models are made, nor a flash file"
            }
            _ => "not a readable safetensors file",
        };
        assert!(line.contains(kind), "{line}");
    }
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    // With the right checksum, so that what lies after it is met.
    files::safetensors::sign(&mut nan);
    assert!(refused(&nan).contains("holds NaN at position"), "{}", refused(&nan));
    let swap = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = good.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        files::safetensors::sign(&mut bytes);
        refused(&bytes)
    };
    assert!(
        swap("\"shape\":[16,36]", "\"shape\":[36,16]").contains("fc1.bias has shape [16], expected [36]")
    );
    assert!(swap("fc2.bias", "fc2.bats").contains("it has no tensor fc2.bias"));
    assert!(swap("fc1.weight", "fc1.wreath").contains("it has no tensor fc1.weight"));
    // A model of other images.
    let line = fails(here, &["eval", "run", "--data", "demo"], 4);
    assert!(line.contains("the model takes 36 inputs, but the images have 28 x 28"), "{line}");
}
