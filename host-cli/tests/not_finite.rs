//! Infinities and NaN: reported in one line with what to do, never passed on silently.

mod support;

use std::fs;
use std::path::Path;

use host_cli::memory::Floats;
use host_cli::model::{About, Model};
use selvedge::Shape;
use support::{fails, folder_with_data, succeeds};

const TRAIN: [&str; 8] = ["train", "--data", "data", "--hidden", "16", "--batch", "16", "-q"];

/// A network for the data of `folder_with_data` whose weights are all `w`.
fn constant(path: &Path, w: f32) {
    let shape = Shape::new(&[36, 16, 4]).unwrap();
    let mut params = Floats::zeroed(shape.params(), "a test").unwrap();
    params.fill(w);
    Model { shape, params, about: About::default() }.save(path).unwrap();
}

#[test]
fn runs_that_diverge_say_so_whatever_the_recipe() {
    let here: &Path = &folder_with_data();
    let recipes: [&[&str]; 6] = [
        &[],
        &["--momentum", "0.9"],
        &["--optimizer", "adamw"],
        &["--weight-decay", "1e30"],
        &["--ema", "0.9"],
        &["--precision", "bf16"],
    ];
    for (n, recipe) in recipes.into_iter().enumerate() {
        let out = format!("run-{n}");
        let words = [&TRAIN[..], recipe, &["--lr", "1e30", "--out", &out]].concat();
        let line = fails(here, &words, 1);
        assert!(line.contains("is not finite at step ") && line.contains("try a smaller --lr"), "{line}");
        assert!(!here.join(out).join("model.safetensors").exists());
    }
    // One that diverges late keeps the last good state.
    let words = ["--schedule", "step:1:10", "--lr", "0.1", "--epochs", "60", "--out", "late"];
    let line = fails(here, &[&TRAIN[..], &words].concat(), 1);
    assert!(line.contains("the model after epoch "), "{line}");
    succeeds(here, &["eval", "late"]);
}

#[test]
fn models_with_values_that_are_not_finite_are_refused() {
    let here: &Path = &folder_with_data();
    for bad in [f32::NAN, f32::INFINITY] {
        constant(&here.join("bad"), bad);
        let data = ["--data", "data"];
        for words in [
            &["quantize", "bad", "--dtype", "i8", "-o", "out"][..],
            &["import", "bad", "-o", "out"],
            &["export", "bad", "--format", "onnx", "-o", "out"],
            &["eval", "bad"],
            &["predict", "bad", "--index", "0"],
            &["inspect", "bad"],
        ] {
            let data = if matches!(words[0], "quantize" | "eval" | "predict") { &data[..] } else { &[] };
            let line = fails(here, &[words, data].concat(), 4);
            assert!(line.contains(&format!("holds {bad} at position 0")), "{line}");
        }
    }
    assert!(!here.join("out").exists());
}

/// Every weight is finite, but their sums are not.
#[test]
fn outputs_that_overflow_are_reported() {
    let here: &Path = &folder_with_data();
    constant(&here.join("large"), 1e37);
    fs::write(here.join("out"), "precious").unwrap();
    for words in [
        &["quantize", "large", "--dtype", "i4", "-o", "out"][..],
        &["eval", "large"],
        &["eval", "large", "--logits", "out"],
        &["predict", "large", "--index", "0"],
    ] {
        let line = fails(here, &[words, &["--data", "data"]].concat(), 4);
        assert!(line.contains("outputs are not finite"), "{line}");
    }
    let line = fails(here, &["import", "large", "-o", "out", "--std", "1e-30"], 4);
    assert!(line.contains("the first layer's weights overflow"), "{line}");
    let line = fails(here, &["export", "large", "--format", "selv", "--dtype", "f16", "-o", "out"], 4);
    assert!(line.contains("outside its type's range"), "{line}");
    assert_eq!(fs::read(here.join("out")).unwrap(), b"precious");
}
