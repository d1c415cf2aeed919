//! The three matrix products of a layer.

use std::time::Duration;

use selvedge::mat::{Mat, MatMut};
use selvedge::{Backend, Rng, kernel, naive};

use super::compare::{CandidateId, Comparison};
use super::{BATCH, Case, Measurement, Operation, WIDTHS};
use crate::error::Result;
use crate::memory::Floats;

/// The batch sizes, inputs and outputs of the grid of layers that the best backend is measured on.
const GRID: ([usize; 3], [usize; 4], [usize; 4]) =
    ([32, 64, 256], [256, 784, 1024, 4096], [64, 128, 512, 1024]);
/// The large layers `(b, i, o)` that every backend is measured on.
const LARGE: [(usize, usize, usize); 2] = [(256, 1024, 512), (64, 4096, 1024)];

/// The layers `(b, i, o)` of the reference network.
fn own_layers() -> [(usize, usize, usize); 2] {
    let [i, h, o] = WIDTHS;
    [(BATCH, i, h), (BATCH, h, o)]
}

/// The products of `backend`, on the whole grid if it is the best.
pub(super) fn cases(backend: Backend, best: bool) -> Vec<Case> {
    let (batches, inputs, outputs) = GRID;
    let grid = batches
        .into_iter()
        .flat_map(|b| inputs.into_iter().flat_map(move |i| outputs.into_iter().map(move |o| (b, i, o))));
    let more: Vec<_> = match (best, backend.lanes()) {
        (true, _) => grid.filter(|layer| !own_layers().contains(layer)).collect(),
        // A backend of one lane gains nothing from large layers.
        (false, 1) => Vec::new(),
        (false, _) => LARGE.to_vec(),
    };
    own_layers()
        .into_iter()
        .chain(more)
        .flat_map(|(b, i, o)| {
            let forward = Case::new(Operation::Forward, backend, &[b, i, o]);
            let weight_gradient = Case::new(Operation::WeightGradient, backend, &[i, b, o]);
            // The first layer of a network needs no input gradient.
            let input_gradient =
                (i != WIDTHS[0]).then(|| Case::new(Operation::InputGradient, backend, &[b, o, i]));
            [Some(forward), Some(weight_gradient), input_gradient].into_iter().flatten()
        })
        .collect()
}

/// Whether the dimensions of a product are those of a layer of the grid.
pub(super) fn is_on_grid(shape: &[usize]) -> bool {
    let (batches, inputs, outputs) = GRID;
    let &[m, k, n] = shape else { return false };
    let layers = [(m, k, n), (k, m, n), (m, n, k)];
    layers.iter().any(|(b, i, o)| batches.contains(b) && inputs.contains(i) && outputs.contains(o))
}

/// The matrices of a layer.
struct LayerMatrices {
    b: usize,
    i: usize,
    o: usize,
    /// `(b, i)`, as after a ReLU: half of it zeros.
    x: Floats,
    /// `(i, o)`.
    w: Floats,
    bias: Floats,
    /// `(b, o)`.
    dz: Floats,
}

impl LayerMatrices {
    fn new(case: &Case) -> Result<Self> {
        let (b, i, o) = match (case.name, case.shape[0], case.shape[1], case.shape[2]) {
            (Operation::WeightGradient, i, b, o) => (b, i, o),
            (Operation::InputGradient, b, o, i) => (b, i, o),
            (_, b, i, o) => (b, i, o),
        };
        let mut rng = Rng::new(1);
        let mut draw = |len: usize, scale: f32, relu: bool| -> Result<Floats> {
            let mut floats = Floats::zeroed(len, "a layer to measure")?;
            floats.fill_with(|| {
                let x = scale * rng.normal();
                if relu { x.max(0.0) } else { x }
            });
            Ok(floats)
        };
        Ok(Self {
            b,
            i,
            o,
            x: draw(b * i, 1.0, true)?,
            w: draw(i * o, 0.05, false)?,
            bias: draw(o, 0.1, false)?,
            dz: draw(b * o, 0.1, false)?,
        })
    }

