//! Models with every activation and task, to other programs and back, and what refuses them since no device runs them.

mod support;

use std::fs;
use std::path::Path;

use host_cli::data::normalise::Normalisation;
use host_cli::data::table::Schema;
use host_cli::data::{Features, Images, Matrix, Task};
use host_cli::inference::answers::{Answers, answers};
use host_cli::memory::Floats;
use host_cli::model::{About, Model, TargetScale};
use host_cli::recipe::HiddenActivations;
use host_cli::thread_pool::{ThreadPool, Threads};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use selvedge::{Backend, Shape};
use support::{fails, succeeds};

/// Numbers of both signs without a pattern.
fn noise(count: usize, salt: usize) -> Vec<f32> {
    (0..count).map(|n| (((n + salt) * 7919 % 251) as f32 / 125.0 - 1.0) / 2.0).collect()
}

const INPUTS: usize = 6;

/// A network of 6 inputs and two hidden layers.
fn model(activation: &str, outputs: usize, about: About) -> Model {
    let activation: HiddenActivations = activation.parse().unwrap();
    let shape = activation.apply(Shape::new(&[INPUTS, 5, 4, outputs]).unwrap()).unwrap();
    let mut params = Floats::zeroed(shape.params(), "a test").unwrap();
    params.copy_from_slice(&noise(shape.params(), outputs));
    Model { shape, params, about: About { activation, ..about } }
}

/// Columns of which one is far from 0 and one is constant.
fn of_table(task: Task) -> About {
    let names = ["year", "colour=red", "colour=blue", "ax", "ay", "flat"].map(String::from);
    let mean = vec![2000.0, 0.5, 0.25, -3.0, 0.0, 7.0];
    // What an autoencoder makes of a constant column is its mean in a graph, whatever it is before that.
    let constant = if task == Task::Reconstruct { 1.0 } else { 0.0 };
    let scale = vec![0.5, 2.0, 4.0, 0.125, 1.0, constant];
    About {
        task,
        schema: Some(Schema::of_columns(names)),
        normalisation: Normalisation::from_columns(mean, scale),
        ..About::default()
    }
}

fn table() -> Features {
    let offset = [2000.0, 0.0, 0.0, -3.0, 0.0, 7.0];
    let wide = [4.0, 1.0, 1.0, 20.0, 2.0, 0.0];
    let values = noise(20 * INPUTS, 3).into_iter().enumerate();
    let values = values.map(|(n, x)| x * wide[n % INPUTS] + offset[n % INPUTS]).collect();
    Features::Table(Matrix { values, columns: INPUTS })
}

fn pictures() -> Features {
    let pixels = (0..20 * INPUTS).map(|n| (n * 37 % 256) as u8).collect();
    Features::Images(Images { pixels, count: 20, rows: 2, cols: 3, channels: 1 })
}

/// The numbers of the answers to all samples.
fn numbers(model: &Model, features: &Features) -> Vec<f64> {
    let index: Vec<u32> = (0..20).collect();
    let pool = ThreadPool::new(Threads::ONE);
    match answers(&pool, Backend::PORTABLE, model, features, &index).unwrap() {
        Answers::Classes(p) | Answers::Labels(p) | Answers::Scores(p) => p,
        Answers::Values(values) => values.into_iter().map(f64::from).collect(),
    }
}

/// Expects that `file` is imported as a model with the same answers.
fn comes_back(here: &Path, file: &str, model: &Model, features: &Features) -> Model {
    succeeds(here, &["import", file, "-o", "back"]);
    let back = Model::load(&here.join("back")).unwrap();
    assert_eq!(
        (back.about.task, &back.about.activation),
        (model.about.task, &model.about.activation),
        "{file}"
    );
    let (found, expected) = (numbers(&back, features), numbers(model, features));
    let most = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    assert!(expected.windows(2).any(|pair| pair[0] != pair[1]), "the answers are all the same");
    let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(found.len() == expected.len() && off <= 1e-5 * most, "{file}: {off} of {most}");
    back
}

