//! The reproducible backends, which promise the same bits on every machine: `scalar` is what a microcontroller runs,
//! `portable` what a desktop checks it with. They agree to the bit for all numbers, although only `scalar` skips zeros.

mod common;

use common::{Problem, bits, painted};
use selvedge::mat::{Mat, MatMut};
use selvedge::{Arena, Backend, Rng, Serial, Update, Workspace, kernel, naive};

const SIZES: [usize; 10] = [0, 1, 2, 3, 4, 7, 8, 17, 33, 70];

/// Values with many zeros of both signs and, where `wild`, infinities, NaN and the smallest numbers.
fn values(rng: &mut Rng, len: usize, wild: bool) -> Vec<f32> {
    let mut draw = || match rng.below(if wild { 14 } else { 8 }) {
        0..=2 => 0.0,
        3 => -0.0,
        4..=7 => rng.normal(),
        8 | 9 => 1e-38 * rng.normal(),
        10 => 1e-45,
        11 => f32::INFINITY,
        12 => f32::NEG_INFINITY,
        _ => f32::NAN,
    };
    (0..len).map(|_| draw()).collect()
}

/// Bits, with every NaN alike: which of two NaN a sum passes on is the processor's choice.
fn comparable(values: &[f32]) -> Vec<u32> {
    bits(&values.iter().map(|&x| if x.is_nan() { f32::NAN } else { x }).collect::<Vec<_>>())
}

#[test]
fn products_agree_whatever_the_numbers() {
    let mut rng = Rng::new(5);
    let mut odd = 0;
    for (case, &m) in SIZES.iter().enumerate() {
        for &n in &SIZES {
            for &k in &SIZES {
                for wild in [false, true] {
                    let (a, b, c) = (
                        values(&mut rng, m * k, wild),
                        values(&mut rng, k * n, wild),
                        values(&mut rng, m * n, wild),
                    );
                    let bias = values(&mut rng, n, wild);
                    for (alpha, beta) in [(1.0, 0.0), (1.0, 1.0), (-0.5, 0.0), (0.25, 1.0), (-0.0, 3.0)] {
                        let run = |backend| {
                            let mut c = c.clone();
                            let a = if case % 2 == 0 { Mat::new(&a, m, k) } else { Mat::new(&a, k, m).t() };
                            kernel::gemm(
                                backend,
                                alpha,
                                a,
                                Mat::new(&b, k, n),
                                beta,
                                MatMut::new(&mut c, m, n),
                            );
                            comparable(&c)
                        };
                        let expected = run(Backend::SCALAR);
                        assert_eq!(run(Backend::PORTABLE), expected, "({m}, {k}, {n}) {alpha} {beta} {wild}");
                        odd += usize::from(expected.contains(&f32::NAN.to_bits()));
                    }
                    let run = |backend, relu| {
                        let mut z = vec![f32::NAN; m * n];
                        let (x, w) = (Mat::new(&a, m, k), Mat::new(&b, k, n));
                        kernel::dense(backend, x, w, &bias, relu, MatMut::new(&mut z, m, n));
                        comparable(&z)
                    };
                    for relu in [false, true] {
                        assert_eq!(
                            run(Backend::PORTABLE, relu),
                            run(Backend::SCALAR, relu),
                            "({m}, {k}, {n})"
                        );
                    }
                }
            }
        }
    }
    assert!(odd > 100, "{odd} products with a NaN: the wild ones were not");
}

/// Without zeros they are the specification's own sums.
#[test]
fn sums_are_the_specifications() {
    for (m, k, n) in [(4, 70, 33), (70, 4, 33), (9, 9, 9)] {
        let nonzero = |len, salt| painted(len, salt).iter().map(|x| x + 0.001).collect::<Vec<_>>();
        let (a, b, c) = (nonzero(m * k, 1), nonzero(k * n, 2), nonzero(m * n, 3));
        for beta in [0.0, 1.0] {
            let mut expected = c.clone();
            naive::gemm((m, k, n), 1.0, naive::Operand::dense(&a, k), &b, n, beta, &mut expected, n);
            for backend in [Backend::SCALAR, Backend::PORTABLE] {
                let mut c = c.clone();
                kernel::gemm(
                    backend,
                    1.0,
                    Mat::new(&a, m, k),
                    Mat::new(&b, k, n),
                    beta,
                    MatMut::new(&mut c, m, n),
                );
                assert_eq!(bits(&c), bits(&expected), "{} ({m}, {k}, {n}) {beta}", backend.name());
            }
        }
    }
}

/// Steps on rows that are half zeros, from parameters with zeros of both signs among them.
#[test]
fn steps_agree_to_the_bit() {
    for (widths, b) in [(&[784, 32, 10][..], 1), (&[784, 32, 10], 4), (&[33, 17, 9, 5], 7), (&[20, 3], 2)] {
        let mut problem = Problem::new(widths, b, 11);
        let mut rng = Rng::new(12);
        problem.x = values(&mut rng, problem.x.len(), false);
        for p in problem.params.iter_mut().step_by(5) {
            *p = -0.0;
        }
        let train = |backend| {
            let mut memory = vec![0.0; Workspace::floats(problem.shape, b)];
            let mut workspace = Workspace::new(problem.shape, b, &mut Arena::new(&mut memory)).unwrap();
            let mut params = problem.params.clone();
            for _ in 0..20 {
                let update = Update::Sgd { learning_rate: 0.1 };
                let mlp = problem.mlp(backend);
                mlp.step(&Serial, &mut params, &mut workspace, &problem.labels[..], &problem.fill(), update)
                    .unwrap();
            }
            params
        };
        let params = train(Backend::SCALAR);
        assert_ne!(bits(&params), bits(&problem.params));
        assert_eq!(bits(&train(Backend::PORTABLE)), bits(&params), "{widths:?}, batch {b}");
    }
}
