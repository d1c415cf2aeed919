//! The bits of 500 steps: every backend, precision and number of threads, in every build of the program that is at hand.
//!
//! `SELVEDGE_PROGRAMS` names other builds beside the one under test, as `.ci/run` does:
//!
//! ```sh
//! SELVEDGE_PROGRAMS="debug=target/debug/selvedge release=target/release/selvedge" \
//!   cargo test -p host-cli --test determinism -- --nocapture
//! ```
//!
//! Promised, and asserted: the same bits for any number of threads, in any build. Not promised: the same bits on two
//! backends, which add in another order; and `matrixmultiply` with several threads, since it adds otherwise for few rows.
//! `scalar` and `portable` add in the same order, and give the same bits on every machine.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use host_cli::data::hex;
use host_cli::model::Model;
use selvedge::Backend;
use sha2::{Digest, Sha256};
use support::folder_with_data;

/// Trains for 500 steps; the first half of the SHA-256 of the weights.
fn weights(here: &Path, program: &Path, backend: &str, precision: &str, threads: &str) -> String {
    let words = ["train", "--data", "data", "--hidden", "64,32", "--batch", "20", "--epochs", "50", "-q"];
    let output = Command::new(program)
        .current_dir(here)
        .args(words)
        .args(["--init", "he", "--momentum", "0.5", "--out", "run", "--overwrite"])
        .args(["--backend", backend, "--precision", precision, "--threads", threads])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model = Model::load(&here.join("run")).unwrap();
    let bytes: Vec<u8> = model.params.iter().flat_map(|p| p.to_le_bytes()).collect();
    hex(&Sha256::digest(&bytes)[..16])
}

/// The builds, by name.
fn programs() -> Vec<(String, PathBuf)> {
    let others = std::env::var("SELVEDGE_PROGRAMS").unwrap_or_default();
    let others = others.split_whitespace().map(|word| {
        let (name, path) = word.split_once('=').expect("NAME=PATH");
        // Tests run in the folder of their crate, people and scripts in the one above.
        (name.to_string(), Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path))
    });
    [("test".into(), env!("CARGO_BIN_EXE_selvedge").into())].into_iter().chain(others).collect()
}

#[test]
fn five_hundred_steps() {
    let here: &Path = &folder_with_data();
    let programs = programs();
    let columns: Vec<_> =
        programs.iter().flat_map(|(name, _)| [1, 2, 4].map(|t| format!("{name}, {t}"))).collect();
    println!("| backend | precision | SHA-256 of the weights | {} |", columns.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(columns.len()));
    let mut portable = Vec::new();
    for backend in Backend::available().map(Backend::name) {
        for precision in ["f32", "bf16"] {
            let mut first = None;
            let mut cells = Vec::new();
            for (_, program) in &programs {
                for threads in ["1", "2", "4"] {
                    let found = weights(here, program, backend, precision, threads);
                    let first = first.get_or_insert_with(|| found.clone());
                    cells.push(if *first == found { "same" } else { "other" });
                }
            }
            let first = first.unwrap();
            println!("| {backend} | {precision} | `{first}` | {} |", cells.join(" | "));
            if ["scalar", "portable"].contains(&backend) {
                portable.push((precision, first));
            }
            let promised: Vec<_> = match backend {
                // One thread in every build.
                "matrixmultiply" => cells.iter().step_by(3).collect(),
                _ => cells.iter().collect(),
            };
            assert!(promised.into_iter().all(|cell| *cell == "same"), "{backend} {precision}: {cells:?}");
        }
    } // The tests of the core pin these bits to literals, so they are those of every machine.
    portable.sort();
    let [a, b, c, d] = &portable[..] else { panic!("{portable:?}") };
    assert!(a == b && c == d, "{portable:?}");
}
