//! Models from and for other programs: what comes back, and what is refused.

mod support;

use std::fs;
use std::path::Path;

use half::{bf16, f16};
use host_cli::model::Model;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use support::{fails, folder_with_data, json_lines, succeeds};

/// Values that f16 and bf16 hold exactly, none equal to its neighbour.
fn painted(count: usize) -> Vec<f32> {
    (0..count).map(|n| (n % 251) as f32 / 64.0 - 2.0).collect()
}

fn bytes(dtype: Dtype, values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|&x| match dtype {
            Dtype::F32 => x.to_le_bytes().to_vec(),
            Dtype::F16 => f16::from_f32(x).to_le_bytes().to_vec(),
            Dtype::BF16 => bf16::from_f32(x).to_le_bytes().to_vec(),
            Dtype::I64 => (x as i64).to_le_bytes().to_vec(),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// A safetensors file of some tensors.
fn write(path: &Path, tensors: &[(&str, Dtype, &[usize], Vec<f32>)]) {
    let data: Vec<_> = tensors.iter().map(|(_, dtype, _, values)| bytes(*dtype, values)).collect();
    let views = tensors.iter().zip(&data).map(|((name, dtype, shape, _), data)| {
        (name.to_string(), TensorView::new(*dtype, shape.to_vec(), data).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A `6-5-4` network with the given prefixes.
fn two_layers(path: &Path, dtype: Dtype, [first, second]: [&str; 2]) {
    let (w1, b1) = (format!("{first}.weight"), format!("{first}.bias"));
    let (w2, b2) = (format!("{second}.weight"), format!("{second}.bias"));
    write(
        path,
        &[
            (&b2, dtype, &[4], painted(4)),
            (&w1, dtype, &[5, 6], painted(30)),
            (&w2, dtype, &[4, 5], painted(20)),
            (&b1, dtype, &[5], painted(5)),
        ],
    );
}

#[test]
fn state_dicts_by_whatever_name() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut seen = None;
    for (dtype, prefixes) in [
        (Dtype::F32, ["0", "2"]),
        (Dtype::F16, ["fc1", "fc2"]),
        (Dtype::BF16, ["net.2", "net.10"]),
        (Dtype::F32, ["module.body.0", "module.head"]),
        // In the order of their names these do not fit; in the other they do.
        (Dtype::F32, ["hidden", "classes"]),
    ] {
        two_layers(&here.join("a.safetensors"), dtype, prefixes);
        let text = succeeds(here, &["import", "a.safetensors", "-o", "model.safetensors"]);
        let row =
            text.lines().find(|l| l.trim_start().starts_with(&format!("{}.weight", prefixes[1]))).unwrap();
        assert!(row.contains("fc2.weight") && row.contains("[4, 5]"), "{text}");
        assert!(text.contains("6-5-4, 59 parameters"), "{text}");
        let model = Model::load(&here.join("model.safetensors")).unwrap();
        let layers = model.shape.split(&model.params).unwrap();
        // Column 1 of the first matrix is its second row here.
        assert_eq!(layers[0].weights[5..10], [1, 7, 13, 19, 25].map(|n| painted(30)[n]));
        assert_eq!(layers[1].biases, painted(4));
        let params = model.params.to_vec();
        assert_eq!(*seen.get_or_insert_with(|| params.clone()), params, "{prefixes:?}");
    }
    let json = json_lines(&succeeds(here, &["import", "a.safetensors", "-o", "b.safetensors", "--json"]));
    assert_eq!(json[0]["shape"], "6-5-4");
    assert_eq!(json[0]["tensors"][0]["from"], "hidden.weight");
    assert_eq!(json[0]["tensors"][0]["to"], "fc1.weight");
}

/// Expects that `a.safetensors`, the only file, is not imported.
fn refused(here: &Path, what: &str) {
    let line = fails(here, &["import", "a.safetensors", "-o", "model.safetensors"], 4);
    assert!(line.contains("a.safetensors: ") && line.contains(what), "{what}: {line}");
    assert_eq!(fs::read_dir(here).unwrap().count(), 1, "{what}: something was written");
}

#[test]
fn what_is_no_perceptron_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let f = Dtype::F32;
    let case = |tensors: &[(&str, Dtype, &[usize], Vec<f32>)], what: &str| {
        write(&here.join("a.safetensors"), tensors);
        refused(here, what);
    };
    let w = ("0.weight", f, &[5, 6][..], painted(30));
    let b = ("0.bias", f, &[5][..], painted(5));
    case(&[], "it holds no dense layer");
    case(std::slice::from_ref(&b), "it has a tensor 0.bias, but none named 0.weight");
    case(&[("0.weight", f, &[5, 6, 1, 1], painted(30)), b.clone()], "0.weight has shape [5, 6, 1, 1]");
    case(&[w.clone(), ("0.bias", f, &[1, 5], painted(5))], "0.bias has shape [1, 5], expected [out]");
    case(
        &[w.clone(), ("0.bias", f, &[6], painted(6))],
        "0.bias has shape [6], but 0.weight has shape [5, 6]",
    );
    case(&[("0.weight", Dtype::I64, &[5, 6], painted(30)), b.clone()], "0.weight is I64, expected F32");
    let mut values = painted(30);
    values[7] = f32::NAN;
    case(&[("0.weight", f, &[5, 6], values.clone()), b.clone()], "0.weight holds NaN at position 7");
    values[7] = f32::INFINITY;
    case(&[("0.weight", f, &[5, 6], values), b.clone()], "0.weight holds inf at position 7");
    case(&[w.clone(), b.clone(), ("1.running_var", f, &[5], painted(5))], "a tensor 1.running_var");
    let norm = [("1.weight", f, &[5][..], painted(5)), ("1.running_mean", f, &[5], painted(5))];
    case(
        &[&[w.clone(), b.clone()], &norm[..]].concat(),
        "it has a tensor 1.weight, but 1 lacks a running mean or variance",
    );
    let wide = ("2.weight", f, &[4, 7][..], painted(28));
    let behind = ("2.bias", f, &[4][..], painted(4));
    case(&[w.clone(), b.clone(), wide, behind], "2.weight has 7 inputs, but 0.weight in front of it has 5");
    case(&[("0.weight", f, &[0, 6], vec![]), ("0.bias", f, &[0], vec![])], "width 0 at position 1");
}

#[test]
fn what_is_no_model_is_refused_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let file = here.join("a.safetensors");
    for (garbage, what) in [
        (&b""[..], "an empty file; copy or download it again"),
        (&[7; 100], "a file of no known kind; neither a safetensors, an ONNX nor a TensorFlow Lite file"),
        (b"\x89PNG\r\n\x1a\n and so on and so on", "a PNG picture; a model comes first"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}}}}}}}", "not a readable safetensors file"),
        (b"\xff\xff\xff\xff\xff\xff\x00\x00{}", "not a readable safetensors file"),
        (b"PK\x03\x04archive/data.pkl", "safetensors.torch.save_file(model.state_dict()"),
        (b"\x80\x02\x8a\x0a", "safetensors.torch.save_file(model.state_dict()"),
        (b"SELV\x01 and so on", "a flash file, which holds rounded weights"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "with `git lfs pull`"),
        (b"<!DOCTYPE html><html>", "an HTML page, which a failed download leaves; download the file itself"),
        (
            b"\x89HDF\r\n\x1a\n",
            "an HDF5 file (Keras' .h5); in Keras, write it with model.export(\"model.onnx\"",
        ),
        (b"\x1c\0\0\0TFL3", "a damaged TensorFlow Lite file: "),
        (b"\x08\x08\x3a\x02\x0a\x00", "its graph has 0 inputs"),
        (b"\x08\x08\x3a\x20\x0a", "a damaged ONNX file"),
    ] {
        fs::write(&file, garbage).unwrap();
        refused(here, what);
    }
    fs::remove_file(&file).unwrap();
    assert!(fails(here, &["import", "a.safetensors", "-o", "b"], 4).contains("cannot read a.safetensors"));
    assert_eq!(fs::read_dir(here).unwrap().count(), 0);
}

