//! The program from outside: commands, output lines, JSON, exit codes, files.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use support::{TRAIN, fails, folder_with_data, json_lines, selvedge, succeeds, with};

#[test]
fn train_eval_predict_inspect() {
    let here: &Path = &folder_with_data();
    let text = succeeds(here, &with(&TRAIN, &["--out", "run"]));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 7, "{text}");
    assert!(lines[0].starts_with("Epoch 1: Loss = ") && lines[4].starts_with("Epoch 5: "), "{text}");
    assert!(lines[5].starts_with("Test accuracy = "), "{text}");

    let config = fs::read_to_string(here.join("run/config.toml")).unwrap();
    assert!(config.contains("hidden = [16]") && config.contains("init = \"he\""), "{config}");
    let metrics = json_lines(&fs::read_to_string(here.join("run/metrics.jsonl")).unwrap());
    assert_eq!(metrics.len(), 6);
    for key in ["epoch", "loss_sum", "loss", "train_accuracy", "val_accuracy", "seconds", "images_per_second"]
    {
        assert!(metrics[4][key].is_number(), "{key}");
    }
    assert_eq!(metrics[5]["parameters"], 36 * 16 + 16 + 16 * 4 + 4);
    assert!(metrics[5]["test_accuracy"].as_f64().unwrap() > 0.9, "{metrics:?}");

    let eval = json_lines(&succeeds(here, &["eval", "run", "--json"])).remove(0);
    assert_eq!((&eval["split"], &eval["images"]), (&Value::from("test"), &Value::from(60)));
    assert_eq!(eval["accuracy"], metrics[5]["test_accuracy"]);
    let diagonal: u64 = (0..4).map(|c| eval["confusion"][c][c].as_u64().unwrap()).sum();
    assert_eq!(diagonal as f64 / 60.0, eval["accuracy"].as_f64().unwrap());
    assert_eq!(eval["per_class"].as_array().unwrap().len(), 4);
    let val = json_lines(&succeeds(here, &["eval", "run/model.safetensors", "--split", "val", "--json"]));
    assert_eq!(val[0]["images"], 40);
    assert_eq!(val[0]["accuracy"], metrics[4]["val_accuracy"]);
    let table = succeeds(here, &["eval", "run"]);
    assert!(table.contains("upper") && table.contains("precision") && table.contains("true \\ predicted"));

    let predict = json_lines(&succeeds(here, &["predict", "run", "--index", "3", "--json"])).remove(0);
    let sum: f64 = predict["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert!(["top", "upper", "lower", "bottom"].contains(&predict["label"].as_str().unwrap()));
    let drawn = succeeds(here, &["predict", "run", "--index", "3"]);
    assert!(drawn.contains("%%") || drawn.contains("##"), "{drawn}");

    let inspect = succeeds(here, &["inspect", "run"]);
    assert!(inspect.contains("36-16-4") && inspect.contains("seed = 42"), "{inspect}");
    assert!(succeeds(here, &["inspect"]).contains("portable"));
    assert!(succeeds(here, &["data", "show", "data"]).contains("3 bottom"));
}

