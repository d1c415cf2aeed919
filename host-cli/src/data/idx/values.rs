//! Numbers of IDX files that are not unsigned bytes: pixels on the scale that their values show, labels where their values
//! are classes.
//!
//! A scale is taken only where the values leave one reading, and said; every other file is refused with its range.

use super::header::Type;

/// Calls `f` with every element, in order.
fn each(kind: Type, bytes: &[u8], mut f: impl FnMut(f64)) {
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

/// From here on a signed number of 16 bits is a bright grey that was written unsigned; sums and differences of bytes do not
/// reach it.
const MIDDLE: f64 = 16_384.0;

impl Scale {
    /// The one scale on which elements of a type, not unsigned bytes, are pixels.
    ///
    /// # Errors
    /// One clause with the range, where there is none, or more than one.
    pub fn of(kind: Type, bytes: &[u8]) -> Result<Self, String> {
        let (mut least, mut most, mut middle, mut finite) = (f64::INFINITY, f64::NEG_INFINITY, false, true);
        each(kind, bytes, |x| {
            finite &= x.is_finite();
            (least, most) = (least.min(x), most.max(x));
            middle |= x.abs() >= MIDDLE;
        });
        let refuse = |why: &str| {
            Err(format!(
                "{kind} pixels of {least} to {most}: {why}; write them as unsigned bytes of 0 to 255"
            ))
        };
        if !finite {
            return Err(format!(
                "{kind} pixels that are not finite numbers; write them as unsigned bytes of 0 to 255"
            ));
        }
        match kind {
            Type::I16 if least < 0.0 && middle => Ok(Self::Wide),
            _ if least < 0.0 => refuse("grey is 0 or more"),
            _ if most <= 1.0 => Ok(Self::Unit),
            // Greys of 0..=255 none of which is bright are hardly a data set; scaled ones with a large deviation are.
            _ if kind.is_float() && most < 64.0 => refuse("neither 0 to 1 nor 0 to 255"),
            _ if most <= 255.0 => Ok(Self::Byte),
            Type::I32 if (32_768.0..=65_535.0).contains(&most) => Ok(Self::Wide),
            _ => refuse("none of the scales 0 to 1, 0 to 255 and 0 to 65535"),
        }
    }

    /// Pixels as bytes.
    pub fn apply(self, kind: Type, bytes: &[u8]) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(bytes.len() / kind.bytes());
        each(kind, bytes, |x| {
            let byte = match self {
                Self::Byte => x,
                Self::Unit => 255.0 * x,
                Self::Wide if x < 0.0 => (x + 65_536.0) / 257.0,
                Self::Wide => x / 257.0,
            };
            pixels.push(byte.round() as u8);
        });
        pixels
    }

    /// What is done, for a warning.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Byte => "taken as 0 to 255 and rounded to bytes",
            Self::Unit => "taken as 0 to 1 and multiplied by 255",
            Self::Wide => "taken as 0 to 65535 and divided by 257",
        }
    }
}

/// Labels as classes counted from 0, of the elements at every `stride`; the label `first` is class 0.
///
/// # Errors
/// One clause with the first label that is no class: a float, below `first`, or more than 255 above it.
pub fn labels(kind: Type, bytes: Vec<u8>, stride: usize, first: usize) -> Result<Vec<u8>, String> {
    if kind == Type::U8 && stride == 1 && first == 0 {
        return Ok(bytes);
    }
    let (mut classes, mut wrong, mut n) = (Vec::with_capacity(bytes.len() / kind.bytes() / stride), None, 0);
    each(kind, &bytes, |x| {
        let class = x - first as f64;
        if n % stride == 0 {
            if !(0.0..=255.0).contains(&class) {
                wrong.get_or_insert((n / stride, x));
            }
            classes.push(class as u8);
        }
        n += 1;
    });
    match wrong {
        None => Ok(classes),
        Some((n, x)) if x < first as f64 && first > 0 => {
            Err(format!("label {n} is {x}, but --first-label says that labels start at {first}"))
        }
        Some((n, x)) if x < 0.0 => Err(format!("label {n} is {x}, and labels are 0 or more")),
        Some((n, x)) => Err(format!(
            "label {n} is {x}, and there are at most 256 classes, {first} to {}; where labels start higher, \
             --first-label says so",
            first + 255
        )),
    }
}

/// Whether every element is 0 or 1, as in one-hot labels.
pub fn is_binary(kind: Type, bytes: &[u8]) -> bool {
    let mut binary = true;
    each(kind, bytes, |x| binary &= x == 0.0 || x == 1.0);
    binary
}
