//! The header of an IDX file: two zero bytes, the type of the elements, the number of dimensions, and the dimensions
//! themselves, each a big-endian u32.

use std::fmt;
use std::io::Read;

/// The type of the elements; numbers of several bytes are big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Unsigned bytes.
    U8,
    /// Signed bytes.
    I8,
    /// 16 bits, signed.
    I16,
    /// 32 bits, signed.
    I32,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Type {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Whether it holds floats.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::F32 => "float32",
            Self::F64 => "float64",
        })
    }
}

/// The header of an IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of the elements.
    pub kind: Type,
    /// The dimensions, the outermost first.
    pub dims: Vec<usize>,
}

/// The complete error where the bytes do not begin with an IDX header.
pub const NOT_IDX: &str = "not an IDX file";
/// The maximum number of dimensions; a header with more is refused before they are read.
const MAX_DIMS: usize = 8;

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// One clause: cut short, not IDX, or an error of the reader, which `corrupt` describes.
    pub fn read(
        reader: &mut dyn Read,
        corrupt: impl Fn(std::io::Error) -> String,
    ) -> std::result::Result<Self, String> {
        let mut magic = [0; 4];
        let got = read_up_to(reader, &mut magic).map_err(&corrupt)?;
        if got < magic.len() {
            return Err(format!("cut short: {got} bytes are too few for an IDX file"));
        }
        let rank = usize::from(magic[3]);
        let kind = match magic {
            [0, 0, code, rank] if rank > 0 => Type::from_code(code)
                .ok_or_else(|| format!("an IDX file with elements of the unknown type {code:#04x}"))?,
            [1..=8, 0x08..=0x0e, 0, 0] => {
                return Err(
                    "an IDX file with a little-endian header; IDX is big-endian: write it again".into()
                );
            }
            _ => return Err(NOT_IDX.into()),
        };
        if rank > MAX_DIMS {
            return Err(format!("{kind} of {rank} dimensions, which no file of a data set has"));
        }
        let mut lengths = [0; 4 * MAX_DIMS];
        let lengths = &mut lengths[..4 * rank];
        let got = read_up_to(reader, lengths).map_err(&corrupt)?;
        if got < lengths.len() {
            let (there, whole) = (4 + got, 4 + lengths.len());
            return Err(format!("cut short: {there} bytes, and the header alone has {whole}"));
        }
        let dims = lengths.as_chunks::<4>().0.iter().map(|d| u32::from_be_bytes(*d) as usize);
        Ok(Self { kind, dims: dims.collect() })
    }

    /// Bytes of all elements, or `None` where the number overflows.
    pub fn bytes(&self) -> Option<usize> {
        self.dims.iter().try_fold(self.kind.bytes(), |product, &d| product.checked_mul(d))
    }
}

/// `uint8 of 3 dimensions: 60 x 28 x 28`.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.dims.iter().map(usize::to_string).collect();
        let plural = if dims.len() == 1 { "" } else { "s" };
        write!(f, "{} of {} dimension{plural}: {}", self.kind, dims.len(), dims.join(" x "))
    }
}

/// Reads until `buffer` is full or the data ends.
fn read_up_to(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}
