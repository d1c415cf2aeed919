//! The classes of a data set: as many as its labels or its names make, in every command; and how its files are read, which a
//! run remembers.

mod support;

use std::fs;
use std::path::PathBuf;

use host_cli::data::FILES;
use host_cli::data::idx;
use serde_json::Value;
use support::runs::killed;
use support::sets::{COUNTS, LONG, TRAIN, four, names, said, weights, write};
use support::{fails, succeeds, with};

#[test]
fn three_classes_are_three_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(&here.join("data"), &FILES.map(PathBuf::from), &four(&[0, 1, 2]));
    let (trained, warnings) = said(here, &with(&TRAIN, &["data", "--out", "run", "-q"]));
    assert_eq!((trained["parameters"].as_u64(), warnings.len()), (Some(36 * 16 + 16 + 16 * 3 + 3), 0));
    let (evaluated, _) = said(here, &["eval", "run"]);
    assert_eq!(evaluated["per_class"].as_array().unwrap().len(), 3);
    assert!(evaluated["accuracy"].as_f64().unwrap() > 0.9, "{evaluated}");
    let (predicted, _) = said(here, &["predict", "run", "--index", "4"]);
    assert_eq!((&predicted["label"], predicted["probabilities"].as_array().unwrap().len()), (&"1".into(), 3));
    let (quantized, _) = said(here, &["quantize", "run", "--dtype", "i8", "--report", "-o", "i8.selv"]);
    assert_eq!(quantized["per_class"].as_array().unwrap().len(), 3);
    said(here, &["verify", "i8.selv", "i8.selv", "--data", "data"]);
    said(here, &["eval", "i8.selv", "--data", "data"]);
    said(here, &["report", "run"]);
    let firmware =
        ["export", "i8.selv", "--format", "firmware", "--board", "microbit", "--data", "data", "-o", "fw"];
    said(here, &firmware);
    fs::write(here.join("s.toml"), "[base]\ndata = \"data\"\nepochs = 1\n[grid]\nhidden = [[4], [8]]\n")
        .unwrap();
    let (swept, _) = said(here, &["sweep", "-c", "s.toml", "--out", "swept"]);
    assert_eq!(swept["rows"][0]["parameters"], 36 * 4 + 4 + 4 * 3 + 3);
    succeeds(here, &["report", "swept"]);
    let (shown, _) = said(here, &["data", "show", "data"]);
    assert_eq!(names(&shown), ["0", "1", "2"]);
    // A preset makes no classes either.
    let preset =
        ["train", "--preset", "fast", "--shift", "0", "--epochs", "1", "--data", "data", "--out", "p", "-q"];
    assert_eq!(said(here, &preset).0["parameters"], 36 * 128 + 128 + 128 * 3 + 3);
}

#[test]
fn labels_that_start_at_one() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let letters: Vec<u8> = (1..=26).collect();
    write(&here.join("data"), &FILES.map(PathBuf::from), &four(&letters));
    let (_, warnings) = said(here, &with(&TRAIN, &["data", "--out", "all", "-q"]));
    assert_eq!(
        warnings[0],
        "labels start at 1: no image has label 0; assuming 27 classes, 0 to 26; `--first-label 1` makes 1 the first class"
    );
    let (_, warnings) = said(here, &with(&TRAIN, &["data", "--first-label", "1", "--out", "run", "-q"]));
    assert!(warnings.iter().all(|warning| warning.contains("no better than a guess")), "{warnings:?}");
    // The run remembers it, and classes are called by their labels.
    let (evaluated, warnings) = said(here, &["eval", "run"]);
    assert_eq!((evaluated["per_class"].as_array().unwrap().len(), warnings.len()), (26, 0));
    let (predicted, _) = said(here, &["predict", "run", "--index", "25"]);
    assert_eq!(predicted["probabilities"].as_array().unwrap().len(), 26);
    assert_eq!(
        predicted["label"].as_str().unwrap().parse::<u64>().unwrap(),
        predicted["class"].as_u64().unwrap() + 1
    );
    said(here, &["quantize", "run", "--dtype", "i8", "-o", "i8.selv"]);
    // A flash file does not, and says what does not fit.
    let line = fails(here, &["eval", "i8.selv", "--data", "data"], 4);
    assert!(line.contains("the model has 26 classes, but the data has class 26"), "{line}");
    said(here, &["eval", "i8.selv", "--data", "data", "--first-label", "1"]);
    let (shown, _) = said(here, &["data", "show", "data", "--first-label", "1"]);
    assert_eq!((names(&shown)[0], names(&shown)[25], names(&shown).len()), ("1", "26", 26));
    // Names as many as labels, but one off.
    fs::write(here.join("data/labels.txt"), ('a'..='z').map(|c| format!("{c}\n")).collect::<String>())
        .unwrap();
    let line = fails(here, &["data", "show", "data"], 3);
    assert!(line.ends_with("labels start at 1: `--first-label 1` makes that the first class"), "{line}");
    let (shown, warnings) = said(here, &["data", "show", "data", "--first-label", "1"]);
    assert_eq!((names(&shown)[0], warnings.len()), ("a", 0));
}

