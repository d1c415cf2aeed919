//! Arrays as NumPy writes them: headers in its words, elements by hand.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Array, Arrays, Labels, Values, images, is_npy, is_npz, labels, read_bytes, rows};
use crate::error::ErrorKind;

/// An `.npy` file.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    while (text.len() + 11) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
}

/// An `.npz` file, as numpy.savez or numpy.savez_compressed writes it.
fn npz(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn array(file: &[u8]) -> Array {
    read_bytes("f", file).unwrap().x
}

/// Bytes of n samples.
fn bytes(n: usize) -> Vec<u8> {
    npy("'|u1'", false, &format!("({n},)"), &vec![7; n])
}

fn refusal(file: &[u8]) -> String {
    let error = read_bytes("f", file).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    error.message
}

#[test]
fn every_type_and_byte_order() {
    fn le<const N: usize>(elements: &[[u8; N]]) -> Vec<u8> {
        elements.concat()
    }
    let int = |values: &[i64]| Values::I64(values.to_vec());
    for (descr, data, expected) in [
        ("'|u1'", vec![1, 255], Values::U8(vec![1, 255])),
        ("'|b1'", vec![0, 1], Values::U8(vec![0, 1])),
        ("'|i1'", vec![1, 255], int(&[1, -1])),
        ("'<i2'", le(&[258_i16, -3].map(i16::to_le_bytes)), int(&[258, -3])),
        ("'>i2'", le(&[258_i16, -3].map(i16::to_be_bytes)), int(&[258, -3])),
        ("'<u2'", le(&[258_u16, 65_533].map(u16::to_le_bytes)), int(&[258, 65_533])),
        ("'>i4'", le(&[70_000_i32, -3].map(i32::to_be_bytes)), int(&[70_000, -3])),
        ("'<u4'", le(&[4_000_000_000_u32, 3].map(u32::to_le_bytes)), int(&[4_000_000_000, 3])),
        ("'<i8'", le(&[1_i64 << 40, -3].map(i64::to_le_bytes)), int(&[1 << 40, -3])),
        ("'>u8'", le(&[1_u64 << 40, 3].map(u64::to_be_bytes)), int(&[1 << 40, 3])),
        ("'<f2'", le(&[0x3c00_u16, 0xc000].map(u16::to_le_bytes)), Values::F32(vec![1.0, -2.0])),
        ("'>f4'", le(&[0.1_f32, -2.0].map(f32::to_be_bytes)), Values::F32(vec![0.1, -2.0])),
        ("'<f8'", le(&[0.1_f64, -2.0].map(f64::to_le_bytes)), Values::F32(vec![0.1, -2.0])),
        ("'|S2'", b"abc\0".to_vec(), Values::Text(vec!["ab".into(), "c".into()])),
        (
            "'<U2'",
            le(&[97_u32, 0xe9, 99, 0].map(u32::to_le_bytes)),
            Values::Text(vec!["aé".into(), "c".into()]),
        ),
    ] {
        let file = npy(descr, false, "(2,)", &data);
        assert!(is_npy(&file) && !is_npz(&file));
        let array = array(&file);
        assert_eq!((&array.shape[..], array.values), (&[2][..], expected), "{descr}");
    }
}

#[test]
fn headers_of_every_version_and_spacing() {
    let file = |start: &[u8], text: &str| {
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        let length = if start[0] == 1 { &length[..2] } else { &length[..] };
        [b"\x93NUMPY", start, length, text.as_bytes(), &[1, 0, 2, 0]].concat()
    };
    // What numpy.lib.format.write_array writes by version.
    let numpy = "{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }                                                 \n";
    for version in 1..=3 {
        assert_eq!(array(&file(&[version, 0], numpy)).values, Values::I64(vec![1, 2]), "{version}");
    }
    for text in [
        "{'shape':(2,),'descr':'<u2','fortran_order':True}",
        "{ \"fortran_order\" : False , \"shape\" : ( 2 , ) , \"descr\" : \"<u2\" }\n",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2L,), }",
    ] {
        assert_eq!(array(&file(&[1, 0], text)).values, Values::I64(vec![1, 2]), "{text}");
    }
    for (version, text, expected) in [
        (4, numpy, "f: version 4.0 of the .npy format"),
        (1, "", "f: damaged: its header has something else than {"),
        (1, "{'descr': '<u2', 'shape': (2,)}", "f: damaged: its header has no fortran_order"),
        (1, "{'descr': '<u2', 'descr': '<u2'}", "f: damaged: its header has the key descr twice"),
        (1, "{'descr': '<u2', 'order': 'C'}", "f: damaged: its header has the unknown key order"),
        (1, "{'descr': '<u2' 'shape': (2,)}", "f: damaged: its header has something else than }"),
        (1, "{'descr': '\\x3cu2'}", "f: damaged: its header has something else than a plain string"),
        (1, "{'fortran_order': 0}", "f: damaged: its header has something else than True or False"),
        (1, "{'shape': (2)}", "f: damaged: its header has something else than the comma of a tuple"),
        (1, "{'shape': (-2,)}", "f: damaged: its header has something else than a dimension"),
        (1, "{'shape': (2,), 'descr': '<u2', 'fortran_order': False} + exit()", "f: damaged: its header has"),
    ] {
        let message = refusal(&file(&[version, 0], text));
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(refusal(&file(&[2, 0], &" ".repeat(10_001))).starts_with("f: damaged: a header of 10001 bytes"));
    assert!(refusal(b"\x93NUMPY\x01\x00\xff\x00{").starts_with("f: damaged: its header cannot be read"));
    // A single number is an array without dimensions.
    assert_eq!(refusal(&npy("'<f8'", false, "()", &[0; 8])), "f: a single number, not an array of samples");
}

