//! The bytes of a table: plain or gzip, streamed once for each pass; and how its lines divide into cells.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use flate2::bufread::MultiGzDecoder;

use super::{cell, header};
use crate::error::{Error, ErrorKind, Result, typed};
use crate::files::kind;

/// Decoded bytes at the start of a table that show how it is written.
const HEAD_BYTES: usize = 1 << 20;
/// The same where a table is so wide that its first lines are longer.
const MAX_HEAD_BYTES: usize = 64 << 20;
/// The bytes that are read from the disk at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// UTF-8's byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A table's file, and how it is written.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    /// The content of what can be read only once, such as a pipe.
    content: Option<Vec<u8>>,
    /// What stands between cells.
    pub delimiter: u8,
    /// Whether the first record names the columns.
    pub header: bool,
    /// The names of the columns.
    pub names: Vec<String>,
    /// What was assumed about the header.
    pub notes: Vec<String>,
}

/// How long a table is, and whether its cells are just what stands between the separators.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    /// Its lines.
    pub count: usize,
    /// Whether a quote is anywhere but in a header of one line.
    pub quotes: bool,
}

impl Source {
    /// Opens a table. `known` are names of columns that it should have: a first record that holds them is a header.
    ///
    /// # Errors
    /// `Data` where it cannot be read, is empty, or is not text in UTF-8 in columns.
    pub fn open(path: &Path, known: &[&str]) -> Result<Self> {
        let unreadable = |e: std::io::Error| Error::unreadable(ErrorKind::Data, path, &e);
        let content = match std::fs::metadata(path).map_err(unreadable)? {
            file if file.is_file() => None,
            folder if folder.is_dir() => {
                return Err(Error::data(format!("{} is a folder; name a CSV file in it", path.display())));
            }
            _ => Some(std::fs::read(path).map_err(unreadable)?),
        };
        let (path, notes, names) = (path.to_path_buf(), Vec::new(), Vec::new());
        let mut source = Self { path, content, delimiter: b',', header: false, names, notes };
        let (head, whole) = source.head()?;
        source.check_encoding(&head)?;
        source.delimiter = header::delimiter(&head, whole);
        let records = header::records(&head, whole, source.delimiter);
        if records.is_empty() {
            return Err(
                source.error("is empty; write a line for each sample, with columns separated by commas")
            );
        }
        let numbered = known.iter().all(|name| name.starts_with("column_")) && !known.is_empty();
        source.header = header::has_names(&records[0], known)
            || !numbered && header::is_there(&records, &mut source.notes);
        source.names = source.column_names(&records[0])?;
        Ok(source)
    }

