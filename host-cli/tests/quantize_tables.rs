//! Quantized networks of tables, windows, regression, labels, autoencoders and every activation: what they lose, and that the
//! batch engine, the engine of devices and the loops of the specification agree to the bit on every row.

mod support;

use std::fs;
use std::path::Path;

use host_cli::data::{Dataset, Features, Matrix, Reading, Source};
use host_cli::inference::answers::Answers;
use host_cli::inference::integer;
use host_cli::inference::network::Network;
use host_cli::model::Model;
use host_cli::quantize::plain::IntegerNetwork;
use host_cli::recipe::Recipe;
use host_cli::thread_pool::{ThreadPool, Threads};
use selvedge::Rng;
use selvedge::format::{InputType, ModelView, RawValue, Task};
use selvedge::infer::Sample;
use selvedge::infer::integer::Engine;
use serde_json::Value;
use support::rows::{labels, numbers, plane, rings, sensor};
use support::{TemporaryFolder, fails, json_lines, succeeds};

/// Trains on a table in a folder of its own, as the flags say.
fn trained(text: &str, flags: &str) -> TemporaryFolder {
    let here = support::folder_with_data();
    fs::write(here.join("table.csv"), text).unwrap();
    let words = format!(
        "train --data table.csv --optimizer adamw --lr 0.01 --batch 32 --schedule cosine --out run -q {flags}"
    );
    succeeds(&here, &words.split_whitespace().collect::<Vec<_>>());
    here
}

/// Quantizes the run of a folder into `q.selv`; the JSON of it.
fn quantized(here: &Path, flags: &str) -> Value {
    let words = format!("quantize run -o q.selv --dtype i8 --json {flags}");
    json_lines(&succeeds(here, &words.split_whitespace().collect::<Vec<_>>())).remove(0)
}

fn number(json: &Value, key: &str) -> f64 {
    json[key].as_f64().unwrap_or_else(|| panic!("{key} in {json}"))
}

/// The data, the model and the file of a folder.
fn load(here: &Path) -> (Dataset, Model, Network) {
    let model = Model::load(&here.join("run")).unwrap();
    let reading = model.about.recipe.as_ref().map(Recipe::reading).unwrap();
    let data = Source::Path(here.join("table.csv")).load(None, &Reading { test: None, ..reading }).unwrap();
    (data, model, Network::load(&here.join("q.selv")).unwrap())
}

/// Compares all engines on all rows of a folder's data.
fn agree(here: &Path) {
    let (data, _, network) = load(here);
    let Network::Flash(flash) = &network else { panic!("a flash file") };
    let file = flash.image();
    for set in [&data.train, &data.test] {
        let Features::Table(matrix) = &set.features else { panic!("rows") };
        let index = set.indices();
        assert!(index.len() > 10);
        let batch = integer::logits(&file, &set.features, &index).unwrap();
        let plain = IntegerNetwork::new(&file);
        for (&n, batch) in index.iter().zip(batch.chunks_exact(file.header().outputs())) {
            let layers = plain.layers(&set.features, n as usize).unwrap();
            assert_eq!(layers.last().unwrap(), batch, "row {n}");
        }
        let answers = network.answers(&ThreadPool::new(Threads::ONE), &set.features, &index).unwrap();
        let unknown = network.unknown(&set.features, &index).unwrap();
        match file.header().input_type() {
            InputType::I16 => on_device(&file, matrix, |x| x as i16, &batch, (&answers, unknown.as_deref())),
            _ => on_device(&file, matrix, |x| x, &batch, (&answers, unknown.as_deref())),
        }
    }
}

