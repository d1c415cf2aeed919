//! What machines do to a program: no room, folders that become read-only, files that change under it, sudden death. What
//! was there before is never lost and never half-written, and the error says what to do.
//!
//! Runs of `train` that are killed are in `resume.rs`. `SELVEDGE_KILLS` sets how often the others are killed (20 times
//! each unless told).
#![cfg(unix)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use host_cli::data::fetch::{RemoteFile, fetch};
use host_cli::data::hex;
use selvedge::Rng;
use server::{Manner, Server};
use sha2::{Digest, Sha256};
use support::{fails, selvedge, small_data, succeeds};

/// A network whose checkpoint is larger than its model, which is larger than 40 KB.
const TRAIN: [&str; 11] =
    ["train", "--data", "data", "--hidden", "256", "--batch", "16", "--epochs", "60", "-q", "--out"];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

/// A folder with data, and the model that training makes where nothing happens.
fn undisturbed() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    small_data(folder.path());
    succeeds(folder.path(), &with(&TRAIN, &["undisturbed"]));
    let model = model(&folder.path().join("undisturbed"));
    (folder, model)
}

fn model(run: &Path) -> Vec<u8> {
    fs::read(run.join("model.safetensors")).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The error's line of a program that ended with exit code 1.
fn line(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let line = stderr.lines().last().unwrap_or_default();
    assert!(line.starts_with("error: "), "{stderr}");
    line.into()
}

/// Runs the program where no file may be longer than so many blocks of half a kilobyte.
fn limited(here: &Path, blocks: usize, words: &[&str]) -> Output {
    let program = selvedge().get_program().to_owned();
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    Command::new("sh").current_dir(here).args(["-c", &script]).arg(program).args(words).output().unwrap()
}

#[test]
fn a_run_that_finds_no_room_goes_on_when_there_is() {
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

/// A file system of 120 KB, where the system lets us mount one.
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

/// The program as somebody whom permissions bind: root is not.
fn bound(here: &Path) -> Command {
    const NOBODY: u32 = 65_534;
    let mut command = selvedge();
    if fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0) {
        // The program may lie where only root may look.
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
    let child = bound(here)
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
    let found = line(&bound(here).args(["train", "--resume", "run"]).output().unwrap());
    assert!(found.contains("allow it, or name another place"), "{found}");
    fs::set_permissions(&run, Permissions::from_mode(0o755)).unwrap();
    let resumed = bound(here).args(["train", "--resume", "run", "-q", "--checkpoint-every", "0"]).output();
    assert!(resumed.unwrap().status.success() && model(&run) == expected);
}

/// Starts a run and kills it behind its first checkpoint.
fn killed(here: &Path) -> PathBuf {
    let words = with(&TRAIN, &["run", "--checkpoint-every", "1"]);
    let mut child = selvedge().current_dir(here).args(words).stdout(Stdio::null()).spawn().unwrap();
    while !here.join("run/checkpoint.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    here.join("run")
}

#[test]
fn data_that_is_replaced_under_a_run() {
    let (folder, expected) = undisturbed();
    let here = folder.path();
    let (images, aside) = (here.join("data/train-images-idx3-ubyte"), here.join("aside"));
    fs::rename(&images, &aside).unwrap();
    let mut other = fs::read(&aside).unwrap();
    other[1000] ^= 1;

    // A run has read its data when its folder is there.
    fs::copy(&aside, &images).unwrap();
    let mut child =
        selvedge().current_dir(here).args(with(&TRAIN, &["replaced"])).stdout(Stdio::null()).spawn().unwrap();
    while !here.join("replaced/config.toml").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::write(&images, &other).unwrap();
    assert!(child.wait().unwrap().success() && model(&here.join("replaced")) == expected);

    fs::copy(&aside, &images).unwrap();
    let run = killed(here);
    let checkpoint = || fs::read(run.join("checkpoint.safetensors")).unwrap();
    let before = checkpoint();
    fs::write(&images, &other).unwrap();
    assert!(fails(here, &["train", "--resume", "run", "-q"], 1).contains("it is of other training data"));
    fs::write(&images, &other[..1000]).unwrap();
    assert!(fails(here, &["train", "--resume", "run", "-q"], 3).contains("cut short"));
    assert!(checkpoint() == before, "a refusal changed the checkpoint");
    fs::copy(&aside, &images).unwrap();
    succeeds(here, &["train", "--resume", "run", "-q", "--checkpoint-every", "0"]);
    assert!(model(&run) == expected);
}

/// Starts a command again and again and kills it after random times up to `longest`, until it was killed as often as
/// wanted and has come to an end behind that. `after` looks at what each left, and says whether it is to go on.
fn kill(longest: Duration, mut command: impl FnMut() -> Command, mut after: impl FnMut(bool)) -> usize {
    let wanted = std::env::var("SELVEDGE_KILLS").map_or(20, |n| n.parse().unwrap());
    let (mut rng, mut kills, mut ends) = (Rng::new(1), 0, 0);
    while kills < wanted || ends == 0 {
        let mut child = command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let micros = longest.as_micros().max(1) as u32;
        std::thread::sleep(Duration::from_micros(u64::from(rng.below(micros))));
        // A child that has ended already cannot be killed.
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let done = output.status.success();
        assert!(done || output.status.code().is_none(), "{}", String::from_utf8_lossy(&output.stderr));
        kills += usize::from(!done);
        ends += usize::from(done);
        after(done);
    }
    kills
}

#[test]
fn quantize_is_killed() {
    let (folder, _) = undisturbed();
    let here = folder.path();
    let quantize = |dtype: &str, to: &str| {
        succeeds(here, &["quantize", "undisturbed", "--dtype", dtype, "-o", to]);
        fs::read(here.join(to)).unwrap()
    };
    fs::create_dir(here.join("out")).unwrap();
    let old = quantize("i4", "out/net.selv");
    let begin = Instant::now();
    let new = quantize("i8", "new.selv");
    let longest = begin.elapsed() * 3 / 2;
    let path = here.join("out/net.selv");
    let command = || {
        let mut command = selvedge();
        command.current_dir(here).args(["quantize", "undisturbed", "--dtype", "i8", "-o", "out/net.selv"]);
        command
    };
    let kills = kill(longest, command, |done| {
        let found = fs::read(&path).unwrap();
        assert!(found == new || (found == old && !done), "half a file");
        fs::write(&path, &old).unwrap();
    });
    // Whoever writes next removes what the dead left.
    quantize("i8", "out/net.selv");
    assert_eq!(names(&here.join("out")), ["net.selv"]);
    println!("quantize: {kills} kills");
}

#[test]
fn sweeps_are_killed() {
    const SWEEP: &str =
        "seeds = 3\n[base]\ndata = 'data'\nepochs = 2\nbatch = 16\n[grid]\nhidden = [[8], [16], [24]]\n";
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_data(here);
    fs::write(here.join("sweep.toml"), SWEEP).unwrap();
    let contents = |sweep: &str| {
        let read = |folder: PathBuf| -> Vec<(String, Vec<u8>)> {
            let files = names(&folder).into_iter().filter(|n| folder.join(n).is_file());
            files.map(|n| (n.clone(), fs::read(folder.join(n)).unwrap())).collect()
        };
        [read(here.join(sweep)), read(here.join(sweep).join("trials"))].concat()
    };
    let sweep = |out: &str| {
        let mut command = selvedge();
        command.current_dir(here).args(["sweep", "-c", "sweep.toml", "-q", "--jobs", "2", "--out", out]);
        command
    };
    let begin = Instant::now();
    assert!(sweep("alone").output().unwrap().status.success());
    let longest = begin.elapsed();
    let expected = contents("alone");
    assert_eq!(expected.len(), 4 + 2 * 9);
    let number = std::cell::Cell::new(0);
    let kills = kill(
        longest,
        || sweep(&format!("killed-{}", number.get())),
        |done| {
            if done {
                assert!(contents(&format!("killed-{}", number.get())) == expected, "another sweep");
                number.set(number.get() + 1);
            }
        },
    );
    println!("sweep: {kills} kills in {} sweeps", number.get());
}

/// The child fetches through the library, since the program knows only files of 30 MB.
#[test]
fn fetches_are_killed() {
    let content: Vec<u8> =
        [&[0x1f, 0x8b][..], &(0..2_000_000u32).map(|i| (i % 251) as u8).collect::<Vec<_>>()].concat();
    let sha256 = hex(&Sha256::digest(&content));
    let file = RemoteFile { name: "f.gz", size: content.len() as u64, sha256: &sha256 };
    if let (Ok(address), Ok(folder)) = (std::env::var("FETCH_FROM"), std::env::var("FETCH_TO")) {
        fetch(Path::new(&folder), &[file], &[&address]).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("other"), "precious").unwrap();
    let server = Server::start(content.clone(), std::iter::repeat(Manner::Slow(20_000)));
    let child = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["fetches_are_killed", "--exact"]);
        command.env("FETCH_FROM", &server.address).env("FETCH_TO", here);
        command
    };
    let (target, part) = (here.join("f.gz"), here.join(".f.gz.part"));
    let kills = kill(Duration::from_millis(60), child, |done| {
        if let Ok(bytes) = fs::read(&part) {
            assert!(content.starts_with(&bytes), "a part of something else");
        }
        // It may have died with its work done.
        assert!(target.exists() || !done);
        if target.exists() {
            assert!(fs::read(&target).unwrap() == content && names(here) == ["f.gz", "other"]);
            fs::remove_file(&target).unwrap();
        }
    });
    assert_eq!(fs::read(here.join("other")).unwrap(), b"precious");
    assert!(server.ranges().iter().any(Option::is_some), "nothing was resumed");
    println!("data fetch: {kills} kills, {} requests", server.ranges().len());
}
