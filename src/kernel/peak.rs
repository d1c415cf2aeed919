//! The peak that every other figure is measured against: multiply-adds that never leave the registers.
//!
//! Fourteen independent chains `x = x * a + b` hide the latency of a multiplication and an addition in a row, and leave
//! two of sixteen registers for `a` and `b`. Nothing is loaded or stored meanwhile, so no kernel can be faster.

use core::hint::black_box;

use crate::simd::{Backend, Dot, DotKernel, Kernel, MAX_LANES, Precision, Simd};

/// Chains in flight.
const CHAINS: usize = 14;

/// Does `rounds` rounds of multiply-adds in registers and returns how many floating-point operations they were. A
/// backend that does not fuse multiplies and adds one after the other; both count.
pub fn peak(backend: Backend, rounds: usize) -> f64 {
    match backend.precision() {
        Precision::F32 => backend.run(Peak { rounds }),
        Precision::Bf16 => backend.run_bf16(Bf16Peak { rounds }),
    }
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
            if S::REPRODUCIBLE {
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

/// The same with products of bf16 pairs: four operations a lane.
struct Bf16Peak {
    rounds: usize,
}

impl Kernel for Bf16Peak {
    type Out = f64;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let half = s.splat(black_box(0.5));
        let pair = s.pair_bf16(half, half);
        let mut x = [s.splat(black_box(1.0)); CHAINS];
        for _ in 0..self.rounds {
            for x in &mut x {
                *x = s.dot_bf16(*x, pair, pair);
            }
        }
        black_box(x);
        4.0 * (self.rounds * CHAINS * S::LANES) as f64
    }
}

/// The same for the integer dot products of a backend: how many multiply-adds of 7-bit inputs with 8-bit weights
/// `rounds` rounds did. The weights, 64 bytes at most, come from L1, as an instruction's operand can; the
/// inputs are in registers.
pub fn dot_peak(backend: Backend, rounds: usize) -> f64 {
    backend.run_dot(DotPeak { rounds })
}

struct DotPeak {
    rounds: usize,
}

impl DotKernel for DotPeak {
    type Out = f64;
    #[inline(always)]
    fn run<D: Dot>(self, d: D) -> f64 {
        // Portable vectors unpack inputs and weights before they multiply, which a tile shares among its dot products.
        // As many as sixteen registers hold; the widest vectors have more, and sums that take longer.
        match D::LANES {
            4 => self.tile::<D, 2, 2>(d),
            8 => self.tile::<D, 4, 2>(d),
            _ => self.tile::<D, CHAINS, 1>(d),
        }
    }
}

impl DotPeak {
    /// `NX` inputs with `NW` vectors of weights.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn tile<D: Dot, const NX: usize, const NW: usize>(self, d: D) -> f64 {
        let (weights, x) = (black_box([1i8; 4 * MAX_LANES]), black_box([0x0102_0304; NX]));
        assert!(NW * D::LANES <= MAX_LANES);
        let mut acc = [[d.zero(); NW]; NX];
        for _ in 0..self.rounds {
            // Where a dot product is several instructions, the compiler would else do those without the sum only once.
            let weights = black_box(weights.as_ptr());
            for (acc, &x) in acc.iter_mut().zip(&x) {
                for (v, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: the array holds the weights of the widest vector, and `NW` of them here.
                    *acc = unsafe { d.dot(*acc, x, weights.wrapping_add(4 * D::LANES * v)) };
                }
            }
        }
        black_box(acc);
        4.0 * (self.rounds * NX * NW * D::LANES) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{dot_peak, peak};
    use crate::simd::Backend;

    #[test]
    fn counts_both_operations_of_every_lane() {
        for backend in Backend::available() {
            let lanes = backend.dot_lanes();
            let dots = match lanes {
                4 => 4,
                8 => 8,
                _ => 14,
            };
            assert_eq!(dot_peak(backend, 3), (4 * 3 * dots * lanes) as f64, "{}", backend.name());
            assert_eq!(peak(backend, 3), 2.0 * 3.0 * 14.0 * backend.lanes() as f64, "{}", backend.name());
        }
    }
}
