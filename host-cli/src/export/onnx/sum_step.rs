//! The unit of the sums in front of an activation that is looked up.
//!
//! A flash file holds the table of an activation, but not what one of its 256 steps is worth. A graph of real numbers needs
//! that: it is found here as the unit with which the activation's formula gives the table.

use selvedge::{Activation, naive};

/// The units that are considered; a network has others only by mistake.
const UNITS: (f64, f64) = (1e-15, 1e15);
/// How many units of the interval that is left are tried.
const TRIES: u32 = 64;

/// The table of an activation, and what one unit of its outputs is worth.
#[derive(Debug, Clone, Copy)]
pub(in crate::export) struct LookUp<'a> {
    pub activation: Activation,
    pub table: &'a [u8; 256],
    pub scale: f32,
}

impl LookUp<'_> {
    /// The activation of a real number.
    pub fn formula(&self, z: f64) -> f64 {
        let mut z = [z];
        naive::activate(self.activation, &mut z);
        z[0]
    }

    /// The real value of an output of 0. A sum of 0 is looked up in the middle of the table, where quantization puts a whole
    /// number of units.
    pub fn offset(&self) -> f64 {
        self.formula(0.0) - f64::from(self.table[128]) * f64::from(self.scale)
    }

    /// The output for a sum of `t` steps, not rounded.
    pub fn output(&self, t: i32, unit: f64) -> f64 {
        (self.formula(f64::from(t) * unit) - self.offset()) / f64::from(self.scale)
    }

    /// A unit of the sums with which the formula gives the table; `None` where no such unit is found, as in a file whose
    /// table is not of the activation that it names.
    pub fn sum_unit(&self) -> Option<f32> {
        let (mut low, mut high) = UNITS;
        for (t, &entry) in (-128_i32..).zip(self.table) {
            // Hard swish has a minimum below 0.
            if t == 0 || t < 0 && self.activation == Activation::HardSwish {
                continue;
            }
            // Away from 0 the outputs go up, or down, with the unit.
            let (near, far) = match entry {
                0 => (None, Some(0.5)),
                127 => (Some(126.5), None),
                _ => (Some(f64::from(entry) - 0.5), Some(f64::from(entry) + 0.5)),
            };
            let (near, far) = if t > 0 { (near, far) } else { (far, near) };
            low = low.max(near.map_or(low, |edge| self.crossing(t, edge)));
            high = high.min(far.map_or(high, |edge| self.crossing(t, edge)));
        }
        // The middle first: it is the farthest from what rounds otherwise.
        let tries = (0..TRIES).map(|n| f64::from((n + TRIES / 2) % TRIES) + 0.5);
        let units = tries.map(|n| (low + (high - low) * n / f64::from(TRIES)) as f32);
        units.filter(|_| low <= high).find(|&unit| self.gives_the_table(unit.into()))
    }

    fn gives_the_table(&self, unit: f64) -> bool {
        let entry = |t| self.output(t, unit).round().clamp(0.0, 127.0) as u8;
        (-128..128).zip(self.table).all(|(t, &y)| entry(t) == y)
    }

    /// The smallest unit, within those considered, at which the output for `t` steps has passed `edge`.
    fn crossing(&self, t: i32, edge: f64) -> f64 {
        let passed = |unit| (self.output(t, unit) >= edge) == (t > 0);
        let (mut low, mut high) = UNITS;
        if passed(low) {
            return low;
        }
        for _ in 0..100 {
            let middle = (low * high).sqrt();
            if passed(middle) { high = middle } else { low = middle }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    use super::LookUp;
    use selvedge::{Activation, naive};

    #[test]
    fn units_follow_from_tables() {
        for activation in Activation::HIDDEN.into_iter().chain([Activation::Identity]) {
            for (unit, scale, zero) in [(0.031_f32, 0.0159_f32, 60_u8), (0.004, 0.0081, 31), (0.11, 0.05, 8)]
            {
                let of = |z: f64| {
                    let mut z = [z];
                    naive::activate(activation, &mut z);
                    z[0]
                };
                let offset = of(0.0) - f64::from(zero) * f64::from(scale);
                let entry = |n: usize| {
                    let y = (of((n as f64 - 128.0) * f64::from(unit)) - offset) / f64::from(scale);
                    y.round().clamp(0.0, 127.0) as u8
                };
                let mut table: [u8; 256] = std::array::from_fn(entry);
                let found = LookUp { activation, table: &table, scale }.sum_unit().unwrap();
                assert!((found / unit - 1.0).abs() < 0.02, "{activation}: {found}, not {unit}");
                // A table of something else has no unit.
                table[200] = table[60] / 2 + 1;
                table[20] = 127;
                assert_eq!(LookUp { activation, table: &table, scale }.sum_unit(), None, "{activation}");
            }
        }
    }
}
