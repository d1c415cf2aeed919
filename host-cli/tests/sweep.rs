//! Sweeps: what they pick, how they go on, and that many machines give the bytes of one.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{fails, folder_with_data, selvedge, succeeds};

const SWEEP: &str = r#"
seeds = 2
[base]
data = "data"
batch = 16
epochs = 3
init = "he"
[[list]]
hidden = [4]
[[list]]
hidden = [16]
[grid]
lr = [0.0001, 0.1]
dropout = [0.0, 0.1]
"#;
const TABLES: [&str; 3] = ["table.md", "table.csv", "table.json"];

fn tables(folder: &Path) -> Vec<String> {
    TABLES.map(|name| fs::read_to_string(folder.join(name)).unwrap()).to_vec()
}

#[test]
fn a_sweep_picks_by_validation_and_goes_on() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("s.toml"), SWEEP).unwrap();
    let words = ["sweep", "-c", "s.toml", "--out", "out", "-q"];
    let shown = succeeds(here, &words);
    let first = tables(&here.join("out"));
    assert_eq!(shown.trim_end(), first[0].trim_end());
    let table: Value = serde_json::from_str(&first[2]).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["validation"]["count"].as_u64()), (8, Some(2)));
    let mean = |row: &Value| row["validation"]["mean"].as_f64().unwrap();
    let best = rows.iter().find(|r| r["rank"] == 1).unwrap();
    assert!(rows.iter().all(|r| mean(r) <= mean(best)) && mean(best) > 0.9, "{table}");
    // Test images are for the row that was picked.
    assert!(rows.iter().all(|r| r["test"].is_null() == (r["rank"] != 1)), "{table}");
    assert!(first[0].starts_with(
        "| Config | Hidden Sizes | Learning Rate | Batch Size | Epochs | dropout | Test Accuracy (%) |"
    ));
    assert_eq!(first[0].lines().filter(|l| l.starts_with("| **")).count(), 1);

    // Trials that are done are not done again; one that is missing is.
    let trials = here.join("out/trials");
    let written = |name: &str| fs::metadata(trials.join(name)).unwrap().modified().unwrap();
    let before = written("1-seed-42.json");
    fs::remove_file(trials.join("2-seed-43.json")).unwrap();
    succeeds(here, &[&words[..], &["--jobs", "1"]].concat());
    assert_eq!((written("1-seed-42.json"), tables(&here.join("out"))), (before, first));

    // More seeds keep the trials of fewer; fewer would leave some out.
    let three = [&words[..], &["--seeds", "3"]].concat();
    succeeds(here, &three);
    let table: Value = serde_json::from_str(&tables(&here.join("out"))[2]).unwrap();
    assert_eq!(table["rows"][0]["validation"]["count"].as_u64(), Some(3), "{table}");
    assert_eq!(written("1-seed-42.json"), before);
    assert!(fails(here, &words, 2).contains("holds this sweep with 3 seeds; ask for more with --seeds"));
    fs::write(here.join("other.toml"), SWEEP.replace("epochs = 3", "epochs = 2")).unwrap();
    let other = ["sweep", "-c", "other.toml", "--out", "out", "-q"];
    assert!(fails(here, &other, 2).contains("holds another sweep"));
    assert!(fails(here, &["sweep"], 2).contains("--preset notebook"));
    assert!(fails(here, &["sweep", "--preset", "x"], 2).contains("there is notebook"));
    assert!(fails(here, &["sweep", "-c", "none.toml"], 2).contains("cannot read none.toml"));
    assert!(fails(here, &["sweep", "-c", "s.toml", "--shard", "4/3"], 2).contains("write K/N"));
}

