//! Files that are read, and the errors of those that are refused.

use super::*;
use crate::error::ErrorKind;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn images() -> Images {
    Images { pixels: (0..24).collect(), count: 4, rows: 2, cols: 3, channels: 1 }
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(file: &[u8]) -> Images {
    let (images, warning) = parse_images("f", file).unwrap();
    assert_eq!(warning, None);
    images
}

fn refused(file: &[u8]) -> String {
    let error = parse_images("f", file).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(!error.message.contains('\n'));
    error.message
}

#[test]
fn reads_what_it_writes_plain_and_gzip() {
    let file = write_images(&images());
    assert_eq!(read(&file), images());
    assert_eq!(read(&zip(&file)), images());
    let labels = write_labels(&[0, 9, 3]);
    assert_eq!(parse_labels("f", &zip(&labels), 0).unwrap(), (vec![0, 9, 3], None));
    assert_eq!(images().image(1).unwrap(), [6, 7, 8, 9, 10, 11]);
    assert_eq!(images().image(4), None);
}

#[test]
fn every_truncation_is_refused() {
    let file = write_images(&images());
    for n in 0..file.len() {
        refused(&file[..n]);
    }
    let zipped = zip(&file);
    for n in 0..zipped.len() {
        refused(&zipped[..n]);
    }
}

#[test]
fn messages_say_what_is_wrong() {
    let file = write_images(&images());
    assert_eq!(refused(&[]), "f: the file is empty");
    assert_eq!(refused(&file[..3]), "f: cut short: 3 bytes are too few for an IDX file");
    assert_eq!(refused(&file[..9]), "f: cut short: 9 bytes, and the header alone has 16");
    assert_eq!(refused(&file[..39]), "f: cut short: its header declares 24 bytes of images, 23 are there");
    let long = [&file[..], b"x"].concat();
    assert_eq!(refused(&long), "f: continues after the 24 bytes of images that its header declares");
    assert_eq!(refused(&zip(&long)), refused(&long));
    assert_eq!(refused(&write_labels(&[1])), "f: uint8 of 1 dimension: 1; these are labels, not images");
    assert_eq!(
        parse_labels("f", &file, 0).unwrap_err().message,
        "f: uint8 of 3 dimensions: 4 x 2 x 3; these are images, not labels"
    );
    assert!(refused(b"<html>").starts_with("f: not an IDX file but an HTML page"), "{}", refused(b"<html>"));
    assert!(refused(&zip(b"<html>")).starts_with("f: not an IDX file but, inside its gzip, an HTML page"));
}

#[test]
fn declared_dimensions_are_not_trusted() {
    let mut file = write_images(&images());
    file[4..16].fill(0xff);
    assert!(refused(&file).contains("more than any memory holds"));
    file[4..16].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]);
    assert!(refused(&file).contains("declares no images"));
    // 4 GB declared, a few bytes present: refused without allocating the memory.
    file[4..16].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0, 0xff, 0, 0, 0, 0xff]);
    assert!(refused(&file).starts_with("f: cut short"));
}

#[test]
fn a_gzip_bomb_is_not_inflated() {
    let bomb = [&write_images(&images())[..], &vec![0; 50_000_000]].concat();
    assert!(refused(&zip(&bomb)).starts_with("f: continues after"));
}

#[test]
fn damaged_gzip_is_refused() {
    let mut file = zip(&write_images(&images()));
    let n = file.len() - 6;
    file[n] ^= 1;
    assert!(refused(&file).starts_with("f: corrupt gzip"), "{}", refused(&file));
}

/// A file of the type `code`, with the bytes of its elements.
fn file(code: u8, dims: &[u32], elements: &[u8]) -> Vec<u8> {
    let dims_bytes = dims.iter().flat_map(|d| d.to_be_bytes());
    [0, 0, code, dims.len() as u8].into_iter().chain(dims_bytes).chain(elements.iter().copied()).collect()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_be_bytes()).collect()
}

fn i16s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|&x| (x as u16).to_be_bytes()).collect()
}

fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_be_bytes()).collect()
}

#[test]
fn a_gzip_of_several_members_is_read_whole() {
    let bytes = write_images(&images());
    let (a, b) = bytes.split_at(21);
    assert_eq!(read(&[zip(a), zip(b), zip(&[])].concat()), images());
    assert!(refused(&[zip(a), zip(b), zip(&[1])].concat()).starts_with("f: continues after"));
    assert!(refused(&[&zip(&bytes)[..], b"more"].concat()).starts_with("f: "));
    assert!(refused(&zip(a)).starts_with("f: cut short"));
}

