//! The rules that a machine can check: modules import downward, unsafe code and the heap stay where they are announced,
//! files stay short.

use std::fs;
use std::path::{Path, PathBuf};

/// Bottom to top: a module may use those before it, and itself.
const LAYERS: &[&str] = &[
    "activation",
    "error",
    "rng",
    "mat",
    "shape",
    "arena",
    "format",
    "naive",
    "simd",
    "kernel",
    "samples",
    "parallel",
    "optim",
    "mlp",
    "infer",
    "quantize",
    "network",
];

/// The crates of the workspace, as folders.
const CRATES: [&str; 2] = ["", "host-cli/"];

/// The program that `host-cli` writes for boards.
const FIRMWARE: &str = "host-cli/firmware/";

/// The files that hold unsafe code, each named in its crate's `lib.rs`.
const UNSAFE: &[&str] = &[
    "host-cli/firmware/src/boot_rp2040.rs",
    "host-cli/firmware/src/boot_rp2350.rs",
    "host-cli/firmware/src/static_buffer.rs",
    "host-cli/src/thread_pool/workers.rs",
    "src/format/words.rs",
    "src/infer/mcu/armv6m.rs",
    "src/infer/mcu/armv7m.rs",
    "src/infer/mcu/assembly.rs",
    "src/infer/mcu/dsp.rs",
    "src/infer/mcu/mve.rs",
    "src/infer/mcu/pairs/portable.rs",
    "src/kernel/cortex_m.rs",
    "src/kernel/gemm.rs",
    "src/kernel/gemm_bf16.rs",
    "src/kernel/gemm_i8.rs",
    "src/kernel/pack.rs",
    "src/kernel/peak.rs",
    "src/kernel/sgemm.rs",
    "src/kernel/sparse.rs",
    "src/kernel/tile.rs",
    "src/simd/dot.rs",
    "src/simd/dot_x86_64.rs",
    "src/simd/mod.rs",
    "src/simd/portable.rs",
    "src/simd/x86_64/avx2.rs",
    "src/simd/x86_64/avx512.rs",
    "src/simd/x86_64.rs",
];

/// Every source file of a crate, with its path from the root and its text without comments and tests.
fn sources(of: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join(of).join("src"), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code = code.lines().map(|l| l.split("//").next().unwrap()).collect::<Vec<_>>().join("\n");
        (path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"), code)
    };
    files.into_iter().map(read).collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

#[test]
fn modules_import_downward() {
    let mut imports = 0;
    for (path, code) in sources("") {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let height = LAYERS.iter().position(|l| *l == module);
        let height = height.unwrap_or_else(|| panic!("{path}: {module} has no place in LAYERS"));
        for used in code.split("crate::").skip(1) {
            let used = words(used).next().unwrap();
            let below = LAYERS.iter().position(|l| *l == used);
            assert!(below.is_some_and(|b| b <= height), "{path} uses crate::{used}, which is not below it");
            imports += 1;
        }
    }
    assert!(imports > 20, "{imports}");
}

#[test]
fn unsafe_code_is_where_it_is_announced() {
    // Assembly of a whole module needs the lint's leave, but not the word.
    let is_unsafe = |code: &str| words(code).any(|w| w == "unsafe") || code.contains("allow(unsafe_code)");
    let all = [FIRMWARE].into_iter().chain(CRATES.into_iter().rev()).flat_map(sources);
    let found: Vec<_> = all.filter(|(_, code)| is_unsafe(code)).map(|(path, _)| path).collect();
    assert_eq!(found, UNSAFE);
    for name in CRATES {
        let lib =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src/lib.rs")).unwrap();
        assert!(lib.contains("#![deny(unsafe_code)]"), "{name}src/lib.rs");
        let source = format!("{name}src/");
        let inside = UNSAFE.iter().filter_map(|file| file.strip_prefix(&source));
        let written =
            UNSAFE.iter().filter_map(|file| file.strip_prefix("host-cli/")?.strip_prefix("firmware/"));
        for file in inside.chain(written.filter(|_| name == "host-cli/")) {
            assert!(lib.contains(file), "{source}lib.rs does not name {file}");
        }
    }
}

#[test]
fn only_the_owning_front_has_a_heap() {
    let uses = |code: &str| words(code).any(|w| ["alloc", "Box", "Arc", "String"].contains(&w));
    let found =
        sources("").into_iter().filter(|(path, code)| !path.starts_with("src/network/") && uses(code));
    assert_eq!(found.map(|(path, _)| path).collect::<Vec<_>>(), ["src/lib.rs", "src/samples.rs"]);
}

#[test]
fn files_stay_short() {
    for (path, _) in CRATES.into_iter().flat_map(sources) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        assert!(text.starts_with("//!"), "{path} does not say what it is");
        assert!(text.lines().count() <= 400, "{path} has {} lines", text.lines().count());
    }
}
