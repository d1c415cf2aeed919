//! The fields of a header, and the few of them that every version has: is the file whole?

use super::header::{HEADER_BYTES, MAGIC, VERSION};
use super::version2::CRC_AT;
use crate::error::Error;
use crate::shape::MAX_WIDTH;

/// What a reader needs before it understands the rest: is the file whole?
pub(super) struct Preamble {
    pub version: u8,
    pub file_bytes: usize,
    /// Where the CRC stands.
    pub crc_at: usize,
}

impl Preamble {
    pub const fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() < HEADER_BYTES {
            return Err(Error::Truncated { expected: HEADER_BYTES, actual: bytes.len() });
        }
        if word(bytes, 0) != u32::from_le_bytes(MAGIC) {
            return Err(Error::NoModel);
        }
        match byte(bytes, 4) {
            1 => Ok(Self {
                version: 1,
                file_bytes: (word(bytes, 32) as usize).saturating_add(HEADER_BYTES),
                crc_at: 36,
            }),
            VERSION => Ok(Self { version: VERSION, file_bytes: word(bytes, 8) as usize, crc_at: CRC_AT }),
            found => Err(Error::Version { found, known: VERSION }),
        }
    }
}

pub(super) const fn check_width(width: u16, position: usize) -> Result<(), Error> {
    if width == 0 || width as usize > MAX_WIDTH {
        return Err(Error::Width { position, width: width as usize, max: MAX_WIDTH });
    }
    Ok(())
}

/// The byte at `at`; 0 after the end.
pub(super) const fn byte(bytes: &[u8], at: usize) -> u8 {
    if at < bytes.len() { bytes[at] } else { 0 }
}

/// The u16 at `at`; 0 after the end.
#[inline]
pub(super) const fn half(bytes: &[u8], at: usize) -> u16 {
    match bytes.split_at_checked(at) {
        Some((_, [low, high, ..])) => u16::from_le_bytes([*low, *high]),
        _ => 0,
    }
}

/// The u32 at `at`; 0 after the end.
pub(super) const fn word(bytes: &[u8], at: usize) -> u32 {
    half(bytes, at) as u32 | (half(bytes, at + 2) as u32) << 16
}
