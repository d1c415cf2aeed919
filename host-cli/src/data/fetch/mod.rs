//! Fashion-MNIST's four files: their hashes, and their download, which feature `fetch` brings along. Without it the program
//! builds without a TLS library, and `data fetch` says how to get them.

#[cfg(feature = "fetch")]
mod download;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::hex;
use crate::error::{Error, ErrorKind, Result};

#[cfg(feature = "fetch")]
pub use download::fetch;

/// A file to download.
#[derive(Debug, Clone, Copy)]
pub struct RemoteFile<'a> {
    /// Its name, on the server and on disk.
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

/// Whether a file on disk has its published hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashCheck {
    /// It has.
    Matches,
    /// There is no file.
    Missing,
    /// It has another hash.
    Differs,
}

/// Checks the hash of the file at `path`.
///
/// # Errors
/// `Data` where it exists and cannot be read.
pub fn check(path: &Path, file: &RemoteFile<'_>) -> Result<HashCheck> {
    match hash_file(path) {
        Ok(hash) if hash == file.sha256 => Ok(HashCheck::Matches),
        Ok(_) => Ok(HashCheck::Differs),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(HashCheck::Missing),
        Err(e) => Err(Error::unreadable(ErrorKind::Data, path, &e)),
    }
}

/// What happens to the file that is being downloaded.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// Its body begins; the first `done` bytes are there from an earlier attempt.
    Started {
        /// The file.
        file: &'a RemoteFile<'a>,
        /// Bytes that are there.
        done: u64,
    },
    /// So many of its bytes are there.
    Received(u64),
    /// No more of it comes, whether it is whole or not.
    Ended,
}

/// Without feature `fetch`: nothing to do if all files are in `folder` with the right hashes.
///
/// # Errors
/// `Failed` with what to do if one is not; `Data` where one cannot be read.
#[cfg(not(feature = "fetch"))]
pub fn fetch(
    folder: &Path,
    files: &[RemoteFile<'_>],
    mirrors: &[&str],
    _observe: &mut dyn FnMut(Progress<'_>),
) -> Result<usize> {
    let mut names = Vec::new();
    for file in files {
        if check(&folder.join(file.name), file)? != HashCheck::Matches {
            names.push(file.name);
        }
    }
    if names.is_empty() {
        return Ok(0);
    }
    Err(Error::failed(format!(
        "this program was built without downloads: build it with `cargo install --locked --path host-cli --features fetch`, \
         or get {} from {} by other means and put them into {}",
        names.join(", "),
        mirrors.first().unwrap_or(&MIRRORS[0]),
        folder.display()
    )))
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
