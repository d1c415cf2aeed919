//! Data that have moved: a run remembers the path of its data, is used from any folder, and is resumed with moved data if
//! they are the same.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use host_cli::data::FILES;
use serde_json::Value;
use support::runs::{TRAIN, killed, model, undisturbed};
use support::{fails, folder_with_data, json_lines, run, small_data, succeeds, with};

/// Changes one pixel of the training or the test images of a data set.
fn change(data: &Path, file: &str) {
    let mut bytes = fs::read(data.join(file)).unwrap();
    bytes[1000] ^= 1;
    fs::write(data.join(file), bytes).unwrap();
}

/// The folder of an undisturbed run, and an empty folder in it.
fn undisturbed_and_elsewhere() -> (tempfile::TempDir, PathBuf) {
    let (folder, _) = undisturbed();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    (folder, elsewhere)
}

#[test]
fn a_run_is_used_from_any_folder() {
    let (folder, elsewhere) = undisturbed_and_elsewhere();
    let here = folder.path();
    // The path in the recipe, taken from this folder, leads to other data.
    let decoy = small_data(&elsewhere);
    fs::remove_file(decoy.join(FILES[0])).unwrap();
    let commands: [&[&str]; 6] = [
        &["eval", "../undisturbed", "--json"],
        &["eval", "../undisturbed/model.safetensors", "--split", "val", "--json"],
        &["predict", "../undisturbed", "--index", "3", "--json"],
        &["quantize", "../undisturbed", "--dtype", "i8", "-o", "net.selv", "--json"],
        &["report", "../undisturbed", "--json"],
        &["verify", "../undisturbed", "../undisturbed", "--json"],
    ];
    for words in commands {
        let there = json_lines(&succeeds(&elsewhere, words)).remove(0);
        let words: Vec<_> = words.iter().map(|word| word.trim_start_matches("../")).collect();
        let same = json_lines(&succeeds(here, &words)).remove(0);
        assert_eq!(there, same, "{words:?}");
        assert_eq!(there["warnings"], serde_json::json!([]), "{words:?}");
    }
}

