//! Flash files as a person meets them: exported, packed again, looked at, run, compared; and a Rust module that compiles
//! and runs.
//!
//! `SELVEDGE_BLESS=1` writes the modules in `fixtures/` again.

mod support;

use std::fs;
use std::path::Path;

use selvedge::Activation;
use selvedge::format::{InputMap, InputType, ModelView};
use selvedge::infer::integer;
use serde_json::Value;
use support::files::Spec;
use support::{TRAIN, fails, json_lines, run, small_data, succeeds, with};

/// The module that `export --format rust` makes of `fixtures/i8.selv`, which runs anywhere.
mod generic {
    #![allow(dead_code)]
    include!("../../fixtures/i8.rs");
}

/// And of `fixtures/i8-cortex-m0.selv`, which the kernels for cores without vectors read; they run here too.
mod packed {
    #![allow(dead_code)]
    include!("../../fixtures/i8-cortex-m0.rs");
}

/// And of `fixtures/sensor.selv`: windows of raw i16 in 14 bits, tanh, and classes that may be unknown.
mod sensor {
    #![allow(dead_code)]
    include!("../../fixtures/sensor.rs");
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    folder.canonicalize().unwrap().join(name).display().to_string()
}

/// A folder with data and a trained run.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    small_data(folder.path());
    succeeds(folder.path(), &with(&TRAIN, &["--out", "run", "-q"]));
    folder
}

fn json(folder: &Path, words: &[&str]) -> Value {
    json_lines(&succeeds(folder, &[words, &["--json"]].concat())).remove(0)
}

/// Exports a fixture as a module and compares it with the one that was compiled into this test.
fn exports_as(name: &str, compiled: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (file, module) = (fixture(&format!("{name}.selv")), format!("{name}.rs"));
    succeeds(folder.path(), &["export", &file, "--format", "rust", "-o", &module]);
    let written = fs::read_to_string(folder.path().join(&module)).unwrap();
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        fs::write(fixture(&module), &written).unwrap();
    }
    assert!(written == compiled, "fixtures/{module} is not what is written today");
}

#[test]
fn modules_compile_and_run() {
    exports_as("i8", include_str!("../../fixtures/i8.rs"));
    exports_as("i8-cortex-m0", include_str!("../../fixtures/i8-cortex-m0.rs"));
    assert_eq!(generic::FILE, fs::read(fixture("i8.selv")).unwrap());
    assert_eq!((generic::INPUTS, generic::OUTPUTS, generic::LABELS[1]), (64, 5, "boot"));
    // The ramp of the format's specification.
    let ramp = std::array::from_fn(|p| 4 * p as u8);
    let mut network = generic::Network::new().unwrap();
    let class = network.classify(&ramp).unwrap();
    assert_eq!((class, network.logits()), (Some(1), &[2655, 8592, -3689, -4908, 2455]));
    let mut fast = packed::Network::new().unwrap();
    assert_eq!((fast.classify(&ramp).unwrap(), fast.logits()), (class, network.logits()));
}

#[test]
fn modules_of_windows_compile_and_run() {
    let spec = Spec {
        activations: vec![Activation::Tanh],
        input: (InputType::I16, InputMap::AffinePerFeature, 14),
        window: Some((3, 1)),
        bound: 4000,
        ..Spec::new(&[6, 7, 3])
    };
    let bytes = spec.build(5);
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        fs::write(fixture("sensor.selv"), &*bytes).unwrap();
    }
    exports_as("sensor", include_str!("../../fixtures/sensor.rs"));
    assert_eq!(sensor::FILE, &*bytes);
    let engine = integer::Engine::new(ModelView::parse(&bytes).unwrap()).unwrap();
    let mut scratch = vec![0; integer::Engine::scratch_words(engine.view().header())];
    let (mut logits, mut unknown) = ([0; sensor::OUTPUTS], 0);
    let mut network = sensor::Network::new().unwrap();
    let mut memory = [0; sensor::INPUTS];
    let mut window = sensor::Network::window(&mut memory).unwrap();
    for row in 0..400_i32 {
        let row = [row * 9973, row * 7919].map(|x| (x % 65_536 - 32_768) as i16);
        if window.push(&row).unwrap() {
            let sample: Vec<i16> = window.values().collect();
            let class = engine.classify(&sample, &mut scratch, &mut logits).unwrap();
            assert_eq!(network.classify(&window).unwrap(), class);
            assert_eq!(network.logits(), &logits);
            unknown += usize::from(class.is_none());
        }
    }
    assert!((20..380).contains(&unknown), "{unknown} of 398 are unknown");
}