#[test]
fn models_go_out_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let units = || {
        let values = vec![1000.0, 0.5, 1010.0, 0.75];
        Some(TargetScale::measure(&Matrix { values, columns: 2 }, &[0, 1]))
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let of_pictures = |task| About { task, image: Some((2, 3)), ..About::default() };
    for (model, features) in [
        (model("tanh", 3, of_table(Task::Classify)), table()),
        (model("leaky-relu", 3, About { temperature: Some(2.5), ..of_table(Task::Classify) }), table()),
        (
            model(
                "relu6,hard-swish",
                2,
                About { target_scale: units(), classes: names(&["a", "b"]), ..of_table(Task::Regress) },
            ),
            table(),
        ),
        (model("sigmoid", 1, of_table(Task::Multilabel)), table()),
        (model("relu,tanh", INPUTS, About { threshold: Some(0.75), ..of_table(Task::Reconstruct) }), table()),
        (model("hard-swish,tanh", 4, of_pictures(Task::Classify)), pictures()),
        (model("relu", 2, About { temperature: Some(0.5), ..of_pictures(Task::Classify) }), pictures()),
        (model("leaky-relu", 2, About { target_scale: units(), ..of_pictures(Task::Regress) }), pictures()),
        (model("relu", 3, of_pictures(Task::Multilabel)), pictures()),
        (model("tanh", INPUTS, About { threshold: Some(0.5), ..of_pictures(Task::Reconstruct) }), pictures()),
    ] {
        model.save(&here.join("model")).unwrap();
        succeeds(here, &["export", "model", "--format", "safetensors", "-o", "f.safetensors"]);
        let back = comes_back(here, "f.safetensors", &model, &features);
        if model.about.schema.is_some() {
            assert_eq!(back.params[..], model.params[..]);
        }
        succeeds(here, &["export", "model", "--format", "onnx", "-o", "f.onnx"]);
        let back = comes_back(here, "f.onnx", &model, &features);
        assert_eq!((&back.about.schema, back.about.threshold), (&model.about.schema, model.about.threshold));
        assert_eq!(back.about.classes, model.about.classes);
        for flags in [&["--task", "regress"][..], &["--activation", "relu"]] {
            let line = fails(here, &[&["import", "f.safetensors", "-o", "none"], flags].concat(), 2);
            assert!(line.contains("selvedge wrote the file, which says that itself"), "{line}");
        }
    }
}

/// A model of pictures that are standardised: the score is one of standardised pixels, which a model of pixels alone does not
/// give, so its threshold does not come back.
#[test]
fn standardised_pictures_are_answered_in_their_units() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let normalisation = Normalisation::from_columns(vec![100.0; INPUTS], vec![1.0 / 64.0; INPUTS]);
    let regress = About { task: Task::Regress, normalisation, ..About::default() };
    let of = |outputs: usize, task| {
        model("tanh", outputs, About { task, threshold: Some(1.0), ..regress.clone() })
    };
    of(2, Task::Regress).save(&here.join("model")).unwrap();
    succeeds(here, &["export", "model", "--format", "onnx", "-o", "f.onnx"]);
    comes_back(here, "f.onnx", &of(2, Task::Regress), &pictures());
    of(INPUTS, Task::Reconstruct).save(&here.join("model")).unwrap();
    succeeds(here, &["export", "model", "--format", "onnx", "-o", "f.onnx"]);
    succeeds(here, &["import", "f.onnx", "-o", "back"]);
    let back = Model::load(&here.join("back")).unwrap();
    let scores = numbers(&of(INPUTS, Task::Reconstruct), &pictures());
    // A unit of standardised pixels is 64 of 255.
    let unit = 64.0f64 / 255.0;
    let expected = scores.iter().map(|score| score * unit * unit);
    assert!(numbers(&back, &pictures()).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5 * b));
    assert_eq!(back.about.threshold, None);
}

