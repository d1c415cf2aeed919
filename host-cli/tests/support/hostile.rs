//! What is done with bytes that anybody may have made: one function a parser, which may refuse but never panic.
//!
//! The stable test of random damage (`hostile.rs`) and the coverage-guided fuzzer (`tests/fuzz`) call the same functions.

use host_cli::data::arrays::{self, Array, Arrays, Values};
use host_cli::data::classes::{self, Classes};
use host_cli::data::idx;
use host_cli::data::pictures::{self, Channels, PictureOptions};
use host_cli::files;
use host_cli::import::{self, ImportOptions};
use host_cli::model::Model;
use host_cli::recipe::Recipe;
use host_cli::recipe::config::{self, MergedConfig, Origin};
use host_cli::sweep::SweepPlan;
use selvedge::format::crc::Crc;
use selvedge::format::{ALIGN, HEADER_BYTES, InputType, ModelView, RawValue};
use selvedge::{infer::float, infer::integer};

/// A parser under attack.
pub struct Parser {
    /// The folder of its files in `tests/fuzz/corpus`.
    pub name: &'static str,
    /// Whether it takes the bytes.
    pub takes: fn(&[u8]) -> bool,
    /// Repairs what it checks first, so that what lies after is met too.
    pub mend: fn(&mut [u8]),
}

/// All of them.
pub const PARSERS: [Parser; 14] = [
    Parser { name: "idx-images", takes: idx_images, mend: leave },
    Parser { name: "idx-labels", takes: idx_labels, mend: leave },
    Parser { name: "class-names", takes: class_names, mend: leave },
    Parser { name: "flash", takes: flash, mend: mend_flash },
    Parser { name: "master", takes: master, mend: files::safetensors::sign },
    Parser { name: "safetensors", takes: import, mend: files::safetensors::sign },
    Parser { name: "onnx", takes: import, mend: leave },
    Parser { name: "tflite", takes: import, mend: leave },
    Parser { name: "png", takes: picture, mend: mend_png },
    Parser { name: "jpeg", takes: picture, mend: leave },
    Parser { name: "npy", takes: numpy, mend: leave },
    Parser { name: "npz", takes: numpy, mend: leave },
    Parser { name: "recipe", takes: recipe, mend: leave },
    Parser { name: "sweep", takes: sweep, mend: leave },
];

fn leave(_: &mut [u8]) {}

/// IDX images, plain or gzip: what is accepted is as large as it says, and survives being written.
fn idx_images(bytes: &[u8]) -> bool {
    let Ok((mut images, _)) = idx::parse_images("f", bytes) else { return false };
    assert_eq!(images.pixels.len(), images.count * images.pixels_per_image());
    assert_eq!(idx::parse_images("f", &idx::write_images(&images)).unwrap().0, images);
    let before = images.clone();
    images.transpose();
    images.transpose();
    assert_eq!(images, before);
    true
}

/// IDX labels: what is accepted makes classes that hold every label, counted from 0 and from 1 alike.
fn idx_labels(bytes: &[u8]) -> bool {
    let Ok((labels, _)) = idx::parse_labels("f", bytes, 0) else { return false };
    assert_eq!(idx::parse_labels("f", &idx::write_labels(&labels), 0), Ok((labels.clone(), None)));
    if let Ok(classes) = Classes::counted(&labels, &[], 0) {
        assert!(labels.iter().all(|&l| usize::from(l) < classes.names.len()) && classes.names.len() <= 256);
    }
    if let Ok((from_one, _)) = idx::parse_labels("f", bytes, 1) {
        assert!(from_one.iter().zip(&labels).all(|(a, b)| a + 1 == *b));
    }
    true
}

/// Class names: what is accepted is the same when it is written and read again.
fn class_names(bytes: &[u8]) -> bool {
    let Ok(names) = classes::parse_names(bytes) else { return false };
    assert!((2..=256).contains(&names.len()) && names.iter().all(|name| !name.is_empty()));
    assert_eq!(classes::parse_names(names.join("\n").as_bytes()), Ok(names));
    true
}

/// A picture of one's own, PNG or JPEG: grey and in colour it has one size, and the size that it is resized to.
fn picture(bytes: &[u8]) -> bool {
    let read = |size, channels| {
        let options = PictureOptions { size, channels };
        pictures::read_file(std::path::Path::new("f"), bytes, &options).map(|picture| picture.images)
    };
    let Ok(grey) = read(None, None) else { return false };
    assert_eq!((grey.count, grey.pixels.len()), (1, grey.rows * grey.cols));
    let rgb = read(Some((5, 3)), Some(Channels::Rgb)).expect("and in colour");
    assert_eq!((rgb.rows, rgb.cols, rgb.pixels.len()), (3, 5, 45));
    true
}

/// Arrays of NumPy's: what is accepted has as many elements as its shape says, and becomes images, rows or labels, or not.
fn numpy(bytes: &[u8]) -> bool {
    let Ok(Arrays { x, y, x_test, y_test, .. }) = arrays::read_bytes("f", bytes) else { return false };
    for array in [Some(x), y, x_test, y_test].into_iter().flatten() {
        let Array { shape, values, .. } = &array;
        let elements = match values {
            Values::U8(v) => v.len(),
            Values::F32(v) => v.len(),
            Values::I64(v) => v.len(),
            Values::Text(v) => v.len(),
        };
        assert_eq!(elements, shape.iter().product::<usize>());
        if let Ok((images, _)) = arrays::images(array.clone()) {
            assert_eq!(images.pixels.len(), images.count * images.pixels_per_image());
        }
        if let Ok((rows, columns, values)) = arrays::rows(array.clone()) {
            assert_eq!(values.len(), rows * columns);
        }
        let _ = arrays::labels(array);
    }
    true
}

