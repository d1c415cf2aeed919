//! Samples in memory: what a network is trained on and applied to, and what it should answer.
//!
//! A sample is a picture of bytes or a row of floats. Only this module and [`normalise`](super::normalise), which turns
//! either into the floats that a network takes, know which.

use sha2::{Digest, Sha256};

use super::hex;
use crate::error::{Error, Result};

/// Images of `rows * cols * channels` bytes each, row-major, the channels of a pixel side by side; 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// `(count, rows, cols, channels)`.
    pub pixels: Vec<u8>,
    /// The number of images.
    pub count: usize,
    /// The rows of an image.
    pub rows: usize,
    /// The columns of an image.
    pub cols: usize,
    /// 1 for grey, 3 for RGB.
    pub channels: usize,
}

impl Images {
    /// The number of bytes of an image, each an input of a network.
    pub fn pixels_per_image(&self) -> usize {
        self.rows * self.cols * self.channels
    }

    /// Image `n`, row-major.
    pub fn image(&self, n: usize) -> Option<&[u8]> {
        self.pixels.chunks_exact(self.pixels_per_image()).nth(n)
    }

    /// Swaps rows and columns of every image.
    pub fn transpose(&mut self) {
        let (rows, cols, channels) = (self.rows, self.cols, self.channels);
        let mut upright = vec![0; self.pixels_per_image()];
        for image in self.pixels.chunks_exact_mut(rows * cols * channels) {
            for (n, pixel) in image.chunks_exact(channels).enumerate() {
                let to = (n % cols * rows + n / cols) * channels;
                upright[to..to + channels].copy_from_slice(pixel);
            }
            image.copy_from_slice(&upright);
        }
        (self.rows, self.cols) = (cols, rows);
    }
}

/// Rows of floats, `(rows, columns)` row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// All rows, one after the other.
    pub values: Vec<f32>,
    /// The columns of a row, at least 1.
    pub columns: usize,
}

impl Matrix {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Row `n`.
    pub fn row(&self, n: usize) -> &[f32] {
        &self.values[n * self.columns..][..self.columns]
    }

    /// Row and column of the first value that is no whole number from the first to the last of a range.
    pub fn first_outside(&self, (least, most): (i32, i32)) -> Option<(usize, usize)> {
        let fits = |x: f32| x.fract() == 0.0 && (least as f32..=most as f32).contains(&x);
        let at = self.values.iter().position(|&x| !fits(x))?;
        Some((at / self.columns, at % self.columns))
    }
}

/// What a network is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Features {
    /// Pictures.
    Images(Images),
    /// Rows of a table, as numbers.
    Table(Matrix),
}

impl Features {
    /// The number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Images(images) => images.count,
            Self::Table(matrix) => matrix.rows(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of a sample: pixels or columns.
    pub fn width(&self) -> usize {
        match self {
            Self::Images(images) => images.pixels_per_image(),
            Self::Table(matrix) => matrix.columns,
        }
    }

    /// The pictures.
    ///
    /// # Errors
    /// `Model` where they are rows of a table.
    pub fn images(&self) -> Result<&Images> {
        match self {
            Self::Images(images) => Ok(images),
            Self::Table(_) => Err(Error::model("the data are rows of a table, where this needs pictures")),
        }
    }
}

/// What a network should answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// Nothing is known.
    Unknown,
    /// The class of each sample.
    Classes(Vec<u8>),
    /// Numbers, or 0 and 1 for each of several labels: `(samples, outputs)`.
    Values(Matrix),
    /// The inputs themselves; where it is known, 1 for each sample that is an anomaly and 0 for the others.
    Inputs(Option<Vec<u8>>),
}

impl Targets {
    /// These targets, followed by others of the same kind.
    #[must_use]
    pub fn followed_by(self, other: Self) -> Self {
        match (self, other) {
            (Self::Classes(mut labels), Self::Classes(more)) => {
                labels.extend(more);
                Self::Classes(labels)
            }
            (Self::Values(mut matrix), Self::Values(more)) => {
                matrix.values.extend(more.values);
                Self::Values(matrix)
            }
            (Self::Inputs(Some(mut anomalies)), Self::Inputs(Some(more))) => {
                anomalies.extend(more);
                Self::Inputs(Some(anomalies))
            }
            (targets, _) => targets,
        }
    }
}

/// Samples and what a network should answer for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// The samples.
    pub features: Features,
    /// The answers.
    pub targets: Targets,
    /// The samples that validate, ascending, where the data set says which; `None` where the recipe splits them off.
    pub validation: Option<Vec<u32>>,
}

impl Samples {
    /// Pictures and the class of each.
    pub fn of_images(images: Images, labels: Vec<u8>) -> Self {
        Self { features: Features::Images(images), targets: Targets::Classes(labels), validation: None }
    }

    /// Appends samples of the same kind.
    pub fn append(&mut self, more: Self) {
        match (&mut self.features, more.features) {
            (Features::Images(images), Features::Images(more)) => {
                images.pixels.extend(more.pixels);
                images.count += more.count;
            }
            (Features::Table(matrix), Features::Table(more)) => matrix.values.extend(more.values),
            _ => return,
        }
        let targets = std::mem::replace(&mut self.targets, Targets::Unknown);
        self.targets = targets.followed_by(more.targets);
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The indices of all samples.
    pub fn indices(&self) -> Vec<u32> {
        (0..self.len() as u32).collect()
    }

    /// The pictures.
    ///
    /// # Errors
    /// `Model` where the samples are rows of a table.
    pub fn images(&self) -> Result<&Images> {
        self.features.images()
    }

    /// The class of each sample; empty where the answers are no classes.
    pub fn labels(&self) -> &[u8] {
        match &self.targets {
            Targets::Classes(labels) => labels,
            _ => &[],
        }
    }

    /// SHA-256 of the answers and the samples.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let add_floats = |hash: &mut Sha256, values: &[f32]| {
            values.chunks(1024).for_each(|part| {
                hash.update(part.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>());
            });
        };
        match &self.targets {
            Targets::Classes(labels) | Targets::Inputs(Some(labels)) => hash.update(labels),
            Targets::Values(matrix) => add_floats(&mut hash, &matrix.values),
            Targets::Unknown | Targets::Inputs(None) => {}
        }
        match &self.features {
            Features::Images(images) => hash.update(&images.pixels),
            Features::Table(matrix) => add_floats(&mut hash, &matrix.values),
        }
        hex(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::Images;

    #[test]
    fn transposing_keeps_the_channels_of_a_pixel_together() {
        let pixels = vec![1, 2, 3, 11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42, 43, 51, 52, 53];
        let mut images = Images { pixels: pixels.clone(), count: 1, rows: 2, cols: 3, channels: 3 };
        images.transpose();
        assert_eq!((images.rows, images.cols, images.pixels_per_image()), (3, 2, 18));
        assert_eq!(images.pixels, [1, 2, 3, 31, 32, 33, 11, 12, 13, 41, 42, 43, 21, 22, 23, 51, 52, 53]);
        images.transpose();
        assert_eq!(images.pixels, pixels);
    }
}