/// Colours are for terminals, or on request; the text is the same.
#[test]
fn colours_on_request() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    let table = succeeds(here, &["eval", "run"]);
    let coloured = |no: &str| {
        let mut eval = selvedge();
        eval.current_dir(here).args(["eval", "run"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", no);
        String::from_utf8(eval.output().unwrap().stdout).unwrap()
    };
    assert_eq!(coloured("1"), table);
    assert!(coloured("").contains("\x1b[48;5;") && !table.contains('\x1b'));
}

#[test]
fn own_pictures() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    let pixels: Vec<u8> = (0..36).map(|p| if p / 9 == 2 { 220 } else { 10 }).collect();
    let mut encoder = png::Encoder::new(fs::File::create(here.join("a.png")).unwrap(), 6, 6);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    let of_png = succeeds(here, &["predict", "run", "a.png", "--json"]);
    assert_eq!(json_lines(&of_png)[0]["label"], "lower");
    let images = host_cli::data::idx::Images { pixels, count: 1, rows: 6, cols: 6, channels: 1 };
    fs::write(here.join("a.idx"), host_cli::data::idx::write_images(&images)).unwrap();
    assert_eq!(succeeds(here, &["predict", "run", "a.idx", "--json"]), of_png);

    fs::write(here.join("bad.png"), b"\x89PNG\r\n\x1a\nxxxx").unwrap();
    assert!(fails(here, &["predict", "run", "bad.png"], 3).contains("not a readable PNG"));
    assert!(fails(here, &["predict", "run", "none.png"], 3).contains("cannot read none.png"));
    assert!(
        fails(here, &["predict", "run", "data/labels.txt"], 3).contains("neither a PNG, a JPEG nor an IDX")
    );
    assert!(
        fails(here, &["predict", "run", "a.idx", "--index", "1"], 2).contains("there is one image, at 0")
    );
    assert!(fails(here, &["predict", "run", "--index", "60"], 2).contains("there are 60 images, 0 to 59"));
    // The same picture, dark on white: a warning, and `--invert` gives the same result.
    let white = images.pixels.iter().map(|p| !p).collect();
    let white = host_cli::data::idx::Images { pixels: white, ..images };
    fs::write(here.join("white.idx"), host_cli::data::idx::write_images(&white)).unwrap();
    let output = selvedge().current_dir(here).args(["predict", "run", "white.idx"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("--invert"), "{output:?}");
    assert_eq!(succeeds(here, &["predict", "run", "white.idx", "--invert", "--json"]), of_png);
    let images = host_cli::data::idx::Images { pixels: vec![0; 12], count: 1, rows: 3, cols: 4, channels: 1 };
    fs::write(here.join("b.idx"), host_cli::data::idx::write_images(&images)).unwrap();
    let line = fails(here, &["predict", "run", "b.idx"], 3);
    assert!(line.contains("4 x 3 pixels, but the model takes 6 x 6 pixels"), "{line}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let here: &Path = &folder_with_data();
    let model = |name: &str, seed: &str| {
        let out = format!("{name}-{seed}");
        succeeds(here, &with(&TRAIN, &["--out", &out, "--seed", seed, "-q"]));
        fs::read(here.join(out).join("model.safetensors")).unwrap()
    };
    assert_eq!(model("a", "7"), model("b", "7"));
    assert_ne!(model("c", "7"), model("c", "8"));
}

#[test]
fn the_weights_do_not_depend_on_the_number_of_threads() {
    let here: &Path = &folder_with_data();
    // `matrixmultiply` uses another kernel for few rows, and with it another order of summation.
    for backend in selvedge::Backend::available().map(|b| b.name()).filter(|&b| b != "matrixmultiply") {
        let model = |threads: &str| {
            let out = format!("{backend}-{threads}");
            let words = ["--out", &out, "--backend", backend, "--threads", threads, "--epochs", "2", "-q"];
            let base = ["train", "--data", "data", "--hidden", "24,16", "--batch", "50", "--init", "he"];
            succeeds(here, &with(&base, &words));
            fs::read(here.join(out).join("model.safetensors")).unwrap()
        };
        let alone = model("1");
        for threads in ["2", "3", "4", "8", "auto"] {
            assert!(alone == model(threads), "{backend} with {threads} threads");
        }
    }
    let eval = |threads: &str| succeeds(here, &["eval", "scalar-1", "--threads", threads, "--json"]);
    assert_eq!(eval("1"), eval("3"));
    for bad in ["0", "65", "many"] {
        let line = fails(here, &with(&TRAIN, &["--threads", bad]), 2);
        assert!(line.contains("write auto, or a number of 1 to 64"), "{line}");
    }
}

#[test]
fn every_backend_trains() {
    let here: &Path = &folder_with_data();
    for backend in selvedge::Backend::available() {
        let words = ["--out", backend.name(), "--backend", backend.name(), "--json"];
        let lines = json_lines(&succeeds(here, &with(&TRAIN, &words)));
        assert_eq!(lines.len(), 6);
        assert!(lines[5]["test_accuracy"].as_f64().unwrap() > 0.9, "{}: {lines:?}", backend.name());
    }
}

#[test]
fn runs_are_not_overwritten_without_a_flag() {
    let here: &Path = &folder_with_data();
    for _ in 0..2 {
        succeeds(here, &with(&TRAIN, &["--epochs", "1"]));
    }
    let names: Vec<_> = fs::read_dir(here.join("runs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let again = with(&TRAIN, &["--epochs", "1", "--out", "runs/data-16-1"]);
    assert!(fails(here, &again, 2).contains("add --overwrite"));
    succeeds(here, &with(&again, &["--overwrite"]));
}

#[test]
fn recipes_from_presets_files_and_flags() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("a.toml"), "data = \"data\"\nhidden = [16]\nbatch = 16\nepochs = 2\ninit = \"he\"\n")
        .unwrap();
    let shown = succeeds(here, &["config", "show", "-c", "a.toml", "--preset", "notebook", "--epochs", "3"]);
    for (key, origin) in [
        ("epochs = 3 ", "# flag"),
        ("batch = 16 ", "# a.toml"),
        ("lr = 0.1 ", "# preset notebook"),
        ("rng = ", "built in"),
    ] {
        let line = shown.lines().find(|l| l.starts_with(key)).unwrap_or_else(|| panic!("{key}: {shown}"));
        assert!(line.ends_with(origin), "{line}");
    }
    fs::write(here.join("b.toml"), &shown).unwrap();
    succeeds(here, &["train", "-c", "b.toml", "--rng", "torch", "--out", "run", "-q"]);
    let config = fs::read_to_string(here.join("run/config.toml")).unwrap();
    assert!(config.contains("epochs = 3\n") && config.contains("rng = \"torch\""), "{config}");
    succeeds(here, &["eval", "run", "--split", "val"]);
    // A run's own config makes the same run.
    succeeds(here, &["train", "-c", "run/config.toml", "--out", "again", "-q"]);
    let bytes = |run: &str| fs::read(here.join(run).join("model.safetensors")).unwrap();
    assert_eq!(bytes("run"), bytes("again"));

    assert!(succeeds(here, &["config", "presets"]).contains("notebook"));
    let refused = |text: &str| {
        fs::write(here.join("c.toml"), text).unwrap();
        fails(here, &["train", "-c", "c.toml"], 2)
    };
    assert!(refused("epoch = 2").contains("c.toml: unknown key epoch; did you mean epochs?"));
    assert!(refused("\nepochs = ").contains("c.toml: line 2: "));
    assert!(refused("epochs = -1").contains("c.toml: epochs = -1: "));
    assert!(refused("epochs = 0").contains("train for at least 1 epoch"));
    assert!(fails(here, &["train", "-c", "none.toml"], 2).contains("cannot read none.toml"));
    assert!(fails(here, &["train", "--preset", "none"], 2).contains("there are notebook"));
    let few = ["train", "--data", "data", "--hidden", "2", "--rng", "torch"];
    assert!(fails(here, &few, 2).contains("at least 16 weights, not 8"));
}

#[test]
fn the_help_tells_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let help = succeeds(folder.path(), &["train", "--help"]).replace('\n', " ");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let built_in = toml::Table::try_from(host_cli::recipe::Recipe::default()).unwrap();
    for (key, value) in built_in {
        let flag = format!("--{}", key.replace('_', "-"));
        let text = [" ", "[="].iter().find_map(|end| help.split(&format!("{flag}{end}")).nth(1));
        let text = text.unwrap_or_else(|| panic!("no flag {flag}"));
        if ["data", "from"].contains(&&key[..]) {
            continue;
        }
        let said = text.split("[default: ").nth(1).unwrap().split(']').next().unwrap();
        let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_str() == Some("");
        if empty {
            // It is said in words.
            assert!(!said.is_empty() && said.parse::<f64>().is_err(), "{flag}");
            continue;
        }
        let value = match value {
            toml::Value::Array(widths) => widths[0].to_string(),
            toml::Value::String(text) => text,
            toml::Value::Float(x) => (x as f32).to_string(),
            value => value.to_string(),
        };
        assert_eq!(said, value, "{flag}");
    }
}

/// The default data set differs from command to command, and the help names it.
#[test]
fn the_help_tells_the_default_data_set() {
    let folder = tempfile::tempdir().unwrap();
    for (words, default) in [
        (&["train"][..], "fashion-mnist"),
        (&["sweep"], "fashion-mnist"),
        (&["config", "show"], "fashion-mnist"),
        (&["eval"], "the model's own, or fashion-mnist if it names none"),
        (&["verify"], "the data set of A or B, or fashion-mnist"),
        (&["export"], "demo if its images have the model's size, else noise"),
    ] {
        let help = succeeds(folder.path(), &with(words, &["--help"]));
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let of_data = help.split("--data <").nth(1).unwrap().split("--data-dir").next().unwrap();
        assert!(of_data.contains(&format!("[default: {default}]")), "{words:?}: {of_data}");
    }
    assert!(!succeeds(folder.path(), &["sweep", "--help"]).contains("--from"), "which a sweep refuses");
}

/// The accuracy of the README's first command: neither trivial nor hopeless.
#[test]
fn the_demo_trains_to_a_plausible_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    for seed in ["42", "1", "2"] {
        let words = ["train", "--data", "demo", "--out", "run", "--overwrite", "--seed", seed, "--json"];
        let last = json_lines(&succeeds(folder.path(), &words)).pop().unwrap();
        let accuracy = last["test_accuracy"].as_f64().unwrap();
        assert!((0.85..0.97).contains(&accuracy), "seed {seed}: {accuracy}");
    }
}

