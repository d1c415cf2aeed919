//! Pictures: a folder of PNG or JPEG files for each class, with or without `train` and `test` above, and single files.
//!
//! `folder` finds the files, [`png`] and `jpeg` decode them, `raster` makes them grey, upright and of one size,
//! and `decode` does that on all cores. What files do not say is assumed with a note, or refused.

mod decode;
mod folder;
mod jpeg;
mod raster;

use std::path::{Path, PathBuf};

use crate::data::png;
use crate::data::samples::Images;
use crate::error::{Error, Result};
use crate::files::kind::{self, is_jpeg, is_png};

pub use folder::is_picture_folder;
pub use raster::{Channels, Raster, grey};

/// The maximum size of a picture once it is decoded: 53 megapixels of RGB.
pub const MAX_DECODED_BYTES: usize = 160 << 20;

/// How to read pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PictureOptions {
    /// The width and height that every picture is resized to; `None` takes pictures as they are.
    pub size: Option<(usize, usize)>,
    /// What is kept of their colours; `None`, which nobody specified, means grey.
    pub channels: Option<Channels>,
}

/// One decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its pixels: one image.
    pub images: Images,
    /// Its upright width and height in the file.
    pub file_size: (usize, usize),
    /// Whether the file has colours.
    pub in_colour: bool,
    /// Whether it is dark on a transparent background, which was read as white.
    pub dark_on_transparent: bool,
}

/// The pictures of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// The images, by class, then by file name.
    pub images: Images,
    /// The class of each image.
    pub labels: Vec<u8>,
    /// The file of each image.
    pub files: Vec<PathBuf>,
}

/// A folder of pictures in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFolder {
    /// The pictures to train on: of the folder `train`, or all of them.
    pub train: Pictures,
    /// Those of the folder `val`, `valid` or `validation`.
    pub val: Option<Pictures>,
    /// Those of the folder `test`.
    pub test: Option<Pictures>,
    /// The names of the class folders: sorted, by number where all are numbers.
    pub classes: Vec<String>,
    /// What was assumed or ignored.
    pub notes: Vec<String>,
}

/// Whether a file is a picture that can be read, by its first bytes.
pub fn is_picture(bytes: &[u8]) -> bool {
    is_png(bytes) || is_jpeg(bytes)
}

/// Decodes the bytes of a PNG or JPEG file and resizes it; errors name `path`.
///
/// # Errors
/// `Data` where it is neither, or damaged. `Usage` where the size is 0.
pub fn read_file(path: &Path, bytes: &[u8], options: &PictureOptions) -> Result<Picture> {
    check(options)?;
    let name = path.display().to_string();
    let channels = options.channels.unwrap_or(Channels::Grey);
    let raster = if is_png(bytes) {
        png::decode(&name, bytes, channels)?
    } else if is_jpeg(bytes) {
        jpeg::decode(&name, bytes, channels)?
    } else {
        let kind = kind::of(bytes);
        let next = kind.fetch_again().unwrap_or("save the picture as PNG or JPEG");
        return Err(Error::data(format!("{name}: {}, neither a PNG nor a JPEG; {next}", kind.name())));
    };
    let (file_size, in_colour) = ((raster.width, raster.height), raster.in_colour);
    let dark_on_transparent = raster.dark_on_transparent;
    let raster = match options.size {
        Some(size) => raster.resized(size),
        None => raster,
    };
    Ok(Picture { images: raster.into_images(), file_size, in_colour, dark_on_transparent })
}

/// Reads a folder of pictures. `progress` is called with the number of pictures read and of all.
///
/// # Errors
/// `Data`: fewer than two classes or more than 256, a class without pictures, a test class that is not trained, a damaged
/// picture, pictures of different sizes without [`PictureOptions::size`]. `Usage` where that is 0. `Failed` where memory does
/// not suffice.
pub fn read(
    folder: &Path,
    options: &PictureOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<PictureFolder> {
    check(options)?;
    let found = folder::find(folder)?;
    let sets = [Some(&found.train), found.val.as_ref(), found.test.as_ref()];
    let files: Vec<&Path> = sets.iter().flatten().flat_map(|set| set.paths()).collect();
    let decoded = decode::all(&files, options, progress)?;
    let mut notes = found.notes.clone();
    notes.extend(decoded.notes(options, files.len()));

    let mut pixels = decoded.pixels;
    let (cols, rows) = decoded.size;
    let channels = options.channels.unwrap_or(Channels::Grey).count();
    // From the last set to the first, so that each takes the end of the pixels and the largest is not copied.
    let mut take = |set: &folder::PictureSet| {
        let count = set.files.len();
        let start = pixels.len() - count * rows * cols * channels;
        let own = if start == 0 { std::mem::take(&mut pixels) } else { pixels.split_off(start) };
        let images = Images { pixels: own, count, rows, cols, channels };
        let (files, labels) = set.files.iter().map(|(path, class)| (path.clone(), *class)).unzip();
        Pictures { images, labels, files }
    };
    let test = found.test.as_ref().map(&mut take);
    let val = found.val.as_ref().map(&mut take);
    Ok(PictureFolder { train: take(&found.train), val, test, classes: found.classes, notes })
}

fn check(options: &PictureOptions) -> Result<()> {
    match options.size {
        Some((width, height)) if width == 0 || height == 0 => Err(Error::usage(format!(
            "--size {width}x{height}: a picture has a width and a height of 1 or more"
        ))),
        _ => Ok(()),
    }
}

/// The error for a picture that is larger than [`MAX_DECODED_BYTES`].
pub(super) fn too_large(name: &str) -> Error {
    Error::data(format!(
        "{name}: the picture inflates to more than {MAX_DECODED_BYTES} bytes; save it smaller"
    ))
}

#[cfg(test)]
mod tests;
