//! Flash files: the golden ones, and what a reader must refuse.
//!
//! `SELVEDGE_BLESS=1 cargo test --test flash golden` writes `fixtures/` again, after the format changed on purpose.
//! `SELVEDGE_WHOLE=1` tries every single bit of a 784-128-10 file, where a sample is tried otherwise.

mod common;

use std::fs;
use std::path::Path;

use common::flash::{Aligned, Network, file_name, float_logits, forged, integer_logits, kinds};
use proptest::prelude::*;
use selvedge::format::{Dtype, HEADER_BYTES, Header, HeaderBuf, InputType, ModelView, Packing, SelfTest};
use selvedge::infer::{Sample, float, integer};
use selvedge::{Error, Shape};

#[test]
fn golden_files_are_what_this_program_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for (dtype, packing) in kinds() {
        let (name, file) = (file_name(dtype, packing), Network::golden().file(dtype, packing));
        if std::env::var_os("SELVEDGE_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(&name), file.get()).unwrap();
        }
        let golden = fs::read(folder.join(&name)).unwrap();
        let differing = golden.iter().zip(file.get()).position(|(a, b)| a != b);
        assert!(golden.len() == file.get().len() && differing.is_none(), "{name} differs at {differing:?}");
        let golden = Aligned::of(&golden);
        let image = ModelView::parse(golden.get()).unwrap();
        let test = image.header().self_test().unwrap();
        assert_eq!(common::flash::self_test_crc(test.seed, &image), Ok(test.crc), "{name}");
        assert_eq!(image.labels().collect::<Vec<_>>(), ["shirt", "boot", "bag", "dress", "coat"]);
        assert_eq!(image.label(1), Some("boot"));
    }
}

/// The logits of the golden files for [`ramp`], which the specification of the format quotes.
const RAMP_FLOATS: [(Dtype, [f32; 5]); 3] = [
    (Dtype::F32, [0.444_859_18, 1.376_271_8, -0.561_904_8, -0.792_585_85, 0.413_928_4]),
    (Dtype::F16, [0.444_795_82, 1.376_243_1, -0.561_748_86, -0.792_395_35, 0.414_213_12]),
    (Dtype::Bf16, [0.443_092_38, 1.375_792_7, -0.564_337_97, -0.795_316_9, 0.413_179_52]),
];
const RAMP_INTEGERS: [(Dtype, [i32; 5]); 2] =
    [(Dtype::I8, [2655, 8592, -3689, -4908, 2455]), (Dtype::I4, [2318, 8582, -3608, -4585, 2806])];

/// Pixels 0, 4, 8 .. 252.
fn ramp() -> Vec<u8> {
    (0..64).map(|p| 4 * p).collect()
}

#[test]
fn types_and_packings_print_their_names() {
    assert_eq!(format!("{:>5} {}", Dtype::I8, Packing::CortexM55), "   i8 cortex-m55");
}