#[test]
fn fortran_order_becomes_row_major() {
    // numpy.arange(24).reshape(2, 3, 4) stored with its first dimension varying fastest.
    let stored: Vec<u8> = (0..24).map(|n| (n % 2 * 12 + n / 2 % 3 * 4 + n / 6) as u8).collect();
    let array = array(&npy("'|u1'", true, "(2, 3, 4)", &stored));
    assert_eq!(array.values, Values::U8((0..24).collect()));
}

#[test]
fn archives_by_their_names() {
    let set = |n: usize| npy("'|u1'", false, &format!("({n}, 2, 2)"), &vec![9; 4 * n]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let file = npz(
            &[
                ("y_test", bytes(1)),
                ("X_train", set(3)),
                ("y_train", bytes(3)),
                ("x_test", set(1)),
                ("note", bytes(2)),
            ],
            method,
        );
        assert!(is_npz(&file));
        let Arrays { x, y, x_test, y_test, notes } = read_bytes("f", &file).unwrap();
        assert_eq!((x.len(), y.unwrap().len(), x_test.unwrap().len(), y_test.unwrap().len()), (3, 3, 1, 1));
        assert_eq!((&x.name[..], notes), ("f: X_train", vec!["f: ignoring the arrays note".to_string()]));
    }
    for [a, b] in [["X", "y"], ["data", "target"], ["images", "labels"], ["train_images", "train_labels"]] {
        let read = read_bytes("f", &npz(&[(a, set(2)), (b, bytes(2))], CompressionMethod::Stored)).unwrap();
        assert_eq!((read.x.len(), read.y.unwrap().len(), read.x_test), (2, 2, None), "{a}");
    }
}

