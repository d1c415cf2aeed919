//! What makes the program at home on a machine: completions and manual pages, which follow from the command line.

mod support;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use support::{fails, succeeds};

#[test]
fn completions_of_every_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeds(folder.path(), &["completions", shell]);
        for word in ["quantize", "checkpoint-every"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
        // A shell that is there has to understand it.
        let parser = Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        if let (true, Ok(mut child)) = (["bash", "zsh", "fish"].contains(&shell), parser) {
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert!(fails(folder.path(), &["completions", "cmd"], 2).contains("invalid value 'cmd'"));
}

#[test]
fn a_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let said = succeeds(here, &["man", "-o", "man"]);
    let pages = fs::read_dir(here.join("man")).unwrap().count();
    assert!(said.starts_with(&format!("{pages} pages in man")), "{said}");
    let read = |name: &str| fs::read_to_string(here.join("man").join(name)).unwrap();
    assert!(read("selvedge.1").contains("selvedge\\-train(1)"));
    assert!(read("selvedge-data-fetch.1").contains("resuming an interrupted download"));
    fs::write(here.join("file"), "").unwrap();
    assert!(fails(here, &["man", "-o", "file/man"], 1).contains("cannot create the folder"));
}