#[test]
fn golden_logits() {
    let spec = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/format/mod.rs")).unwrap();
    let pixels: Vec<u8> = SelfTest::pixels(7).take(4).collect();
    assert!(spec.contains(&format!("start {pixels:?}").replace(['[', ']'], "")), "{pixels:?}");
    for (dtype, packing) in kinds() {
        let file = Network::golden().file(dtype, packing);
        let what = format!("{} {}", dtype.name(), packing.name());
        if let Some((_, expected)) = RAMP_INTEGERS.iter().find(|(d, _)| *d == dtype) {
            assert_eq!(integer_logits(file.get(), &ramp()), expected, "{what}");
            assert!(spec.contains(&format!("{expected:?}").replace(['[', ']'], "")), "{what}");
        }
        if let Some((_, expected)) = RAMP_FLOATS.iter().find(|(d, _)| *d == dtype) {
            assert_eq!(common::bits(&float_logits(file.get(), &ramp())), common::bits(expected), "{what}");
            assert!(spec.contains(&format!("{expected:?}").replace(['[', ']'], "")), "{what}");
        }
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    for (dtype, packing) in kinds() {
        let mut file = Network::golden().file(dtype, packing);
        let len = file.get().len();
        for cut in 0..len {
            assert!(ModelView::parse(&file.get()[..cut]).is_err(), "{} cut to {cut}", dtype.name());
        }
        for bit in 0..8 * len {
            file.get_mut()[bit / 8] ^= 1 << (bit % 8);
            assert!(ModelView::parse(file.get()).is_err(), "{} bit {bit}", dtype.name());
            file.get_mut()[bit / 8] ^= 1 << (bit % 8);
        }
        ModelView::parse(file.get()).unwrap();
        let longer = Aligned::of(&[file.get(), &[0; 16]].concat());
        assert_eq!(
            ModelView::parse(longer.get()).unwrap_err(),
            Error::Truncated { expected: len, actual: len + 16 }
        );
    }
}

#[test]
fn a_file_of_the_real_size_refuses_flips_and_truncations() {
    let whole = std::env::var_os("SELVEDGE_WHOLE").is_some();
    for packing in Packing::ALL {
        let mut file = Network::new(&[784, 128, 10], 3).file(Dtype::I8, packing);
        let len = file.get().len();
        assert!(len <= 104_000, "{len}");
        // A step without common divisors with the sizes of bytes, words and rows.
        for bit in (0..8 * len).step_by(if whole { 1 } else { 4099 }) {
            file.get_mut()[bit / 8] ^= 1 << (bit % 8);
            assert!(ModelView::parse(file.get()).is_err(), "bit {bit}");
            file.get_mut()[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in (0..len).step_by(if whole { 1 } else { 101 }) {
            assert!(ModelView::parse(&file.get()[..cut]).is_err(), "cut to {cut}");
        }
        ModelView::parse(file.get()).unwrap();
    }
    assert!(Network::new(&[784, 128, 10], 3).file(Dtype::I4, Packing::Generic).get().len() <= 54_000);
}

/// Three gigabytes of layers are the most, so that the whole file is addressed with 32 bits.
#[cfg(target_pointer_width = "64")]
#[test]
fn the_largest_files() {
    const WIDE: usize = 32_768;
    for (dtype, packing, most) in [
        (Dtype::F32, Packing::Generic, 0),
        (Dtype::F16, Packing::Generic, 1),
        (Dtype::I8, Packing::CortexM55, 2),
        (Dtype::I4, Packing::Generic, 5),
    ] {
        for layers in 1..=8 {
            let shape = Shape::new(&[WIDE; 9][..=layers]).unwrap();
            let header = HeaderBuf::new(shape, dtype, packing).map(|header| header.with_table());
            assert_eq!(header.is_ok(), layers <= most, "{} {layers}", dtype.name());
            if let Ok(header) = header {
                let full = header.with_label_bytes(65_535).unwrap();
                assert!(
                    u32::try_from(full.file_bytes()).is_ok() && full.file_bytes() > layers * WIDE * WIDE / 2
                );
            }
        }
    }
}

#[test]
fn hostile_payloads_are_refused() {
    let file = Network::golden().file(Dtype::I8, Packing::Generic);
    let header = Header::read(file.get()).unwrap();
    let layout = header.layout();
    let refused =
        |at: usize, bytes: &[u8]| ModelView::parse(forged(&file, &[(at, bytes)]).get()).unwrap_err();
    let first = header.layer_spans(0);
    assert_eq!(refused(layout.input.at + 9, &[128]), Error::Field { at: layout.input.at + 9, value: 128 });
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let bits = scale.to_bits();
        assert_eq!(
            refused(layout.scales.at, &bits.to_le_bytes()),
            Error::Field { at: layout.scales.at, value: bits }
        );
    }
    let padding = layout.scales.at + layout.scales.len;
    assert_eq!(refused(padding + 1, &[3]), Error::Field { at: padding + 1, value: 3 });
    assert_eq!(refused(first.weights.at + 65, &[0x80]), Error::Weight { layer: 0, row: 1, column: 1 });
    assert_eq!(refused(first.biases.at + 8, &i32::MIN.to_le_bytes()), Error::RowBound { layer: 0, row: 2 });
    assert_eq!(refused(first.biases.at, &(1i32 << 23).to_le_bytes()), Error::RowBound { layer: 0, row: 0 });
    assert_eq!(refused(layout.labels.at, b"\n"), Error::Labels);
    assert_eq!(refused(layout.labels.at, &[0xff]), Error::Labels);
    assert_eq!(refused(layout.labels.at, b"\x1b"), Error::Labels);
    let floats = Network::golden().file(Dtype::F32, Packing::Generic);
    let at = Header::read(floats.get()).unwrap().layer_spans(1).weights.at;
    let nan = forged(&floats, &[(at, &f32::NAN.to_le_bytes())]);
    assert_eq!(ModelView::parse(nan.get()).unwrap_err(), Error::Weight { layer: 1, row: 0, column: 0 });
}

/// Rows and columns that only fill a group run through the kernels like any other: one that is not zero would change what
/// some cores compute, beyond the bound that is checked for the rows of the network.
#[test]
fn what_only_fills_a_group_is_zero() {
    for (dtype, packing) in kinds().filter(|(dtype, _)| dtype.is_integer()) {
        let mut network = Network::new(&[13, 9, 3], 1);
        network.maxima = vec![1.0];
        let file = network.file(dtype, packing);
        let header = Header::read(file.get()).unwrap();
        let refused = |at: usize, bytes: &[u8]| ModelView::parse(forged(&file, &[(at, bytes)]).get()).err();
        for (l, spans) in (0..2).map(|l| header.layer_spans(l)).enumerate() {
            let place = header.weight_layout(l);
            let (outputs, inputs) = (header.width(l + 1), header.width(l));
            assert!(place.columns() > inputs);
            let fills = |&(row, column): &(usize, usize)| row >= outputs || column >= inputs;
            let all = (0..place.rows()).flat_map(|row| (0..place.columns()).map(move |column| (row, column)));
            for (row, column) in all.filter(fills) {
                let at = spans.weights.at + place.byte(row, column);
                let byte = file.get()[at];
                // Of a type of four bits a byte holds the weight of another column or row as well, and with a borrow the
                // next one.
                let low = if packing == Packing::Generic { column % 8 < 4 } else { row % 2 == 0 };
                let other = if dtype == Dtype::I4 && low { byte ^ 1 } else { byte ^ 0x10 };
                let expected = Error::Weight { layer: l, row, column };
                assert_eq!(refused(at, &[other]), Some(expected), "{} {}", dtype.name(), packing.name());
            }
            for row in outputs..place.rows() {
                let bias = (spans.biases.at + 4 * row, 1i32.to_le_bytes());
                assert_eq!(refused(bias.0, &bias.1), Some(Error::RowBound { layer: l, row }));
                if spans.multipliers.len > 0 {
                    let multiplier = (spans.multipliers.at + 2 * row, 1u16.to_le_bytes());
                    assert_eq!(refused(multiplier.0, &multiplier.1), Some(Error::RowBound { layer: l, row }));
                }
            }
        }
    }
}

/// Asks a file for everything that it could be asked for.
fn run<S: Sample + ?Sized>(image: &ModelView<'_>, sample: &S) {
    let header = image.header();
    let o = header.outputs();
    if header.dtype().is_integer() {
        let engine = integer::Engine::new(image.clone()).unwrap();
        let (mut scratch, mut logits) = (vec![0; integer::Engine::scratch_words(header)], vec![0; o]);
        engine.logits(sample, &mut scratch, &mut logits).unwrap();
        let answers = [
            engine.classify(sample, &mut scratch, &mut logits).is_ok(),
            engine.predict(sample, &mut scratch, &mut logits, &mut vec![0.0; o]).is_ok(),
            engine.labels(sample, &mut scratch, &mut logits, &mut vec![0; o.div_ceil(8)]).is_ok(),
            engine.score(sample, &mut scratch).is_ok(),
        ];
        assert_eq!(answers.iter().filter(|&&answered| answered).count(), 1);
    } else {
        let engine = float::Engine::new(image.clone()).unwrap();
        let (mut scratch, mut logits) = (vec![0.0; float::Engine::scratch_words(header)], vec![0.0; o]);
        engine.logits(sample, &mut scratch, &mut logits).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_file_makes_a_reader_panic(
        kind in 0usize..11,
        changes in prop::collection::vec((0usize..400, any::<u8>()), 1..6),
        cut in 0usize..40,
        pixels in prop::collection::vec(any::<u8>(), 64),
    ) {
        let (dtype, packing) = kinds().nth(kind).unwrap();
        let file = Network::golden().file(dtype, packing);
        let changes: Vec<_> = changes.iter().map(|(at, b)| (*at, std::slice::from_ref(b))).collect();
        let mut file = forged(&file, &changes);
        let len = file.get().len() - cut / 2 * 16 % 64;
        file = Aligned::of(&file.get()[..len]);
        let file = forged(&file, &[]);
        if let Ok(image) = ModelView::parse(file.get()) {
            let (inputs, of) = (image.header().inputs(), image.header().input_type());
            let pixels: Vec<u8> = pixels.into_iter().cycle().take(inputs).collect();
            match of {
                InputType::U8 => run(&image, &pixels[..]),
                InputType::I16 => run(&image, &pixels.iter().map(|&p| 9 * i16::from(p)).collect::<Vec<_>>()[..]),
                InputType::U16 => run(&image, &pixels.iter().map(|&p| 200 * u16::from(p)).collect::<Vec<_>>()[..]),
                _ => run(&image, &pixels.iter().map(|&p| f32::from(p) - 99.5).collect::<Vec<_>>()[..]),
            }
        }
    }
}

#[test]
fn self_tests_catch_other_logits() {
    let good = Network::golden().file(Dtype::I8, Packing::CortexM0);
    let bad = forged(&good, &[(44, &[1, 2, 3, 4])]);
    let check = |file: &Aligned| {
        let image = ModelView::parse(file.get()).unwrap();
        let mut scratch = vec![0; integer::Engine::scratch_words(image.header())];
        integer::Engine::new(image).unwrap().self_test(&mut scratch, &mut [0; 5])
    };
    assert_eq!(check(&good), Ok(()));
    assert!(matches!(check(&bad), Err(Error::SelfTest { expected: 0x0403_0201, .. })));
}

#[test]
fn misuse_is_an_error_with_its_numbers() {
    let file = Network::golden().file(Dtype::I8, Packing::Generic);
    let image = ModelView::parse(file.get()).unwrap();
    let engine = integer::Engine::new(image.clone()).unwrap();
    let words = integer::Engine::scratch_words(image.header());
    assert_eq!(words, 16 + 6);
    assert_eq!(
        engine.logits(&[0_u8; 63], &mut vec![0; words], &mut [0; 5]),
        Err(Error::Length { what: "values of a sample", expected: 64, actual: 63 })
    );
    assert_eq!(
        engine.logits(&[0_u8; 64], &mut vec![0; words - 1], &mut [0; 5]),
        Err(Error::Length { what: "scratch words", expected: words, actual: words - 1 })
    );
    assert_eq!(
        engine.logits(&[0_u8; 64], &mut vec![0; words], &mut [0; 4]),
        Err(Error::Length { what: "logits", expected: 5, actual: 4 })
    );
    assert_eq!(selvedge::infer::float::Engine::new(image).err(), Some(Error::Dtype { found: "i8" }));
    let shifted = Aligned::of(&[&[0][..], file.get()].concat());
    assert_eq!(ModelView::parse(&shifted.get()[1..]).unwrap_err(), Error::Misaligned { align: 16 });
    assert_eq!(ModelView::parse(&[]).unwrap_err(), Error::Truncated { expected: HEADER_BYTES, actual: 0 });
    let odd = Shape::new(&[3, 2]).unwrap();
    assert_eq!(
        HeaderBuf::new(odd, Dtype::F16, Packing::CortexM4),
        Err(Error::PackingOf { packing: "cortex-m4", dtype: "f16" })
    );
}
