//! Fetching from a real HTTP server on loopback: whole, cut and resumed, wrong, and not there.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use host_cli::data::fetch::{RemoteFile, Status, fetch, verify};
use host_cli::data::hex;
use host_cli::error::{Error, Exit};
use sha2::{Digest, Sha256};

/// How the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As HTTP says.
    Good,
    /// Closes the connection after so many bytes of the file.
    Cut(usize),
    /// Sends the whole file whatever range is asked for.
    IgnoresRange,
    /// Answers a range with the wrong part of the file.
    WrongRange,
    /// A page in place of the file.
    WebPage,
    /// Right length, wrong bytes.
    Wrong,
    /// A longer file.
    Longer,
    /// 404.
    Missing,
}

/// A server of one file at `/f.gz`, and the requests that it saw.
struct Server {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(content: Vec<u8>, manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for manner in manners {
                let (stream, _) = listener.accept().unwrap();
                let request = serve(stream, &content, manner);
                log.lock().unwrap().push(request);
            }
        });
        Self { address, seen }
    }

    fn ranges(&self) -> Vec<Option<String>> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|r| r.lines().find_map(|l| l.to_lowercase().strip_prefix("range: ").map(String::from)))
            .collect()
    }
}

/// Reads a request and answers it; returns the request's head.
fn serve(stream: TcpStream, content: &[u8], manner: Manner) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut request).unwrap(), 0, "a request without an end");
    }
    assert!(request.starts_with("GET /f.gz HTTP/1.1\r\n"), "{request}");
    let head = request.to_lowercase();
    let range = head.lines().find_map(|l| l.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
    let mut wrong = content.to_vec();
    wrong[content.len() / 2] ^= 1;
    let longer = [content, b"more"].concat();
    let (status, body, extra): (&str, &[u8], String) = match (manner, range) {
        (Manner::Missing, _) => ("404 Not Found", b"no", String::new()),
        (Manner::WebPage, _) => {
            ("200 OK", b"<!DOCTYPE html><html>Sign in</html>", "Content-Type: text/html\r\n".into())
        }
        (Manner::Wrong, _) => ("200 OK", &wrong, String::new()),
        (Manner::Longer, _) => ("200 OK", &longer, String::new()),
        (Manner::WrongRange, Some(from)) => {
            let from: usize = from;
            let n = content.len();
            (
                "206 Partial Content",
                &content[from - 1..],
                format!("Content-Range: bytes {}-{}/{n}\r\n", from - 1, n - 1),
            )
        }
        (Manner::Good | Manner::Cut(_), Some(from)) => {
            let n = content.len();
            (
                "206 Partial Content",
                &content[from..],
                format!("Content-Range: bytes {from}-{}/{n}\r\n", n - 1),
            )
        }
        _ => ("200 OK", content, String::new()),
    };
    let length = body.len();
    let sent = if let Manner::Cut(at) = manner { &body[..at] } else { body };
    let mut stream = stream;
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{extra}\r\n");
    // A client that has seen enough closes the connection.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
    request
}

fn content() -> Vec<u8> {
    [&[0x1f, 0x8b][..], &(0..200_000u32).map(|i| (i % 251) as u8).collect::<Vec<_>>()].concat()
}

/// One attempt against a server with some manners; the folder is kept between attempts.
fn attempt(folder: &Path, address: &str) -> Result<usize, Error> {
    let content = content();
    let sha256 = hex(&Sha256::digest(&content));
    let file = RemoteFile { name: "f.gz", size: content.len() as u64, sha256: &sha256 };
    let result = fetch(folder, &[file], &[address]);
    let state = verify(folder, &[file]).unwrap()[0];
    assert_eq!(state == Status::Good, result.is_ok(), "{result:?} {state:?}");
    result
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn refused(manner: Manner) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(content(), vec![manner]);
    let error = attempt(folder.path(), &server.address).unwrap_err();
    assert_eq!(error.exit, Exit::Data);
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
    let line = support::fails(folder.path(), &["data", "verify", "--dir", "d"], 3);
    assert!(line.contains("4 of 4 files in d are missing or corrupt"), "{line}");
    fs::write(folder.path().join("file"), "").unwrap();
    let line = support::fails(folder.path(), &["data", "fetch", "--dir", "file/d"], 1);
    assert!(line.contains("cannot create the folder"), "{line}");
}
