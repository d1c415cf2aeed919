//! Import of networks from other programs: what is assumed and warned of where a file leaves something open, and what is
//! refused.

mod batch_norm;
mod state_dict;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;

use host_cli::files;
use host_cli::memory::Floats;
use host_cli::model::{About, Model};
use host_cli::recipe::HiddenActivations;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use selvedge::Shape;
use serde_json::Value;
use support::{TRAIN, fails, json_lines, run, small_data, succeeds, with};

/// Numbers of both signs without a pattern.
fn noise(count: usize, salt: usize) -> Vec<f64> {
    (0..count).map(|n| (((n + salt) * 7919 % 251) as f64 / 125.0 - 1.0) / 4.0).collect()
}

/// A tensor's name, shape and values; of f64 where `wide`.
type Tensor<'a> = (&'a str, &'a [usize], Vec<f64>);

fn write(path: &Path, tensors: &[Tensor<'_>], wide: bool) {
    let bytes = |values: &[f64]| -> Vec<u8> {
        let narrow = |x: &f64| (*x as f32).to_le_bytes().to_vec();
        values.iter().flat_map(|x| if wide { x.to_le_bytes().to_vec() } else { narrow(x) }).collect()
    };
    let dtype = if wide { Dtype::F64 } else { Dtype::F32 };
    let data: Vec<_> = tensors.iter().map(|(.., values)| bytes(values)).collect();
    let views = tensors
        .iter()
        .zip(&data)
        .map(|((name, shape, _), data)| (*name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A network `6-5-5-5` with the given layer names, in which layers of equal widths differ.
fn three(path: &Path, names: [&str; 3]) {
    let [a, b, c] = names.map(|n| [format!("{n}.weight"), format!("{n}.bias")]);
    let tensors: [Tensor<'_>; 6] = [
        (&a[0], &[5, 6], noise(30, 1)),
        (&a[1], &[5], noise(5, 2)),
        (&b[0], &[5, 5], noise(25, 3)),
        (&b[1], &[5], noise(5, 4)),
        (&c[0], &[5, 5], noise(25, 5)),
        (&c[1], &[5], noise(5, 6)),
    ];
    write(path, &tensors, false);
}

/// Imports `file` as `net`; returns the JSON.
fn import(here: &Path, more: &[&str]) -> Value {
    json_lines(&succeeds(here, &[&["import", "-o", "net", "--json"], more].concat())).remove(0)
}

fn warnings(json: &Value) -> Vec<String> {
    json["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_string()).collect()
}

fn params(here: &Path, model: &str) -> Vec<f32> {
    Model::load(&here.join(model)).unwrap().params.to_vec()
}

/// The logits of one image, in f64.
fn logits(here: &Path, model: &str, x: &[f64]) -> Vec<f64> {
    let model = Model::load(&here.join(model)).unwrap();
    let layers = model.shape.split(&model.params).unwrap();
    let mut x = x.to_vec();
    for (n, layer) in layers.iter().enumerate() {
        let o = layer.biases.len();
        let sum = |c: usize| {
            let row = x.iter().enumerate().map(|(i, x)| x * f64::from(layer.weights[i * o + c]));
            row.sum::<f64>() + f64::from(layer.biases[c])
        };
        let relu = |z: f64| if n + 1 < layers.len() { z.max(0.0) } else { z };
        x = (0..o).map(sum).map(relu).collect();
    }
    x
}

fn close(found: &[f64], expected: &[f64]) {
    assert!(found.len() == expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
}

/// `w x + b` of row-major weights.
fn dense(w: &[f64], b: &[f64], x: &[f64]) -> Vec<f64> {
    w.chunks_exact(x.len())
        .zip(b)
        .map(|(w, b)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b)
        .collect()
}

/// Nothing answers "class 0, probability 1".
#[test]
fn a_network_of_one_output_is_refused_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    let tensors: [Tensor<'_>; 2] = [("fc1.weight", &[1, 36], noise(36, 1)), ("fc1.bias", &[1], noise(1, 2))];
    write(&here.join("foreign"), &tensors, false);
    let why = "it has one output, as for regression or a yes-or-no decision";
    assert!(fails(here, &["import", "foreign", "-o", "none"], 4).contains(why));
    let shape = Shape::new(&[36, 1]).unwrap();
    let params = Floats::zeroed(shape.params(), "a test").unwrap();
    Model { shape, params, about: About::default() }.save(&here.join("own")).unwrap();
    for words in [
        &["eval", "own", "--data", "data"][..],
        &["predict", "own", "--index", "0", "--data", "data"],
        &["train", "--from", "own", "--data", "data", "--out", "none"],
        &["quantize", "own", "--dtype", "i8", "--data", "data", "-o", "none"],
        &["export", "own", "--format", "onnx", "-o", "none"],
        &["export", "own", "--format", "selv", "-o", "none"],
        &["import", "own", "-o", "none"],
        &["inspect", "own"],
    ] {
        assert!(fails(here, words, 4).contains(why), "{words:?}");
        // A state dict of another program's is a model when it is imported, not before.
        let words: Vec<_> = words.iter().map(|w| if *w == "own" { "foreign" } else { w }).collect();
        let line = fails(here, &words, 4);
        let hint =
            if words[0] == "import" { why } else { "`selvedge import foreign -o net` makes a model of it" };
        assert!(line.contains(hint), "{words:?}: {line}");
    }
    assert!(!here.join("none").exists());
}

#[test]
fn models_with_gamma_go_out_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    let accuracy = |model: &str| succeeds(here, &["eval", model, "--data", "data", "--json"]);
    let gamma = ["--gamma", "0.45", "--epochs", "1", "-q", "--out"];
    succeeds(here, &with(&TRAIN, &with(&gamma, &["run"])));
    let trained = Model::load(&here.join("run")).unwrap();
    succeeds(here, &["export", "run", "--format", "selv", "-o", "run.selv"]);
    for (model, format) in
        [("run", "onnx"), ("run", "safetensors"), ("run.selv", "onnx"), ("run.selv", "safetensors")]
    {
        succeeds(here, &["export", model, "--format", format, "-o", "out"]);
        let json = import(here, &["out"]);
        assert!(warnings(&json).is_empty(), "{json}");
        let back = Model::load(&here.join("net")).unwrap();
        assert_eq!(
            (&back.params[..], &back.about.classes),
            (&trained.params[..], &trained.about.classes),
            "{model} {format}"
        );
        assert_eq!(back.about.normalisation.table(), trained.about.normalisation.table());
        assert_eq!(accuracy("net"), accuracy("run"));
        for flag in [&["--std", "0.5"][..], &["--inputs", "byte"]] {
            let line = fails(here, &[&["import", "out", "-o", "none"], flag].concat(), 2);
            assert!(line.contains("the file says itself how its inputs are normalised"), "{line}");
        }
    }
    // What is standardised too is folded, and rounds.
    succeeds(here, &with(&TRAIN, &with(&["--standardise", "pixel"], &with(&gamma, &["both"]))));
    succeeds(here, &["export", "both", "--format", "onnx", "-o", "out"]);
    import(here, &["out"]);
    let of = |text: String| json_lines(&text)[0]["loss"].as_f64().unwrap();
    assert!((of(accuracy("net")) - of(accuracy("both"))).abs() < 1e-5);
    // Integers are rounded, whichever way they went out.
    succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "i8"]);
    for (format, why) in [
        ("safetensors", "an export of a flash file of integers, whose weights are rounded; import the model"),
        ("onnx", "import the network from before it was quantized"),
        ("onnx-integer", "import the network from before it was quantized"),
    ] {
        succeeds(here, &["export", "i8", "--format", format, "-o", "out"]);
        let line = fails(here, &["import", "out", "-o", "none"], 4);
        assert!(line.contains(why), "{format}: {line}");
    }
}
