//! A product's bits depend neither on the path that computes it nor on the rows beside it, nor, on backends that do not fuse,
//! on the width of vectors.

mod common;

use common::{backends, bits, painted};
use selvedge::mat::{Mat, MatMut};
use selvedge::{Backend, kernel};

/// The same bits whether or not B is packed, wherever blocks end, and whether or not its transpose is given instead.
#[test]
fn bits_do_not_depend_on_the_path() {
    for (m, k, n) in [(40, 1300, 130), (37, 70, 2050), (64, 600, 300), (150, 600, 300)] {
        let (a, b, c0) = (painted(m * k, 1), painted(k * n, 2), painted(m * n, 3));
        let mut bt = vec![0.0; k * n];
        kernel::transpose(k, n, &b, &mut bt);
        let mask = vec![1.0; m * n];
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
                    let (wt, mask) = (Mat::new(&bt, n, k), Mat::new(&mask, m, n));
                    kernel::input_gradient(backend, av, wt, mask, MatMut::new(&mut by_rows, m, n));
                    assert_eq!(bits(&whole), bits(&by_rows), "{} {m} {k} {n} transposed", backend.name());
                }
            }
        }
    }
}

/// A single row skips zeros, several rows do not: the bits are the same, even where a sum becomes −0 because a product is
/// too small, or the bias is −0.
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
