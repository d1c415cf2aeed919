//! Elementary functions of vectors.
//!
//! They use nothing but the [`Simd`] operations, so the portable backends give the same bits on every machine. Polynomials are
//! those of Cephes (Moshier, 1989): `expf` after a reduction by multiples of ln 2, within 2 units in the last place on
//! (−87.3, 0]; `tanhf` near 0. A NaN stays NaN.

use crate::simd::Simd;

/// eˣ for `x` in (−87.3, 88.7); smaller values count as −87.3, NaN stays NaN.
#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    /// 1.5 · 2²³: adding and subtracting it rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let x = s.max(s.splat(-87.3), s.min(s.splat(88.7), x));
    let n = s.sub(s.mul_add(x, s.splat(core::f32::consts::LOG2_E), s.splat(ROUND)), s.splat(ROUND));
    // ln 2 in two parts, the first exact in the product with n.
    let r = s.mul_add(n, s.splat(-0.693_359_4), x);
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    let mut p = s.splat(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        p = s.mul_add(p, r, s.splat(c));
    }
    let p = s.mul_add(s.mul(r, r), p, s.add(r, s.splat(1.0)));
    s.mul(p, s.pow2(n))
}

/// `-x`, and 0 for 0.
#[inline(always)]
pub(super) fn neg<S: Simd>(s: S, x: S::V) -> S::V {
    s.sub(s.splat(0.0), x)
}

/// `|x|`.
#[inline(always)]
pub(super) fn abs<S: Simd>(s: S, x: S::V) -> S::V {
    s.max(neg(s, x), x)
}

/// `a` where `cond > 0`, else `b`, which must be finite or NaN; −0 counts as 0.
#[inline(always)]
pub(super) fn select<S: Simd>(s: S, cond: S::V, a: S::V, b: S::V) -> S::V {
    s.add(s.where_positive(cond, a), s.sub(b, s.where_positive(cond, b)))
}

/// `tanh(x)`, within 3 units in the last place: a polynomial up to 0.625, and `1 - 2 / (exp(2|x|) + 1)` beyond.
#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let magnitude = abs(s, x);
    let e = exp(s, s.add(magnitude, magnitude));
    let far = s.sub(s.splat(1.0), s.div(s.splat(2.0), s.add(e, s.splat(1.0))));
    let far = select(s, x, far, neg(s, far));
    // Only |x| up to 0.625 is used; the bound keeps the rest finite.
    let near = s.max(s.splat(-1.0), s.min(s.splat(1.0), x));
    let square = s.mul(near, near);
    let mut p = s.splat(-5.704_988_7e-3);
    for c in [2.063_908_8e-2, -5.373_971_6e-2, 0.133_314_42, -0.333_332_8] {
        p = s.mul_add(p, square, s.splat(c));
    }
    let near = s.mul_add(s.mul(p, square), near, near);
    select(s, s.sub(magnitude, s.splat(0.625)), far, near)
}

/// `(1 / (1 + exp(-x)), exp(-|x|))`, the former within 4 units in the last place above −87; below it is about 1e-38.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let e = exp(s, neg(s, abs(s, x)));
    let larger = s.div(s.splat(1.0), s.add(s.splat(1.0), e));
    (select(s, x, larger, s.mul(e, larger)), e)
}

/// `ln(1 + x)` for `x` in [0, 1], within 3 units in the last place: `2 atanh(x / (2 + x))` by its series.
#[inline(always)]
pub(super) fn ln_1p<S: Simd>(s: S, x: S::V) -> S::V {
    let t = s.div(x, s.add(s.splat(2.0), x));
    let square = s.mul(t, t);
    let mut p = s.splat(2.0 / 15.0);
    for n in [13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        p = s.mul_add(p, square, s.splat(2.0 / n));
    }
    s.mul_add(s.mul(p, square), t, s.add(t, t))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::{exp, ln_1p, sigmoid, tanh};
    use crate::simd::{Backend, Kernel, Simd};

    #[derive(Clone, Copy, Debug)]
    enum Function {
        Exp,
        Tanh,
        Sigmoid,
        Ln1p,
    }

    struct Apply<'a>(Function, &'a mut [f32]);
    impl Kernel for Apply<'_> {
        type Out = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for block in self.1.chunks_mut(S::LANES) {
                let x = s.read(block);
                let y = match self.0 {
                    Function::Exp => exp(s, x),
                    Function::Tanh => tanh(s, x),
                    Function::Sigmoid => sigmoid(s, x).0,
                    Function::Ln1p => ln_1p(s, x),
                };
                s.write(y, block);
            }
        }
    }

    /// Compares a function with double precision, on every backend.
    fn within(ulps: f64, function: Function, xs: &[f32], exact: impl Fn(f64) -> f64) {
        for backend in Backend::available() {
            let mut ys = xs.to_vec();
            backend.run(Apply(function, &mut ys));
            for (x, y) in xs.iter().zip(&ys) {
                let exact = exact(f64::from(*x));
                let magnitude = (exact as f32).abs();
                let ulp = f64::from(magnitude.next_up()) - f64::from(magnitude);
                let error = (f64::from(*y) - exact).abs() / ulp;
                assert!(error <= ulps, "{} {function:?}({x}) = {y}, {error} ulps", backend.name());
            }
        }
    }

    #[test]
    fn functions_are_as_precise_as_they_say() {
        let grid = |from: i32, to: i32| (from..to).map(|i| i as f32 * 1e-3).collect::<Vec<_>>();
        within(2.0, Function::Exp, &grid(-87_300, 1), libm::exp);
        within(3.0, Function::Tanh, &grid(-20_000, 20_001), libm::tanh);
        within(
            3.0,
            Function::Tanh,
            &[1e-20, -1e-7, 0.624_999_94, 0.625, 0.625_000_06, 90.0, -3e38],
            libm::tanh,
        );
        within(4.0, Function::Sigmoid, &grid(-87_000, 87_001), |x| 1.0 / (1.0 + libm::exp(-x)));
        within(3.0, Function::Ln1p, &grid(0, 1001), libm::log1p);
        within(3.0, Function::Ln1p, &[1e-30, 1e-9, 1e-5], libm::log1p);
    }

    #[test]
    fn functions_keep_nan_and_saturate() {
        for backend in Backend::available() {
            let mut ys = [f32::NAN, -1e30, f32::NEG_INFINITY, 0.0];
            backend.run(Apply(Function::Exp, &mut ys));
            assert!(ys[0].is_nan(), "{}", backend.name());
            assert!(ys[1] > 0.0 && ys[1] < 2e-38 && ys[2] == ys[1]);
            assert_eq!(ys[3], 1.0);
            for (function, low, middle) in [(Function::Tanh, -1.0, 0.0), (Function::Sigmoid, 0.0, 0.5)] {
                let mut ys = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY, 0.0];
                backend.run(Apply(function, &mut ys));
                assert!(ys[0].is_nan(), "{} {function:?}", backend.name());
                assert!(
                    (ys[1] - low).abs() < 2e-38 && ys[2] == 1.0 && ys[3] == middle,
                    "{function:?} {ys:?}"
                );
            }
        }
    }
}
