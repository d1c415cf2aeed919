//! IDX, the file format of the MNIST family: a header and big-endian numbers, plain or gzip. `header` reads what a file
//! says it holds, `body` the rest, `values` makes bytes of other numbers.
//!
//! Images are grey: `N x rows x columns`, with or without a fourth dimension of 1. Labels are `N`, `N x 1`, or the `N x 8`
//! of QMNIST. Other files are refused by the type and the dimensions that they have.

mod body;
mod header;
mod values;

pub use body::GZIP;

use crate::error::{Error, Result};
use body::Body;
use header::{Header, Type};
use values::Scale;

/// Grey images, `count` of them, each `rows * cols` bytes row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// `(count, rows, cols)`.
    pub pixels: Vec<u8>,
    /// Images.
    pub count: usize,
    /// Rows of an image.
    pub rows: usize,
    /// Columns of an image.
    pub cols: usize,
}

impl Images {
    /// Pixels of one image.
    pub fn pixels_per_image(&self) -> usize {
        self.rows * self.cols
    }

    /// Image `n`, row-major.
    pub fn image(&self, n: usize) -> Option<&[u8]> {
        self.pixels.chunks_exact(self.pixels_per_image()).nth(n)
    }

    /// Swaps rows and columns of every image.
    pub fn transpose(&mut self) {
        let (rows, cols) = (self.rows, self.cols);
        let mut upright = vec![0; rows * cols];
        for image in self.pixels.chunks_exact_mut(rows * cols) {
            for (n, &pixel) in image.iter().enumerate() {
                upright[n % cols * rows + n / cols] = pixel;
            }
            image.copy_from_slice(&upright);
        }
        (self.rows, self.cols) = (cols, rows);
    }
}

/// Whether a file may be IDX by its first bytes, or is empty.
pub fn is_idx(file: &[u8]) -> bool {
    file.is_empty() || file.starts_with(&GZIP) || file.starts_with(&[0, 0])
}

/// The images of a file whose numbers are not bytes yet.
#[derive(Debug)]
pub struct RawImages {
    name: String,
    kind: Type,
    bytes: Vec<u8>,
    /// Count, rows, columns.
    dims: [usize; 3],
    /// `None` for unsigned bytes.
    scale: Option<Scale>,
}

impl RawImages {
    /// Reads the bytes of a file, gzip or plain; `name` is for the errors.
    ///
    /// # Errors
    /// Exit code 3: empty, not IDX, not grey images, cut short, longer than declared, no pixels, corrupt gzip, or pixels on
    /// no scale.
    pub fn parse(name: &str, file: &[u8]) -> Result<Self> {
        let bad = |why: String| Error::data(format!("{name}: {why}"));
        let body = Body::read(file, "images", |header| grey(header).map(drop)).map_err(bad)?;
        let dims = grey(&body.header).map_err(bad)?;
        let Body { header: Header { kind, .. }, bytes } = body;
        let scale = (kind != Type::U8).then(|| Scale::of(kind, &bytes)).transpose().map_err(bad)?;
        Ok(Self { name: name.into(), kind, bytes, dims, scale })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.dims[0]
    }

    /// Refuses training and test images whose values are on different scales: one of them would be nearly black.
    ///
    /// # Errors
    /// Exit code 3 with both scales.
    pub fn check_same_scale(&self, other: &Self) -> Result<()> {
        match (self.scale, other.scale) {
            (Some(a), Some(b)) if a != b => Err(Error::data(format!(
                "{} would be {}, but {} {}; write both as unsigned bytes of 0 to 255",
                self.name,
                a.describe(),
                other.name,
                b.describe()
            ))),
            _ => Ok(()),
        }
    }

    /// What was assumed or looks wrong, if anything.
    pub fn warning(&self) -> Option<String> {
        let Self { name, kind, .. } = self;
        match self.scale {
            Some(scale) => Some(format!(
                "{name}: {kind} pixels, {}; write unsigned bytes where that is wrong",
                scale.describe()
            )),
            None if self.bytes.iter().any(|&p| p > 1) => None,
            None => Some(format!(
                "{name}: no pixel is above 1 of 255, so every image is black; multiply by 255 where 1 is white"
            )),
        }
    }

