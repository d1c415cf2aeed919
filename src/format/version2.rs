//! The header of version 2: a record for each layer, and a code for each decision.
//!
//! Codes are checked one by one, so that a newer file is refused with the name of the unsupported feature.

use super::codes::newer;
use super::fields::{byte, check_width, half, word};
use super::header::{HEADER_BYTES, Header, LayerList, RECORD_BYTES, SelfTest, VERSION};
use super::meaning::{InputMap, InputType, Task};
use super::{Dtype, Packing};
use crate::activation::Activation;
use crate::error::Error;
use crate::shape::MAX_LAYERS;

/// Where the CRC stands.
pub(super) const CRC_AT: usize = 12;
pub(super) const HAS_SELF_TEST: u8 = 1;
/// Bits of a hidden integer layer's multipliers.
pub(super) const MULTIPLIER_BITS: u8 = 16;
/// The same where 16 would make the layer's outputs too coarse.
pub(super) const WIDE_MULTIPLIER_BITS: u8 = 32;
/// The most bits by which an error of a reconstruction is shortened before it is squared.
pub(super) const MAX_SCORE_SHIFT: u8 = 24;
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
    let layers = LayerList {
        widths: records,
        stride: RECORD_BYTES as u8,
        count: count as u8,
        dtype,
        packing,
        first,
        patch_cols: 0,
        special: false,
    };
    let input_map = match check_input(bytes, dtype) {
        Ok(map) => map,
        Err(error) => return Err(error),
    };
    let header = Header {
        version: VERSION,
        layers,
        image: (0, 0),
        input_map,
        head: bytes.split_at(HEADER_BYTES).0,
        self_test: None,
        label_bytes: half(bytes, 30),
        bytes: size,
        crc: word(bytes, CRC_AT),
    };
    if let Err(error) = check_answer(&header) {
        return Err(error);
    }
    if let Err(error) = check_window(&header) {
        return Err(error);
    }
    let test = SelfTest { seed: word(bytes, 40), crc: word(bytes, 44) };
    header.checked((half(bytes, 20), half(bytes, 22)), byte(bytes, 7) & HAS_SELF_TEST != 0, test, 40)
}

/// Refuses a header whose reserved bytes are not 0.
const fn check_reserved(bytes: &[u8]) -> Result<(), Error> {
    let mut at = 7;
    while at < HEADER_BYTES {
        let (known, what) = match at {
            7 => (HAS_SELF_TEST, "an unknown flag"),
            18 | 24..=27 => (0, "images that are resized"),
            60..=63 => (0, "an unknown field"),
            _ => (u8::MAX, ""),
        };
        if byte(bytes, at) & !known != 0 {
            return Err(newer(at, byte(bytes, at), what));
        }
        at += 1;
    }
    Ok(())
}

/// The input map, once the type and the bits of the inputs are checked against it.
const fn check_input(bytes: &[u8], dtype: Dtype) -> Result<InputMap, Error> {
    let map = match InputMap::from_code(byte(bytes, 17), 17) {
        Ok(map) => map,
        Err(error) => return Err(error),
    };
    let (code, bits) = (byte(bytes, 16), byte(bytes, 19));
    match InputType::from_code(code, 16) {
        Ok(InputType::U8) => {}
        Ok(_) if map.is_affine() => {}
        Ok(_) => return Err(newer(16, code, "inputs other than bytes without an affine map")),
        Err(error) => return Err(error),
    }
    match bits {
        7 | 14 if map.is_affine() && dtype.is_integer() => Ok(map),
        0 if !(map.is_affine() && dtype.is_integer()) => Ok(map),
        _ => Err(newer(19, bits, "inputs of another number of bits")),
    }
}

/// Checks the task, and that the fields of other tasks are 0.
const fn check_answer(header: &Header<'_>) -> Result<(), Error> {
    let (bytes, integer) = (header.head, header.dtype().is_integer());
    let task = match Task::from_code(byte(bytes, 28), 28) {
        Ok(task) => task,
        Err(error) => return Err(error),
    };
    let scored = matches!(task, Task::Reconstruction);
    if scored && header.inputs() != header.outputs() {
        let (expected, actual) = (header.inputs(), header.outputs());
        return Err(Error::Length { what: "outputs of a reconstruction", expected, actual });
    }
    let (shift, unit) = (byte(bytes, 29), f32::from_bits(word(bytes, 52)));
    let squared = scored && integer;
    let at = match task {
        _ if squared && shift > MAX_SCORE_SHIFT || !squared && shift != 0 => 29,
        _ if squared && !(unit.is_finite() && unit > 0.0) || !squared && word(bytes, 52) != 0 => 52,
        Task::Class | Task::Values if word(bytes, 32) != 0 => 32,
        Task::Labels | Task::Reconstruction if nan(bytes, integer, 32) => 32,
        Task::Class if nan(bytes, integer, 36) => 36,
        Task::Labels | Task::Values if word(bytes, 36) != 0 => 36,
        Task::Reconstruction if !integer && word(bytes, 36) != 0 => 36,
        _ => return Ok(()),
    };
    let value = if at == 29 { shift as u32 } else { word(bytes, at) };
    Err(Error::Field { at, value })
}

/// Whether a number of a float type is none.
const fn nan(bytes: &[u8], integer: bool, at: usize) -> bool {
    !integer && f32::from_bits(word(bytes, at)).is_nan()
}

/// Checks that a window's rows divide the inputs.
const fn check_window(header: &Header<'_>) -> Result<(), Error> {
    let (rows, stride) = (half(header.head, 48), half(header.head, 50));
    let (rows_fit, value) =
        (rows != 0 && header.inputs().is_multiple_of(rows as usize), word(header.head, 48));
    if value == 0 || rows_fit && stride != 0 { Ok(()) } else { Err(Error::Field { at: 48, value }) }
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
        if let Err(error) = Activation::from_code(byte(bytes, at + 5), hidden, at + 5) {
            return Err(error);
        }
        match (hidden && dtype.is_integer(), byte(bytes, at + 6)) {
            (true, MULTIPLIER_BITS | WIDE_MULTIPLIER_BITS) | (false, 0) => {}
            (_, bits) => return Err(newer(at + 6, bits, "multipliers of another width")),
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
