//! Reads a JPEG, baseline or progressive, and turns it upright as its EXIF orientation says.
//!
//! The decoder runs without SIMD, so that a file has the same pixels on every CPU. Other decoders round differently: their
//! pixels may differ by a few units. Colour profiles are ignored, as by most loaders of training data.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::raster::{Channels, Raster};
use super::{MAX_DECODED_BYTES, too_large};
use crate::error::{Error, Result};

/// Decodes a JPEG file.
///
/// # Errors
/// `Data` where it cannot be decoded; errors name the file `name`.
pub fn decode(name: &str, file: &[u8], channels: Channels) -> Result<Raster> {
    let bad =
        |why: String| Error::data(format!("{name}: not a readable JPEG: {why}; save it again, or remove it"));
    let failed = |e: zune_jpeg::errors::DecodeErrors| bad(e.to_string().replace(['\n', '"'], ""));
    // The decoder would fill with grey what is missing of a file that is cut short.
    if !is_whole(file) {
        return Err(bad("it is cut short".into()));
    }
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(failed)?;
    let size = decoder.dimensions().ok_or_else(|| bad("it has no size".into()))?;
    if decoder.output_buffer_size().is_none_or(|bytes| bytes > MAX_DECODED_BYTES) {
        return Err(too_large(name));
    }
    let orientation = decoder.exif().and_then(|exif| orientation(exif)).unwrap_or(1);
    let pixels = decoder.decode().map_err(failed)?;
    let rgba = pixels.as_chunks::<3>().0.iter().map(|&[r, g, b]| [r, g, b, 255]);
    Ok(Raster::from_rgba(size, channels, rgba).upright(orientation))
}

/// The second byte of the marker before the pixels.
const START_OF_SCAN: u8 = 0xda;
/// The marker at the end of a JPEG.
const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

/// Whether the pixels of a file are followed by the marker of its end. Segments before the pixels are skipped by their lengths,
/// because the preview in EXIF is a JPEG of its own; data of other programs may follow the end.
fn is_whole(file: &[u8]) -> bool {
    let mut at = 2;
    loop {
        match file.get(at..) {
            Some([0xff, START_OF_SCAN, pixels @ ..]) => {
                return pixels.windows(2).any(|marker| marker == END_OF_IMAGE);
            }
            // Markers without a length.
            Some([0xff, 0x01 | 0xd0..=0xd8, _, ..]) => at += 2,
            Some([0xff, marker, high, low, ..]) if *marker != 0xff => {
                at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
            }
            // Bytes of padding.
            Some([_, _, _, _, ..]) => at += 1,
            _ => return false,
        }
    }
}

/// The tag of the orientation in EXIF.
const ORIENTATION: u16 = 0x0112;
/// The type of its value: 16 bits.
const SHORT: u16 = 3;

/// The orientation that EXIF data give, 1 to 8: a TIFF header, then a count of entries of 12 bytes each.
fn orientation(exif: &[u8]) -> Option<u8> {
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let big = match exif.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let bytes = *exif.get(4..)?.first_chunk()?;
    let directory = if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) } as usize;
    let entries = directory.checked_add(2)?;
    (0..usize::from(u16_at(directory)?))
        .map(|n| entries.saturating_add(12 * n))
        .find(|&at| u16_at(at) == Some(ORIENTATION) && u16_at(at.saturating_add(2)) == Some(SHORT))
        .and_then(|at| u16_at(at.checked_add(8)?))
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| (1..=8).contains(value))
}
