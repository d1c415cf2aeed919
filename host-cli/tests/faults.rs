//! Faults of the system: a full disk, folders that become read-only, files that change during a run. Existing files are
//! never lost or half-written, and the error says what to do.
//!
//! Kills are in `kills.rs`, and those of runs that are resumed in `resume.rs`.
#![cfg(unix)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::runs::{TRAIN, killed, model, names, undisturbed};
use support::{fails, selvedge, succeeds, with};

/// The error's line of a program that ended with exit code 1.
fn line(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let line = stderr.lines().last().unwrap_or_default();
    assert!(line.starts_with("error: "), "{stderr}");
    line.into()
}

/// Runs the program with a limit on the length of files, in blocks of half a kilobyte.
fn limited(here: &Path, blocks: usize, words: &[&str]) -> Output {
    let program = selvedge().get_program().to_owned();
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    Command::new("sh").current_dir(here).args(["-c", &script]).arg(program).args(words).output().unwrap()
}

#[test]
fn a_run_without_disk_space_is_resumed_when_there_is_some() {
    let (folder, expected) = undisturbed();
    let here = folder.path();
    let found = line(&limited(here, 128, &with(&TRAIN, &["run", "--checkpoint-every", "7"])));
    for part in ["cannot write run/checkpoint.safetensors", "ulimit -f", "selvedge train --resume run"] {
        assert!(found.contains(part), "{found}");
    }
    assert_eq!(names(&here.join("run")), ["config.toml", "metrics.jsonl", "run.json"]);
    succeeds(here, &["train", "--resume", "run", "-q", "--checkpoint-every", "0"]);
    assert!(model(&here.join("run")) == expected);
}

