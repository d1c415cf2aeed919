//! Reads an IDX file, plain or gzip of any number of members: its header and the bytes that follow.
//!
//! The header determines the length of the rest, so a file that is shorter or longer than declared, also after inflation, is
//! refused. No memory is allocated on the strength of the header alone.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::header::{Header, NOT_IDX};
use crate::files::kind;

/// The maximum ratio of deflate.
const MAX_INFLATION: usize = 1032;

/// The number of inflated bytes that the kind of a compressed file is determined from.
const HEAD_BYTES: u64 = 4096;

/// A file whose length is what its header declares.
#[derive(Debug)]
pub struct Body {
    /// Its header.
    pub header: Header,
    /// The elements, big-endian.
    pub bytes: Vec<u8>,
}

impl Body {
    /// Reads the bytes of a file. Errors call its elements `what`; `accepts` checks the header before the elements are read.
    ///
    /// # Errors
    /// One clause without the file's name.
    pub fn read(
        file: &[u8],
        what: &str,
        accepts: impl FnOnce(&Header) -> Result<(), String>,
    ) -> Result<Self, String> {
        if file.is_empty() {
            return Err("the file is empty".into());
        }
        let zipped = kind::is_gzip(file);
        let mut gzip = MultiGzDecoder::new(file);
        let mut plain = file;
        let reader: &mut dyn Read = if zipped { &mut gzip } else { &mut plain };
        let header =
            Header::read(reader, corrupt).map_err(|why| if why == NOT_IDX { foreign(file) } else { why })?;
        if header.dims.contains(&0) {
            return Err(format!("its header declares no {what}: dimensions {:?}", header.dims));
        }
        accepts(&header)?;
        let too_large =
            || format!("its header declares {:?} {what}, more than any memory holds", header.dims);
        let declared = header.bytes().ok_or_else(too_large)?;
        let possible = if zipped { file.len().saturating_mul(MAX_INFLATION) } else { file.len() };
        let mut bytes = Vec::with_capacity(declared.min(possible));
        reader.take((declared as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(corrupt)?;
        match bytes.len() {
            n if n == declared => Ok(Self { header, bytes }),
            n if n < declared => {
                Err(format!("cut short: its header declares {declared} bytes of {what}, {n} are there"))
            }
            _ => Err(format!("continues after the {declared} bytes of {what} that its header declares")),
        }
    }
}

/// What a file is that is not IDX, and what to do about it.
fn foreign(file: &[u8]) -> String {
    let mut head = Vec::new();
    let zipped = kind::is_gzip(file);
    if zipped {
        // A stream that cannot be inflated has been refused as corrupt before.
        let _ = MultiGzDecoder::new(file).take(HEAD_BYTES).read_to_end(&mut head);
    }
    let kind = kind::of(if zipped { &head } else { file });
    let (zipped, next) = (if zipped { ", inside its gzip," } else { "" }, kind.fetch_again());
    let next = next.unwrap_or("name a folder of IDX files with --data, or write this as one");
    format!("{NOT_IDX} but{zipped} {}; {next}", kind.name())
}

fn corrupt(e: std::io::Error) -> String {
    match e.kind() {
        ErrorKind::UnexpectedEof => "cut short inside its gzip stream".into(),
        _ => format!("corrupt gzip: {e}"),
    }
}