    /// The images as bytes.
    pub fn into_images(self) -> Images {
        let [count, rows, cols] = self.dims;
        let pixels = match self.scale {
            None => self.bytes,
            Some(scale) => scale.apply(self.kind, &self.bytes),
        };
        Images { pixels, count, rows, cols }
    }
}

/// Images from the bytes of a file, gzip or plain, and what is to be warned of; `name` is for the errors.
///
/// # Errors
/// As [`RawImages::parse`].
pub fn parse_images(name: &str, file: &[u8]) -> Result<(Images, Option<String>)> {
    let raw = RawImages::parse(name, file)?;
    let warning = raw.warning();
    Ok((raw.into_images(), warning))
}

/// Labels from the bytes of a file, gzip or plain, as classes counted from 0, and what is to be warned of. The label
/// `first` is class 0; `name` is for the errors.
///
/// # Errors
/// As [`RawImages::parse`], and labels that are no class.
pub fn parse_labels(name: &str, file: &[u8], first: usize) -> Result<(Vec<u8>, Option<String>)> {
    let bad = |why: String| Error::data(format!("{name}: {why}"));
    let body = Body::read(file, "labels", |header| columns(header).map(drop)).map_err(bad)?;
    let stride = columns(&body.header).map_err(bad)?;
    let Body { header, bytes } = body;
    if stride > 1 && values::is_binary(header.kind, &bytes) {
        return Err(bad(format!(
            "{header}; these are one-hot labels: write the position of the 1 in each row"
        )));
    }
    let named = name.rsplit(['/', '\\']).next().is_some_and(|file| file.to_lowercase().contains("qmnist"));
    let warning = (stride > 1 && !named)
        .then(|| format!("{name}: {stride} columns, of which the first is taken as the class, as in QMNIST"));
    Ok((values::labels(header.kind, bytes, stride, first).map_err(bad)?, warning))
}

/// Count, rows and columns, where a header declares grey images.
fn grey(header: &Header) -> std::result::Result<[usize; 3], String> {
    let why = match header.dims[..] {
        [count, rows, cols] | [count, 1, rows, cols] | [count, rows, cols, 1] => {
            return Ok([count, rows, cols]);
        }
        [_, 3 | 4, _, _] | [_, _, _, 3 | 4] => "colour images are not read yet; convert them to grey",
        [_] => "these are labels, not images",
        [_, _] => "images have rows and columns; write N x rows x columns",
        _ => "grey images have 3: N x rows x columns",
    };
    Err(format!("{header}; {why}"))
}

/// The elements of a row of labels, where a header declares labels.
fn columns(header: &Header) -> std::result::Result<usize, String> {
    let why = match (header.kind, &header.dims[..]) {
        (kind, [_] | [_, 1]) if !kind.is_float() => return Ok(1),
        (Type::I32, [_, 8]) => return Ok(8),
        (_, [_] | [_, 1]) => "labels are whole numbers; write them as unsigned bytes",
        (_, [_, _]) => "labels have one dimension, one class an image; these may be one-hot",
        _ => "these are images, not labels",
    };
    Err(format!("{header}; {why}"))
}

/// The IDX file of some images.
pub fn write_images(images: &Images) -> Vec<u8> {
    write(&[images.count, images.rows, images.cols], &images.pixels)
}

/// The IDX file of some labels.
pub fn write_labels(labels: &[u8]) -> Vec<u8> {
    write(&[labels.len()], labels)
}

fn write(dims: &[usize], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    for &d in dims {
        file.extend(u32::try_from(d).expect("an IDX dimension has 32 bits").to_be_bytes());
    }
    file.extend(bytes);
    file
}

#[cfg(test)]
mod tests;
