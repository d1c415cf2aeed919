//! Flash files of floats of tables, windows and every task: their engine gives the desktop's answers.

mod support;

use std::fs;
use std::path::Path;

use host_cli::data::{Features, Reading, Source};
use host_cli::inference::answers::Answers;
use host_cli::inference::network::Network;
use host_cli::model::Model;
use host_cli::recipe::Recipe;
use host_cli::thread_pool::{ThreadPool, Threads};
use selvedge::infer::float::Engine;
use support::rows::{labels, numbers, plane, rings, sensor};
use support::{TemporaryFolder, json_lines, succeeds};

/// Trains on a table in a folder of its own and exports the run in f32.
fn exported(text: &str, flags: &str) -> TemporaryFolder {
    let here = support::folder_with_data();
    fs::write(here.join("table.csv"), text).unwrap();
    let words = format!(
        "train --data table.csv --optimizer adamw --lr 0.01 --batch 32 --epochs 6 --out run -q {flags}"
    );
    succeeds(&here, &words.split_whitespace().collect::<Vec<_>>());
    succeeds(&here, &["export", "run", "--format", "selv", "--dtype", "f32", "-o", "f.selv"]);
    here
}

/// The largest difference of two lists, as a part of the largest number.
fn relative(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    a.iter().zip(b).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs())) / largest
}

fn numbers_of(answers: &Answers) -> Vec<f64> {
    match answers {
        Answers::Classes(all) | Answers::Labels(all) | Answers::Scores(all) => all.clone(),
        Answers::Values(values) => values.iter().copied().map(f64::from).collect(),
    }
}

/// Compares the file with the model on all test rows, and the engine of devices with the file.
fn agree(here: &Path) {
    let model = Model::load(&here.join("run")).unwrap();
    let reading = model.about.recipe.as_ref().map(Recipe::reading).unwrap();
    let data = Source::Path(here.join("table.csv")).load(None, &Reading { test: None, ..reading }).unwrap();
    let (set, pool) = (&data.test, ThreadPool::new(Threads::ONE));
    let index = set.indices();
    let Network::Flash(flash) = Network::load(&here.join("f.selv")).unwrap() else { panic!("a flash file") };
    let float = Network::Float(Box::new(model)).answers(&pool, &set.features, &index).unwrap();
    let engine = Engine::new(flash.image()).unwrap();
    let header = engine.view().header();
    let mut scratch = vec![0.0; Engine::scratch_words(header)];
    let mut logits = vec![0.0; header.outputs()];
    let (Features::Table(matrix), outputs) = (&set.features, header.outputs()) else { panic!("rows") };
    let expected = numbers_of(&float);
    let mut found = Vec::new();
    for (n, &row) in index.iter().enumerate() {
        let row = matrix.row(row as usize);
        match &float {
            Answers::Classes(all) => {
                let class = engine.classify(row, &mut scratch, &mut logits).unwrap().unwrap();
                let all = &all[n * outputs..][..outputs];
                assert!(all.iter().all(|p| *p <= all[class] + 1e-6), "row {n}");
            }
            Answers::Labels(all) => {
                let mut bits = vec![0; outputs.div_ceil(8)];
                engine.labels(row, &mut scratch, &mut logits, &mut bits).unwrap();
                for o in 0..outputs {
                    let p = all[n * outputs + o];
                    assert!(
                        (bits[o / 8] >> (o % 8) & 1 == 1) == (p > 0.5) || (p - 0.5).abs() < 1e-6,
                        "row {n}"
                    );
                }
            }
            Answers::Values(_) => {
                let mut values = vec![0.0; outputs];
                engine.predict(row, &mut scratch, &mut logits, &mut values).unwrap();
                found.extend(values.into_iter().map(f64::from));
            }
            Answers::Scores(_) => {
                let score = engine.score_of_floats(row, &mut scratch, &mut logits).unwrap();
                found.push(f64::from(score.mean_squared_error));
                let threshold = f64::from(header.float_score_threshold());
                assert_eq!(score.anomaly, Some(f64::from(score.mean_squared_error) > threshold));
            }
        }
    }
    if !found.is_empty() {
        let off = relative(&found, &expected);
        assert!(off < 1e-5, "{off}");
    }
    // What the program itself makes of the file, at the model's temperature.
    let file = Network::load(&here.join("f.selv")).unwrap().with_schema(Some(&here.join("run"))).unwrap();
    let off = relative(&numbers_of(&file.answers(&pool, &set.features, &index).unwrap()), &expected);
    assert!(off < 1e-5, "{off}");
}

#[test]
fn every_task_and_activation_of_a_table_runs_in_floats() {
    for (text, flags) in [
        (rings(), "--hidden 16,8 --activation tanh,sigmoid"),
        (rings(), "--hidden 16 --standardise none"),
        (numbers(), "--hidden 16,8 --activation hard-swish,leaky-relu"),
        (labels(), "--hidden 16 --task multilabel --target hot,high"),
        (plane(), "--hidden 12,3,12 --task reconstruct --activation relu6"),
        (sensor(), "--hidden 16 --window 16 --stride 8"),
    ] {
        agree(&exported(&text, flags));
    }
}

#[test]
fn files_of_floats_are_converted_and_written_in_c() {
    let here = exported(&numbers(), "--hidden 8");
    for dtype in ["f16", "bf16"] {
        let words = ["export", "f.selv", "--format", "selv", "--dtype", dtype, "-o", "h.selv"];
        succeeds(&here, &words);
        let score =
            |file: &str| json_lines(&succeeds(&here, &["eval", file, "--schema", "run", "--json"])).remove(0);
        let [full, half] = ["f.selv", "h.selv"].map(|file| score(file)["rmse"].as_f64().unwrap());
        assert!((half / full - 1.0).abs() < 0.1, "{dtype}: {half}, not {full}");
    }
    for words in [&["run"][..], &["f.selv", "--schema", "run"]] {
        succeeds(&here, &[&["export"], words, &["--format", "c", "-o", "net.c"]].concat());
        let header = fs::read_to_string(here.join("net.h")).unwrap();
        assert!(header.contains("NET_INPUT_") && header.contains("net_predict_f32"), "{header}");
    }
    succeeds(&here, &["export", "f.selv", "--format", "c", "-o", "net.c"]);
    assert!(!fs::read_to_string(here.join("net.h")).unwrap().contains("NET_INPUT_"));
}
