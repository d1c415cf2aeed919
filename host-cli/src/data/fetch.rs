//! Fetching Fashion-MNIST: each file resumed where it was cut, checked by its SHA-256, and only then given its name.
//!
//! What has not been checked lies beside the final name as `.NAME.part`, which is either the beginning of the file or is
//! deleted. The hash is what makes plain HTTP and any mirror safe to use.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};

use super::hex;
use super::idx::GZIP;
use crate::error::{Error, ErrorKind, Result, why};
use crate::files;
use crate::terminal;

/// A file to fetch.
#[derive(Debug, Clone, Copy)]
pub struct RemoteFile<'a> {
    /// Its name, here and there.
    pub name: &'a str,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: &'a str,
}

/// The four files of Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017).
pub const FASHION_MNIST: [RemoteFile<'static>; 4] = [
    RemoteFile {
        name: "train-images-idx3-ubyte.gz",
        size: 26_421_880,
        sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    },
    RemoteFile {
        name: "train-labels-idx1-ubyte.gz",
        size: 29_515,
        sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    },
    RemoteFile {
        name: "t10k-images-idx3-ubyte.gz",
        size: 4_422_102,
        sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    },
    RemoteFile {
        name: "t10k-labels-idx1-ubyte.gz",
        size: 5_148,
        sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
];

/// The public addresses of the data set.
pub const MIRRORS: [&str; 2] = [
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
];

/// The state of one file on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There, with the right hash.
    Good,
    /// Not there.
    Missing,
    /// There, with a wrong hash.
    Corrupt,
}

/// The state of each file in a folder.
///
/// # Errors
/// Exit code 3 where a file that exists cannot be read.
pub fn verify(folder: &Path, files: &[RemoteFile<'_>]) -> Result<Vec<Status>> {
    files.iter().map(|file| status(&folder.join(file.name), file)).collect()
}

/// The state of one file at `path`.
pub(super) fn status(path: &Path, file: &RemoteFile<'_>) -> Result<Status> {
    match hash_file(path) {
        Ok(hash) if hash == file.sha256 => Ok(Status::Good),
        Ok(_) => Ok(Status::Corrupt),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Status::Missing),
        Err(e) => Err(Error::unreadable(ErrorKind::Data, path, &e)),
    }
}

/// Fetches the files that are not in `folder` with the right hash yet, from the first of `mirrors` that serves each;
/// returns how many were fetched. Sampling a bar on a terminal.
///
/// # Errors
/// Exit code 3 with the last mirror's reason, exit code 1 where the folder cannot be written. A cut download keeps its
/// part for the next call; nothing else is kept of what failed.
pub fn fetch(folder: &Path, files: &[RemoteFile<'_>], mirrors: &[&str]) -> Result<usize> {
    files::create_folder(folder)?;
    let agent = Agent::new_with_config(
        Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .user_agent(concat!("selvedge/", env!("CARGO_PKG_VERSION")))
            .build(),
    );
    let mut fetched = 0;
    for file in files {
        if status(&folder.join(file.name), file)? == Status::Good {
            continue;
        }
        let mut outcome = Err(Error::misused("no address to fetch from"));
        for mirror in mirrors {
            outcome = Download::new(&agent, folder, file, mirror).run();
            if outcome.is_ok() {
                break;
            }
        }
        outcome?;
        fetched += 1;
    }
    Ok(fetched)
}

/// One file on its way from one mirror.
struct Download<'a> {
    agent: &'a Agent,
    file: &'a RemoteFile<'a>,
    url: String,
    target: PathBuf,
    part: PathBuf,
}

/// How much of a file there is when its server stops sending.
struct Received {
    length: u64,
    /// Why it stopped, where the connection broke.
    cut: Option<io::Error>,
}

impl<'a> Download<'a> {
    fn new(agent: &'a Agent, folder: &Path, file: &'a RemoteFile<'a>, mirror: &str) -> Self {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        let part = folder.join(format!(".{}.part", file.name));
        Self { agent, file, url, target: folder.join(file.name), part }
    }

    fn run(&self) -> Result<()> {
        let had = fs::metadata(&self.part).map_or(0, |m| m.len());
        if had < self.file.size || !self.complete()? {
            let response = self.request(had)?;
            self.receive(response)?;
            if !self.complete()? {
                return Err(Error::data(format!(
                    "{}: what came has the wrong SHA-256 and was deleted; try another --mirror",
                    self.url
                )));
            }
        }
        let synced = File::open(&self.part).and_then(|f| f.sync_all());
        synced
            .and_then(|()| files::rename_synced(&self.part, &self.target))
            .map_err(|e| Error::io("write", &self.target, &e))
    }

