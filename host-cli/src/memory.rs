//! Aligned memory for parameters and workspaces, or an error with the numbers where there is not enough.

use std::ops::{Deref, DerefMut};

use selvedge::arena::CACHE_LINE_FLOATS;
use selvedge::format::ALIGN;

use crate::error::{Error, Result};

/// A vector of floats that is aligned to a cache line.
#[derive(Debug)]
pub struct Floats {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

impl Floats {
    /// `len` zeros for `purpose`, which the error names.
    ///
    /// # Errors
    /// `Failed` where this machine does not have the memory.
    pub fn zeroed(len: usize, purpose: &str) -> Result<Self> {
        let padded = len.saturating_add(CACHE_LINE_FLOATS - 1);
        let bytes = padded.saturating_mul(size_of::<f32>());
        let refuse = |free: String| {
            Error::failed(format!(
                "{purpose} needs {} of memory{free}; choose fewer or narrower layers, or a smaller --batch",
                size(bytes as u64)
            ))
        };
        // Linux overcommits memory and kills the process that touches it, so check first.
        if let Some(free) = available().filter(|&free| bytes as u64 > free) {
            return Err(refuse(format!(" and this machine has {} free", size(free))));
        }
        let mut memory = Vec::new();
        memory.try_reserve_exact(padded).map_err(|_| refuse(", more than this machine gives".into()))?;
        memory.resize(padded, 0.0);
        let start =
            memory.as_ptr().align_offset(CACHE_LINE_FLOATS * size_of::<f32>()).min(CACHE_LINE_FLOATS - 1);
        Ok(Self { memory, start, len })
    }

    /// A copy of `values`.
    ///
    /// # Errors
    /// As [`zeroed`](Self::zeroed).
    pub fn copy_of(values: &[f32], purpose: &str) -> Result<Self> {
        let mut copy = Self::zeroed(values.len(), purpose)?;
        copy.copy_from_slice(values);
        Ok(copy)
    }
}

impl Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.memory[self.start..][..self.len]
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..][..self.len]
    }
}

/// A vector of bytes with the alignment of a flash file.
#[derive(Debug, Clone)]
pub struct Bytes {
    memory: Vec<u8>,
    len: usize,
}

impl Bytes {
    /// `len` zeros for `purpose`, which the error names.
    ///
    /// # Errors
    /// `Failed` where this machine does not have the memory.
    pub fn zeroed(len: usize, purpose: &str) -> Result<Self> {
        let mut memory = Vec::new();
        memory
            .try_reserve_exact(len.saturating_add(ALIGN))
            .map_err(|_| Error::failed(format!("{purpose} needs {} of memory", size(len as u64))))?;
        memory.resize(len + ALIGN, 0);
        Ok(Self { memory, len })
    }

    /// A copy of `bytes`.
    ///
    /// # Errors
    /// As [`zeroed`](Self::zeroed).
    pub fn copy_of(bytes: &[u8], purpose: &str) -> Result<Self> {
        let mut copy = Self::zeroed(bytes.len(), purpose)?;
        copy.copy_from_slice(bytes);
        Ok(copy)
    }

    fn start(&self) -> usize {
        self.memory.as_ptr().align_offset(ALIGN).min(ALIGN)
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory[self.start()..][..self.len]
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        let start = self.start();
        &mut self.memory[start..][..self.len]
    }
}

/// The bytes that are available without swapping, where the system reports them.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}

/// `403 KB`, `1.6 GB`: at most three digits, decimal units.
pub fn size(bytes: u64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} bytes"),
        _ if value < 9.95 => format!("{value:.1} {}", units[unit]),
        _ => format!("{value:.0} {}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Floats, size};

    #[test]
    fn aligned_and_zeroed() {
        for len in [0, 1, 100] {
            let floats = Floats::zeroed(len, "a test").unwrap();
            assert_eq!(floats.len(), len);
            assert_eq!(floats.as_ptr() as usize % 64, 0);
            assert!(floats.iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn bytes_stay_aligned_when_they_move() {
        let bytes = Bytes::copy_of(&[1, 2, 3], "a test").unwrap();
        for bytes in [bytes.clone(), bytes] {
            assert_eq!((&bytes[..], bytes.as_ptr() as usize % 16), (&[1, 2, 3][..], 0));
        }
    }

    #[test]
    fn more_than_there_is_names_the_numbers() {
        let error = Floats::zeroed(usize::MAX, "a giant").unwrap_err();
        assert!(error.message.starts_with("a giant needs 18446744 TB of memory"), "{error}");
    }

    #[test]
    fn sizes_have_three_figures_at_most() {
        assert_eq!(
            ["0 bytes", "999 bytes", "1.0 KB", "407 KB"],
            [0, 999, 1000, 407_080].map(size).each_ref().map(|s| &s[..])
        );
        assert_eq!(size(999_999), "1.0 MB");
    }
}
