//! Samples: what a network is trained on and applied to, as rows of bytes or of floats.
//!
//! Everything that reads a data set goes through [`Samples`], so another kind of sample is another variant here.

use crate::error::Error;
use crate::kernel;
use crate::simd::Backend;

/// Rows of inputs, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Samples<'a> {
    /// Pixels of images; a network reads `p / 255`.
    Pixels(&'a [u8]),
    /// Features as they are.
    Features(&'a [f32]),
}

impl Samples<'_> {
    /// The number of rows of `inputs` elements.
    ///
    /// # Errors
    /// [`Error::NoSamples`] where there is none, [`Error::Length`] where the last one is not complete, [`Error::TooLarge`]
    /// for more than an index of 32 bits counts.
    pub fn rows(&self, inputs: usize) -> Result<usize, Error> {
        let (what, elements) = match self {
            Self::Pixels(pixels) => ("pixels", pixels.len()),
            Self::Features(features) => ("features", features.len()),
        };
        if elements == 0 || inputs == 0 {
            return Err(Error::NoSamples);
        }
        if !elements.is_multiple_of(inputs) {
            let expected = elements.saturating_add(inputs - elements % inputs);
            return Err(Error::Length { what, expected, actual: elements });
        }
        let rows = elements / inputs;
        if u32::try_from(rows).is_ok() { Ok(rows) } else { Err(Error::TooLarge) }
    }

    /// Refuses features that are infinite or not a number, which training would spread over all parameters.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the first of them.
    pub fn check_finite(&self, inputs: usize) -> Result<(), Error> {
        match self.find(|x| !x.is_finite()) {
            Some(at) => Err(Error::NotFinite { row: at / inputs, column: at % inputs }),
            None => Ok(()),
        }
    }

    /// Refuses features outside 0 to 1: a flash file's inputs are bytes, and the byte of a feature `x` is `255 * x`.
    ///
    /// # Errors
    /// [`Error::FeatureRange`] with the first of them.
    pub fn check_unit_range(&self, inputs: usize) -> Result<(), Error> {
        match self.find(|x| !(0.0..=1.0).contains(&x)) {
            Some(at) => Err(Error::FeatureRange { row: at / inputs, column: at % inputs }),
            None => Ok(()),
        }
    }

    /// The position of the first feature that is `wrong`; pixels never are.
    fn find(&self, wrong: impl Fn(f32) -> bool) -> Option<usize> {
        match self {
            Self::Pixels(_) => None,
            Self::Features(features) => features.iter().position(|&x| wrong(x)),
        }
    }

    /// `out(b,i)` = the rows of `index(b)`, as floats.
    ///
    /// # Panics
    /// If `out` is not a whole number of rows for each index, or a row does not exist.
    pub fn gather(&self, backend: Backend, index: &[u32], out: &mut [f32]) {
        match self {
            Self::Pixels(pixels) => kernel::gather(backend, pixels, index, out),
            Self::Features(features) => kernel::gather_rows(backend, features, index, &[], &[], out),
        }
    }
}

impl<'a> From<&'a [u8]> for Samples<'a> {
    fn from(pixels: &'a [u8]) -> Self {
        Self::Pixels(pixels)
    }
}

impl<'a> From<&'a [f32]> for Samples<'a> {
    fn from(features: &'a [f32]) -> Self {
        Self::Features(features)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Samples<'a> {
    fn from(pixels: &'a [u8; N]) -> Self {
        Self::Pixels(pixels)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Samples<'a> {
    fn from(features: &'a [f32; N]) -> Self {
        Self::Features(features)
    }
}

#[cfg(feature = "alloc")]
impl<'a> From<&'a alloc::vec::Vec<u8>> for Samples<'a> {
    fn from(pixels: &'a alloc::vec::Vec<u8>) -> Self {
        Self::Pixels(pixels)
    }
}

#[cfg(feature = "alloc")]
impl<'a> From<&'a alloc::vec::Vec<f32>> for Samples<'a> {
    fn from(features: &'a alloc::vec::Vec<f32>) -> Self {
        Self::Features(features)
    }
}
