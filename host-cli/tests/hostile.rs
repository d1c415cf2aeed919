//! Random damage: every parser is given good files with bits flipped, bytes cut, doubled, overwritten and taken from other
//! files, and must refuse or accept, never panic.
//!
//! `SELVEDGE_EXECUTIONS` sets how many mutants each parser gets (100,000 unless told; sweeps, which make thousands of
//! recipes of a line, and JPEG, whose mutants may be large pictures, a tenth of it); a seed fixes them. The same parsers run
//! under coverage guidance in `tests/fuzz`, whose corpus is run here too: what it holds as `good*` has to be taken.

#[path = "support/hostile.rs"]
mod hostile;

use std::fs;
use std::path::Path;

use hostile::{PARSERS, Parser};
use selvedge::Rng;

/// One to four kinds of damage at once; `other` is another file for the same parser.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
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
        match rng.below(8) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = SHARP[rng.below(6) as usize],
            2 => bytes[at..at + run].fill_with(|| rng.next_u64() as u8),
            3 => bytes[at..at + run].fill(SHARP[rng.below(6) as usize]),
            4 => bytes.truncate(at),
            5 => {
                let copy = bytes[at..at + run].to_vec();
                bytes.splice(at..at, copy);
            }
            6 if !other.is_empty() => {
                let from = rng.below(other.len() as u32) as usize;
                let to = (from + run).min(other.len());
                bytes.splice(at..at + run, other[from..to].iter().copied());
            }
            _ => drop(bytes.drain(at..at + run)),
        }
    }
}

/// The files of a folder, by name.
fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| wanted(name))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// What a parser has to take, and what else it has met.
fn corpus(parser: &Parser) -> [Vec<(String, Vec<u8>)>; 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("tests/fuzz/corpus").join(parser.name);
    let mut good = files(&folder, |name| name.starts_with("good"));
    if parser.name == "flash" {
        // The golden files of the core: every type of weight and every packing.
        good.extend(files(&root.join("fixtures"), |name| name.ends_with(".selv")));
        good.extend(files(&root.join("fixtures/v1"), |name| name.ends_with(".selv")));
        assert!(good.len() >= 8);
    }
    assert!(!good.is_empty(), "{}: no good file", parser.name);
    [good, files(&folder, |name| !name.starts_with("good"))]
}

/// Gives a parser its corpus and mutants of it, every second one mended.
fn attack(name: &str) {
    let parser = PARSERS.iter().find(|p| p.name == name).unwrap();
    let executions: u32 =
        std::env::var("SELVEDGE_EXECUTIONS").ok().map_or(100_000, |n| n.parse().expect("a number"));
    let executions = if ["sweep", "jpeg"].contains(&name) { executions / 10 } else { executions };
    let [good, met] = corpus(parser);
    for (file, bytes) in &good {
        assert!((parser.takes)(bytes), "{name}: {file} was refused");
    }
    let all: Vec<_> = good.iter().chain(&met).map(|(_, bytes)| &bytes[..]).collect();
    for bytes in &all {
        (parser.takes)(bytes);
        let mut mended = bytes.to_vec();
        (parser.mend)(&mut mended);
        (parser.takes)(&mended);
    }
    let mut rng = Rng::new(1);
    let mut accepted = 0;
    for execution in 0..executions {
        let [from, other] = [(); 2].map(|()| all[rng.below(all.len() as u32) as usize]);
        let mut mutant = from.to_vec();
        mutate(&mut rng, &mut mutant, other);
        if execution % 2 == 0 {
            (parser.mend)(&mut mutant);
        }
        accepted += u32::from((parser.takes)(&mutant));
    }
    println!("{name}: {} files, {executions} mutants, {accepted} of them accepted, no panic", all.len());
    assert!(accepted < executions, "{name}: nothing was refused");
}

/// One test a parser, so that they run side by side.
macro_rules! parsers {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { attack($name) })*

        #[test]
        fn no_parser_is_left_out() {
            let mut names: Vec<_> = PARSERS.iter().map(|p| p.name).collect();
            let mut tested = vec![$($name),*];
            names.sort();
            tested.sort();
            assert_eq!(names, tested);
        }
    };
}

parsers! {
    idx_images "idx-images"
    idx_labels "idx-labels"
    class_names "class-names"
    flash "flash"
    master "master"
    safetensors "safetensors"
    onnx "onnx"
    tflite "tflite"
    png "png"
    jpeg "jpeg"
    npy "npy"
    npz "npz"
    recipe "recipe"
    sweep "sweep"
}
