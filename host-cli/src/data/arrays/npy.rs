//! Reads one array of NumPy's: its header, and its elements. The format is that of NumPy's documentation, `numpy.lib.format`.
//!
//! Read are booleans, integers and floats of every width up to 64 bits in either byte order, and text. Pickled objects, which
//! can run code, are refused, as is everything else.

use std::io::Read;

use half::f16;

use super::npy_header::Header;
use super::{Array, Values, shape};

/// The maximum number of bytes that room is made for before they are read.
const MAX_RESERVED: u64 = 1 << 24;

/// The type of an element: NumPy's array protocol, such as `<f8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ElementType {
    big_endian: bool,
    /// `b`, `i`, `u`, `f`, `S` or `U`.
    letter: u8,
    /// The number of bytes, of characters for `U`; 1 or more.
    size: u64,
}

impl ElementType {
    /// Parses a type that is read here.
    fn parse(descr: &str) -> Option<Self> {
        let (&order, rest) = descr.as_bytes().split_first()?;
        let (&letter, digits) = rest.split_first()?;
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        let size = digits.parse().ok()?;
        let known = match (letter, size) {
            (b'b' | b'i' | b'u', 1) => b"<>|=".contains(&order),
            (b'i' | b'u', 2 | 4 | 8) | (b'f', 2 | 4 | 8) | (b'U', 1..) => b"<>".contains(&order),
            (b'S', 1..) => true,
            _ => false,
        };
        known.then_some(Self { big_endian: order == b'>', letter, size })
    }

    /// The number of bytes of an element, if it fits 64 bits.
    fn bytes(self) -> Option<u64> {
        if self.letter == b'U' { self.size.checked_mul(4) } else { Some(self.size) }
    }
}

/// Reads an array from a file whose length, once inflated, is said to be `length`.
///
/// # Errors
/// One clause: damaged, of objects, of a type that is no number or text, cut short, or longer than it says.
pub fn read(reader: &mut dyn Read, length: u64) -> Result<Array, String> {
    let header = Header::read(reader)?;
    if header.descr.contains('O') {
        return Err(
            "holds pickled Python objects, which can run code; save it again with allow_pickle=False \
                    (convert it with astype first)"
                .into(),
        );
    }
    let kind = ElementType::parse(&header.descr).ok_or_else(|| {
        format!("has elements of type {}; save them as numbers of up to 64 bits, or as text", header.descr)
    })?;
    let declared = || format!("its header declares the shape {} of {}", shape(&header.shape), header.descr);
    let count = header.shape.iter().try_fold(1_u64, |count, &d| count.checked_mul(d as u64));
    let bytes = count.and_then(|count| count.checked_mul(kind.bytes()?)).filter(|&bytes| bytes <= length);
    let bytes = bytes.ok_or_else(|| format!("cut short: {}, and it has {length} bytes", declared()))?;
    let mut data = Vec::with_capacity(bytes.min(MAX_RESERVED) as usize);
    reader.take(bytes).read_to_end(&mut data).map_err(|e| format!("damaged: {e}"))?;
    if data.len() as u64 != bytes {
        return Err(format!("cut short: {}, and {} of {bytes} bytes are there", declared(), data.len()));
    }
    // At its end an archive checks the sum of the bytes.
    if reader.read(&mut [0]).map_err(|e| format!("damaged: {e}"))? > 0 {
        return Err(format!("damaged: {}, and more bytes follow; save each array on its own", declared()));
    }
    let values = values(kind, data)?;
    let values = if header.fortran_order {
        match values {
            Values::U8(v) => Values::U8(row_major(&header.shape, v)),
            Values::F32(v) => Values::F32(row_major(&header.shape, v)),
            Values::I64(v) => Values::I64(row_major(&header.shape, v)),
            Values::Text(v) => Values::Text(row_major(&header.shape, v)),
        }
    } else {
        values
    };
    Ok(Array { name: String::new(), kind: header.descr, shape: header.shape, values })
}

