//! The exported C of every kind of file, compiled by every compiler of this machine at -O3 with its default flags and with
//! those of this processor, whose multiply-adds a compiler may fuse: the same answers as the engines of the core, to the bit.
//!
//! gcc is needed. clang and g++ are used where they are installed; `SELVEDGE_REQUIRE_COMPILERS=1` fails where they are not.

mod specs;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use host_cli::memory::Bytes;
use selvedge::Activation::Tanh;
use selvedge::format::{Dtype, InputMap, InputType, ModelView, RawValue, Task};
use selvedge::infer::{Window, float, integer};
use specs::{floats, integers, with};
use support::c::program;
use support::files::Spec;
use support::{fails, succeeds};

const ROWS: usize = 500;

/// The answers of the core, in the bytes that the program writes.
macro_rules! answers {
    ($spec:expr, $view:expr, $engine:ty, $logit:ty, $zero:expr, $of:ty, $rows:expr, $fixed:expr, $score:expr) => {{
        let (view, spec): (&ModelView<'_>, &Spec) = ($view, $spec);
        let engine = <$engine>::new(view.clone()).unwrap();
        let header = view.header();
        let mut scratch = vec![$zero; <$engine>::scratch_words(header)];
        let mut z: Vec<$logit> = vec![$zero as $logit; header.outputs()];
        let mut found = Vec::new();
        let values: Vec<$of> = values($rows);
        let mut one = |sample: &Vec<$of>| {
            engine.logits(sample, &mut scratch, &mut z).unwrap();
            found.extend(z.iter().flat_map(|z| z.to_ne_bytes()));
            match spec.task {
                Task::Class => {
                    let class = engine.classify(sample, &mut scratch, &mut z).unwrap();
                    found.extend(class.map_or(-1, |class| class as i32).to_ne_bytes());
                }
                Task::Labels => {
                    let mut bits = vec![0; z.len().div_ceil(8)];
                    engine.labels(sample, &mut scratch, &mut z, &mut bits).unwrap();
                    found.extend(bits);
                }
                Task::Values => {
                    let mut numbers = vec![0.0; z.len()];
                    engine.predict(sample, &mut scratch, &mut z, &mut numbers).unwrap();
                    found.extend(numbers.iter().flat_map(|v| v.to_ne_bytes()));
                    $fixed(&engine, sample, &mut scratch, &mut z, &mut found);
                }
                _ => {
                    let score = $score(&engine, sample, &mut scratch, &mut z);
                    found.extend(score.mean_squared_error.to_ne_bytes());
                    found.extend(score.anomaly.into_iter().flat_map(|a| i32::from(a).to_ne_bytes()));
                }
            }
        };
        match spec.window {
            None => values.chunks_exact(header.inputs()).for_each(|sample| one(&sample.to_vec())),
            Some((rows, _)) => {
                let mut memory = vec![values[0]; header.inputs()];
                let mut window = Window::new(header, &mut memory).unwrap();
                for row in values.chunks_exact(header.inputs() / rows) {
                    if window.push(row).unwrap() {
                        one(&window.values().collect());
                    }
                }
            }
        }
        found
    }};
}

fn expected(spec: &Spec, file: &Bytes, rows: &[u8]) -> Vec<u8> {
    fn integers<T: Raw>(spec: &Spec, view: &ModelView<'_>, rows: &[u8]) -> Vec<u8> {
        answers!(
            spec,
            view,
            integer::Engine<'_>,
            i32,
            0,
            T,
            rows,
            |engine: &integer::Engine<'_>,
             sample,
             scratch: &mut [u32],
             z: &mut [i32],
             found: &mut Vec<u8>| {
                engine.predict_fixed(sample, scratch, z).unwrap();
                found.extend(z.iter().flat_map(|z| z.to_ne_bytes()));
            },
            |engine: &integer::Engine<'_>, sample, scratch: &mut [u32], _: &mut [i32]| {
                engine.score(sample, scratch).unwrap()
            }
        )
    }
    fn floats<T: Raw>(spec: &Spec, view: &ModelView<'_>, rows: &[u8]) -> Vec<u8> {
        answers!(
            spec,
            view,
            float::Engine<'_>,
            f32,
            0.0,
            T,
            rows,
            |_: &float::Engine<'_>, _, _: &mut [f32], _: &mut [f32], _: &mut Vec<u8>| {},
            |engine: &float::Engine<'_>, sample, scratch: &mut [f32], z: &mut [f32]| {
                engine.score_of_floats(sample, scratch, z).unwrap()
            }
        )
    }
    let view = &ModelView::parse(file).unwrap();
    match (spec.dtype.is_integer(), spec.input.0) {
        (true, InputType::U8) => integers::<u8>(spec, view, rows),
        (true, InputType::I16) => integers::<i16>(spec, view, rows),
        (true, InputType::U16) => integers::<u16>(spec, view, rows),
        (true, _) => integers::<f32>(spec, view, rows),
        (false, InputType::U8) => floats::<u8>(spec, view, rows),
        (false, InputType::I16) => floats::<i16>(spec, view, rows),
        (false, InputType::U16) => floats::<u16>(spec, view, rows),
        (false, _) => floats::<f32>(spec, view, rows),
    }
}

