//! Raw values of every type become the codes that the format defines, and the engines see those.

mod common;

use common::flash::Aligned;
use selvedge::format::{Builder, Dtype, HeaderBuf, InputMap, InputType, ModelView};
use selvedge::infer::mcu;
use selvedge::naive::integer as plain;
use selvedge::{Error, Shape};

/// A file of one layer, whose output is its input's code times 64 (of 14 bits, half the code), for maps.
fn one_weight(input: InputType, bits: u32, set: impl FnOnce(&mut Builder<'_>)) -> Aligned {
    let header = HeaderBuf::new(Shape::new(&[1, 1]).unwrap(), Dtype::I8, mcu::PACKING).unwrap();
    let header = header.with_input(input, InputMap::Affine, bits).unwrap();
    let mut memory = Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, memory.get_mut()).unwrap();
    builder.weight(0, 0, 0, 64);
    set(&mut builder);
    builder.finish().unwrap();
    memory
}

/// Every raw integer against arithmetic of 64 bits, and through the engine.
#[test]
fn every_integer_has_its_code() {
    for bits in [7, 14] {
        let (largest, shift) = (i64::from(plain::largest_code(bits)), plain::map_shift(bits));
        let maps = [(-32_768, 65_535), (-1000, 1999), (0, 1), (5, 250), (32_767, 1), (-7, 0), (0, 65_535)];
        for (lo, span) in maps {
            for part in [1, 3] {
                let m = (((largest + 1) << shift) - 1 - (1 << (shift - 1))) / i64::from(span.max(1)) / part;
                let m = m.min(i64::from(u32::MAX));
                let expected = |x: i64, lo: i32| {
                    let d = (x - i64::from(lo)).clamp(0, i64::from(span));
                    let code = (d * m + (1 << (shift - 1))) >> shift;
                    assert!(code <= largest);
                    code as u16
                };
                macro_rules! check {
                    ($type:ty, $of:expr, $lo:expr) => {{
                        let lo: i32 = $lo;
                        let file = one_weight($of, bits, |builder| {
                            builder.map_integers(0, lo, span as u16, m as u32).unwrap()
                        });
                        let view = ModelView::parse(file.get()).unwrap();
                        assert_eq!(view.integer_map(0), (lo, span as u16, m as u32));
                        let engine = mcu::AnyI8Engine::new(view.clone()).unwrap();
                        let mut scratch = vec![0; mcu::AnyI8Engine::scratch_words(view.header())];
                        for x in <$type>::MIN..=<$type>::MAX {
                            let code = expected(i64::from(x), lo);
                            assert_eq!(view.code(0, x), code, "{x} {lo} {span} {m}");
                            let mut z = [0];
                            engine.logits(&[x], &mut scratch, &mut z).unwrap();
                            let q = i32::from(code);
                            let half = 64 * (q >> 7) + ((64 * (q & 127) + 64) >> 7);
                            assert_eq!(z[0], if bits == 14 { half } else { 64 * q });
                        }
                    }};
                }
                check!(i16, InputType::I16, lo);
                if lo >= 0 {
                    check!(u16, InputType::U16, lo);
                }
                if (0..=255).contains(&lo) && span <= 255 {
                    check!(u8, InputType::U8, lo);
                }
            }
        }
    }
}

