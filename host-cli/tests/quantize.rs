//! The command `quantize`: accuracy, the file, the output, the refusals.

mod support;

use std::fs;
use std::path::Path;

use host_cli::memory::Bytes;
use selvedge::format::{Builder, HeaderBuf, ModelView};
use serde_json::Value;
use support::{TRAIN, fails, folder_with_data, json_lines, succeeds, with};

#[test]
fn both_types_keep_what_was_learnt() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    for (dtype, bytes) in [("i8", 896), ("i4", 608)] {
        let words = ["quantize", "run", "--dtype", dtype, "-o", "q.selv", "--json"];
        let json = json_lines(&succeeds(here, &words)).remove(0);
        let keys = json.as_object().unwrap();
        let names = [
            "dtype",
            "file",
            "bytes",
            "ram_bytes",
            "val_accuracy_before",
            "val_accuracy",
            "test_accuracy_before",
            "test_accuracy",
            "nonzero_groups_before",
            "nonzero_groups",
            "nonzero_blocks_before",
            "nonzero_blocks",
            "flips",
            "warnings",
        ];
        assert!(names.iter().all(|n| keys.contains_key(*n)) && keys.len() == names.len(), "{json}");
        assert_eq!((&json["dtype"], &json["file"]), (&dtype.into(), &"q.selv".into()));
        assert_eq!(json["bytes"], fs::read(here.join("q.selv")).unwrap().len());
        assert_eq!(json["bytes"], bytes, "{json}");
        // The image, its inputs as pairs in words, the hidden layer, the logits.
        assert_eq!(json["ram_bytes"], 36 + 40 + 16 + 16);
        assert!(json["test_accuracy"].as_f64().unwrap() > 0.95, "{json}");
        let eval = json_lines(&succeeds(here, &["eval", "run", "--json"])).remove(0);
        assert_eq!(json["test_accuracy_before"], eval["accuracy"]);
        // The same arguments give the same bytes.
        let file = fs::read(here.join("q.selv")).unwrap();
        succeeds(here, &words);
        assert_eq!(fs::read(here.join("q.selv")).unwrap(), file);
    }
}

#[test]
fn clipping_reports_and_refusals() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    let quantize = |more: &[&'static str]| [&["quantize", "run", "--dtype", "i4"], more].concat();
    let mut files = Vec::new();
    for clip in ["max", "mse", "percentile:99"] {
        succeeds(here, &quantize(&["--qat", "0", "--clip", clip, "-o", "q.selv"]));
        files.push(fs::read(here.join("q.selv")).unwrap());
    }
    assert!(files[0] != files[1] && files[1] != files[2]);
    let text = succeeds(here, &quantize(&["--qat", "1", "--report", "-o", "q.selv"]));
    for part in
        ["validation", "upper", "signal to noise", "fc2", " dB", "test images are classified otherwise"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = json_lines(&succeeds(here, &quantize(&["--report", "--json", "-o", "q.selv"]))).remove(0);
    assert_eq!(json["per_class"].as_array().unwrap().len(), 4);
    assert_eq!(json["noise_db"].as_array().unwrap().len(), 2);

    fs::remove_file(here.join("q.selv")).unwrap();
    assert!(fails(here, &quantize(&["--clip", "least", "-o", "q.selv"]), 2).contains("percentile:99.9"));
    assert!(fails(here, &quantize(&["--calibrate", "0", "-o", "q.selv"]), 2).contains("--calibrate 0"));
    assert!(fails(here, &quantize(&["--data", "nowhere", "-o", "q.selv"]), 3).contains("nowhere"));
    assert!(
        fails(here, &quantize(&["--data", "demo", "-o", "q.selv"]), 4).contains("the model takes 36 inputs")
    );
    fs::write(here.join("bad"), "bad").unwrap();
    assert!(fails(here, &["quantize", "bad", "--dtype", "i8", "-o", "q.selv"], 4).contains("bad"));
    assert!(!here.join("q.selv").exists());
}

/// Units that change places with their weights are the same network, which `verify` says.
#[test]
fn the_order_of_hidden_units_is_proven_to_change_nothing() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    let json = json_lines(&succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "q.selv", "--json"]));
    for name in ["nonzero_groups", "nonzero_blocks"] {
        let share = |key: &str| json[0][key].as_f64().unwrap();
        let (before, after) = (share(&format!("{name}_before")), share(name));
        assert!(0.0 < after && after <= before && before <= 1.0, "{json:?}");
    }
    let bytes = fs::read(here.join("q.selv")).unwrap();
    let bytes = Bytes::copy_of(&bytes, "the file").unwrap();
    let file = ModelView::parse(&bytes).unwrap();
    let header = file.header();
    let names: Vec<&str> = file.labels().collect();
    let layers: Vec<_> = file.layers().collect();
    let write = |name: &str, exchanged: &[usize]| {
        let like = HeaderBuf::like(header, header.dtype(), header.packing()).unwrap();
        let mut bytes = Bytes::zeroed(like.file_bytes(), "the file").unwrap();
        let mut builder = Builder::new(like, &mut bytes).unwrap();
        builder.copy(&file).unwrap();
        builder.labels(&names.join("\n")).unwrap();
        for (&to, &from) in exchanged.iter().zip(exchanged.iter().rev()) {
            let (hidden, next) = (&layers[0], &layers[1]);
            builder.bias(0, to, hidden.bias(from));
            builder.multiplier(0, to, hidden.multiplier(from));
            (0..36).for_each(|i| builder.weight(0, to, i, hidden.weight(from, i) as i8));
            (0..4).for_each(|o| builder.weight(1, o, to, next.weight(o, from) as i8));
        }
        builder.finish().unwrap();
        fs::write(here.join(name), &*bytes).unwrap();
    };
    write("same.selv", &[]);
    write("other.selv", &[0, 5, 14, 15]);
    let verify =
        |b: &str| json_lines(&succeeds(here, &["verify", "q.selv", b, "--data", "data", "--json"])).remove(0);
    assert_eq!(
        (&verify("same.selv")["equal"], &verify("same.selv")["reordered"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&verify("other.selv")["equal"], &verify("other.selv")["reordered"]),
        (&true.into(), &true.into())
    );
    let text = succeeds(here, &["verify", "q.selv", "other.selv", "--data", "data"]);
    assert!(text.contains("bit-exact") && text.contains("in another order"), "{text}");
}

