//! The kernels other than products, on every backend, against the specification in double precision: column sums, softmax
//! and loss, transposition.

mod common;

use common::{Guarded, SIZES, assert_close, backends, painted, wide};
use selvedge::{kernel, naive};

#[test]
fn column_sums() {
    for &b in &[0, 1, 7, 64] {
        for &o in &SIZES[1..] {
            let z = painted(b * o, 1);
            for (alpha, beta) in [(1.0f32, 0.0f32), (-0.25, 1.0), (0.5, -2.0)] {
                let old = if beta == 0.0 { vec![f32::NAN; o] } else { painted(o, 2) };
                let mut expected = wide(&old);
                naive::column_sum(&wide(&z), f64::from(alpha), f64::from(beta), &mut expected);
                let bound = vec![(b + 3) as f64 * 2.0 * (b + 2) as f64 * f64::from(f32::EPSILON); o];
                for backend in backends() {
                    let what = format!("{} column_sum {b} {o} {alpha} {beta}", backend.name());
                    let mut out = Guarded::of(&old);
                    kernel::column_sum(backend, alpha, &z, beta, out.get());
                    assert_close(&what, &out.finish(&what), &expected, &bound);
                }
            }
        }
    }
}

#[test]
fn softmax_and_loss() {
    for o in 1..=40usize {
        let b = 1 + o % 5;
        let mut z: Vec<f32> = painted(b * o, o).iter().map(|x| 3.0 * x).collect();
        if o > 2 {
            z[0] = 1e4;
            z[1] = -1e4;
        }
        let labels: Vec<u8> = (0..b).map(|r| ((r * 3 + o / 2) % o) as u8).collect();
        let (mut expected, mut losses) = (wide(&z), vec![0.0; b]);
        let correct = naive::softmax_loss(&mut expected, &labels, &mut losses);
        for backend in backends() {
            let what = format!("{} softmax_loss {b} {o}", backend.name());
            let (mut dz, mut loss) = (Guarded::of(&z), Guarded::poisoned(b));
            assert_eq!(kernel::softmax_loss(backend, dz.get(), &labels, loss.get()), correct, "{what}");
            let relative = |v: &[f64]| v.iter().map(|x| 4e-6 * x.abs().max(1.0)).collect::<Vec<_>>();
            assert_close(&what, &dz.finish(&what), &expected, &relative(&expected));
            assert_close(&what, &loss.finish(&what), &losses, &relative(&losses));
        }
    }
}

#[test]
fn softmax_counts_the_first_of_equals_and_shows_nan() {
    for backend in backends() {
        let (mut z, mut losses) = ([1.0, 1.0, 1.0, 1.0], [0.0; 2]);
        assert_eq!(kernel::softmax_loss(backend, &mut z, &[0, 1], &mut losses), 1, "{}", backend.name());
        for at in 0..3 {
            let mut z = [0.5, 0.25, 0.125];
            z[at] = f32::NAN;
            kernel::softmax_loss(backend, &mut z, &[1], &mut losses[..1]);
            assert!(losses[0].is_nan(), "{}: NaN at {at} gives the loss {}", backend.name(), losses[0]);
        }
        let mut z = [f32::INFINITY, 0.0];
        kernel::softmax_loss(backend, &mut z, &[1], &mut losses[..1]);
        assert!(!losses[0].is_finite());
    }
}

#[test]
fn transposing() {
    for &m in &SIZES[..13] {
        for &n in &SIZES[..13] {
            let src = painted(m * n, 1);
            let mut dst = Guarded::poisoned(m * n);
            kernel::transpose(m, n, &src, dst.get());
            for (at, x) in dst.finish("transpose").iter().enumerate() {
                assert_eq!(*x, src[at % m * n + at / m]);
            }
        }
    }
}