/// Compares the engine of devices with the outputs and the answers of the program.
fn on_device<T: RawValue>(
    file: &ModelView<'_>,
    matrix: &Matrix,
    raw: impl Fn(f32) -> T,
    batch: &[i32],
    (answers, unknown): (&Answers, Option<&[bool]>),
) where
    [T]: Sample,
{
    let engine = Engine::new(file.clone()).unwrap();
    let header = file.header();
    let outputs = header.outputs();
    let mut scratch = vec![0; Engine::scratch_words(header)];
    let mut logits = vec![0; outputs];
    for n in 0..matrix.rows() {
        let row: Vec<T> = matrix.row(n).iter().map(|&x| raw(x)).collect();
        engine.logits(&row[..], &mut scratch, &mut logits).unwrap();
        assert_eq!(logits, batch[n * outputs..][..outputs], "row {n}");
        match answers {
            Answers::Classes(probabilities) => {
                let class = engine.classify(&row[..], &mut scratch, &mut logits).unwrap();
                assert_eq!(class.is_none(), unknown.is_some_and(|unknown| unknown[n]), "row {n}");
                if let Some(class) = class {
                    let row = &probabilities[n * outputs..][..outputs];
                    assert!(row.iter().all(|p| *p <= row[class]), "row {n}");
                }
            }
            Answers::Values(values) => {
                let mut found = vec![0.0; outputs];
                engine.predict(&row[..], &mut scratch, &mut logits, &mut found).unwrap();
                assert_eq!(found, values[n * outputs..][..outputs], "row {n}");
            }
            Answers::Labels(probabilities) => {
                let mut bits = vec![0; outputs.div_ceil(8)];
                engine.labels(&row[..], &mut scratch, &mut logits, &mut bits).unwrap();
                for o in 0..outputs {
                    let set = bits[o / 8] >> (o % 8) & 1 == 1;
                    assert_eq!(set, probabilities[n * outputs + o] > 0.5, "row {n}, label {o}");
                }
            }
            Answers::Scores(scores) => {
                let score = engine.score(&row[..], &mut scratch).unwrap();
                let off = f64::from(score.mean_squared_error) - scores[n];
                assert!(off.abs() <= 1e-6 * scores[n], "row {n}: {score:?} and {}", scores[n]);
                let threshold = host_cli::inference::file::score_threshold(file);
                assert_eq!(score.anomaly, threshold.map(|threshold| scores[n] > threshold), "row {n}");
            }
        }
    }
}

#[test]
fn rings_of_two_columns_keep_their_accuracy() {
    let here = trained(&rings(), "--hidden 32,32 --epochs 40");
    let json = quantized(&here, "");
    assert!(number(&json, "test_accuracy_before") > 0.97, "{json}");
    assert!(number(&json, "test_accuracy_before") - number(&json, "test_accuracy") <= 0.03, "{json}");
    assert_eq!((&json["input"], json["flips"].is_u64()), (&"f32".into(), true));
    agree(&here);
    // Both widths of an input run, and finer inputs are no worse.
    for bits in ["7", "14"] {
        let json = quantized(&here, &format!("--input-bits {bits} --qat 1"));
        assert_eq!(json["input_bits"].to_string(), bits);
        assert!(number(&json, "test_accuracy") > 0.94, "{json}");
        agree(&here);
    }
}

#[test]
fn every_activation_is_as_good_in_integers() {
    // Few steps of a sigmoid leave it short of what the others reach.
    for (activation, hidden, least, expected) in [
        ("tanh", "24,16", 0.95, 2),
        ("sigmoid", "24,16", 0.7, 2),
        ("leaky-relu", "24,16", 0.95, 2),
        ("hard-swish", "24,16", 0.95, 2),
        ("relu6", "24,16", 0.95, 2),
        ("tanh,relu", "24,16", 0.95, 1),
    ] {
        let here = trained(&rings(), &format!("--hidden {hidden} --epochs 150 --activation {activation}"));
        let json = quantized(&here, "");
        assert!(number(&json, "test_accuracy_before") > least, "{activation}: {json}");
        let lost = number(&json, "test_accuracy_before") - number(&json, "test_accuracy");
        assert!(lost <= 0.02, "{activation}: {json}");
        agree(&here);
        let (_, _, network) = load(&here);
        let Network::Flash(flash) = &network else { panic!("a flash file") };
        let tables = flash.image().layers().filter(|layer| layer.table().is_some()).count();
        assert_eq!(tables, expected, "{activation}");
    }
}

#[test]
fn numbers_far_from_zero_keep_their_r2() {
    let here = trained(&numbers(), "--hidden 32 --epochs 60 --activation leaky-relu");
    let json = quantized(&here, "");
    assert!(number(&json, "test_r2_before") > 0.95, "{json}");
    assert!(number(&json, "test_r2_before") - number(&json, "test_r2") <= 0.01, "{json}");
    assert!(json.get("flips").is_none() && json.get("test_accuracy").is_none(), "{json}");
    agree(&here);
    // Fine-tuning takes numbers too, and the answers are in the target's units.
    let json = quantized(&here, "--qat 2 --input-bits 7");
    assert!(number(&json, "test_r2_before") - number(&json, "test_r2") <= 0.02, "{json}");
    agree(&here);
    let text = succeeds(&here, &["predict", "q.selv", "table.csv", "--schema", "run"]);
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[0].ends_with(",predicted_y"), "{}", rows[0]);
    let cells: Vec<f64> = rows[1].rsplit(',').take(2).map(|cell| cell.parse().unwrap()).collect();
    assert!((cells[0] - cells[1]).abs() < 15.0, "{}", rows[1]);
}

