//! Normalisation: turns samples into inputs. Pixels go through a table of bytes, then a mean and a scale for each pixel; the
//! columns of a table of numbers have a mean and a scale each. It is stored in the model file, so that whatever uses the
//! model does the same.
//!
//! A microcontroller applies only the table: [`Normalisation::fold`] moves the rest into the first layer.

use std::borrow::Cow;

use clap::ValueEnum;
use selvedge::{Backend, Shape, kernel};
use serde::{Deserialize, Serialize};

use super::samples::{Features, Matrix};
use crate::error::Result;

/// Added to the standard deviation of a pixel that is standardised by itself, in bytes, so that pixels that are nearly always
/// black get no large inputs.
const STANDARD_DEVIATION_FLOOR: f64 = 25.5;

/// How inputs are standardised; pixels after the gamma table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Standardisation {
    /// Divide by 255 only
    None,
    /// Subtract the mean of all pixels and divide by their standard deviation
    Global,
    /// Subtract each pixel's own mean and divide by its own standard deviation plus a tenth of the range
    Pixel,
    /// Subtract each column's mean and divide by its standard deviation, for tables of numbers
    Column,
}

/// Of a pixel: `x = (table[p] - mean) * scale` where there are means, else `x = table[p] / 255`; `table[p]` is
/// `255 (p / 255)^gamma`, rounded. Of a number: `x = (v - mean) * scale` where there are means, else `x = v`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Serialized", into = "Serialized")]
pub struct Normalisation {
    gamma: f32,
    /// For each pixel, or empty.
    mean: Vec<f32>,
    /// For each pixel, or empty.
    scale: Vec<f32>,
}

/// The form in files: `u8/255` for the plain division, else every field.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Serialized {
    Plain(String),
    Full { gamma: f32, mean: Vec<f32>, scale: Vec<f32> },
}

impl From<Normalisation> for Serialized {
    fn from(n: Normalisation) -> Self {
        if n == Normalisation::default() {
            return Self::Plain("u8/255".into());
        }
        Self::Full { gamma: n.gamma, mean: n.mean, scale: n.scale }
    }
}

impl TryFrom<Serialized> for Normalisation {
    type Error = String;
    fn try_from(serialized: Serialized) -> std::result::Result<Self, String> {
        match serialized {
            Serialized::Plain(text) if text.is_empty() || text == "u8/255" => Ok(Self::default()),
            Serialized::Plain(text) => Err(format!("unknown normalisation {text}")),
            Serialized::Full { gamma, mean, scale } => {
                let finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
                if gamma.is_finite()
                    && gamma > 0.0
                    && mean.len() == scale.len()
                    && finite(&mean)
                    && finite(&scale)
                {
                    Ok(Self { gamma, mean, scale })
                } else {
                    Err("the normalisation is damaged".into())
                }
            }
        }
    }
}

impl Default for Normalisation {
    fn default() -> Self {
        PLAIN.clone()
    }
}

impl Normalisation {
    /// The normalisation with the means and scales of the images at `index`, of `pixels_per_image` pixels each.
    pub fn new(
        gamma: f32,
        standardise: Standardisation,
        pixels: &[u8],
        pixels_per_image: usize,
        index: &[u32],
    ) -> Self {
        let plain = Self { gamma, ..Self::default() };
        if standardise == Standardisation::None {
            return plain;
        }
        let values: [u64; 256] =
            plain.table().map_or_else(|| std::array::from_fn(|p| p as u64), |t| t.map(u64::from));
        let (mut sums, mut squares) = (vec![0u64; pixels_per_image], vec![0u64; pixels_per_image]);
        for &n in index {
            let image = &pixels[n as usize * pixels_per_image..][..pixels_per_image];
            for ((sum, square), &p) in sums.iter_mut().zip(&mut squares).zip(image) {
                let value = values[usize::from(p)];
                *sum += value;
                *square += value * value;
            }
        }
        let moments = |sum: u64, square: u64, count: f64| {
            let mean = sum as f64 / count;
            (mean, (square as f64 / count - mean * mean).max(0.0).sqrt())
        };
        let count = index.len().max(1) as f64;
        let (mean, scale) = match standardise {
            Standardisation::Pixel => {
                let pairs = sums.iter().zip(&squares).map(|(&sum, &square)| {
                    let (mean, standard_deviation) = moments(sum, square, count);
                    (mean as f32, (1.0 / (standard_deviation + STANDARD_DEVIATION_FLOOR)) as f32)
                });
                pairs.unzip()
            }
            Standardisation::None | Standardisation::Global | Standardisation::Column => {
                let count = count * pixels_per_image as f64;
                let (mean, standard_deviation) = moments(sums.iter().sum(), squares.iter().sum(), count);
                let scale = (1.0 / standard_deviation.max(1.0)) as f32;
                (vec![mean as f32; pixels_per_image], vec![scale; pixels_per_image])
            }
        };
        Self { gamma, mean, scale }
    }

