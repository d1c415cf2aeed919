//! A picture of one's own: a PNG of any kind, as grey pixels.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

use crate::data::idx::Images;
use crate::error::{Error, Result};

/// The most memory that a picture may inflate to, in bytes.
const MOST: usize = 64 << 20;

/// Whether a file says that it is a PNG.
pub fn is_png(file: &[u8]) -> bool {
    file.starts_with(b"\x89PNG")
}

/// A picture in grey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture, as a set of one image.
    pub images: Images,
    /// Whether what is seen is dark on a transparent ground, which was taken as white.
    pub dark_on_transparent: bool,
}

/// Pixels that are less opaque than this are ground.
const SEEN: u8 = 128;
/// What is seen is dark where nothing of it reaches this grey.
const DARK: u8 = 128;

/// The picture in a PNG file; colours by their luma (BT.601). A transparent ground is black, where light models see none;
/// but white where all that is seen is dark, since it would vanish.
///
/// # Errors
/// Exit code 3 where it cannot be decoded.
pub fn parse(name: &str, file: &[u8]) -> Result<Picture> {
    let bad = |e: png::DecodingError| Error::data(format!("{name}: not a readable PNG: {e}"));
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), Limits { bytes: MOST });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(bad)?;
    let size = reader.output_buffer_size().filter(|&s| s <= MOST);
    let size =
        size.ok_or_else(|| Error::data(format!("{name}: the picture inflates to more than {MOST} bytes")))?;
    let mut buffer = vec![0; size];
    let info = reader.next_frame(&mut buffer).map_err(bad)?;
    let channels = info.color_type.samples();
    // Grey and opacity of each pixel.
    let pixels = buffer[..info.buffer_size()].chunks_exact(channels).map(|p| match info.color_type {
        ColorType::Grayscale | ColorType::Indexed => (p[0], 255),
        ColorType::GrayscaleAlpha => (p[0], p[1]),
        ColorType::Rgb => (luma(p), 255),
        ColorType::Rgba => (luma(p), p[3]),
    });
    let brightest = pixels.clone().filter(|&(_, alpha)| alpha >= SEEN).map(|(grey, _)| grey).max();
    let dark_on_transparent =
        brightest.is_some_and(|grey| grey < DARK) && pixels.clone().any(|(_, alpha)| alpha < SEEN);
    let ground = if dark_on_transparent { 255 } else { 0 };
    let pixels = pixels.map(|(grey, alpha)| over(ground, grey, alpha)).collect();
    let images = Images { pixels, count: 1, rows: info.height as usize, cols: info.width as usize };
    Ok(Picture { images, dark_on_transparent })
}

fn luma(p: &[u8]) -> u8 {
    ((299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]) + 500) / 1000) as u8
}

fn over(ground: u8, grey: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(grey) * alpha + u32::from(ground) * (255 - alpha) + 127) / 255) as u8
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
    fn dark_ink_on_a_transparent_ground_is_seen() {
        let parse = |color, data: &[u8]| {
            let picture = parse("f", &encode(color, data)).unwrap();
            (picture.images.pixels, picture.dark_on_transparent)
        };
        assert_eq!(parse(ColorType::Rgba, &[0, 0, 0, 255, 0, 0, 0, 0]), (vec![0, 255], true));
        assert_eq!(parse(ColorType::GrayscaleAlpha, &[40, 204, 0, 0]), (vec![83, 255], true));
        // Light ink, and dark ink on a ground of its own, are as they were.
        assert_eq!(parse(ColorType::Rgba, &[255, 255, 255, 255, 0, 0, 0, 0]), (vec![255, 0], false));
        assert_eq!(parse(ColorType::Rgba, &[0, 0, 0, 255, 255, 255, 255, 255]), (vec![0, 255], false));
        assert_eq!(parse(ColorType::GrayscaleAlpha, &[0, 255, 9, 255]), (vec![0, 9], false));
        // Nothing is seen of what is wholly transparent.
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
