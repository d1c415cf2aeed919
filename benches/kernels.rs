//! Kernels, whole steps and predictions on every backend: `cargo bench -p selvedge --bench kernels`, with part of a name
//! after `--` to run only those.
//!
//! Items are multiply-adds, so Gitem/s is half of GFLOP/s. `selvedge bench` measures the same beside the peak and beside
//! other libraries; this is for a developer who changes a kernel and wants one number again and again. The `naive` rows
//! are the plain loops of the specification: row-major, innermost along the rows of B and C.

use divan::Bencher;
use divan::counter::ItemsCount;
use selvedge::arena::CACHE_LINE_FLOATS;
use selvedge::mat::{Mat, MatMut};
use selvedge::{Activations, Arena, Backend, Init, Mlp, Rng, Serial, Shape, Update, Workspace, kernel};

const WIDTHS: [usize; 3] = [784, 128, 10];
const BATCH: usize = 64;

fn main() {
    divan::main();
}

fn backends() -> Vec<&'static str> {
    Backend::available().map(Backend::name).collect()
}

fn backend(name: &str) -> Backend {
    Backend::by_name(name).expect("a name of this CPU's list")
}

fn draw(len: usize) -> Vec<f32> {
    let mut rng = Rng::new(1);
    (0..len).map(|_| 0.05 * rng.normal()).collect()
}

/// A layer `(b, i, o)` of the network.
#[derive(Clone, Copy, Debug)]
enum Layer {
    Hidden,
    Output,
}

impl Layer {
    const fn lengths(self) -> (usize, usize, usize) {
        match self {
            Self::Hidden => (BATCH, WIDTHS[0], WIDTHS[1]),
            Self::Output => (BATCH, WIDTHS[1], WIDTHS[2]),
        }
    }
}

fn forward(bencher: Bencher<'_, '_>, name: &str, layer: Layer) {
    let (b, i, o) = layer.lengths();
    let (x, w, bias, mut z) = (draw(b * i), draw(i * o), draw(o), draw(b * o));
    bencher.counter(ItemsCount::new(b * i * o)).bench_local(|| {
        let z = MatMut::new(&mut z, b, o);
        kernel::dense(backend(name), Mat::new(&x, b, i), Mat::new(&w, i, o), &bias, true, z);
    });
}

fn weights(bencher: Bencher<'_, '_>, name: &str, layer: Layer) {
    let (b, i, o) = layer.lengths();
    let (x, dz, mut w) = (draw(b * i), draw(b * o), draw(i * o));
    bencher.counter(ItemsCount::new(b * i * o)).bench_local(|| {
        let w = MatMut::new(&mut w, i, o);
        kernel::gemm(backend(name), -1e-9, Mat::new(&x, b, i).t(), Mat::new(&dz, b, o), 1.0, w);
    });
}

#[divan::bench(args = backends())]
fn forward_hidden(bencher: Bencher<'_, '_>, name: &str) {
    forward(bencher, name, Layer::Hidden);
}

#[divan::bench(args = backends())]
fn forward_output(bencher: Bencher<'_, '_>, name: &str) {
    forward(bencher, name, Layer::Output);
}

#[divan::bench(args = backends())]
fn weights_hidden(bencher: Bencher<'_, '_>, name: &str) {
    weights(bencher, name, Layer::Hidden);
}

#[divan::bench(args = backends())]
fn weights_output(bencher: Bencher<'_, '_>, name: &str) {
    weights(bencher, name, Layer::Output);
}

#[divan::bench(args = backends())]
fn input_gradient_output(bencher: Bencher<'_, '_>, name: &str) {
    let (b, i, o) = Layer::Output.lengths();
    let (dz, w, a, mut dx) = (draw(b * o), draw(i * o), draw(b * i), draw(b * i));
    bencher.counter(ItemsCount::new(b * i * o)).bench_local(|| {
        let (dz, w, a) = (Mat::new(&dz, b, o), Mat::new(&w, i, o), Mat::new(&a, b, i));
        kernel::input_gradient(backend(name), dz, w, a, MatMut::new(&mut dx, b, i));
    });
}

fn network(name: &str) -> (Mlp, Vec<f32>, Vec<u8>) {
    let shape = Shape::new(&WIDTHS).expect("valid widths");
    let mut params = vec![0.0; shape.params()];
    Init::He.draw(shape, &mut Rng::new(7), &mut params).expect("parameters of this shape");
    let mut rng = Rng::new(2);
    // Half of the pixels black, as in photographs of clothes.
    let pixels = (0..BATCH * WIDTHS[0]).map(|_| (rng.below(512) as i32 - 256).max(0) as u8).collect();
    (Mlp::new(shape, backend(name)), params, pixels)
}

#[divan::bench(args = backends())]
fn step(bencher: Bencher<'_, '_>, name: &str) {
    let (mlp, mut params, pixels) = network(name);
    let mut memory = vec![0.0; Workspace::floats(mlp.shape, BATCH) + CACHE_LINE_FLOATS];
    let mut workspace =
        Workspace::new(mlp.shape, BATCH, &mut Arena::aligned(&mut memory)).expect("memory enough");
    let index: Vec<u32> = (0..BATCH as u32).collect();
    let labels: Vec<u8> = (0..BATCH).map(|n| (n % WIDTHS[2]) as u8).collect();
    let fill = |first: usize, rows: &mut [f32]| {
        kernel::gather(mlp.backend, &pixels, &index[first..][..rows.len() / WIDTHS[0]], rows);
    };
    bencher.bench_local(|| {
        let update = Update::Sgd { learning_rate: 1e-6 };
        mlp.step(&Serial, &mut params, &mut workspace, &labels, &fill, update).expect("a finite loss")
    });
}

fn predict(bencher: Bencher<'_, '_>, name: &str, rows: usize) {
    let (mlp, params, pixels) = network(name);
    let mut memory = vec![0.0; Activations::floats(mlp.shape, rows) + CACHE_LINE_FLOATS];
    let mut activations =
        Activations::new(mlp.shape, rows, &mut Arena::aligned(&mut memory)).expect("memory enough");
    let index: Vec<u32> = (0..rows as u32).collect();
    let fill = |first: usize, out: &mut [f32]| {
        kernel::gather(mlp.backend, &pixels, &index[first..][..out.len() / WIDTHS[0]], out);
    };
    bencher.counter(ItemsCount::new(rows * mlp.shape.macs())).bench_local(|| {
        mlp.forward(&Serial, &params, &mut activations, rows, &fill).expect("a batch that fits")[0]
    });
}

#[divan::bench(args = backends())]
fn predict_one(bencher: Bencher<'_, '_>, name: &str) {
    predict(bencher, name, 1);
}

#[divan::bench(args = backends())]
fn predict_64(bencher: Bencher<'_, '_>, name: &str) {
    predict(bencher, name, BATCH);
}
