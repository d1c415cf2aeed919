//! Random damage: every parser is given good files with bits flipped, bytes cut, doubled and overwritten, and must refuse
//! or accept, never panic.
//!
//! `SELVEDGE_EXECUTIONS` sets how many mutants each parser gets (100,000 unless told); a seed fixes them. The same targets
//! run under coverage guidance in `tests/fuzz`.

#[path = "support/hostile.rs"]
mod targets;

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use host_cli::data::idx::{Images, write_images, write_labels};
use selvedge::Rng;
use targets::Target;

/// One to four kinds of damage at once.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    /// Values at which lengths and counts change their meaning.
    const SHARP: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
    for _ in 0..=rng.below(3) {
        if bytes.is_empty() {
            return;
        }
        // Headers are where most is decided, so every second strike is there.
        let span = if rng.below(2) == 0 { bytes.len().min(64) } else { bytes.len() };
        let at = rng.below(span as u32) as usize;
        let run = (1 + rng.below(16) as usize).min(bytes.len() - at);
        match rng.below(7) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = SHARP[rng.below(6) as usize],
            2 => bytes[at..at + run].fill_with(|| rng.next_u64() as u8),
            3 => bytes[at..at + run].fill(SHARP[rng.below(6) as usize]),
            4 => bytes.truncate(at),
            5 => {
                let copy = bytes[at..at + run].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => drop(bytes.drain(at..at + run)),
        }
    }
}

/// Gives a parser its good files, which it must take, and mutants of them; `mend` repairs what a parser checks first in
/// every second mutant, so that what lies behind is met too.
fn attack(name: &str, target: Target, corpus: &[Vec<u8>], mend: impl Fn(&mut [u8])) {
    let executions: u32 =
        std::env::var("SELVEDGE_EXECUTIONS").ok().map_or(100_000, |n| n.parse().expect("a number"));
    for (n, good) in corpus.iter().enumerate() {
        assert!(target(good), "{name}: good file {n} was refused");
    }
    let mut rng = Rng::new(1);
    let mut accepted = 0;
    for execution in 0..executions {
        let mut mutant = corpus[rng.below(corpus.len() as u32) as usize].clone();
        mutate(&mut rng, &mut mutant);
        if execution % 2 == 0 {
            mend(&mut mutant);
        }
        accepted += u32::from(target(&mutant));
    }
    println!("{name}: {executions} mutants, {accepted} of them accepted, no panic");
    assert!(accepted < executions, "{name}: nothing was refused");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn leave(_: &mut [u8]) {}

#[test]
fn idx_and_gzip() {
    let pixels = (0..120).map(|p| p as u8).collect();
    let images = write_images(&Images { pixels, count: 5, rows: 4, cols: 6 });
    attack("IDX images", targets::idx_images, &[images.clone(), gzip(&images)], leave);
    let labels = write_labels(&[0, 1, 2, 9]);
    attack("IDX labels", targets::idx_labels, &[labels.clone(), gzip(&labels)], leave);
}

#[test]
fn pictures() {
    let encode = |color, depth, data: &[u8]| {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 4, 2);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        file
    };
    let corpus = [
        encode(png::ColorType::Grayscale, png::BitDepth::Eight, &[9; 8]),
        encode(png::ColorType::Grayscale, png::BitDepth::One, &[0x50, 0xa0]),
        encode(png::ColorType::Rgba, png::BitDepth::Eight, &[77; 32]),
        encode(png::ColorType::Rgb, png::BitDepth::Sixteen, &[3; 48]),
    ];
    attack("PNG", targets::picture, &corpus, mend_png);
}

/// Every chunk of a PNG carries a checksum, and a mutant that fails it is refused unread.
fn mend_png(file: &mut [u8]) {
    let mut at = 8;
    while let Some(&[a, b, c, d]) = file.get(at..).and_then(|f| f.first_chunk()) {
        let end = (at + 8).saturating_add(u32::from_be_bytes([a, b, c, d]) as usize);
        if end.checked_add(4).is_none_or(|e| e > file.len()) {
            return;
        }
        let crc = selvedge::format::crc::Crc::new().of(&file[at + 4..end]).value();
        file[end..end + 4].copy_from_slice(&crc.to_be_bytes());
        at = end + 4;
    }
}

/// The golden files of the core: every type of weight and every packing.
fn golden() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "selv"));
    paths.sort();
    assert!(paths.len() >= 8, "{paths:?}");
    paths.iter().map(|p| fs::read(p).unwrap()).collect()
}

#[test]
fn flash_files() {
    attack("flash", targets::flash, &golden(), mend_flash);
}

/// Makes the length and the checksum right again.
fn mend_flash(file: &mut [u8]) {
    if file.len() >= selvedge::format::HEADER {
        let payload = (file.len() - selvedge::format::HEADER) as u32;
        file[32..36].copy_from_slice(&payload.to_le_bytes());
        let crc = selvedge::format::crc::Crc::new().of(&file[..36]).of(&file[40..]).value();
        file[36..40].copy_from_slice(&crc.to_le_bytes());
    }
}

#[test]
fn masters() {
    let shape = selvedge::Shape::new(&[5, 4, 3]).unwrap();
    let mut params = host_cli::memory::Floats::zeroed(shape.params(), "a test").unwrap();
    selvedge::Init::He.draw(shape, &mut Rng::new(1), &mut params).unwrap();
    let about =
        host_cli::model::About { classes: ["a", "b", "c"].map(String::from).into(), ..Default::default() };
    let model = host_cli::model::Model { shape, params, about };
    attack("master", targets::master, &[model.to_bytes().unwrap()], leave);
}
