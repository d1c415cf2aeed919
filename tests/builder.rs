//! What a builder leaves where nothing is set, what it copies and what it refuses.

mod common;

use common::flash::{Aligned, Network, kinds};
use selvedge::format::{Builder, Dtype, HeaderBuf, ModelView, Packing};
use selvedge::{Error, Shape};

fn header(dtype: Dtype, packing: Packing) -> HeaderBuf {
    HeaderBuf::new(Shape::new(&[5, 3, 2]).unwrap(), dtype, packing).unwrap().with_table()
}

#[test]
fn a_file_where_nothing_is_set_is_a_network_of_zeros() {
    for (dtype, packing) in kinds() {
        let what = format!("{dtype} {packing}");
        let header = header(dtype, packing);
        let mut memory = Aligned::zeroed(header.file_bytes());
        memory.get_mut().fill(0xa5);
        let image = Builder::new(header, memory.get_mut()).unwrap().finish().unwrap();
        let table = image.table().unwrap();
        let unchanged = |p: usize| if dtype.is_integer() { p / 2 } else { p };
        assert!((0..256).all(|p| usize::from(table[p]) == unchanged(p)), "{what}");
        assert!((0..=3).all(|l| image.scale(l) == 1.0), "{what}");
        for layer in image.layers() {
            for row in 0..layer.outputs() {
                assert!((0..layer.inputs()).all(|column| layer.float_weight(row, column) == 0.0), "{what}");
                assert_eq!((layer.bias(row), layer.multiplier(row)), (0, 0), "{what}");
            }
        }
        assert_eq!((image.labels().count(), image.label(0), image.header().self_test()), (0, None, None));
    }
}

/// A weight is what was set, whatever its neighbours hold already and in whatever order they are set.
#[test]
fn weights_are_set_in_any_order() {
    let step = |dtype| if dtype == Dtype::I4 { 16 } else { 1 };
    let value = |dtype, n: usize| ((n * 29 % 15) as i8 - 7) * step(dtype);
    for (dtype, packing) in kinds().filter(|(dtype, _)| dtype.is_integer()) {
        let header = header(dtype, packing);
        let mut memory = Aligned::zeroed(header.file_bytes());
        let mut builder = Builder::new(header, memory.get_mut()).unwrap();
        let all = || (0..3).flat_map(|row| (0..5).map(move |column| (row, column)));
        for (row, column) in all() {
            builder.weight(0, row, column, -7 * step(dtype));
        }
        for n in (0..15).map(|n| n * 7 % 15) {
            builder.weight(0, n / 5, n % 5, value(dtype, n));
        }
        let image = builder.finish().unwrap();
        for (row, column) in all() {
            let expected = i32::from(value(dtype, 5 * row + column));
            assert_eq!(
                image.layers().next().unwrap().weight(row, column),
                expected,
                "{dtype} {packing} {row} {column}"
            );
        }
    }
}

#[test]
fn a_copy_is_the_file_that_would_have_been_made() {
    let network = Network::golden();
    for (dtype, packing) in kinds() {
        let from = network.file(dtype, Packing::Generic);
        let direct = network.file(dtype, packing);
        let header = network.header(dtype, packing);
        let mut memory = Aligned::zeroed(header.file_bytes());
        let mut builder = Builder::new(header, memory.get_mut()).unwrap();
        builder.copy(&ModelView::parse(from.get()).unwrap()).unwrap();
        builder.labels(&network.labels).unwrap();
        builder.finish_with(7, common::flash::self_test_crc).unwrap();
        assert!(memory.get() == direct.get(), "{dtype} {packing}");
    }
}

/// Multipliers of 32 bits keep their width and their values in every packing, and a file of 16 bits does not take them.
#[test]
fn wide_multipliers_are_copied() {
    let wide = |packing| header(Dtype::I8, packing).with_wide_multipliers(0);
    let values = [1 << 16, i32::MAX as u32, 7];
    let mut memory = Aligned::zeroed(wide(Packing::Generic).file_bytes());
    let mut builder = Builder::new(wide(Packing::Generic), memory.get_mut()).unwrap();
    values.iter().enumerate().for_each(|(row, &r)| builder.multiplier(0, row, r));
    let from = builder.finish().unwrap();
    for packing in Packing::ALL {
        let like = HeaderBuf::like(from.header(), Dtype::I8, packing).unwrap();
        assert!(like.header().has_wide_multipliers(0) && !like.header().has_wide_multipliers(1));
        assert_eq!(like.header().layout(), wide(packing).header().layout());
        let mut memory = Aligned::zeroed(like.file_bytes());
        let mut builder = Builder::new(like, memory.get_mut()).unwrap();
        builder.copy(&from).unwrap();
        let copy = builder.finish().unwrap();
        let layer = copy.layers().next().unwrap();
        assert_eq!(std::array::from_fn(|row| layer.multiplier(row)), values, "{packing}");
        assert!(layer.multipliers().is_empty() && layer.wide_multipliers().len() >= values.len());
        let header = header(Dtype::I8, packing);
        let mut memory = Aligned::zeroed(header.file_bytes());
        let refused = Builder::new(header, memory.get_mut()).unwrap().copy(&from).unwrap_err();
        assert!(matches!(refused, Error::Setting { .. }), "{refused}");
    }
}

#[test]
fn misuse_is_refused() {
    let header = header(Dtype::I8, Packing::Generic).with_label_bytes(3).unwrap();
    let file = header.file_bytes();
    let mut memory = Aligned::zeroed(file);
    let short = Error::Length { what: "file bytes", expected: file, actual: file - 1 };
    assert_eq!(Builder::new(header.clone(), &mut memory.get_mut()[1..]).err(), Some(short));

    let mut builder = Builder::new(header, memory.get_mut()).unwrap();
    assert_eq!(builder.labels("a\nbc"), Err(Error::Labels));
    let other = Network::golden().file(Dtype::I8, Packing::Generic);
    let parameters = Error::Length { what: "parameters", expected: 26, actual: 64 * 19 + 19 + 19 * 5 + 5 };
    assert_eq!(builder.copy(&ModelView::parse(other.get()).unwrap()), Err(parameters));
    let mut same = Aligned::zeroed(self::header(Dtype::F16, Packing::Generic).file_bytes());
    let floats = Builder::new(self::header(Dtype::F16, Packing::Generic), same.get_mut()).unwrap();
    let of_floats = Error::PackingOf { packing: "f16", dtype: "i8" };
    assert_eq!(builder.copy(&floats.finish().unwrap()), Err(of_floats));
    // Two outputs have two names.
    builder.labels("abc").unwrap();
    assert_eq!(builder.finish().err(), Some(Error::Labels));
}

/// In a file of floats it would be the weight of another row.
#[test]
fn a_weight_outside_its_layer_is_a_mistake() {
    for (dtype, packing) in kinds() {
        for (row, column) in [(3, 0), (0, 5)] {
            let set = || {
                let header = header(dtype, packing);
                let mut memory = Aligned::zeroed(header.file_bytes());
                let mut builder = Builder::new(header, memory.get_mut()).unwrap();
                if dtype.is_integer() {
                    builder.weight(0, row, column, 1);
                } else {
                    builder.float_weight(0, row, column, 1.0);
                }
            };
            let panic = std::panic::catch_unwind(set).unwrap_err();
            let said = panic.downcast_ref::<String>().unwrap();
            assert_eq!(*said, format!("weight ({row}, {column}) of layer 0"), "{dtype} {packing}");
        }
    }
}
