//! What is done with bytes that anybody may have made: one function a parser, which may refuse but never panic.
//!
//! The stable test of random damage (`hostile.rs`) and the coverage-guided fuzzer (`tests/fuzz`) call the same functions.

use host_cli::data::idx;
use host_cli::model::Model;
use host_cli::png;
use selvedge::format::{ALIGN, Image};
use selvedge::{float, quant};

/// A parser under attack: whether it took the bytes.
pub type Target = fn(&[u8]) -> bool;

/// IDX images, plain or gzip: what is accepted is as large as it says, and survives being written.
pub fn idx_images(bytes: &[u8]) -> bool {
    let Ok(images) = idx::parse_images("f", bytes) else { return false };
    assert_eq!(images.pixels.len(), images.count * images.pixels_per_image());
    assert_eq!(idx::parse_images("f", &idx::write_images(&images)).as_ref(), Ok(&images));
    true
}

/// IDX labels.
pub fn idx_labels(bytes: &[u8]) -> bool {
    let Ok(labels) = idx::parse_labels("f", bytes, 10) else { return false };
    assert!(labels.iter().all(|&l| l < 10));
    true
}

/// A picture of one's own.
pub fn picture(bytes: &[u8]) -> bool {
    let Ok(images) = png::parse("f", bytes) else { return false };
    assert_eq!((images.count, images.pixels.len()), (1, images.rows * images.cols));
    true
}

/// The master file: what is accepted is finite, and is the same model when it is written and read again.
pub fn master(bytes: &[u8]) -> bool {
    let Ok(model) = Model::parse(bytes) else { return false };
    assert!(model.params.iter().all(|p| p.is_finite()));
    let again =
        Model::parse(&model.to_bytes().expect("a model that was read can be written")).expect("and read");
    assert_eq!((again.shape, &again.params[..]), (model.shape, &model.params[..]));
    true
}

/// The flash file: what is accepted runs.
pub fn flash(bytes: &[u8]) -> bool {
    // A vector of vectors' worth of bytes lies at an aligned address.
    let mut memory = vec![0u128; bytes.len().div_ceil(ALIGN).max(1)];
    let aligned = bytemuck::cast_slice_mut::<u128, u8>(&mut memory);
    aligned[..bytes.len()].copy_from_slice(bytes);
    let Ok(image) = Image::parse(&aligned[..bytes.len()]) else { return false };
    let header = *image.header();
    let pixels: Vec<u8> = (0..header.shape().inputs()).map(|p| (p * 37) as u8).collect();
    let outputs = header.shape().outputs();
    assert!(image.labels().count() == 0 || image.labels().count() == outputs);
    if let Ok(model) = quant::Model::new(image.clone()) {
        let (mut scratch, mut logits) = (vec![0; quant::scratch_words(&header)], vec![0; outputs]);
        model.logits(&pixels, &mut scratch, &mut logits).expect("memory as asked for");
        assert!(logits.iter().all(|z| z.abs() < 1 << 23), "an accumulator left its bound");
        // The stored logits may be any; that the test runs is what counts.
        let _ = model.self_test(&mut scratch, &mut logits);
    } else {
        let model = float::Model::new(image).expect("a type is integer or float");
        let (mut scratch, mut logits) = (vec![0.0; float::scratch_floats(&header)], vec![0.0; outputs]);
        model.logits(&pixels, &mut scratch, &mut logits).expect("memory as asked for");
        let _ = model.self_test(&mut scratch, &mut logits);
    }
    true
}