#[test]
fn labels_keep_their_f1() {
    let here = trained(
        &labels(),
        "--target hot,high --task multilabel --hidden 24,24 --epochs 40 --activation tanh",
    );
    let json = quantized(&here, "");
    assert!(number(&json, "test_macro_f1_before") > 0.85, "{json}");
    assert!(number(&json, "test_macro_f1_before") - number(&json, "test_macro_f1") <= 0.02, "{json}");
    agree(&here);
}

#[test]
fn reconstructions_keep_their_error_and_their_verdicts() {
    let here = trained(
        &plane(),
        "--task reconstruct --hidden 12,3,12 --activation tanh,leaky-relu,tanh --epochs 60",
    );
    let json = quantized(&here, "");
    let (before, after) = (number(&json, "test_score_mean_before"), number(&json, "test_score_mean"));
    // Of an error of less than a fiftieth of the variance, seven bits of the hidden outputs are a part.
    assert!(before < 0.025 && (after / before - 1.0).abs() <= 0.06, "{json}");
    agree(&here);
    let (data, model, network) = load(&here);
    let pool = ThreadPool::new(Threads::ONE);
    let index = data.train.indices();
    let [exact, found] = [&Network::Float(Box::new(model)), &network]
        .map(|network| (network.answers(&pool, &data.train.features, &index), network.score_threshold()));
    let (Answers::Scores(exact), Answers::Scores(found), Some(a), Some(b)) =
        (exact.0.unwrap(), found.0.unwrap(), exact.1, found.1)
    else {
        panic!("scores and thresholds");
    };
    assert!((a / b - 1.0).abs() < 1e-3, "{a} and {b}");
    let other = exact.iter().zip(&found).filter(|(x, y)| (**x > a) != (**y > b)).count();
    assert!(other <= index.len() / 50, "{other} of {} verdicts differ", index.len());
}

/// Nobody tells `quantize` and `eval` what the columns of another program's model are: its task says that all are inputs.
#[test]
fn an_imported_autoencoder_takes_rows_without_a_target() {
    // The names that an imported model gives its columns.
    let table = plane().replacen("a,b,c,d,e,f", "x0,x1,x2,x3,x4,x5", 1);
    let here = trained(&table, "--task reconstruct --hidden 12,3,12 --epochs 60");
    succeeds(&here, &["export", "run", "--format", "tflite", "-o", "a.tflite"]);
    let words = "import a.tflite --task reconstruct --inputs table -o b.safetensors";
    succeeds(&here, &words.split_whitespace().collect::<Vec<_>>());
    let words = "quantize b.safetensors --data table.csv -o b.selv --dtype i8 --json";
    let json = json_lines(&succeeds(&here, &words.split_whitespace().collect::<Vec<_>>())).remove(0);
    let (before, after) = (number(&json, "test_score_mean_before"), number(&json, "test_score_mean"));
    assert!((after / before - 1.0).abs() <= 0.2, "{json}");
    let words = ["eval", "b.safetensors", "--data", "table.csv", "--json"];
    let eval = json_lines(&succeeds(&here, &words)).remove(0);
    assert!((number(&eval, "score_mean") / before - 1.0).abs() < 1e-4, "{eval}");
}

#[test]
fn windows_of_raw_integers() {
    let here = trained(&sensor(), "--window 16 --stride 8 --hidden 16 --epochs 12");
    let json = quantized(&here, "--input i16");
    assert!(number(&json, "test_accuracy_before") > 0.95, "{json}");
    assert!(number(&json, "test_accuracy_before") - number(&json, "test_accuracy") <= 0.01, "{json}");
    assert_eq!(json["input"], "i16");
    agree(&here);
    let (_, _, network) = load(&here);
    let Network::Flash(flash) = &network else { panic!("a flash file") };
    let (file, header) = (flash.image(), flash.image().header().window());
    assert_eq!((header, file.header().inputs(), file.header().task()), (Some((16, 8)), 32, Task::Class));
    // The rows of a window share the map of their axis.
    assert!((0..32).all(|input| file.integer_map(input) == file.integer_map(input % 2)));
    assert_ne!(file.integer_map(0), file.integer_map(1));
    let line = fails(&here, &["quantize", "run", "-o", "u.selv", "--dtype", "i8", "--input", "u8"], 3);
    assert!(line.contains("ax[t-15]") && line.contains("--input u8"), "{line}");
}

