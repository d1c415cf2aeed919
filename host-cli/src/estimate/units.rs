//! Parses sizes and clocks with units.

use std::str::FromStr;

/// A number of bytes, written such as `2048`, `8K` or `1M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub usize);

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let digits = upper.trim_end_matches("IB").trim_end_matches('B');
        let (digits, unit) = match digits.as_bytes().last() {
            Some(b'K') => (&digits[..digits.len() - 1], 1024),
            Some(b'M') => (&digits[..digits.len() - 1], 1024 * 1024),
            _ => (digits, 1),
        };
        let bytes = digits.trim().parse::<usize>().ok().and_then(|n| n.checked_mul(unit));
        bytes.map(Self).ok_or("write bytes, such as 2048, 8K or 1M".into())
    }
}

/// A frequency, written such as `168MHz` or `16000000`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hertz(pub f64);

impl FromStr for Hertz {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let units = [("ghz", 1e9), ("mhz", 1e6), ("khz", 1e3), ("hz", 1.0), ("", 1.0)];
        let (digits, unit) = units
            .into_iter()
            .find_map(|(name, unit)| Some((lower.strip_suffix(name)?, unit)))
            .expect("the empty unit fits every text");
        let hertz = digits.trim().parse::<f64>().ok().map(|n| n * unit);
        // Below 1 kHz the unit was forgotten.
        let hertz = hertz.filter(|h| h.is_finite() && *h >= 1e3);
        hertz.map(Self).ok_or("write a clock with its unit, such as 168MHz".into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Hertz};

    #[test]
    fn units() {
        let bytes = |text: &str| text.parse::<Bytes>().map(|b| b.0);
        assert_eq!(
            [bytes("2048"), bytes("8K"), bytes("8KiB"), bytes("1m")],
            [2048, 8192, 8192, 1 << 20].map(Ok)
        );
        let hertz = |text: &str| text.parse::<Hertz>().map(|h| h.0);
        assert_eq!([hertz("168MHz"), hertz("16000000"), hertz("1.5 GHz")], [168e6, 16e6, 1.5e9].map(Ok));
        for bad in ["", "K", "-1", "x", "99999999999999999999", "18446744073709551615K"] {
            bytes(bad).unwrap_err();
        }
        for bad in ["", "MHz", "0", "nan", "-1MHz", "168"] {
            hertz(bad).unwrap_err();
        }
    }
}