    /// Adds an operation on a backend to a comparison.
    fn add<'a>(
        &'a self,
        comparison: &mut Comparison<'a>,
        name: Operation,
        backend: Backend,
    ) -> Result<CandidateId> {
        /// Small enough that the weights hardly change over all runs.
        const LEARNING_RATE: f32 = -1e-9;
        let Self { b, i, o, x, w, bias, dz } = self;
        let (&b, &i, &o) = (b, i, o);
        let (x, dz) = (Mat::new(x, b, i), Mat::new(dz, b, o));
        Ok(match name {
            Operation::WeightGradient => {
                let mut w = Floats::copy_of(w, "weights to measure")?;
                comparison.add(move || {
                    kernel::gemm(backend, LEARNING_RATE, x.t(), dz, 1.0, MatMut::new(&mut w, i, o));
                })
            }
            Operation::InputGradient => {
                let mut dx = Floats::zeroed(b * i, "gradients to measure")?;
                let w = Mat::new(w, i, o);
                if backend == Backend::NAIVE {
                    let mut wt = Floats::zeroed(i * o, "weights to measure")?;
                    comparison.add(move || {
                        naive_input_gradient((b, o, i), dz.data(), w.data(), x.data(), &mut wt, &mut dx);
                    })
                } else {
                    comparison
                        .add(move || kernel::input_gradient(backend, dz, w, x, MatMut::new(&mut dx, b, i)))
                }
            }
            _ => {
                let mut z = Floats::zeroed(b * o, "activations to measure")?;
                let w = Mat::new(w, i, o);
                comparison.add(move || kernel::dense(backend, x, w, bias, true, MatMut::new(&mut z, b, o)))
            }
        })
    }
}

/// `dX(b,i) = dZ(b,o) Wᵀ` where `a` is positive, in naive loops. `W` is transposed first, since a loop along its columns and
/// dot products of ten terms are slower.
fn naive_input_gradient(
    (b, o, i): (usize, usize, usize),
    dz: &[f32],
    w: &[f32],
    a: &[f32],
    wt: &mut [f32],
    dx: &mut [f32],
) {
    kernel::transpose(i, o, w, wt);
    naive::gemm((b, o, i), 1.0, naive::Operand::dense(dz, o), wt, i, 0.0, dx, i);
    for (d, &a) in dx.iter_mut().zip(a) {
        *d = if a > 0.0 { *d } else { 0.0 };
    }
}

/// Compares a product with the peak, the naive loops and `matrixmultiply`.
pub(super) fn measure(case: &Case) -> Result<Measurement> {
    let layer = LayerMatrices::new(case)?;
    let mut comparison = Comparison::new();
    let own = layer.add(&mut comparison, case.name, case.backend)?;
    let peak = comparison.add_peak(case.backend);
    let naive = layer.add(&mut comparison, case.name, Backend::NAIVE)?;
    let matrixmultiply = Backend::by_name("matrixmultiply")
        .map(|backend| layer.add(&mut comparison, case.name, backend))
        .transpose()?;
    let on_the_network = own_layers().contains(&(layer.b, layer.i, layer.o));
    let single = case.single().map(|backend| layer.add(&mut comparison, case.name, backend)).transpose()?;
    let times = comparison.run(Duration::from_millis(if on_the_network { 240 } else { 80 }));
    let of_peak = times.of_peak(own, 2.0 * case.macs(), peak);
    Ok(Measurement {
        vs_naive: Some(times.speed_up(own, naive)),
        vs_matrixmultiply: matrixmultiply.map(|other| times.speed_up(own, other)),
        vs_f32: single.map(|single| times.speed_up(own, single)),
        ..case.measurement(times.seconds(own), Some(of_peak))
    })
}
