//! Reads floats of any width as f64, which is exact.

use half::{bf16, f16};

/// A type of little-endian floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Float {
    F64,
    F32,
    F16,
    Bf16,
}

impl Float {
    /// The values in `bytes`, of which there are a whole number.
    pub(super) fn widen(self, bytes: &[u8]) -> Vec<f64> {
        match self {
            Self::F64 => each(bytes, f64::from_le_bytes),
            Self::F32 => each(bytes, |b| f32::from_le_bytes(b).into()),
            Self::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f64()),
            Self::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f64()),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.chunks_exact(N).map(|b| value(b.try_into().expect("chunks of N"))).collect()
}
