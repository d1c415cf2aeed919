//! Input maps: how the raw values of a row become the codes of an integer network, 7 or 14 bits each.
//!
//! A code `q` of a feature is worth `low + q * step` in the network's own inputs, which are standardised; the first layer
//! absorbs both, so that the map costs a multiplication and nothing else. The step follows from the stored numbers, not from
//! the range that they were chosen for: rounding them moves the ends of the range, never the values in it.

use selvedge::Shape;
use selvedge::format::{Builder, InputMap, InputType};
use selvedge::naive::integer::{code_of_float, code_of_integer, largest_code, map_shift};

use super::clip::Clip;
use super::range::{Range, SignedHistogram};
use crate::data::normalise::{Normalisation, absorb};
use crate::data::table::{FeatureKind, Schema};
use crate::data::{Matrix, Task};
use crate::error::{Error, Result};
use crate::inference::float::CodeInputs;

/// The map of one feature, with the numbers that a file stores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FeatureMap {
    /// `q = (trunc((x - offset) * scale) + 1) >> 1`.
    Float {
        /// The raw value of code 0.
        offset: f32,
        /// Twice the codes of a raw unit.
        scale: f32,
    },
    /// `q = (clamp(x - low, 0, span) * multiplier + half) >> shift`.
    Integer {
        /// The raw value of code 0.
        low: i32,
        /// The raw values above it.
        span: u16,
        /// `2^shift` times the codes of a raw unit.
        multiplier: u32,
    },
}

impl FeatureMap {
    /// The map that spreads a range of raw values over the codes of `0..=max`.
    fn new(raw: InputType, range: Range, bits: u32) -> Self {
        let max = f64::from(largest_code(bits));
        let Some((least, most)) = raw.range() else {
            let offset = (range.low as f32).clamp(-f32::MAX, f32::MAX);
            let width = range.high - f64::from(offset);
            let scale = if width > 0.0 { 2.0 * max / width } else { 1.0 };
            return Self::Float { offset, scale: (scale as f32).clamp(f32::MIN_POSITIVE, f32::MAX) };
        };
        let [least, most] = [least, most].map(f64::from);
        let low = range.low.floor().clamp(least, most) as i32;
        let span = (range.high.ceil().clamp(least, most) - f64::from(low)).clamp(1.0, 65535.0);
        let multiplier = (max * f64::from(1u32 << map_shift(bits)) / span).round() as u32;
        Self::Integer { low, span: span as u16, multiplier }
    }

    /// The raw value of code 0, and raw units of a code.
    fn raw(self, bits: u32) -> (f64, f64) {
        match self {
            Self::Float { offset, scale } => (offset.into(), 2.0 / f64::from(scale)),
            Self::Integer { low, multiplier, .. } => {
                (low.into(), f64::from(1u32 << map_shift(bits)) / f64::from(multiplier))
            }
        }
    }

    /// The code of a raw value, which is a whole number for a map of integers.
    fn code(self, x: f32, bits: u32) -> u16 {
        match self {
            Self::Float { offset, scale } => code_of_float(x, offset, scale, bits),
            Self::Integer { low, span, multiplier } => code_of_integer(x as i32, low, span, multiplier, bits),
        }
    }
}

/// The maps of all features.
#[derive(Debug, Clone)]
pub struct InputMaps {
    /// The type of raw values.
    pub raw: InputType,
    /// Bits of a code: 7 or 14.
    pub bits: u32,
    /// The map of each feature.
    pub features: Vec<FeatureMap>,
    /// The mean that is subtracted from each raw value in training, and the scale that multiplied it then.
    standard: Vec<(f64, f64)>,
}

/// What the maps are chosen by.
#[derive(Debug, Clone, Copy)]
pub struct MapConfig<'a> {
    /// The type of raw values.
    pub raw: InputType,
    /// Bits of a code.
    pub bits: u32,
    /// How to choose the ends of a range.
    pub clip: Clip,
    /// What the network answers.
    pub task: Task,
    /// The columns.
    pub schema: &'a Schema,
    /// Their means and scales.
    pub normalisation: &'a Normalisation,
}

/// The real value of one unit of the first layer's inputs: of a code of 7 bits, or of 128 codes of 14 bits.
pub const INPUT_UNIT: f32 = 1.0 / 128.0;

impl InputMaps {
    /// The maps for the rows of `matrix` at `index`, whose ranges they cover.
    ///
    /// # Errors
    /// `Data` with the column and the value where raw values are no whole numbers of their type.
    pub fn new(config: MapConfig<'_>, matrix: &Matrix, index: &[u32]) -> Result<Self> {
        check_whole(config.raw, config.schema, matrix)?;
        let MapConfig { raw, bits, schema, normalisation, .. } = config;
        let columns = matrix.columns;
        let (mean, scale) = normalisation.mean_and_scale();
        let standard = match mean {
            [] => vec![(0.0, 1.0); columns],
            _ => mean.iter().zip(scale).map(|(&mean, &scale)| (mean.into(), scale.into())).collect(),
        };
        // The rows of a window are samples of one channel.
        let channels = schema.columns().clamp(1, columns);
        let zero_or_one: Vec<bool> = schema
            .features
            .iter()
            .flat_map(|f| vec![matches!(f.kind, FeatureKind::Categories(_)); f.width()])
            .collect();
        let of_channel: Vec<FeatureMap> = (0..channels)
            .map(|channel| match zero_or_one.get(channel) {
                Some(true) => Range { low: 0.0, high: 1.0 },
                _ => range(config, matrix, index, channel, channels),
            })
            .map(|range| FeatureMap::new(raw, range, bits))
            .collect();
        let features = (0..columns).map(|i| of_channel[i % channels]).collect();
        Ok(Self { raw, bits, features, standard })
    }

