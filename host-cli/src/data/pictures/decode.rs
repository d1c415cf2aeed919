//! Decodes the files of a picture folder on all cores; the order of the results is that of the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::{Channels, Picture, PictureOptions, read_file};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// A relative change of the aspect ratio that is reported; cropping by a few pixels stays below.
const MAX_DISTORTION: f64 = 0.03;

/// The decoded pictures of a folder, and what was seen in them.
pub struct Decoded {
    /// `(files, height, width, channels)`.
    pub pixels: Vec<u8>,
    /// The width and height of every picture.
    pub size: (usize, usize),
    /// How many have colours.
    in_colour: usize,
    /// How many are dark on a transparent background.
    dark_on_transparent: usize,
    /// How many are distorted by resizing.
    distorted: usize,
    /// The first of those, with its size: `cat/1.jpg is 640x480`.
    first_distorted: Option<String>,
}

/// Decodes all files.
///
/// # Errors
/// The error of the first file, in their order, that cannot be read; `Data` where sizes differ and none is given.
pub fn all(
    files: &[&Path],
    options: &PictureOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Decoded> {
    let Some(first) = files.first() else { return Err(Error::data("there are no pictures")) };
    let size = match options.size {
        Some(size) => size,
        None => read(first, options)?.file_size,
    };
    let bytes = options.channels.unwrap_or(Channels::Grey).count() * size.0 * size.1;
    let mut decoded = Decoded {
        pixels: zeroed(bytes, files.len())?,
        size,
        in_colour: 0,
        dark_on_transparent: 0,
        distorted: 0,
        first_distorted: None,
    };
    // The number of files of each size, and the first of them.
    let mut sizes: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
    let (mut failed, mut done): (Option<(usize, Error)>, usize) = (None, 0);
    on_all_cores(files, options, |n, picture| {
        match picture {
            Ok(picture) => {
                done += 1;
                progress(done, files.len());
                let entry = sizes.entry(picture.file_size).or_insert((0, n));
                *entry = (entry.0 + 1, entry.1.min(n));
                if picture.images.pixels.len() == bytes {
                    decoded.pixels[n * bytes..][..bytes].copy_from_slice(&picture.images.pixels);
                }
                decoded.in_colour += usize::from(picture.in_colour);
                decoded.dark_on_transparent += usize::from(picture.dark_on_transparent);
            }
            Err(error) if failed.as_ref().is_none_or(|(first, _)| n < *first) => failed = Some((n, error)),
            Err(_) => {}
        }
        failed.is_none()
    });
    if let Some((_, error)) = failed {
        return Err(error);
    }
    if options.size.is_none() && sizes.len() > 1 {
        return Err(different_sizes(files, &sizes));
    }
    let distorted = sizes.iter().filter(|(from, _)| distortion(**from, size) > MAX_DISTORTION);
    let first = distorted.clone().min_by_key(|(_, (_, first))| *first);
    decoded.distorted = distorted.map(|(_, (count, _))| count).sum();
    decoded.first_distorted =
        first.map(|((width, height), (_, n))| format!("{} is {width}x{height}", files[*n].display()));
    Ok(decoded)
}

/// Calls `each` with every picture as it is decoded, in any order, until it returns false. Files are taken up in their order,
/// so that those before one that fails have all been decoded.
fn on_all_cores(
    files: &[&Path],
    options: &PictureOptions,
    mut each: impl FnMut(usize, Result<Picture>) -> bool,
) {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let next = AtomicUsize::new(0);
    // Few results wait, so that memory holds the pictures once.
    let (send, receive) = mpsc::sync_channel(2 * workers);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                while let n = next.fetch_add(1, Ordering::Relaxed)
                    && n < files.len()
                {
                    if send.send((n, read(files[n], options))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        for (n, picture) in &receive {
            if !each(n, picture) {
                next.store(files.len(), Ordering::Relaxed);
            }
        }
    });
}

fn read(path: &Path, options: &PictureOptions) -> Result<Picture> {
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    read_file(path, &bytes, options)
}

/// Memory for all pictures.
fn zeroed(bytes: usize, count: usize) -> Result<Vec<u8>> {
    let mut pixels = Vec::new();
    let total = bytes.saturating_mul(count);
    pixels.try_reserve_exact(total).map_err(|_| {
        Error::failed(format!(
            "{count} pictures of {bytes} bytes need {} of memory; --size WxH makes them smaller",
            memory::size(total as u64)
        ))
    })?;
    pixels.resize(total, 0);
    Ok(pixels)
}

fn different_sizes(files: &[&Path], sizes: &BTreeMap<(usize, usize), (usize, usize)>) -> Error {
    let mut by_count: Vec<_> = sizes.iter().collect();
    by_count.sort_by_key(|(_, (count, first))| (std::cmp::Reverse(*count), *first));
    let show = |n: usize| {
        let (size, (_, first)) = by_count[n];
        format!("{} is {}x{}", files[*first].display(), size.0, size.1)
    };
    let (width, height) = by_count[0].0;
    Error::data(format!(
        "the pictures have {} sizes: {}, {}; `--size {width}x{height}`, the most frequent one, resizes them",
        sizes.len(),
        show(0),
        show(1)
    ))
}

/// The relative change of the aspect ratio by resizing.
fn distortion(from: (usize, usize), to: (usize, usize)) -> f64 {
    let ratio = |(width, height): (usize, usize)| width as f64 / height as f64;
    let change = ratio(to) / ratio(from);
    change.max(1.0 / change) - 1.0
}

impl Decoded {
    /// What was assumed about `count` pictures.
    pub fn notes(&self, options: &PictureOptions, count: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if options.channels != Some(Channels::Rgb) && self.in_colour > 0 {
            let which = if self.in_colour == count {
                "the pictures are in colour and are".to_string()
            } else {
                format!("{} of {count} pictures are in colour and are", self.in_colour)
            };
            notes.push(format!("{which} read as grey; `--channels rgb` keeps the colours"));
        }
        if let Some(first) = &self.first_distorted {
            notes.push(format!(
                "{} of {count} pictures are distorted by --size {}x{}: {first}",
                self.distorted, self.size.0, self.size.1
            ));
        }
        if self.dark_on_transparent > 0 {
            notes.push(format!(
                "{} of {count} pictures are dark on a transparent background, which is read as white",
                self.dark_on_transparent
            ));
        }
        notes
    }
}