#[test]
fn names_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let data = write(&here.join("data"), &FILES.map(PathBuf::from), &four(&[0, 1, 2]));
    let shown = |text: &[u8]| {
        fs::write(data.join("Labels.TXT"), text).unwrap();
        said(here, &["data", "show", "data"])
    };
    for text in [&b"cat\ndog\nbird"[..], b"\xef\xbb\xbfcat\r\ndog\r\nbird\r\n"] {
        let (json, warnings) = shown(text);
        assert_eq!((names(&json), warnings.len()), (vec!["cat", "dog", "bird"], 0));
    }
    let (_, warnings) = shown(b"cat\ndog\nbird\nfish\n");
    assert!(
        warnings[0].starts_with("no image has label 3; ")
            && warnings[0].ends_with("Labels.TXT names 4 classes")
    );
    let refused = |text: &[u8]| {
        fs::write(data.join("Labels.TXT"), text).unwrap();
        fails(here, &with(&TRAIN, &["data"]), 3)
    };
    assert!(refused(b"cat\ndog\n").ends_with(
        "Labels.TXT names 2 classes, but the largest label is 2; write a line for each class from 0 to 2"
    ));
    assert!(refused(b"\xff\xfec\0a\0t\0\n\0").ends_with("Labels.TXT: the text is UTF-16; save it as UTF-8"));
    assert!(refused(b"cat\n\ndog\nbird\n").contains("line 2 is empty; write a class name on every line"));
}

#[test]
fn labels_with_gaps_or_of_one_class_or_beyond_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let shown = |name: &str, files: [Vec<u8>; 4]| {
        write(&here.join(name), &FILES.map(PathBuf::from), &files);
        said(here, &["data", "show", name])
    };
    let (json, warnings) = shown("gaps", four(&[0, 2, 255]));
    assert_eq!(names(&json).len(), 256);
    assert_eq!(warnings, ["no image has label 1, 3-254; assuming 256 classes, 0 to 255"]);
    said(here, &with(&TRAIN, &["gaps", "--out", "wide", "-q"]));
    said(here, &["quantize", "wide", "--dtype", "i8", "-o", "wide.selv"]);
    let [train, labels, ..] = four(&[0, 1]);
    let [_, _, test, test_labels] = four(&[0, 1, 2]);
    let (json, warnings) = shown("unseen", [train, labels, test, test_labels]);
    assert_eq!(names(&json), ["0", "1", "2"]);
    assert_eq!(warnings, ["test images have label 2, but no training image has it, so it cannot be learned"]);
    write(&here.join("one"), &FILES.map(PathBuf::from), &four(&[3]));
    assert!(
        fails(here, &with(&TRAIN, &["one"]), 3)
            .contains("every label is 3: a classifier needs images of two")
    );
    let mut many = four(&[0, 1]);
    let labels = (0..COUNTS[0] as i32).flat_map(|n| (n + 100).to_be_bytes());
    many[1] = [0, 0, 0x0c, 1, 0, 0, 0, COUNTS[0] as u8].into_iter().chain(labels).collect();
    write(&here.join("many"), &FILES.map(PathBuf::from), &many);
    assert!(
        fails(here, &["data", "show", "many"], 3)
            .contains("label 156 is 256, but there are at most 256 classes")
    );
}

