//! The pixels of one picture between its file and the samples: colours and alpha to grey or RGB, upright, resized.
//!
//! All arithmetic is in integers, so that a picture has the same bytes on every machine.

use std::borrow::Cow;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::data::samples::Images;

/// What is kept of the colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// One byte a pixel: the luma.
    Grey,
    /// Three bytes a pixel: red, green, blue.
    Rgb,
}

impl Channels {
    /// The number of bytes of a pixel.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// Pixels of a smaller alpha belong to the background.
const MIN_OPAQUE_ALPHA: u8 = 128;
/// A picture is dark where every opaque pixel is below this grey.
const DARK_BELOW: u8 = 128;

/// The pixels of one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// The columns.
    pub width: usize,
    /// The rows.
    pub height: usize,
    /// What a pixel consists of.
    pub channels: Channels,
    /// `(height, width, channels)`.
    pub pixels: Vec<u8>,
    /// Whether a pixel of the file is not grey.
    pub in_colour: bool,
    /// Whether it is dark on a transparent background, which was read as white.
    pub dark_on_transparent: bool,
}

impl Raster {
    /// A picture from the red, green, blue and alpha of each pixel. Grey is the luma of BT.601, as `luma` computes it. A
    /// transparent background becomes black, as in the data that models are trained on, but white where every opaque pixel is
    /// dark, which would vanish on black.
    pub fn from_rgba(
        (width, height): (usize, usize),
        channels: Channels,
        rgba: impl Iterator<Item = [u8; 4]> + Clone,
    ) -> Self {
        let opaque = |alpha: u8| alpha >= MIN_OPAQUE_ALPHA;
        let brightest = rgba.clone().filter(|p| opaque(p[3])).map(|[r, g, b, _]| luma([r, g, b])).max();
        let dark_on_transparent =
            brightest.is_some_and(|grey| grey < DARK_BELOW) && rgba.clone().any(|p| !opaque(p[3]));
        let background = if dark_on_transparent { 255 } else { 0 };
        let mut pixels = Vec::with_capacity(width * height * channels.count());
        for [r, g, b, alpha] in rgba.clone() {
            match channels {
                Channels::Grey => pixels.push(blend(background, luma([r, g, b]), alpha)),
                Channels::Rgb => pixels.extend([r, g, b].map(|c| blend(background, c, alpha))),
            }
        }
        let in_colour = rgba.clone().any(|[r, g, b, alpha]| alpha > 0 && (r != g || g != b));
        Self { width, height, channels, pixels, in_colour, dark_on_transparent }
    }

    /// Turns a picture upright that a camera stored in one of the eight orientations of EXIF: 1 is upright, 6 has to be turned
    /// by 90 degrees clockwise.
    #[must_use]
    pub fn upright(self, orientation: u8) -> Self {
        let (w, h, channels) = (self.width, self.height, self.channels.count());
        if !(2..=8).contains(&orientation) {
            return self;
        }
        let (width, height) = if orientation >= 5 { (h, w) } else { (w, h) };
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            for x in 0..width {
                let (row, col) = match orientation {
                    2 => (y, w - 1 - x),
                    3 => (h - 1 - y, w - 1 - x),
                    4 => (h - 1 - y, x),
                    5 => (x, y),
                    6 => (h - 1 - x, y),
                    7 => (h - 1 - x, w - 1 - y),
                    _ => (x, w - 1 - y),
                };
                pixels.extend(&self.pixels[(row * w + col) * channels..][..channels]);
            }
        }
        Self { width, height, pixels, ..self }
    }

    /// Resizes by area averaging: a pixel becomes the mean of the area that it covers in the picture, each pixel there weighted
    /// by the part of it that is covered, rounded to nearest.
    ///
    /// Lengths are counted in units in which both grids are whole: one pixel of the picture is `width` units wide, one of the
    /// result `self.width`.
    #[must_use]
    pub fn resized(self, (width, height): (usize, usize)) -> Self {
        if (width, height) == (self.width, self.height) {
            return self;
        }
        let channels = self.channels.count();
        let area = self.width as u64 * self.height as u64;
        let mut pixels = Vec::with_capacity(width * height * channels);
        // The sums of one row of the picture over the columns of the result, and which row that is.
        let (mut sums, mut summed) = (vec![0_u64; width * channels], None);
        let mut totals = vec![0_u64; width * channels];
        for y in 0..height {
            totals.fill(0);
            for (row, rows) in covered(y, self.height, height) {
                if summed.replace(row) != Some(row) {
                    let from = &self.pixels[row * self.width * channels..][..self.width * channels];
                    sum_row(from, self.width, width, channels, &mut sums);
                }
                totals.iter_mut().zip(&sums).for_each(|(total, sum)| *total += rows * sum);
            }
            pixels.extend(totals.iter().map(|total| ((total + area / 2) / area) as u8));
        }
        Self { width, height, pixels, ..self }
    }

    /// The picture as a sample.
    pub fn into_images(self) -> Images {
        let channels = self.channels.count();
        Images { pixels: self.pixels, count: 1, rows: self.height, cols: self.width, channels }
    }
}

/// For each column of a result of `to` columns, the sum of a row of `from` columns over what it covers.
fn sum_row(row: &[u8], from: usize, to: usize, channels: usize, sums: &mut [u64]) {
    for (x, sums) in sums.chunks_exact_mut(channels).enumerate() {
        sums.fill(0);
        for (col, units) in covered(x, from, to) {
            let pixel = &row[col * channels..][..channels];
            sums.iter_mut().zip(pixel).for_each(|(sum, &p)| *sum += units * u64::from(p));
        }
    }
}