#[test]
fn what_is_wrong_is_one_line() {
    let archive = |members: &[(&str, Vec<u8>)]| refusal(&npz(members, CompressionMethod::Stored));
    let float = |x: f64| npy("'<f8'", false, "(1,)", &x.to_le_bytes());
    for (message, expected) in [
        (
            refusal(&npy("'|O'", false, "(1,)", b"\x80\x04N.")),
            "f: holds pickled Python objects, which can run code; save it",
        ),
        (
            archive(&[("x", bytes(1)), ("y", npy("'|O'", false, "(1,)", b"N."))]),
            "f: y: holds pickled Python objects",
        ),
        (
            archive(&[("arr_0", bytes(1)), ("arr_1", bytes(1))]),
            "f: holds the arrays arr_0, arr_1; expected are x_train and",
        ),
        (archive(&[("x", bytes(1)), ("X", bytes(1))]), "f: holds both x and X"),
        (archive(&[("x", bytes(2)), ("y", bytes(3))]), "f: x has 2 samples, but f: y has 3"),
        (
            archive(&[("x", npy("'|u1'", false, "(1, 2)", &[1, 2])), ("x_test", bytes(1))]),
            "f: x_test has samples of another",
        ),
        (refusal(&npy("'|u1'", false, "(0, 4)", &[])), "f: no samples: its shape is (0, 4)"),
        (refusal(&npy("'|u1'", false, "()", &[1])), "f: a single number"),
        (
            refusal(&npy("'|u1'", false, "(9,)", &[1])),
            "f: cut short: its header declares the shape (9,) of |u1, and",
        ),
        (
            refusal(&npy("'|u1'", false, "(1,)", &[1, 2])),
            "f: damaged: its header declares the shape (1,) of |u1",
        ),
        (refusal(&npy("'<M8[ns]'", false, "(1,)", &[0; 8])), "f: has elements of type <M8[ns]"),
        (refusal(&npy("'|b1'", false, "(1,)", &[7])), "f: damaged: a boolean of 7"),
        (refusal(&npy("'<U1'", false, "(1,)", &[0, 0xd8, 0, 0])), "f: damaged: 0xd800 is no character"),
        (refusal(&npy("'<c8'", false, "(1,)", &[0; 8])), "f: has elements of type"),
        (refusal(&npy("[('a', '<f4')]", false, "(1,)", &[0; 4])), "f: a structured array"),
        (refusal(&float(f64::INFINITY)), "f: holds infinite values"),
        (refusal(&float(1e300)), "f: holds 1e300, which is too large"),
        (refusal(b"PK\x03\x04 no zip"), "f: not a readable .npz archive"),
        // What a parser could recurse on, or multiply beyond 64 bits.
        (refusal(&npy(&"(".repeat(9000), false, "(1,)", &[])), "f: a structured array"),
        (refusal(&npy("'|u1'", false, &"(".repeat(9000), &[])), "f: damaged: its header has something"),
        (
            refusal(&npy("'|u1'", false, "(9999999999, 9999999999)", &[])),
            "f: cut short: its header declares the",
        ),
        (refusal(&npy("'<U9999999999'", false, "(999999999,)", &[])), "f: cut short"),
        (
            refusal(&npy("'|u1'", false, "(99999999999999999999,)", &[])),
            "f: damaged: its header has something",
        ),
    ] {
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(matches!(array(&float(f64::NAN)).values, Values::F32(v) if v[0].is_nan()));
}

#[test]
fn arrays_become_images() {
    let (set, note) = images(array(&npy("'|u1'", false, "(1, 1, 2, 3)", &[1, 2, 3, 4, 5, 6]))).unwrap();
    assert_eq!((set.count, set.rows, set.cols, set.channels, note), (1, 1, 2, 3, None));
    assert_eq!(set.pixels, [1, 2, 3, 4, 5, 6]);
    let floats =
        |values: [f32; 2]| npy("'<f4'", false, "(1, 1, 2, 1)", &values.map(f32::to_le_bytes).concat());
    let (set, note) = images(array(&floats([0.5, 1.0]))).unwrap();
    assert_eq!((set.pixels, set.channels), (vec![128, 255], 1));
    assert!(note.unwrap().starts_with("f: <f4 pixels, read as 0 to 1 and multiplied by 255"));
    let wide = npy("'<i8'", false, "(1, 1, 2)", &[0_i64, 254].map(i64::to_le_bytes).concat());
    assert_eq!(images(array(&wide)).unwrap().0.pixels, [0, 254]);
    for (file, expected) in [
        (floats([-1.0, 1.0]), "f: <f4 pixels of -1 to 1: grey is 0 or more"),
        (npy("'|u1'", false, "(1, 3, 2, 2)", &[0; 12]), "f of shape (1, 3, 2, 2): channels come last"),
        (npy("'|u1'", false, "(3,)", &[0; 3]), "f of shape (3,): images are"),
    ] {
        let message = images(array(&file)).unwrap_err().message;
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn arrays_become_rows_and_labels() {
    assert_eq!(
        rows(array(&npy("'|i1'", false, "(2, 2)", &[1, 2, 3, 255]))).unwrap(),
        (2, 2, vec![1.0, 2.0, 3.0, -1.0])
    );
    assert_eq!(rows(array(&bytes(2))).unwrap(), (2, 1, vec![7.0, 7.0]));

    let labels = |file: &[u8]| labels(array(file));
    assert_eq!(
        labels(&npy("'|u1'", false, "(2, 1)", &[3, 0])).unwrap(),
        (Labels::Integers(vec![3, 0]), None)
    );
    let (classes, note) = labels(&npy("'|u1'", false, "(2, 3)", &[0, 0, 1, 1, 0, 0])).unwrap();
    assert_eq!((classes, note.is_some()), (Labels::Integers(vec![2, 0]), true));
    let several = labels(&npy("'|u1'", false, "(2, 2)", &[1, 1, 1, 0])).unwrap();
    assert_eq!(several, (Labels::Numbers { columns: 2, values: vec![1.0, 1.0, 1.0, 0.0] }, None));
    let text = labels(&npy("'|S3'", false, "(2,)", b"catdog")).unwrap();
    assert_eq!(text, (Labels::Text(vec!["cat".into(), "dog".into()]), None));
    let missing = labels(&npy("'<f4'", false, "(1,)", &f32::NAN.to_le_bytes())).unwrap_err();
    assert_eq!(missing.message, "f: the target of sample 0 is NaN; remove the samples without one");
}
