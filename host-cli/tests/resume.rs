//! Runs that are killed and taken up again end with the bytes of one that was left alone, on any number of threads.
//!
//! `SELVEDGE_KILLS=1000 cargo test -p host-cli --test resume` kills more often than the 100 times of the usual run.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use selvedge::Rng;
use serde_json::Value;
use support::{TRAIN, fails, folder_with_data, json_lines, selvedge, small_data, succeeds, with};

/// Everything that a run's state can hold.
const FULL: &str = r#"
data = "data"
hidden = [16, 8]
epochs = 30
batch = 16
lr = 0.01
optimizer = "adamw"
schedule = "cosine"
warmup = 0.1
weight_decay = 0.1
clip = 1.0
label_smoothing = 0.1
dropout = 0.2
ema = 0.95
gamma = 0.5
standardise = "pixel"
flip = true
shift = 1
init = "he-linear"
patience = 25
"#;
/// Momentum, and the other generator.
const TORCH: &str = r#"
data = "data"
hidden = [16]
epochs = 30
batch = 16
lr = 0.02
optimizer = "sgd"
momentum = 0.9
nesterov = true
schedule = "one-cycle"
rng = "torch"
"#;

/// The model and the metrics, but for the clock's, of a finished run.
fn outcome(run: &Path) -> (Vec<u8>, Vec<Value>) {
    let mut metrics = json_lines(&fs::read_to_string(run.join("metrics.jsonl")).unwrap());
    for line in &mut metrics {
        for clock in ["seconds", "images_per_second", "train_seconds", "model", "crc32"] {
            line.as_object_mut().unwrap().remove(clock);
        }
    }
    (fs::read(run.join("model.safetensors")).unwrap(), metrics)
}

#[test]
fn killed_runs_end_with_the_same_bytes() {
    let wanted: usize = std::env::var("SELVEDGE_KILLS").map_or(100, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    let mut alone = Vec::new();
    for (name, text) in [("full", FULL), ("torch", TORCH)] {
        fs::write(here.join(format!("{name}.toml")), text).unwrap();
        succeeds(here, &["train", "-c", &format!("{name}.toml"), "--out", name, "-q", "--threads", "1"]);
        alone.push((name, outcome(&here.join(name))));
    }
    let mut rng = Rng::new(1);
    let (mut kills, mut runs) = (0, 0);
    while kills < wanted {
        let (name, expected) = &alone[runs % alone.len()];
        let run = here.join(format!("killed-{runs}"));
        let folder = run.to_str().unwrap();
        let config = format!("{name}.toml");
        loop {
            let start = ["train", "-c", &config, "--out", folder, "--checkpoint-every", "7", "-q"];
            let resume = ["train", "--resume", folder, "-q"];
            let words = if run.join("config.toml").exists() { &resume[..] } else { &start[..] };
            let mut child = selvedge()
                .current_dir(here)
                .args(words)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_micros(u64::from(rng.below(120_000))));
            // A child that has ended already cannot be killed.
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            match output.status.code() {
                None => kills += 1,
                Some(0) => break,
                Some(code) => panic!("{words:?}: {code} {}", String::from_utf8_lossy(&output.stderr)),
            }
        }
        let got = outcome(&run);
        assert!(got.0 == expected.0, "{name}: another model after {kills} kills");
        assert_eq!(got.1, expected.1, "{name}");
        let mut names: Vec<_> =
            fs::read_dir(&run).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["config.toml", "metrics.jsonl", "model.safetensors", "run.json"]);
        runs += 1;
    }
    println!("{kills} kills in {runs} runs");
}

#[test]
fn threads_change_no_byte() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("full.toml"), FULL).unwrap();
    let run = |threads: &str| {
        let out = format!("run-{threads}");
        succeeds(
            here,
            &["train", "-c", "full.toml", "--out", &out, "-q", "--threads", threads, "--epochs", "5"],
        );
        outcome(&here.join(out))
    };
    let alone = run("1");
    for threads in ["2", "3", "auto"] {
        assert!(run(threads) == alone, "{threads} threads");
    }
}

