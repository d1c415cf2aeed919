//! Every product of every backend against the specification in double precision, at boundary sizes, with painted inputs,
//! poisoned outputs and guards around them. Kernels other than products are in `passes.rs`; that results do not depend on
//! threads or blocks is in `bits.rs`.
//!
//! `SELVEDGE_REQUIRE_BACKEND=avx512` (names with commas) makes the suite fail where a backend is missing.

mod common;

use common::{Guarded, SIZES, assert_close, backends, bits, painted, wide};
use proptest::prelude::*;
use selvedge::mat::{Mat, MatMut};
use selvedge::{Backend, kernel, naive};

/// A product, and the strides of its operands.
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

/// Steps of K a multiple of 1 KB apart, and a C too large for L2: blocks of A are packed.
#[test]
fn gemm_of_steps_that_share_cache_sets() {
    for (m, slack, k, n, alpha) in [
        (512, 0, 32, 300, -0.1),
        (512, 0, 65, 260, 1.0),
        (401, 111, 128, 333, -0.1),
        (401, 111, 129, 333, 1.0),
        (300, 212, 256, 450, -0.1),
        (512, 256, 257, 300, 1.0),
    ] {
        for backend in backends() {
            let case = Case { m, k, n, alpha, beta: 1.0, transposed: true, slack: [slack, 0, 3] };
            check_gemm(backend, case);
        }
    }
}

/// Rows of C a multiple of 4 KB apart: all of a tile is loaded before any of it is stored.
#[test]
fn gemm_of_rows_that_alias() {
    for (m, k, n) in [(1, 3, 1024usize), (7, 5, 1000), (8, 64, 992), (21, 9, 1023), (9, 2, 2048)] {
        for (alpha, beta) in [(1.0, 1.0), (-0.1, 1.0), (0.5, -0.5), (1.0, 0.0)] {
            for backend in backends() {
                let slack = [0, 2, n.next_multiple_of(1024) - n];
                check_gemm(backend, Case { m, k, n, alpha, beta, transposed: k % 2 == 0, slack });
            }
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

/// Runs `input_gradient` on `backend` and compares with the specification; rows are `slack` elements further apart than needed.
fn check_input_gradient(backend: Backend, (b, i, o): (usize, usize, usize), slack: usize) {
    let what = format!("{} input_gradient {b} {i} {o} + {slack}", backend.name());
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
    naive::input_gradient(o, &wide(&dz), &wide(&w), &wide(&a), &mut expected);
    let bound = vec![(o + 2) as f64 * 4.0 * o as f64 * f64::from(f32::EPSILON); i];

    let mut dx = Guarded::of(&vec![f32::NAN; b * (i + slack)]);
    kernel::input_gradient(
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
fn input_gradients() {
    for (s, &b) in SIZES[1..13].iter().enumerate() {
        for (t, &i) in SIZES[1..].iter().enumerate() {
            for (u, &o) in SIZES[1..].iter().enumerate() {
                if b * i * o <= 300_000 {
                    backends().for_each(|backend| check_input_gradient(backend, (b, i, o), (s + t + u) % 3));
                }
            }
        }
    }
    // Wider than one block of packed rows; K large enough that few rows take the transposed product.
    for shape in [(19, 50, 1100), (32, 600, 257), (48, 21, 300), (64, 300, 256)] {
        backends().for_each(|backend| check_input_gradient(backend, shape, 3));
    }
    // Rows that alias, of whole vectors and not.
    for (shape, slack) in [((9, 1024, 5), 0), ((21, 992, 12), 32), ((8, 1023, 64), 1)] {
        backends().for_each(|backend| check_input_gradient(backend, shape, slack));
    }
}
