//! The specification: plain loops that say what every kernel computes.
//!
//! Written to be read and compared against, in `f32` (the baseline of the benchmarks and the `naive` backend) and in
//! `f64` (the oracle of the tests). The loop order suits row-major data: the innermost loop always walks a row, so that the
//! compiler can vectorize it. No blocking, no packing, no intrinsics.
//!
//! Shape letters, here and everywhere: `b` rows of a batch, `i` inputs and `o` outputs of a layer.

pub mod integer;
mod optim;

pub use optim::{adamw, momentum};

use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::shape::Shape;

/// The floats that the specification is written for.
pub trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The nearest value to a count.
    fn from_count(n: usize) -> Self;
    /// The exponential.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
}

macro_rules! real {
    ($float:ty, $exp:path, $ln:path, $sqrt:path) => {
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn from_count(n: usize) -> Self {
                n as Self
            }
            fn exp(self) -> Self {
                $exp(self)
            }
            fn ln(self) -> Self {
                $ln(self)
            }
            fn sqrt(self) -> Self {
                $sqrt(self)
            }
        }
    };
}

real!(f32, libm::expf, libm::logf, libm::sqrtf);
real!(f64, libm::exp, libm::log, libm::sqrt);

/// A matrix operand of [`gemm`]: element `(r, c)` at `r * strides.0 + c * strides.1`.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a, T> {
    /// The memory.
    pub data: &'a [T],
    /// Elements to the next row and to the next column.
    pub strides: (usize, usize),
}

impl<'a, T> Operand<'a, T> {
    /// A dense row-major operand of `cols` columns.
    pub fn dense(data: &'a [T], cols: usize) -> Self {
        Self { data, strides: (cols, 1) }
    }

    /// The transposed operand.
    pub fn t(self) -> Self {
        Self { data: self.data, strides: (self.strides.1, self.strides.0) }
    }
}

/// `C(m,n) = alpha * A(m,k) * B(k,n) + beta * C`, with `B` and `C` row-major.
///
/// `dims` is `(m, k, n)`, `ldb` and `ldc` the row strides of `B` and `C`. With `beta == 0` the old `C` is never read.
#[allow(clippy::too_many_arguments)] // The argument list of a BLAS gemm; a struct would not make it shorter.
pub fn gemm<T: Real>(
    (m, k, n): (usize, usize, usize),
    alpha: T,
    a: Operand<'_, T>,
    b: &[T],
    ldb: usize,
    beta: T,
    c: &mut [T],
    ldc: usize,
) {
    for r in 0..m {
        let c_row = if n == 0 { &mut [][..] } else { &mut c[r * ldc..][..n] };
        if beta == T::ZERO {
            c_row.fill(T::ZERO);
        } else {
            for x in c_row.iter_mut() {
                *x = beta * *x;
            }
        }
        for p in 0..k {
            let scaled = alpha * a.data[r * a.strides.0 + p * a.strides.1];
            let b_row = if n == 0 { &[][..] } else { &b[p * ldb..][..n] };
            for (x, &y) in c_row.iter_mut().zip(b_row) {
                *x += scaled * y;
            }
        }
    }
}

/// `p / 255`, correctly rounded, without a division: 1/255 in two parts, the first short enough for an exact product.
#[inline(always)]
pub fn unit(p: u8) -> f32 {
    const HIGH: f32 = 257.0 / 65536.0;
    const LOW: f32 = (1.0 / 255.0 - 257.0 / 65536.0) as f32;
    f32::from(p) * HIGH + f32::from(p) * LOW
}

/// `z(b,o) += bias(o)`, then, with `relu`, negative values become 0; NaN stays NaN.
pub fn bias_relu<T: Real>(z: &mut [T], bias: &[T], relu: bool) {
    for row in z.chunks_exact_mut(bias.len()) {
        for (x, &b) in row.iter_mut().zip(bias) {
            *x += b;
            if relu && *x < T::ZERO {
                *x = T::ZERO;
            }
        }
    }
}

/// The input gradient of a layer, through the ReLU before it: `dx(b,i) = dz(b,o) * W(i,o)ᵀ` where the activation `a(b,i)` is
/// positive, else 0. Plain dot products, since the summed dimension of both operands is in rows.
pub fn input_gradient<T: Real>(o: usize, dz: &[T], w: &[T], a: &[T], dx: &mut [T]) {
    let i = w.len() / o;
    for ((dx, a), dz) in dx.chunks_exact_mut(i).zip(a.chunks_exact(i)).zip(dz.chunks_exact(o)) {
        for ((d, &a), w) in dx.iter_mut().zip(a).zip(w.chunks_exact(o)) {
            let mut sum = T::ZERO;
            for (&g, &w) in dz.iter().zip(w) {
                sum += g * w;
            }
            *d = if a > T::ZERO { sum } else { T::ZERO };
        }
    }
}

