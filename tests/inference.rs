//! Inference from flash files: every type and packing, on every backend, computes what the specification says.

mod common;

use common::flash::{Aligned, Network, float_logits, integer_logits, kinds};
use proptest::prelude::*;
use selvedge::format::{Builder, Dtype, HeaderBuf, ModelView, Packing, SelfTest, row_bound};
use selvedge::naive;
use selvedge::{Activations, Arena, Backend, Mlp, Serial, infer::integer, infer::mcu, kernel};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Networks of any small shape: each packing gives what the specification computes from the weights.
    #[test]
    fn every_packing_of_any_shape(
        widths in prop::collection::vec(1usize..40, 2..6),
        seed in any::<u64>(),
        pixels in prop::collection::vec(any::<u8>(), 40),
    ) {
        let network = Network::new(&widths, seed);
        for (dtype, packing) in kinds().filter(|(d, _)| d.is_integer()) {
            let file = network.file(dtype, packing);
            let got = integer_logits(file.get(), &pixels[..widths[0]]);
            prop_assert_eq!(got, specification(file.get(), &pixels[..widths[0]]), "{} {:?}", packing.name(), widths);
        }
    }
}

/// A batch on a backend, between guards that nobody may touch.
fn integer_batch_logits(file: &[u8], backend: Backend, pixels: &[u8]) -> Vec<i32> {
    const GUARD: usize = 40;
    let engine = integer::Engine::new(ModelView::parse(file).unwrap()).unwrap();
    let header = engine.view().header();
    let b = pixels.len() / header.inputs();
    let mut memory = vec![0xa5; integer::BatchEngine::bytes(header)];
    let batch = integer::BatchEngine::new(&engine, backend, &mut memory).unwrap();
    let mut scratch = vec![0xa5; integer::BatchEngine::scratch_bytes(header, b) + GUARD];
    let mut logits = vec![i32::MIN; b * header.outputs() + 2 * GUARD];
    let (end, guard) = (logits.len() - GUARD, scratch.len() - GUARD);
    batch.logits(pixels, &mut scratch[..guard], &mut logits[GUARD..end]).unwrap();
    assert!(scratch[guard..].iter().all(|&b| b == 0xa5), "{} wrote after its scratch", backend.name());
    assert!(logits[..GUARD].iter().chain(&logits[end..]).all(|&z| z == i32::MIN), "{}", backend.name());
    logits[GUARD..end].to_vec()
}

/// Batches of any size on every backend: what one image at a time gives.
#[test]
fn every_backend_gives_the_same_integers() {
    let shapes: [&[usize]; 7] = [
        &[64, 19, 5],
        &[784, 128, 10],
        &[3, 2],
        &[33, 64, 17, 100, 9],
        &[5, 1, 1],
        &[16, 200, 32],
        &[100, 47, 48, 3],
    ];
    for widths in shapes {
        let network = Network::new(widths, 21);
        let images: Vec<u8> = SelfTest::pixels(3).take(131 * widths[0]).collect();
        for (dtype, packing) in kinds().filter(|(dtype, _)| dtype.is_integer()) {
            let file = network.file(dtype, packing);
            let expected: Vec<i32> =
                images.chunks(widths[0]).flat_map(|image| integer_logits(file.get(), image)).collect();
            assert_eq!(expected[..*widths.last().unwrap()], specification(file.get(), &images[..widths[0]]));
            for backend in common::backends() {
                for b in [0, 1, 2, 3, 7, 8, 13, 64, 65, 131] {
                    let got = integer_batch_logits(file.get(), backend, &images[..b * widths[0]]);
                    assert_eq!(got, expected[..got.len()], "{} {widths:?} {b}", backend.name());
                }
            }
        }
    }
}

/// A layer of one unit, and the widest that there are, whose rows need the coarsest scales.
#[test]
fn the_narrowest_and_the_widest_layers() {
    for widths in [&[1, 1][..], &[32_768, 2], &[1, 32_768, 3], &[3, 1, 32_768, 1]] {
        let network = Network::new(widths, 17);
        let images: Vec<u8> = SelfTest::pixels(4).take(2 * widths[0]).collect();
        for (dtype, packing) in kinds().filter(|(d, _)| d.is_integer()) {
            let file = network.file(dtype, packing);
            let expected: Vec<i32> =
                images.chunks(widths[0]).flat_map(|image| specification(file.get(), image)).collect();
            let what = format!("{widths:?} {dtype} {packing}");
            for (image, expected) in images.chunks(widths[0]).zip(expected.chunks(*widths.last().unwrap())) {
                assert_eq!(integer_logits(file.get(), image), expected, "{what}");
                if packing == mcu::PACKING {
                    let view = ModelView::parse(file.get()).unwrap();
                    let mut scratch = vec![0; mcu::I8Engine::scratch_words(view.header())];
                    let mut logits = vec![0; expected.len()];
                    match dtype {
                        Dtype::I4 => {
                            mcu::I4Engine::new(view).unwrap().logits(image, &mut scratch, &mut logits)
                        }
                        _ => mcu::I8Engine::new(view).unwrap().logits(image, &mut scratch, &mut logits),
                    }
                    .unwrap();
                    assert_eq!(logits, expected, "{what}");
                }
            }
            for backend in common::backends() {
                assert_eq!(
                    integer_batch_logits(file.get(), backend, &images),
                    expected,
                    "{what} {}",
                    backend.name()
                );
            }
        }
    }
}

