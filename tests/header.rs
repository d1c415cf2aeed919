//! The header of a flash file: its limits, and what a reader says of one that is damaged, hostile or of a later time.

mod common;

use common::flash::{Aligned, Network, forged};
use selvedge::format::{
    Dtype, HEADER_BYTES, Header, HeaderBuf, MAX_LAYERS, ModelView, Packing, RECORD_BYTES,
};
use selvedge::{Error, Shape};

/// The first layer's record.
const RECORD: usize = HEADER_BYTES;

fn golden() -> Aligned {
    Network::golden().file(Dtype::I8, Packing::CortexM4)
}

#[test]
fn hostile_headers_are_refused_with_their_numbers() {
    let file = golden();
    let refused =
        |at: usize, bytes: &[u8]| ModelView::parse(forged(&file, &[(at, bytes)]).get()).unwrap_err();
    let len = file.get().len();
    assert_eq!(refused(0, b"SELF"), Error::NoModel);
    for found in [0, 3, 255] {
        assert_eq!(refused(4, &[found]), Error::Version { found, known: 2 });
    }
    let floats: [(usize, &[u8]); 3] =
        [(RECORD + 4, &[0]), (RECORD + 6, &[0]), (RECORD + RECORD_BYTES + 4, &[0])];
    let refused_floats = ModelView::parse(forged(&file, &floats).get()).unwrap_err();
    assert_eq!(refused_floats, Error::PackingOf { packing: "cortex-m4", dtype: "f32" });
    assert_eq!(refused(6, &[0]), Error::Layers { layers: 0, max: 32 });
    assert_eq!(refused(6, &[33]), Error::Layers { layers: 33, max: 32 });
    assert_eq!(refused(6, &[255]), Error::Layers { layers: 255, max: 32 });
    assert_eq!(refused(RECORD, &[0; 2]), Error::Width { position: 0, width: 0, max: 32_768 });
    assert_eq!(refused(RECORD, &[0xff; 4]), Error::Width { position: 0, width: 65_535, max: 32_768 });
    assert_eq!(refused(RECORD + 2, &[0xff; 2]), Error::Width { position: 1, width: 65_535, max: 32_768 });
    let inputs = Error::Length { what: "inputs of a layer", expected: 19, actual: 18 };
    assert_eq!(refused(RECORD + RECORD_BYTES, &[18, 0]), inputs);
    assert!(matches!(refused(RECORD, &[0, 0x80]), Error::Length { what: "image pixels", .. }));
    assert!(matches!(refused(20, &[7]), Error::Length { what: "image pixels", expected: 64, actual: 56 }));
    assert!(matches!(refused(30, &[0xff; 2]), Error::Length { what: "bytes of the flash file", .. }));
    assert_eq!(refused(8, &[0xff; 4]), Error::Truncated { expected: 0xffff_ffff, actual: len });
    // A seed or a CRC of a self-test that the flags do not announce.
    let crc = Header::read(file.get()).unwrap().self_test().unwrap().crc;
    for (seed, crc) in [(7, crc), (0, crc), (7, 0)] {
        let test = [u32::to_le_bytes(seed), crc.to_le_bytes()].concat();
        let changes: [(usize, &[u8]); 2] = [(7, &[0]), (40, &test)];
        let expected = Error::Field { at: 40, value: seed | crc };
        assert_eq!(ModelView::parse(forged(&file, &changes).get()).unwrap_err(), expected);
    }
}

/// A file that is sound but uses what is reserved is refused by the name of that.
#[test]
fn what_later_versions_read_is_refused_by_name() {
    let file = golden();
    let second = RECORD + RECORD_BYTES;
    for (at, code, what) in [
        (5, 4, "an unknown packing"),
        (7, 2, "an unknown flag"),
        (16, 1, "inputs other than bytes without an affine map"),
        (16, 4, "inputs of an unknown type"),
        (17, 4, "an input table per feature"),
        (17, 5, "an unknown input map"),
        (18, 1, "images that are resized"),
        (24, 28, "images that are resized"),
        (27, 1, "images that are resized"),
        (28, 4, "outputs of an unknown task"),
        (19, 7, "inputs of another number of bits"),
        (60, 1, "an unknown field"),
        (63, 1, "an unknown field"),
        (RECORD + 4, 5, "i2 weights"),
        (RECORD + 4, 6, "ternary weights"),
        (second + 4, 7, "weights of an unknown type"),
        (second + 4, 4, "layers of different types"),
        (second + 5, 1, "an activation after the last layer"),
        (RECORD + 5, 6, "the activation hard sigmoid"),
        (RECORD + 5, 8, "the activation GELU"),
        (RECORD + 5, 9, "the activation SiLU"),
        (second + 5, 200, "an unknown activation"),
        (RECORD + 6, 24, "multipliers of another width"),
        (second + 6, 16, "multipliers of another width"),
        (RECORD + 7, 16, "biases of another width"),
        (RECORD + 8, 1, "layers that are not dense"),
        (second + 9, 1, "an unknown field of a layer"),
        (second + 15, 1, "an unknown field of a layer"),
    ] {
        let error = ModelView::parse(forged(&file, &[(at, &[code])]).get()).unwrap_err();
        assert_eq!(error, Error::Newer { at, code, what });
        let text = error.to_string();
        assert!(text.contains(what) && text.ends_with("it needs a newer selvedge"), "{text}");
    }
    // Of a damaged file only the damage is told.
    let mut damaged = golden();
    damaged.get_mut()[RECORD + 4] = 5;
    assert!(matches!(ModelView::parse(damaged.get()), Err(Error::Crc { .. })));
}

