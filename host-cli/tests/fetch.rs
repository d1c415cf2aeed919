//! Fetching from a real HTTP server on loopback: whole, cut and resumed, wrong, and not there.

#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use host_cli::data::fetch::{HashCheck, RemoteFile, check, fetch};
use host_cli::data::hex;
use host_cli::error::{Error, ErrorKind};
use server::{Manner, Server};
use sha2::{Digest, Sha256};

fn content() -> Vec<u8> {
    [&[0x1f, 0x8b][..], &(0..200_000u32).map(|i| (i % 251) as u8).collect::<Vec<_>>()].concat()
}

/// One attempt against a server with some manners; the folder is kept between attempts.
fn attempt(folder: &Path, address: &str) -> Result<usize, Error> {
    let content = content();
    let sha256 = hex(&Sha256::digest(&content));
    let file = RemoteFile { name: "f.gz", size: content.len() as u64, sha256: &sha256 };
    let result = fetch(folder, &[file], &[address], &mut |_| ());
    let found = check(&folder.join(file.name), &file).unwrap();
    assert_eq!(found == HashCheck::Matches, result.is_ok(), "{result:?} {found:?}");
    result
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn refused(manner: Manner) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(content(), vec![manner]);
    let error = attempt(folder.path(), &server.address).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(!error.message.contains('\n') && error.message.contains("/f.gz"), "{error}");
    assert_eq!(files(folder.path()), 0, "{manner:?} left something behind");
    error
}

#[test]
fn whole_and_then_not_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(content(), vec![Manner::Good]);
    assert_eq!(attempt(folder.path(), &server.address).unwrap(), 1);
    assert_eq!(attempt(folder.path(), &server.address).unwrap(), 0);
    assert_eq!(fs::read(folder.path().join("f.gz")).unwrap(), content());
    assert_eq!((files(folder.path()), server.ranges()), (1, vec![None]));
}

#[test]
fn cut_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(content(), vec![Manner::Cut(70_000), Manner::Cut(30_000), Manner::Good]);
    for got in [70_000, 100_000] {
        let error = attempt(folder.path(), &server.address).unwrap_err();
        assert!(error.message.contains(&format!("cut after {got} of 200002 bytes")), "{error}");
        assert!(error.message.contains("run the same command again to resume"), "{error}");
        assert!(!folder.path().join("f.gz").exists());
    }
    assert_eq!(attempt(folder.path(), &server.address).unwrap(), 1);
    let range = |n: usize| Some(format!("bytes={n}-"));
    assert_eq!(server.ranges(), [None, range(70_000), range(100_000)]);
    assert_eq!(files(folder.path()), 1);
}

#[test]
fn servers_that_do_not_resume() {
    for manners in [vec![Manner::IgnoresRange], vec![Manner::WrongRange, Manner::Good]] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(content(), [vec![Manner::Cut(70_000)], manners].concat());
        attempt(folder.path(), &server.address).unwrap_err();
        assert_eq!(attempt(folder.path(), &server.address).unwrap(), 1);
    }
}

#[test]
fn a_part_of_something_else_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".f.gz.part"), vec![7; 70_000]).unwrap();
    let server = Server::start(content(), vec![Manner::Good, Manner::Good]);
    let error = attempt(folder.path(), &server.address).unwrap_err();
    assert!(error.message.contains("wrong SHA-256"), "{error}");
    assert_eq!(files(folder.path()), 0);
    assert_eq!(attempt(folder.path(), &server.address).unwrap(), 1);
}

#[test]
fn what_is_not_the_file_is_not_kept() {
    assert!(refused(Manner::Wrong).message.contains("wrong SHA-256"));
    assert!(refused(Manner::WebPage).message.contains("perhaps a web page"));
    assert!(refused(Manner::Longer).message.contains("more than the 200002 bytes"));
    assert!(refused(Manner::Missing).message.contains("404"));
}

#[test]
fn nobody_there() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = attempt(folder.path(), &format!("http://{address}")).unwrap_err();
    assert!(error.message.contains("check the network"), "{error}");
}

#[test]
fn the_program_fetches_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mirror = format!("http://{address}");
    let line = support::fails(folder.path(), &["data", "fetch", "--dir", "d", "--mirror", &mirror], 3);
    assert!(line.contains("train-images-idx3-ubyte.gz"), "{line}");
    let output = support::run(folder.path(), &["data", "fetch", "--dir", "d", "--mirror", &mirror, "--json"]);
    let error = support::json_lines(&String::from_utf8(output.stderr).unwrap()).remove(0);
    assert_eq!((output.status.code(), output.stdout.len(), &error["code"]), (Some(3), 0, &3.into()));
    assert!(error["error"].as_str().unwrap().starts_with(&mirror), "{error}");
    let line = support::fails(folder.path(), &["data", "verify", "--dir", "d"], 3);
    assert!(line.contains("4 of 4 files in d are missing or corrupt"), "{line}");
    fs::write(folder.path().join("file"), "").unwrap();
    let line = support::fails(folder.path(), &["data", "fetch", "--dir", "file/d"], 1);
    assert!(line.contains("cannot create the folder"), "{line}");
}
