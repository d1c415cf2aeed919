//! Flash files of a network trained on the real data: every packing and every backend gives the same logits for every
//! test image, and so does the exported C; halves cost no accuracy, and a damaged file is refused. Needs Fashion-MNIST:
//! `SELVEDGE_TEST_DATA=FOLDER cargo test -p host-cli --test real_flash -- --ignored`, which `.ci/run` does where the data is there.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use host_cli::data::{Reading, Source};
use host_cli::memory::Bytes;
use selvedge::format::{ModelView, Packing};
use selvedge::{Backend, Rng, infer::integer, naive};
use serde_json::Value;
use support::{json_lines, succeeds};

fn data() -> String {
    let folder =
        std::env::var("SELVEDGE_TEST_DATA").expect("SELVEDGE_TEST_DATA names the folder of Fashion-MNIST");
    let folder = PathBuf::from(folder);
    folder.canonicalize().unwrap_or_else(|e| panic!("{}: {e}", folder.display())).display().to_string()
}

fn json(folder: &Path, words: &[&str]) -> Value {
    json_lines(&succeeds(folder, &[words, &["--json"]].concat())).pop().unwrap()
}

fn accuracy(folder: &Path, model: &str) -> f64 {
    json(folder, &["eval", model, "--data", &data()])["accuracy"].as_f64().unwrap()
}

/// The logits of all images, one by one from the file as it lies.
fn in_place(file: &[u8], pixels: &[u8]) -> Vec<i32> {
    let engine = integer::Engine::new(ModelView::parse(file).unwrap()).unwrap();
    let header = engine.view().header();
    let (i, o) = (header.inputs(), header.outputs());
    let mut scratch = vec![0; integer::Engine::scratch_words(header)];
    let mut logits = vec![0; pixels.len() / i * o];
    for (image, logits) in pixels.chunks_exact(i).zip(logits.chunks_exact_mut(o)) {
        engine.logits(image, &mut scratch, logits).unwrap();
    }
    logits
}

/// The same from weights packed for a backend, `b` images at a time.
fn prepared(file: &[u8], backend: Backend, b: usize, pixels: &[u8]) -> Vec<i32> {
    let engine = integer::Engine::new(ModelView::parse(file).unwrap()).unwrap();
    let header = engine.view().header();
    let (i, o) = (header.inputs(), header.outputs());
    let mut memory = vec![0; integer::BatchEngine::bytes(header)];
    let network = integer::BatchEngine::new(&engine, backend, &mut memory).unwrap();
    let mut scratch = vec![0; integer::BatchEngine::scratch_bytes(header, b)];
    let mut logits = vec![0; pixels.len() / i * o];
    for (images, logits) in pixels.chunks(b * i).zip(logits.chunks_mut(b * o)) {
        network.logits(images, &mut scratch, logits).unwrap();
    }
    logits
}

/// Trains a network and makes integers of it.
fn quantized(folder: &Path, dtype: &str) -> Bytes {
    let name = format!("{dtype}.selv");
    if !folder.join("run").exists() {
        succeeds(folder, &["train", "--data", &data(), "--epochs", "5", "--out", "run", "-q"]);
    }
    succeeds(folder, &["quantize", "run", "--data", &data(), "--dtype", dtype, "-o", &name]);
    read(folder, &name)
}

fn read(folder: &Path, name: &str) -> Bytes {
    Bytes::copy_of(&fs::read(folder.join(name)).unwrap(), name).unwrap()
}

/// Exports `NAME.selv` as C and compiles it: logits of all test images, which must be `expected`, and their classes.
fn c_source(folder: &Path, name: &str, pixels: &[u8], expected: &[i32]) {
    let from = format!("{name}.selv");
    succeeds(folder, &["export", &from, "--format", "c", "-o", "net.c", "--prefix", "net"]);
    let (logits, classes) = support::c::run(folder, "net", "int32_t", 10, pixels);
    let logits: Vec<i32> = logits.into_iter().map(i32::from_ne_bytes).collect();
    assert!(logits == expected, "{name}: the C source has other logits");
    let ours = expected.chunks_exact(10).map(|row| naive::argmax(row) as u32);
    assert!(classes.iter().copied().eq(ours), "{name}: the C source has other classes");
    println!("{name} as C99: {} logits, 0 differing", logits.len());
}