/// The logits by the plain loops, from weights asked for one by one.
fn specification(file: &[u8], pixels: &[u8]) -> Vec<i32> {
    let image = ModelView::parse(file).unwrap();
    let mut x: Vec<u8> =
        pixels.iter().map(|&p| image.table().map_or(p >> 1, |t| t[usize::from(p)])).collect();
    let mut acc = Vec::new();
    for layer in image.layers() {
        let (i, o) = (layer.inputs(), layer.outputs());
        let weights: Vec<i8> = (0..o * i).map(|at| layer.weight(at / i, at % i) as i8).collect();
        let biases: Vec<i32> = (0..o).map(|row| layer.bias(row)).collect();
        let multipliers: Vec<u32> = (0..o).map(|row| layer.multiplier(row)).collect();
        for row in weights.chunks_exact(i).zip(&biases) {
            assert!(row_bound(row.0.iter().map(|w| u32::from(w.unsigned_abs())).sum(), *row.1, 7));
        }
        acc = vec![0; o];
        let mut y = vec![0; o];
        naive::integer::hidden(&x, &weights, &biases, &multipliers, &mut acc, &mut y);
        x = y;
    }
    acc
}

/// The largest accumulators that there can be, on both sides.
#[test]
fn extremes_stay_in_range() {
    for sign in [1.0f32, -1.0] {
        let mut network = Network::new(&[520, 3, 2], 1);
        network.problem.params.fill(sign);
        network.maxima = vec![520.0];
        for (dtype, packing) in kinds().filter(|(d, _)| d.is_integer()) {
            let file = network.file(dtype, packing);
            for pixels in [[255; 520], [0; 520], [128; 520]] {
                let got = integer_logits(file.get(), &pixels);
                assert_eq!(got, specification(file.get(), &pixels), "{}", packing.name());
                for backend in common::backends() {
                    assert_eq!(integer_batch_logits(file.get(), backend, &pixels), got, "{}", backend.name());
                    let twice = integer_batch_logits(file.get(), backend, &[pixels, pixels].concat());
                    assert_eq!(twice, [&got[..], &got[..]].concat(), "{}", backend.name());
                }
            }
        }
    }
}

#[test]
fn multipliers_that_would_pass_sixteen_bits_make_the_outputs_coarser() {
    let mut network = Network::new(&[2, 3, 2], 5);
    network.maxima = vec![1e-3];
    let file = network.file(Dtype::I8, Packing::Generic);
    let image = ModelView::parse(file.get()).unwrap();
    let most = (0..3).map(|row| image.layers().next().unwrap().multiplier(row)).max().unwrap();
    assert!(most > 65_000, "{most}");
    assert!(image.scale(1) > 1e-3 / 127.0);
}

#[test]
fn integers_approximate_the_network() {
    let network = Network::new(&[64, 32, 10], 11);
    let shape = network.problem.shape;
    for (dtype, bound) in [(Dtype::I8, 0.05), (Dtype::I4, 0.5)] {
        let file = network.file(dtype, Packing::Generic);
        let scale = ModelView::parse(file.get()).unwrap().scale(shape.layers());
        let pixels: Vec<u8> = SelfTest::pixels(9).take(64).collect();
        let exact = batch_logits(&network, Backend::PORTABLE, &pixels);
        let spread = exact.iter().fold(0.0f32, |m, z| m.max(z.abs()));
        for (z, real) in integer_logits(file.get(), &pixels).into_iter().zip(exact) {
            assert!(
                (z as f32 * scale - real).abs() < bound * spread,
                "{}: {z} * {scale} for {real}",
                dtype.name()
            );
        }
    }
}

fn batch_logits(network: &Network, backend: Backend, pixels: &[u8]) -> Vec<f32> {
    let shape = network.problem.shape;
    let b = pixels.len() / shape.inputs();
    let mut memory = vec![0.0; Activations::floats(shape, b)];
    let mut activations = Activations::new(shape, b, &mut Arena::new(&mut memory)).unwrap();
    let index: Vec<u32> = (0..b as u32).collect();
    let fill = |first: usize, rows: &mut [f32]| {
        kernel::gather(backend, pixels, &index[first..][..rows.len() / shape.inputs()], rows);
    };
    let mlp = Mlp::new(shape, backend);
    mlp.forward(&Serial, &network.problem.params, &mut activations, b, &fill).unwrap().to_vec()
}