#[test]
fn out_and_in_again() {
    let here: &Path = &folder_with_data();
    succeeds(here, &["train", "--data", "data", "--hidden", "16,8", "--epochs", "1", "--out", "run", "-q"]);
    let trained = Model::load(&here.join("run")).unwrap();
    for format in ["safetensors", "onnx", "tflite"] {
        let json = json_lines(&succeeds(here, &["export", "run", "--format", format, "-o", "out", "--json"]));
        assert_eq!(json[0]["bytes"], fs::read(here.join("out")).unwrap().len());
        succeeds(here, &["import", "out", "-o", "back.safetensors"]);
        let back = Model::load(&here.join("back.safetensors")).unwrap();
        assert_eq!((back.shape, &back.params[..]), (trained.shape, &trained.params[..]), "{format}");
    }
    let of = |model: &str| succeeds(here, &["eval", model, "--data", "data", "--json"]);
    assert_eq!(of("back.safetensors"), of("run"));
    // One of our own files keeps what it says of itself.
    succeeds(here, &["import", "run/model.safetensors", "-o", "same.safetensors"]);
    assert_eq!(
        fs::read(here.join("same.safetensors")).unwrap(),
        fs::read(here.join("run/model.safetensors")).unwrap()
    );

    let twice = |name: &str| {
        succeeds(here, &["export", "run", "--format", "npz", "-o", name]);
        fs::read(here.join(name)).unwrap()
    };
    assert_eq!(twice("a.npz"), twice("b.npz"));
}

