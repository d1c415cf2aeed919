//! Files whose CRC is right and of which one number is not: each check of a reader refuses it, with the place.

mod common;

use common::flash::{Aligned, forged};
use selvedge::format::{
    Builder, Dtype, ErrorScale, Header, HeaderBuf, InputMap, InputType, ModelView, Packing, Task, ValueScale,
};
use selvedge::naive::integer::{largest_code, map_shift};
use selvedge::{Activation, Error, Shape};

/// A file of zeros of 2-3-2 with a sigmoid, of which `set` sets what it needs.
fn file(
    dtype: Dtype,
    input: InputType,
    bits: u32,
    task: Task,
    set: impl FnOnce(&mut Builder<'_>),
) -> Aligned {
    let shape = Shape::new(&[2, 3, 2]).unwrap().with_activations(&[Activation::Sigmoid]).unwrap();
    let header = HeaderBuf::new(shape, dtype, Packing::Generic).unwrap();
    let header = header.with_input(input, InputMap::AffinePerFeature, bits).unwrap();
    let header = header.with_task(task).unwrap();
    let mut memory = Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, memory.get_mut()).unwrap();
    set(&mut builder);
    builder.finish().unwrap();
    memory
}

fn header(file: &Aligned) -> Header<'_> {
    Header::read(file.get()).unwrap()
}

/// What a reader says of a file with a word overwritten; without it the file is sound.
fn said(file: &Aligned, at: usize, change: &[u8]) -> Result<(), Error> {
    ModelView::parse(file.get()).unwrap();
    ModelView::parse(forged(file, &[(at, change)]).get()).map(|_| ())
}

#[test]
fn maps_of_floats_are_finite_and_do_not_fall() {
    for (dtype, bits) in [(Dtype::I8, 7), (Dtype::I4, 14), (Dtype::F32, 0)] {
        let offset = 1.5_f32;
        let file = file(dtype, InputType::F32, bits, Task::Class, |builder| {
            (0..2).for_each(|feature| builder.map_floats(feature, offset, 3.0).unwrap());
        });
        let at = header(&file).layout().input.at;
        for feature in 0..2 {
            let entry = at + 8 * feature;
            for scale in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let refused = Err(Error::Field { at: entry, value: offset.to_bits() });
                assert_eq!(said(&file, entry + 4, &scale.to_le_bytes()), refused, "{scale}");
            }
            for bad in [f32::NAN, f32::INFINITY] {
                let refused = Err(Error::Field { at: entry, value: bad.to_bits() });
                assert_eq!(said(&file, entry, &bad.to_le_bytes()), refused);
            }
            // Codes are counted from the smallest on; an input of a network of floats may fall.
            let fallen = said(&file, entry + 4, &(-3.0_f32).to_le_bytes());
            let refused = Err(Error::Field { at: entry, value: offset.to_bits() });
            assert_eq!(fallen, if dtype.is_integer() { refused } else { Ok(()) });
            assert_eq!(said(&file, entry + 4, &0.0_f32.to_le_bytes()), Ok(()));
        }
    }
}

#[test]
fn maps_of_integers_keep_within_the_codes_and_32_bits() {
    for bits in [7, 14] {
        let (end, half) =
            ((u64::from(largest_code(bits)) + 1) << map_shift(bits), 1 << (map_shift(bits) - 1));
        for (input, lo, span) in
            [(InputType::U8, 3, 200_u16), (InputType::I16, -9, 60_000), (InputType::U16, 40_000, 1)]
        {
            let most = ((end - 1 - half) / u64::from(span)).min(u64::from(u32::MAX));
            let m = most as u32;
            let file = file(Dtype::I8, input, bits, Task::Class, |builder| {
                (0..2).for_each(|feature| builder.map_integers(feature, lo, span, m).unwrap());
            });
            let entry = header(&file).layout().input.at + 8;
            let first = |lo: i32, span: u16| u32::from(lo as u16) | u32::from(span) << 16;
            let refused = |value| Err(Error::Field { at: entry, value });
            assert_eq!(
                said(&file, entry + 4, &(m + 1).to_le_bytes()),
                refused(first(lo, span)),
                "{input:?} {bits}"
            );
            let wider = said(&file, entry + 2, &(span + 1).to_le_bytes());
            assert_eq!(wider, refused(first(lo, span + 1)), "{input:?} {bits}");
            assert_eq!(said(&file, entry + 2, &(span - 1).to_le_bytes()), Ok(()));
            assert_eq!(said(&file, entry + 4, &(m - 1).to_le_bytes()), Ok(()));
        }
        // A byte's map starts at a byte and spans bytes.
        let file = file(Dtype::I8, InputType::U8, bits, Task::Class, |builder| {
            (0..2).for_each(|feature| builder.map_integers(feature, 0, 255, 1).unwrap());
        });
        let entry = header(&file).layout().input.at;
        let refused = |value| Err(Error::Field { at: entry, value });
        assert_eq!(said(&file, entry, &256_u16.to_le_bytes()), refused(256 | 255 << 16));
        assert_eq!(said(&file, entry + 2, &256_u16.to_le_bytes()), refused(256 << 16));
        assert_eq!(said(&file, entry, &255_u16.to_le_bytes()), Ok(()));
    }
}

