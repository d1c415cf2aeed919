//! The header of version 1, which is still read: up to eight layers of one type, their widths in a list.

use super::fields::{byte, check_width, half, word};
use super::header::{HEADER_BYTES, Header, LayerList, SelfTest};
use super::meaning::InputMap;
use super::{Dtype, Packing};
use crate::error::Error;

const MAX_LAYERS: usize = 8;
const WIDTHS: usize = 8;
const HAS_TABLE: u16 = 1;
const HAS_SELF_TEST: u16 = 2;

/// Reads it; its length and magic are checked.
pub(super) const fn read(bytes: &[u8]) -> Result<Header<'_>, Error> {
    let dtype = match Dtype::from_code(byte(bytes, 5), 5) {
        Ok(dtype) => dtype,
        Err(error) => return Err(error),
    };
    let packing = match Packing::from_code(byte(bytes, 6), 6) {
        Ok(packing) => packing,
        Err(error) => return Err(error),
    };
    let count = byte(bytes, 7) as usize;
    if count == 0 || count > MAX_LAYERS {
        return Err(Error::Layers { layers: count, max: MAX_LAYERS });
    }
    let mut position = 0;
    while position <= MAX_LAYERS {
        let at = WIDTHS + 2 * position;
        let width = half(bytes, at);
        if position > count {
            if width != 0 {
                return Err(Error::Field { at, value: width as u32 });
            }
        } else if let Err(error) = check_width(width, position) {
            return Err(error);
        }
        position += 1;
    }
    let flags = half(bytes, 30);
    if flags & !(HAS_TABLE | HAS_SELF_TEST) != 0 {
        return Err(Error::Field { at: 30, value: flags as u32 });
    }
    let mut at = 42;
    while at < HEADER_BYTES {
        if (at < 44 || at >= 52) && byte(bytes, at) != 0 {
            return Err(Error::Field { at, value: byte(bytes, at) as u32 });
        }
        at += 1;
    }
    let widths = match bytes.split_at_checked(WIDTHS) {
        Some((_, rest)) => rest.split_at(2 * MAX_LAYERS + 2).0,
        None => &[],
    };
    let header = Header {
        version: 1,
        layers: LayerList {
            widths,
            stride: 2,
            count: count as u8,
            dtype,
            packing,
            first: half(widths, 0),
            patch_cols: 0,
            special: false,
        },
        image: (0, 0),
        input_map: if flags & HAS_TABLE != 0 { InputMap::Table } else { InputMap::Plain },
        head: &[],
        self_test: None,
        label_bytes: half(bytes, 40),
        bytes: HEADER_BYTES,
        crc: word(bytes, 36),
    };
    let test = SelfTest { seed: word(bytes, 44), crc: word(bytes, 48) };
    header.checked((half(bytes, 26), half(bytes, 28)), flags & HAS_SELF_TEST != 0, test, 44)
}