#[cfg(unix)]
/// Starts the program and sends it a signal once it has printed a line on stdout, or else on stderr. Returns the exit
/// code and the rest of stderr.
fn interrupted(here: &Path, words: &[&str], signal: &str, on_stdout: bool) -> (Option<i32>, String) {
    let mut child = selvedge()
        .current_dir(here)
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut line, mut said) = (String::new(), String::new());
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    if on_stdout {
        stdout.read_line(&mut line).unwrap()
    } else {
        stderr.read_line(&mut line).unwrap()
    };
    let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn ctrl_c_ends_after_the_batch_and_keeps_the_model() {
    let here: &Path = &folder_with_data();
    let long = with(&TRAIN, &["--out", "run", "--overwrite", "--epochs", "1000000", "-q"]);
    for signal in ["-INT", "-TERM", "-HUP"] {
        let (code, said) = interrupted(here, &long, signal, true);
        // A requested stop is no error.
        assert_eq!(code, Some(130), "{said}");
        assert!(said.starts_with("stopped after step ") && said.lines().count() == 1, "{said}");
        assert!(said.contains("saved a checkpoint") && !said.contains("error"), "{said}");
        assert!(said.contains("go on with `selvedge train --resume run`"), "{said}");
        assert!(here.join("run/checkpoint.safetensors").exists());
        succeeds(here, &["eval", "run"]);
    }
    let (code, said) = interrupted(here, &["train", "--resume", "run", "--json"], "-INT", true);
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((code, &last["code"]), (Some(130), &130.into()), "{said}");
    assert!(last["stopped"].as_str().unwrap().starts_with("stopped after step "), "{said}");
    assert!(last.get("error").is_none(), "{said}");
}

#[test]
fn ctrl_c_in_a_sweep_keeps_the_trials() {
    let here: &Path = &folder_with_data();
    fs::write(here.join("s.toml"), "[base]\ndata = \"data\"\nepochs = 100000\n[grid]\nlr = [0.1, 0.2]\n")
        .unwrap();
    let (code, said) = interrupted(here, &["sweep", "-c", "s.toml", "--out", "swept"], "-INT", false);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("stopped; trials that are done are kept") && !said.contains("error"), "{said}");
}

#[test]
fn help_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let help = succeeds(folder.path(), &["train", "--help"]);
    for flag in
        ["--data", "--hidden", "--epochs", "--batch", "--lr", "--init", "--seed", "--backend", "--out"]
    {
        assert!(help.contains(flag), "{flag}");
    }
    assert!(succeeds(folder.path(), &["--version"]).starts_with("selvedge "));
    // A missing command is wrong usage: the help goes to stderr.
    for words in [&[][..], &["data"], &["config"]] {
        let output = support::run(folder.path(), words);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: selvedge"), "{words:?}");
    }
}
