//! A fixed-size arena over memory that the caller lends: a `static` on a microcontroller, a `Vec` on a desktop.
//!
//! Slices are taken from the front and are never given back; each starts on a cache line, so that vector loads of whole
//! rows do not cross lines. What a computation needs is a `const fn` beside it, built from [`padded`].

use crate::error::Error;

/// Floats in a cache line of 64 bytes.
pub const CACHE_LINE_FLOATS: usize = 16;

/// Floats that [`Arena::take`] uses up for a slice of `n`: whole cache lines.
///
/// Saturates at `usize::MAX` rounded down to whole lines, which no memory can satisfy.
pub const fn padded(n: usize) -> usize {
    match n.checked_next_multiple_of(CACHE_LINE_FLOATS) {
        Some(p) => p,
        None => usize::MAX - (CACHE_LINE_FLOATS - 1),
    }
}

/// Memory for an arena, aligned to a cache line.
///
/// ```
/// use selvedge::{Arena, Memory, Shape, Workspace};
/// const XOR: Shape = match Shape::new(&[2, 4, 2]) { Ok(shape) => shape, Err(_) => panic!() };
/// let mut memory = Memory::<{ Workspace::floats(XOR, 1) }>::new();
/// let workspace = Workspace::new(XOR, 1, &mut Arena::new(memory.floats()))?;
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Memory<const FLOATS: usize>([f32; FLOATS]);

impl<const FLOATS: usize> Memory<FLOATS> {
    /// Zeroed memory.
    pub const fn new() -> Self {
        Self([0.0; FLOATS])
    }

    /// The memory, to make an [`Arena`] of.
    pub const fn floats(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl<const FLOATS: usize> Default for Memory<FLOATS> {
    fn default() -> Self {
        Self::new()
    }
}

/// The free tail of caller-provided memory.
#[derive(Debug)]
pub struct Arena<'m> {
    free: &'m mut [f32],
}

impl<'m> Arena<'m> {
    /// An arena over `memory`, starting at its first cache line: memory that is not aligned to 64 bytes, such as a
    /// `Vec`'s, should have [`CACHE_LINE_FLOATS`]` - 1` floats to spare.
    pub fn new(memory: &'m mut [f32]) -> Self {
        let skip = memory.as_ptr().align_offset(CACHE_LINE_FLOATS * size_of::<f32>()).min(memory.len());
        Self { free: &mut memory[skip..] }
    }

    /// Floats left.
    pub fn available(&self) -> usize {
        self.free.len()
    }

    /// A slice of `n` floats with whatever the memory held, starting on a cache line.
    ///
    /// # Errors
    /// [`Error::ArenaTooSmall`] when fewer than [`padded`]`(n)` floats are left; nothing is taken then.
    pub fn take(&mut self, n: usize) -> Result<&'m mut [f32], Error> {
        let needed = padded(n);
        if needed > self.free.len() {
            return Err(Error::ArenaTooSmall { needed, available: self.free.len() });
        }
        let (taken, rest) = core::mem::take(&mut self.free).split_at_mut(needed);
        self.free = rest;
        Ok(&mut taken[..n])
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, CACHE_LINE_FLOATS, Memory, padded};
    use crate::error::Error;

    #[test]
    fn slices_are_disjoint_and_aligned() {
        let mut memory = Memory::<64>::new();
        let mut arena = Arena::new(memory.floats());
        let a = arena.take(1).unwrap();
        let b = arena.take(17).unwrap();
        assert_eq!((a.len(), b.len()), (1, 17));
        assert_eq!(a.as_ptr() as usize % 64, 0);
        assert_eq!(b.as_ptr() as usize - a.as_ptr() as usize, 64);
        assert_eq!(arena.available(), 16);
        assert_eq!(arena.take(17).unwrap_err(), Error::ArenaTooSmall { needed: 32, available: 16 });
        assert_eq!(arena.take(16).unwrap().len(), 16);
        assert_eq!(arena.take(0).unwrap().len(), 0);
    }

    #[test]
    fn unaligned_memory_is_skipped_to_a_line() {
        let mut memory = Memory::<64>::new();
        let mut arena = Arena::new(&mut memory.floats()[1..]);
        assert_eq!(arena.available(), 64 - CACHE_LINE_FLOATS);
        assert_eq!(arena.take(1).unwrap().as_ptr() as usize % 64, 0);
        assert_eq!(Arena::new(&mut []).available(), 0);
    }

    #[test]
    fn padding_never_overflows() {
        assert_eq!((padded(0), padded(1), padded(16), padded(17)), (0, 16, 16, 32));
        assert_eq!(padded(usize::MAX) % CACHE_LINE_FLOATS, 0);
    }
}
