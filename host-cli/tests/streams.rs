//! Streams that nobody reads, disks that are full, and words that are no text: a run goes on, a result that
//! is lost is a failure, and nothing panics.
#![cfg(unix)]

mod support;

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use support::{TRAIN, folder_with_data, selvedge, small_data, with};

fn in_folder(here: &Path, words: &[&str]) -> Command {
    let mut command = selvedge();
    command.current_dir(here).args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs with a stderr whose reader is gone before the first word.
fn unheard(here: &Path, words: &[&str]) -> ExitStatus {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    in_folder(here, words).stderr(writer).status().unwrap()
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let here: &Path = &folder_with_data();
    let words = with(&TRAIN, &["--out", "run", "--epochs", "200", "-q"]);
    let mut child = in_folder(here, &words).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("Epoch 1"));
    assert!(child.wait().unwrap().success());
    assert!(here.join("run/model.safetensors").exists());
}

/// As in `selvedge train 2>&1 | head -1`.
#[test]
fn talk_that_nobody_hears_ends_nothing() {
    let here: &Path = &folder_with_data();
    assert!(unheard(here, &with(&TRAIN, &["--out", "run"])).success());
    let words = ["quantize", "run", "--dtype", "i4", "--qat", "2", "-o", "net.selv"];
    assert!(unheard(here, &words).success());
    assert!(here.join("net.selv").exists());
    assert!(unheard(here, &["estimate", "net.selv", "--target", "m4"]).success());
    assert_eq!(unheard(here, &["eval", "none"]).code(), Some(4), "an error keeps its code");
}

#[test]
fn a_result_that_is_lost_is_a_failure() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = in_folder(folder.path(), &["config", "show"])
        .stdout(full.try_clone().unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    assert!(line.starts_with("error: cannot write to stdout: "), "{line}");
    assert_eq!(in_folder(folder.path(), &["eval", "none"]).stderr(full).status().unwrap().code(), Some(4));
}

#[test]
fn names_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let data = small_data(here);
    let name = OsStr::from_bytes(b"n\xff\xfe");
    if fs::create_dir(here.join(name)).is_err() {
        return; // A file system that takes text alone.
    }
    let run = |words: &[&OsStr]| {
        let output = selvedge().current_dir(here).args(words).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let word = OsStr::new;
    // Files and folders may be called anything.
    let train =
        [word("train"), word("--data"), word("data"), word("--epochs"), word("1"), word("--out"), name];
    assert_eq!(run(&[&train[..], &[word("--overwrite")]].concat()).0, Some(0));
    let (code, said) = run(&[word("eval"), name]);
    assert_eq!(code, Some(0), "{said}");
    // What goes into a recipe is text.
    fs::rename(data, here.join(name).join("data")).unwrap();
    for words in [&[word("train"), word("--data"), name][..], &[word("train"), word("--lr"), name]] {
        let (code, said) = run(words);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("n\u{fffd}\u{fffd} is not UTF-8; rename it"), "{said}");
    }
    let (code, said) = run(&[name]);
    assert!(code == Some(2) && said.starts_with("error: unrecognized subcommand"), "{said}");
}
