//! The header of version 2: a record for each layer, and a code for each decision.
//!
//! Codes are checked one by one, so that a newer file is refused with the name of the unsupported feature.

use super::codes::{InputMap, Task, newer};
use super::fields::{byte, check_width, half, word};
use super::header::{HEADER_BYTES, Header, LayerList, MAX_LAYERS, RECORD_BYTES, SelfTest, VERSION};
use super::{Dtype, Packing};
use crate::activation::Activation;
use crate::error::Error;

/// Where the CRC stands.
pub(super) const CRC_AT: usize = 12;
pub(super) const HAS_SELF_TEST: u8 = 1;
/// Bits of a hidden integer layer's multipliers.
pub(super) const MULTIPLIER_BITS: u8 = 16;
/// Bits of a bias.
pub(super) const BIAS_BITS: u8 = 32;

/// Reads it, without a look at the length of the file; magic and version are checked.
pub(super) const fn read(bytes: &[u8]) -> Result<Header<'_>, Error> {
    let count = byte(bytes, 6) as usize;
    if count == 0 || count > MAX_LAYERS {
        return Err(Error::Layers { layers: count, max: MAX_LAYERS });
    }
    let size = HEADER_BYTES + count * RECORD_BYTES;
    let records = match bytes.split_at_checked(HEADER_BYTES) {
        Some((_, rest)) => match rest.split_at_checked(count * RECORD_BYTES) {
            Some((records, _)) => records,
            None => return Err(Error::Truncated { expected: size, actual: bytes.len() }),
        },
        None => return Err(Error::Truncated { expected: size, actual: bytes.len() }),
    };
    if let Err(error) = check_reserved(bytes) {
        return Err(error);
    }
    let packing = match Packing::from_code(byte(bytes, 5), 5) {
        Ok(packing) => packing,
        Err(error) => return Err(error),
    };
    let dtype = match check_records(bytes, count) {
        Ok(dtype) => dtype,
        Err(error) => return Err(error),
    };
    let first = half(records, 0);
    let layers =
        LayerList { widths: records, stride: RECORD_BYTES, count, dtype, packing, first, patch_cols: 0 };
    let input_map = match InputMap::from_code(byte(bytes, 17), 17) {
        Ok(map) => map,
        Err(error) => return Err(error),
    };
    let task = match Task::from_code(byte(bytes, 28), 28) {
        Ok(task) => task,
        Err(error) => return Err(error),
    };
    let header = Header {
        version: VERSION,
        layers,
        image: (0, 0),
        input_map,
        task,
        self_test: None,
        label_bytes: half(bytes, 30),
        bytes: size,
        crc: word(bytes, CRC_AT),
    };
    let test = SelfTest { seed: word(bytes, 40), crc: word(bytes, 44) };
    header.checked((half(bytes, 20), half(bytes, 22)), byte(bytes, 7) & HAS_SELF_TEST != 0, test, 40)
}

/// Refuses a header whose reserved bytes are not 0.
const fn check_reserved(bytes: &[u8]) -> Result<(), Error> {
    let mut at = 7;
    while at < HEADER_BYTES {
        let (known, what) = match at {
            7 => (HAS_SELF_TEST, "an unknown flag"),
            16 => (0, "inputs other than bytes"),
            18 | 24..=27 => (0, "images that are resized"),
            32..=35 => (0, "a threshold for the outputs"),
            36..=39 => (0, "a margin between the outputs"),
            19 | 29 | 48..=63 => (0, "an unknown field"),
            _ => (u8::MAX, ""),
        };
        if byte(bytes, at) & !known != 0 {
            return Err(newer(at, byte(bytes, at), what));
        }
        at += 1;
    }
    Ok(())
}

/// The type of the weights of all layers, once their records are checked.
const fn check_records(bytes: &[u8], count: usize) -> Result<Dtype, Error> {
    let dtype = match Dtype::from_code(byte(bytes, HEADER_BYTES + 4), HEADER_BYTES + 4) {
        Ok(dtype) => dtype,
        Err(error) => return Err(error),
    };
    let mut l = 0;
    while l < count {
        let at = HEADER_BYTES + l * RECORD_BYTES;
        let hidden = l + 1 < count;
        if let Err(error) = check_width(half(bytes, at), l) {
            return Err(error);
        }
        if let Err(error) = check_width(half(bytes, at + 2), l + 1) {
            return Err(error);
        }
        if l > 0 && half(bytes, at) != half(bytes, at + 2 - RECORD_BYTES) {
            let (expected, actual) = (half(bytes, at + 2 - RECORD_BYTES) as usize, half(bytes, at) as usize);
            return Err(Error::Length { what: "inputs of a layer", expected, actual });
        }
        match Dtype::from_code(byte(bytes, at + 4), at + 4) {
            Ok(other) if other as u8 != dtype as u8 => {
                return Err(newer(at + 4, other as u8, "layers of different types"));
            }
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let activation = if hidden { Activation::Relu } else { Activation::Identity };
        if let Err(error) = activation.check(byte(bytes, at + 5), at + 5) {
            return Err(error);
        }
        let multiplier = if hidden && dtype.is_integer() { MULTIPLIER_BITS } else { 0 };
        if byte(bytes, at + 6) != multiplier {
            return Err(newer(at + 6, byte(bytes, at + 6), "multipliers of another width"));
        }
        if byte(bytes, at + 7) != BIAS_BITS {
            return Err(newer(at + 7, byte(bytes, at + 7), "biases of another width"));
        }
        let mut field = at + 8;
        while field < at + RECORD_BYTES {
            if byte(bytes, field) != 0 {
                let what =
                    if field == at + 8 { "layers that are not dense" } else { "an unknown field of a layer" };
                return Err(newer(field, byte(bytes, field), what));
            }
            field += 1;
        }
        l += 1;
    }
    Ok(dtype)
}
