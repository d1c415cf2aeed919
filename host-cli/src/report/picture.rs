//! Pixels and weights as embedded PNG images.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Encoder};

use super::escape;
use crate::data::Images;
use crate::error::{Error, Result};

/// An image element of image `n`, grey or RGB.
pub(super) fn image(images: &Images, n: usize, alt: &str) -> Result<String> {
    let colour = if images.channels == 3 { ColorType::Rgb } else { ColorType::Grayscale };
    element(images.image(n).unwrap_or_default(), images.cols, images.rows, colour, alt)
}

/// Images of weights, `across` in a row: blue for negative, white for 0, orange for positive weights, each image relative to
/// its largest magnitude.
pub(super) fn weights(units: &[Vec<f32>], cols: usize, across: usize, alt: &str) -> Result<String> {
    let rows = units[0].len() / cols;
    let down = units.len().div_ceil(across);
    let (width, height) = (across * (cols + 1), down * (rows + 1));
    let mut pixels = vec![255u8; 3 * width * height];
    for (n, unit) in units.iter().enumerate() {
        let largest = unit.iter().fold(1e-12f32, |m, w| m.max(w.abs()));
        let (top, left) = (n / across * (rows + 1), n % across * (cols + 1));
        for (p, w) in unit.iter().enumerate() {
            let at = 3 * ((top + p / cols) * width + left + p % cols);
            let full: [f32; 3] = if *w < 0.0 { [0.0, 114.0, 178.0] } else { [213.0, 94.0, 0.0] };
            for (channel, colour) in pixels[at..at + 3].iter_mut().zip(full) {
                *channel = (255.0 + (colour - 255.0) * (w.abs() / largest)) as u8;
            }
        }
    }
    element(&pixels, width, height, ColorType::Rgb, alt)
}

fn element(pixels: &[u8], cols: usize, rows: usize, colour: ColorType, alt: &str) -> Result<String> {
    let failed = |e: png::EncodingError| Error::failed(format!("cannot encode an image: {e}"));
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, cols as u32, rows as u32);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    let data = STANDARD.encode(&file);
    Ok(format!(
        "<img alt=\"{}\" width=\"{cols}\" height=\"{rows}\" src=\"data:image/png;base64,{data}\">",
        escape(alt)
    ))
}
