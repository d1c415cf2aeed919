//! The input of an integer network: seven bits of a byte, and their scale.

/// The largest integer activation.
pub(super) const LEVELS: u32 = 127;

/// How the integer network reads a byte.
#[derive(Debug)]
pub(super) struct Input {
    /// The seven bits of each byte; without a table a byte is halved.
    pub table: Option<[u8; 256]>,
    /// The real value of the integer 1.
    pub scale: f32,
}

impl Input {
    /// A 7-bit table from an 8-bit one, and the scale with the least squared error on the images at `index`.
    pub fn new(table: Option<[u8; 256]>, pixels: &[u8], index: &[u32], inputs: usize) -> Self {
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
        Self { table: seven_bits, scale: (scale / 255.0) as f32 }
    }

    /// The real value of each byte.
    pub fn values(&self) -> [f32; 256] {
        std::array::from_fn(|p| self.scale * f32::from(self.table.map_or((p >> 1) as u8, |t| t[p])))
    }
}