/// Floats: the ends, the halves, and what is no ordinary number.
#[test]
fn floats_have_their_codes() {
    for bits in [7, 14] {
        let largest = plain::largest_code(bits);
        // A code is a unit, from −8 on.
        let file = one_weight(InputType::F32, bits, |builder| builder.map_floats(0, -8.0, 2.0).unwrap());
        let view = ModelView::parse(file.get()).unwrap();
        let code = |x: f32| view.code(0, x);
        for q in 0..=largest {
            let x = f32::from(q) - 8.0;
            assert_eq!(code(x), q);
            // A half is rounded up.
            assert_eq!(code(x + 0.5), (q + 1).min(largest));
            // What is below it is rounded down, unless the difference of f32 is the half already.
            let below = (x + 0.5).next_down();
            let whole = (2.0 * f64::from((f64::from(below) + 8.0) as f32)).floor();
            let expected = ((whole + 1.0) / 2.0).floor().min(f64::from(largest));
            assert_eq!(f64::from(code(below)), expected, "{below}");
        }
        let ends = [(f32::NEG_INFINITY, 0), (f32::INFINITY, largest), (f32::MAX, largest), (f32::MIN, 0)];
        let zeros = [0.0, -0.0, f32::MIN_POSITIVE, 1e-45, -1e-45].map(|x| (x, 8));
        for (x, q) in
            ends.into_iter().chain(zeros).chain([(-8.0, 0), (-8.000_001, 0), (f32::from(largest), largest)])
        {
            assert_eq!(code(x), q, "{x}");
        }
        // An offset of 0 keeps subnormals and the sign of zero apart from what rounds up.
        let file = one_weight(InputType::F32, bits, |builder| builder.map_floats(0, 0.0, 1e38).unwrap());
        let view = ModelView::parse(file.get()).unwrap();
        let tiny = [(0.0, 0), (-0.0, 0), (1e-45, 0), (-1e-45, 0), (-1.0, 0), (1.1e-38, 1), (1.0, largest)];
        for (x, q) in tiny {
            assert_eq!(view.code(0, x), q, "{x}");
        }
        let engine = mcu::AnyI8Engine::new(view.clone()).unwrap();
        let mut scratch = vec![0; mcu::AnyI8Engine::scratch_words(view.header())];
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
            let refused = engine.logits(&[nan], &mut scratch, &mut [0]);
            assert_eq!(refused, Err(Error::NotANumber { feature: 0 }));
        }
        let refused = engine.logits(&[1_i16], &mut scratch, &mut [0]);
        assert_eq!(refused, Err(Error::InputType { expected: "f32", found: "i16" }));
    }
}

/// Offsets and scales of no particular kind, against f64: the two operations are rounded to f32, one after the other, and what
/// follows is exact.
#[test]
fn floats_of_odd_maps_have_their_codes() {
    for bits in [7, 14] {
        let largest = f64::from(plain::largest_code(bits));
        for (offset, scale) in
            [(0.3_f32, 7.7_f32), (-1.1e-3, 1234.567), (98.765, 0.37), (-3.3e5, 1.9e-3), (0.1, 0.0)]
        {
            let file =
                one_weight(InputType::F32, bits, |builder| builder.map_floats(0, offset, scale).unwrap());
            let view = ModelView::parse(file.get()).unwrap();
            let mut seen = 0;
            for half in 0..=4 * largest as u32 {
                // About the value of each half code, where codes change, and the floats beside it.
                let near = (f64::from(offset) + f64::from(half) / f64::from(scale.max(1e-6)) / 2.0) as f32;
                for x in [near.next_down(), near, near.next_up()] {
                    let difference = (f64::from(x) - f64::from(offset)) as f32;
                    let t = (f64::from(difference) * f64::from(scale)) as f32;
                    // Half up: ((t + 1) / 2), without its fraction, of the whole part of t.
                    let q = ((f64::from(t).floor() + 1.0) / 2.0).floor().clamp(0.0, largest);
                    assert_eq!(f64::from(view.code(0, x)), q, "{x} {offset} {scale}");
                    seen = seen.max(view.code(0, x));
                }
            }
            assert_eq!(seen, if scale == 0.0 { 0 } else { largest as u16 });
        }
    }
}

/// Which feature is not a number, and that a map of scale 0 is a constant.
#[test]
fn the_feature_that_is_no_number_is_named() {
    let header = HeaderBuf::new(Shape::new(&[5, 2]).unwrap(), Dtype::I8, mcu::PACKING).unwrap();
    let header = header.with_input(InputType::F32, InputMap::AffinePerFeature, 7).unwrap();
    let mut memory = Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, memory.get_mut()).unwrap();
    (0..5)
        .for_each(|feature| builder.map_floats(feature, 1.0, if feature == 2 { 0.0 } else { 1.0 }).unwrap());
    let view = builder.finish().unwrap();
    assert_eq!(view.code(2, f32::INFINITY), 0);
    let engine = mcu::AnyI8Engine::new(view.clone()).unwrap();
    let mut scratch = vec![0; mcu::AnyI8Engine::scratch_words(view.header())];
    for feature in 0..5 {
        let mut sample = [3.0; 5];
        sample[feature] = f32::NAN;
        let refused = engine.classify(&sample, &mut scratch, &mut [0; 2]);
        assert_eq!(refused, Err(Error::NotANumber { feature }));
    }
}