#[test]
fn files_of_sensors_are_described() {
    let text = succeeds(Path::new("."), &["inspect", &fixture("sensor.selv")]);
    for part in [
        "input        6 values of i16, affine per feature map to 14 bits",
        "window       3 rows of 2 values, every 1 rows",
        "task         class",
        "unknown      where the two largest logits are less than 0.9766 apart",
        "tanh",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let said = json(Path::new("."), &["inspect", &fixture("sensor.selv")]);
    assert_eq!(
        (&said["input_type"], &said["input_bits"], &said["window"]["channels"]),
        (&"i16".into(), &14.into(), &2.into())
    );
    assert_eq!((&said["layers"][0]["activation"], &said["threshold"]), (&"tanh".into(), &Value::Null));
    let estimated = json(Path::new("."), &["estimate", &fixture("sensor.selv"), "--target", "m4"]);
    // As it is, it is packed for no core; for each core it would be modelled.
    assert_eq!((&estimated["instructions"], &estimated["modelled"]), (&Value::Null, &Value::Null));
    let all = succeeds(Path::new("."), &["estimate", &fixture("sensor.selv"), "--json"]);
    let all = json_lines(&all);
    assert!(all.iter().all(|core| core["instructions"].is_u64() && core["modelled"] == true), "{all:?}");
}

#[test]
fn formats_that_hold_pictures_only_refuse_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["export", &fixture("sensor.selv"), "--format", "safetensors", "-o", "out"];
    let line = fails(folder.path(), &words, 4);
    assert!(line.contains("--format safetensors") && line.contains("onnx-integer and npz"), "{line}");
    for format in ["onnx", "onnx-integer", "npz"] {
        let words = ["export", &fixture("sensor.selv"), "--format", format, "-o", format];
        succeeds(folder.path(), &words);
    }
    // The arrays of an npz are files, whose names stand in it as they are.
    let npz = fs::read(folder.path().join("npz")).unwrap();
    let holds = |name: &str| npz.windows(name.len()).any(|part| part == name.as_bytes());
    for name in ["input.lo", "input.span", "input.m", "input.bits", "window", "fc1.table", "class.margin"] {
        assert!(holds(&format!("{name}.npy")), "no {name}");
    }
    assert!(!holds("input.scale.npy") && !holds("score.unit.npy"));
    // Its table is of random numbers, so that the graph looks it up.
    let graph = fs::read(folder.path().join("onnx")).unwrap();
    assert!(graph.windows(6).any(|part| part == b"table1"));
}

#[test]
fn floats_in_flash_are_the_trained_network() {
    let folder = trained();
    let here = folder.path();
    let before = json(here, &["eval", "run"]);
    for dtype in ["f32", "f16", "bf16"] {
        let file = format!("{dtype}.selv");
        let made = json(here, &["export", "run", "--format", "selv", "--dtype", dtype, "-o", &file]);
        assert_eq!((&made["dtype"], &made["packing"]), (&Value::from(dtype), &Value::from("generic")));
        assert_eq!(made["bytes"], fs::metadata(here.join(&file)).unwrap().len());
        let after = json(here, &["eval", &file, "--data", "data"]);
        assert!((after["accuracy"].as_f64().unwrap() - before["accuracy"].as_f64().unwrap()).abs() < 0.05);
        let predicted = json(here, &["predict", &file, "--data", "data", "--index", "3"]);
        assert_eq!(predicted["label"], json(here, &["predict", "run", "--index", "3"])["label"]);
    }
    // Single precision loses nothing, half precision something.
    let equal = json(here, &["verify", "run", "f32.selv"]);
    assert_eq!(
        equal,
        serde_json::json!({
            "equal": true, "reordered": false, "images": 60, "differing": 0, "first": null, "warnings": []
        })
    );
    assert!(succeeds(here, &["verify", "run", "f32.selv"]).contains("bit-exact on 60 images"));
    let output = run(here, &["verify", "run", "f16.selv", "--json"]);
    assert_eq!(output.status.code(), Some(5));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&found["equal"], &found["first"]["image"], &found["first"]["layer"]),
        (&false.into(), &0.into(), &0.into())
    );
    assert!(fails(here, &["verify", "run", "f16.selv"], 5).contains("the first is image 0, in output "));
    // A file of halves widens to single precision without a change.
    succeeds(here, &["export", "f16.selv", "--format", "selv", "--dtype", "f32", "-o", "wide.selv"]);
    succeeds(here, &["verify", "f16.selv", "wide.selv", "--data", "data"]);
}