    /// The decoded bytes from the start, without a byte order mark.
    pub fn bytes(&self) -> Result<Box<dyn BufRead + '_>> {
        let unreadable = |e: std::io::Error| Error::unreadable(ErrorKind::Data, &self.path, &e);
        let mut raw: Box<dyn BufRead> = match &self.content {
            Some(content) => Box::new(Cursor::new(content)),
            None => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(&self.path).map_err(unreadable)?))
            }
        };
        if kind::is_gzip(raw.fill_buf().map_err(unreadable)?) {
            raw = Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(raw)));
        }
        if raw.fill_buf().map_err(|e| self.unreadable(&e))?.starts_with(BOM) {
            raw.consume(BOM.len());
        }
        Ok(raw)
    }

    /// The first bytes, at least two lines of them, and whether they are all.
    fn head(&self) -> Result<(Vec<u8>, bool)> {
        let (mut bytes, mut head, mut size) = (self.bytes()?, Vec::new(), HEAD_BYTES);
        loop {
            let more = size - head.len();
            (&mut bytes).take(more as u64).read_to_end(&mut head).map_err(|e| self.unreadable(&e))?;
            if head.len() < size {
                return Ok((head, true));
            }
            if size >= MAX_HEAD_BYTES || head.iter().filter(|&&b| b == b'\n').nth(2).is_some() {
                return Ok((head, false));
            }
            size *= 4;
        }
    }

    fn check_encoding(&self, head: &[u8]) -> Result<()> {
        let file = typed(&self.path);
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || head.contains(&0) {
            let is = if head.contains(&0) && !is_utf16(head) { "is not text" } else { "is UTF-16 text" };
            return Err(self.error(format!(
                "{is}; a table is text in UTF-8: `iconv -f UTF-16 -t UTF-8 {file} > utf8.csv` converts UTF-16"
            )));
        }
        Ok(())
    }

    /// The names in the first record, or numbers where it has none.
    fn column_names(&mut self, first: &ByteRecord) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::with_capacity(first.len());
        for (n, cell) in first.iter().enumerate() {
            let number = format!("column_{}", n + 1);
            if !self.header {
                names.push(number);
                continue;
            }
            let name = std::str::from_utf8(cell.trim_ascii())
                .map_err(|_| self.not_utf8(0, &number, cell))?
                .to_string();
            if name.is_empty() {
                self.notes.push(format!("column {} has no name: it is called {number}", n + 1));
                names.push(number);
            } else {
                names.push(name);
            }
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(self.error(format!(
                "has two columns named {:?}; give each column in line 1 a name of its own",
                pair[0]
            )));
        }
        Ok(names)
    }

    /// The records below the header.
    ///
    /// # Errors
    /// `Data` where the file cannot be read.
    pub fn rows(&self) -> Result<Rows<'_>> {
        let mut builder = csv::ReaderBuilder::new();
        builder
            .has_headers(self.header)
            .flexible(true)
            .delimiter(self.delimiter)
            .buffer_capacity(BUFFER_BYTES);
        Ok(Rows { source: self, reader: builder.from_reader(self.bytes()?), record: ByteRecord::new() })
    }

    /// The lines, which no table has more rows than.
    ///
    /// # Errors
    /// `Data` where the file cannot be read.
    pub fn lines(&self) -> Result<Lines> {
        let (mut bytes, mut lines) = (self.bytes()?, Lines { count: 1, quotes: false });
        let (mut first, mut in_first) = (true, 0);
        loop {
            let buffer = bytes.fill_buf().map_err(|e| self.unreadable(&e))?;
            let length = buffer.len();
            if length == 0 {
                lines.quotes |= in_first % 2 > 0;
                return Ok(lines);
            }
            let mut below = buffer;
            if first {
                let end = memchr::memchr2(b'\n', b'\r', buffer);
                in_first += memchr::memchr_iter(b'"', &buffer[..end.unwrap_or(length)]).count();
                below = &buffer[end.unwrap_or(length)..];
                first = end.is_none();
            }
            lines.count += memchr::memchr_iter(b'\n', below).count();
            lines.quotes =
                lines.quotes || memchr::memchr(b'"', below).is_some() || !self.header && in_first > 0;
            bytes.consume(length);
        }
    }

    /// The line, counted from 1, of the record that starts at `byte` of the decoded text.
    pub fn line(&self, byte: u64) -> u64 {
        let Ok(mut bytes) = self.bytes() else { return 0 };
        let (mut line, mut at) = (1, 0);
        loop {
            let Ok(buffer) = bytes.fill_buf() else { return line };
            for &b in buffer {
                // The position of a record is before the blank lines above it.
                if at >= byte && !b"\r\n".contains(&b) {
                    return line;
                }
                line += u64::from(b == b'\n');
                at += 1;
            }
            let length = buffer.len();
            if length == 0 {
                return line;
            }
            bytes.consume(length);
        }
    }

    /// An error about the file as a whole.
    pub fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::data(format!("{} {message}", self.path.display()))
    }

    /// An error about a cell of the record at `byte`.
    pub fn error_at(&self, byte: u64, column: &str, message: impl std::fmt::Display) -> Error {
        Error::data(format!(
            "{}, line {}, column {column:?}: {message}",
            self.path.display(),
            self.line(byte)
        ))
    }

    /// An error about a cell that is not UTF-8.
    pub fn not_utf8(&self, byte: u64, column: &str, cell: &[u8]) -> Error {
        let (text, file) = (String::from_utf8_lossy(cell), typed(&self.path));
        let message = format!(
            "\"{text}\" is not UTF-8; if the file is Latin-1: `iconv -f LATIN1 -t UTF-8 {file} > utf8.csv`"
        );
        self.error_at(byte, column, message)
    }

    fn unreadable(&self, reason: &std::io::Error) -> Error {
        let why = crate::error::why(reason);
        self.error(format!("cannot be read to its end: {why}; fetch or write it again"))
    }
}

