//! Reads a PNG of any kind: palettes and 16 bits become 8 bits, as the picture's [`Raster`] takes them.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

use crate::data::idx::Images;
use crate::data::pictures::{Channels, MAX_DECODED_BYTES, Raster, too_large};
use crate::error::{Error, Result};

pub use crate::files::kind::is_png;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its grey pixels: one image.
    pub images: Images,
    /// Whether it is dark on a transparent background, which was read as white.
    pub dark_on_transparent: bool,
}

/// Decodes a PNG file as grey pixels.
///
/// # Errors
/// `Data` where it cannot be decoded.
pub fn parse(name: &str, file: &[u8]) -> Result<Picture> {
    let raster = decode(name, file, Channels::Grey)?;
    Ok(Picture { dark_on_transparent: raster.dark_on_transparent, images: raster.into_images() })
}

/// Decodes a PNG file; errors name it `name`.
///
/// # Errors
/// `Data` where it cannot be decoded.
pub fn decode(name: &str, file: &[u8], channels: Channels) -> Result<Raster> {
    let bad = |e: png::DecodingError| Error::data(format!("{name}: not a readable PNG: {e}"));
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), Limits { bytes: MAX_DECODED_BYTES });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(bad)?;
    let size = reader.output_buffer_size().filter(|&s| s <= MAX_DECODED_BYTES);
    let mut buffer = vec![0; size.ok_or_else(|| too_large(name))?];
    let info = reader.next_frame(&mut buffer).map_err(bad)?;
    let rgba =
        buffer[..info.buffer_size()].chunks_exact(info.color_type.samples()).map(|p| match info.color_type {
            ColorType::Grayscale | ColorType::Indexed => [p[0], p[0], p[0], 255],
            ColorType::GrayscaleAlpha => [p[0], p[0], p[0], p[1]],
            ColorType::Rgb => [p[0], p[1], p[2], 255],
            ColorType::Rgba => [p[0], p[1], p[2], p[3]],
        });
    Ok(Raster::from_rgba((info.width as usize, info.height as usize), channels, rgba))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use png::{BitDepth, ColorType, Encoder};

    fn encode(color: ColorType, data: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 2, 1);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        file
    }

    #[test]
    fn every_colour_becomes_grey() {
        let grey = |color, data: &[u8]| parse("f", &encode(color, data)).unwrap().images.pixels;
        assert_eq!(grey(ColorType::Grayscale, &[7, 255]), [7, 255]);
        assert_eq!(grey(ColorType::GrayscaleAlpha, &[200, 255, 200, 0]), [200, 0]);
        assert_eq!(grey(ColorType::Rgb, &[255, 255, 255, 255, 0, 0]), [255, 76]);
        assert_eq!(grey(ColorType::Rgba, &[255, 255, 255, 128, 0, 0, 255, 255]), [128, 29]);
    }

    #[test]
    fn dark_ink_on_a_transparent_background_stays_visible() {
        let parse = |color, data: &[u8]| {
            let picture = parse("f", &encode(color, data)).unwrap();
            (picture.images.pixels, picture.dark_on_transparent)
        };
        assert_eq!(parse(ColorType::Rgba, &[0, 0, 0, 255, 0, 0, 0, 0]), (vec![0, 255], true));
        assert_eq!(parse(ColorType::GrayscaleAlpha, &[40, 204, 0, 0]), (vec![83, 255], true));
        // Light ink, and dark ink on an opaque background, are unchanged.
        assert_eq!(parse(ColorType::Rgba, &[255, 255, 255, 255, 0, 0, 0, 0]), (vec![255, 0], false));
        assert_eq!(parse(ColorType::Rgba, &[0, 0, 0, 255, 255, 255, 255, 255]), (vec![0, 255], false));
        assert_eq!(parse(ColorType::GrayscaleAlpha, &[0, 255, 9, 255]), (vec![0, 9], false));
        // A fully transparent picture is black.
        assert_eq!(parse(ColorType::GrayscaleAlpha, &[0, 0, 200, 0]), (vec![0, 0], false));
    }

    #[test]
    fn damage_is_one_clear_line() {
        let file = encode(ColorType::Grayscale, &[1, 2]);
        for n in 4..file.len() - 12 {
            let error = parse("f", &file[..n]).unwrap_err();
            assert!(error.message.starts_with("f: not a readable PNG: "), "{n}: {error}");
        }
    }
}
