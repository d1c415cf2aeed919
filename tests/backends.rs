//! Every kernel of every backend against the specification in double precision, at boundary sizes, with painted inputs,
//! poisoned outputs and guards around them.
//!
//! `SELVEDGE_REQUIRE_BACKEND=avx512` (names with commas) makes the suite fail where a backend is missing.

mod common;

use common::{Guarded, SIZES, assert_close, backends, bits, painted, wide};
use proptest::prelude::*;
use selvedge::mat::{Mat, MatMut};
use selvedge::{Backend, kernel, naive};

/// A product and where its operands lie.
#[derive(Debug, Clone, Copy)]
struct Case {
    m: usize,
    k: usize,
    n: usize,
    alpha: f32,
    beta: f32,
    transposed: bool,
    /// Elements more than needed between rows of A, B and C.
    slack: [usize; 3],
}

/// Runs `case` on `backend` and compares with the specification.
fn check_gemm(backend: Backend, case: Case) {
    let Case { m, k, n, alpha, beta, transposed, slack } = case;
    let what = format!("{} {case:?}", backend.name());
    let (a_rows, a_cols) = if transposed { (k, m) } else { (m, k) };
    let (lda, ldb, ldc) = (a_cols + slack[0], n + slack[1], n + slack[2]);
    let (a, b) = (painted(a_rows * lda, 1), painted(k * ldb, 2));
    let mut c0 = painted(m * ldc, 3);
    if beta == 0.0 {
        c0.chunks_mut(ldc.max(1)).for_each(|row| row[..n].fill(f32::NAN));
    }

    let mut c = Guarded::of(&c0);
    let av = Mat::with_strides(&a, a_rows, a_cols, lda, 1);
    let av = if transposed { av.t() } else { av };
    let bv = Mat::with_strides(&b, k, n, ldb, 1);
    kernel::gemm(backend, alpha, av, bv, beta, MatMut::with_stride(c.get(), m, n, ldc));
    let c = c.finish(&what);

    let operand = naive::Operand { data: &wide(&a)[..], strides: (av.row_stride(), av.col_stride()) };
    let mut expected = wide(&c0);
    naive::gemm((m, k, n), f64::from(alpha), operand, &wide(&b), ldb, f64::from(beta), &mut expected, ldc);
    // Each of the k + 3 roundings moves the result by at most half an ulp of what the magnitudes add up to.
    let abs = |v: &[f32]| v.iter().map(|x| f64::from(x.abs())).collect::<Vec<_>>();
    let operand = naive::Operand { data: &abs(&a)[..], strides: operand.strides };
    let mut bound = abs(&c0);
    naive::gemm(
        (m, k, n),
        f64::from(alpha.abs()),
        operand,
        &abs(&b),
        ldb,
        f64::from(beta.abs()),
        &mut bound,
        ldc,
    );
    bound.iter_mut().for_each(|b| *b *= (k + 3) as f64 * f64::from(f32::EPSILON));
    for r in 0..m {
        let row = r * ldc..r * ldc + n;
        assert_close(&what, &c[row.clone()], &expected[row.clone()], &bound[row]);
        let gap = r * ldc + n..(r + 1) * ldc;
        assert_eq!(bits(&c[gap.clone()]), bits(&c0[gap]), "{what}: wrote between rows of C");
    }
}

#[test]
fn required_backends_are_there() {
    let required = std::env::var("SELVEDGE_REQUIRE_BACKEND").unwrap_or_default();
    for name in required.split(',').filter(|n| !n.is_empty()) {
        assert!(
            Backend::by_name(name).is_some(),
            "this CPU has no {name}, and SELVEDGE_REQUIRE_BACKEND asks for it"
        );
    }
    assert!(Backend::by_name("portable").is_some() && Backend::by_name("nonsense").is_none());
}

#[test]
fn gemm_at_boundary_sizes() {
    let mut tried = 0;
    for (s, &m) in SIZES.iter().enumerate() {
        for (t, &n) in SIZES.iter().enumerate() {
            for (u, &k) in SIZES.iter().enumerate() {
                // Large sizes meet each other only where one of them is small.
                if m * n * k > 600_000 {
                    continue;
                }
                let alpha = [1.0, -0.5, 0.0][(s + t + u) % 3];
                let beta = [0.0, 1.0, -0.5][(s + 2 * t + u) % 3];
                let slack = [s % 3, t % 2 * 5, u % 3];
                let case = Case { m, k, n, alpha, beta, transposed: (s + u) % 2 == 0, slack };
                backends().for_each(|backend| check_gemm(backend, case));
                tried += 1;
            }
        }
    }
    assert!(tried > 2000, "{tried}");
}

