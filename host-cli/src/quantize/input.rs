//! The input of an integer network: seven bits of a byte and their scale, or the codes of a row of numbers.

use selvedge::naive::integer::largest_code;

use super::map::{INPUT_UNIT, InputMaps};
use crate::data::normalise::Normalisation;

/// The largest integer activation.
pub(super) const LEVELS: u32 = 127;

/// How the integer network reads raw values.
#[derive(Debug)]
pub(super) enum Input {
    /// Pixels.
    Bytes {
        /// The seven bits of each byte; without a table a byte is halved.
        table: Option<Box<[u8; 256]>>,
        /// The real value of the integer 1.
        scale: f32,
    },
    /// The columns of a table.
    Numbers(InputMaps),
}

impl Input {
    /// A 7-bit table from an 8-bit one, and the scale with the least squared error on the images at `index`.
    pub fn of_pixels(table: Option<[u8; 256]>, pixels: &[u8], index: &[u32], inputs: usize) -> Self {
        let halved = std::array::from_fn(|p| (p >> 1) as u8);
        let seven_bits = table.map(|t| t.map(|u| ((u32::from(u) * LEVELS + 127) / 255) as u8));
        let real = table.unwrap_or(std::array::from_fn(|p| p as u8));
        let quantized = seven_bits.unwrap_or(halved);
        let (mut product, mut square) = (0u64, 0u64);
        for &n in index {
            for &p in &pixels[n as usize * inputs..][..inputs] {
                let (u, q) = (u64::from(real[usize::from(p)]), u64::from(quantized[usize::from(p)]));
                product += u * q;
                square += q * q;
            }
        }
        let scale = if square == 0 { 2.0 } else { product as f64 / square as f64 };
        Self::Bytes { table: seven_bits.map(Box::new), scale: (scale / 255.0) as f32 }
    }

    /// The real value of one unit of the first layer's inputs.
    pub fn unit(&self) -> f32 {
        match self {
            Self::Bytes { scale, .. } => *scale,
            Self::Numbers(_) => INPUT_UNIT,
        }
    }

    /// The real value of one code.
    pub fn code_unit(&self) -> f32 {
        match self {
            Self::Bytes { scale, .. } => *scale,
            Self::Numbers(maps) => maps.code_unit(),
        }
    }

    /// The largest code.
    pub fn largest_code(&self) -> u16 {
        match self {
            Self::Bytes { .. } => LEVELS as u16,
            Self::Numbers(maps) => largest_code(maps.bits),
        }
    }

    /// The value of code 0 of each input and of one code, normalised as in training.
    pub fn codes(&self, normalisation: &Normalisation, inputs: usize) -> Vec<(f64, f64)> {
        let scale = match self {
            Self::Numbers(maps) => return maps.real().collect(),
            Self::Bytes { scale, .. } => f64::from(*scale),
        };
        let (means, scales) = normalisation.mean_and_scale();
        if means.is_empty() {
            return vec![(0.0, scale); inputs];
        }
        let each = means.iter().zip(scales).map(|(&mean, &factor)| (f64::from(mean), f64::from(factor)));
        each.map(|(mean, factor)| (-mean * factor, 255.0 * scale * factor)).collect()
    }
}

/// The real value of each byte.
pub(super) fn byte_values(table: Option<&[u8; 256]>, scale: f32) -> [f32; 256] {
    std::array::from_fn(|p| scale * f32::from(table.map_or((p >> 1) as u8, |t| t[p])))
}
