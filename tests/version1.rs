//! Files of version 1: still read, with the same logits, and refused where they are damaged.

mod common;

use std::fs;
use std::path::Path;

use common::flash::{Aligned, file_name, float_logits, forged, integer_logits, kinds, self_test_crc};
use selvedge::Error;
use selvedge::format::{Builder, Dtype, Header, HeaderBuf, ModelView, Packing, SelfTest};

fn fixture(folder: &str, dtype: Dtype, packing: Packing) -> Aligned {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    Aligned::of(&fs::read(folder.join(file_name(dtype, packing))).unwrap())
}

fn old(dtype: Dtype, packing: Packing) -> Aligned {
    fixture("fixtures/v1", dtype, packing)
}

#[test]
fn both_versions_give_the_same_logits() {
    for (dtype, packing) in kinds() {
        let (old, new) = (old(dtype, packing), fixture("fixtures", dtype, packing));
        let header = Header::read(old.get()).unwrap();
        assert_eq!((header.version(), header.layers(), header.image()), (1, 2, Some((8, 8))));
        for seed in 0..20 {
            let pixels: Vec<u8> = SelfTest::pixels(seed).take(64).collect();
            if dtype.is_integer() {
                assert_eq!(integer_logits(old.get(), &pixels), integer_logits(new.get(), &pixels));
            } else {
                let [a, b] = [&old, &new].map(|file| common::bits(&float_logits(file.get(), &pixels)));
                assert_eq!(a, b, "{dtype}");
            }
        }
    }
}

/// Copied into version 2, a file is the one that is written today.
#[test]
fn a_copy_of_version_1_is_version_2() {
    for (dtype, packing) in kinds() {
        let (old, new) = (old(dtype, packing), fixture("fixtures", dtype, packing));
        let view = ModelView::parse(old.get()).unwrap();
        let header = HeaderBuf::like(view.header(), dtype, packing).unwrap();
        let mut copy = Aligned::zeroed(header.file_bytes());
        let mut builder = Builder::new(header, copy.get_mut()).unwrap();
        builder.copy(&view).unwrap();
        builder.labels(&view.labels().collect::<Vec<_>>().join("\n")).unwrap();
        builder.finish_with(7, self_test_crc).unwrap();
        assert!(copy.get() == new.get(), "{dtype} {packing}");
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    for (dtype, packing) in kinds() {
        let mut file = old(dtype, packing);
        let len = file.get().len();
        for cut in 0..len {
            assert!(ModelView::parse(&file.get()[..cut]).is_err(), "{dtype} cut to {cut}");
        }
        for bit in 0..8 * len {
            file.get_mut()[bit / 8] ^= 1 << (bit % 8);
            assert!(ModelView::parse(file.get()).is_err(), "{dtype} bit {bit}");
            file.get_mut()[bit / 8] ^= 1 << (bit % 8);
        }
        ModelView::parse(file.get()).unwrap();
    }
}

#[test]
fn hostile_headers_are_refused_with_their_numbers() {
    let file = old(Dtype::I8, Packing::CortexM4);
    let refused =
        |at: usize, bytes: &[u8]| ModelView::parse(forged(&file, &[(at, bytes)]).get()).unwrap_err();
    assert_eq!(refused(5, &[7]), Error::Newer { at: 5, code: 7, what: "weights of an unknown type" });
    assert_eq!(refused(6, &[4]), Error::Newer { at: 6, code: 4, what: "an unknown packing" });
    assert_eq!(refused(5, &[0]), Error::PackingOf { packing: "cortex-m4", dtype: "f32" });
    assert_eq!(refused(7, &[0]), Error::Layers { layers: 0, max: 8 });
    assert_eq!(refused(7, &[1]), Error::Field { at: 12, value: 5 });
    assert_eq!(refused(7, &[9]), Error::Layers { layers: 9, max: 8 });
    assert_eq!(refused(7, &[3]), Error::Width { position: 3, width: 0, max: 32_768 });
    assert_eq!(refused(8, &[0xff; 4]), Error::Width { position: 0, width: 65_535, max: 32_768 });
    assert!(matches!(refused(8, &[0, 0x80]), Error::Length { what: "image pixels", .. }));
    let huge: Vec<u8> = [0, 0x80].repeat(9);
    let changes: [(usize, &[u8]); 3] = [(7, &[8]), (8, &huge), (26, &[0; 4])];
    assert_eq!(ModelView::parse(forged(&file, &changes).get()).unwrap_err(), Error::TooLarge);
    assert!(matches!(refused(26, &[7]), Error::Length { what: "image pixels", expected: 64, actual: 56 }));
    assert_eq!(refused(30, &[4]), Error::Field { at: 30, value: 4 });
    assert!(matches!(refused(30, &[2]), Error::Length { what: "bytes of the flash file", .. }));
    assert!(matches!(refused(32, &[0xff; 4]), Error::Truncated { .. }));
    assert!(matches!(refused(40, &[0xff; 2]), Error::Length { what: "bytes of the flash file", .. }));
    for at in [42, 43, 52, 63] {
        assert_eq!(refused(at, &[1]), Error::Field { at, value: 1 });
    }
    // A seed or a CRC of a self-test that the flags do not announce.
    let test = Header::read(file.get()).unwrap().self_test().unwrap();
    let changes: [(usize, &[u8]); 1] = [(30, &[1])];
    let expected = Error::Field { at: 44, value: test.seed | test.crc };
    assert_eq!(ModelView::parse(forged(&file, &changes).get()).unwrap_err(), expected);
}