#[test]
fn a_model_of_other_classes_is_refused_or_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (name, labels) in [("three", &[0, 1, 2][..]), ("four", &[0, 1, 2, 3])] {
        write(&here.join(name), &FILES.map(PathBuf::from), &four(labels));
        said(here, &with(&TRAIN, &[name, "--out", &format!("of-{name}"), "-q"]));
    }
    let line = fails(here, &["eval", "of-three", "--data", "four"], 4);
    assert!(line.contains("the model has 3 classes, but the data has class 3; name the data set"), "{line}");
    for words in [&["eval", "of-four"][..], &["predict", "of-four", "--index", "0"], &["report", "of-four"]] {
        let (_, warnings) = said(here, &with(words, &["--data", "three"]));
        assert!(
            warnings[0].starts_with("the model has 4 classes, but the labels of three go up to 2 only"),
            "{warnings:?}"
        );
    }
    fs::write(here.join("three/labels.txt"), "a\nb\nc\n").unwrap();
    let line = fails(here, &["eval", "of-four", "--data", "three"], 4);
    assert!(line.contains("the model has 4 classes, but three has 3"), "{line}");
    said(here, &with(&TRAIN, &["three", "--out", "named", "-q"]));
    fs::write(here.join("three/labels.txt"), "a\nc\nb\n").unwrap();
    let (_, warnings) = said(here, &["eval", "named"]);
    assert!(
        warnings[0].starts_with(&format!(
            "class 1 is b to the model, but c in {}: is this the data set",
            here.join("three").display()
        )),
        "{warnings:?}"
    );
    // A model with more classes than the data goes on with its own.
    fs::remove_file(here.join("three/labels.txt")).unwrap();
    let (json, _) =
        said(here, &["train", "--from", "of-four", "--data", "three", "--epochs", "1", "--out", "on", "-q"]);
    assert_eq!(json["parameters"], 36 * 16 + 16 + 16 * 4 + 4);
}

/// A run whose folder says nothing of classes, nor of how its data is read, has ten unless they are named.
#[test]
fn a_run_that_does_not_say_its_classes_is_resumed_with_ten() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let data = write(&here.join("data"), &FILES.map(PathBuf::from), &four(&[0, 1, 2]));
    fs::write(data.join("labels.txt"), (0..10).map(|c| format!("{c}\n")).collect::<String>()).unwrap();
    let run = killed(here, &with(&LONG, &["data", "--checkpoint-every", "1", "--out", "run"]));
    fs::remove_file(data.join("labels.txt")).unwrap();
    // As they were written before there were these keys and checksums.
    let text = fs::read_to_string(run.join("config.toml")).unwrap();
    let keys = ["transpose", "first_label", "# crc32"];
    let old: Vec<_> = text.lines().filter(|l| !keys.iter().any(|key| l.starts_with(key))).collect();
    assert_eq!(old.len() + keys.len(), text.lines().count(), "{text}");
    fs::write(run.join("config.toml"), old.join("\n")).unwrap();
    let mut place: Value = serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    for key in ["classes", "data_sha256", "crc32"] {
        assert!(place.as_object_mut().unwrap().remove(key).is_some(), "{place}");
    }
    fs::write(run.join("run.json"), place.to_string()).unwrap();
    let (json, _) = said(here, &["train", "--resume", "run", "-q"]);
    assert_eq!(json["parameters"], 36 * 256 + 256 + 256 * 10 + 10);
    let (evaluated, warnings) = said(here, &["eval", "run"]);
    assert_eq!(evaluated["confusion"].as_array().unwrap().len(), 10);
    assert!(
        warnings[0].contains("the model has 10 classes, but the labels of ")
            && warnings[0].contains("data go up to 2 only"),
        "{warnings:?}"
    );
}

