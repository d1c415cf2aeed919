//! Programs that are killed at random moments: nothing that was there before is lost or half-written.
//!
//! `SELVEDGE_KILLS` sets how often each is killed (20 times unless told). Runs that are killed and resumed are in
//! `resume.rs`.
#![cfg(unix)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use host_cli::data::fetch::{RemoteFile, fetch};
use host_cli::data::hex;
use selvedge::Rng;
use server::{Manner, Server};
use sha2::{Digest, Sha256};
use support::runs::{TRAIN, killed, model, names, undisturbed};
use support::{fails, selvedge, small_data, succeeds, with};

/// Starts a command again and again and kills it after random times up to `longest`, until it was killed as often as
/// wanted and has come to an end after that. `after` looks at what each left, and says whether it is to go on.
fn kill(longest: Duration, mut command: impl FnMut() -> Command, mut after: impl FnMut(bool)) -> usize {
    let wanted = std::env::var("SELVEDGE_KILLS").map_or(20, |n| n.parse().unwrap());
    let (mut rng, mut kills, mut ends) = (Rng::new(1), 0, 0);
    while kills < wanted || ends == 0 {
        let mut child = command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // The last may take its time, however busy the machine has become.
        if kills < wanted {
            let micros = longest.as_micros().max(1) as u32;
            std::thread::sleep(Duration::from_micros(u64::from(rng.below(micros))));
            // A child that has ended already cannot be killed.
            child.kill().unwrap();
        }
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
fn overwritten_runs_survive_kills() {
    let (folder, new) = undisturbed();
    let here = folder.path();
    let run = here.join("run");
    let old_run = || {
        let words = ["--hidden", "256", "--epochs", "1", "--seed", "7", "--out", "run", "--overwrite"];
        succeeds(here, &[&["train", "--data", "data", "-q"][..], &words].concat())
    };
    old_run();
    let old = model(&run);
    let begin = Instant::now();
    succeeds(here, &with(&TRAIN, &["undisturbed", "--overwrite", "--checkpoint-every", "99"]));
    let longest = begin.elapsed() * 5 / 4;
    let command = || {
        let mut command = selvedge();
        command.current_dir(here).args(with(&TRAIN, &["run", "--overwrite", "--checkpoint-every", "99"]));
        command
    };
    let is = |folder: &Path, expected: &[u8]| {
        fs::read(folder.join("model.safetensors")).is_ok_and(|found| found == expected)
    };
    let kills = kill(longest, command, |done| {
        let previous = run.join("previous");
        assert!(is(&run, &old) || is(&previous, &old) || is(&run, &new), "both runs are lost");
        if done {
            assert!(is(&run, &new) && !previous.exists());
        }
        if is(&run, &new) {
            old_run();
        }
    });
    println!("train --overwrite: {kills} kills");
    fs::remove_dir_all(&run).unwrap();
    old_run();
    let mut words = with(&TRAIN, &["run", "--overwrite", "--checkpoint-every", "1"]);
    killed(here, &words);
    let found = fails(here, &["eval", "run"], 4);
    assert!(found.contains("`selvedge train --resume run`; the run before it is run/previous"), "{found}");
    succeeds(here, &["eval", "run/previous"]);
    // An unfinished run that is overwritten does not push out the one with a model.
    words.extend(["--seed", "3"]);
    killed(here, &words);
    assert!(is(&run.join("previous"), &old));
    succeeds(here, &["train", "--resume", "run", "-q", "--checkpoint-every", "0"]);
    assert_eq!(names(&run), ["config.toml", "metrics.jsonl", "model.safetensors", "run.json"]);
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
        fetch(Path::new(&folder), &[file], &[&address], &mut |_| ()).unwrap();
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