/// A raw value that its bytes make.
trait Raw: RawValue {
    fn of(bytes: &[u8]) -> Self;
    const BYTES: usize;
}

macro_rules! raw {
    ($($of:ty)*) => {$(
        impl Raw for $of {
            fn of(bytes: &[u8]) -> Self {
                Self::from_ne_bytes(bytes.try_into().unwrap())
            }
            const BYTES: usize = size_of::<$of>();
        }
    )*};
}
raw!(u8 i16 u16 f32);

fn values<T: Raw>(rows: &[u8]) -> Vec<T> {
    rows.chunks_exact(T::BYTES).map(T::of).collect()
}

/// Exports the files, compiles them with every compiler, and compares the answers.
fn compare(specs: Vec<Spec>, storage: &str) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let named: Vec<_> = specs.into_iter().enumerate().map(|(n, spec)| (format!("net{n}"), spec)).collect();
    let mut answers = Vec::new();
    for (n, (name, spec)) in named.iter().enumerate() {
        let file = spec.build(n as u64 + 1);
        let rows = spec.rows(ROWS, n as u64 + 100);
        fs::write(here.join(format!("{name}.selv")), &*file).unwrap();
        fs::write(here.join(format!("{name}.rows")), &rows).unwrap();
        let (from, to) = (format!("{name}.selv"), format!("{name}.c"));
        succeeds(here, &["export", &from, "--format", "c", "--storage", storage, "-o", &to]);
        answers.push(expected(spec, &file, &rows));
    }
    for ((_, spec), answers) in named.iter().zip(&answers) {
        both_verdicts_are_there(spec, answers);
    }
    fs::write(here.join("main.c"), program(&named)).unwrap();
    for (compiler, flags) in [
        ("gcc", &["-O3"][..]),
        ("gcc", &["-O3", "-march=native"]),
        ("gcc", &["-O2", "-std=c99"]),
        // Words of four inputs, as on Cortex-M0 and M3.
        ("gcc", &["-O3", "-std=c99", WORDS]),
        ("clang", &["-O2", WORDS]),
        ("g++", &["-O2", WORDS, "-x", "c++"]),
        ("clang", &["-O3"]),
        ("clang", &["-O3", "-march=native"]),
        ("g++", &["-O3", "-march=native", "-x", "c++"]),
    ] {
        if !compile(here, compiler, flags, &named) {
            continue;
        }
        let ran = Command::new(here.join("program")).current_dir(here).output().unwrap();
        assert!(ran.status.success(), "{compiler} {flags:?}: {}", String::from_utf8_lossy(&ran.stdout));
        for ((name, spec), expected) in named.iter().zip(&answers) {
            let found = fs::read(here.join(format!("{name}.answers"))).unwrap();
            assert_eq!(found.len(), expected.len(), "{compiler} {flags:?}: {spec:?}");
            let differing = found.iter().zip(expected).filter(|(a, b)| a != b).count();
            assert_eq!(differing, 0, "{compiler} {flags:?}: {spec:?}");
        }
    }
}

/// A file with a margin has known and unknown samples among these, one with a threshold of scores anomalies and others.
fn both_verdicts_are_there(spec: &Spec, answers: &[u8]) {
    let bytes = 4 * spec.widths[spec.widths.len() - 1] + if spec.task == Task::Class { 4 } else { 8 };
    if spec.bound != 0 && matches!(spec.task, Task::Class | Task::Reconstruction) {
        let last = answers
            .chunks_exact(bytes)
            .map(|answer| i32::from_ne_bytes(answer[bytes - 4..].try_into().unwrap()));
        let odd =
            last.clone().filter(|&verdict| verdict == if spec.task == Task::Class { -1 } else { 1 }).count();
        assert!(odd > 0 && odd < last.count(), "{odd}: {spec:?}");
    }
}

/// Has [`compile`] define the path of words for every network.
const WORDS: &str = "words";

/// Whether there is the compiler; it must compile without a warning.
fn compile(here: &Path, compiler: &str, flags: &[&str], named: &[(String, Spec)]) -> bool {
    let sources = named.iter().map(|(name, _)| format!("{name}.c"));
    let path = |(name, _): &(String, Spec)| format!("-D{}_PATH=1", name.to_uppercase());
    let words: Vec<_> = named.iter().filter(|_| flags.contains(&WORDS)).map(path).collect();
    let compiled = Command::new(compiler)
        .current_dir(here)
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-o", "program"])
        .args(flags.iter().filter(|&&flag| flag != WORDS))
        .args(words)
        .arg("main.c")
        .args(sources)
        .output();
    match compiled {
        Ok(compiled) => {
            let errors = String::from_utf8_lossy(&compiled.stderr);
            assert!(compiled.status.success(), "{compiler} {flags:?}: {errors}");
            true
        }
        Err(error) => {
            let optional = compiler != "gcc" && std::env::var_os("SELVEDGE_REQUIRE_COMPILERS").is_none();
            assert!(optional, "{compiler}: {error}");
            eprintln!("{compiler} is not installed: left out");
            false
        }
    }
}

