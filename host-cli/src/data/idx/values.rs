//! Converts elements of IDX files that are not unsigned bytes: pixels by the scale that their values show, labels to classes.
//!
//! A scale is assumed, with a warning, only where the values allow a single one; other files are refused with their range.

use std::fmt::Display;

use super::header::Type;

/// Calls `f` with every element, in order.
fn for_each(kind: Type, bytes: &[u8], mut f: impl FnMut(f64)) {
    macro_rules! each {
        ($t:ty) => {
            for &element in bytes.as_chunks::<{ size_of::<$t>() }>().0 {
                f(f64::from(<$t>::from_be_bytes(element)));
            }
        };
    }
    match kind {
        Type::U8 => each!(u8),
        Type::I8 => each!(i8),
        Type::I16 => each!(i16),
        Type::I32 => each!(i32),
        Type::F32 => each!(f32),
        Type::F64 => each!(f64),
    }
}

/// How pixels become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From 0..=255: rounded.
    Byte,
    /// From 0..=1: times 255, rounded.
    Unit,
    /// From the 16 bits of 0..=65535, which signed types wrap: divided by 257, rounded.
    Wide,
}

/// A signed 16-bit number of at least this magnitude is a bright grey that was written unsigned: sums and differences of
/// bytes do not reach it.
const MIN_WRAPPED: f64 = 16_384.0;

/// The range of the pixels of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    min: f64,
    max: f64,
    /// Whether a pixel is at least [`MIN_WRAPPED`] away from 0.
    wrapped: bool,
    finite: bool,
}

impl Range {
    /// Of no pixel.
    pub const EMPTY: Self = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, wrapped: false, finite: true };

    /// Takes in a pixel.
    pub fn add(&mut self, x: f64) {
        self.finite &= x.is_finite();
        (self.min, self.max) = (self.min.min(x), self.max.max(x));
        self.wrapped |= x.abs() >= MIN_WRAPPED;
    }

    /// The only scale that fits pixels of this range and of a type other than unsigned bytes; `named` is the type in errors.
    ///
    /// # Errors
    /// One clause with the range, where no scale fits, or more than one.
    pub fn scale(self, kind: Type, named: &dyn Display) -> Result<Scale, String> {
        let Self { min, max, wrapped, finite } = self;
        let refuse = |why: &str| {
            Err(format!("{named} pixels of {min} to {max}: {why}; write them as unsigned bytes of 0 to 255"))
        };
        if !finite {
            return Err(format!(
                "{named} pixels that are not finite numbers; write them as unsigned bytes of 0 to 255"
            ));
        }
        match kind {
            Type::I16 if min < 0.0 && wrapped => Ok(Scale::Wide),
            _ if min < 0.0 => refuse("grey is 0 or more"),
            _ if max <= 1.0 => Ok(Scale::Unit),
            // A data set of greys of 0..=255 has bright ones; floats below 64 are more likely standardised.
            _ if kind.is_float() && max < 64.0 => refuse("neither 0 to 1 nor 0 to 255"),
            _ if max <= 255.0 => Ok(Scale::Byte),
            Type::I32 if (32_768.0..=65_535.0).contains(&max) => Ok(Scale::Wide),
            _ => refuse("none of the scales 0 to 1, 0 to 255 and 0 to 65535"),
        }
    }
}

impl Scale {
    /// The only scale that fits pixels of a type other than unsigned bytes.
    ///
    /// # Errors
    /// As [`Range::scale`].
    pub fn detect(kind: Type, bytes: &[u8]) -> Result<Self, String> {
        let mut range = Range::EMPTY;
        for_each(kind, bytes, |x| range.add(x));
        range.scale(kind, &kind)
    }

    /// A pixel as a byte.
    pub fn byte(self, x: f64) -> u8 {
        let byte = match self {
            Self::Byte => x,
            Self::Unit => 255.0 * x,
            Self::Wide if x < 0.0 => (x + 65_536.0) / 257.0,
            Self::Wide => x / 257.0,
        };
        byte.round() as u8
    }

    /// Pixels as bytes.
    pub fn apply(self, kind: Type, bytes: &[u8]) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(bytes.len() / kind.bytes());
        for_each(kind, bytes, |x| pixels.push(self.byte(x)));
        pixels
    }

    /// The conversion, as a warning words it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Byte => "read as 0 to 255 and rounded to bytes",
            Self::Unit => "read as 0 to 1 and multiplied by 255",
            Self::Wide => "read as 0 to 65535 and divided by 257",
        }
    }
}

/// Classes counted from 0, from every `stride`-th element; the label `first` is class 0.
///
/// # Errors
/// One clause with the first label that is no class: a float, below `first`, or more than 255 above it.
pub fn labels(kind: Type, bytes: Vec<u8>, stride: usize, first: usize) -> Result<Vec<u8>, String> {
    if kind == Type::U8 && stride == 1 && first == 0 {
        return Ok(bytes);
    }
    let (mut classes, mut invalid, mut n) =
        (Vec::with_capacity(bytes.len() / kind.bytes() / stride), None, 0);
    for_each(kind, &bytes, |x| {
        let class = x - first as f64;
        if n % stride == 0 {
            if !(0.0..=255.0).contains(&class) {
                invalid.get_or_insert((n / stride, x));
            }
            classes.push(class as u8);
        }
        n += 1;
    });
    match invalid {
        None => Ok(classes),
        Some((n, x)) if x < first as f64 && first > 0 => {
            Err(format!("label {n} is {x}, but --first-label says that labels start at {first}"))
        }
        Some((n, x)) if x < 0.0 => Err(format!("label {n} is {x}, but labels are 0 or more")),
        Some((n, x)) => Err(format!(
            "label {n} is {x}, but there are at most 256 classes, {first} to {}; where labels start higher, name the first \
             with --first-label",
            first + 255
        )),
    }
}

/// Whether every element is 0 or 1, as in one-hot labels.
pub fn is_binary(kind: Type, bytes: &[u8]) -> bool {
    let mut binary = true;
    for_each(kind, bytes, |x| binary &= x == 0.0 || x == 1.0);
    binary
}