    /// Whether the part is the whole file; a part that is as long and is not the file is deleted.
    fn complete(&self) -> Result<bool> {
        let hash = hash_file(&self.part).map_err(|e| Error::io("read", &self.part, &e))?;
        let good = hash == self.file.sha256;
        if !good {
            fs::remove_file(&self.part).map_err(|e| Error::io("delete", &self.part, &e))?;
        }
        Ok(good)
    }

    /// Asks for what is missing, and for the whole where the server does not go on where we stopped.
    fn request(&self, had: u64) -> Result<Response<ureq::Body>> {
        if had > 0 && had < self.file.size {
            let call = self.agent.get(&self.url).header(header::RANGE, format!("bytes={had}-")).call();
            let response = self.answered(call)?;
            let expected = format!("bytes {had}-{}/{}", self.file.size - 1, self.file.size);
            let range = response.headers().get(header::CONTENT_RANGE).and_then(|r| r.to_str().ok());
            match response.status() {
                StatusCode::PARTIAL_CONTENT if range == Some(&expected) => return Ok(response),
                StatusCode::OK => return Ok(response),
                _ => {}
            }
        }
        let response = self.answered(self.agent.get(&self.url).call())?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => {
                Err(Error::data(format!("{}: the server answered {status}; try another --mirror", self.url)))
            }
        }
    }

    fn answered(
        &self,
        call: std::result::Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Response<ureq::Body>> {
        call.map_err(|e| {
            let reason = if let ureq::Error::Io(e) = &e { why(e) } else { e.to_string() };
            Error::data(format!("{}: {reason}; check the network, or try another --mirror URL", self.url))
        })
    }

    /// Writes the body to the part: appended where the server goes on, else from the start.
    fn receive(&self, response: Response<ureq::Body>) -> Result<()> {
        let resumed = response.status() == StatusCode::PARTIAL_CONTENT;
        let had = if resumed { fs::metadata(&self.part).map_or(0, |m| m.len()) } else { 0 };
        let mut part = OpenOptions::new()
            .create(true)
            .write(true)
            .append(resumed)
            .truncate(!resumed)
            .open(&self.part)
            .map_err(|e| Error::io("write", &self.part, &e))?;

        let bar = self.bar(had);
        let received = self.copy(response, had, &mut part, &bar);
        bar.finish_and_clear();
        let Received { length, cut } = received?;
        if length > self.file.size {
            self.discard();
            return Err(Error::data(format!(
                "{}: more than the {} bytes of the file came; nothing was kept; try another --mirror",
                self.url, self.file.size
            )));
        }
        if length < self.file.size {
            let why = cut.map_or_else(String::new, |e| format!(" ({e})"));
            return Err(Error::data(format!(
                "{}: the connection was cut after {length} of {} bytes{why}; run the same command again to resume",
                self.url, self.file.size
            )));
        }
        Ok(())
    }

    fn bar(&self, had: u64) -> ProgressBar {
        let bar =
            ProgressBar::new(self.file.size).with_message(self.file.name.to_string()).with_position(had);
        bar.set_style(terminal::style(
            "{wide_msg} {percent:>3} % of {total_bytes}, {rate}, {left} left",
            had,
        ));
        bar
    }

    /// Copies the body to the part, whose first `had` bytes are there, until it ends, is cut, or turns out to be another
    /// file.
    fn copy(
        &self,
        response: Response<ureq::Body>,
        had: u64,
        part: &mut File,
        bar: &ProgressBar,
    ) -> Result<Received> {
        // One byte more than the file has is enough to know that it is another file.
        let mut body = response.into_body().into_reader().take(self.file.size - had + 1);
        let mut buffer = vec![0; 1 << 16];
        let mut length = had;
        loop {
            let chunk = match body.read(&mut buffer) {
                Ok(0) => return Ok(Received { length, cut: None }),
                Ok(n) => &buffer[..n],
                Err(e) => return Ok(Received { length, cut: Some(e) }),
            };
            if length == 0 && !chunk.starts_with(&GZIP[..chunk.len().min(2)]) {
                self.discard();
                return Err(Error::data(format!(
                    "{}: the server sent no gzip file, perhaps a web page; nothing was kept; try another --mirror",
                    self.url
                )));
            }
            part.write_all(chunk).map_err(|e| Error::io("write", &self.part, &e))?;
            length += chunk.len() as u64;
            bar.set_position(length);
        }
    }

    fn discard(&self) {
        // The caller is about to report why; a part that cannot be deleted fails its hash next time.
        let _ = fs::remove_file(&self.part);
    }
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}