/// Every chunk of a PNG carries a checksum, and a mutant that fails it is refused unread.
fn mend_png(file: &mut [u8]) {
    let mut at = 8;
    while let Some(&[a, b, c, d]) = file.get(at..).and_then(|f| f.first_chunk()) {
        let end = (at + 8).saturating_add(u32::from_be_bytes([a, b, c, d]) as usize);
        if end.checked_add(4).is_none_or(|e| e > file.len()) {
            return;
        }
        let crc = Crc::new().of(&file[at + 4..end]).value();
        file[end..end + 4].copy_from_slice(&crc.to_be_bytes());
        at = end + 4;
    }
}

/// The master file: what is accepted is finite, and is the same model when it is written and read again.
fn master(bytes: &[u8]) -> bool {
    Model::parse(bytes).is_ok_and(|model| survives(&model))
}

/// A network of another program's, safetensors, ONNX or TensorFlow Lite; no file beside it is there.
fn import(bytes: &[u8]) -> bool {
    let folder = std::path::Path::new("/nonexistent");
    import::parse(bytes, Some(folder), &ImportOptions::default())
        .is_ok_and(|imported| survives(&imported.model))
}

fn survives(model: &Model) -> bool {
    assert!(model.params.iter().all(|p| p.is_finite()));
    let again =
        Model::parse(&model.to_bytes().expect("a model that was read can be written")).expect("and read");
    assert_eq!((again.shape, &again.params[..]), (model.shape, &model.params[..]));
    true
}

/// A recipe: what is accepted is the same when it is written and read again.
fn recipe(bytes: &[u8]) -> bool {
    let Some(table) = std::str::from_utf8(bytes).ok().and_then(|text| config::parse(text, "f").ok()) else {
        return false;
    };
    let mut layers = MergedConfig::default();
    let Ok(recipe) = layers.merge(table, &Origin::File("f".into())).and_then(|()| layers.recipe()) else {
        return false;
    };
    let text = layers.explain().expect("a recipe that was read can be shown");
    let again: Recipe = config::parse(&text, "f").expect("and read").try_into().expect("and followed");
    assert_eq!(again, recipe);
    true
}

/// A sweep: what is accepted has as many trials as it says, and none of them is one that cannot be trained.
fn sweep(bytes: &[u8]) -> bool {
    let Some(table) = std::str::from_utf8(bytes).ok().and_then(|text| config::parse(text, "f").ok()) else {
        return false;
    };
    let Ok(plan) = SweepPlan::from_table(table, None, &toml::Table::new(), "f") else { return false };
    assert_eq!(plan.trials().len(), plan.recipes.len() * plan.seeds.len());
    assert!(plan.recipes.iter().all(|r| r.check().is_ok()));
    true
}

/// The flash file: what is accepted runs.
fn flash(bytes: &[u8]) -> bool {
    // A vector of vectors' worth of bytes lies at an aligned address.
    let mut memory = vec![0u128; bytes.len().div_ceil(ALIGN).max(1)];
    let aligned = bytemuck::cast_slice_mut::<u128, u8>(&mut memory);
    aligned[..bytes.len()].copy_from_slice(bytes);
    let Ok(image) = ModelView::parse(&aligned[..bytes.len()]) else { return false };
    let header = image.header();
    assert!(image.labels().count() == 0 || image.labels().count() == header.outputs());
    let pixels = (0..header.inputs()).map(|p| (p * 37) as u8);
    match header.input_type() {
        InputType::U8 => run_flash(&image, &pixels.collect::<Vec<_>>()),
        InputType::I16 => run_flash(&image, &pixels.map(|p| 257 * i16::from(p as i8)).collect::<Vec<_>>()),
        InputType::U16 => run_flash(&image, &pixels.map(|p| 257 * u16::from(p)).collect::<Vec<_>>()),
        _ => run_flash(&image, &pixels.map(|p| f32::from(p) - 99.5).collect::<Vec<_>>()),
    }
    true
}

/// Runs a file on raw values of its type.
fn run_flash<T: RawValue>(image: &ModelView<'_>, sample: &[T]) {
    let header = *image.header();
    let outputs = header.outputs();
    if let Ok(engine) = integer::Engine::new(image.clone()) {
        let (mut scratch, mut logits) = (vec![0; integer::Engine::scratch_words(&header)], vec![0; outputs]);
        engine.logits(sample, &mut scratch, &mut logits).expect("memory as asked for");
        assert!(logits.iter().all(|z| z.abs() < 1 << 23), "an accumulator left its bound");
        // The stored logits may be any; that the test runs is what counts.
        let _ = engine.self_test(&mut scratch, &mut logits);
    } else {
        let engine = float::Engine::new(image.clone()).expect("a type is integer or float");
        let (mut scratch, mut logits) =
            (vec![0.0; float::Engine::scratch_words(&header)], vec![0.0; outputs]);
        engine.logits(sample, &mut scratch, &mut logits).expect("memory as asked for");
        let _ = engine.self_test(&mut scratch, &mut logits);
    }
}

/// Makes the length and the checksum right again, where the file's version has them.
fn mend_flash(file: &mut [u8]) {
    if file.len() >= HEADER_BYTES {
        let (length, len) = if file[4] == 1 { (32, file.len() - HEADER_BYTES) } else { (8, file.len()) };
        file[length..length + 4].copy_from_slice(&(len as u32).to_le_bytes());
        let at = length + 4;
        let crc = Crc::new().of(&file[..at]).of(&file[at + 4..]).value();
        file[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
}