/// A state dict has no names of classes; the data that it is evaluated on has.
#[test]
fn a_model_without_names_is_shown_with_those_of_the_data() {
    let here: &Path = &folder_with_data();
    let (w, b) = (painted(4 * 36), painted(4));
    write(&here.join("a.safetensors"), &[("weight", Dtype::F32, &[4, 36], w), ("bias", Dtype::F32, &[4], b)]);
    succeeds(here, &["import", "a.safetensors", "-o", "net"]);
    let shown = succeeds(here, &["eval", "net", "--data", "data"]);
    assert!(shown.contains("\n upper ") && shown.contains("\n 1 upper "), "{shown}");
}

#[test]
fn class_names_and_normalisation_come_along() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    two_layers(&here.join("a.safetensors"), Dtype::F32, ["0", "2"]);
    fs::write(here.join("names.txt"), "a\nb\nc\nd\n").unwrap();
    let import = ["import", "a.safetensors", "-o", "model.safetensors"];
    let with = |more: &[&'static str]| [&import[..], more].concat();
    succeeds(here, &with(&["--classes", "names.txt", "--mean", "0.25", "--std", "0.5"]));
    let model = Model::load(&here.join("model.safetensors")).unwrap();
    assert_eq!(model.about.classes, ["a", "b", "c", "d"]);
    let layer = &model.shape.split(&model.params).unwrap()[0];
    let (weights, biases) = (painted(30), painted(5));
    for o in 0..5 {
        let row = &weights[6 * o..][..6];
        assert!(row.iter().enumerate().all(|(i, w)| layer.weights[5 * i + o] == w / 0.5));
        let expected = biases[o] - 0.25 / 0.5 * row.iter().sum::<f32>();
        assert!((layer.biases[o] - expected).abs() < 1e-5, "{} {expected}", layer.biases[o]);
    }
    fs::write(here.join("names.txt"), "a\nb\n").unwrap();
    assert!(fails(here, &with(&["--classes", "names.txt"]), 3).contains("2 class names"));
    assert!(fails(here, &with(&["--classes", "none.txt"]), 3).contains("none.txt"));
    assert!(fails(here, &with(&["--std", "0"]), 2).contains("--std 0"));
}

/// A network as PyTorch would write it, all the way to integers on a chip: imported, trained further, quantized, exported.
#[test]
fn an_imported_network_is_trained_further() {
    let here: &Path = &folder_with_data();
    let noise = |count: usize, salt: usize| -> Vec<f32> {
        (0..count).map(|n| (((n + salt) * 7919 % 251) as f32 / 125.0 - 1.0) / 6.0).collect()
    };
    let f = Dtype::F32;
    let tensors = [
        ("0.weight", f, &[12, 36][..], noise(432, 1)),
        ("0.bias", f, &[12], noise(12, 2)),
        ("2.weight", f, &[4, 12], noise(48, 3)),
        ("2.bias", f, &[4], noise(4, 4)),
    ];
    write(&here.join("torch.safetensors"), &tensors);
    succeeds(here, &["import", "torch.safetensors", "-o", "net", "--mean", "0.2", "--std", "0.3"]);
    let accuracy = |model: &str| {
        let line = json_lines(&succeeds(here, &["eval", model, "--data", "data", "--json"])).remove(0);
        line["accuracy"].as_f64().unwrap()
    };
    let before = accuracy("net");
    let words = ["train", "--from", "net", "--data", "data", "--batch", "16", "-q"];
    // A preset's shape and pixel table give way; its optimizer stays.
    succeeds(here, &[&words[..], &["--preset", "fast", "--epochs", "20", "--out", "run"]].concat());
    let (net, run) = (Model::load(&here.join("net")).unwrap(), Model::load(&here.join("run")).unwrap());
    assert_eq!((run.shape, &run.about.normalisation), (net.shape, &net.about.normalisation));
    let recipe = run.about.recipe.unwrap();
    assert_eq!((&recipe.hidden[..], recipe.gamma, &recipe.from[..]), (&[12][..], 1.0, "net"));
    let after = accuracy("run");
    assert!(before < 0.6 && after > 0.9, "{before} {after}");
    assert!(!here.join("run/start.safetensors").exists());
    // Nothing is drawn: with next to no learning rate it is the same network.
    succeeds(here, &[&words[..], &["--lr", "1e-30", "--epochs", "1", "--out", "still"]].concat());
    let still = Model::load(&here.join("still")).unwrap();
    assert!(still.params.iter().zip(&net.params[..]).all(|(a, b)| (a - b).abs() < 1e-20));

    succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "net.selv"]);
    assert!((accuracy("net.selv") - after).abs() <= 0.05);
    succeeds(here, &["export", "net.selv", "--format", "rust", "-o", "net.rs"]);
    succeeds(here, &["export", "net.selv", "--format", "c", "-o", "net.c"]);
}

