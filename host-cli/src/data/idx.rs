//! IDX, the file format of the MNIST family: a magic number, big-endian dimensions, bytes. Plain or gzip.
//!
//! The header says how long the rest must be, so a file that is cut short, goes on, or inflates to more than it declared
//! is refused, and memory is never asked for on the word of a header alone. Only unsigned bytes are read.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::error::{Error, Result};

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
}

/// The first two bytes of every gzip file.
pub const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Unsigned bytes in three dimensions.
const IMAGES: u32 = 0x0803;
/// Unsigned bytes in one dimension.
const LABELS: u32 = 0x0801;
/// Deflate cannot shrink anything more than this.
const MOST_INFLATION: usize = 1032;

/// Whether a file may be IDX by its first bytes, or is empty.
pub fn is_idx(file: &[u8]) -> bool {
    file.is_empty() || file.starts_with(&GZIP) || file.starts_with(&[0, 0])
}

/// Images from the bytes of a file, gzip or plain; `name` is for the errors.
///
/// # Errors
/// Exit code 3: empty, not IDX, not images, cut short, longer than declared, no pixels, corrupt gzip.
pub fn parse_images(name: &str, file: &[u8]) -> Result<Images> {
    let (dims, pixels) = parse::<3>(name, file, IMAGES, "images")?;
    let [count, rows, cols] = dims;
    Ok(Images { pixels, count, rows, cols })
}

/// Labels from the bytes of a file, gzip or plain, each below `classes`; `name` is for the errors.
///
/// # Errors
/// As [`parse_images`], and a label of `classes` or more.
pub fn parse_labels(name: &str, file: &[u8], classes: usize) -> Result<Vec<u8>> {
    let (_, labels) = parse::<1>(name, file, LABELS, "labels")?;
    match labels.iter().position(|&l| usize::from(l) >= classes) {
        Some(n) => {
            Err(Error::data(format!("{name}: label {n} is {}, but there are {classes} classes", labels[n])))
        }
        None => Ok(labels),
    }
}

/// The IDX file of some images.
pub fn write_images(images: &Images) -> Vec<u8> {
    write(IMAGES, &[images.count, images.rows, images.cols], &images.pixels)
}

/// The IDX file of some labels.
pub fn write_labels(labels: &[u8]) -> Vec<u8> {
    write(LABELS, &[labels.len()], labels)
}

fn write(magic: u32, dims: &[usize], bytes: &[u8]) -> Vec<u8> {
    let mut file = magic.to_be_bytes().to_vec();
    for &d in dims {
        file.extend(u32::try_from(d).expect("an IDX dimension has 32 bits").to_be_bytes());
    }
    file.extend(bytes);
    file
}

fn parse<const D: usize>(name: &str, file: &[u8], magic: u32, what: &str) -> Result<([usize; D], Vec<u8>)> {
    let bad = |why: String| Error::data(format!("{name}: {why}"));
    if file.is_empty() {
        return Err(bad("the file is empty".into()));
    }
    let zipped = file.starts_with(&GZIP);
    let mut gzip = GzDecoder::new(file);
    let mut plain = file;
    let reader: &mut dyn Read = if zipped { &mut gzip } else { &mut plain };
    let corrupt = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => bad("cut short inside its gzip stream".into()),
        _ => bad(format!("corrupt gzip: {e}")),
    };

    let mut header = [0; 16];
    let header = &mut header[..4 + 4 * D];
    let got = read_up_to(reader, header).map_err(corrupt)?;
    let found = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    if got < 4 || found != magic {
        return Err(bad(wrong_magic(&header[..got], found, magic, what)));
    }
    if got < header.len() {
        return Err(bad(format!("cut short: {got} bytes, and the header alone has {}", header.len())));
    }
    let mut dims = [0; D];
    for (d, bytes) in dims.iter_mut().zip(header[4..].chunks_exact(4)) {
        *d = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    }
    let declared = dims.iter().try_fold(1usize, |product, &d| product.checked_mul(d));
    let declared =
        declared.ok_or_else(|| bad(format!("its header declares {dims:?} {what}, which no memory holds")))?;
    if declared == 0 {
        return Err(bad(format!("its header declares no {what}: dimensions {dims:?}")));
    }

    let possible = if zipped { file.len().saturating_mul(MOST_INFLATION) } else { file.len() };
    let mut bytes = Vec::with_capacity(declared.min(possible));
    reader.take(declared as u64 + 1).read_to_end(&mut bytes).map_err(corrupt)?;
    match bytes.len() {
        n if n == declared => Ok((dims, bytes)),
        n if n < declared => {
            Err(bad(format!("cut short: its header declares {declared} bytes of {what}, {n} are there")))
        }
        _ => Err(bad(format!("goes on behind the {declared} bytes of {what} that its header declares"))),
    }
}

