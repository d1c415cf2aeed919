//! The exported C, compiled by this machine's compiler without a warning and run on every test image of the demo.

mod support;

use std::fs;

use host_cli::data::normalise::Inputs;
use host_cli::data::{Reading, Source};
use host_cli::inference::float::Predictor;
use host_cli::inference::self_test;
use host_cli::memory::Bytes;
use host_cli::model::Model;
use host_cli::thread_pool::{ThreadPool, Threads};
use selvedge::format::{Builder, Dtype, HeaderBuf, ModelView, Packing};
use selvedge::{Backend, Mlp, Shape, infer::integer};
use support::c::run;
use support::{fails, succeeds};

#[test]
fn float_c_adds_up_as_we_do() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let train = ["train", "--data", "demo", "--epochs", "1", "--out", "run", "-q", "--hidden"];
    succeeds(here, &[&train[..], &["32,16"]].concat());
    succeeds(here, &["export", "run", "--format", "c", "-o", "net.c"]);
    let header = fs::read_to_string(here.join("net.h")).unwrap();
    assert!(header.contains("net_labels[10]") && header.contains("#define NET_INPUTS 784"), "{header}");

    let model = Model::load(&here.join("run")).unwrap();
    let test = Source::Demo.load(None, &Reading::default()).unwrap().test;
    let all = test.indices();
    let (words, classes) = run(here, "net", "float", 10, &test.images().unwrap().pixels);
    assert_eq!(classes.len(), all.len());
    // The portable backend never fuses a product and a sum, and neither does C99.
    let mlp = Mlp::new(model.shape, Backend::PORTABLE);
    let inputs = Inputs::plain(&test.images().unwrap().pixels);
    let mut predictor = Predictor::new(mlp, all.len()).unwrap();
    let logits = predictor.logits(&ThreadPool::new(Threads::ONE), &model.params, &inputs, &all).unwrap();
    let differing = words.iter().zip(&logits).filter(|(w, z)| f32::from_ne_bytes(**w) != **z).count();
    assert_eq!(differing, 0, "of {} logits", logits.len());

    let words = ["export", "run", "--format", "c", "-o", "net.c", "--prefix", "1st"];
    assert!(fails(here, &words, 2).contains("--prefix 1st"));
    let words = ["export", "run", "--format", "npz", "-o", "net.npz", "--prefix", "a"];
    assert!(fails(here, &words, 2).contains("--format c, cmake and arduino"));
}

#[test]
fn integer_c_gives_the_files_logits() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let test = Source::Demo.load(None, &Reading::default()).unwrap().test;
    for (hidden, dtype) in [("32,13", "i8"), ("30", "i4"), ("none", "i8")] {
        let _ = fs::remove_dir_all(here.join("run"));
        succeeds(
            here,
            &["train", "--data", "demo", "--epochs", "1", "--out", "run", "-q", "--hidden", hidden],
        );
        succeeds(here, &["quantize", "run", "--dtype", dtype, "--qat", "0", "-o", "net.selv"]);
        succeeds(here, &["export", "net.selv", "--format", "c", "-o", "net.c", "--prefix", "net"]);
        let bytes = Bytes::copy_of(&fs::read(here.join("net.selv")).unwrap(), "the file").unwrap();
        let image = ModelView::parse(&bytes).unwrap();
        let engine = integer::Engine::new(image.clone()).unwrap();
        let mut scratch = vec![0; integer::Engine::scratch_words(image.header())];
        let (words, classes) = run(here, "net", "int32_t", 10, &test.images().unwrap().pixels);
        assert_eq!(classes.len(), test.len());
        let mut logits = [0; 10];
        for (n, pixels) in test.images().unwrap().pixels.chunks_exact(784).enumerate() {
            let class = engine.classify(pixels, &mut scratch, &mut logits).unwrap();
            let found: Vec<i32> = words[10 * n..][..10].iter().map(|w| i32::from_ne_bytes(*w)).collect();
            assert_eq!((&found[..], Some(classes[n] as usize)), (&logits[..], class), "{dtype}, image {n}");
        }
    }
}

#[test]
fn a_network_whose_logits_are_infinite_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let widths = [20, 5, 2];
    let header = HeaderBuf::new(Shape::new(&widths).unwrap(), Dtype::F32, Packing::Generic).unwrap();
    let mut bytes = Bytes::zeroed(header.file_bytes(), "the file").unwrap();
    let mut builder = Builder::new(header, &mut bytes).unwrap();
    for l in 0..2 {
        for (o, i) in (0..widths[l + 1]).flat_map(|o| (0..widths[l]).map(move |i| (o, i))) {
            builder.float_weight(l, o, i, 1e38);
        }
    }
    builder.finish_with(7, self_test).unwrap();
    fs::write(here.join("net.selv"), &bytes[..]).unwrap();
    let line = fails(here, &["export", "net.selv", "--format", "c", "-o", "net.c"], 4);
    assert!(line.contains("infinite logits") && line.contains("--lr"), "{line}");
    assert!(!here.join("net.c").exists());
}
