//! Damage to the files of a run: every flipped bit and every truncation of a small file is refused, or changes nothing that
//! is read. Files of old versions without checksums are read all the same.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use host_cli::data::{Reading, Source};
use host_cli::files;
use host_cli::import::{self, ImportOptions};
use host_cli::model::Model;
use host_cli::pipeline::State;
use host_cli::run::Folder;
use host_cli::run::checkpoint;
use host_cli::sweep::trials::Trials;
use host_cli::sweep::{self, Trial, table};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;
use support::runs::killed;
use support::{fails, folder_with_data, selvedge, small_data, succeeds};

/// A short run, or with more epochs a long one.
const TINY: [&str; 8] = ["train", "--data", "data", "--hidden", "1", "--batch", "16", "-q"];

/// A folder with a finished run `done`, and one `run` that was killed after a checkpoint.
fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    succeeds(here, &[&TINY[..], &["--epochs", "3", "--out", "done"]].concat());
    let long = ["--epochs", "100000", "--out", "run", "--checkpoint-every", "7"];
    killed(here, &[&TINY[..], &long].concat());
    folder
}

/// Flips every bit of a file and truncates it at every byte, one at a time, and counts how often `read` still succeeds; it
/// must then return the same as for the undamaged file.
fn attack<T: PartialEq>(name: &str, file: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> (usize, usize) {
    let good = read(file);
    assert!(good.is_some(), "{name}: it is refused when it is whole");
    let (mut tried, mut taken) = (0, 0);
    let mut hit = |bytes: &[u8], what: &str, at: usize| {
        tried += 1;
        if let Some(found) = read(bytes) {
            taken += 1;
            assert!(Some(found) == good, "{name}: {what} {at} is read as something else");
        }
    };
    let mut bytes = file.to_vec();
    for bit in 0..8 * file.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        hit(&bytes, "flipped bit", bit);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    (0..file.len()).for_each(|length| hit(&file[..length], "cut to", length));
    println!("{name}: {tried} damaged files, {taken} of them read, as what they were");
    (tried, taken)
}

/// As [`attack`] for a function that reads the file by its path. Restores the file at the end.
fn attack_file<T: PartialEq>(path: &Path, read: impl Fn() -> Option<T>) -> (usize, usize) {
    let file = fs::read(path).unwrap();
    let found = attack(&path.display().to_string(), &file, |bytes| {
        fs::write(path, bytes).unwrap();
        read()
    });
    fs::write(path, &file).unwrap();
    found
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_refused() {
    let folder = made();
    let here = folder.path();
    let run = Folder(here.join("run"));
    let (recipe, place) = run.open().unwrap();
    let data = Source::Path(place.data.unwrap()).load(None, &Reading::default()).unwrap();
    let print = data.train.fingerprint();
    let shape = recipe.shape(36, 4).unwrap();
    let (tried, taken) = attack_file(&here.join("run/checkpoint.safetensors"), || {
        let mut state = State::new(&recipe, shape, None).unwrap();
        checkpoint::restore(&run.0, &recipe, &print, &mut state).ok()?;
        Some(format!("{state:?}"))
    });
    assert!(tried > 10_000 && taken == 0, "{taken} of {tried}");
}

#[test]
fn every_flipped_bit_of_a_model_is_refused() {
    let folder = made();
    let here = folder.path();
    succeeds(here, &["export", "done", "--format", "safetensors", "-o", "exported"]);
    for file in ["done/model.safetensors", "exported"] {
        let bytes = fs::read(here.join(file)).unwrap();
        let of = |model: Model| (model.shape, model.params.to_vec(), model.about);
        let (tried, taken) = attack(file, &bytes, |bytes| Model::parse(bytes).ok().map(of));
        assert!(tried > 4_000 && taken == 0, "{file}: {taken} of {tried}");
        // Import has a reader of its own.
        let import = |bytes: &[u8]| {
            import::parse(bytes, None, &ImportOptions::default()).ok().map(|imported| of(imported.model))
        };
        assert_eq!(attack(file, &bytes, import).1, 0, "{file}");
    }
}

#[test]
fn every_flipped_bit_of_the_other_files_is_refused() {
    let folder = made();
    let here = folder.path();
    let run = Folder(here.join("done"));
    for file in ["config.toml", "run.json"] {
        let (tried, taken) = attack_file(&run.0.join(file), || run.open().ok());
        assert!(tried > 2_000 && taken == 0, "{file}: {taken} of {tried}");
    }
    // Truncated after a line, the lines before it are intact; `report` compares their number with that of the model.
    let whole = run.metrics().unwrap();
    assert_eq!(whole.len(), 4);
    let (tried, taken) = attack_file(&run.0.join("metrics.jsonl"), || {
        let lines = run.metrics().ok()?;
        assert!(whole.starts_with(&lines));
        Some(())
    });
    assert!(tried > 5_000 && taken == 2 * 4, "{taken} of {tried}");
}

#[test]
fn every_flipped_bit_of_a_sweep_s_files_is_refused() {
    let folder = made();
    let here = folder.path();
    let text = "[base]\ndata = \"data\"\nepochs = 1\nhidden = [1]\n[grid]\nlr = [0.1]\n";
    fs::write(here.join("s.toml"), text).unwrap();
    succeeds(here, &["sweep", "-c", "s.toml", "--out", "swept", "-q"]);
    let (trials, trial) = (Trials::of(&here.join("swept")), Trial { config: 0, seed: 42 });
    assert_eq!(attack_file(&trials.result_path(trial), || trials.result(trial).ok()?).1, 0);
    let plan = |bytes: &[u8]| sweep::read_plan(bytes, "f").ok();
    assert_eq!(attack("sweep.toml", &fs::read(here.join("swept/sweep.toml")).unwrap(), plan).1, 0);
    let table = |bytes: &[u8]| table::read(bytes).ok();
    assert_eq!(attack("table.json", &fs::read(here.join("swept/table.json")).unwrap(), table).1, 0);
}

#[test]
fn damage_is_reported_with_what_remains() {
    let folder = made();
    let here = folder.path();
    let flip = |file: &str| {
        let path = here.join(file);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        fs::write(&path, bad).unwrap();
        move || fs::write(&path, &good).unwrap()
    };
    let says = |words: &[&str], code: i32, parts: &[&str]| {
        let line = fails(here, words, code);
        parts.iter().for_each(|part| assert!(line.contains(part), "{words:?}: no `{part}` in: {line}"));
    };
    // A checkpoint, without and with a model in the same folder.
    let resume = ["train", "--resume", "run", "-q"];
    let mend = flip("run/checkpoint.safetensors");
    let start = "`rm run/checkpoint.safetensors`, then `selvedge train --resume run`";
    says(&resume, 1, &["run/checkpoint.safetensors: damaged: its checksum does not match", start]);
    fs::copy(here.join("done/model.safetensors"), here.join("run/model.safetensors")).unwrap();
    let left = "the model is whole, after 3 epochs: `selvedge train --from run/model.safetensors --out NEW`";
    says(&resume, 1, &[start, left]);
    fs::remove_file(here.join("run/model.safetensors")).unwrap();
    mend();

    let mend = flip("run/config.toml");
    let next = "`rm run/config.toml`, then `selvedge train --resume run` goes on by it";
    says(&resume, 1, &["run/config.toml is damaged", next]);
    mend();
    // The run is resumed with the recipe of the checkpoint.
    let config = fs::read(here.join("run/config.toml")).unwrap();
    fs::remove_file(here.join("run/config.toml")).unwrap();
    Folder(here.join("run")).open().unwrap();
    assert!(fs::read(here.join("run/config.toml")).unwrap() == config);
    // An edit by hand is reported, and so is a removed checksum.
    let text = String::from_utf8(config.clone()).unwrap();
    for edited in [text.replace("lr = 0.1", "lr = 0.2"), text.split("# crc32").next().unwrap().into()] {
        fs::write(here.join("run/config.toml"), edited).unwrap();
        says(&resume, 1, &["run/config.toml is damaged: its checksum "]);
    }
    fs::write(here.join("run/config.toml"), config).unwrap();

    let mend = flip("run/run.json");
    says(
        &resume,
        1,
        &["run/run.json is damaged", "`selvedge train -c run/config.toml --out run --overwrite`"],
    );
    mend();

    let mend = flip("done/metrics.jsonl");
    let parts = ["done/metrics.jsonl is damaged: line 4: ", "remove it, `rm done/metrics.jsonl`"];
    says(&["report", "done", "-o", "x.html"], 1, &parts);
    says(&["train", "--resume", "done"], 1, &parts);
    mend();
    let lines = fs::read_to_string(here.join("done/metrics.jsonl")).unwrap();
    let lost: Vec<_> = lines.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| line).collect();
    fs::write(here.join("done/metrics.jsonl"), lost.join("\n")).unwrap();
    says(&["report", "done", "-o", "x.html"], 1, &["line 2: its checksum does not match"]);
    // A missing end leaves valid lines, but the model records the number of epochs.
    fs::write(here.join("done/metrics.jsonl"), lines.lines().next().unwrap()).unwrap();
    let output = selvedge().current_dir(here).args(["report", "done", "-o", "x.html"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("warning: metrics.jsonl ends after epoch 1, but the model is of after epoch 3"),
        "{said}"
    );

    // A recipe whose checksum does not match is used where it is named with -c, with a warning.
    let config = fs::read_to_string(here.join("done/config.toml")).unwrap();
    let train = ["train", "-c", "recipe.toml", "--epochs", "1", "--out", "new", "--overwrite", "-q"];
    for (text, warned) in [(config.clone(), false), (config.replace("lr = 0.1", "lr = 0.2"), true)] {
        fs::write(here.join("recipe.toml"), text).unwrap();
        let output = selvedge().current_dir(here).args(train).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("recipe.toml: its checksum does not match") == warned,
            "{said}"
        );
    }

    // The model that a run starts from.
    let from =
        ["--from", "done", "--epochs", "100000", "--out", "run", "--overwrite", "--checkpoint-every", "7"];
    killed(here, &[&["train", "--data", "data", "--batch", "16", "-q"][..], &from].concat());
    let mend = flip("run/start.safetensors");
    let again = "`selvedge train -c run/config.toml --out run --overwrite` starts the run again from done";
    says(&resume, 4, &["run/start.safetensors: damaged: its checksum does not match", again]);
    mend();

    let _ = flip("done/model.safetensors");
    for words in
        [&["eval", "done"][..], &["import", "done/model.safetensors", "-o", "x"], &["inspect", "done"]]
    {
        says(words, 4, &["damaged: its checksum does not match; take another copy of it"]);
    }
}

/// Turns the files into those of old versions, without checksums.
fn without_checksums(run: &Path) {
    let rewrite = |name: &str, text: String| fs::write(run.join(name), text).unwrap();
    let text = |name: &str| fs::read_to_string(run.join(name)).unwrap();
    rewrite("config.toml", text("config.toml").split("# crc32").next().unwrap().into());
    let without = |line: &str, keys: &[&str]| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        keys.iter().for_each(|key| drop(value.as_object_mut().unwrap().remove(*key)));
        value.to_string()
    };
    rewrite("run.json", without(&text("run.json"), &["crc32", "data_sha256"]));
    let lines: Vec<_> = text("metrics.jsonl").lines().map(|line| without(line, &["crc32"]) + "\n").collect();
    rewrite("metrics.jsonl", lines.concat());
    for (file, key) in [("checkpoint.safetensors", "selvedge-checkpoint"), ("model.safetensors", "selvedge")]
    {
        let Ok(bytes) = fs::read(run.join(file)) else { continue };
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let json = files::safetensors::read_metadata(&bytes, key).unwrap().unwrap();
        let metadata = [(key.to_string(), without(&json, &["data_sha256"]))].into();
        let views: Vec<(String, TensorView<'_>)> = tensors.tensors();
        fs::write(run.join(file), safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
    }
}

#[test]
fn runs_of_old_versions_are_resumed() {
    let here: &Path = &folder_with_data();
    let words =
        ["train", "--data", "data", "--hidden", "64", "--batch", "16", "--epochs", "60", "-q", "--out"];
    succeeds(here, &[&words[..], &["alone"]].concat());
    let run: PathBuf = killed(here, &[&words[..], &["run", "--checkpoint-every", "7"]].concat());
    without_checksums(&run);
    // From here on it has checksums, and is resumed again.
    killed(here, &["train", "--resume", "run", "-q", "--checkpoint-every", "7"]);
    succeeds(here, &["train", "--resume", "run", "-q", "--checkpoint-every", "0"]);
    let model = |run: &str| fs::read(here.join(run).join("model.safetensors")).unwrap();
    assert!(model("run") == model("alone"), "another model");
    without_checksums(&here.join("alone"));
    for words in [&["eval", "alone"][..], &["report", "alone"], &["train", "--resume", "alone"]] {
        succeeds(here, words);
    }
}
