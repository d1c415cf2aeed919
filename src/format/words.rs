//! Bytes of a file seen as little-endian words where they lie.
//!
//! The only unsafe code of the format: a cast whose alignment, length and element type are checked. Words keep the
//! file's byte order; readers turn them with `from_le`, which costs nothing where it matters.
#![allow(unsafe_code)]

/// Plain integers: every bit pattern is a value.
pub(crate) trait Word: Copy + sealed::Sealed {}
impl Word for i32 {}
impl Word for u32 {}
impl Word for u16 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for i32 {}
    impl Sealed for u32 {}
    impl Sealed for u16 {}
}

/// The whole of `bytes` as words, or nothing where they are not aligned or not a whole number of them. Written out, since an
/// inference asks for every section: `align_to` takes three times as many instructions.
#[inline]
pub(crate) fn words<T: Word>(bytes: &[u8]) -> Option<&[T]> {
    let whole = bytes.len().is_multiple_of(size_of::<T>());
    let aligned = (bytes.as_ptr() as usize).is_multiple_of(align_of::<T>());
    // SAFETY: `Word` is sealed to integers, for which any bytes are valid; the words are those of the same memory, aligned.
    (whole && aligned)
        .then(|| unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) })
}

/// Words as signed ones.
pub(crate) const fn signed(words: &[u32]) -> &[i32] {
    // SAFETY: the same memory, size and alignment; any bytes are valid.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
}

/// The same, to write.
pub(crate) fn signed_mut(words: &mut [u32]) -> &mut [i32] {
    // SAFETY: the same memory, size and alignment; any bytes are valid.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len()) }
}

/// Words as the halves that they consist of, in the order of the memory.
pub(crate) const fn halves(words: &[u32]) -> &[u16] {
    // SAFETY: halves need less alignment, any bytes are valid, and the length is that of the same memory.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), 2 * words.len()) }
}

/// The same, to write.
pub(crate) fn words_mut<T: Word>(bytes: &mut [u8]) -> Option<&mut [T]> {
    // SAFETY: `Word` is sealed to integers, for which any bytes are valid; `align_to_mut` checks alignment and length.
    let (before, words, after) = unsafe { bytes.align_to_mut::<T>() };
    (before.is_empty() && after.is_empty()).then_some(words)
}

/// Words as the bytes that they consist of.
pub(crate) const fn bytes(words: &[u32]) -> &[u8] {
    // SAFETY: bytes need no alignment, and the length is that of the same memory.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

/// The same, to write.
pub(crate) fn bytes_mut(words: &mut [u32]) -> &mut [u8] {
    // SAFETY: bytes need no alignment, any bytes are valid words, and the length is that of the same memory.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[repr(align(4))]
    struct Aligned([u8; 12]);

    #[test]
    fn aligned_whole_words_only() {
        let bytes = Aligned(core::array::from_fn(|i| i as u8));
        assert_eq!(words::<u32>(&bytes.0).unwrap().map_le(), [0x0302_0100, 0x0706_0504, 0x0b0a_0908]);
        assert!(words::<u32>(&bytes.0[1..]).is_none());
        assert!(words::<u32>(&bytes.0[..7]).is_none());
        assert_eq!(words::<u16>(&bytes.0[2..6]).unwrap().len(), 2);
    }

    trait MapLe {
        fn map_le(&self) -> [u32; 3];
    }
    impl MapLe for [u32] {
        fn map_le(&self) -> [u32; 3] {
            core::array::from_fn(|i| u32::from_le(self[i]))
        }
    }
}