/// A model that was standardised is trained further with the means that it knows, and with nothing that contradicts it.
#[test]
fn a_model_keeps_its_shape_and_its_normalisation() {
    let here: &Path = &folder_with_data();
    let words = ["train", "--data", "data", "--hidden", "8", "--batch", "16", "--epochs", "2", "-q"];
    succeeds(here, &[&words[..], &["--gamma", "0.5", "--standardise", "pixel", "--out", "first"]].concat());
    succeeds(here, &["train", "--from", "first", "--data", "data", "--epochs", "1", "--out", "second", "-q"]);
    let about = |name: &str| Model::load(&here.join(name)).unwrap().about;
    assert_eq!(about("first").normalisation, about("second").normalisation);
    assert_eq!(about("second").recipe.unwrap().gamma, 0.5);
    let shown = succeeds(here, &["config", "show", "--from", "first"]);
    assert!(shown.contains("hidden = [8]") && shown.contains("# model first"), "{shown}");

    succeeds(here, &["quantize", "first", "--dtype", "i8", "-o", "net.selv"]);
    let other = ["train", "--from", "first", "--data", "data"];
    for (flags, why) in [
        (&["--hidden", "9"][..], "hidden = [9], but model first has [8]"),
        (&["--gamma", "1"], "gamma = 1.0, but model first has 0.5"),
        (&["--standardise", "none"], "standardise = \"none\", but model first has \"pixel\""),
        (&["--init", "he"], "init draws weights, but those of model first are kept"),
    ] {
        let line = fails(here, &[&other[..], flags].concat(), 2);
        assert!(line.contains(why), "{line}");
    }
    for (from, data, code, why) in [
        ("net.selv", "data", 4, "a flash file holds rounded weights"),
        ("nowhere", "data", 4, "no model: cannot read nowhere"),
        ("first", "demo", 4, "first is 36-8-4, but the samples of demo take 784-8-10"),
    ] {
        let line = fails(here, &["train", "--from", from, "--data", data, "--out", "none"], code);
        assert!(line.contains(why), "{line}");
    }
    assert!(!here.join("none").exists());
}

/// A flash file of integers as TensorFlow Lite, whose layers stand for the same numbers when it comes back.
#[test]
fn integers_out_and_in_again() {
    let here: &Path = &folder_with_data();
    succeeds(here, &["train", "--data", "data", "--hidden", "16,8", "--epochs", "3", "--out", "run", "-q"]);
    let accuracy = |model: &str| {
        let lines = json_lines(&succeeds(here, &["eval", model, "--data", "data", "--json"]));
        lines[0]["accuracy"].as_f64().unwrap()
    };
    for dtype in ["i8", "i4"] {
        succeeds(here, &["quantize", "run", "--data", "data", "--dtype", dtype, "-o", "q.selv"]);
        succeeds(here, &["export", "q.selv", "--format", "tflite", "-o", "q.tflite"]);
        let told = json_lines(&succeeds(here, &["import", "q.tflite", "-o", "back.safetensors", "--json"]));
        let notes = told[0]["warnings"].to_string();
        assert!(notes.contains("its weights are integers"), "{notes}");
        assert!((accuracy("back.safetensors") - accuracy("q.selv")).abs() < 0.02, "{dtype}");
    }
    assert!(
        fails(here, &["export", "run", "--format", "tflite", "--schema", "run", "-o", "a"], 2)
            .contains("--schema goes with a flash file")
    );
}
