//! Data sets in practice: files of common names and types, pictures on any background; other formats are named in the error.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use host_cli::data::FILES;
use host_cli::data::idx::{self, Images};
use support::sets::{COUNTS, TRAIN, four, said, weights, write};
use support::{fails, folder_with_data, json_lines, run, succeeds, with};

#[test]
fn files_of_any_usual_name_and_type() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let files = four(&[0, 1, 2, 3]);
    write(&here.join("plain"), &FILES.map(PathBuf::from), &files);
    let expected = said(here, &["data", "show", "plain", "--count", "2"]).0["classes"].clone();
    let model = |data: &str| {
        succeeds(here, &with(&TRAIN, &[data, "--out", "run", "--overwrite", "-q"]));
        weights(&here.join("run"))
    };
    let whole = model("plain");
    let layouts: [[String; 4]; 4] = [
        FILES.map(|name| name.replace("-idx", ".idx")),
        FILES.map(|name| format!("FashionMNIST/raw/{name}")),
        FILES.map(|name| format!("{name}/{name}")),
        FILES
            .map(|name| name.to_uppercase().replace("T10K", "qmnist-TEST"))
            .map(|n| if n.starts_with("qmnist") { n } else { format!("qmnist-{n}") }),
    ];
    for (n, layout) in layouts.iter().enumerate() {
        let name = format!("layout-{n}");
        write(&here.join(&name), layout, &files);
        let (shown, warnings) = said(here, &["data", "show", &name, "--count", "2"]);
        assert_eq!((&shown["classes"], warnings.len()), (&expected, 0), "{layout:?}");
        assert_eq!(model(&name), whole);
    }

    // Labels of 32 bits in eight columns; images in members of gzip, and as floats.
    let mut other = files.clone();
    let rows =
        files[1][8..].iter().flat_map(|&l| [i32::from(l), 0, 9, 9, 9, 9, 0, 0]).flat_map(i32::to_be_bytes);
    other[1] = [0, 0, 0x0c, 2, 0, 0, 0, COUNTS[0] as u8, 0, 0, 0, 8].into_iter().chain(rows).collect();
    let floats = files[2][16..].iter().flat_map(|&p| (f32::from(p) / 255.0).to_be_bytes());
    other[2] = [0, 0, 0x0d, 3].into_iter().chain(files[2][4..16].iter().copied()).chain(floats).collect();
    write(&here.join("other"), &FILES.map(PathBuf::from), &other);
    let (shown, warnings) = said(here, &["data", "show", "other", "--count", "2"]);
    assert_eq!(shown["classes"], expected);
    assert!(warnings[0].ends_with("8 columns, the first is used as the class, as in QMNIST"), "{warnings:?}");
    assert!(warnings[1].contains("float32 pixels, read as 0 to 1 and multiplied by 255"), "{warnings:?}");
    assert_eq!(model("other"), whole);
    let (evaluated, _) = said(here, &["eval", "run"]);
    assert_eq!(evaluated["confusion"], said(here, &["eval", "run", "--data", "plain"]).0["confusion"]);

    let mut colour = files.clone();
    colour[0].splice(0..16, [0, 0, 8, 4, 0, 0, 0, 80, 0, 0, 0, 6, 0, 0, 0, 6, 0, 0, 0, 3]);
    write(&here.join("colour"), &FILES.map(PathBuf::from), &colour);
    let line = fails(here, &["data", "show", "colour"], 3);
    assert!(line.ends_with(
        "uint8 of 4 dimensions: 80 x 6 x 6 x 3; colour images are not read yet; convert them to grey"
    ));

    // Two data sets in one folder are distinguished by the prefixes of their names.
    for split in ["digits", "letters"] {
        write(&here.join("gzip"), &FILES.map(|name| format!("emnist-{split}-{name}")), &files);
    }
    let line = fails(here, &["data", "show", "gzip"], 3);
    assert!(line.ends_with("type `--data gzip/emnist-digits` or `--data gzip/emnist-letters`"), "{line}");
    let chosen = said(here, &["data", "show", "gzip/emnist-letters", "--transpose=false", "--count", "2"]).0;
    assert_eq!(chosen["classes"], expected);
    fs::write(here.join("plain/val-images-idx3-ubyte"), "").unwrap();
    let (_, warnings) = said(here, &["data", "show", "plain"]);
    assert!(
        warnings[0].contains("val-images-idx3-ubyte is not read: validation images are split off"),
        "{warnings:?}"
    );
}