    /// The map of all features, where they share one.
    pub fn shared(&self) -> Option<FeatureMap> {
        let first = *self.features.first()?;
        self.features.iter().all(|map| *map == first).then_some(first)
    }

    /// What the header says of them.
    pub fn kind(&self) -> InputMap {
        if self.shared().is_some() { InputMap::Affine } else { InputMap::AffinePerFeature }
    }

    /// Writes them into a file.
    ///
    /// # Errors
    /// [`selvedge::Error::Setting`] for a file of other maps.
    pub fn write(&self, builder: &mut Builder<'_>) -> std::result::Result<(), selvedge::Error> {
        let count = if self.shared().is_some() { 1 } else { self.features.len() };
        for (feature, map) in self.features.iter().enumerate().take(count) {
            match *map {
                FeatureMap::Float { offset, scale } => builder.map_floats(feature, offset, scale)?,
                FeatureMap::Integer { low, span, multiplier } => {
                    builder.map_integers(feature, low, span, multiplier)?;
                }
            }
        }
        Ok(())
    }

    /// The real value of code 0 of each feature and of one code, in the inputs that the network was trained on.
    pub fn real(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.features.iter().zip(&self.standard).map(|(map, (mean, scale))| {
            let (low, step) = map.raw(self.bits);
            ((low - mean) * scale, step * scale)
        })
    }

    /// The unit of one code in the inputs of a network that has absorbed the maps.
    pub fn code_unit(&self) -> f32 {
        if self.bits == 7 { INPUT_UNIT } else { INPUT_UNIT / 128.0 }
    }

    /// Changes the first layer to take codes times [`code_unit`](Self::code_unit) instead of standardised values.
    ///
    /// # Errors
    /// `Failed` where `params` are not those of `shape`.
    pub fn absorb_into(&self, shape: Shape, params: &mut [f32]) -> Result<()> {
        let unit = f64::from(self.code_unit());
        absorb(shape, params, self.real().map(|(low, step)| (step / unit, -low)))
    }

    /// What raw values become in a network that has absorbed the maps, without rounding and clipping.
    pub fn unrounded(&self) -> Normalisation {
        let unit = f64::from(self.code_unit());
        let columns = self.features.iter().map(|map| map.raw(self.bits));
        let (mean, scale) = columns.map(|(low, step)| (low as f32, (unit / step) as f32)).unzip();
        Normalisation::from_columns(mean, scale)
    }

    /// The codes of all rows.
    pub fn codes(&self, matrix: &Matrix) -> Vec<u16> {
        let rows = matrix.values.chunks_exact(matrix.columns);
        rows.flat_map(|row| row.iter().zip(&self.features).map(|(&x, map)| map.code(x, self.bits))).collect()
    }

    /// Codes as the inputs of a network that has absorbed the maps.
    pub fn inputs<'a>(&self, codes: &'a [u16]) -> CodeInputs<'a> {
        CodeInputs { codes, unit: self.code_unit() }
    }
}

/// The range of a channel's raw values. Anomalies lie outside what is usual, and must not look usual for being clipped: an
/// autoencoder's ranges are twice as wide, or seven times where 14 bits leave them finer than 7 bits even so.
fn range(config: MapConfig<'_>, matrix: &Matrix, index: &[u32], channel: usize, channels: usize) -> Range {
    let row = |n: &u32| matrix.row(*n as usize).iter().skip(channel).step_by(channels);
    let values = index.iter().flat_map(row).map(|&x| f64::from(x));
    let histogram = SignedHistogram::of(values);
    match config.task {
        Task::Reconstruct => {
            let range = histogram.range(Clip::Max, largest_code(config.bits).into(), index.len());
            range.widened(if config.bits == 7 { 0.5 } else { 3.0 })
        }
        _ => histogram.range(config.clip, largest_code(config.bits).into(), index.len()),
    }
}

/// Refuses raw values that are no whole numbers of their type.
///
/// # Errors
/// `Data` with the column and the value.
pub fn check_whole(raw: InputType, schema: &Schema, matrix: &Matrix) -> Result<()> {
    let Some((least, most)) = raw.range() else { return Ok(()) };
    let Some((row, column)) = matrix.first_outside((least, most)) else { return Ok(()) };
    let name = schema.input_names().get(column).cloned().unwrap_or_else(|| column.to_string());
    Err(Error::data(format!(
        "{} in column {name} (row {} of those that are read) is no whole number of {least} to {most}, which --input {} needs; \
         leave --input out for floats, or scale the column",
        matrix.row(row)[column],
        row + 1,
        raw.name()
    )))
}
