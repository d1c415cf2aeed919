//! Products of bf16 pairs on every CPU: what `vdpbf16ps` computes, bit for bit.
//!
//! ```text
//! acc = acc + a.odd * b.odd        rounded once, to nearest even
//! acc = acc + a.even * b.even      rounded once, to nearest even
//! ```
//!
//! A lane of 32 bits holds two bf16, the even one in its lower half. Sums are in single precision. Subnormal numbers count
//! as 0, in operands and results. Rounding to bf16 is to nearest even too, and NaN stays NaN.

use half::bf16;

use super::{MAX_LANES, Simd};

/// The precision in which products take their operands. Sums, and all else, are in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bf16, two steps of K in a lane: twice as many products in a register. The input gradient of a layer of
    /// fewer than 16 outputs stays in single precision. What networks learn is the same: 784-128-10 on Fashion-MNIST reaches 84.69 ± 0.31 % for
    /// 84.72 ± 0.31 % in single precision, ten seeds each (`SELVEDGE_ALL_SEEDS=1 SELVEDGE_TEST_DATA=FOLDER cargo test -p
    /// host-cli --test real_data -- --ignored bf16 --nocapture`).
    Bf16,
}

/// Two numbers rounded to bf16, as a lane.
#[inline(always)]
pub(crate) fn pair(even: f32, odd: f32) -> f32 {
    f32::from_bits(u32::from(round(even)) | u32::from(round(odd)) << 16)
}

/// `acc + a · b` of the pairs in `a` and `b`.
#[inline(always)]
fn dot(acc: f32, a: f32, b: f32) -> f32 {
    let (a, b) = (a.to_bits(), b.to_bits());
    let odd = fused_add(flush_subnormal(acc), a & 0xffff_0000, b & 0xffff_0000);
    fused_add(odd, a << 16, b << 16)
}

/// `acc + a * b` rounded once, of two bf16 in the upper halves. Their product is exact in double precision, and the sum's
/// second rounding does not show: where the first was not exact, the smaller operand lies below the 29th bit of the
/// larger, which has 24 at most and so is no middle between two numbers.
#[inline(always)]
fn fused_add(acc: f32, a: u32, b: u32) -> f32 {
    let wide = |x: u32| f64::from(flush_subnormal(f32::from_bits(x)));
    flush_subnormal((f64::from(acc) + wide(a) * wide(b)) as f32)
}

#[inline(always)]
fn round(x: f32) -> u16 {
    bf16::from_f32(flush_subnormal(x)).to_bits()
}

/// `x`, or a zero of its sign where it is not normal.
#[inline(always)]
fn flush_subnormal(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits })
}

/// The lanes of a vector, zeros after them.
#[inline(always)]
fn lanes<S: Simd>(s: S, v: S::V) -> [f32; MAX_LANES] {
    const { assert!(S::LANES <= MAX_LANES) };
    let mut lanes = [0.0; MAX_LANES];
    s.write(v, &mut lanes);
    lanes
}

/// [`Simd::pair_bf16`] lane by lane.
#[inline(always)]
pub(super) fn pair_lanes<S: Simd>(s: S, even: S::V, odd: S::V) -> S::V {
    let (mut even, odd) = (lanes(s, even), lanes(s, odd));
    for (even, odd) in even.iter_mut().zip(&odd).take(S::LANES) {
        *even = pair(*even, *odd);
    }
    s.read(&even)
}

/// [`Simd::pair_adjacent_bf16`] lane by lane.
#[inline(always)]
pub(super) fn pair_adjacent_lanes<S: Simd>(s: S, low: S::V, high: S::V) -> S::V {
    const { assert!(S::LANES <= MAX_LANES) };
    let mut row = [0.0; 2 * MAX_LANES];
    s.write(low, &mut row);
    s.write(high, &mut row[S::LANES..]);
    for l in 0..S::LANES {
        row[l] = pair(row[2 * l], row[2 * l + 1]);
    }
    s.read(&row)
}