    /// The normalisation of the columns of `matrix`, with the means and standard deviations of the rows at `index`. A column
    /// that is constant there becomes 0.
    pub fn of_columns(matrix: &Matrix, index: &[u32]) -> Self {
        let count = index.len().max(1) as f64;
        let mut means = vec![0.0f64; matrix.columns];
        for &n in index {
            means.iter_mut().zip(matrix.row(n as usize)).for_each(|(sum, &v)| *sum += f64::from(v) / count);
        }
        let mut variances = vec![0.0f64; matrix.columns];
        for &n in index {
            let row = matrix.row(n as usize).iter().zip(&means);
            variances
                .iter_mut()
                .zip(row)
                .for_each(|(sum, (&v, mean))| *sum += (f64::from(v) - mean).powi(2) / count);
        }
        let scale = |(&variance, mean): (&f64, &f64)| {
            let deviation = variance.sqrt();
            // What is left of a constant after rounding is no deviation.
            if deviation > 1e-7 * mean.abs() { (1.0 / deviation) as f32 } else { 0.0 }
        };
        let scale = variances.iter().zip(&means).map(scale).collect();
        Self { gamma: 1.0, mean: means.into_iter().map(|mean| mean as f32).collect(), scale }
    }

    /// `(x - mean) * scale` of each column of a table.
    ///
    /// # Panics
    /// If there are not as many scales as means.
    pub fn from_columns(mean: Vec<f32>, scale: Vec<f32>) -> Self {
        assert_eq!(mean.len(), scale.len(), "a mean and a scale for each column");
        Self { gamma: 1.0, mean, scale }
    }

    /// The normalisation that applies `table` and nothing else, with the shortest exponent that gives it; `None` where no
    /// exponent does.
    pub fn from_table(table: &[u8; 256]) -> Option<Self> {
        let identity = table.iter().enumerate().all(|(p, &t)| usize::from(t) == p);
        if identity {
            return Some(Self::default());
        }
        // Each byte between black and white allows a range of exponents.
        let (mut low, mut high) = (0.0f64, f64::INFINITY);
        for (p, &t) in table.iter().enumerate().take(255).skip(1) {
            let exponent = |value: f64| (value / 255.0).ln() / (p as f64 / 255.0).ln();
            low = low.max(exponent((f64::from(t) + 0.5).min(255.0)));
            high = high.min(if t == 0 { f64::INFINITY } else { exponent(f64::from(t) - 0.5) });
        }
        let middle = if high.is_finite() { (low + high) / 2.0 } else { low + 1.0 };
        let rounded = (0..=9).map(|digits| {
            let scale = 10f64.powi(digits);
            (middle * scale).round() / scale
        });
        let candidates = rounded.chain([middle]).map(|gamma| Self { gamma: gamma as f32, ..Self::default() });
        candidates
            .filter(|n| n.gamma > 0.0 && n.gamma.is_finite())
            .find(|n| n.table().as_ref() == Some(table))
    }

    /// The exponent of the table.
    pub fn gamma(&self) -> f32 {
        self.gamma
    }

    /// The mean that is subtracted from each input, and the scale that multiplies it then; empty where it does neither.
    pub fn mean_and_scale(&self) -> (&[f32], &[f32]) {
        (&self.mean, &self.scale)
    }

    /// Whether a mean and a scale follow the table.
    pub fn standardises(&self) -> bool {
        !self.mean.is_empty()
    }

    /// The table of bytes; `None` for the identity.
    pub fn table(&self) -> Option<[u8; 256]> {
        let value = |p: usize| (255.0 * (p as f64 / 255.0).powf(f64::from(self.gamma))).round() as u8;
        (self.gamma != 1.0).then(|| std::array::from_fn(value))
    }

    /// Refuses a model with another number of inputs.
    ///
    /// # Errors
    /// One clause with both numbers.
    pub fn check(&self, inputs: usize) -> std::result::Result<(), String> {
        if self.mean.is_empty() || self.mean.len() == inputs {
            return Ok(());
        }
        Err(format!("it standardises {} values, but has {inputs} inputs", self.mean.len()))
    }

