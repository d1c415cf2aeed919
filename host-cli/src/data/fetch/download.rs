//! The download: resumes each file where it was cut, checks its SHA-256, and only then gives it its name.
//!
//! Unchecked bytes are in `.NAME.part` in the same folder, which is either the beginning of the file or is deleted. The hash
//! makes plain HTTP and any mirror safe to use.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{Response, StatusCode, header};

use super::{HashCheck, Progress, RemoteFile, check, hash_file};
use crate::error::{Error, Result, why};
use crate::files::{self, kind};

/// Downloads the files that are not in `folder` with the right hash yet, each from the first of `mirrors` that serves it;
/// returns how many were downloaded. `observe` is told of the progress.
///
/// # Errors
/// `Data` with the last mirror's reason, exit code 1 where the folder cannot be written. A cut download leaves its
/// `.part` for the next call; any other failure leaves nothing.
pub fn fetch(
    folder: &Path,
    files: &[RemoteFile<'_>],
    mirrors: &[&str],
    observe: &mut dyn FnMut(Progress<'_>),
) -> Result<usize> {
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
        if check(&folder.join(file.name), file)? == HashCheck::Matches {
            continue;
        }
        let mut outcome = Err(Error::usage("no address to fetch from"));
        for mirror in mirrors {
            outcome = Download::new(&agent, folder, file, mirror).run(observe);
            if outcome.is_ok() {
                break;
            }
        }
        outcome?;
        fetched += 1;
    }
    Ok(fetched)
}

/// The download of one file from one mirror.
struct Download<'a> {
    agent: &'a Agent,
    file: &'a RemoteFile<'a>,
    url: String,
    target: PathBuf,
    part: PathBuf,
}

/// How many bytes of a file are on disk when its server stops sending.
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

    fn run(&self, observe: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        let had = fs::metadata(&self.part).map_or(0, |m| m.len());
        if had < self.file.size || !self.complete()? {
            let response = self.request(had)?;
            self.receive(response, observe)?;
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

    /// Whether the part is the complete file. A part of another hash is deleted.
    fn complete(&self) -> Result<bool> {
        let hash = hash_file(&self.part).map_err(|e| Error::io("read", &self.part, &e))?;
        let good = hash == self.file.sha256;
        if !good {
            fs::remove_file(&self.part).map_err(|e| Error::io("delete", &self.part, &e))?;
        }
        Ok(good)
    }

    /// Requests the missing bytes, or the whole file where the server does not resume.
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

    /// Writes the body to the part: appends where the server resumes, else starts again.
    fn receive(&self, response: Response<ureq::Body>, observe: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        let resumed = response.status() == StatusCode::PARTIAL_CONTENT;
        let had = if resumed { fs::metadata(&self.part).map_or(0, |m| m.len()) } else { 0 };
        let mut part = OpenOptions::new()
            .create(true)
            .write(true)
            .append(resumed)
            .truncate(!resumed)
            .open(&self.part)
            .map_err(|e| Error::io("write", &self.part, &e))?;

        observe(Progress::Started { file: self.file, done: had });
        let received = self.copy(response, had, &mut part, observe);
        observe(Progress::Ended);
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

    /// Copies the body to the part, which has `had` bytes, until the body ends, is cut, or proves to be another file.
    fn copy(
        &self,
        response: Response<ureq::Body>,
        had: u64,
        part: &mut File,
        observe: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Received> {
        // One extra byte is enough to detect a longer file.
        let mut body = response.into_body().into_reader().take(self.file.size - had + 1);
        let mut buffer = vec![0; 1 << 16];
        let mut length = had;
        loop {
            let chunk = match body.read(&mut buffer) {
                Ok(0) => return Ok(Received { length, cut: None }),
                Ok(n) => &buffer[..n],
                Err(e) => return Ok(Received { length, cut: Some(e) }),
            };
            if length == 0 && !kind::may_be_gzip(chunk) {
                self.discard();
                return Err(Error::data(format!(
                    "{}: the server sent no gzip file, perhaps a web page; nothing was kept; try another --mirror",
                    self.url
                )));
            }
            part.write_all(chunk).map_err(|e| Error::io("write", &self.part, &e))?;
            length += chunk.len() as u64;
            observe(Progress::Received(length));
        }
    }

    fn discard(&self) {
        // The caller reports the reason. A part that cannot be deleted fails its hash check the next time.
        let _ = fs::remove_file(&self.part);
    }
}