#[test]
fn a_file_that_cannot_be_replaced_stays() {
    let (folder, _) = undisturbed();
    let here = folder.path();
    succeeds(here, &["quantize", "undisturbed", "--dtype", "i8", "-o", "i8.selv"]);
    succeeds(here, &["export", "undisturbed", "--format", "safetensors", "-o", "dict"]);
    let writers: [&[&str]; 7] = [
        &["quantize", "undisturbed", "--dtype", "i4", "-o", "out/file"],
        &["export", "undisturbed", "--format", "onnx", "-o", "out/file"],
        &["export", "i8.selv", "--format", "rust", "-o", "out/file"],
        &["import", "dict", "-o", "out/file"],
        &["eval", "undisturbed", "--logits", "out/file"],
        &["report", "undisturbed", "-o", "out/file"],
        &["export", "undisturbed", "--format", "npz", "-o", "out/file"],
    ];
    fs::create_dir(here.join("out")).unwrap();
    fs::write(here.join("out/file"), "precious").unwrap();
    for words in writers {
        let found = line(&limited(here, 1, words));
        assert!(found.contains("cannot write out/file") && found.contains("what was there is unchanged"));
        assert_eq!(fs::read(here.join("out/file")).unwrap(), b"precious", "{words:?}");
        assert_eq!(names(&here.join("out")), ["file"], "{words:?}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = selvedge().current_dir(here).args(["eval", "undisturbed"]).stdout(full).output().unwrap();
    assert!(line(&output).contains("cannot write to stdout"), "{output:?}");
}

/// A file system of 120 KB, where the system permits mounting one.
#[test]
fn a_full_file_system() {
    let (folder, expected) = undisturbed();
    let here = folder.path();
    fs::create_dir(here.join("small")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=120k none small || exit 77
        "$0" "$@" --checkpoint-every 7; echo "code $?" >&2
        ls -A small/run >&2
        mount -o remount,size=4m small
        "$0" train --resume small/run -q --checkpoint-every 0 && cp small/run/model.safetensors model
    "#;
    let program = selvedge().get_program().to_owned();
    let mut unshare = Command::new("unshare");
    unshare.current_dir(here).args(["-r", "-m", "sh", "-c", script]).arg(program);
    let output = unshare.args(with(&TRAIN, &["small/run"])).output();
    let Some(output) = output.ok().filter(|o| o.status.success() || here.join("small/run").exists()) else {
        println!("nothing can be mounted here; the limit of a file's length stands for a full disk");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    for part in ["No space left", "make room and try again", "--resume small/run`\ncode 1\n"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(!stderr.contains(".tmp"), "{stderr}");
    assert!(fs::read(here.join("model")).unwrap() == expected);
}

/// The program as a user to whom permissions apply, which is not root.
fn unprivileged(here: &Path) -> Command {
    const NOBODY: u32 = 65_534;
    let mut command = selvedge();
    if fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0) {
        // The program may be in a folder that only root can read.
        let copy = here.join("selvedge");
        if !copy.exists() {
            // A file that this process wrote itself could still be open in a child that another test starts.
            assert!(Command::new("cp").arg(selvedge().get_program()).arg(&copy).status().unwrap().success());
        }
        fs::set_permissions(here, Permissions::from_mode(0o755)).unwrap();
        command = Command::new(copy);
        command.uid(NOBODY).gid(NOBODY);
        fs::create_dir_all(here.join("run")).unwrap();
        chown(here.join("run"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    command.current_dir(here);
    command
}

#[test]
fn a_folder_that_becomes_read_only() {
    let (folder, expected) = undisturbed();
    let (here, run) = (folder.path(), folder.path().join("run"));
    let child = unprivileged(here)
        .args(with(&TRAIN, &["run", "--checkpoint-every", "1"]))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while !run.join("checkpoint.safetensors").exists() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::set_permissions(&run, Permissions::from_mode(0o555)).unwrap();
    let found = line(&child.wait_with_output().unwrap());
    assert!(found.contains("Permission denied") && found.contains("--resume run"), "{found}");
    let found = line(&unprivileged(here).args(["train", "--resume", "run"]).output().unwrap());
    assert!(found.contains("allow it, or name another place"), "{found}");
    fs::set_permissions(&run, Permissions::from_mode(0o755)).unwrap();
    let resumed =
        unprivileged(here).args(["train", "--resume", "run", "-q", "--checkpoint-every", "0"]).output();
    assert!(resumed.unwrap().status.success() && model(&run) == expected);
}

#[test]
fn data_that_is_replaced_under_a_run() {
    let (folder, expected) = undisturbed();
    let here = folder.path();
    let (images, aside) = (here.join("data/train-images-idx3-ubyte"), here.join("aside"));
    fs::rename(&images, &aside).unwrap();
    let mut other = fs::read(&aside).unwrap();
    other[1000] ^= 1;

    // A run has read its data when its folder exists.
    fs::copy(&aside, &images).unwrap();
    let mut child =
        selvedge().current_dir(here).args(with(&TRAIN, &["replaced"])).stdout(Stdio::null()).spawn().unwrap();
    while !here.join("replaced/config.toml").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::write(&images, &other).unwrap();
    assert!(child.wait().unwrap().success() && model(&here.join("replaced")) == expected);

    fs::copy(&aside, &images).unwrap();
    let run = killed(here, &with(&TRAIN, &["run", "--checkpoint-every", "1"]));
    let checkpoint = || fs::read(run.join("checkpoint.safetensors")).unwrap();
    let before = checkpoint();
    fs::write(&images, &other).unwrap();
    let found = fails(here, &["train", "--resume", "run", "-q"], 3);
    assert!(found.contains("data holds other training data") && found.contains("--data DIR"), "{found}");
    fs::write(&images, &other[..1000]).unwrap();
    assert!(fails(here, &["train", "--resume", "run", "-q"], 3).contains("cut short"));
    assert!(checkpoint() == before, "a refusal changed the checkpoint");
    fs::copy(&aside, &images).unwrap();
    succeeds(here, &["train", "--resume", "run", "-q", "--checkpoint-every", "0"]);
    assert!(model(&run) == expected);
}

/// An output never replaces its input, a device, a pipe or a link.
#[test]
fn only_files_are_replaced_and_not_what_is_read() {
    let (folder, whole) = undisturbed();
    let here = folder.path();
    fs::rename(here.join("undisturbed"), here.join("run")).unwrap();
    for words in [
        &["export", "run", "--format", "npz", "-o", "run/model.safetensors"][..],
        &["quantize", "run", "--dtype", "i8", "-o", "run/model.safetensors"],
        &["import", "run/model.safetensors", "-o", "run/../run/model.safetensors"],
        &["report", "run", "-o", "run/model.safetensors"],
        &["eval", "run", "--logits", "run/model.safetensors"],
    ] {
        assert!(fails(here, words, 2).contains("is read and would be replaced"), "{words:?}");
    }
    assert!(model(&here.join("run")) == whole);
    assert!(Command::new("mkfifo").arg(here.join("pipe")).status().unwrap().success());
    let line = fails(here, &["export", "run", "--format", "onnx", "-o", "pipe"], 1);
    assert!(line.contains("it is a device or a pipe"), "{line}");
    std::os::unix::fs::symlink("real", here.join("link")).unwrap();
    fs::write(here.join("real"), "old").unwrap();
    succeeds(here, &["export", "run", "--format", "onnx", "-o", "link"]);
    assert!(here.join("link").is_symlink() && fs::read(here.join("real")).unwrap() != b"old");
}