#[test]
fn estimates_and_budgets() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "q.selv"]);
    let file = fs::read(here.join("q.selv")).unwrap().len() as u64;
    let mut counts = Vec::new();
    for target in ["cortex-m0", "m3", "m4", "m7", "m55", "rv32"] {
        let json = json_lines(&succeeds(here, &["estimate", "run", "--target", target, "--json"])).remove(0);
        let names = [
            ["target", "flash_bytes", "file_bytes", "inference_bytes", "c_constant_bytes", "c_code_bytes"],
            ["ram_bytes", "macs", "instructions", "modelled", "cycles", "cycles_waiting"],
            ["cycles_modelled", "wait_states", "line_bytes", "clock_hz", "seconds", "seconds_waiting"],
        ];
        let names: Vec<_> = names.into_iter().flatten().chain(["fits"]).collect();
        assert!(names.iter().all(|n| json.get(n).is_some()), "{json}");
        assert_eq!(json.as_object().unwrap().len(), names.len(), "{json}");
        assert_eq!((&json["macs"], &json["fits"]), (&(36 * 16 + 16 * 4).into(), &true.into()));
        assert!(json["flash_bytes"].as_u64().unwrap() > file, "{json}");
        counts.push(json["instructions"].as_u64().unwrap());
        assert_eq!(json["cycles_modelled"], !["m7", "m55"].contains(&target), "{json}");
        let [cycles, waiting] = ["cycles", "cycles_waiting"].map(|n| json[n].as_f64().unwrap());
        assert!(cycles < waiting && json["seconds"] == cycles / json["clock_hz"].as_f64().unwrap(), "{json}");
    }
    assert!(counts[0] > counts[1] && counts[1] > counts[2] && counts[2] > counts[4], "{counts:?}");
    let text = succeeds(here, &["estimate", "q.selv", "--target", "m4", "--clock", "84MHz"]);
    assert!(text.contains("at 84 MHz") && text.contains("packed for others"), "{text}");

    let small = ["estimate", "run", "--target", "m4", "--flash", "1K", "--ram", "8K"];
    let line = fails(here, &small, 6);
    assert!(line.contains("bytes of flash needed, 1024 there") && !line.contains("RAM needed"), "{line}");
    let output = support::run(here, &[&small[..], &["--json"]].concat());
    assert_eq!(json_lines(std::str::from_utf8(&output.stdout).unwrap())[0]["fits"], false);
    assert!(fails(here, &["estimate", "run", "--target", "z80"], 2).contains("m55, rv32"));
    assert!(fails(here, &["estimate", "run", "--target", "m4", "--ram", "much"], 2).contains("8K or 1M"));
}

/// Without a target there is a row for each core, with the file packed for that core.
#[test]
fn estimates_for_all_cores() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    succeeds(here, &["quantize", "run", "--dtype", "i8", "--packing", "m55", "-o", "q.selv"]);
    let cores = ["m0", "m3", "m4", "m7", "m55", "rv32"];
    for model in ["run", "q.selv"] {
        let rows = json_lines(&succeeds(here, &["estimate", model, "--json"]));
        assert_eq!(rows.len(), cores.len());
        for (row, target) in rows.iter().zip(cores) {
            let one = json_lines(&succeeds(here, &["estimate", "run", "--target", target, "--json"]));
            assert_eq!(*row, one[0], "{model}");
        }
    }
    let text = succeeds(here, &["estimate", "q.selv"]);
    assert!(text.starts_with("36-16-4, i8, packed for each core\n") && !text.contains("fits"), "{text}");
    assert_eq!(text.lines().count(), 3 + cores.len(), "{text}");
    succeeds(here, &["export", "run", "--format", "selv", "--dtype", "f32", "-o", "f.selv"]);
    assert!(succeeds(here, &["estimate", "f.selv"]).starts_with("36-16-4, f32\n"), "floats are not packed");

    // A budget between the smallest and the largest estimate: some cores remain.
    let flash = |row: &Value| row["flash_bytes"].as_u64().unwrap();
    let rows = json_lines(&succeeds(here, &["estimate", "run", "--json"]));
    let (least, most) = (rows.iter().map(flash).min().unwrap(), rows.iter().map(flash).max().unwrap());
    let text = succeeds(here, &["estimate", "run", "--flash", &least.to_string()]);
    assert!(least < most && text.contains(" yes") && text.contains(" no"), "{text}");
    let line = fails(here, &["estimate", "run", "--flash", &(least - 1).to_string()], 6);
    assert!(line.contains("over budget on every core, on m0 for one"), "{line}");
    assert!(fails(here, &["estimate", "run", "--clock", "8MHz"], 2).contains("--target"));
}