#[test]
fn what_a_format_cannot_hold_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    support::small_data(here);
    for (about, activation, what) in [
        (About::default(), "tanh", "the activation tanh"),
        (of_table(Task::Classify), "relu", "rows of a table as inputs"),
        (About { task: Task::Regress, ..About::default() }, "relu", "the task regress"),
        (About { channels: 3, ..About::default() }, "relu", "pictures in colour"),
    ] {
        model(activation, 3, about).save(&here.join("model")).unwrap();
        let before = support::runs::names(here);
        let line = fails(here, &["export", "model", "--format", "npz", "-o", "none"], 4);
        assert!(line.contains(what), "{line}");
        if activation == "tanh" {
            let line = fails(here, &["export", "model", "--format", "c", "-o", "none"], 4);
            assert!(line.contains("tanh"), "{line}");
        }
        let board = ["export", "model", "--format", "firmware", "--board", "mps2-an386", "-o", "none"];
        let line = fails(here, &board, 2);
        assert!(line.contains("firmware runs integers"), "{line}");
        assert_eq!(support::runs::names(here), before, "something was written");
        succeeds(here, &["estimate", "model"]);
    }
}

/// A state dict `6-5-4-outputs`.
fn state_dict(path: &Path, outputs: usize) {
    let dims = [[5, INPUTS], [4, 5], [outputs, 4]];
    let data: Vec<[Vec<u8>; 2]> = dims
        .iter()
        .map(|&[o, i]| {
            [noise(o * i, o), noise(o, i)].map(|v| v.iter().flat_map(|x| x.to_le_bytes()).collect())
        })
        .collect();
    let views = dims.iter().zip(&data).enumerate().flat_map(|(n, (&[o, i], [w, b]))| {
        let view = |shape: Vec<usize>, bytes| TensorView::new(Dtype::F32, shape, bytes).unwrap();
        [(format!("{n}.weight"), view(vec![o, i], w)), (format!("{n}.bias"), view(vec![o], b))]
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn flags_say_what_a_state_dict_leaves_open() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let net = here.join("net");
    state_dict(&here.join("a"), 2);
    let said = |flags: &[&str]| {
        succeeds(here, &[&["import", "a", "-o", "net", "--json"], flags].concat());
        let text = succeeds(here, &[&["import", "a", "-o", "net", "--json"], flags].concat());
        (Model::load(&net).unwrap(), support::json_lines(&text)[0]["warnings"].to_string())
    };
    let (plain, warnings) = said(&[]);
    assert!(warnings.contains("ReLU was taken") && warnings.contains("--activation"), "{warnings}");
    assert_eq!(plain.about.activation, HiddenActivations::default());
    let (tanh, warnings) =
        said(&["--activation", "tanh,hard-swish", "--inputs", "table", "--task", "regress"]);
    assert_eq!(warnings, "[]");
    assert_eq!(
        (tanh.about.activation.to_string(), tanh.about.task),
        ("tanh,hard-swish".into(), Task::Regress)
    );
    assert_eq!(tanh.about.schema.as_ref().map(Schema::input_names).unwrap()[5], "x5");
    let direct = numbers(&tanh, &table());
    let mut expected = model("tanh,hard-swish", 2, About { task: Task::Regress, ..tanh.about.clone() });
    expected.params.copy_from_slice(&plain.params);
    assert_eq!(direct, numbers(&expected, &table()));
    assert_ne!(direct, numbers(&model("relu", 2, tanh.about.clone()), &table()));

    let refused = |flags: &[&str], code, what: &str| {
        let line = fails(here, &[&["import", "a", "-o", "none"], flags].concat(), code);
        assert!(line.contains(what) && !here.join("none").exists(), "{line}");
    };
    refused(&["--activation", "tanh,tanh,tanh"], 2, "3 activations for 2 hidden layers");
    refused(&["--activation", "swish"], 2, "there is no activation swish");
    refused(&["--task", "reconstruct"], 2, "it has 6 inputs and 2 outputs");
    state_dict(&here.join("a"), 1);
    refused(&[], 4, "`--task regress`");
    let (two, warnings) = said(&["--task", "classify"]);
    assert!(two.shape.outputs() == 2 && warnings.contains("softmax equals the sigmoid"), "{warnings}");
    assert_eq!(said(&["--task", "multilabel"]).0.shape.outputs(), 1);
    state_dict(&here.join("a"), INPUTS);
    assert_eq!(said(&["--task", "reconstruct"]).0.about.task, Task::Reconstruct);
    refused(&["--task", "reconstruct", "--inputs", "byte"], 2, "outputs of 0 to 255 are not compared");
}