/// The pixels that pixel `n` of `to` covers of `from`, each with the length that is covered; together `from` units.
fn covered(n: usize, from: usize, to: usize) -> impl Iterator<Item = (usize, u64)> {
    let (from, to, n) = (from as u64, to as u64, n as u64);
    let (start, end) = (n * from, (n + 1) * from);
    (start / to..end.div_ceil(to)).map(move |pixel| {
        let units = end.min((pixel + 1) * to) - start.max(pixel * to);
        (pixel as usize, units)
    })
}

/// The pixels of an image as grey, for drawing: those of RGB as their luma.
pub fn grey(pixels: &[u8], channels: usize) -> Cow<'_, [u8]> {
    match channels {
        3 => pixels.as_chunks().0.iter().map(|&rgb| luma(rgb)).collect(),
        _ => Cow::Borrowed(pixels),
    }
}

/// The luma of BT.601 in 16 fractional bits, rounded: to the bit what Pillow's `convert("L")` computes.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 0x8000) >> 16) as u8
}

fn blend(background: u8, colour: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(colour) * alpha + u32::from(background) * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::{Channels, Raster};

    fn grey(width: usize, height: usize, pixels: &[u8]) -> Raster {
        assert_eq!(pixels.len(), width * height);
        Raster::from_rgba((width, height), Channels::Grey, pixels.iter().map(|&p| [p, p, p, 255]))
    }

    #[test]
    fn every_orientation_comes_upright() {
        // How a camera stores `abc / def`, by orientation.
        let stored: [(u8, usize, &[u8; 6]); 8] = [
            (1, 3, b"abcdef"),
            (2, 3, b"cbafed"),
            (3, 3, b"fedcba"),
            (4, 3, b"defabc"),
            (5, 2, b"adbecf"),
            (6, 2, b"cfbead"),
            (7, 2, b"fcebda"),
            (8, 2, b"daebfc"),
        ];
        for (orientation, width, pixels) in stored {
            let raster = grey(width, 6 / width, pixels).upright(orientation);
            assert_eq!((raster.width, raster.height), (3, 2), "{orientation}");
            assert_eq!(raster.pixels, b"abcdef", "{orientation}");
        }
    }

    #[test]
    fn resizing_averages_areas() {
        // Halves of a pixel count half.
        assert_eq!(grey(3, 1, &[0, 90, 240]).resized((2, 1)).pixels, [30, 190]);
        assert_eq!(grey(1, 3, &[0, 90, 240]).resized((1, 2)).pixels, [30, 190]);
        // Enlarged, a pixel between two is their mean; whole multiples repeat.
        assert_eq!(grey(2, 1, &[10, 20]).resized((3, 1)).pixels, [10, 15, 20]);
        assert_eq!(grey(2, 1, &[10, 20]).resized((4, 2)).pixels, [10, 10, 20, 20, 10, 10, 20, 20]);
        // Rounded to nearest, ties up, and the brightest stays.
        assert_eq!(grey(2, 2, &[0, 1, 1, 0]).resized((1, 1)).pixels, [1]);
        assert_eq!(grey(7, 5, &[255; 35]).resized((3, 4)).pixels, [255; 12]);
    }

    #[test]
    fn resizing_agrees_with_a_plain_double_loop() {
        let (w, h) = (13, 7);
        let pixels: Vec<u8> = (0..w * h * 3).map(|i| (i * 37 % 251) as u8).collect();
        let rgba = pixels.as_chunks::<3>().0.iter().map(|&[r, g, b]| [r, g, b, 255]);
        let raster = Raster::from_rgba((w, h), Channels::Rgb, rgba);
        for (width, height) in [(5, 3), (13, 2), (20, 7), (31, 11), (1, 1), (6, 14)] {
            let resized = raster.clone().resized((width, height));
            let overlap = |n: usize, to: usize, pixel: usize, from: usize| {
                let [start, end] = [n, n + 1].map(|n| n as f64 * from as f64 / to as f64);
                (end.min(pixel as f64 + 1.0) - start.max(pixel as f64)).max(0.0)
            };
            for at in 0..width * height * 3 {
                let (y, x, channel) = (at / 3 / width, at / 3 % width, at % 3);
                let mut mean = 0.0;
                for row in 0..h {
                    for col in 0..w {
                        let part = overlap(y, height, row, h) * overlap(x, width, col, w);
                        mean += part * f64::from(pixels[(row * w + col) * 3 + channel]);
                    }
                }
                mean *= (width * height) as f64 / (w * h) as f64;
                assert!((mean - f64::from(resized.pixels[at])).abs() < 0.501, "{width}x{height} at {at}");
            }
        }
    }

    #[test]
    fn colours_are_kept_or_become_pillows_luma() {
        let read = |channels| {
            let rgba = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [10, 200, 30, 255]];
            Raster::from_rgba((2, 2), channels, rgba.into_iter())
        };
        // PIL.Image.new("RGB", (1, 1), colour).convert("L")
        assert_eq!(read(Channels::Grey).pixels, [76, 150, 29, 124]);
        assert_eq!(read(Channels::Rgb).pixels, [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 30]);
        assert!(read(Channels::Grey).in_colour && !grey(1, 1, &[9]).in_colour);
    }
}
