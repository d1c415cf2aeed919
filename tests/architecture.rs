//! The rules that a machine can check: modules import downward, unsafe code and the heap stay where they are announced,
//! files stay short.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the core, bottom to top: each may use itself and those before it.
const LAYERS: &[&str] = &[
    "activation",
    "error",
    "rng",
    "mat",
    "shape",
    "arena",
    "loss",
    "targets",
    "naive",
    "format",
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
    "host-cli/firmware/src/cycles_dwt.rs",
    "host-cli/firmware/src/cycles_mcycle.rs",
    "host-cli/firmware/src/cycles_systick.rs",
    "host-cli/firmware/src/static_buffer.rs",
    "host-cli/src/thread_pool/workers.rs",
    "src/format/words.rs",
    "src/infer/mcu/armv6m.rs",
    "src/infer/mcu/armv7em.rs",
    "src/infer/mcu/armv7m.rs",
    "src/infer/mcu/assembly.rs",
    "src/infer/mcu/layer.rs",
    "src/infer/mcu/mve.rs",
    "src/infer/mcu/pairs/portable.rs",
    "src/kernel/gemm.rs",
    "src/kernel/gemm_bf16.rs",
    "src/kernel/gemm_blocked.rs",
    "src/kernel/gemm_i8.rs",
    "src/kernel/micro_kernel/register_tile.rs",
    "src/kernel/micro_kernel.rs",
    "src/kernel/pack.rs",
    "src/kernel/peak.rs",
    "src/kernel/sgemm.rs",
    "src/kernel/sparse/cortex_m.rs",
    "src/kernel/sparse.rs",
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

/// The modules of `host-cli`, bottom to top: the rows of the table in its crate docs. A row may name a submodule, which then
/// has a height of its own.
fn host_layers() -> Vec<String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("host-cli/src/lib.rs");
    let lib = fs::read_to_string(lib).unwrap();
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | [")?.split_once(" | "));
    let names = rows.flat_map(|(names, _)| names.split(", ")).map(|name| {
        let name = name.trim_matches(['[', ']', '`']);
        name.strip_prefix("mod@").unwrap_or(name).trim_matches('`').replace("::", "/")
    });
    names.collect()
}

/// The height of a module: the index of the layer with the longest prefix of its path.
fn height(layers: &[String], path: &str) -> Option<usize> {
    let begins =
        |layer: &str| path.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let found = (0..layers.len()).filter(|&n| begins(&layers[n]));
    found.max_by_key(|&n| layers[n].len())
}

/// Checks that every import of a crate is of a module that is not above the importing one; returns the number of imports.
fn check_imports(of: &str, layers: &[String]) -> usize {
    let mut imports = 0;
    for (path, code) in sources(of) {
        let module = path.strip_prefix(of).and_then(|path| path.strip_prefix("src/")).unwrap();
        let module = module.trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let own = height(layers, module);
        let own = own.unwrap_or_else(|| panic!("{path}: {module} has no place in the order of the modules"));
        for used in code.split("crate::").skip(1) {
            let end = used.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let used = used[..end.unwrap_or(used.len())].trim_end_matches(':').replace("::", "/");
            let below = height(layers, &used);
            assert!(
                below.is_some_and(|below| below <= own),
                "{path} uses crate::{used}, which is not below it"
            );
            imports += 1;
        }
    }
    imports
}

#[test]
fn modules_import_downward() {
    let core: Vec<String> = LAYERS.iter().map(ToString::to_string).collect();
    let imports = [check_imports("", &core), check_imports("host-cli/", &host_layers())];
    assert!(imports[0] > 20 && imports[1] > 200, "{imports:?}");
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
    assert_eq!(
        found.map(|(path, _)| path).collect::<Vec<_>>(),
        ["src/infer/sample.rs", "src/lib.rs", "src/samples.rs", "src/targets.rs"]
    );
}

#[test]
fn files_stay_short() {
    for (path, _) in CRATES.into_iter().flat_map(sources) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        assert!(text.starts_with("//!"), "{path} does not say what it is");
        assert!(text.lines().count() <= 400, "{path} has {} lines", text.lines().count());
    }
}
