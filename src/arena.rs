//! A fixed-size arena over caller-provided memory: a `static` on a microcontroller, a `Vec` on a desktop.
//!
//! Slices are taken from the front and are never given back. Each takes up whole cache lines, so where the memory starts on
//! a cache line, every slice does, and vector loads of whole rows do not cross lines. That is a matter of speed only: the
//! memory may start anywhere. The size that a computation needs is a `const fn` beside it, built from [`padded`].

use crate::error::Error;

/// Floats in a cache line of 64 bytes.
pub const CACHE_LINE_FLOATS: usize = 16;

/// The floats that [`Arena::take`] uses for a slice of `n`: whole cache lines.
///
/// Saturates at `usize::MAX` rounded down to whole lines, more than any memory has.
#[must_use]
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
    #[must_use]
    pub const fn new() -> Self {
        Self([0.0; FLOATS])
    }

    /// The memory, for an [`Arena`].
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
    /// An arena over all of `memory`, wherever it starts. [`Memory`] starts on a cache line, which is fastest; a `Vec` of
    /// as many floats works too:
    ///
    /// ```
    /// use selvedge::{Arena, Shape, Workspace};
    /// let shape = Shape::new(&[784, 128, 10])?;
    /// let mut memory = vec![0.0; Workspace::floats(shape, 64)];
    /// let workspace = Workspace::new(shape, 64, &mut Arena::new(&mut memory))?;
    /// # Ok::<(), selvedge::Error>(())
    /// ```
    #[must_use]
    pub const fn new(memory: &'m mut [f32]) -> Self {
        Self { free: memory }
    }

    /// An arena that starts on the first cache line of `memory`, which is fastest on a desktop. A `Vec` must be up to
    /// [`CACHE_LINE_FLOATS`]` - 1` floats longer than the slices taken.
    pub fn aligned(memory: &'m mut [f32]) -> Self {
        let skip = memory.as_ptr().align_offset(CACHE_LINE_FLOATS * size_of::<f32>()).min(memory.len());
        Self { free: &mut memory[skip..] }
    }

    /// Floats left.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.len()
    }

    /// A slice of `n` floats, which hold what the memory held.
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
    fn all_of_the_memory_is_used_wherever_it_starts() {
        let mut memory = Memory::<64>::new();
        for start in 0..=CACHE_LINE_FLOATS {
            let memory = &mut memory.floats()[start..][..2 * CACHE_LINE_FLOATS];
            let from = memory.as_ptr();
            let mut arena = Arena::new(memory);
            assert_eq!(arena.take(1).unwrap().as_ptr(), from);
            assert_eq!(arena.take(CACHE_LINE_FLOATS).unwrap().len(), CACHE_LINE_FLOATS);
            assert_eq!(arena.available(), 0);
        }
        let mut aligned = Arena::aligned(&mut memory.floats()[1..]);
        assert_eq!(aligned.available(), 64 - CACHE_LINE_FLOATS);
        assert_eq!(aligned.take(1).unwrap().as_ptr() as usize % 64, 0);
        assert_eq!(Arena::new(&mut []).available() + Arena::aligned(&mut []).available(), 0);
    }

    #[test]
    fn padding_never_overflows() {
        assert_eq!((padded(0), padded(1), padded(16), padded(17)), (0, 16, 16, 32));
        assert_eq!(padded(usize::MAX) % CACHE_LINE_FLOATS, 0);
    }
}