/// [`Simd::dot_bf16`] lane by lane.
#[inline(always)]
pub(super) fn dot_lanes<S: Simd>(s: S, acc: S::V, a: S::V, b: S::V) -> S::V {
    let (mut acc, a, b) = (lanes(s, acc), lanes(s, a), lanes(s, b));
    for ((acc, a), b) in acc.iter_mut().zip(&a).zip(&b).take(S::LANES) {
        *acc = dot(*acc, *a, *b);
    }
    s.read(&acc)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{dot, pair};
    use crate::rng::Rng;
    use crate::simd::{Backend, Kernel, Precision, Simd};
    use std::vec::Vec;

    /// `out = [acc + a · b, pair(acc, a), pair_adjacent(a, b)]` by vectors.
    struct Vectors<'a> {
        acc: &'a [f32],
        a: &'a [f32],
        b: &'a [f32],
        out: [&'a mut [f32]; 3],
    }

    impl Kernel for Vectors<'_> {
        type Out = usize;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> usize {
            let [sums, pairs, adjacent] = self.out;
            for at in (0..self.acc.len()).step_by(S::LANES) {
                let lanes = at..at + S::LANES;
                let (acc, a, b) = (
                    s.read(&self.acc[lanes.clone()]),
                    s.read(&self.a[lanes.clone()]),
                    s.read(&self.b[lanes.clone()]),
                );
                s.write(s.dot_bf16(acc, a, b), &mut sums[lanes.clone()]);
                s.write(s.pair_bf16(acc, a), &mut pairs[lanes.clone()]);
                s.write(s.pair_adjacent_bf16(a, b), &mut adjacent[lanes]);
            }
            S::LANES
        }
    }

    /// Any bits, and bits whose exponents are near each other.
    fn draw(rng: &mut Rng, near: bool) -> f32 {
        let bits = rng.next_u64() as u32;
        f32::from_bits(if near { bits & 0x87ff_ffff | 0x3800_0000 } else { bits })
    }

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect()
    }

    #[test]
    fn every_backend_gives_the_same_bits() {
        const LEN: usize = 1 << 16;
        let mut rng = Rng::new(1);
        for near in [false, true] {
            let mut draws = || (0..LEN).map(|_| draw(&mut rng, near)).collect::<Vec<_>>();
            let (acc, a, b) = (draws(), draws(), draws());
            let mut expected: Vec<f32> = (0..LEN).map(|i| dot(acc[i], a[i], b[i])).collect();
            let sums = bits(&expected);
            expected.iter_mut().enumerate().for_each(|(i, x)| *x = pair(acc[i], a[i]));
            let pairs = expected.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for backend in Backend::available() {
                let mut out = [std::vec![0.0; LEN], std::vec![0.0; LEN], std::vec![0.0; LEN]];
                let [x, y, z] = &mut out;
                let kernel = Vectors { acc: &acc, a: &a, b: &b, out: [x, y, z] };
                let lanes = backend.with_precision(Precision::Bf16).run_bf16(kernel);
                assert_eq!(bits(&out[0]), sums, "{}", backend.name());
                let raw = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(raw(&out[1]), pairs, "{}", backend.name());
                for (at, pair_bits) in out[2].iter().enumerate() {
                    let (block, lane) = (at - at % lanes, 2 * (at % lanes));
                    let row: Vec<f32> = [&a[block..][..lanes], &b[block..][..lanes]].concat();
                    assert_eq!(
                        pair_bits.to_bits(),
                        pair(row[lane], row[lane + 1]).to_bits(),
                        "{}",
                        backend.name()
                    );
                }
            }
        }
    }

    #[test]
    fn sums_round_once_and_small_numbers_are_zero() {
        let ones = pair(1.0, 1.0);
        assert_eq!(dot(0.5, ones, ones), 2.5);
        assert_eq!(dot(1e-40, pair(1e-39, 0.0), ones), 0.0);
        assert_eq!(dot(0.0, pair(2e-38, -1.5e-38), ones), 0.0);
        // 2²⁴ + 1 + 1 one by one stays where it is.
        assert_eq!(dot(16_777_216.0, ones, ones), 16_777_216.0);
        assert!(dot(0.0, pair(f32::NAN, 0.0), ones).is_nan());
    }
}
