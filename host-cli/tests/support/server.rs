//! An HTTP server on loopback, of one file, with good and bad manners.
#![allow(dead_code)] // Each test binary uses its own part.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
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
    /// As HTTP says, with a rest after every so many bytes.
    Slow(usize),
}

/// A server of one file at `/f.gz`, and the requests that it saw.
pub struct Server {
    /// Its address.
    pub address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// A server that answers its requests in these manners, one after the other.
    pub fn start(content: Vec<u8>, manners: impl IntoIterator<Item = Manner> + Send + 'static) -> Self {
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

    /// The range that each request asked for.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|r| r.lines().find_map(|l| l.to_lowercase().strip_prefix("range: ").map(String::from)))
            .collect()
    }
}

/// Reads a request and answers it; returns the request's head.
fn serve(mut stream: TcpStream, content: &[u8], manner: Manner) -> String {
    let request = request(&stream);
    if !request.ends_with("\r\n\r\n") {
        return request;
    }
    assert!(request.starts_with("GET /f.gz HTTP/1.1\r\n"), "{request}");
    let head = request.to_lowercase();
    let range = head.lines().find_map(|l| l.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
    let (status, body, extra) = answer(content, manner, range);
    let length = body.len();
    let sent = if let Manner::Cut(at) = manner { &body[..at] } else { &body };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{extra}\r\n");
    // A client that has seen enough closes the connection.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| match manner {
        Manner::Slow(bytes) => sent.chunks(bytes).try_for_each(|chunk| {
            std::thread::sleep(Duration::from_millis(1));
            stream.write_all(chunk)
        }),
        _ => stream.write_all(sent),
    });
    request
}

/// The head of a request, cut short where the client was killed.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") && reader.read_line(&mut request).unwrap_or(0) > 0 {}
    request
}

/// The status, the body and more lines of the head, for a request of the whole or of what lies after `range`.
fn answer(content: &[u8], manner: Manner, range: Option<usize>) -> (&'static str, Vec<u8>, String) {
    let whole = |body: &[u8]| ("200 OK", body.to_vec(), String::new());
    let part = |from: usize| {
        let n = content.len();
        let range = format!("Content-Range: bytes {from}-{}/{n}\r\n", n - 1);
        ("206 Partial Content", content[from..].to_vec(), range)
    };
    match (manner, range) {
        (Manner::Missing, _) => ("404 Not Found", b"no".to_vec(), String::new()),
        (Manner::WebPage, _) => {
            let page = b"<!DOCTYPE html><html>Sign in</html>".to_vec();
            ("200 OK", page, "Content-Type: text/html\r\n".into())
        }
        (Manner::Wrong, _) => {
            let mut wrong = content.to_vec();
            wrong[content.len() / 2] ^= 1;
            whole(&wrong)
        }
        (Manner::Longer, _) => whole(&[content, b"more"].concat()),
        (Manner::WrongRange, Some(from)) => part(from - 1),
        (Manner::Good | Manner::Cut(_) | Manner::Slow(_), Some(from)) => part(from),
        _ => whole(content),
    }
}