#[test]
fn integer_c_answers_as_the_core_does() {
    compare(integers(), "const");
}

#[test]
fn float_c_answers_as_the_core_does() {
    compare(floats(), "const");
}

#[test]
fn c_that_keeps_constants_in_the_flash_of_an_avr_answers_the_same_elsewhere() {
    compare([integers(), floats()].concat(), "progmem");
}

#[test]
fn the_self_test_finds_a_changed_number() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (n, (spec, storage)) in
        [(integers().remove(0), "const"), (floats().remove(0), "progmem")].into_iter().enumerate()
    {
        fs::write(here.join("net.selv"), &*spec.build(n as u64)).unwrap();
        succeeds(here, &["export", "net.selv", "--format", "c", "--storage", storage, "-o", "net.c"]);
        fs::write(here.join("main.c"), "#include \"net.h\"\nint main(void) { return net_selftest(); }\n")
            .unwrap();
        let run = || {
            let built =
                Command::new("gcc").current_dir(here).args(["-O2", "main.c", "net.c", "-o", "test"]).status();
            assert!(built.unwrap().success());
            Command::new(here.join("test")).status().unwrap().code()
        };
        assert_eq!(run(), Some(1), "{spec:?}");
        // The first bias of the last layer.
        let text = fs::read_to_string(here.join("net.c")).unwrap();
        let biases = format!("net_biases{}[", spec.widths.len() - 1);
        let at = text.find(&biases).unwrap();
        let at = at + text[at..].find("{\n").unwrap() + 2;
        fs::write(here.join("net.c"), format!("{}1 +{}", &text[..at], &text[at..])).unwrap();
        assert_eq!(run(), Some(0), "{spec:?}");
    }
}

#[test]
fn what_an_avr_has_no_flash_for_is_refused_with_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("net.selv"), &*Spec::new(&[784, 64, 10]).build(1)).unwrap();
    let words = ["export", "net.selv", "--format", "c", "-o", "net.c", "--storage"];
    let line = fails(here, &support::with(&words, &["progmem"]), 6);
    // Weights of 12 outputs in the last layer, multipliers of 2 bytes, names of 6, offsets and scales, the self-test.
    let bytes = 784 * 64 + 64 * 12 + 4 * 74 + 2 * 64 + 60 + 8 * 784 + 4 * 794;
    assert!(line.contains(&format!("take {bytes} bytes")) && line.contains("32768"), "{line}");
    assert!(!here.join("net.c").exists() && !here.join("net.h").exists());
    succeeds(here, &support::with(&words, &["const"]));
    let line =
        fails(here, &["export", "net.selv", "--format", "cmake", "-o", "a", "--storage", "progmem"], 2);
    assert!(line.ends_with("--storage goes with --format c and arduino"), "{line}");
    let firmware =
        ["export", "net.selv", "--format", "firmware", "--board", "microbit", "-o", "a", "--storage"];
    assert!(fails(here, &support::with(&firmware, &["const"]), 2).contains("--storage goes with"));
}

#[test]
fn what_would_change_the_bits_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let tanh = Spec { dtype: Dtype::F32, activations: vec![Tanh], ..Spec::new(&[4, 5, 2]) };
    fs::write(here.join("tanh.selv"), &*tanh.build(1)).unwrap();
    let line = fails(here, &["export", "tanh.selv", "--format", "c", "-o", "tanh.c"], 4);
    assert!(line.contains("tanh") && line.contains("selvedge quantize"), "{line}");
    assert!(!here.join("tanh.c").exists());

    fs::write(here.join("net.selv"), &*Spec::new(&[4, 5, 2]).build(1)).unwrap();
    succeeds(here, &["export", "net.selv", "--format", "c", "-o", "net.c"]);
    let header = fs::read_to_string(here.join("net.h")).unwrap();
    assert!(header.contains("int32_t net_classify_f32(const float *sample);"), "{header}");
    for flag in ["-ffast-math", "-freciprocal-math", "-fno-signed-zeros", "-ffinite-math-only"] {
        let compiled = Command::new("gcc").current_dir(here).args(["-c", flag, "net.c"]).output().unwrap();
        assert!(!compiled.status.success(), "{flag}");
        assert!(
            String::from_utf8_lossy(&compiled.stderr).contains("compile it without -ffast-math"),
            "{flag}"
        );
    }
}

#[test]
fn the_class_of_a_picture_is_signed_where_there_is_a_margin() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let said = |bound| {
        let spec = Spec { bound, ..with((InputType::U8, InputMap::Plain, 7), &[16, 12, 4]) };
        fs::write(here.join("net.selv"), &*spec.build(1)).unwrap();
        succeeds(here, &["export", "net.selv", "--format", "c", "-o", "net.c"]);
        fs::read_to_string(here.join("net.h")).unwrap()
    };
    let plain = said(0);
    assert!(plain.contains("uint32_t net_classify(const uint8_t *pixels);"), "{plain}");
    assert!(plain.contains("In a file with a margin an int32_t: -1 for unknown."), "{plain}");
    assert!(said(1500).contains("\nint32_t net_classify(const uint8_t *pixels);"));
}