#[test]
fn gemm_of_the_network() {
    for (m, k, n, transposed, alpha, beta) in [
        (64, 784, 128, false, 1.0, 0.0),
        (784, 64, 128, true, -0.1 / 64.0, 1.0),
        (128, 10, 64, false, 1.0, 0.0),
        (64, 128, 10, false, 1.0, 0.0),
        (128, 64, 10, true, -0.1 / 64.0, 1.0),
        (33, 4096, 40, false, 1.0, 0.0),
        (20, 2100, 512, false, 0.5, 1.0),
    ] {
        for backend in backends() {
            check_gemm(backend, Case { m, k, n, alpha, beta, transposed, slack: [0; 3] });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn gemm_of_any_shape_and_stride(
        m in 0usize..40, k in 0usize..40, n in 0usize..70,
        alpha in prop::sample::select(vec![1.0f32, 0.25, -2.0]),
        beta in prop::sample::select(vec![0.0f32, 1.0, 0.5]),
        transposed: bool, slack in prop::array::uniform3(0usize..9),
    ) {
        for backend in backends() {
            check_gemm(backend, Case { m, k, n, alpha, beta, transposed, slack });
        }
    }
}

#[test]
fn dense_layers() {
    for &(b, i, o) in &[
        (1, 784, 128),
        (64, 784, 128),
        (64, 128, 10),
        (3, 5, 1),
        (7, 17, 33),
        (2, 0, 9),
        (0, 4, 4),
        (13, 9, 40),
    ] {
        for relu in [false, true] {
            let (x, w, bias) = (painted(b * i, 1), painted(i * o, 2), painted(o, 3));
            let mut expected = vec![0.0; b * o];
            let xd = wide(&x);
            naive::gemm((b, i, o), 1.0, naive::Operand::dense(&xd, i), &wide(&w), o, 0.0, &mut expected, o);
            naive::bias_relu(&mut expected, &wide(&bias), relu);
            let bound = vec![(i + 3) as f64 * 4.0 * (i + 1) as f64 * f64::from(f32::EPSILON); b * o];
            for backend in backends() {
                let what = format!("{} dense {b} {i} {o} relu {relu}", backend.name());
                let mut z = Guarded::poisoned(b * o);
                kernel::dense(
                    backend,
                    Mat::new(&x, b, i),
                    Mat::new(&w, i, o),
                    &bias,
                    relu,
                    MatMut::new(z.get(), b, o),
                );
                assert_close(&what, &z.finish(&what), &expected, &bound);
            }
        }
    }
}

#[test]
fn relu_keeps_nan() {
    for backend in backends() {
        let mut z = [0.0; 2];
        let (x, w) = ([f32::NAN, -1.0], [1.0]);
        kernel::dense(
            backend,
            Mat::new(&x, 2, 1),
            Mat::new(&w, 1, 1),
            &[0.0],
            true,
            MatMut::new(&mut z, 2, 1),
        );
        assert!(z[0].is_nan() && z[1] == 0.0, "{}: {z:?}", backend.name());
    }
}

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

/// Runs `delta` on `backend` and compares with the specification; rows are `slack` elements further apart than needed.
fn check_delta(backend: Backend, (b, i, o): (usize, usize, usize), slack: usize) {
    let what = format!("{} delta {b} {i} {o} + {slack}", backend.name());
    let dense = |rows, cols, salt| (painted(rows * cols, salt), painted(rows * (cols + slack), salt));
    let spread = |(tight, mut wide): (Vec<f32>, Vec<f32>), cols: usize| {
        for (to, from) in wide.chunks_mut(cols + slack).zip(tight.chunks(cols)) {
            to[..cols].copy_from_slice(from);
        }
        (tight, wide)
    };
    let (dz, dz_wide) = spread(dense(b, o, 1), o);
    let (w, w_wide) = spread(dense(i, o, 2), o);
    let (a, a_wide) = spread(dense(b, i, 3), i);
    let mut expected = vec![0.0; b * i];
    naive::delta(o, &wide(&dz), &wide(&w), &wide(&a), &mut expected);
    let bound = vec![(o + 2) as f64 * 4.0 * o as f64 * f64::from(f32::EPSILON); i];

    let mut dx = Guarded::of(&vec![f32::NAN; b * (i + slack)]);
    kernel::delta(
        backend,
        Mat::with_strides(&dz_wide, b, o, o + slack, 1),
        Mat::with_strides(&w_wide, i, o, o + slack, 1),
        Mat::with_strides(&a_wide, b, i, i + slack, 1),
        MatMut::with_stride(dx.get(), b, i, i + slack),
    );
    let dx = dx.finish(&what);
    for (row, expected) in dx.chunks(i + slack).zip(expected.chunks(i)) {
        assert_close(&what, &row[..i], expected, &bound);
        assert!(row[i..].iter().all(|x| x.is_nan()), "{what}: wrote between rows");
    }
}

#[test]
fn deltas() {
    for (s, &b) in SIZES[1..13].iter().enumerate() {
        for (t, &i) in SIZES[1..].iter().enumerate() {
            for (u, &o) in SIZES[1..].iter().enumerate() {
                if b * i * o <= 300_000 {
                    backends().for_each(|backend| check_delta(backend, (b, i, o), (s + t + u) % 3));
                }
            }
        }
    }
    // Wider than one block of packed rows; sums long enough that few rows are carried the other way round.
    for shape in [(19, 50, 1100), (32, 600, 257), (48, 21, 300), (64, 300, 256)] {
        backends().for_each(|backend| check_delta(backend, shape, 3));
    }
}

/// Whether B is packed, all at once or not, where blocks end, and whether its transpose is given instead: no bit shows it.
#[test]
fn bits_do_not_depend_on_the_way() {
    for (m, k, n) in [(40, 1300, 130), (37, 70, 2050), (64, 600, 300), (150, 600, 300)] {
        let (a, b, c0) = (painted(m * k, 1), painted(k * n, 2), painted(m * n, 3));
        let mut bt = vec![0.0; k * n];
        kernel::transpose(k, n, &b, &mut bt);
        let gate = vec![1.0; m * n];
        // `matrixmultiply` chooses another kernel for a few rows, and with it another order of summation.
        for backend in backends().filter(|b| b.name() != "matrixmultiply") {
            let (av, bv) = (Mat::new(&a, m, k), Mat::new(&b, k, n));
            for beta in [0.0, 1.0] {
                let (mut whole, mut by_rows) = (c0.clone(), c0.clone());
                kernel::gemm(backend, 1.0, av, bv, beta, MatMut::new(&mut whole, m, n));
                for (r, row) in by_rows.chunks_mut(n).enumerate() {
                    kernel::gemm(backend, 1.0, Mat::new(&a[r * k..], 1, k), bv, beta, MatMut::new(row, 1, n));
                }
                assert_eq!(bits(&whole), bits(&by_rows), "{} {m} {k} {n} beta {beta}", backend.name());
                if beta == 0.0 {
                    let (wt, gate) = (Mat::new(&bt, n, k), Mat::new(&gate, m, n));
                    kernel::delta(backend, av, wt, gate, MatMut::new(&mut by_rows, m, n));
                    assert_eq!(bits(&whole), bits(&by_rows), "{} {m} {k} {n} transposed", backend.name());
                }
            }
        }
    }
}

/// A single row leaves out zeros, rows that come together do not: no bit shows it, not even where a sum becomes −0 because a
/// product is too small, or the bias is −0.
#[test]
fn one_row_has_the_bits_that_it_has_among_others() {
    for (k, o) in [(1, 1), (63, 3), (64, 10), (65, 16), (130, 33), (784, 128), (300, 300)] {
        let mut x = painted(2 * k, 1);
        for (at, x) in x.iter_mut().enumerate() {
            match at % 5 {
                0 | 1 => *x = 0.0,
                2 => *x = -0.0,
                _ if at % 3 == 0 => *x = 1e-30 * x.signum(),
                _ => {}
            }
        }
        let (mut w, mut bias) = (painted(k * o, 2), painted(o, 3));
        for column in (0..o).step_by(3) {
            // Only products that are too small for a float.
            w.iter_mut().skip(column).step_by(o).for_each(|w| *w *= 1e-30);
            bias[column] = -0.0;
        }
        x.iter_mut().skip(k + 64).for_each(|x| *x *= 1e-30);
        for backend in backends().filter(|b| b.name() != "matrixmultiply") {
            for relu in [false, true] {
                let dense = |rows: usize, x: &[f32]| {
                    let mut z = vec![f32::NAN; rows * o];
                    let (x, w) = (Mat::new(x, rows, k), Mat::new(&w, k, o));
                    kernel::dense(backend, x, w, &bias, relu, MatMut::new(&mut z, rows, o));
                    z
                };
                let together = dense(2, &x);
                let alone = [dense(1, &x[..k]), dense(1, &x[k..])].concat();
                assert_eq!(bits(&together), bits(&alone), "{} {k} {o} relu {relu}", backend.name());
            }
        }
    }
}

/// What `scalar` and `portable` promise: the same bits, whatever the lanes.
#[test]
fn scalar_and_portable_agree_bit_for_bit() {
    for &(m, k, n) in &[(1, 784, 32), (5, 33, 17), (64, 64, 10), (9, 3, 66)] {
        let (a, b, c0) = (painted(m * k, 1), painted(k * n, 2), painted(m * n, 3));
        let run = |backend| {
            let mut c = c0.clone();
            let c_view = MatMut::new(&mut c, m, n);
            kernel::gemm(backend, -0.3, Mat::new(&a, m, k), Mat::new(&b, k, n), 1.0, c_view);
            let mut losses = vec![0.0; m];
            kernel::softmax_loss(backend, &mut c, &vec![0; m], &mut losses);
            let mut sums = painted(n, 4);
            kernel::column_sum(backend, 0.7, &c, 0.3, &mut sums);
            [bits(&c), bits(&losses), bits(&sums)]
        };
        assert_eq!(run(Backend::SCALAR), run(Backend::PORTABLE), "{m} {k} {n}");
    }
}
