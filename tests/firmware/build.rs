//! Writes the `memory.x` of the machine that each target is tested on, for the runtime's linker script.

#[allow(dead_code)] // The whole table; the boards that QEMU emulates are used here.
#[path = "../../host-cli/src/firmware/boards.rs"]
mod boards;

use std::{env, fs, path::PathBuf};

/// The board that QEMU starts programs of a target on. `SELVEDGE_BOARD` names another one: what does not fit into the flash of the
/// smallest runs on a larger one, whose core has the same instructions and more.
fn board(target: &str) -> &'static str {
    match target.split('-').next().unwrap_or_default() {
        "thumbv6m" => "microbit",
        "thumbv7m" => "mps2-an385",
        "thumbv7em" => "mps2-an386",
        "thumbv8m.main" => "mps3-an547",
        "riscv32imc" | "riscv32imac" => "riscv-virt",
        _ => panic!("{target}: build for a microcontroller, as README.md says"),
    }
}

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let named = env::var("SELVEDGE_BOARD").unwrap_or_default();
    let name = if named.is_empty() { board(&target) } else { &named };
    let board = boards::board(name).expect("the table holds every emulated board");
    fs::write(out.join("memory.x"), board.memory_x()).expect("the output folder is writable");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SELVEDGE_BOARD");
}
