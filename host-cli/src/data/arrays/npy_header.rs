//! The header of an `.npy` file, as the documentation of `numpy.lib.format` specifies it: the magic, a version of two bytes, the
//! length of a text in little-endian order (16 bits in version 1, 32 bits in 2 and 3), and the text: a Python dictionary with
//! the keys `descr`, `fortran_order` and `shape`, padded with spaces to a line.
//!
//! The parser takes that dictionary in any order and spacing and nothing else of Python. It never recurses, and whoever uses
//! the shape multiplies with checks.

use std::io::Read;

/// The first bytes of every `.npy` file.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The maximum length of a header that NumPy itself reads.
const MAX_BYTES: usize = 10_000;
/// The maximum number of dimensions: NumPy's own.
const MAX_DIMENSIONS: usize = 64;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of the elements as NumPy writes it: `<f8`.
    pub descr: String,
    /// Whether the first dimension varies fastest.
    pub fortran_order: bool,
    /// The dimensions, the outermost first.
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads a header up to the first element.
    ///
    /// # Errors
    /// One clause: cut short, of an unknown version, too long, or not the dictionary of a plain array.
    pub fn read(reader: &mut dyn Read) -> Result<Self, String> {
        let mut start = [0; 8];
        fill(reader, &mut start)?;
        let [magic @ .., major, minor] = &start;
        if magic != MAGIC {
            return Err("not an .npy file".into());
        }
        let length = match (major, minor) {
            (1, 0) => {
                let mut bytes = [0; 2];
                fill(reader, &mut bytes)?;
                u16::from_le_bytes(bytes).into()
            }
            (2 | 3, 0) => {
                let mut bytes = [0; 4];
                fill(reader, &mut bytes)?;
                u32::from_le_bytes(bytes) as usize
            }
            _ => return Err(format!("version {major}.{minor} of the .npy format, which is not known here")),
        };
        if length > MAX_BYTES {
            return Err(format!("damaged: a header of {length} bytes, more than {MAX_BYTES}"));
        }
        let mut text = vec![0; length];
        fill(reader, &mut text)?;
        Self::parse(&text)
    }

    /// Parses the dictionary.
    fn parse(text: &[u8]) -> Result<Self, String> {
        let mut python = Python { text, at: 0 };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        python.expect(b'{')?;
        while !python.take(b'}') {
            let key = python.string()?;
            python.expect(b':')?;
            let twice = match key {
                "descr" => {
                    if matches!(python.peek(), Some(b'[' | b'(')) {
                        return Err("a structured array with named fields; save each field as an array of \
                                    its own"
                            .into());
                    }
                    descr.replace(python.string()?.to_string()).is_some()
                }
                "fortran_order" => fortran_order.replace(python.boolean()?).is_some(),
                "shape" => shape.replace(python.tuple()?).is_some(),
                _ => return Err(format!("damaged: its header has the unknown key {}", key.escape_debug())),
            };
            if twice {
                return Err(format!("damaged: its header has the key {key} twice"));
            }
            if !python.take(b',') {
                python.expect(b'}')?;
                break;
            }
        }
        if python.peek().is_some() {
            return Err(python.unexpected("its end"));
        }
        let missing = |key| format!("damaged: its header has no {key}");
        Ok(Self {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

/// Fills a buffer.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<(), String> {
    reader.read_exact(buffer).map_err(|e| format!("damaged: its header cannot be read: {e}"))
}

/// A text in Python's syntax, read from the front.
struct Python<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Python<'a> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Whether the next byte is `byte`, which is then behind.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected(&char::from(byte).to_string())) }
    }

    fn unexpected(&self, expected: &str) -> String {
        format!("damaged: its header has something else than {expected} at byte {}", self.at)
    }

    /// The bytes from here for which `is` holds.
    fn run(&mut self, is: impl Fn(&u8) -> bool) -> &'a [u8] {
        let text: &'a [u8] = self.text;
        let rest = text.get(self.at..).unwrap_or_default();
        let run = &rest[..rest.iter().position(|b| !is(b)).unwrap_or(rest.len())];
        self.at += run.len();
        run
    }

    /// A string of printable ASCII without escapes, in single or double quotes.
    fn string(&mut self) -> Result<&'a str, String> {
        let quote = match self.peek() {
            Some(quote @ (b'\'' | b'"')) => quote,
            _ => return Err(self.unexpected("a string")),
        };
        self.at += 1;
        let run = self.run(|&b| b != quote && b != b'\\' && (b == b' ' || b.is_ascii_graphic()));
        if self.text.get(self.at) != Some(&quote) {
            return Err(self.unexpected("a plain string"));
        }
        self.at += 1;
        std::str::from_utf8(run).map_err(|_| self.unexpected("a plain string"))
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.peek();
        match self.run(u8::is_ascii_alphabetic) {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err(self.unexpected("True or False")),
        }
    }

    /// A tuple of numbers: `()`, `(3,)`, `(3, 4)`. Python 2 wrote `3L` for 3.
    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        let mut numbers = Vec::new();
        self.expect(b'(')?;
        while !self.take(b')') {
            self.peek();
            let digits = std::str::from_utf8(self.run(u8::is_ascii_digit)).unwrap_or_default();
            numbers.push(digits.parse().map_err(|_| self.unexpected("a dimension of at most 64 bits"))?);
            if self.text.get(self.at) == Some(&b'L') {
                self.at += 1;
            }
            if numbers.len() > MAX_DIMENSIONS {
                return Err(format!("damaged: an array of more than {MAX_DIMENSIONS} dimensions"));
            }
            if !self.take(b',') {
                // `(3)` is a number in Python, and no tuple.
                if numbers.len() == 1 {
                    return Err(self.unexpected("the comma of a tuple"));
                }
                self.expect(b')')?;
                break;
            }
        }
        Ok(numbers)
    }
}
