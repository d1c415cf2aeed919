//! Folders of pictures and NumPy archives: training, prediction, and what is refused before anything is written.

mod support;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use png::{BitDepth, ColorType, Encoder};
use selvedge::Rng;
use serde_json::Value;
use support::{fails, json_lines, run, succeeds};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A 16x8 JPEG of four colours that is stored turned, 8x16 upright.
const JPEG: &[u8] = include_bytes!("../../tests/fuzz/corpus/jpeg/good-orientation-6");
/// What all runs are trained with.
const FAST: [&str; 10] = ["--hidden", "8", "--epochs", "20", "--batch", "8", "--init", "he", "--out", "run"];

/// A PNG of RGB pixels.
fn png(width: usize, height: usize, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    file
}

/// A picture of noise in which one colour is bright: red for class 0, green for class 1.
fn picture(rng: &mut Rng, class: usize, width: usize, height: usize) -> Vec<u8> {
    let mut pixel = || std::array::from_fn(|c| rng.below(60) as u8 + if c == class { 190 } else { 0 });
    let pixels: Vec<[u8; 3]> = (0..width * height).map(|_| pixel()).collect();
    png(width, height, pixels.as_flattened())
}

/// `count` pictures of each of two classes in a folder.
fn classes(folder: &Path, count: usize, seed: u64) {
    let mut rng = Rng::new(seed);
    for (class, name) in ["red", "green"].iter().enumerate() {
        fs::create_dir_all(folder.join(name)).unwrap();
        for n in 0..count {
            fs::write(folder.join(format!("{name}/{n:02}.png")), picture(&mut rng, class, 4, 4)).unwrap();
        }
    }
}

/// Trains; returns the last line of JSON.
fn train(folder: &Path, words: &[&str]) -> Value {
    json_lines(&succeeds(folder, &[&["train", "--json"], words, &FAST].concat())).pop().unwrap()
}

#[test]
fn folders_with_train_and_test() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    classes(&here.join("set/train"), 30, 1);
    classes(&here.join("set/test"), 10, 2);
    fs::write(here.join("set/train/red/photo.jpg"), JPEG).unwrap();
    let sizes = fails(here, &[&["train", "--data", "set"], &FAST[..]].concat(), 3);
    assert!(sizes.contains("the pictures have 2 sizes: ") && sizes.contains("photo.jpg is 8x16"), "{sizes}");
    assert!(sizes.contains("`--size 4x4`, the most frequent one, resizes them"), "{sizes}");
    assert!(!here.join("run").exists());

    let end = train(here, &["--data", "set", "--size", "4x4", "--channels", "rgb"]);
    assert!(end["warnings"].to_string().contains("1 of 81 pictures are distorted by --size 4x4"), "{end}");
    let eval = succeeds(here, &["eval", "run", "--json"]);
    assert!(json_lines(&eval)[0]["accuracy"].as_f64().unwrap() > 0.9, "{eval}");

    // Larger than in training: resized in the same way, and said so.
    fs::write(here.join("new.png"), picture(&mut Rng::new(3), 1, 9, 9)).unwrap();
    let output = run(here, &["predict", "run", "new.png", "--json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["label"], "green", "{answer}");
    let resized = "new.png is 9 x 9 pixels and is resized by --size 4x4, as the pictures were in training";
    assert_eq!(said.matches(resized).count(), 1, "{said}");
    for words in [&["predict", "run", "set/train/red/photo.jpg"][..], &["predict", "run", "--index", "0"]] {
        assert!(succeeds(here, words).contains("green"));
    }
    fs::write(here.join("cut.jpg"), &JPEG[..JPEG.len() / 2]).unwrap();
    let cut = fails(here, &["predict", "run", "cut.jpg"], 3);
    assert!(cut.contains("cut.jpg: not a readable JPEG: it is cut short"), "{cut}");
    // On a device the colours are more inputs; the flash file gives the same classes.
    succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "net.selv"]);
    let eval = |words: &[&str]| {
        let text = succeeds(here, &[&["eval", "--json"], words].concat());
        json_lines(&text)[0]["accuracy"].as_f64().unwrap()
    };
    assert_eq!(eval(&["run"]), eval(&["net.selv", "--schema", "run"]));
}

