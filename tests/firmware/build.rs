//! Writes the `memory.x` of the machine that each target is tested on, for the runtime's linker script.

use std::{env, fs, path::PathBuf};

/// Flash and RAM of the machine: QEMU's microbit, mps2-an385/386/500, mps3-an547 and riscv32 virt.
fn memory(target: &str) -> &'static str {
    match target.split('-').next().unwrap_or_default() {
        "thumbv6m" => {
            "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 256K  RAM : ORIGIN = 0x20000000, LENGTH = 16K }"
        }
        "thumbv7m" | "thumbv7em" => {
            "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 4M  RAM : ORIGIN = 0x20000000, LENGTH = 4M }"
        }
        "thumbv8m.main" => {
            "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 512K  RAM : ORIGIN = 0x20000000, LENGTH = 512K }"
        }
        "riscv32imc" | "riscv32imac" => {
            "MEMORY { FLASH : ORIGIN = 0x80000000, LENGTH = 4M  RAM : ORIGIN = 0x80400000, LENGTH = 12M }\n\
             REGION_ALIAS(\"REGION_TEXT\", FLASH);\nREGION_ALIAS(\"REGION_RODATA\", FLASH);\n\
             REGION_ALIAS(\"REGION_DATA\", RAM);\nREGION_ALIAS(\"REGION_BSS\", RAM);\n\
             REGION_ALIAS(\"REGION_HEAP\", RAM);\nREGION_ALIAS(\"REGION_STACK\", RAM);"
        }
        _ => panic!("{target}: build for a microcontroller, as README.md says"),
    }
}

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), memory(&target)).expect("the output folder is writable");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=build.rs");
}