#[test]
fn a_run_knows_how_it_goes_on() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("full.toml"), FULL).unwrap();
    succeeds(here, &["train", "-c", "full.toml", "--epochs", "2", "--out", "run", "-q"]);
    assert!(
        succeeds(here, &["train", "--resume", "run"]).starts_with("run is finished; its model is run/model")
    );
    // A run whose end was cut off, without a checkpoint: it starts again.
    let whole = outcome(&here.join("run"));
    fs::remove_file(here.join("run/model.safetensors")).unwrap();
    fs::remove_file(here.join("run/metrics.jsonl")).unwrap();
    succeeds(here, &["train", "--resume", "run", "-q"]);
    assert!(outcome(&here.join("run")) == whole);

    assert!(fails(here, &["train", "--resume", "none"], 2).contains("none holds no run"));
    for flags in [&["--epochs", "3"][..], &["--preset", "notebook"], &["--out", "x"]] {
        let words = [&["train", "--resume", "run"][..], flags].concat();
        assert!(fails(here, &words, 2).contains("--resume takes the recipe from the run's folder"));
    }
    let damage = |text: &str| {
        fs::remove_file(here.join("run/model.safetensors")).unwrap_or_default();
        fs::write(here.join("run/checkpoint.safetensors"), text).unwrap();
        fails(here, &["train", "--resume", "run"], 1)
    };
    assert!(damage("").contains("no readable checkpoint") && damage("x").contains("remove it to start"));
}

/// The run's folder holds the model until the end, whatever becomes of the one that was named.
#[test]
fn a_run_from_a_model_can_be_taken_up() {
    let here: &Path = &folder_with_data();
    succeeds(here, &["train", "--data", "data", "--hidden", "64", "--epochs", "1", "--out", "base", "-q"]);
    let words = ["train", "--from", "base", "--data", "data", "--epochs", "200", "--batch", "16", "-q"];
    succeeds(here, &[&words[..], &["--out", "alone"]].concat());
    let expected = outcome(&here.join("alone"));
    let interrupted = |words: &[&str], kept: &str| {
        let mut child = selvedge().current_dir(here).args(words).stdout(Stdio::null()).spawn().unwrap();
        while !here.join(kept).exists() {
            assert!(child.try_wait().unwrap().is_none(), "the run was over too soon");
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    };
    // Killed before a checkpoint, and after one.
    let start = [&words[..], &["--out", "run", "--checkpoint-every", "40"]].concat();
    interrupted(&start, "run/config.toml");
    fs::remove_dir_all(here.join("base")).unwrap();
    interrupted(&["train", "--resume", "run", "-q"], "run/checkpoint.safetensors");
    assert!(here.join("run/start.safetensors").exists());
    succeeds(here, &["train", "--resume", "run", "-q"]);
    assert!(outcome(&here.join("run")) == expected);
    assert!(!here.join("run/start.safetensors").exists());
    // A run may go on from itself and take its own place.
    succeeds(
        here,
        &["train", "--from", "run", "--data", "data", "--epochs", "1", "--out", "run", "--overwrite"],
    );
    assert!(outcome(&here.join("run")).0 != expected.0);
}

#[test]
fn a_run_that_waits_keeps_its_best_model() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--patience", "2", "--epochs", "50", "--out", "run", "-q"]));
    let (_, metrics) = outcome(&here.join("run"));
    let epochs = &metrics[..metrics.len() - 1];
    assert!(epochs.len() < 50, "{}", epochs.len());
    let best = &epochs[epochs.len() - 3];
    let val = |line: &Value| line["val_accuracy"].as_f64().unwrap();
    assert!(epochs.iter().all(|e| val(e) <= val(best)));
    let eval = json_lines(&succeeds(here, &["eval", "run", "--split", "val", "--json"])).remove(0);
    assert_eq!(eval["accuracy"], best["val_accuracy"]);
}

#[test]
fn a_final_model_trains_on_all() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("full.toml"), FULL).unwrap();
    let words =
        ["train", "-c", "full.toml", "--patience", "0", "--train-on", "all", "--epochs", "8", "--out", "run"];
    let lines = json_lines(&succeeds(here, &[&words[..], &["--json"]].concat()));
    assert!(lines[0]["val_accuracy"].is_null());
    // What a model does to its pixels lies in its file: other commands get the same.
    let eval = json_lines(&succeeds(here, &["eval", "run", "--json"])).remove(0);
    assert_eq!(eval["accuracy"], lines[8]["test_accuracy"]);
    assert!(eval["accuracy"].as_f64().unwrap() > 0.9, "{eval}");
    assert!(fails(here, &["eval", "run", "--split", "val"], 2).contains("trained on all images"));
    assert!(succeeds(here, &["inspect", "run"]).contains("gamma 0.5, less a mean, times a scale"));
    let words = ["train", "-c", "full.toml", "--train-on", "all"];
    assert!(fails(here, &words, 2).contains("--patience waits"));
    for (flag, value) in
        [("--dropout", "1"), ("--momentum", "-1"), ("--gamma", "0"), ("--clip", "nan"), ("--shift", "9")]
    {
        assert!(fails(here, &["train", "-c", "full.toml", flag, value], 2).contains(flag));
    }
}
