//! Folders and files of pictures, written by the tests or by Pillow (`tests/fuzz/corpus/jpeg`).

use std::fs;
use std::path::Path;

use png::{BitDepth, ColorType, Encoder};
use tempfile::TempDir;

use super::{Channels, PictureFolder, PictureOptions, is_picture_folder, read, read_file};
use crate::error::{ErrorKind, Result};

/// A 16x8 JPEG of four colours, red and green above blue and white, that is stored turned: EXIF orientation 6.
const TURNED: &[u8] = include_bytes!("../../../../tests/fuzz/corpus/jpeg/good-orientation-6");
/// The same in grey, progressive, upright.
const GREY: &[u8] = include_bytes!("../../../../tests/fuzz/corpus/jpeg/good-progressive-grey");

/// A PNG of one grey.
fn png(width: u32, height: u32, grey: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let pixels = vec![grey; (width * height) as usize];
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

/// A folder with these files.
fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn load(dir: &TempDir, options: &PictureOptions) -> Result<PictureFolder> {
    read(dir.path(), options, &mut |_, _| {})
}

/// The message of the error, without the path of the folder.
fn refusal(files: &[(&str, Vec<u8>)]) -> String {
    let dir = folder(files);
    let error = load(&dir, &PictureOptions::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    error
        .message
        .replace(&format!("{}/", dir.path().display()), "")
        .replace(&dir.path().display().to_string(), ".")
}

#[test]
fn classes_are_sorted_and_files_keep_their_order() {
    let dir = folder(&[
        ("10/a.png", png(2, 1, 10)),
        ("9/b.png", png(2, 1, 92)),
        ("9/a.png", png(2, 1, 91)),
        ("9/Thumbs.db", b"no picture".to_vec()),
        ("9/.hidden.png", png(5, 5, 1)),
        (".git/c.png", png(5, 5, 1)),
        ("notes.txt", b"text".to_vec()),
    ]);
    assert!(is_picture_folder(dir.path()));
    let mut steps = Vec::new();
    let set = read(dir.path(), &PictureOptions::default(), &mut |n, of| steps.push((n, of))).unwrap();
    assert_eq!(steps, [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(set.classes, ["9", "10"]);
    assert_eq!((set.train.images.pixels, set.train.labels), (vec![91, 91, 92, 92, 10, 10], vec![0, 0, 1]));
    assert_eq!((set.train.images.count, set.train.images.rows, set.train.images.cols), (3, 1, 2));
    assert!(set.train.files[1].ends_with("9/b.png") && set.val.is_none() && set.test.is_none());
    assert_eq!(set.notes.len(), 1);
    assert!(set.notes[0].starts_with("2 entries are no pictures and are ignored: "), "{}", set.notes[0]);
}

#[test]
fn sets_are_read_beside_each_other() {
    let dir = folder(&[
        ("Train/a/1.png", png(1, 1, 1)),
        ("Train/b/1.png", png(1, 1, 2)),
        ("validation/b/1.png", png(1, 1, 3)),
        ("test/a/1.png", png(1, 1, 4)),
        ("test/b/1.png", png(1, 1, 5)),
    ]);
    assert!(is_picture_folder(dir.path()));
    let set = load(&dir, &PictureOptions::default()).unwrap();
    let [val, test] = [set.val.unwrap(), set.test.unwrap()];
    assert_eq!((&set.train.images.pixels[..], &set.train.labels[..]), (&[1, 2][..], &[0, 1][..]));
    assert_eq!((&val.images.pixels[..], &val.labels[..]), (&[3][..], &[1][..]));
    assert_eq!((&test.images.pixels[..], &test.labels[..]), (&[4, 5][..], &[0, 1][..]));
    assert_eq!(set.notes.len(), 1);
    assert!(set.notes[0].ends_with("validation has no pictures of a"), "{}", set.notes[0]);
}

#[test]
fn what_is_wrong_is_one_line() {
    let good = || png(1, 1, 1);
    for (files, expected) in [
        (
            vec![("a/1.png", good())],
            ". has one folder, a, of pictures, and a classifier needs two classes or more",
        ),
        (vec![("a/1.png", good()), ("b/x.txt", vec![b'x'])], "b has no PNG or JPEG file"),
        (
            vec![("a/1.png", good()), ("b/1.png", vec![b'x'])],
            "b/1.png: a text file, neither a PNG nor a JPEG",
        ),
        (
            vec![("a/1.png", good()), ("b/1", b"GIF89a....".to_vec())],
            "b/1: a picture, neither a PNG nor a JPEG",
        ),
        (vec![("a/1.png", good()), ("b/1.png", good()[..40].to_vec())], "b/1.png: not a readable PNG"),
        (vec![("a/1.png", good()), ("b/c/1.png", good())], "b/c is a folder inside a class"),
        (
            vec![("test/a/1.png", good()), ("test/b/1.png", good())],
            ". has test, but no folder train beside it",
        ),
        (
            vec![("train/a/1.png", good()), ("train/b/1.png", good()), ("test/c/1.png", good())],
            "test/c: no such class is trained; the classes are a, b",
        ),
        (
            vec![
                ("train/a/1.png", good()),
                ("train/b/1.png", good()),
                ("val/a/1.png", good()),
                ("valid/a/1.png", good()),
            ],
            "val and valid are folders of the same set",
        ),
        (
            vec![("a/1.png", good()), ("b/1.png", png(3, 2, 1)), ("b/2.png", png(3, 2, 1))],
            "the pictures have 2 sizes: b/1.png is 3x2, a/1.png is 1x1; `--size 3x2`, the most frequent one, resizes them",
        ),
    ] {
        let message = refusal(&files);
        assert!(message.starts_with(expected), "{message}");
    }
    let many: Vec<_> = (0..257).map(|n| (format!("{n}/1.png"), good())).collect();
    let many: Vec<_> = many.iter().map(|(name, bytes)| (&name[..], bytes.clone())).collect();
    assert!(refusal(&many).ends_with("has 257 folders, and there are at most 256 classes"));
}

#[test]
fn sizes_and_colours_are_as_the_options_say() {
    let dir = folder(&[("a/1.jpg", TURNED.to_vec()), ("b/1.png", png(4, 8, 200))]);
    let size = Some((4, 8));
    let set = load(&dir, &PictureOptions { size, channels: None }).unwrap();
    assert_eq!(set.train.images.pixels.len(), 2 * 32);
    assert_eq!(set.train.images.pixels[32..], [200; 32]);
    assert_eq!(
        set.notes,
        ["1 of 2 pictures are in colour and are read as grey; `--channels rgb` keeps the colours"]
    );

    let channels = Some(Channels::Rgb);
    let set = load(&dir, &PictureOptions { size: Some((4, 4)), channels }).unwrap();
    assert_eq!((set.train.images.channels, set.train.images.pixels.len()), (3, 2 * 48));
    assert_eq!(set.train.images.pixels[48..], [200; 48]);
    assert_eq!(set.notes.len(), 1);
    assert!(set.notes[0].starts_with("2 of 2 pictures are distorted by --size 4x4: "), "{}", set.notes[0]);
    assert!(set.notes[0].ends_with("a/1.jpg is 8x16"), "{}", set.notes[0]);

    let zero = load(&dir, &PictureOptions { size: Some((0, 4)), channels }).unwrap_err();
    assert_eq!(zero.kind, ErrorKind::Usage);
}

#[test]
fn a_jpeg_comes_upright() {
    let options = PictureOptions { size: None, channels: Some(Channels::Rgb) };
    let picture = read_file(Path::new("f"), TURNED, &options).unwrap();
    assert_eq!((picture.images.rows, picture.images.cols, picture.file_size), (16, 8, (8, 16)));
    // Turned clockwise, what was below on the left is on the left above: blue and red above white and green.
    let at = |row: usize, col: usize| {
        let pixel = &picture.images.pixels[3 * (row * 8 + col)..][..3];
        [pixel[0] > 128, pixel[1] > 128, pixel[2] > 128]
    };
    assert_eq!([at(2, 1), at(2, 6)], [[false, false, true], [true, false, false]]);
    assert_eq!([at(13, 1), at(13, 6)], [[true, true, true], [false, true, false]]);
    assert!(picture.in_colour);

    let grey = read_file(Path::new("f"), GREY, &PictureOptions::default()).unwrap();
    assert_eq!((grey.images.rows, grey.images.cols, grey.in_colour), (8, 16, false));
    // The lumas of the colours, as Pillow reads them.
    for (at, expected) in [(16 + 2, 75), (16 + 13, 147), (6 * 16 + 2, 29), (6 * 16 + 13, 250)] {
        assert!(grey.images.pixels[at].abs_diff(expected) <= 3, "{at}: {}", grey.images.pixels[at]);
    }
}

#[test]
fn a_jpeg_that_is_cut_short_is_refused() {
    for file in [TURNED, GREY] {
        for length in 3..file.len() - 2 {
            let error = read_file(Path::new("f"), &file[..length], &PictureOptions::default()).unwrap_err();
            assert!(error.message.starts_with("f: not a readable JPEG: "), "{length}: {error}");
        }
        // What other programs append does no harm.
        let longer = [file, b"trailer"].concat();
        let options = PictureOptions::default();
        assert_eq!(read_file(Path::new("f"), &longer, &options), read_file(Path::new("f"), file, &options));
    }
}