#[test]
fn a_fourth_dimension_of_one_is_ignored() {
    let pixels: Vec<u8> = (0..24).collect();
    for dims in [[4, 1, 2, 3], [4, 2, 3, 1]] {
        assert_eq!(read(&file(8, &dims, &pixels)), images());
    }
    assert_eq!(
        refused(&file(8, &[2, 2, 2, 3], &pixels)),
        "f: uint8 of 4 dimensions: 2 x 2 x 2 x 3; colour images are not read yet; convert them to grey"
    );
    assert_eq!(
        refused(&file(0x0d, &[60, 28, 28, 3], &[])),
        "f: float32 of 4 dimensions: 60 x 28 x 28 x 3; colour images are not read yet; convert them to grey"
    );
    assert!(refused(&file(8, &[4, 6], &pixels)).contains("uint8 of 2 dimensions: 4 x 6; images have rows"));
    assert!(refused(&file(8, &[1, 2, 2, 2, 3], &pixels)).contains("of 5 dimensions"));
    assert!(refused(&file(8, &[1; 200], &pixels)).contains("uint8 of 200 dimensions, which no file"));
    assert!(refused(&file(0x0a, &[4, 2, 3], &pixels)).contains("elements of the unknown type 0x0a"));
    assert!(refused(&[3, 8, 0, 0, 4, 0, 0, 0]).contains("a little-endian header"));
}

#[test]
fn other_types_are_converted_by_the_scale_that_their_values_show() {
    let converted = |code: u8, elements: &[u8], count: u32| {
        let (images, warning) = parse_images("f", &file(code, &[1, 1, count], elements)).unwrap();
        (images.pixels, warning.unwrap())
    };
    let (pixels, warning) = converted(0x0d, &f32s(&[0.0, 0.5, 1.0, 0.25]), 4);
    assert_eq!(pixels, [0, 128, 255, 64]);
    assert_eq!(
        warning,
        "f: float32 pixels, read as 0 to 1 and multiplied by 255; write unsigned bytes where that is wrong"
    );
    let (pixels, warning) = converted(0x0d, &f32s(&[0.4, 254.6, 100.0]), 3);
    assert_eq!(pixels, [0, 255, 100]);
    assert!(warning.contains("read as 0 to 255 and rounded"), "{warning}");
    let doubles: Vec<u8> = [0.0f64, 1.0].iter().flat_map(|x| x.to_be_bytes()).collect();
    assert_eq!(converted(0x0e, &doubles, 2).0, [0, 255]);
    let (pixels, warning) = converted(0x0b, &i16s(&[0, 257, 32_896, 65_535]), 4);
    assert_eq!(pixels, [0, 1, 128, 255]);
    assert!(warning.contains("0 to 65535 and divided by 257"), "{warning}");
    assert_eq!(converted(0x0b, &i16s(&[0, 7, 255]), 3).0, [0, 7, 255]);
    assert_eq!(converted(0x0c, &i32s(&[0, 257, 65_535]), 3).0, [0, 1, 255]);
    assert_eq!(converted(0x0c, &i32s(&[0, 9, 250]), 3).0, [0, 9, 250]);
    assert_eq!(converted(0x09, &[0, 1, 1], 3).0, [0, 255, 255]);
    assert_eq!(converted(0x09, &[0, 100, 127], 3).0, [0, 100, 127]);
}

#[test]
fn values_of_ambiguous_scale_are_refused() {
    let refused = |code: u8, elements: &[u8], count: u32| refused(&file(code, &[1, 1, count], elements));
    assert!(refused(0x0d, &f32s(&[0.0, f32::NAN]), 2).contains("not finite"));
    assert!(refused(0x0d, &f32s(&[f32::INFINITY]), 1).contains("not finite"));
    assert_eq!(
        refused(0x0d, &f32s(&[-0.4, 2.8]), 2),
        "f: float32 pixels of -0.4000000059604645 to 2.799999952316284: grey is 0 or more; write them as unsigned bytes of \
         0 to 255"
    );
    assert!(refused(0x0d, &f32s(&[0.0, 2.5]), 2).contains("neither 0 to 1 nor 0 to 255"));
    assert!(refused(0x0d, &f32s(&[0.0, 300.0]), 2).contains("none of the scales"));
    assert!(refused(0x09, &[0, 0x80], 2).contains("int8 pixels of -128 to 0: grey is 0 or more"));
    // Signed or unsigned: bytes minus a mean look like this, and so do black and white in 16 bits.
    assert!(refused(0x0b, &i16s(&[-3, 200]), 2).contains("int16 pixels of -3 to 200: grey is 0 or more"));
    assert!(refused(0x0b, &i16s(&[0, 4095]), 2).contains("none of the scales"));
    assert!(refused(0x0c, &i32s(&[0, 70_000]), 2).contains("none of the scales"));
    // A training and a test set on different scales.
    let parse = |values: &[f32]| RawImages::parse("f", &file(0x0d, &[1, 1, 2], &f32s(values))).unwrap();
    let [unit, byte] = [[0.0, 1.0], [0.0, 255.0]].map(|values| parse(&values));
    assert!(unit.check_same_scale(&byte).unwrap_err().message.contains("write both as unsigned bytes"));
    unit.check_same_scale(&unit).unwrap();
    let bytes = RawImages::parse("f", &write_images(&images())).unwrap();
    bytes.check_same_scale(&unit).unwrap();
}

