//! The official models of MLPerf Tiny's anomaly detection, whose outputs LiteRT has computed. Run by
//! `SELVEDGE_TEST_MLPERF=FOLDER cargo test -p host-cli --test real_tflite -- --ignored --nocapture`, where the folder holds
//! `ad01_fp32.tflite`, `ad01_int8.tflite`, one clip and `litert.json`.

use std::fs;
use std::path::PathBuf;

use host_cli::data::Task;
use host_cli::import::{self, ImportOptions, InputKind};
use host_cli::model::Model;
use selvedge::shape::MAX_LAYERS;
use serde_json::Value;

/// Dense layers of the autoencoder.
const LAYERS: usize = 10;

fn file(name: &str) -> PathBuf {
    let folder = std::env::var_os("SELVEDGE_TEST_MLPERF").expect("SELVEDGE_TEST_MLPERF names the folder");
    PathBuf::from(folder).join(name)
}

/// The mean squared error of a reconstruction, summed in f64.
fn score(model: &Model, window: &[f32]) -> f64 {
    let mut x: Vec<f64> = window.iter().map(|&x| x.into()).collect();
    let layers = model.shape.split(&model.params).unwrap();
    for (n, layer) in layers.iter().enumerate() {
        let o = layer.biases.len();
        let mut sums: Vec<f64> = layer.biases.iter().map(|&b| b.into()).collect();
        for (row, x) in layer.weights.chunks_exact(o).zip(&x) {
            sums.iter_mut().zip(row).for_each(|(sum, &w)| *sum += f64::from(w) * x);
        }
        let last = n + 1 == layers.len();
        x = sums.into_iter().map(|z| if last { z } else { z.max(0.0) }).collect();
    }
    let errors = x.iter().zip(window).map(|(y, &x)| (y - f64::from(x)).powi(2));
    errors.sum::<f64>() / window.len() as f64
}

#[test]
#[ignore = "needs the official files; the head of this file has the command"]
fn the_autoencoder_scores_as_litert_does() {
    let expected: Value = serde_json::from_slice(&fs::read(file("litert.json")).unwrap()).unwrap();
    let clip: Vec<f32> = fs::read(file("normal_id_01_00000000_hist_librosa.bin"))
        .unwrap()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let number = |key: &str| expected[key].as_u64().unwrap() as usize;
    let windows = || (0..number("windows")).map(|n| &clip[n * number("stride")..][..number("window")]);
    // The integers of the 8-bit file stand for other weights, and LiteRT rounds between its layers.
    for (name, bound, mean_bound) in [("ad01_fp32", 1e-3, 1e-4), ("ad01_int8", 0.1, 0.01)] {
        let options = ImportOptions {
            inputs: Some(InputKind::Table),
            task: Some(Task::Reconstruct),
            ..ImportOptions::default()
        };
        let imported = import::import(&file(&format!("{name}.tflite")), &options);
        if MAX_LAYERS < LAYERS {
            let why = imported.unwrap_err().to_string();
            let limit = format!("it has {LAYERS} dense layers, and a network here has 1 to {MAX_LAYERS}");
            assert!(why.contains(&limit), "{why}");
            println!("{name}: {why}");
            continue;
        }
        let model = imported.unwrap().model;
        assert_eq!(model.shape.to_string(), "640-128-128-128-128-8-128-128-128-128-640");
        let of = &expected[name];
        let scores: Vec<f64> = windows().map(|window| score(&model, window)).collect();
        let theirs = of["scores"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap());
        let worst = scores.iter().zip(theirs).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let theirs = of["score_mean"].as_f64().unwrap();
        println!(
            "{name}: mean score {mean:.4}, LiteRT's {theirs:.4}; the farthest window is off by {worst:.1e}"
        );
        assert!(worst < bound && (mean / theirs - 1.0).abs() < mean_bound);
    }
}
