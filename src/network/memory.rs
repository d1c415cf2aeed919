//! Vectors whose first element is aligned.

use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use crate::error::Error;

/// Floats that start on a cache line, so that vector loads do not cross lines.
pub(super) type Floats = Aligned<f32, 64>;

/// Bytes at an address that a flash file may have.
pub(super) type FileBytes = Aligned<u8, { crate::format::ALIGN }>;

/// A vector of numbers that starts at a multiple of `ALIGN` bytes.
#[derive(Debug)]
pub(super) struct Aligned<T, const ALIGN: usize> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default, const ALIGN: usize> Aligned<T, ALIGN> {
    /// `len` zeros.
    pub(super) fn zeroed(len: usize) -> Result<Self, Error> {
        let spare = ALIGN / size_of::<T>() - 1;
        let whole = len.saturating_add(spare);
        let mut memory = Vec::new();
        memory
            .try_reserve_exact(whole)
            .map_err(|_| Error::OutOfMemory { bytes: whole.saturating_mul(size_of::<T>()) })?;
        memory.resize(whole, T::default());
        let start = memory.as_ptr().align_offset(ALIGN).min(spare);
        Ok(Self { memory, start, len })
    }

    /// A copy of `values`.
    pub(super) fn copy_of(values: &[T]) -> Result<Self, Error> {
        let mut copy = Self::zeroed(values.len())?;
        copy.copy_from_slice(values);
        Ok(copy)
    }
}

impl<T: Copy + Default, const ALIGN: usize> Clone for Aligned<T, ALIGN> {
    fn clone(&self) -> Self {
        Self::copy_of(self).expect("memory for a copy")
    }
}

impl<T, const ALIGN: usize> Deref for Aligned<T, ALIGN> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.memory[self.start..][..self.len]
    }
}

impl<T, const ALIGN: usize> DerefMut for Aligned<T, ALIGN> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..][..self.len]
    }
}