/// Whether the first records of a file are those of a table: text in UTF-8, most records with the same number of cells, two or
/// more, or a number in each.
pub fn looks_like_a_table(path: &Path) -> bool {
    let (path, names) = (path.to_path_buf(), Vec::new());
    let source = Source { path, content: None, delimiter: b',', header: false, names, notes: Vec::new() };
    let Ok((head, whole)) = source.head() else { return false };
    // Reading it says how to convert it.
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return is_utf16(&head);
    }
    if head.iter().any(|&b| b == 0 || b < b' ' && !b"\t\n\r\x0c".contains(&b)) {
        return false;
    }
    let records = header::records(&head, whole, header::delimiter(&head, whole));
    let numbers = |r: &&ByteRecord| r.iter().all(|cell| matches!(cell::parse(cell), cell::Cell::Number(_)));
    let alike = |r: &&ByteRecord| r.len() == records[0].len() && r.len() > 1;
    let like_a_table = |r: &ByteRecord| alike(&r) || numbers(&r);
    !records.is_empty() && records.iter().filter(|r| like_a_table(r)).count() * 2 > records.len()
}

/// Whether text is UTF-16, which has a zero in every second byte of ASCII.
fn is_utf16(head: &[u8]) -> bool {
    let zeros = |from: usize| head.iter().skip(from).step_by(2).take(64).filter(|&&b| b == 0).count();
    let half = head.len().min(128) / 4;
    head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || zeros(0).max(zeros(1)) > half
}

/// The records of a table, one at a time.
pub struct Rows<'s> {
    source: &'s Source,
    reader: csv::Reader<Box<dyn BufRead + 's>>,
    record: ByteRecord,
}

impl Rows<'_> {
    /// The next record and the byte at which it starts; `None` at the end.
    ///
    /// # Errors
    /// `Data` where the file ends in its midst, or where the record has more or fewer cells than the first.
    pub fn next(&mut self) -> Result<Option<(&ByteRecord, u64)>> {
        let columns = self.source.names.len();
        loop {
            let more = self.reader.read_byte_record(&mut self.record).map_err(|e| match e.into_kind() {
                csv::ErrorKind::Io(e) => self.source.unreadable(&e),
                _ => self.source.error("is not a table in CSV"),
            })?;
            if !more {
                return Ok(None);
            }
            let byte = self.record.position().map_or(0, csv::Position::byte);
            if self.record.len() == columns {
                return Ok(Some((&self.record, byte)));
            }
            if self.record.len() > 1 || !self.record[0].trim_ascii().is_empty() {
                return Err(self.ragged(byte, columns));
            }
        }
    }

    fn ragged(&self, byte: u64, columns: usize) -> Error {
        let (found, line) = (self.record.len(), self.source.line(byte));
        let open = if self.record.iter().any(|cell| cell.contains(&b'\n')) {
            "; a quote that opens on this line is not closed"
        } else {
            "; put quotes around text that holds the separator"
        };
        let (path, cells) = (self.source.path.display(), if found == 1 { "cell" } else { "cells" });
        Error::data(format!("{path}, line {line}: {found} {cells}, but the first line has {columns}{open}"))
    }
}
