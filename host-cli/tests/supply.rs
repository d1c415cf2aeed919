//! What the project is built of: only from crates.io, under licences that `deny.toml` names, no crate twice but for those
//! that it names, and every direct dependency with its reason in `docs/trust.md`. `cargo deny check` reads the same file and
//! asks for known vulnerabilities besides.
//!
//! `cargo test -p host-cli --test supply -- --nocapture` prints the counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What cargo prints.
fn cargo(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).current_dir(root()).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn packages() -> Vec<Value> {
    let text = cargo(&["metadata", "--locked", "--format-version", "1"]);
    let mut metadata: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(metadata["packages"].take()).unwrap()
}

fn deny() -> toml::Table {
    fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// Whether a licence expression can be met with allowed licences alone. `AND` binds closer than `OR`.
fn met(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let any = |part: &str| {
        part.split(" OR ").any(|term| {
            // A licence with an exception grants no less than the licence.
            let licence = term.split(" WITH ").next().unwrap().trim();
            allowed.contains(licence)
        })
    };
    // All expressions of the tree have OR only inside brackets or alone.
    expression.split(" AND ").all(any)
}

#[test]
fn licences_and_sources() {
    let deny = deny();
    let allowed: BTreeSet<&str> =
        deny["licenses"]["allow"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let mut used = BTreeMap::new();
    for package in &packages() {
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{}: no licence", name(package)));
        assert!(met(licence, &allowed), "{}: {licence}", name(package));
        *used.entry(licence.to_string()).or_insert(0) += 1;
        if let Some(source) = package["source"].as_str() {
            assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{}", name(package));
        }
    }
    for (licence, count) in used {
        println!("{count:4}  {licence}");
    }
    assert!(
        !met("GPL-3.0", &allowed) && !met("MIT AND GPL-3.0", &allowed) && met("GPL-3.0 OR MIT", &allowed)
    );
}

#[test]
fn no_crate_twice_but_those_that_are_known() {
    let deny = deny();
    let known: BTreeSet<String> = deny["bans"]["skip"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skip| skip["crate"].as_str().unwrap().replace('@', " "))
        .collect();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in &packages() {
        versions.entry(name(package).into()).or_default().push(package["version"].as_str().unwrap().into());
    }
    let mut skipped = BTreeSet::new();
    for (name, versions) in versions {
        let left: Vec<_> =
            versions.iter().map(|v| format!("{name} {v}")).filter(|v| !known.contains(v)).collect();
        assert!(left.len() <= 1, "{left:?}: let cargo find one version, or put the old one into deny.toml");
        skipped.extend(versions.iter().map(|v| format!("{name} {v}")).filter(|v| known.contains(v)));
    }
    assert_eq!(skipped, known, "deny.toml skips what is not there");
}

#[test]
fn every_dependency_has_a_reason() {
    let text = fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let mut direct = BTreeSet::new();
    for package in packages().iter().filter(|p| p["source"].is_null()) {
        let dependencies = package["dependencies"].as_array().unwrap();
        direct.extend(dependencies.iter().filter(|d| d["path"].is_null()).map(|d| name(d).to_string()));
    }
    for name in direct {
        assert!(text.contains(&format!("| `{name}` |")), "docs/trust.md gives no reason for {name}");
    }
}

#[test]
fn counts() {
    let count = |words: &[&str]| {
        let text = cargo(&[&["tree", "--locked", "--prefix", "none"], words].concat());
        let lines: BTreeSet<&str> = text.lines().map(|l| l.trim_end_matches(" (*)")).collect();
        // Without the package itself and its own neighbours of the workspace.
        lines.iter().filter(|l| !l.contains('/')).count()
    };
    for (what, words) in [
        ("core, no default features", &["-p", "selvedge", "--no-default-features"][..]),
        ("core", &["-p", "selvedge"]),
        ("program", &["-p", "host-cli"]),
    ] {
        // Macros run in the compiler and are no part of what is built.
        let linked = [words, &["-e", "normal,no-proc-macro"]].concat();
        let all = [words, &["-e", "normal,build"]].concat();
        let (direct, linked, all) =
            (count(&[&linked[..], &["--depth", "1"]].concat()), count(&linked), count(&all));
        println!("{what}: {direct} direct dependencies, {linked} with theirs, {all} with what only compiles");
        assert!(direct <= linked && linked <= all);
    }
}
