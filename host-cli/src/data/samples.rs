//! Labelled samples in memory. A sample is a grey image of one byte a pixel.
//!
//! Only this module and [`normalise`](super::normalise), which turns bytes into the floats that a network takes, know the
//! type of a sample. Samples of f32 features join as a second kind beside [`Images`].

use sha2::{Digest, Sha256};

use super::hex;

/// Grey images of `rows * cols` bytes each, row-major; 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// `(count, rows, cols)`.
    pub pixels: Vec<u8>,
    /// The number of images.
    pub count: usize,
    /// The rows of an image.
    pub rows: usize,
    /// The columns of an image.
    pub cols: usize,
}

impl Images {
    /// The number of pixels of an image.
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

/// Labelled samples: images and the class of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// The images.
    pub images: Images,
    /// The class of each image.
    pub labels: Vec<u8>,
}

impl Samples {
    /// The indices of all samples.
    pub fn indices(&self) -> Vec<u32> {
        (0..self.labels.len() as u32).collect()
    }

    /// SHA-256 of the labels and the pixels.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.labels);
        hash.update(&self.images.pixels);
        hex(&hash.finalize())
    }
}
