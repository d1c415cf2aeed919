//! Terminals of 60 columns: no line is wider, so that none is broken inside a number.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{TRAIN, folder_with_data, selvedge, succeeds, with};

/// What the program prints on a terminal of so many columns, as lines without styles; `None` where there is no `script`,
/// which is part of util-linux.
fn on_terminal(here: &Path, columns: usize, words: &[&str]) -> Option<Vec<String>> {
    let program = selvedge().get_program().to_str().unwrap().to_string();
    let command = format!("stty cols {columns} rows 24; exec '{program}' {}", words.join(" "));
    let output =
        Command::new("script").current_dir(here).args(["-qec", &command, "/dev/null"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {text}");
    // A bar is drawn over and over; what stands after the last carriage return is what is seen.
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain += before;
        rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, after)| after);
    }
    plain += rest;
    Some(plain.split(['\n', '\r']).map(|line| line.trim_end().to_string()).collect())
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "run", "-q"]));
    succeeds(here, &["quantize", "run", "--dtype", "i8", "-o", "i8"]);
    succeeds(here, &["export", "run", "--format", "safetensors", "-o", "net.safetensors"]);
    fs::write(
        here.join("s.toml"),
        "[base]\ndata = \"data\"\nepochs = 1\n[grid]\nlr = [0.1, 0.2]\ndropout = [0.0, 0.1]\n",
    )
    .unwrap();
    let train = with(&TRAIN, &["--out", "other", "--overwrite", "--epochs", "100", "--threads", "1"]);
    let commands: [&[&str]; 16] = [
        &train,
        &["eval", "run"],
        &["predict", "run", "--index", "0"],
        &["quantize", "run", "--dtype", "i4", "--report", "-o", "i4"],
        &["estimate", "i8"],
        &["estimate", "i8", "--target", "m4", "--clock", "168MHz"],
        &["import", "net.safetensors", "-o", "imported"],
        &["export", "run", "--format", "onnx", "-o", "net.onnx"],
        &["export", "i8", "--format", "firmware", "--board", "microbit", "-o", "firmware"],
        &["verify", "run", "run"],
        &["sweep", "-c", "s.toml", "--out", "swept"],
        &["report", "run"],
        &["inspect"],
        &["inspect", "run"],
        &["inspect", "i8"],
        &["bench", "--filter", "peak"],
    ];
    for words in commands {
        let Some(lines) = on_terminal(here, 60, words) else {
            println!("there is no `script` here; the unit tests of `terminal` stand for it");
            return;
        };
        assert!(lines.iter().any(|line| !line.is_empty()), "{words:?}");
        for line in lines {
            // Only what is to be copied as a whole may be wider: a command, or a path.
            let whole =
                line.contains('`') || line.contains("selvedge ") || line.trim().split(' ').count() == 1;
            assert!(whole || line.chars().count() <= 60, "{words:?}: {line:?}");
        }
    }
}
