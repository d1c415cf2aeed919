//! Raw values, as sensors give them, and the affine maps that turn them into inputs.

use super::header::Header;
use super::meaning::{ENTRY_BYTES, InputMap, InputType};
use super::view::ModelView;
use crate::error::Error;
use crate::naive::integer::{code_of_float, code_of_integer, largest_code, map_shift};

/// A raw value of one of the types that files take.
pub trait RawValue: sealed::Raw {}

impl<T: sealed::Raw> RawValue for T {}

pub(crate) mod sealed {
    use super::super::meaning::InputType;
    use super::super::view::ModelView;

    /// What the format needs of a raw value.
    pub trait Raw: Copy + core::fmt::Debug {
        /// Its type in a header.
        const TYPE: InputType;
        /// A value of 0, to fill memory with.
        const ZERO: Self;
        /// It as a float, exactly.
        fn to_f32(self) -> f32;
        /// It as a byte, which only a byte is.
        fn to_byte(self) -> u8;
        /// Values as bytes, which only bytes are: none of the other types.
        fn bytes(values: &[Self]) -> &[u8];
        /// Its code by the map `entry` of an integer type.
        fn code(self, entry: [u8; 8], bits: u32) -> u16;
        /// Writes the codes of values, the first of which is feature `first`: of 14 bits the two digits apart. Compiled with this crate
        /// and for each type once: firmware asks it to be small, and a program may ask several questions.
        fn write_codes(view: &ModelView<'_>, first: usize, values: &[Self], high: &mut [u8], low: &mut [u8]);
        /// Whether it is not a number.
        #[inline]
        fn is_nan(self) -> bool {
            false
        }
    }
}

use sealed::Raw;

/// The two words of an affine map, whatever their type.
#[inline]
pub(super) const fn words_of(entry: [u8; 8]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = entry;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

macro_rules! integer {
    ($type:ty, $of:ident, $byte:expr, $bytes:expr) => {
        impl Raw for $type {
            const TYPE: InputType = InputType::$of;
            const ZERO: Self = 0;
            #[inline]
            fn to_f32(self) -> f32 {
                f32::from(self)
            }
            #[inline]
            fn to_byte(self) -> u8 {
                $byte(self)
            }
            #[inline]
            fn bytes(values: &[Self]) -> &[u8] {
                $bytes(values)
            }
            #[inline]
            fn code(self, entry: [u8; 8], bits: u32) -> u16 {
                let (first, m) = words_of(entry);
                // The low half is a value of this type in 16 bits.
                let lo = i32::from(first as u16 as $type);
                code_of_integer(i32::from(self), lo, (first >> 16) as u16, m, bits)
            }
            #[inline(never)]
            fn write_codes(
                view: &ModelView<'_>,
                first: usize,
                values: &[Self],
                high: &mut [u8],
                low: &mut [u8],
            ) {
                write_codes(view, first, values, high, low);
            }
        }
    };
}
integer!(u8, U8, |byte| byte, |bytes| bytes);
integer!(i16, I16, |_| 0, |_| &[]);
integer!(u16, U16, |_| 0, |_| &[]);

impl Raw for f32 {
    const TYPE: InputType = InputType::F32;
    const ZERO: Self = 0.0;
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline]
    fn to_byte(self) -> u8 {
        0
    }
    #[inline]
    fn bytes(_: &[Self]) -> &[u8] {
        &[]
    }
    #[inline]
    fn code(self, entry: [u8; 8], bits: u32) -> u16 {
        let (offset, scale) = words_of(entry);
        code_of_float(self, f32::from_bits(offset), f32::from_bits(scale), bits)
    }
    #[inline(never)]
    fn write_codes(view: &ModelView<'_>, first: usize, values: &[Self], high: &mut [u8], low: &mut [u8]) {
        write_codes(view, first, values, high, low);
    }
    // On the bits, so that a core without floats need not compare any.
    #[inline]
    fn is_nan(self) -> bool {
        self.to_bits() << 1 > f32::INFINITY.to_bits() << 1
    }
}

#[inline(always)]
fn write_codes<T: Raw>(view: &ModelView<'_>, first: usize, values: &[T], high: &mut [u8], low: &mut [u8]) {
    let bits = view.header().input_bits();
    let (mut at, step) = if view.header().input_map() == InputMap::Affine { (0, 0) } else { (first, 1) };
    let entries = view.input.as_chunks().0;
    let mut low = low.iter_mut();
    for (x, high) in values.iter().zip(high) {
        let q = x.code(entries.get(at).copied().unwrap_or_default(), bits);
        at += step;
        *high = (q >> (bits - 7)) as u8;
        if let Some(low) = low.next() {
            *low = (q & 127) as u8;
        }
    }
}

/// The affine maps of all features, at hand for many values.
pub(crate) struct Maps<'a> {
    entries: &'a [[u8; ENTRY_BYTES]],
    /// 0 where one is for all features, else 1.
    step: usize,
    bits: u32,
}

