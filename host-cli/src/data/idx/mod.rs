//! IDX, the file format of the MNIST family: a header and big-endian numbers, plain or gzip. `header` parses the header,
//! `body` reads the elements, `values` converts other types to bytes.
//!
//! Images are grey: `N x rows x columns`, with or without a fourth dimension of 1. Labels are `N`, `N x 1`, or the `N x 8`
//! of QMNIST. Files of other types or dimensions are refused.

mod body;
mod header;
mod values;

pub use crate::data::samples::Images;
use crate::error::{Error, Result};
use crate::files::kind::is_gzip;
use body::Body;
use header::Header;
pub(super) use header::Type;
pub(super) use values::{Range, Scale};

/// Whether a file may be IDX by its first bytes. An empty one may be.
pub fn is_idx(file: &[u8]) -> bool {
    file.is_empty() || is_gzip(file) || file.starts_with(&[0, 0])
}

/// The images of a file before their elements are converted to bytes.
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
    /// Parses the bytes of a file, gzip or plain; errors name it `name`.
    ///
    /// # Errors
    /// `Data`: empty, not IDX, not grey images, cut short, longer than declared, no pixels, corrupt gzip, or pixels of
    /// an unknown scale.
    pub fn parse(name: &str, file: &[u8]) -> Result<Self> {
        let bad = |why: String| Error::data(format!("{name}: {why}"));
        let body = Body::read(file, "images", |header| grey(header).map(drop)).map_err(bad)?;
        let dims = grey(&body.header).map_err(bad)?;
        let Body { header: Header { kind, .. }, bytes } = body;
        let scale = (kind != Type::U8).then(|| Scale::detect(kind, &bytes)).transpose().map_err(bad)?;
        Ok(Self { name: name.into(), kind, bytes, dims, scale })
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        self.dims[0]
    }

    /// Refuses training and test images of different scales: one of them would be nearly black.
    ///
    /// # Errors
    /// `Data` with both scales.
    pub fn check_same_scale(&self, other: &Self) -> Result<()> {
        match (self.scale, other.scale) {
            (Some(a), Some(b)) if a != b => Err(Error::data(format!(
                "{} would be {}, but {} would be {}; write both as unsigned bytes of 0 to 255",
                self.name,
                a.describe(),
                other.name,
                b.describe()
            ))),
            _ => Ok(()),
        }
    }

    /// The warning about what was assumed or looks wrong, if anything.
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
        Images { pixels, count, rows, cols, channels: 1 }
    }
}

/// Parses the bytes of a file of images, gzip or plain; also returns the warning, if any. Errors name the file `name`.
///
/// # Errors
/// As [`RawImages::parse`].
pub fn parse_images(name: &str, file: &[u8]) -> Result<(Images, Option<String>)> {
    let raw = RawImages::parse(name, file)?;
    let warning = raw.warning();
    Ok((raw.into_images(), warning))
}

/// Parses the bytes of a file of labels, gzip or plain, to classes counted from 0; also returns the warning, if any. The
/// label `first` is class 0. Errors name the file `name`.
///
/// # Errors
/// As [`RawImages::parse`], and for labels that are no class.
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
        .then(|| format!("{name}: {stride} columns, the first is used as the class, as in QMNIST"));
    Ok((values::labels(header.kind, bytes, stride, first).map_err(bad)?, warning))
}

/// The count, rows and columns of the grey images that a header declares.
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

/// The columns of the labels that a header declares.
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

/// The bytes of an IDX file of images; those of RGB have a fourth dimension.
pub fn write_images(images: &Images) -> Vec<u8> {
    let dims = [images.count, images.rows, images.cols, images.channels];
    write(if images.channels == 1 { &dims[..3] } else { &dims }, &images.pixels)
}

/// The bytes of an IDX file of labels.
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