#[test]
fn a_folder_without_sets_is_split_by_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    classes(&here.join("set"), 40, 1);
    let end = train(here, &["--data", "set"]);
    assert!(
        end["warnings"].to_string().contains("read as grey; `--channels rgb` keeps the colours"),
        "{end}"
    );
    let eval = succeeds(here, &["eval", "run", "--json"]);
    // 15 % of 80 pictures, as many of each class.
    let confusion = &json_lines(&eval)[0]["confusion"];
    let tested = |class: usize| -> u64 {
        confusion[class].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum()
    };
    assert_eq!([tested(0), tested(1)], [6, 6], "{eval}");
    // A picture of another size is refused, since nobody chose a size.
    fs::write(here.join("new.png"), picture(&mut Rng::new(3), 1, 9, 9)).unwrap();
    let refused = fails(here, &["predict", "run", "new.png"], 3);
    assert!(refused.contains("new.png is 9 x 9 pixels, but the model takes 4 x 4 pixels"), "{refused}");

    fs::remove_dir_all(here.join("set/red")).unwrap();
    let one = fails(here, &[&["train", "--data", "set"], &FAST[..]].concat(), 3);
    assert!(one.contains("set has one folder, green, of pictures"), "{one}");
}

/// An `.npy` file.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
}

/// Writes an archive as numpy.savez_compressed does.
fn write_npz(path: &Path, members: &[(&str, Vec<u8>)]) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    fs::write(path, zip.finish().unwrap().into_inner()).unwrap();
}

/// `count` pictures of 4 x 4 bytes, of which the upper or the lower half is bright, and their labels as 64-bit integers.
fn halves(count: usize, seed: u64) -> [Vec<u8>; 2] {
    let mut rng = Rng::new(seed);
    let labels: Vec<i64> = (0..count).map(|n| n as i64 % 2).collect();
    let mut image = |label: i64| -> [u8; 16] {
        std::array::from_fn(|p| rng.below(60) as u8 + if (p / 8) as i64 == label { 190 } else { 0 })
    };
    let pixels: Vec<[u8; 16]> = labels.iter().map(|&label| image(label)).collect();
    let labels: Vec<[u8; 8]> = labels.into_iter().map(i64::to_le_bytes).collect();
    [
        npy("|u1", &format!("({count}, 4, 4)"), pixels.as_flattened()),
        npy("<i8", &format!("({count},)"), labels.as_flattened()),
    ]
}

#[test]
fn archives_of_the_layout_of_keras() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let ([x, y], [x_test, y_test]) = (halves(60, 1), halves(20, 2));
    let names = ["x_train", "y_train", "x_test", "y_test"];
    let members: Vec<_> = names.into_iter().zip([x.clone(), y.clone(), x_test, y_test.clone()]).collect();
    write_npz(&here.join("set.npz"), &members);
    train(here, &["--data", "set.npz"]);
    let eval = succeeds(here, &["eval", "run", "--json"]);
    let eval = &json_lines(&eval)[0];
    assert!(eval["accuracy"].as_f64().unwrap() > 0.9, "{eval}");

    fs::remove_dir_all(here.join("run")).unwrap();
    let pickle = npy("|O", "(60,)", b"\x80\x04N.");
    for (members, expected) in [
        (
            vec![("x_train", x.clone()), ("y_train", pickle)],
            "y_train: holds pickled Python objects, which can run code",
        ),
        (vec![("x_train", x.clone()), ("y_train", y_test)], "y_train has 20"),
        (
            vec![("arr_0", x.clone()), ("arr_1", y.clone())],
            "holds the arrays arr_0, arr_1; expected are x_train",
        ),
        (
            vec![("x", x[..90].to_vec()), ("y", y.clone())],
            "x: cut short: its header declares the shape (60, 4, 4)",
        ),
        (vec![("x", npy("|u1", "(0, 4, 4)", &[])), ("y", y)], "x: no samples: its shape is (0, 4, 4)"),
    ] {
        write_npz(&here.join("bad.npz"), &members);
        let line = fails(here, &[&["train", "--data", "bad.npz"], &FAST[..]].concat(), 3);
        assert!(line.contains(expected), "{line}");
        assert!(!here.join("run").exists() && !here.join("runs").exists());
    }
}
