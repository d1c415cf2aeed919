//! The peak that every other figure is measured against: multiply-adds that never leave the registers.
//!
//! Fourteen independent chains `x = x * a + b` hide the latency of a multiplication and an addition in a row, and leave
//! two of sixteen registers for `a` and `b`. Nothing is loaded or stored meanwhile, so no kernel can be faster.

use core::hint::black_box;

use crate::simd::{Backend, Kernel, Simd};

/// Chains in flight.
const CHAINS: usize = 14;

/// Does `rounds` rounds of multiply-adds in registers and returns how many floating-point operations they were. A
/// backend that does not fuse multiplies and adds one after the other; both count.
pub fn peak(backend: Backend, rounds: usize) -> f64 {
    backend.run(Peak { rounds })
}

struct Peak {
    rounds: usize,
}

impl Kernel for Peak {
    type Out = f64;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        // The values tend to 0.5 and stay ordinary numbers; the compiler knows neither factor.
        let (a, b) = (s.splat(black_box(0.5)), s.splat(black_box(0.25)));
        let mut x = [s.splat(black_box(1.0)); CHAINS];
        for _ in 0..self.rounds {
            if S::EXACT {
                // All products first: the units for either operation are then never short of work.
                for x in &mut x {
                    *x = s.mul(*x, a);
                }
                for x in &mut x {
                    *x = s.add(*x, b);
                }
            } else {
                for x in &mut x {
                    *x = s.mul_add(*x, a, b);
                }
            }
        }
        black_box(x);
        2.0 * (self.rounds * CHAINS * S::LANES) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::peak;
    use crate::simd::Backend;

    #[test]
    fn counts_both_operations_of_every_lane() {
        for backend in Backend::available() {
            assert_eq!(peak(backend, 3), 2.0 * 3.0 * 14.0 * backend.lanes() as f64, "{}", backend.name());
        }
    }
}
