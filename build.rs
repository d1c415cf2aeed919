//! Tells the core which of Arm's extensions the target's instructions come from, since stable `cfg`s do not: `thumbv7em`
//! (with the DSP extension) and `thumbv7m` (without) look alike, and so do the cores of `thumbv8m.main`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(selvedge_core, values(\"armv6m\", \"armv7m\", \"dsp\", \"mve\", \"portable\"))"
    );
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let cpu = flags.rsplit_once("target-cpu=").map_or("", |(_, cpu)| cpu.split('\x1f').next().unwrap_or(cpu));
    let core = match (target.split('-').next().unwrap_or_default(), cpu) {
        ("thumbv8.1m.main", _) | (_, "cortex-m52" | "cortex-m55" | "cortex-m85") => "mve",
        ("thumbv7em", _) | (_, "cortex-m33" | "cortex-m35p") => "dsp",
        ("thumbv7m" | "thumbv8m.main", _) => "armv7m",
        ("thumbv6m" | "thumbv8m.base", _) => "armv6m",
        _ => "portable",
    };
    println!("cargo::rustc-cfg=selvedge_core=\"{core}\"");
}