#[test]
fn integers_are_packed_again_without_a_change() {
    let folder = trained();
    let here = folder.path();
    for dtype in ["i8", "i4"] {
        let file = format!("{dtype}.selv");
        succeeds(here, &["quantize", "run", "--dtype", dtype, "-o", &file]);
        let accuracy = &json(here, &["eval", &file, "--data", "data"])["accuracy"];
        assert!(accuracy.as_f64().unwrap() > 0.9, "{dtype}: {accuracy}");
        let text = succeeds(here, &["inspect", &file]);
        for part in [
            "36-16-4",
            "packing      generic",
            "CRC-32",
            "passed here",
            "multipliers",
            "6 x 6 pixels",
            "upper",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    let mut files = Vec::new();
    for core in ["cortex-m4", "cortex-m0", "cortex-m3", "rv32", "cortex-m55", "generic"] {
        let file = format!("{core}.selv");
        succeeds(here, &["export", "i8.selv", "--format", "selv", "--packing", core, "-o", &file]);
        assert_eq!(json(here, &["verify", "i8.selv", &file, "--data", "data"])["equal"], true, "{core}");
        assert!(succeeds(here, &["inspect", &file]).contains("passed here"));
        files.push(file);
    }
    let read = |name: &str| fs::read(here.join(name)).unwrap();
    assert_eq!(read("generic.selv"), read("i8.selv"));
    assert_eq!(read("cortex-m3.selv"), read("cortex-m0.selv"));
    succeeds(
        here,
        &["export", "cortex-m55.selv", "--format", "selv", "--packing", "generic", "-o", "back.selv"],
    );
    assert_eq!(read("back.selv"), read("i8.selv"));
    let predicted = json(here, &["predict", "cortex-m4.selv", "--data", "data", "--index", "5"]);
    assert_eq!(predicted, json(here, &["predict", "i8.selv", "--data", "data", "--index", "5"]));
    let differing = json_lines(
        &String::from_utf8(run(here, &["verify", "i8.selv", "i4.selv", "--data", "data", "--json"]).stdout)
            .unwrap(),
    );
    assert_eq!(differing[0]["equal"], false);
}

#[test]
fn what_cannot_be() {
    let folder = trained();
    let here = folder.path();
    let export = |words: &[&str], code| fails(here, &[&["export"], words, &["-o", "x.selv"]].concat(), code);
    assert!(
        export(&["run", "--format", "selv", "--dtype", "i8"], 2)
            .contains("selvedge quantize MODEL --dtype i8")
    );
    let line = export(&["run", "--format", "selv", "--packing", "cortex-m4"], 2);
    assert!(line.contains("only integer weights are packed for a core"), "{line}");
    assert!(export(&["run", "--format", "onnx", "--dtype", "f16"], 2).contains("--format selv and rust"));
    assert!(export(&["run", "--format", "selv", "--packing", "avr"], 2).contains("cortex-m55 or rv32"));
    let i4 = fixture("i4.selv");
    assert!(export(&[&i4, "--format", "selv", "--dtype", "i8"], 2).contains("the file holds i4 weights"));
    let f16 = fixture("f16.selv");
    assert!(export(&[&f16, "--format", "selv", "--packing", "cortex-m0"], 2).contains("and these are f16"));
    assert!(!here.join("x.selv").exists());
    let line = fails(here, &["verify", "run", &i4, "--data", "data"], 4);
    assert!(line.contains("36-16-4") && line.contains("64-19-5"), "{line}");
    let line = fails(here, &["eval", &i4, "--data", "data"], 4);
    assert!(line.contains("takes 64 inputs"), "{line}");
    assert!(fails(here, &["eval", &i4, "--data", "data", "--split", "val"], 4).contains("--split test"));
    let mut bytes = fs::read(&i4).unwrap();
    for (change, part) in [(bytes.len() - 40, "its CRC is"), (5, "damaged"), (4, "version")] {
        bytes[change] ^= 0x40;
        fs::write(here.join("bad.selv"), &bytes).unwrap();
        for command in ["inspect", "eval", "predict"] {
            let words = if command == "predict" {
                vec![command, "bad.selv", "--index", "0"]
            } else {
                vec![command, "bad.selv"]
            };
            let line = fails(here, &words, 4);
            assert!(line.contains("bad.selv") && line.contains(part), "{line}");
        }
        bytes[change] ^= 0x40;
    }
    fs::write(here.join("bad.selv"), &bytes[..100]).unwrap();
    assert!(fails(here, &["inspect", "bad.selv"], 4).contains("damaged"));
}
