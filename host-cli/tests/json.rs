//! JSON output: one object on stdout with the numbers of the text output, and only keys that `docs/json.md` explains.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use host_cli::recipe::preset::PRESETS;
use serde_json::Value;
use support::{TRAIN, json_lines, run, small_data, succeeds, with};

/// A folder with data, a run, and its flash files of each type.
fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    for dtype in ["i8", "i4"] {
        succeeds(here, &["quantize", "run", "--dtype", dtype, "-o", dtype]);
    }
    succeeds(here, &["export", "run", "--format", "selv", "--dtype", "bf16", "-o", "bf16"]);
    folder
}

/// The one object that a command prints.
fn one(here: &Path, words: &[&str]) -> Value {
    let mut lines = json_lines(&succeeds(here, &[words, &["--json"]].concat()));
    assert_eq!(lines.len(), 1, "{words:?}");
    lines.remove(0)
}

/// The keys of an object and of those in it, save the ones of recipes, which are those of config files.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                found.insert(key.clone());
                if !["recipe", "origins", "varied"].contains(&key.as_str()) {
                    keys(value, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
}

#[test]
fn inspect_says_of_integers_what_their_file_holds() {
    let folder = made();
    let here = folder.path();
    let path = here.join("i8");
    let bytes = host_cli::model::flash(&path).unwrap().unwrap();
    let image = host_cli::model::parse_flash(&path, &bytes).unwrap();
    let json = one(here, &["inspect", "i8"]);
    assert_eq!(
        (&json["kind"], &json["dtype"], &json["packing"]),
        (&"flash".into(), &"i8".into(), &"generic".into())
    );
    assert_eq!(json["crc32"], format!("{:08x}", image.header().crc()));
    assert_eq!(json["self_test"]["passed"], true);
    assert_eq!(
        (&json["flash_bytes"], &json["widths"]),
        (&bytes.len().into(), &serde_json::json!([36, 16, 4]))
    );
    assert_eq!(json["logit_unit"].as_f64().unwrap() as f32, image.scale(2));
    let layers = json["layers"].as_array().unwrap();
    for (l, (told, stored)) in layers.iter().zip(image.layers()).enumerate() {
        assert_eq!(told["input_unit"].as_f64().unwrap() as f32, image.scale(l));
        assert_eq!(told["weight_bytes"], stored.weights().len());
        let parts = ["weight_bytes", "bias_bytes", "multiplier_bytes"].map(|key| told[key].as_u64().unwrap());
        assert_eq!(told["bytes"], parts.iter().sum::<u64>());
    }
    let stored = image.layers().next().unwrap();
    let multipliers: Vec<f64> = (0..16).map(|row| f64::from(stored.multiplier(row))).collect();
    assert_eq!(
        (numbers(&layers[0]["multipliers"]), numbers(&layers[1]["multipliers"])),
        (multipliers, vec![])
    );
    assert_eq!([0, 1].map(|l: usize| numbers(&layers[l]["row_scales"]).len()), [16, 1]);
    // Weights of half a byte have steps that are coarser, and floats none.
    let [i4, bf16] = ["i4", "bf16"].map(|file| one(here, &["inspect", file]));
    let step = |of: &Value| numbers(&of["layers"][1]["row_scales"])[0];
    assert!(step(&i4) > 4.0 * step(&json), "{i4}");
    assert!(bf16["logit_unit"].is_null() && numbers(&bf16["layers"][0]["row_scales"]).is_empty(), "{bf16}");
    // The words say the same.
    let text = succeeds(here, &["inspect", "i8"]);
    let said =
        [format!("CRC-32       {}", json["crc32"].as_str().unwrap()), format!("{} bytes (", bytes.len())];
    assert!(said.iter().all(|words| text.contains(words)), "{text}");
}

#[test]
fn inspect_says_of_a_model_and_of_the_cpu_what_the_words_say() {
    let folder = made();
    let here = folder.path();
    let json = one(here, &["inspect", "run"]);
    assert_eq!(
        (&json["kind"], &json["parameters"], &json["epochs_done"]),
        (&"model".into(), &660.into(), &5.into())
    );
    assert_eq!(
        (&json["image"], &json["recipe"]["hidden"]),
        (&serde_json::json!([6, 6]), &serde_json::json!([16]))
    );
    assert_eq!(json["recipe"]["lr"].to_string(), "0.1", "singles keep their shortest digits");
    let sum: u64 = json["layers"].as_array().unwrap().iter().map(|l| l["parameters"].as_u64().unwrap()).sum();
    assert_eq!(sum, 660);
    let cpu = one(here, &["inspect"]);
    let names = cpu["backends"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap());
    let text = succeeds(here, &["inspect"]);
    assert!(
        names.clone().all(|name| text.contains(name)) && names.clone().any(|n| n == cpu["auto"]),
        "{cpu}"
    );
}

#[test]
fn recipes_and_data() {
    let folder = made();
    let here = folder.path();
    let shown = one(here, &["config", "show", "--preset", "fast", "--lr", "0.2"]);
    assert_eq!((shown["recipe"]["lr"].to_string(), &shown["origins"]["lr"]), ("0.2".into(), &"flag".into()));
    assert_eq!(
        (&shown["origins"]["gamma"], &shown["origins"]["seed"]),
        (&"preset fast".into(), &"built in".into())
    );
    let of = |key: &str| shown[key].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(of("recipe"), of("origins"));
    let presets = one(here, &["config", "presets"]);
    let names: Vec<_> = presets["presets"].as_array().unwrap().iter().map(|p| p["name"].clone()).collect();
    assert_eq!(names, PRESETS.map(|p| Value::from(p.name)));

    let shown = one(here, &["data", "show", "data", "--count", "3"]);
    assert_eq!((&shown["train_images"], &shown["test_images"]), (&240.into(), &60.into()));
    let classes = shown["classes"].as_array().unwrap();
    assert!(classes.iter().all(|c| c["shown"].as_array().unwrap().len() == 3), "{shown}");
    assert_eq!(classes.iter().map(|c| c["train_images"].as_u64().unwrap()).sum::<u64>(), 240);
    // What is wrong is on stdout file by file, and on stderr in one object.
    let output = run(here, &["data", "verify", "--dir", "none", "--json"]);
    let [found, error] =
        [output.stdout, output.stderr].map(|text| json_lines(&String::from_utf8(text).unwrap()));
    assert_eq!((output.status.code(), &error[0]["code"]), (Some(3), &3.into()));
    let states: Vec<_> = found[0]["files"].as_array().unwrap().iter().map(|f| f["state"].clone()).collect();
    assert_eq!(states, ["missing"; 4]);
}

#[test]
fn every_key_is_explained() {
    let page = include_str!("../../docs/json.md");
    let folder = made();
    let here = folder.path();
    succeeds(here, &["export", "run", "--format", "safetensors", "-o", "net.safetensors"]);
    let commands: [&[&str]; 22] = [
        &["train", "--data", "data", "--epochs", "1", "--out", "other"],
        &["eval", "run"],
        &["predict", "run", "--index", "0"],
        &["quantize", "run", "--dtype", "i8", "--report", "-o", "again"],
        &["estimate", "i8", "--target", "m4"],
        &["import", "net.safetensors", "-o", "imported"],
        &["export", "run", "--format", "c", "-o", "net.c"],
        &["export", "i8", "--format", "cmake", "-o", "net-package", "--prefix", "net"],
        &["export", "i8", "--format", "arduino", "--storage", "const", "-o", "net.zip"],
        &["export", "i8", "--format", "selv", "--packing", "m4", "-o", "m4"],
        &["export", "i8", "--format", "firmware", "--board", "microbit", "--data", "data", "-o", "firmware"],
        &["verify", "i8", "m4", "--data", "data"],
        &["sweep", "-c", "s.toml", "--out", "swept"],
        &["report", "run"],
        &["bench", "--filter", "peak"],
        &["config", "show"],
        &["config", "presets"],
        &["data", "show", "data"],
        &["inspect"],
        &["inspect", "run"],
        &["inspect", "i8"],
        &["inspect", "bf16"],
    ];
    std::fs::write(here.join("s.toml"), "[base]\ndata = \"data\"\nepochs = 1\n[grid]\nlr = [0.1]\n").unwrap();
    let mut found = BTreeSet::new();
    for words in commands {
        for line in json_lines(&succeeds(here, &[words, &["--json"]].concat())) {
            keys(&line, &mut found);
        }
    }
    let unexplained: Vec<_> = found.iter().filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert!(unexplained.is_empty(), "docs/json.md says nothing of {unexplained:?}");
    assert!(found.len() > 80, "{found:?}");
}