#[test]
fn other_formats_are_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let npz = |first: &str| {
        let mut zip = b"PK\x03\x04".to_vec();
        zip.resize(30, 0);
        zip[26] = first.len() as u8;
        [&zip[..], first.as_bytes()].concat()
    };
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    let files: [(&str, &[u8], &str); 7] = [
        ("data.zip", &npz("a.txt"), "a zip archive; unpack it: unzip "),
        ("mnist.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("train.parquet", b"PAR1", "a Parquet table; load it in Python"),
        (
            "download",
            b"<!DOCTYPE html><html>",
            "an HTML page, which a failed download leaves; download the file itself",
        ),
        (
            "pointer",
            lfs,
            "a Git LFS pointer, which stands for a file that was not fetched; fetch the file itself",
        ),
        ("a.png", b"\x89PNG\r\n\x1a\n", "a picture, not a folder of data; `selvedge predict MODEL a.png`"),
        ("net.onnx", b"\x08\x08\x3a\x01\x0a", "a file, not a folder: an ONNX file"),
    ];
    for (name, bytes, expected) in files {
        fs::write(here.join(name), bytes).unwrap();
        let line = fails(here, &["data", "show", name], 3);
        assert!(line.starts_with(&format!("error: no data: {name} is {expected}")), "{line}");
        // The same in a folder, for formats of data sets.
        let inside = here.join(format!("with-{name}"));
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join(name), bytes).unwrap();
        let line = fails(here, &with(&TRAIN, &[&format!("with-{name}")]), 3);
        let known = !["a.png", "net.onnx"].contains(&name);
        assert!(line.contains(&format!("has no IDX files; {name} is {expected}")) == known, "{line}");
        // And under the name of a file of a data set.
        if known {
            let four = FILES.map(|file| format!("named-{name}/{file}"));
            write(here, &four, &[0; 4].map(|_| bytes.to_vec()));
            let line = fails(here, &["data", "show", &format!("named-{name}")], 3);
            assert!(line.contains("train-images-idx3-ubyte: not an IDX file but a"), "{line}");
        }
    }
    // What is read as a file of its own is named where a folder holds it.
    let own: [(&str, &[u8]); 3] = [
        ("mnist.npz", &npz("x_train.npy")),
        ("images.npy", b"\x93NUMPY\x01\0"),
        ("train.csv", b"label,pixel1\n1,0\n"),
    ];
    for (name, bytes) in own {
        let inside = format!("with-{name}");
        fs::create_dir(here.join(&inside)).unwrap();
        fs::write(here.join(&inside).join(name), bytes).unwrap();
        let line = fails(here, &with(&TRAIN, &[&inside]), 3);
        assert!(line.contains(&format!("`--data {inside}/{name}` reads it")), "{line}");
    }
}

#[test]
fn pictures_on_any_background() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&support::TRAIN, &["--out", "run", "-q"]));
    let picture = |name: &str, color: png::ColorType, pixel: &dyn Fn(bool) -> Vec<u8>| {
        let file = fs::File::create(here.join(name)).unwrap();
        let mut encoder = png::Encoder::new(file, 6, 6);
        encoder.set_color(color);
        // The second class has its middle rows bright.
        let data: Vec<u8> = (0..36).flat_map(|p| pixel((9..18).contains(&p))).collect();
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
    };
    let grey = png::ColorType::Grayscale;
    picture("light.png", grey, &|ink| vec![if ink { 255 } else { 0 }]);
    picture("dark.png", grey, &|ink| vec![if ink { 0 } else { 255 }]);
    picture("ink.png", png::ColorType::Rgba, &|ink| vec![0, 0, 0, if ink { 255 } else { 0 }]);
    picture("chalk.png", png::ColorType::Rgba, &|ink| vec![255, 255, 255, if ink { 255 } else { 0 }]);
    picture("blank.png", grey, &|_| vec![7]);
    picture("clear.png", png::ColorType::Rgba, &|_| vec![0, 0, 0, 0]);
    let (light, warnings) = said(here, &["predict", "run", "light.png"]);
    assert_eq!((&light["label"], warnings.len()), (&"upper".into(), 0));
    assert_eq!(said(here, &["predict", "run", "chalk.png"]), (light.clone(), vec![]));
    let (dark, warnings) = said(here, &["predict", "run", "dark.png"]);
    assert_eq!(warnings.len(), 1);
    let (ink, warnings) = said(here, &["predict", "run", "ink.png"]);
    assert_eq!(ink["probabilities"], dark["probabilities"]);
    assert_eq!(
        warnings,
        [
            "the picture is dark on a transparent ground, which is taken as white, and models are trained on light on black; \
          add --invert to turn it round"
        ]
    );
    for name in ["dark.png", "ink.png"] {
        assert_eq!(said(here, &["predict", "run", name, "--invert"]), (light.clone(), vec![]));
    }
    for (name, greys) in [("blank.png", "7 to 7"), ("clear.png", "0 to 0")] {
        let (_, warnings) = said(here, &["predict", "run", name]);
        assert!(
            warnings[0].starts_with(&format!("the picture is blank: its pixels are all of grey {greys}")),
            "{warnings:?}"
        );
    }
    // A transposed picture, and a file of many images.
    let turned = said(here, &["predict", "run", "light.png", "--transpose"]).0;
    assert_ne!(turned["probabilities"], light["probabilities"]);
    let (many, warnings) = said(here, &["predict", "run", "data/t10k-images-idx3-ubyte"]);
    assert!(
        warnings[0].contains("holds 60 images, and the first is taken; --index N takes another"),
        "{warnings:?}"
    );
    let (first, warnings) = said(here, &["predict", "run", "data/t10k-images-idx3-ubyte", "--index", "0"]);
    assert_eq!((&first["probabilities"], warnings.len()), (&many["probabilities"], 0));
}

#[test]
fn verify_checks_the_files_that_training_would_read() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut files = four(&[0, 1, 2]);
    files[2] = idx::write_images(&Images {
        pixels: vec![9; 10_000 * 784],
        count: 10_000,
        rows: 28,
        cols: 28,
        channels: 1,
    });
    files[3] = idx::write_labels(&[7; 10_000]);
    let names = [
        "train-images.idx3-ubyte",
        "train-labels-idx1-ubyte.gz",
        "t10k-images.idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    write(&here.join("data"), &names, &files);
    let output = run(here, &["data", "verify", "--dir", "data", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let found = json_lines(&String::from_utf8(output.stdout).unwrap()).remove(0);
    let found: Vec<_> = found["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| [&f["name"], &f["state"]].map(|v| v.as_str().unwrap()))
        .collect();
    let states = ["corrupt", "wrong SHA-256", "unpacked", "unpacked"];
    assert_eq!(found, (0..4).map(|n| [names[n], states[n]]).collect::<Vec<_>>());
    let line = fails(here, &["data", "verify", "--dir", "data"], 3);
    assert!(line.contains("2 of 4 files in data are missing or corrupt"), "{line}");
}
