//! Products of operands rounded to bf16: against the specification on operands rounded beforehand, and the same bits on
//! every backend, however rows are split.

mod common;

use common::{Guarded, Problem, assert_close, backends, bits, painted, wide};
use half::bf16;
use selvedge::mat::{Mat, MatMut};
use selvedge::simd::Precision;
use selvedge::{Arena, Backend, Serial, Update, Workspace, kernel, naive};

/// Every backend, with bf16.
fn bf16_backends() -> impl Iterator<Item = Backend> {
    backends().map(|b| b.with_precision(Precision::Bf16))
}

fn rounded(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| bf16::from_f32(x).to_f64()).collect()
}

/// Numbers that bf16 does not hold exactly.
fn uneven(len: usize, salt: usize) -> Vec<f32> {
    painted(len, salt).iter().map(|x| x * 1.0123 + 0.001).collect()
}

/// Shapes around the tiles, the blocks of pairs and of rows; `k` odd and even.
const SHAPES: [(usize, usize, usize); 14] = [
    (1, 1, 1),
    (2, 3, 5),
    (0, 4, 4),
    (3, 0, 7),
    (8, 16, 32),
    (64, 784, 128),
    (784, 64, 128),
    (64, 128, 10),
    (65, 257, 33),
    (5, 300, 200),
    (130, 31, 40),
    (17, 1031, 16),
    (66, 515, 70),
    (9, 33, 600),
];

#[test]
fn products_are_those_of_rounded_operands() {
    for (case, (m, k, n)) in SHAPES.into_iter().enumerate() {
        for (transposed, slack) in [(false, 0), (true, 3)] {
            let (lda, ldb, ldc) = (if transposed { m } else { k } + slack, n + slack, n + slack);
            let rows = if transposed { k } else { m };
            let (a, b) = (uneven(rows * lda, 1), uneven(k * ldb, 2));
            let (alpha, beta) = [(1.0, 0.0), (1.0, 1.0), (-0.5, 0.25)][case % 3];
            let old = if beta == 0.0 { vec![f32::NAN; m * ldc] } else { uneven(m * ldc, 3) };
            let strides = if transposed { (1, lda) } else { (lda, 1) };
            let mut expected = vec![0.0; m * ldc];
            let operand = naive::Operand { data: &rounded(&a)[..], strides };
            let c0 = wide(&old);
            expected.copy_from_slice(&c0);
            naive::gemm((m, k, n), alpha.into(), operand, &rounded(&b), ldb, beta.into(), &mut expected, ldc);
            let bound = vec![(k + 3) as f64 * 5.0 * (k + 1) as f64 * f64::from(f32::EPSILON); n];
            for backend in bf16_backends() {
                let what = format!("{} ({m}, {k}, {n}) transposed {transposed}", backend.name());
                let av = Mat::with_strides(&a, m, k, strides.0, strides.1);
                let mut c = Guarded::of(&old);
                let cv = MatMut::with_stride(c.get(), m, n, ldc);
                kernel::gemm(backend, alpha, av, Mat::with_strides(&b, k, n, ldb, 1), beta, cv);
                for (row, expected) in c.finish(&what).chunks(ldc).zip(expected.chunks(ldc)) {
                    assert_close(&what, &row[..n], &expected[..n], &bound);
                }
            }
        }
    }
}