impl Maps<'_> {
    /// As [`ModelView::code`].
    #[inline]
    pub fn code<T: RawValue>(&self, feature: usize, value: T) -> u16 {
        value.code(self.entries.get(self.step * feature).copied().unwrap_or_default(), self.bits)
    }
}

impl<'a> ModelView<'a> {
    /// The affine maps, to code many values.
    #[inline]
    pub(crate) fn maps(&self) -> Maps<'a> {
        let step = usize::from(self.header().input_map() != InputMap::Affine);
        Maps { entries: self.input.as_chunks().0, step, bits: self.header().input_bits() }
    }
}

impl ModelView<'_> {
    /// The affine map of a feature: its two words.
    #[inline]
    pub(crate) fn entry(&self, feature: usize) -> [u8; 8] {
        let at = if self.header().input_map() == InputMap::Affine { 0 } else { feature };
        self.input.as_chunks().0.get(at).copied().unwrap_or_default()
    }

    /// The code that the affine map of an integer file gives a raw value of a feature: 0..=127, or 0..=16383 in files of
    /// 14 bits.
    #[inline]
    pub fn code<T: RawValue>(&self, feature: usize, value: T) -> u16 {
        value.code(self.entry(feature), self.header().input_bits())
    }

    /// The first of some values that is not a number, as engines look for it. For whoever counts what the map costs.
    #[doc(hidden)]
    pub fn nan<T: RawValue>(values: &[T]) -> Option<usize> {
        values.iter().position(|x| x.is_nan())
    }

    /// Writes the codes of values as engines do, the first of them that of feature `first`: of 14 bits their high digits and, into the
    /// second slice, the low ones, which is empty otherwise. For whoever counts what the map costs.
    #[doc(hidden)]
    pub fn write_codes<T: RawValue>(&self, first: usize, values: &[T], high: &mut [u8], low: &mut [u8]) {
        T::write_codes(self, first, values, high, low);
    }

    /// What the affine map of a float file makes of a raw value of a feature: `(value - offset) * scale`.
    #[inline]
    pub fn mapped<T: RawValue>(&self, feature: usize, value: T) -> f32 {
        let (offset, scale) = self.float_map(feature);
        (value.to_f32() - offset) * scale
    }

    /// Offset and scale of a feature's map, where they are floats. In integer files a scale is twice the codes of a raw unit.
    pub fn float_map(&self, feature: usize) -> (f32, f32) {
        let (offset, scale) = words_of(self.entry(feature));
        (f32::from_bits(offset), f32::from_bits(scale))
    }

    /// The smallest raw value of a feature that has a code of its own, how many values follow, and the multiplier, where raw
    /// values are integers in an integer file.
    pub fn integer_map(&self, feature: usize) -> (i32, u16, u32) {
        let (first, m) = words_of(self.entry(feature));
        let lo = match self.header().input_type() {
            InputType::I16 => i32::from(first as u16 as i16),
            InputType::U8 => i32::from(first as u8),
            _ => i32::from(first as u16),
        };
        (lo, (first >> 16) as u16, m)
    }
}

/// Checks the parameters of an input map, whose first byte in the file is `at`.
pub(super) fn check(header: &Header<'_>, input: &[u8], at: usize) -> Result<(), Error> {
    let integer = header.dtype().is_integer();
    if !header.input_map().is_affine() {
        let max = if integer { 127 } else { u8::MAX };
        return match input.iter().position(|&x| x > max) {
            Some(found) => Err(Error::Field { at: at + found, value: u32::from(input[found]) }),
            None => Ok(()),
        };
    }
    for (n, &entry) in input.as_chunks().0.iter().enumerate() {
        let (first, second) = words_of(entry);
        let valid = if integer && header.input_type() != InputType::F32 {
            fits(header.input_type(), first, second, header.input_bits())
        } else {
            let (offset, scale) = (f32::from_bits(first), f32::from_bits(second));
            offset.is_finite() && scale.is_finite() && (scale >= 0.0 || !integer)
        };
        if !valid {
            return Err(Error::Field { at: at + ENTRY_BYTES * n, value: first });
        }
    }
    Ok(())
}

/// Whether no raw value gets a code beyond the largest.
fn fits(of: InputType, first: u32, m: u32, bits: u32) -> bool {
    let (span, shift) = (u64::from(first >> 16), map_shift(bits));
    let largest = span * u64::from(m) + (1 << (shift - 1));
    let byte = of != InputType::U8 || first as u16 <= 255 && span <= 255;
    byte && largest < (u64::from(largest_code(bits)) + 1) << shift && largest <= u64::from(u32::MAX)
}