    /// Samples for [`Inputs::fill`]; applies the table to pixels.
    pub fn inputs<'a>(&'a self, features: &'a Features) -> Inputs<'a> {
        match features {
            Features::Images(images) => self.pixels(&images.pixels),
            Features::Table(matrix) => Inputs { values: Values::Floats(&matrix.values), normalisation: self },
        }
    }

    /// Applies the table to the pixels of images, for [`Inputs::fill`].
    pub fn pixels<'a>(&'a self, pixels: &'a [u8]) -> Inputs<'a> {
        let pixels = match self.table() {
            None => Cow::Borrowed(pixels),
            Some(table) => Cow::Owned(pixels.iter().map(|&p| table[usize::from(p)]).collect()),
        };
        Inputs { values: Values::Pixels(pixels), normalisation: self }
    }

    /// Changes the first layer to take `table[p] / 255` instead of what [`Inputs::fill`] writes. Sums are in f64.
    ///
    /// # Errors
    /// `Failed` where `params` are not those of `shape`.
    pub fn fold(&self, shape: Shape, params: &mut [f32]) -> Result<()> {
        if self.mean.is_empty() {
            return Ok(());
        }
        let rows = self.mean.iter().zip(&self.scale).map(|(&mean, &scale)| {
            let (mean, scale) = (f64::from(mean), f64::from(scale));
            (255.0 * scale, mean * scale)
        });
        absorb(shape, params, rows)
    }

    /// A short description for people.
    pub fn describe(&self) -> String {
        let table = if self.gamma == 1.0 { String::new() } else { format!("gamma {}, ", self.gamma) };
        let rest = if self.mean.is_empty() { "divided by 255" } else { "less a mean, times a scale" };
        format!("{table}{rest}")
    }
}

/// Changes the first layer to take `x` instead of `x * factor - shift`; `rows` has a factor and a shift for each input. Sums
/// are in f64.
///
/// # Errors
/// `Failed` where `params` are not those of `shape`.
pub fn absorb(shape: Shape, params: &mut [f32], rows: impl IntoIterator<Item = (f64, f64)>) -> Result<()> {
    let layers = shape.split_mut(params)?;
    let first = layers.into_iter().next().expect("a network has a layer");
    let mut biases: Vec<f64> = first.biases.iter().copied().map(f64::from).collect();
    for (row, (factor, shift)) in first.weights.chunks_exact_mut(shape.width(1)).zip(rows) {
        for (w, bias) in row.iter_mut().zip(&mut biases) {
            *bias -= f64::from(*w) * shift;
            *w = (f64::from(*w) * factor) as f32;
        }
    }
    first.biases.iter_mut().zip(biases).for_each(|(b, sum)| *b = sum as f32);
    Ok(())
}

/// Samples to which the table has been applied.
#[derive(Debug)]
pub struct Inputs<'a> {
    values: Values<'a>,
    normalisation: &'a Normalisation,
}

#[derive(Debug)]
enum Values<'a> {
    /// After the table.
    Pixels(Cow<'a, [u8]>),
    Floats(&'a [f32]),
}

/// The plain division by 255.
static PLAIN: Normalisation = Normalisation { gamma: 1.0, mean: Vec::new(), scale: Vec::new() };

impl<'a> Inputs<'a> {
    /// Images that are only divided by 255.
    pub fn plain(pixels: &'a [u8]) -> Self {
        PLAIN.pixels(pixels)
    }

    /// The bytes after the table; none where the samples are no pixels.
    pub fn pixels(&self) -> &[u8] {
        match &self.values {
            Values::Pixels(pixels) => pixels,
            Values::Floats(_) => &[],
        }
    }

    /// Writes the inputs `(index.len(), width)` of the samples at `index`.
    pub fn fill(&self, backend: Backend, index: &[u32], rows: &mut [f32]) {
        let Normalisation { mean, scale, .. } = self.normalisation;
        match &self.values {
            Values::Pixels(pixels) => self.fill_from(backend, pixels, index, rows),
            Values::Floats(values) => kernel::gather_rows(backend, values, index, mean, scale, rows),
        }
    }

    /// As [`fill`](Self::fill), from other pixels to which the table has been applied.
    pub fn fill_from(&self, backend: Backend, pixels: &[u8], index: &[u32], rows: &mut [f32]) {
        let Normalisation { mean, scale, .. } = self.normalisation;
        if mean.is_empty() {
            kernel::gather(backend, pixels, index, rows);
        } else {
            kernel::gather_standardised(backend, pixels, index, mean, scale, rows);
        }
    }
}

#[cfg(test)]
mod tests;