/// Input gradients are rounded in layers of at least 16 outputs, and only there.
#[test]
fn input_gradients_are_those_of_rounded_operands() {
    for (b, i, o) in [(64, 128, 16), (3, 7, 65), (65, 33, 257), (64, 300, 515), (17, 16, 1031), (64, 128, 15)]
    {
        let (dz, w, a) = (uneven(b * o, 1), uneven(i * o, 2), uneven(b * i, 3));
        let operands = if o < 16 { [wide(&dz), wide(&w)] } else { [rounded(&dz), rounded(&w)] };
        let mut expected = vec![0.0; b * i];
        naive::input_gradient(o, &operands[0], &operands[1], &wide(&a), &mut expected);
        assert!(expected.contains(&0.0) && expected.iter().any(|&x| x != 0.0));
        let bound = vec![(o + 3) as f64 * 5.0 * (o + 1) as f64 * f64::from(f32::EPSILON); i];
        for backend in bf16_backends() {
            let what = format!("{} ({b}, {i}, {o})", backend.name());
            let mut dx = vec![f32::NAN; b * i];
            let (dz, w, a) = (Mat::new(&dz, b, o), Mat::new(&w, i, o), Mat::new(&a, b, i));
            kernel::input_gradient(backend, dz, w, a, MatMut::new(&mut dx, b, i));
            for (row, expected) in dx.chunks(i).zip(expected.chunks(i)) {
                assert_close(&what, row, expected, &bound);
            }
        }
    }
}

#[test]
fn every_backend_gives_the_same_bits() {
    for (m, k, n) in SHAPES {
        let (a, b, c0, bias) = (uneven(m * k, 1), uneven(k * n, 2), uneven(m * n, 3), uneven(n, 4));
        let run = |backend: Backend, rows: usize| {
            let (mut z, mut c, mut dx) = (vec![f32::NAN; m * n], c0.clone(), vec![0.0; m * n]);
            let w = Mat::new(&b, k, n);
            for first in (0..m).step_by(rows.max(1)) {
                let taken = rows.min(m - first);
                let x = Mat::new(&a[first * k..], taken, k);
                let part = |all: &mut Vec<f32>, f: &dyn Fn(MatMut<'_>)| {
                    f(MatMut::new(&mut all[first * n..][..taken * n], taken, n));
                };
                part(&mut z, &|z| kernel::dense(backend, x, w, &bias, true, z));
                part(&mut c, &|c| kernel::gemm(backend, 1.0, x, w, 1.0, c));
                if k >= 16 {
                    let (w, mask) = (Mat::new(&b, n, k), Mat::new(&c0[first * n..], taken, n));
                    part(&mut dx, &|dx| kernel::input_gradient(backend, x, w, mask, dx));
                }
            }
            [bits(&z), bits(&c), bits(&dx)]
        };
        let expected = run(Backend::SCALAR.with_precision(Precision::Bf16), m);
        for backend in bf16_backends() {
            assert_eq!(run(backend, m), expected, "{} ({m}, {k}, {n})", backend.name());
            assert_eq!(run(backend, 7), expected, "{} ({m}, {k}, {n}) by rows", backend.name());
        }
    }
}

/// Losses in bf16 stay near those in single precision: operands have eight significant bits.
#[test]
fn steps_follow_single_precision() {
    let problem = Problem::new(&[50, 33, 17, 5], 13, 5);
    let train = |backend: Backend| {
        let mut memory = vec![0.0; Workspace::floats(problem.shape, 13)];
        let mut workspace = Workspace::new(problem.shape, 13, &mut Arena::new(&mut memory)).unwrap();
        let mut params = problem.params.clone();
        let losses = (0..30).map(|_| {
            let (mlp, update) = (problem.mlp(backend), Update::Sgd { learning_rate: 0.1 });
            mlp.step(&Serial, &mut params, &mut workspace, &problem.labels[..], &problem.fill(), update)
                .unwrap()
                .loss_sum
        });
        losses.collect::<Vec<_>>()
    };
    for backend in backends() {
        let (single, bf16_losses) = (train(backend), train(backend.with_precision(Precision::Bf16)));
        assert_ne!(single, bf16_losses, "{}", backend.name());
        assert!(bf16_losses[29] < 0.5 * bf16_losses[0], "{}: {bf16_losses:?}", backend.name());
        for (step, (s, h)) in single.iter().zip(&bf16_losses).enumerate() {
            assert!((s - h).abs() < 0.02 * single[0], "{} step {step}: {h} for {s}", backend.name());
        }
    }
}