#[test]
fn numbers_of_answers_keep_within_32_bits() {
    let limit = 1_i32 << 23;
    let values = file(Dtype::I8, InputType::I16, 7, Task::Values, |builder| {
        (0..2).for_each(|o| builder.value_scale(o, ValueScale::Integer { add: 5, scale: 0.5 }).unwrap());
    });
    let entry = header(&values).layout().answers.at + 8;
    let refused = |add: i32| Err(Error::Field { at: entry, value: add as u32 });
    for (add, fits) in [
        (i32::MAX - limit, true),
        (i32::MAX - limit + 1, false),
        (i32::MIN + limit, true),
        (i32::MIN + limit - 1, false),
    ] {
        assert_eq!(said(&values, entry, &add.to_le_bytes()), if fits { Ok(()) } else { refused(add) });
    }
    assert_eq!(said(&values, entry + 4, &f32::NAN.to_le_bytes()), refused(5));

    let floats = file(Dtype::F32, InputType::I16, 0, Task::Values, |builder| {
        (0..2).for_each(|o| builder.value_scale(o, ValueScale::Float { scale: 0.5, offset: 1.0 }).unwrap());
    });
    let at = header(&floats).layout().answers.at;
    let (scale, nan) = (0.5_f32.to_bits(), f32::NAN);
    let infinite = said(&floats, at + 4, &f32::INFINITY.to_le_bytes());
    assert_eq!(infinite, Err(Error::Field { at, value: scale }));
    assert_eq!(said(&floats, at, &nan.to_le_bytes()), Err(Error::Field { at, value: nan.to_bits() }));

    for bits in [7, 14] {
        let mul = ((1 << 31) - 129) / u32::from(largest_code(bits));
        let score = file(Dtype::I8, InputType::I16, bits, Task::Reconstruction, |builder| {
            (0..2).for_each(|o| builder.error_scale(o, ErrorScale { add: 1 - limit, mul }).unwrap());
            builder.score(24, 0.25, None).unwrap();
        });
        let entry = header(&score).layout().answers.at + 8;
        let refused = |add: i32| Err(Error::Field { at: entry, value: add as u32 });
        assert_eq!(said(&score, entry, &(limit - 1).to_le_bytes()), Ok(()));
        for add in [limit, -limit, i32::MIN] {
            assert_eq!(said(&score, entry, &add.to_le_bytes()), refused(add));
        }
        assert_eq!(said(&score, entry + 4, &(mul + 1).to_le_bytes()), refused(1 - limit), "{bits}");
        // The header's own: the bits that an error loses, and the unit.
        assert!(said(&score, 29, &[25]).is_err());
        for unit in [0.0, -0.25, f32::NAN, f32::INFINITY] {
            let refused = Err(Error::Field { at: 52, value: unit.to_bits() });
            assert_eq!(said(&score, 52, &unit.to_le_bytes()), refused, "{unit}");
        }
    }
}

#[test]
fn entries_of_an_activations_table_have_seven_bits() {
    for dtype in [Dtype::I8, Dtype::I4] {
        let file =
            file(dtype, InputType::U8, 7, Task::Class, |builder| builder.activation_table(0, &[127; 256]));
        let table = header(&file).layer_spans(0).table;
        for entry in [0, 128, 255] {
            for y in [128, 255] {
                assert_eq!(said(&file, table.at + entry, &[y]), Err(Error::ActivationTable { layer: 0 }));
            }
        }
    }
}

/// Rows at their bound, and one unit beyond it, of 7 bits and of 14, in the first layer; the next has 7 bits always.
#[test]
fn rows_keep_their_bound() {
    for bits in [7, 14] {
        let sum = 100 + 27;
        let most =
            |bits: u32| if bits == 14 { (1 << 23) - 1 - (128 * sum + 1) } else { (1 << 23) - 1 - 127 * sum };
        let file = file(Dtype::I8, InputType::F32, bits, Task::Class, |builder| {
            builder.weight(0, 1, 0, 100);
            builder.weight(0, 1, 1, -27);
            builder.bias(0, 1, most(bits));
            builder.weight(1, 1, 0, 100);
            builder.weight(1, 1, 2, -27);
            builder.bias(1, 1, -most(7));
        });
        for l in 0..2 {
            let at = header(&file).layer_spans(l).biases.at + 4;
            let most = if l == 0 { most(bits) } else { most(7) };
            for bias in [most + 1, -most - 1, i32::MAX, i32::MIN] {
                let refused = Err(Error::RowBound { layer: l, row: 1 });
                assert_eq!(said(&file, at, &bias.to_le_bytes()), refused, "{bits} {l} {bias}");
            }
            for bias in [most, -most] {
                assert_eq!(said(&file, at, &bias.to_le_bytes()), Ok(()));
            }
        }
    }
}

#[test]
fn multipliers_are_below_the_sign() {
    let header = HeaderBuf::new(Shape::new(&[2, 3, 2]).unwrap(), Dtype::I8, Packing::Generic).unwrap();
    let header = header.with_wide_multipliers(0);
    let mut memory = Aligned::zeroed(header.file_bytes());
    Builder::new(header, memory.get_mut()).unwrap().finish().unwrap();
    let at = Header::read(memory.get()).unwrap().layer_spans(0).multipliers.at + 4;
    assert_eq!(said(&memory, at, &[255, 255, 255, 127]), Ok(()));
    let refused = Err(Error::Multiplier { layer: 0, row: 1 });
    assert_eq!(said(&memory, at, &[0, 0, 0, 128]), refused);
}
