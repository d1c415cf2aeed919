//! Runs the commands of README and `docs/`, page by page in their order, on small data in place of Fashion-MNIST. Every
//! command must be run or listed below.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{selvedge, small_data, succeeds};

/// Commands that are not run here, by their first words, and the reason.
const NOT_RUN: [(&str, &str); 13] = [
    ("cargo test --workspace", "it runs this test"),
    (
        "cargo install --locked --path host-cli --features fetch",
        "cargo has already built the program for this test",
    ),
    ("selvedge data fetch", "it needs the network; fetch.rs has its own server"),
    ("parallel selvedge sweep", "it needs GNU parallel; sweep.rs runs it with --ignored"),
    ("selvedge sweep merge shard-1", "it needs the output of the command before it"),
    ("#!/bin/sh #SBATCH", "it needs Slurm"),
    ("rustup target add", "it needs the network"),
    ("cmake -S package", "it needs CMake; package.rs runs it where it is installed"),
    ("(cd firmware", "it needs a target and QEMU; tests/firmware/run has both"),
    ("SELVEDGE_PROGRAMS=", "determinism.rs tests it"),
    ("selvedge import ad01_fp32.tflite", "it needs a benchmark's model; tests/firmware/run --anomaly has it"),
    ("selvedge quantize ad.safetensors", "it needs the output of the command before it"),
    ("tests/firmware/run --anomaly", "it needs QEMU; .ci/run has it"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README and every page of `docs/`.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|e| e.unwrap().path());
    let mut pages: Vec<_> = docs.filter(|p| p.extension().is_some_and(|e| e == "md")).collect();
    pages.sort();
    pages.insert(0, root().join("README.md"));
    pages
}

/// The code blocks of a page in one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|b| b.split("\n```").next().unwrap().to_string()).collect()
}

/// The commands of a block: one per line, or the whole block if it is a script.
fn commands(block: &str) -> Vec<String> {
    let block = block.replace("\\\n", " ");
    if block.starts_with("#!") {
        return vec![block.split_whitespace().collect::<Vec<_>>().join(" ")];
    }
    let lines = block.lines().map(|l| l.split(" #").next().unwrap().trim().to_string());
    lines.filter(|l| !l.is_empty() && !l.starts_with('#')).collect()
}

/// `iris.csv` and `rows.csv`, `motion.csv` of a sensor of 16 bits, and the folder `photos`.
fn tables_and_pictures(here: &Path) {
    let (mut iris, mut rows) = ("length,width,class\n".to_string(), "width,length\n".to_string());
    for n in 0..90 {
        let (class, spread) = (n % 3, f64::from(n % 7) / 10.0);
        iris +=
            &format!("{},{},{}\n", f64::from(class) + spread, 2.0 - spread, ["a", "b", "c"][class as usize]);
        rows += &format!("{},{}\n", 2.0 - spread, f64::from(class) + spread);
    }
    fs::write(here.join("iris.csv"), iris).unwrap();
    fs::write(here.join("rows.csv"), rows).unwrap();
    let mut motion = "t,subject,ax,ay,activity\n".to_string();
    for n in 0..1600 {
        let (subject, at) = (n / 200, n % 200);
        let (activity, speed) = if at < 100 { ("rest", 0.0) } else { ("run", 0.9) };
        let angle = speed * f64::from(n);
        let (ax, ay) = (8000.0 * angle.sin(), 8000.0 * angle.cos());
        motion += &format!("{at},s{subject},{ax:.0},{ay:.0},{activity}\n");
    }
    fs::write(here.join("motion.csv"), motion).unwrap();
    for (class, shade) in [("dark", 40u8), ("light", 200)] {
        let folder = here.join("photos").join(class);
        fs::create_dir_all(&folder).unwrap();
        for n in 0..12u8 {
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, 32, 32);
            encoder.set_color(png::ColorType::Grayscale);
            let pixels: Vec<u8> = (0..1024).map(|p| shade + n + (p % 7) as u8).collect();
            encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
            fs::write(folder.join(format!("{n}.png")), file).unwrap();
        }
    }
}

/// A folder with the files that the commands of a page expect.
fn prepare(page: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    tables_and_pictures(here);
    succeeds(here, &["train", "--data", "data", "--out", "made", "-q"]);
    succeeds(here, &["export", "made", "--format", "safetensors", "-o", "net.safetensors"]);
    for file in blocks(page, "toml").into_iter().filter(|b| b.starts_with("# sweep.toml")) {
        fs::write(here.join("sweep.toml"), file).unwrap();
    }
    folder
}

#[test]
fn every_command_runs_or_is_listed() {
    let (mut run, mut listed) = (0, BTreeSet::new());
    let program = Path::new(selvedge().get_program()).parent().unwrap().to_path_buf();
    let path = std::env::join_paths(
        [program].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let path = path.unwrap();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let all: Vec<_> = blocks(&text, "sh").iter().flat_map(|b| commands(b)).collect();
        if all.is_empty() {
            continue;
        }
        let folder = prepare(&text);
        for command in all {
            if let Some((start, _)) = NOT_RUN.iter().find(|(start, _)| command.starts_with(start)) {
                listed.insert(*start);
                continue;
            }
            let line = command.replace("cargo run --release -p host-cli --", "selvedge");
            assert!(line.starts_with("selvedge "), "{}: {command} is neither run nor listed", page.display());
            let output = Command::new("sh")
                .current_dir(folder.path())
                .args(["-e", "-c", &line])
                .env("PATH", &path)
                .env("SELVEDGE_DATA", folder.path().join("data"))
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}: {command}: {}",
                page.display(),
                String::from_utf8_lossy(&output.stderr)
            );
            run += 1;
        }
    }
    println!("{run} commands were run, {} are tested elsewhere", listed.len());
    assert!(run >= 15, "{run}");
    let unused: Vec<_> = NOT_RUN.iter().filter(|(start, _)| !listed.contains(start)).collect();
    assert!(unused.is_empty(), "no page has these: {unused:?}");
}
