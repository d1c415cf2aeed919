//! The text of a table, cut into blocks at the ends of lines.

use std::io::{BufRead, Read};

use super::super::source::Source;

/// The text of a table without its header, in blocks of whole lines.
pub struct Blocks<'s> {
    bytes: Box<dyn BufRead + 's>,
    size: usize,
    /// The start of the line that the last block did not reach the end of.
    rest: Vec<u8>,
    /// Where the next block starts.
    byte: u64,
    /// Whether the header is still to come.
    header: bool,
}

/// Whole lines; the last byte ends one.
pub struct Block {
    /// The lines.
    pub text: Vec<u8>,
    /// The bytes of the header at its start.
    pub skip: usize,
    /// Where it starts in the table's text.
    pub byte: u64,
}

impl<'s> Blocks<'s> {
    /// From the start of the table; `None` where it cannot be read.
    pub fn new(source: &'s Source, size: usize) -> Option<Self> {
        Some(Self { bytes: source.bytes().ok()?, size, rest: Vec::new(), byte: 0, header: source.header })
    }

    /// The next block, or that there is none; `None` where the file cannot be read.
    pub fn next(&mut self) -> Option<Option<Block>> {
        let mut text = Vec::with_capacity(self.rest.len() + self.size + 1);
        text.append(&mut self.rest);
        loop {
            if (&mut self.bytes).take(self.size as u64).read_to_end(&mut text).ok()? == 0 {
                if text.is_empty() {
                    return Some(None);
                }
                text.push(b'\n');
            }
            if let Some(end) = memchr::memrchr2(b'\n', b'\r', &text) {
                self.rest.extend_from_slice(&text[end + 1..]);
                text.truncate(end + 1);
                break;
            }
        }
        let mut skip = 0;
        if self.header
            && let Some(start) = text.iter().position(|byte| !b"\r\n".contains(byte))
        {
            self.header = false;
            skip = start + memchr::memchr2(b'\n', b'\r', &text[start..])?;
        }
        let byte = self.byte;
        self.byte += text.len() as u64;
        Some(Some(Block { text, skip, byte }))
    }
}