/// What would not fit is not trained, on any machine, and the table says so.
#[test]
fn a_budget_leaves_out_what_does_not_fit() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("s.toml"), SWEEP).unwrap();
    // As much flash as a network of four hidden units takes, to the byte.
    succeeds(here, &["train", "--data", "data", "--hidden", "4", "--epochs", "1", "-q", "--out", "four"]);
    let line = succeeds(here, &["estimate", "four/model.safetensors", "--target", "m0", "--json"]);
    let flash = serde_json::from_str::<Value>(&line).unwrap()["flash_bytes"].as_u64().unwrap();
    let budget = format!("flash={flash},target=m0");
    let words = ["sweep", "-c", "s.toml", "--budget", &budget, "--seeds", "1", "-q"];
    let shown = succeeds(here, &[&words[..], &["--out", "out"]].concat());
    assert!(shown.contains("Over the budget on m0 and left out: recipe 5 of 8, [16]: "), "{shown}");
    assert!(shown.contains(&format!(" bytes of flash needed, {flash} there")), "{shown}");
    let table: Value = serde_json::from_str(&tables(&here.join("out"))[2]).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() == 4 && rows.iter().all(|r| r["hidden"] == serde_json::json!([4])), "{table}");
    // The figures are those of `estimate`, before a weight is known.
    let model = "out/trials/1-seed-42.safetensors";
    let line = succeeds(here, &["estimate", model, "--target", "m0", "--json"]);
    let estimate: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(rows[0]["flash_bytes"], estimate["flash_bytes"]);
    assert_eq!(rows[0]["instructions"], estimate["instructions"]);

    let shard = [&words[..], &["--shard", "1/1", "--out", "part"]].concat();
    succeeds(here, &shard);
    succeeds(here, &["sweep", "merge", "part", "--out", "merged"]);
    assert_eq!(tables(&here.join("merged")), tables(&here.join("out")));
    let none = ["sweep", "-c", "s.toml", "--budget", "ram=10", "--out", "none"];
    assert!(fails(here, &none, 6).contains("every recipe is over budget; recipe 1 of 8"));
    assert!(!here.join("none").exists());
}

/// Runs a sweep whole and in three shards that `shards` starts, and compares the tables.
fn sharded(shards: impl Fn(&Path)) {
    let here: &Path = &folder_with_data();
    fs::write(here.join("s.toml"), SWEEP).unwrap();
    succeeds(here, &["sweep", "-c", "s.toml", "--out", "whole", "-q"]);
    shards(here);
    assert!(!here.join("part-1/table.md").exists());
    assert!(fails(here, &["sweep", "merge", "part-1", "--out", "few"], 1).contains("in none of the shards"));
    succeeds(here, &["sweep", "merge", "part-1", "part-2", "part-3", "--out", "merged"]);
    assert_eq!(tables(&here.join("whole")), tables(&here.join("merged")));
    let words = ["sweep", "merge", "part-1", "part-2", "part-3", "--out", "merged", "--json"];
    let mut table: Value = serde_json::from_str(&succeeds(here, &words)).unwrap();
    let warnings = table.as_object_mut().unwrap().remove("warnings");
    assert_eq!(warnings, Some(serde_json::json!([])));
    let mut file: Value = serde_json::from_str(&tables(&here.join("merged"))[2]).unwrap();
    // The file ends with its checksum, a line on stdout does not.
    assert!(file.as_object_mut().unwrap().remove("crc32").is_some());
    assert_eq!(table, file);
    assert!(fails(here, &["sweep", "merge", "data", "--out", "x"], 2).contains("no shard of a sweep"));
}

#[test]
fn shards_give_the_bytes_of_the_whole() {
    sharded(|here| {
        for part in ["3", "1", "2"] {
            let (shard, out) = (format!("{part}/3"), format!("part-{part}"));
            succeeds(here, &["sweep", "-c", "s.toml", "--shard", &shard, "--out", &out, "-q"]);
        }
    });
}

#[test]
#[ignore = "needs GNU parallel; .ci/run installs and runs it"]
fn shards_by_gnu_parallel() {
    sharded(|here| {
        let program = selvedge().get_program().to_owned();
        let status = Command::new("parallel")
            .current_dir(here)
            .arg(program)
            .args([
                "sweep", "-c", "s.toml", "--shard", "{}/3", "--out", "part-{}", "--jobs", "1", "-q", ":::",
            ])
            .args(["1", "2", "3"])
            .status()
            .expect("GNU parallel is installed");
        assert!(status.success());
    });
}
