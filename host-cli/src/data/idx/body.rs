//! An IDX file, plain or gzip of any number of members, as its header and the bytes behind it.
//!
//! The header says how long the rest must be, so a file that is cut short, goes on, or inflates to more than it declared
//! is refused, and memory is never asked for on the word of a header alone.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::header::{Header, NOT_IDX};
use crate::files::kind;

/// The first two bytes of every gzip file.
pub const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Deflate cannot shrink anything more than this.
const MOST_INFLATION: usize = 1032;

/// Bytes of a compressed file that its kind is told from.
const HEAD: u64 = 4096;

/// A file whose length is what its header declares.
#[derive(Debug)]
pub struct Body {
    /// What it declares.
    pub header: Header,
    /// The elements, as the file has them.
    pub bytes: Vec<u8>,
}

impl Body {
    /// Reads the bytes of a file; `what` names its elements in errors, and `accepts` looks at the header before anything is
    /// read behind it.
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
        let zipped = file.starts_with(&GZIP);
        let mut gzip = MultiGzDecoder::new(file);
        let mut plain = file;
        let reader: &mut dyn Read = if zipped { &mut gzip } else { &mut plain };
        let header =
            Header::read(reader, corrupt).map_err(|why| if why == NOT_IDX { foreign(file) } else { why })?;
        if header.dims.contains(&0) {
            return Err(format!("its header declares no {what}: dimensions {:?}", header.dims));
        }
        accepts(&header)?;
        let too_large = || format!("its header declares {:?} {what}, which no memory holds", header.dims);
        let declared = header.bytes().ok_or_else(too_large)?;
        let possible = if zipped { file.len().saturating_mul(MOST_INFLATION) } else { file.len() };
        let mut bytes = Vec::with_capacity(declared.min(possible));
        reader.take((declared as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(corrupt)?;
        match bytes.len() {
            n if n == declared => Ok(Self { header, bytes }),
            n if n < declared => {
                Err(format!("cut short: its header declares {declared} bytes of {what}, {n} are there"))
            }
            _ => Err(format!("goes on behind the {declared} bytes of {what} that its header declares")),
        }
    }
}

/// What a file is that is not IDX, and what to do.
fn foreign(file: &[u8]) -> String {
    let mut head = Vec::new();
    let zipped = file.starts_with(&GZIP);
    if zipped {
        // What cannot be inflated has been refused as corrupt.
        let _ = MultiGzDecoder::new(file).take(HEAD).read_to_end(&mut head);
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