/// Reads until `buffer` is full or the data ends.
fn read_up_to(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

fn wrong_magic(header: &[u8], found: u32, magic: u32, what: &str) -> String {
    let hint = match found {
        _ if header.len() < 4 => return format!("cut short: {} bytes are no IDX file", header.len()),
        IMAGES => "; these are images",
        LABELS => "; these are labels",
        _ if header[0] == b'<' => "; this is a web page",
        _ => "",
    };
    format!("not an IDX file of {what}: magic number {found:#010x}, expected {magic:#010x}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn images() -> Images {
        Images { pixels: (0..24).collect(), count: 4, rows: 2, cols: 3 }
    }

    fn zip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn refused(file: &[u8]) -> String {
        let error = parse_images("f", file).unwrap_err();
        assert_eq!(error.exit, crate::error::Exit::Data);
        assert!(!error.message.contains('\n'));
        error.message
    }

    #[test]
    fn reads_what_it_writes_plain_and_gzip() {
        let file = write_images(&images());
        assert_eq!(parse_images("f", &file).unwrap(), images());
        assert_eq!(parse_images("f", &zip(&file)).unwrap(), images());
        let labels = write_labels(&[0, 9, 3]);
        assert_eq!(parse_labels("f", &zip(&labels), 10).unwrap(), [0, 9, 3]);
        assert_eq!(images().image(1).unwrap(), [6, 7, 8, 9, 10, 11]);
        assert_eq!(images().image(4), None);
    }

    #[test]
    fn every_truncation_is_refused() {
        let file = write_images(&images());
        for n in 0..file.len() {
            refused(&file[..n]);
        }
        let zipped = zip(&file);
        for n in 0..zipped.len() {
            refused(&zipped[..n]);
        }
    }

    #[test]
    fn messages_say_what_is_wrong() {
        let file = write_images(&images());
        assert_eq!(refused(&[]), "f: the file is empty");
        assert_eq!(refused(&file[..3]), "f: cut short: 3 bytes are no IDX file");
        assert_eq!(refused(&file[..9]), "f: cut short: 9 bytes, and the header alone has 16");
        assert_eq!(
            refused(&file[..39]),
            "f: cut short: its header declares 24 bytes of images, 23 are there"
        );
        let long = [&file[..], b"x"].concat();
        assert_eq!(refused(&long), "f: goes on behind the 24 bytes of images that its header declares");
        assert_eq!(refused(&zip(&long)), refused(&long));
        assert!(refused(&write_labels(&[1])).ends_with("; these are labels"));
        assert!(refused(b"<html>").ends_with("; this is a web page"));
        let label = parse_labels("f", &write_labels(&[3, 10]), 10).unwrap_err();
        assert_eq!(label.message, "f: label 1 is 10, but there are 10 classes");
    }

    #[test]
    fn dimensions_are_not_believed() {
        let mut file = write_images(&images());
        file[4..16].fill(0xff);
        assert!(refused(&file).contains("which no memory holds"));
        file[4..16].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]);
        assert!(refused(&file).contains("declares no images"));
        // 4 GB declared, a few bytes there: refused without asking for the memory.
        file[4..16].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0, 0xff, 0, 0, 0, 0xff]);
        assert!(refused(&file).starts_with("f: cut short"));
    }

    #[test]
    fn a_gzip_bomb_is_not_inflated() {
        let bomb = [&write_images(&images())[..], &vec![0; 50_000_000]].concat();
        assert!(refused(&zip(&bomb)).starts_with("f: goes on behind"));
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let mut file = zip(&write_images(&images()));
        let n = file.len() - 6;
        file[n] ^= 1;
        assert!(refused(&file).starts_with("f: corrupt gzip"), "{}", refused(&file));
    }
}
