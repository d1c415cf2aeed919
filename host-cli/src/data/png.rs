//! Reads a PNG of any kind as grey pixels.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

use crate::data::idx::Images;
use crate::error::{Error, Result};

pub use crate::files::kind::is_png;

/// The maximum size of a picture once it is decoded.
const MAX_DECODED_BYTES: usize = 64 << 20;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its grey pixels: one image.
    pub images: Images,
    /// Whether it is dark on a transparent background, which was read as white.
    pub dark_on_transparent: bool,
}

/// Pixels of a smaller alpha belong to the background.
const MIN_OPAQUE_ALPHA: u8 = 128;
/// A picture is dark where every opaque pixel is below this grey.
const DARK_BELOW: u8 = 128;

/// Decodes a PNG file; colours become their luma (BT.601). A transparent background becomes black, as in the data that
/// models are trained on, but white where every opaque pixel is dark, which would vanish on black.
///
/// # Errors
/// `Data` where it cannot be decoded.
pub fn parse(name: &str, file: &[u8]) -> Result<Picture> {
    let bad = |e: png::DecodingError| Error::data(format!("{name}: not a readable PNG: {e}"));
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), Limits { bytes: MAX_DECODED_BYTES });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(bad)?;
    let size = reader.output_buffer_size().filter(|&s| s <= MAX_DECODED_BYTES);
    let size = size.ok_or_else(|| {
        Error::data(format!("{name}: the picture inflates to more than {MAX_DECODED_BYTES} bytes"))
    })?;
    let mut buffer = vec![0; size];
    let info = reader.next_frame(&mut buffer).map_err(bad)?;
    let channels = info.color_type.samples();
    // The grey and the alpha of each pixel.
    let pixels = buffer[..info.buffer_size()].chunks_exact(channels).map(|p| match info.color_type {
        ColorType::Grayscale | ColorType::Indexed => (p[0], 255),
        ColorType::GrayscaleAlpha => (p[0], p[1]),
        ColorType::Rgb => (luma(p), 255),
        ColorType::Rgba => (luma(p), p[3]),
    });
    let brightest =
        pixels.clone().filter(|&(_, alpha)| alpha >= MIN_OPAQUE_ALPHA).map(|(grey, _)| grey).max();
    let dark_on_transparent = brightest.is_some_and(|grey| grey < DARK_BELOW)
        && pixels.clone().any(|(_, alpha)| alpha < MIN_OPAQUE_ALPHA);
    let background = if dark_on_transparent { 255 } else { 0 };
    let pixels = pixels.map(|(grey, alpha)| blend(background, grey, alpha)).collect();
    let images = Images { pixels, count: 1, rows: info.height as usize, cols: info.width as usize };
    Ok(Picture { images, dark_on_transparent })
}

fn luma(p: &[u8]) -> u8 {
    ((299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]) + 500) / 1000) as u8
}

fn blend(background: u8, grey: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(grey) * alpha + u32::from(background) * (255 - alpha) + 127) / 255) as u8
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
