//! Quantizing degenerate networks, as pruning, folding or training leave them: a unit that is constant, or a thousand times
//! larger or smaller than the others, costs the file no accuracy.

mod support;

use std::path::Path;

use host_cli::data::{Dataset, Reading, Source};
use host_cli::inference::{float_classes, integer_classes};
use host_cli::model::Model;
use host_cli::model::fold::fold;
use host_cli::pipeline;
use host_cli::quantize::clip::Clip;
use host_cli::quantize::{self, Options, Quantized};
use selvedge::format::{Dtype, ModelView};
use support::{TRAIN, folder_with_data, json_lines, run, succeeds, with};

/// The demo's images, and a network trained on them.
fn trained(here: &Path) -> (Dataset, Model) {
    let words = [
        "train", "--data", "demo", "--hidden", "32,24", "--epochs", "2", "--init", "he", "--out", "run", "-q",
    ];
    succeeds(here, &words);
    (Source::Demo.load(None, &Reading::default()).unwrap(), Model::load(&here.join("run")).unwrap())
}

/// The file of a model and its accuracy on the test images, after that of the model.
fn accuracies(model: &Model, data: &Dataset, dtype: Dtype, calibrate: usize) -> (Quantized, [f64; 2]) {
    let split = pipeline::split(&model.about, &data.train);
    let options = Options { calibrate, clip: Clip::Mse, seed: 1, ..Options::new(dtype) };
    let made = quantize::quantize(model, &data.train, &split.train, options, &mut |_, _| ()).unwrap();
    let (all, features) = (data.test.indices(), &data.test.features);
    let float = float_classes(model, features, &all).unwrap();
    let integer = integer_classes(&ModelView::parse(&made.bytes).unwrap(), features, &all).unwrap();
    let accuracy = |found: Vec<u8>| {
        found.iter().zip(data.test.labels()).filter(|(a, b)| a == b).count() as f64 / all.len() as f64
    };
    (made, [accuracy(float), accuracy(integer)])
}

/// Multiplies a unit's weights by the first number, the weights that read it by the second, and sets its bias to the third
/// or multiplies it as its weights; in each hidden layer.
fn disturb(model: &mut Model, unit: usize, [own, read]: [f32; 2], bias: Option<f32>) {
    let mut layers = model.shape.split_mut(&mut model.params).unwrap();
    for l in 1..layers.len() {
        let (before, after) = layers.split_at_mut(l);
        let (layer, reader) = (&mut before[l - 1], &mut after[0]);
        let (units, outputs) = (layer.biases.len(), reader.biases.len());
        layer.weights.iter_mut().skip(unit).step_by(units).for_each(|w| *w *= own);
        layer.biases[unit] = bias.unwrap_or(layer.biases[unit] * own);
        reader.weights[unit * outputs..][..outputs].iter_mut().for_each(|w| *w *= read);
    }
}

#[test]
fn degenerate_networks_keep_their_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = trained(folder.path());
    let load = || Model::load(&folder.path().join("run")).unwrap();
    let ordinary = |dtype| {
        let (_, [float, integer]) = accuracies(&load(), &data, dtype, quantize::CALIBRATE);
        float - integer
    };
    let usual = [ordinary(Dtype::I8), ordinary(Dtype::I4)];
    let cases = [
        ("pruned", [0.0, 1.0], Some(0.0)),
        ("constant", [0.0, 0.01], Some(50.0)),
        ("a constant that ReLU cuts off", [0.0, 1.0], Some(-1e9)),
        ("a constant beyond any sum", [0.0, 1e-6], Some(5e6)),
        ("never fires", [1.0, 1.0], Some(-1e6)),
        ("never fires, loud", [1000.0, 1.0], Some(-1e6)),
        ("never fires, read loudly", [1.0, 1000.0], Some(-1e3)),
        ("loud", [1000.0, 0.001], None),
        ("quiet", [0.001, 1000.0], None),
        ("beyond f32's steps", [1e-30, 1e30], None),
        ("too small for a step", [1e-44, 1.0], Some(0.0)),
        ("unread", [1e5, 0.0], None),
    ];
    for (name, factors, bias) in cases {
        for (dtype, usual) in [Dtype::I8, Dtype::I4].into_iter().zip(usual) {
            let mut model = load();
            disturb(&mut model, 3, factors, bias);
            let (_, [float, integer]) = accuracies(&model, &data, dtype, quantize::CALIBRATE);
            // The loss of the ordinary network in this type, plus 0.3 points for i8 and 1 for the coarser i4.
            let more = if dtype == Dtype::I8 { 0.003 } else { 0.01 };
            assert!(float > 0.3, "{name}: {float}");
            assert!(float - integer <= usual.max(0.0) + more, "{name}, {dtype:?}: {float} to {integer}");
        }
    }
}

#[test]
fn ordinary_networks_are_rounded_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = trained(folder.path());
    for dtype in [Dtype::I8, Dtype::I4] {
        let (made, _) = accuracies(&model, &data, dtype, quantize::CALIBRATE);
        let plain = made.order.net(fold(&model).unwrap()).unwrap();
        assert!(made.float.params[..] == plain.params[..], "{dtype:?}");
    }
    // One calibration image represents the others badly, yet the accuracy holds.
    let (_, [float, integer]) = accuracies(&model, &data, Dtype::I8, 1);
    assert!(float - integer < 0.02, "{float} to {integer}");
}

/// The command warns of a large loss, and says what to try.
#[test]
fn a_loss_of_accuracy_is_warned_of() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    let words = ["quantize", "run", "--dtype", "i4", "-o", "q.selv", "--json"];
    let json = json_lines(&succeeds(here, &words)).remove(0);
    assert_eq!(json["warnings"].as_array().unwrap().len(), 0, "{json}");
    let output = run(here, &with(&words, &["--clip", "percentile:30", "--calibrate", "2"]));
    assert!(output.status.success());
    let json = json_lines(std::str::from_utf8(&output.stdout).unwrap()).remove(0);
    let warnings: Vec<_> = json["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert!(warnings[0].contains("2 images; take more with --calibrate"), "{warnings:?}");
    let lost = json["val_accuracy_before"].as_f64().unwrap() - json["val_accuracy"].as_f64().unwrap();
    assert!(lost > 0.02, "{json}");
    let says = ["i4 loses", "points of validation accuracy", "--dtype i8", "--qat 3", "selvedge export run"];
    assert!(says.iter().all(|part| warnings[1].contains(part)), "{warnings:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(warnings.iter().all(|warning| stderr.contains(&format!("warning: {warning}"))), "{stderr}");
}