/// Whether every backend computes `expected` from a file, image by image and in batches; how many ways those were.
fn every_backend(name: &str, file: &[u8], pixels: &[u8], expected: &[i32]) -> usize {
    let mut ways = 0;
    for backend in Backend::available() {
        for b in [1, 500] {
            assert!(prepared(file, backend, b, pixels) == expected, "{name} {} by {b}", backend.name());
            ways += 1;
        }
    }
    ways
}

#[test]
#[ignore = "needs the real data; .ci/run runs it"]
fn every_packing_and_backend_gives_the_same_logits_for_every_test_image() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let i8_file = quantized(here, "i8");
    let pixels = Source::Path(data().into())
        .load(None, &Reading::default())
        .unwrap()
        .test
        .images()
        .unwrap()
        .pixels
        .clone();
    let expected = in_place(&i8_file, &pixels);
    let mut ways = 0;
    for packing in Packing::ALL {
        let name = format!("{}.selv", packing.name());
        succeeds(here, &["export", "i8.selv", "--format", "selv", "--packing", packing.name(), "-o", &name]);
        let file = read(here, &name);
        assert!(file.len() <= 104_000, "{name}: {} bytes", file.len());
        assert!(in_place(&file, &pixels) == expected, "{name} in place");
        ways += every_backend(&name, &file, &pixels, &expected);
        let verified = json(here, &["verify", "i8.selv", &name, "--data", &data()]);
        assert_eq!((&verified["equal"], &verified["differing"]), (&true.into(), &0.into()), "{name}");
        println!("{name}: {} bytes, verify {verified}", file.len());
    }
    c_source(here, "i8", &pixels, &expected);
    println!("i8: {} logits in {ways} ways and 4 in place: 0 differing", expected.len());
    let file = quantized(here, "i4");
    assert!(file.len() <= 54_000, "i4: {} bytes", file.len());
    let expected = in_place(&file, &pixels);
    let ways = every_backend("i4", &file, &pixels, &expected);
    println!("i4: {} bytes, {} logits in {ways} ways and in place: 0 differing", file.len(), expected.len());
    c_source(here, "i4", &pixels, &expected);
    let before = accuracy(here, "run");
    for (dtype, points) in [("f32", 0.01), ("f16", 0.02), ("bf16", 0.02)] {
        let name = format!("{dtype}.selv");
        succeeds(here, &["export", "run", "--format", "selv", "--dtype", dtype, "-o", &name]);
        let after = accuracy(here, &name);
        println!("{dtype}: {:.2} % after {:.2} %", 100.0 * after, 100.0 * before);
        assert!(100.0 * (before - after).abs() <= points + 1e-9, "{dtype}: {after} after {before}");
    }
    for dtype in ["i8", "i4"] {
        let after = accuracy(here, &format!("{dtype}.selv"));
        println!("{dtype}: {:.2} % after {:.2} %", 100.0 * after, 100.0 * before);
    }
}

/// Every truncation, and 20,000 single-bit flips drawn at random; every one of them with `SELVEDGE_ALL_FLIPS=1`.
#[test]
#[ignore = "needs the real data; .ci/run runs it"]
fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = quantized(folder.path(), "i8");
    for len in 0..file.len() {
        assert!(ModelView::parse(&file[..len]).is_err(), "the first {len} bytes");
    }
    let bits = 8 * file.len();
    let mut rng = Rng::new(1);
    let flips: Vec<usize> = if std::env::var_os("SELVEDGE_ALL_FLIPS").is_some() {
        (0..bits).collect()
    } else {
        (0..20_000).map(|_| rng.below(bits as u32) as usize).collect()
    };
    for &bit in &flips {
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(ModelView::parse(&file).is_err(), "bit {bit}");
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(ModelView::parse(&file).is_ok());
    println!("{} truncations and {} of {bits} flips: all refused", file.len(), flips.len());
}