/// `out(o) = alpha * Σ_b z(b,o) + beta * out`; with `beta == 0` the old `out` is never read.
pub fn column_sum<T: Real>(z: &[T], alpha: T, beta: T, out: &mut [T]) {
    for x in out.iter_mut() {
        *x = if beta == T::ZERO { T::ZERO } else { beta * *x };
    }
    for row in z.chunks_exact(out.len()) {
        for (x, &y) in out.iter_mut().zip(row) {
            *x += alpha * y;
        }
    }
}

/// Softmax and cross entropy of a batch, in place: the logits `z(b,o)` become `dz = softmax(z) - onehot(label)`, the
/// gradient of the summed loss; `losses(b)` receives the loss of each row. Returns how many rows have their largest
/// logit (the first of equals) at the label.
///
/// The largest logit is subtracted before the exponential, so that no finite logit overflows; a NaN logit makes the
/// loss NaN.
pub fn softmax_loss<T: Real>(z: &mut [T], labels: &[u8], losses: &mut [T]) -> u32 {
    let mut correct = 0;
    let o = z.len() / labels.len();
    for ((row, &label), loss) in z.chunks_exact_mut(o).zip(labels).zip(losses) {
        let best = argmax(row);
        correct += u32::from(best == usize::from(label));
        let (max, target) = (row[best], row[usize::from(label)]);
        let mut sum = T::ZERO;
        for x in row.iter_mut() {
            *x = (*x - max).exp();
            sum += *x;
        }
        *loss = sum.ln() - (target - max);
        for x in row.iter_mut() {
            *x = *x / sum;
        }
        row[usize::from(label)] = row[usize::from(label)] - T::ONE;
    }
    correct
}

/// The position of the largest value, the first of equals; a NaN is never larger.
pub fn argmax<T: PartialOrd + Copy>(row: &[T]) -> usize {
    let mut best = 0;
    for (c, &x) in row.iter().enumerate() {
        if x > row[best] {
            best = c;
        }
    }
    best
}

/// Scratch of [`gradient`], in elements: activations and their gradients of every layer.
pub const fn gradient_scratch(shape: Shape, b: usize) -> usize {
    2 * b * (shape.hidden_sum() + shape.outputs())
}

/// The mean loss of a batch `x(b,i)` and its gradient with respect to every parameter, by the chain rule.
///
/// `grad` has the layout of `params`; `scratch` holds at least [`gradient_scratch`] elements.
pub fn gradient<T: Real>(
    shape: Shape,
    params: &[T],
    x: &[T],
    labels: &[u8],
    grad: &mut [T],
    scratch: &mut [T],
) -> T {
    let b = labels.len();
    let layers = shape.layers();
    let (acts, deltas) = scratch.split_at_mut(gradient_scratch(shape, b) / 2);
    let offset = |l: usize| (0..l).map(|j| (shape.width(j) + 1) * shape.width(j + 1)).sum::<usize>();
    let act = |l: usize| (1..l).map(|j| b * shape.width(j)).sum::<usize>();

    for l in 0..layers {
        let (i, o) = (shape.width(l), shape.width(l + 1));
        let (w, bias) = params[offset(l)..][..(i + 1) * o].split_at(i * o);
        let (before, z) = acts.split_at_mut(act(l + 1));
        let (input, z) = (if l == 0 { x } else { &before[act(l)..] }, &mut z[..b * o]);
        gemm((b, i, o), T::ONE, Operand::dense(input, i), w, o, T::ZERO, z, o);
        bias_relu(z, bias, l + 1 < layers);
    }

    let o = shape.outputs();
    let logits = &acts[act(layers)..][..b * o];
    let (dz, losses) = (&mut deltas[act(layers)..][..b * o], &mut grad[..1]);
    dz.copy_from_slice(logits);
    let mut loss = T::ZERO;
    for (row, &label) in dz.chunks_exact_mut(o).zip(labels) {
        softmax_loss(row, &[label], &mut losses[..1]);
        loss += losses[0];
    }

    let scale = T::ONE / T::from_count(b);
    for l in (0..layers).rev() {
        let (i, o) = (shape.width(l), shape.width(l + 1));
        let (before, dz) = deltas.split_at_mut(act(l + 1));
        let dz = &dz[..b * o];
        let input = if l == 0 { x } else { &acts[act(l)..][..b * i] };
        let (dw, db) = grad[offset(l)..][..(i + 1) * o].split_at_mut(i * o);
        gemm((i, b, o), scale, Operand::dense(input, i).t(), dz, o, T::ZERO, dw, o);
        column_sum(dz, scale, T::ZERO, db);
        if l > 0 {
            input_gradient(o, dz, &params[offset(l)..][..i * o], input, &mut before[act(l)..][..b * i]);
        }
    }
    loss * scale
}