#[test]
fn rows_near_two_classes_are_unknown() {
    let here = trained(&rings(), "--hidden 16 --epochs 30");
    let none = quantized(&here, "");
    assert!(none.get("unknown").is_none(), "{none}");
    let json = quantized(&here, "--reject 0.8");
    let unknown = json["unknown"].as_u64().unwrap();
    assert!(unknown > 0 && number(&json, "coverage") < 1.0, "{json}");
    assert!(number(&json, "accuracy_answered") >= number(&json, "test_accuracy"), "{json}");
    agree(&here);
    let eval = json_lines(&succeeds(&here, &["eval", "q.selv", "--schema", "run", "--json"])).remove(0);
    assert_eq!((&eval["coverage"], &eval["accuracy"]), (&json["coverage"], &json["test_accuracy"]));
    let text = succeeds(&here, &["predict", "q.selv", "table.csv", "--schema", "run"]);
    assert!(text.lines().any(|line| line.contains(",unknown,")), "no unknown row");
    let line = fails(&here, &["eval", "q.selv", "--schema", "run", "--reject", "0.9"], 2);
    assert!(line.contains("margin of its own"), "{line}");
}

#[test]
fn a_flash_file_of_rows_needs_its_columns() {
    let here = trained(&rings(), "--hidden 8 --epochs 5");
    quantized(&here, "");
    for command in ["eval", "predict"] {
        let line = fails(&here, &[command, "q.selv", "--data", "table.csv"], 4);
        assert!(line.contains("--schema MODEL"), "{line}");
    }
    let line = fails(&here, &["eval", "run", "--schema", "run"], 2);
    assert!(line.contains("--schema goes with a flash file"), "{line}");
    fs::create_dir(here.join("other")).unwrap();
    fs::write(here.join("other/table.csv"), numbers()).unwrap();
    succeeds(
        &here,
        &["train", "--data", "other/table.csv", "--hidden", "8", "--epochs", "1", "--out", "regress", "-q"],
    );
    let line = fails(&here, &["eval", "q.selv", "--schema", "regress", "--data", "table.csv"], 4);
    assert!(line.contains("--schema regress") && line.contains("made of"), "{line}");
    for (flags, part) in [("--input i16", "column x"), ("--reject 0.4", "above 0.5")] {
        let words = format!("quantize run -o other.selv --dtype i8 {flags}");
        let output = support::run(&here, &words.split_whitespace().collect::<Vec<_>>());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(part), "{stderr}");
        assert!(!here.join("other.selv").exists());
    }
    // The same file in another packing computes the same, layer by layer.
    quantized(&here, "--packing cortex-m4");
    fs::rename(here.join("q.selv"), here.join("m4.selv")).unwrap();
    quantized(&here, "");
    let text = succeeds(&here, &["verify", "q.selv", "m4.selv", "--schema", "run"]);
    assert!(text.contains("bit-exact on") && text.contains("rows"), "{text}");
    assert!(fails(&here, &["verify", "q.selv", "m4.selv"], 4).contains("--schema MODEL"));
}

/// A PNG of six by six pixels of noise, in which one colour is bright.
fn picture(rng: &mut Rng, bright: usize) -> Vec<u8> {
    let channel = |rng: &mut Rng, c: usize| rng.below(60) as u8 + if c == bright { 190 } else { 0 };
    let pixels: Vec<u8> = (0..108).map(|n| channel(rng, n % 3)).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 6, 6);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

#[test]
fn colour_pictures_are_quantized_and_refuse_the_flags_of_rows() {
    let here = support::folder_with_data();
    let mut rng = Rng::new(5);
    for (bright, class) in ["red", "green"].into_iter().enumerate() {
        fs::create_dir_all(here.join("pictures").join(class)).unwrap();
        for n in 0..40 {
            fs::write(here.join(format!("pictures/{class}/{n}.png")), picture(&mut rng, bright)).unwrap();
        }
    }
    let words =
        "train --data pictures --channels rgb --hidden 12 --epochs 12 --batch 8 --init he --out run -q";
    succeeds(&here, &words.split_whitespace().collect::<Vec<_>>());
    let json = quantized(&here, "");
    assert!(number(&json, "test_accuracy") > 0.9 && json.get("input").is_none(), "{json}");
    for flag in ["--input=f32", "--input-bits=14"] {
        let line = fails(&here, &["quantize", "run", "--dtype", "i8", "-o", "none", flag], 2);
        assert!(line.contains("goes with the rows of a table"), "{line}");
    }
    let words = "eval q.selv --data pictures --schema run --json";
    let eval = json_lines(&succeeds(&here, &words.split_whitespace().collect::<Vec<_>>())).remove(0);
    assert_eq!(eval["accuracy"], json["test_accuracy"]);
}
