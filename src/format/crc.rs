//! CRC-32 as zip, PNG and Ethernet compute it (IEEE 802.3, reflected): integrity, not authenticity.
//!
//! It finds every change of a single bit and every burst of up to 32. Whoever changes a file on purpose can change the
//! CRC as well. Microcontrollers take four bits a step from a table of 64 bytes, everything else eight bytes a step from
//! 8 KB.

/// The register after `bits` more bits, of a reflected polynomial.
const fn shift(mut crc: u32, bits: usize) -> u32 {
    let mut bit = 0;
    while bit < bits {
        crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        bit += 1;
    }
    crc
}

/// A nibble each.
#[cfg(any(target_os = "none", test))]
static NIBBLES: [u32; 16] = {
    let mut table = [0; 16];
    let mut n = 0;
    while n < 16 {
        table[n] = shift(n as u32, 4);
        n += 1;
    }
    table
};

/// `BYTES[t]`: a byte followed by `t` bytes of zeros.
#[cfg(not(target_os = "none"))]
static BYTES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut t = 0;
        while t < 8 {
            crc = shift(crc, 8);
            tables[t][byte] = crc;
            t += 1;
        }
        byte += 1;
    }
    tables
};

/// An incremental CRC-32.
#[derive(Debug, Clone, Copy)]
pub struct Crc(u32);

impl Crc {
    /// The CRC-32 of no bytes.
    pub const fn new() -> Self {
        Self(!0)
    }

    /// Adds `bytes`.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Self {
        #[cfg(target_os = "none")]
        return self.by_nibbles(bytes);
        #[cfg(not(target_os = "none"))]
        return self.by_bytes(bytes);
    }

    /// The CRC-32 of all bytes added.
    pub const fn value(self) -> u32 {
        !self.0
    }

    #[cfg(any(target_os = "none", test))]
    fn by_nibbles(self, bytes: &[u8]) -> Self {
        let nibble = |crc: u32| (crc >> 4) ^ NIBBLES[(crc & 15) as usize];
        Self(bytes.iter().fold(self.0, |crc, &b| nibble(nibble(crc ^ u32::from(b)))))
    }

    #[cfg(not(target_os = "none"))]
    fn by_bytes(self, bytes: &[u8]) -> Self {
        let (eights, rest) = bytes.as_chunks::<8>();
        let mut crc = self.0;
        for eight in eights {
            let word = u64::from_le_bytes(*eight) ^ u64::from(crc);
            crc = (0..8).fold(0, |sum, t| sum ^ BYTES[7 - t][(word >> (8 * t)) as usize & 255]);
        }
        Self(rest.iter().fold(crc, |crc, &b| (crc >> 8) ^ BYTES[0][((crc ^ u32::from(b)) & 255) as usize]))
    }
}

impl Default for Crc {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Crc;

    #[test]
    fn the_check_value_of_the_standard() {
        assert_eq!(Crc::new().of(b"123456789").value(), 0xcbf4_3926);
        assert_eq!(Crc::new().of(b"1234").of(b"56789").value(), 0xcbf4_3926);
        assert_eq!(Crc::new().value(), 0);
    }

    #[test]
    fn both_methods_agree() {
        let bytes: [u8; 100] = core::array::from_fn(|i| (i * 89 % 251) as u8);
        for len in 0..=bytes.len() {
            let crc = Crc::new().of(b"x");
            assert_eq!(crc.by_nibbles(&bytes[..len]).value(), crc.by_bytes(&bytes[..len]).value(), "{len}");
        }
    }
}