#[test]
fn bytes_of_0_and_1_cause_a_warning() {
    let (images, warning) = parse_images("f", &file(8, &[1, 1, 3], &[0, 1, 1])).unwrap();
    assert_eq!(images.pixels, [0, 1, 1]);
    assert!(warning.unwrap().contains("no pixel is above 1 of 255, so every image is black"));
}

#[test]
fn labels_of_any_integer_type() {
    let parse = |code: u8, dims: &[u32], elements: &[u8]| parse_labels("f", &file(code, dims, elements), 0);
    let read = |code: u8, dims: &[u32], elements: &[u8]| parse(code, dims, elements).unwrap().0;
    assert_eq!(read(0x08, &[3, 1], &[1, 0, 255]), [1, 0, 255]);
    assert_eq!(read(0x09, &[2], &[1, 127]), [1, 127]);
    assert_eq!(read(0x0b, &[2], &i16s(&[1, 255])), [1, 255]);
    assert_eq!(read(0x0c, &[2, 1], &i32s(&[1, 255])), [1, 255]);
    let qmnist = i32s(&[[7, 0, 1, 2, 37, 0, 0, 0], [3, 0, 1, 2, 33, 1, 0, 0]].concat());
    let (labels, warning) = parse(0x0c, &[2, 8], &qmnist).unwrap();
    assert_eq!(labels, [7, 3]);
    assert!(warning.unwrap().contains("8 columns, the first is used as the class, as in QMNIST"));
    let named = parse_labels("data/qmnist-train-labels-idx2-int", &file(0x0c, &[2, 8], &qmnist), 0).unwrap();
    assert_eq!(named, (vec![7, 3], None));
    let bad = |code: u8, dims: &[u32], elements: &[u8]| parse(code, dims, elements).unwrap_err().message;
    assert_eq!(bad(0x09, &[2], &[0, 0xff]), "f: label 1 is -1, but labels are 0 or more");
    assert!(
        bad(0x0c, &[2], &i32s(&[0, 256]))
            .contains("label 1 is 256, but there are at most 256 classes, 0 to 255")
    );
    assert!(bad(0x0d, &[1], &f32s(&[1.0])).contains("float32 of 1 dimension: 1; labels are whole numbers"));
    assert!(
        bad(0x08, &[1, 10], &[0; 10]).contains("uint8 of 2 dimensions: 1 x 10; labels have one dimension")
    );
    assert!(bad(0x0c, &[1, 8], &i32s(&[0, 1, 0, 0, 0, 0, 0, 0])).contains("these are one-hot labels"));
    assert!(bad(0x08, &[1, 2, 3], &[0; 6]).contains("these are images, not labels"));
}

#[test]
fn the_first_label_is_class_0() {
    let parse = |labels: &[u8], first| parse_labels("f", &write_labels(labels), first);
    assert_eq!(parse(&[1, 26], 1).unwrap().0, [0, 25]);
    assert_eq!(
        parse(&[1, 0], 1).unwrap_err().message,
        "f: label 1 is 0, but --first-label says that labels start at 1"
    );
    let years = file(0x0c, &[2], &i32s(&[1990, 2024]));
    assert_eq!(parse_labels("f", &years, 1990).unwrap().0, [0, 34]);
    assert!(parse_labels("f", &years, 0).unwrap_err().message.ends_with("name the first with --first-label"));
}

#[test]
fn images_are_transposed_in_place() {
    let mut images = images();
    images.transpose();
    assert_eq!((images.rows, images.cols), (3, 2));
    assert_eq!(images.image(0).unwrap(), [0, 3, 1, 4, 2, 5]);
    images.transpose();
    assert_eq!(images, self::images());
}