#[test]
fn transposed_images_are_set_upright_and_the_run_remembers_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let upright = four(&[0, 1, 2, 3]);
    write(&here.join("upright"), &FILES.map(PathBuf::from), &upright);
    let mut stored = upright.clone();
    for n in [0, 2] {
        let (mut images, _) = idx::parse_images("f", &upright[n]).unwrap();
        images.transpose();
        stored[n] = idx::write_images(&images);
    }
    let emnist = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "test-images-idx3-ubyte",
        "test-labels-idx1-ubyte",
    ];
    write(&here.join("stored"), &emnist.map(|name| format!("emnist-letters-{name}")), &stored);

    said(here, &with(&TRAIN, &["upright", "--out", "a", "-q"]));
    let (_, warnings) = said(here, &with(&TRAIN, &["stored", "--out", "sideways", "-q"]));
    assert!(
        warnings[0].contains("belongs to EMNIST by its name")
            && warnings[0].contains("add --transpose to set them upright")
    );
    let (_, warnings) = said(here, &with(&TRAIN, &["stored", "--transpose=false", "--out", "known", "-q"]));
    assert_eq!(warnings, [""; 0]);
    let (_, warnings) = said(here, &with(&TRAIN, &["stored", "--transpose", "--out", "b", "-q"]));
    assert_eq!(warnings, [""; 0]);
    assert_eq!(weights(&here.join("a")), weights(&here.join("b")));
    assert_ne!(weights(&here.join("a")), weights(&here.join("sideways")));

    // No command needs to be told again, and a flash file is told.
    for words in [&["eval"][..], &["predict"]] {
        let more: &[&str] = if words == ["predict"] { &["--index", "7"] } else { &[] };
        let of = |run: &str| said(here, &[words, &[run], more].concat());
        assert_eq!(of("a"), of("b"), "{words:?}");
        assert_eq!(of("b").1, [""; 0]);
    }
    for run in ["a", "b"] {
        said(here, &["quantize", run, "--dtype", "i8", "-o", &format!("{run}.selv")]);
    }
    assert!(fs::read(here.join("a.selv")).unwrap() == fs::read(here.join("b.selv")).unwrap());
    assert_eq!(
        said(here, &["eval", "a.selv", "--data", "upright"]),
        said(here, &["eval", "b.selv", "--data", "stored", "--transpose"])
    );
    assert!(
        said(here, &["eval", "b.selv", "--data", "stored"]).1[0].contains("belongs to EMNIST by its name")
    );
    // Other data of a model that was trained so is read so, and that is said.
    let (_, warnings) = said(here, &["eval", "b", "--data", "upright"]);
    assert_eq!(
        warnings,
        ["upright is read with --transpose, as stored was in training; --transpose=false turns it off"]
    );
    assert_eq!(
        said(here, &["eval", "b", "--data", "upright", "--transpose=false"]),
        said(here, &["eval", "a"])
    );

    // A file of images is read as the model's data was, a picture as it is seen.
    let file = "stored/emnist-letters-test-images-idx3-ubyte";
    let (from_file, warnings) = said(here, &["predict", "b", file, "--index", "3"]);
    assert!(warnings[0].contains("is read with --transpose, as the model's data was"), "{warnings:?}");
    let (from_data, _) = said(here, &["predict", "b", "--index", "3"]);
    assert_eq!(from_file["probabilities"], from_data["probabilities"]);
    let told = said(here, &["predict", "a", file, "--index", "3", "--transpose"]);
    assert_eq!((&told.0["probabilities"], told.1.len()), (&from_data["probabilities"], 0));

    // An interrupted run goes on as it began, and further training warns of another reading.
    said(here, &with(&LONG, &["upright", "--out", "whole"]));
    killed(here, &with(&LONG, &["stored", "--transpose", "--checkpoint-every", "1", "--out", "run"]));
    assert_eq!(said(here, &["train", "--resume", "run", "-q"]).1, [""; 0]);
    assert_eq!(weights(&here.join("run")), weights(&here.join("whole")));
    let (_, warnings) =
        said(here, &["train", "--from", "b", "--data", "upright", "--epochs", "1", "--out", "c", "-q"]);
    assert!(
        warnings[0].starts_with("b was trained with --transpose, and this run is with --transpose=false")
    );
    let swept = ["sweep", "-c", "s.toml", "--data", "stored", "--transpose", "--out", "swept"];
    fs::write(here.join("s.toml"), "[base]\nepochs = 1\n[grid]\nlr = [0.1]\n").unwrap();
    assert_eq!(said(here, &swept).1, [""; 0]);
    fs::write(here.join("bad.toml"), "[grid]\ntranspose = [true, false]\n").unwrap();
    let line = fails(here, &["sweep", "-c", "bad.toml"], 2);
    assert!(line.contains("transpose is the same for all recipes of a sweep"), "{line}");
}
