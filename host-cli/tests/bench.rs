//! What `selvedge bench` prints: its names, its numbers, its tables. No figure is judged here.

mod support;

use selvedge::Backend;
use serde_json::Value;
use support::{fails, json_lines, succeeds};

fn bench(words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &[&["bench"], words].concat())
}

fn json(filter: &str) -> Vec<Value> {
    json_lines(&bench(&["--json", "--filter", filter]))
}

#[test]
fn the_peak_of_every_backend_with_vectors_or_one_lane() {
    let lines = json("peak");
    let own: Vec<_> =
        Backend::available().filter(|b| !["naive", "matrixmultiply"].contains(&b.name())).collect();
    let pairs = own.iter().filter(|b| b.has_bf16());
    let expected: Vec<_> = own
        .iter()
        .map(|b| (b.name(), "f32"))
        .chain(pairs.map(|b| (b.name(), "bf16")))
        .chain(own.iter().map(|b| (b.name(), "i8")))
        .collect();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_string();
    let names: Vec<_> = lines.iter().map(|l| (text(l, "backend"), text(l, "dtype"))).collect();
    assert!(names.iter().map(|(b, t)| (b.as_str(), t.as_str())).eq(expected), "{names:?}");
    for line in lines {
        assert_eq!(line["name"], "peak");
        assert!(line["gflops"].as_f64().unwrap() > 0.01, "{line}");
    }
}

#[test]
fn products_have_every_name_of_the_contract() {
    for (filter, shape) in [
        ("gemm.forward scalar 64x128x10", [64, 128, 10]),
        ("gemm.weights,portable,128x64x10", [128, 64, 10]),
        ("gemm.delta portable 64x10x128 threads=1", [64, 10, 128]),
    ] {
        let lines = json(filter);
        let line = &lines[0];
        assert_eq!(line["name"], filter.split([' ', ',']).next().unwrap());
        assert_eq!((&line["dtype"], &line["threads"]), (&"f32".into(), &1.into()));
        assert_eq!(line["shape"], Value::from(shape.to_vec()));
        for key in ["seconds", "gflops", "percent_of_peak", "vs_naive", "vs_matrixmultiply"] {
            assert!(line[key].as_f64().unwrap() > 0.0, "{key}: {line}");
        }
        let (seconds, gflops) = (line["seconds"].as_f64().unwrap(), line["gflops"].as_f64().unwrap());
        let operations = 2.0 * shape.iter().product::<i32>() as f64;
        assert!((operations / seconds / 1e9 / gflops - 1.0).abs() < 1e-6, "{line}");
    }
}

#[test]
fn whole_steps_and_predictions() {
    let lines = json("portable 784x128x10 threads=1");
    for (name, rows) in [("step", 64), ("infer", 1), ("infer", 10_000), ("epoch", 50_000)] {
        let shape = Value::from(vec![rows, 784, 128, 10]);
        let line = lines.iter().find(|l| l["name"] == name && l["shape"] == shape);
        let line = line.unwrap_or_else(|| panic!("{name} {rows}: {lines:?}"));
        assert!(line["percent_of_peak"].as_f64().unwrap() > 0.0, "{line}");
        // What does not apply is null, and there.
        assert!(line.get("vs_naive").is_some() && line.get("vs_matrixmultiply").is_some(), "{line}");
    }
    let step = lines.iter().find(|l| l["name"] == "step").unwrap();
    assert!(step["output_layer_percent"].as_f64().unwrap() > 0.0, "{step}");
}

/// Where a backend has the instructions; where none has, no case is in bf16.
#[test]
fn pairs_are_measured_beside_their_peak_and_floats() {
    if !Backend::available().any(Backend::has_bf16) {
        let folder = tempfile::tempdir().unwrap();
        fails(folder.path(), &["bench", "--filter", "bf16"], 2);
        return;
    }
    let lines = json("bf16 128x64x10");
    assert_eq!((&lines[0]["name"], &lines[0]["dtype"]), (&"gemm.weights".into(), &"bf16".into()));
    for key in ["gflops", "percent_of_peak", "vs_naive", "vs_matrixmultiply", "vs_f32"] {
        assert!(lines[0][key].as_f64().unwrap() > 0.0, "{key}: {}", lines[0]);
    }
    // The bounds on products are about single precision.
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn integers_are_measured_beside_their_peak_plain_loops_and_floats() {
    let mut lines = json("infer i8 portable");
    lines.retain(|l| l["name"] == "infer");
    let shapes: Vec<_> = lines.iter().map(|l| l["shape"][0].as_u64().unwrap()).collect();
    assert_eq!(shapes, [1, 10_000]);
    for line in lines {
        assert_eq!(line["dtype"], "i8");
        for key in ["gflops", "percent_of_peak", "vs_naive", "vs_f32"] {
            assert!(line[key].as_f64().unwrap() > 0.0, "{key}: {line}");
        }
    }
}

#[test]
fn two_threads_beside_a_busy_core() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        return;
    }
    let lines = json("step threads=2 busy");
    assert_eq!((&lines[0]["threads"], &lines[0]["busy"]), (&2.into(), &true.into()));
    assert!(lines[0]["vs_one_thread"].as_f64().unwrap() > 0.0, "{lines:?}");
    assert_eq!(lines[1]["name"], "bound");
}

#[test]
fn figures_stand_against_their_bounds() {
    let lines = json("load");
    assert_eq!((&lines[0]["name"], &lines[1]["name"]), (&"load".into(), &"bound".into()));
    assert_eq!(lines[1]["value"], lines[0]["seconds"]);
    let met = lines[1]["value"].as_f64().unwrap() <= lines[1]["at_most"].as_f64().unwrap();
    assert_eq!(lines[1]["met"], met);
}

#[test]
fn tables_for_people() {
    let text = bench(&["--filter", "scalar 64x128x10"]);
    assert!(
        text.contains("x matrixmultiply") && text.contains("64x128x10") && text.contains("GFLOP/s"),
        "{text}"
    );
}

#[test]
fn words_that_no_case_has() {
    let folder = tempfile::tempdir().unwrap();
    let line = fails(folder.path(), &["bench", "--filter", "gemm.sideways"], 2);
    assert!(line.contains("no case has all these words") && line.contains("gemm.forward"), "{line}");
}