#[test]
fn a_file_of_f32_gives_the_bits_of_the_portable_backend() {
    for widths in [&[64, 19, 5][..], &[9, 4], &[30, 20, 10, 5]] {
        let network = Network::new(widths, 4);
        let file = network.file(Dtype::F32, Packing::Generic);
        let pixels: Vec<u8> = SelfTest::pixels(1).take(widths[0]).collect();
        let bits = |v: Vec<f32>| common::bits(&v);
        let expected = bits(batch_logits(&network, Backend::PORTABLE, &pixels));
        assert_eq!(bits(float_logits(file.get(), &pixels)), expected, "{widths:?}");
    }
}

#[test]
fn a_table_in_a_file_of_floats_makes_other_pixels() {
    let mut network = Network::new(&[64, 9, 5], 8);
    let pixels: Vec<u8> = SelfTest::pixels(2).take(64).collect();
    let negative: Vec<u8> = pixels.iter().map(|p| 255 - p).collect();
    let plain = network.file(Dtype::F32, Packing::Generic);
    network.table = Some(std::array::from_fn(|p| 255 - p as u8));
    let header = network.header(Dtype::F32, Packing::Generic).with_table();
    let mut memory = Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, memory.get_mut()).unwrap();
    builder.table(&network.table.unwrap());
    selvedge::infer::float::store(&mut builder, &network.problem.params).unwrap();
    builder.finish().unwrap();
    assert_eq!(float_logits(memory.get(), &pixels), float_logits(plain.get(), &negative));
}

/// Files of more layers than are trained: every engine, against plain loops.
#[test]
fn files_of_up_to_32_layers() {
    const WIDTH: usize = 9;
    let pixels: Vec<u8> = SelfTest::pixels(3).take(3 * WIDTH).collect();
    for layers in [1, 2, 8, 32] {
        for (dtype, packing) in kinds() {
            let header = HeaderBuf::from_widths(&[WIDTH; 33][..=layers], dtype, packing).unwrap();
            let mut memory = Aligned::zeroed(header.file_bytes());
            let mut builder = Builder::new(header, memory.get_mut()).unwrap();
            for (l, row, column) in
                (0..layers).flat_map(|l| (0..WIDTH * WIDTH).map(move |at| (l, at / WIDTH, at % WIDTH)))
            {
                let weight = if row == column { 7 } else { ((l + 3 * row + 5 * column) % 3) as i8 - 1 };
                if dtype.is_integer() {
                    builder.weight(l, row, column, 16 * weight);
                    builder.bias(l, row, 100 * (row as i32 - 4));
                    builder.multiplier(l, row, 60_000);
                } else {
                    builder.float_weight(l, row, column, f32::from(weight) / 8.0);
                    builder.float_bias(l, row, (row as f32 - 4.0) / 256.0);
                }
            }
            let view = builder.finish_with(7, common::flash::self_test_crc).unwrap();
            assert_eq!((view.header().layers(), view.layers().count()), (layers, layers));
            let file = memory.get();
            for image in pixels.chunks(WIDTH) {
                if dtype.is_integer() {
                    assert_eq!(integer_logits(file, image), specification(file, image), "{layers} {packing}");
                } else {
                    assert_eq!(float_logits(file, image), plain(file, image), "{layers} {dtype}");
                }
            }
            for backend in common::backends().filter(|_| dtype.is_integer()) {
                let expected: Vec<i32> = pixels.chunks(WIDTH).flat_map(|x| specification(file, x)).collect();
                assert_eq!(
                    integer_batch_logits(file, backend, &pixels),
                    expected,
                    "{layers} {}",
                    backend.name()
                );
            }
        }
    }
}

/// The logits of a file of floats by plain loops.
fn plain(file: &[u8], pixels: &[u8]) -> Vec<f32> {
    let view = ModelView::parse(file).unwrap();
    let mut x: Vec<f32> = pixels.iter().map(|&p| naive::unit(p)).collect();
    for (l, layer) in view.layers().enumerate() {
        let sum = |row| x.iter().enumerate().fold(0.0, |z, (c, x)| z + x * layer.float_weight(row, c));
        let z = (0..layer.outputs()).map(|row| sum(row) + layer.float_bias(row));
        let hidden = l + 1 < view.header().layers();
        x = z.map(|z| if hidden { z.max(0.0) } else { z }).collect();
    }
    x
}