#[test]
fn a_model_that_left_its_run_says_what_it_was_trained_on() {
    let (folder, elsewhere) = undisturbed_and_elsewhere();
    let here = folder.path();
    fs::copy(here.join("undisturbed/model.safetensors"), elsewhere.join("net")).unwrap();
    let line = fails(&elsewhere, &["eval", "net"], 3);
    assert!(line.contains("name it with --data"), "{line}");
    // The same data are found by the path in the recipe; others cause a message.
    let decoy = small_data(&elsewhere);
    let warned = || {
        let output = run(&elsewhere, &["eval", "net", "--json"]);
        let listed = json_lines(&String::from_utf8(output.stdout).unwrap())[0]["warnings"].clone();
        (listed.as_array().unwrap().len(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(warned(), (0, String::new()));
    for file in [FILES[0], FILES[2]] {
        change(&decoy, file);
        let (count, said) = warned();
        assert!(count == 1 && said.starts_with("warning: the images of data are not those"), "{said}");
        let named = run(&elsewhere, &["eval", "net", "--data", "data"]);
        assert!(named.status.success() && named.stderr.is_empty());
        change(&decoy, file);
    }
}

#[test]
fn a_run_goes_on_with_data_that_moved() {
    let (folder, expected) = undisturbed();
    let here = folder.path();
    let killed = killed(here, &with(&TRAIN, &["run", "--checkpoint-every", "1"]));
    fs::rename(here.join("data"), here.join("moved")).unwrap();
    let line = fails(here, &["train", "--resume", "run", "-q"], 3);
    let was = here.join("data");
    assert!(line.contains(&format!("{} does not exist", was.display())), "{line}");
    assert!(line.contains("`selvedge train --resume run --data DIR`"), "{line}");
    let line = fails(here, &["eval", "undisturbed"], 3);
    assert!(
        line.contains("name their folder with --data") && line.contains(&*was.to_string_lossy()),
        "{line}"
    );
    succeeds(here, &["eval", "undisturbed", "--data", "moved"]);

    // Other training or test images are refused, and nothing is changed.
    let place = fs::read(killed.join("run.json")).unwrap();
    let resume = ["train", "--resume", "run", "-q", "--checkpoint-every", "0", "--data", "moved"];
    for file in [FILES[0], FILES[2]] {
        change(&here.join("moved"), file);
        let line = fails(here, &resume, 3);
        assert!(line.contains("moved holds other training data"), "{line}");
        change(&here.join("moved"), file);
    }
    assert!(fails(here, &["train", "--resume", "run", "--data", "demo"], 3).contains("demo"));
    assert!(fs::read(killed.join("run.json")).unwrap() == place);

    succeeds(here, &resume);
    assert!(model(&here.join("run")) == expected, "another model");
    // The run has recorded the new path of its data.
    let elsewhere = here.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    succeeds(&elsewhere, &["eval", "../run"]);
}

#[test]
fn a_sweep_does_not_mix_data() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let data = small_data(here);
    fs::write(here.join("s.toml"), "[base]\ndata = \"data\"\nepochs = 1\n[grid]\nlr = [0.1]\n").unwrap();
    let sweep = ["sweep", "-c", "s.toml", "--out", "swept", "-q"];
    succeeds(here, &sweep);
    succeeds(here, &with(&sweep, &["--seeds", "2"]));
    change(&data, FILES[0]);
    let line = fails(here, &with(&sweep, &["--seeds", "3"]), 3);
    assert!(line.contains("swept holds trials of other data than those of data now"), "{line}");
}

#[test]
fn a_run_from_a_model_takes_the_data_of_the_model() {
    let (folder, elsewhere) = undisturbed_and_elsewhere();
    let here = folder.path();
    small_data(&elsewhere);
    change(&elsewhere.join("data"), FILES[0]);
    succeeds(&elsewhere, &["train", "--from", "../undisturbed", "--epochs", "1", "--out", "further", "-q"]);
    let place: Value =
        serde_json::from_slice(&fs::read(elsewhere.join("further/run.json")).unwrap()).unwrap();
    assert_eq!(Path::new(place["data"].as_str().unwrap()), here.join("data"));
    // Data that the model does not name must be given.
    succeeds(here, &["export", "undisturbed", "--format", "safetensors", "-o", "out"]);
    succeeds(here, &["import", "out", "-o", "net"]);
    let line = fails(here, &["train", "--from", "net", "--out", "none"], 2);
    assert!(line.contains("net does not say what it was trained on; name the data with --data"), "{line}");
    assert!(!here.join("none").exists());
}

#[test]
fn a_finished_run_remembers_data_that_moved() {
    let (folder, _) = undisturbed();
    let here = folder.path();
    fs::rename(here.join("data"), here.join("moved")).unwrap();
    fails(here, &["eval", "undisturbed"], 3);
    succeeds(here, &["train", "--resume", "undisturbed", "--data", "moved"]);
    succeeds(here, &["eval", "undisturbed"]);
    change(&here.join("moved"), FILES[0]);
    let line = fails(here, &["train", "--resume", "undisturbed", "--data", "moved"], 3);
    assert!(line.contains("holds other training data"), "{line}");
}

/// A run without its checkpoint starts again, and says so before its model is lost.
#[test]
fn a_missing_checkpoint_is_reported() {
    let here: &Path = &folder_with_data();
    let words = with(&TRAIN, &["run", "--checkpoint-every", "7"]);
    let run_folder = killed(here, &words);
    fs::copy(run_folder.join("checkpoint.safetensors"), here.join("kept")).unwrap();
    succeeds(here, &["train", "--resume", "run", "-q"]);
    // As Ctrl-C leaves it: a model, and metrics that do not end; then the checkpoint is removed.
    let metrics = fs::read_to_string(run_folder.join("metrics.jsonl")).unwrap();
    let epochs: String =
        metrics.lines().filter(|l| l.contains("epoch\"")).map(|l| format!("{l}\n")).collect();
    fs::write(run_folder.join("metrics.jsonl"), epochs).unwrap();
    let output = run(here, &["train", "--resume", "run", "-q", "--json"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("run has no checkpoint: it starts from its first epoch"), "{stderr}");
}