/// The elements in the order of the file.
fn values(kind: ElementType, data: Vec<u8>) -> Result<Values, String> {
    let big = kind.big_endian;
    let too_large = |x: u64| i64::try_from(x).map_err(|_| format!("holds {x}, which is too large"));
    Ok(match (kind.letter, kind.size) {
        (b'b', _) => match data.iter().find(|&&b| b > 1) {
            Some(b) => return Err(format!("damaged: a boolean of {b}")),
            None => Values::U8(data),
        },
        (b'u', 1) => Values::U8(data),
        (b'i', 1) => Values::I64(elements(&data, big, |b| Ok(i8::from_le_bytes(b).into()))?),
        (b'i', 2) => Values::I64(elements(&data, big, |b| Ok(i16::from_le_bytes(b).into()))?),
        (b'i', 4) => Values::I64(elements(&data, big, |b| Ok(i32::from_le_bytes(b).into()))?),
        (b'i', _) => Values::I64(elements(&data, big, |b| Ok(i64::from_le_bytes(b)))?),
        (b'u', 2) => Values::I64(elements(&data, big, |b| Ok(u16::from_le_bytes(b).into()))?),
        (b'u', 4) => Values::I64(elements(&data, big, |b| Ok(u32::from_le_bytes(b).into()))?),
        (b'u', _) => Values::I64(elements(&data, big, |b| too_large(u64::from_le_bytes(b)))?),
        (b'f', 2) => Values::F32(elements(&data, big, |b| finite(f16::from_le_bytes(b).into()))?),
        (b'f', 4) => Values::F32(elements(&data, big, |b| finite(f32::from_le_bytes(b).into()))?),
        (b'f', _) => Values::F32(elements(&data, big, |b| finite(f64::from_le_bytes(b)))?),
        (b'U', size) => {
            let points = elements(&data, big, |b| {
                let point = u32::from_le_bytes(b);
                char::from_u32(point).ok_or_else(|| format!("damaged: {point:#x} is no character"))
            })?;
            let text = |chars: &[char]| chars.iter().collect::<String>().trim_end_matches('\0').to_string();
            Values::Text(points.chunks_exact(size as usize).map(text).collect())
        }
        (_, size) => {
            let text = |bytes: &[u8]| {
                let text = std::str::from_utf8(bytes).map_err(|_| "holds text that is not UTF-8")?;
                Ok::<_, String>(text.trim_end_matches('\0').to_string())
            };
            Values::Text(data.chunks_exact(size as usize).map(text).collect::<Result<_, _>>()?)
        }
    })
}

/// The elements of `N` bytes, which `convert` is given in little-endian order.
fn elements<const N: usize, T>(
    data: &[u8],
    big_endian: bool,
    convert: impl Fn([u8; N]) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let element = |&(mut bytes): &[u8; N]| {
        if big_endian {
            bytes.reverse();
        }
        convert(bytes)
    };
    data.as_chunks().0.iter().map(element).collect()
}

/// A float, NaN included, that is not infinite and does not become so in f32.
fn finite(x: f64) -> Result<f32, String> {
    let narrow = x as f32;
    match (x.is_infinite(), narrow.is_infinite()) {
        (true, _) => Err("holds infinite values; remove their rows, or replace them by numbers".into()),
        (false, true) => Err(format!("holds {x:e}, which is too large for a 32-bit float")),
        _ => Ok(narrow),
    }
}

/// The elements in row-major order of an array that is stored with its first dimension varying fastest.
fn row_major<T: Clone>(shape: &[usize], stored: Vec<T>) -> Vec<T> {
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, d| {
            let this = *stride;
            *stride *= d;
            Some(this)
        })
        .collect();
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    let mut result = Vec::with_capacity(stored.len());
    for _ in 0..stored.len() {
        result.push(stored[at].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    result
}