/// Fields that belong to other tasks, tasks that do not suit the network, windows that do not divide its inputs.
#[test]
fn fields_that_contradict_each_other_are_refused() {
    let file = golden();
    let field = |at: usize, value: u32| Err(Error::Field { at, value });
    let (of, to) = (file.get().len(), 5);
    for (changes, expected) in [
        (&[(35, 0x3f)][..], field(32, 0x3f00_0000)),
        (&[(29, 3)], field(29, 3)),
        (&[(55, 1)], field(52, 1 << 24)),
        (&[(28, 1), (36, 9)], field(36, 9)),
        (&[(28, 3)], Err(Error::Length { what: "outputs of a reconstruction", expected: 64, actual: to })),
        (&[(48, 2)], field(48, 2)),
        (&[(50, 2)], field(48, 2 << 16)),
        (&[(48, 3), (50, 1)], field(48, 3 | 1 << 16)),
        (
            &[(17, 2), (19, 8)],
            Err(Error::Newer { at: 19, code: 8, what: "inputs of another number of bits" }),
        ),
        // A map or numbers for each output make the file longer.
        (&[(17, 0)], Err(Error::Length { what: "bytes of the flash file", expected: of - 256, actual: of })),
        (&[(28, 2)], Err(Error::Length { what: "bytes of the flash file", expected: of + 48, actual: of })),
    ] {
        let bytes: Vec<(usize, [u8; 1])> = changes.iter().map(|&(at, code)| (at, [code])).collect();
        let changes: Vec<(usize, &[u8])> = bytes.iter().map(|(at, code)| (*at, &code[..])).collect();
        let found = ModelView::parse(forged(&file, &changes).get()).map(|_| ());
        assert_eq!(found, expected, "{changes:?}");
    }
    // What is sound: a margin, labels with a threshold, windows of two rows.
    for changes in [&[(36, &[9][..])][..], &[(28, &[1]), (32, &[7])], &[(48, &[2, 0, 1, 0])]] {
        ModelView::parse(forged(&file, changes).get()).unwrap();
    }
}

#[test]
fn a_header_is_read_from_its_own_bytes() {
    let file = golden();
    let whole = Header::read(file.get()).unwrap();
    let len = whole.header_bytes();
    assert_eq!((whole.version(), len), (2, HEADER_BYTES + 2 * RECORD_BYTES));
    assert_eq!(Header::read(&file.get()[..len]), Ok(whole));
    for (short, expected) in [(HEADER_BYTES - 1, HEADER_BYTES), (HEADER_BYTES, len), (len - 1, len)] {
        let expected = Error::Truncated { expected, actual: short };
        assert_eq!(Header::read(&file.get()[..short]), Err(expected));
    }
    assert_eq!((whole.image(), whole.to_string()), (Some((8, 8)), "64-19-5".into()));
    assert_eq!((whole.params(), whole.macs()), (64 * 19 + 19 + 19 * 5 + 5, 64 * 19 + 19 * 5));
    assert_eq!(whole.shape(), Shape::new(&[64, 19, 5]));
}

#[test]
fn a_header_is_made_within_its_limits() {
    let make = || HeaderBuf::new(Shape::new(&[64, 19, 5]).unwrap(), Dtype::I8, Packing::Generic).unwrap();
    for (rows, cols) in [(64, 1), (1, 64), (16, 4)] {
        assert_eq!(make().with_image(rows, cols).unwrap().header().image(), Some((rows, cols)));
    }
    for (rows, cols) in [(65, 1), (1, 65), (0, 64), (usize::MAX, 2), (8, 7)] {
        make().with_image(rows, cols).unwrap_err();
    }
    assert_eq!(make().with_label_bytes(65_535).unwrap().file_bytes(), make().file_bytes() + 65_536);
    assert_eq!(make().with_label_bytes(65_536), Err(Error::Labels));
    let of = |widths: &[usize]| HeaderBuf::from_widths(widths, Dtype::I8, Packing::Generic);
    assert_eq!(of(&[5]).unwrap_err(), Error::Layers { layers: 0, max: 32 });
    assert_eq!(of(&[]).unwrap_err(), Error::Layers { layers: 0, max: 32 });
    assert_eq!(of(&[5; MAX_LAYERS + 2]).unwrap_err(), Error::Layers { layers: 33, max: 32 });
    assert_eq!(of(&[5, 0]).unwrap_err(), Error::Width { position: 1, width: 0, max: 32_768 });
    let deep = of(&[5; MAX_LAYERS + 1]).unwrap();
    assert_eq!((deep.header().layers(), deep.header().width(32), deep.header().width(33)), (32, 5, 0));
    assert_eq!(deep.header().shape(), Shape::new(&[5; MAX_LAYERS + 1]));
}
