//! The three products of a layer.

use std::time::Duration;

use selvedge::mat::{Mat, MatMut};
use selvedge::{Backend, Rng, kernel, naive};

use super::measure::{Number, Race};
use super::{BATCH, Case, Line, Name, WIDTHS};
use crate::error::Result;
use crate::memory::Floats;

/// Batches, inputs and outputs of the layers that the best backend is measured on.
const GRID: ([usize; 3], [usize; 4], [usize; 4]) =
    ([32, 64, 256], [256, 784, 1024, 4096], [64, 128, 512, 1024]);
/// A few large layers `(b, i, o)` for every backend.
const LARGE: [(usize, usize, usize); 2] = [(256, 1024, 512), (64, 4096, 1024)];

/// Layers `(b, i, o)` of the network itself.
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
        // One lane has nothing to gain from large layers.
        (false, 1) => Vec::new(),
        (false, _) => LARGE.to_vec(),
    };
    own_layers()
        .into_iter()
        .chain(more)
        .flat_map(|(b, i, o)| {
            let forward = Case::new(Name::Forward, backend, &[b, i, o]);
            let weights = Case::new(Name::Weights, backend, &[i, b, o]);
            // The first layer of a network carries no gradient further down.
            let delta = (i != WIDTHS[0]).then(|| Case::new(Name::Delta, backend, &[b, o, i]));
            [Some(forward), Some(weights), delta].into_iter().flatten()
        })
        .collect()
}

/// Whether the lengths of a product are those of a layer of the grid.
pub(super) fn is_on_grid(shape: &[usize]) -> bool {
    let (batches, inputs, outputs) = GRID;
    let &[m, k, n] = shape else { return false };
    let layers = [(m, k, n), (k, m, n), (m, n, k)];
    layers.iter().any(|(b, i, o)| batches.contains(b) && inputs.contains(i) && outputs.contains(o))
}

/// The matrices of a layer.
struct Layer {
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

impl Layer {
    fn new(case: &Case) -> Result<Self> {
        let (b, i, o) = match (case.name, case.shape[0], case.shape[1], case.shape[2]) {
            (Name::Weights, i, b, o) => (b, i, o),
            (Name::Delta, b, o, i) => (b, i, o),
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

    /// Enters the product of a name on a backend.
    fn enter<'a>(&'a self, race: &mut Race<'a>, name: Name, backend: Backend) -> Result<Number> {
        /// Small enough that the weights stay as they are, nearly, however often it runs.
        const RATE: f32 = -1e-9;
        let Self { b, i, o, x, w, bias, dz } = self;
        let (&b, &i, &o) = (b, i, o);
        let (x, dz) = (Mat::new(x, b, i), Mat::new(dz, b, o));
        Ok(match name {
            Name::Weights => {
                let mut w = Floats::copy_of(w, "weights to measure")?;
                race.enter(move || {
                    kernel::gemm(backend, RATE, x.t(), dz, 1.0, MatMut::new(&mut w, i, o));
                })
            }
            Name::Delta => {
                let mut dx = Floats::zeroed(b * i, "deltas to measure")?;
                let w = Mat::new(w, i, o);
                if backend == Backend::NAIVE {
                    let mut wt = Floats::zeroed(i * o, "weights to measure")?;
                    race.enter(move || {
                        naive_delta((b, o, i), dz.data(), w.data(), x.data(), &mut wt, &mut dx);
                    })
                } else {
                    race.enter(move || kernel::input_gradient(backend, dz, w, x, MatMut::new(&mut dx, b, i)))
                }
            }
            _ => {
                let mut z = Floats::zeroed(b * o, "activations to measure")?;
                let w = Mat::new(w, i, o);
                race.enter(move || kernel::dense(backend, x, w, bias, true, MatMut::new(&mut z, b, o)))
            }
        })
    }
}

/// `dX(b,i) = dZ(b,o) Wᵀ` where `a` is positive, in plain loops. `W` is transposed first: walking its columns or taking
/// dot products of ten terms would be slower.
fn naive_delta(
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

/// Measures a product beside the peak, the plain loops and `matrixmultiply`.
pub(super) fn measure(case: &Case) -> Result<Line> {
    let layer = Layer::new(case)?;
    let mut race = Race::new();
    let own = layer.enter(&mut race, case.name, case.backend)?;
    let peak = race.enter_peak(case.backend);
    let naive = layer.enter(&mut race, case.name, Backend::NAIVE)?;
    let borrowed = Backend::by_name("matrixmultiply")
        .map(|backend| layer.enter(&mut race, case.name, backend))
        .transpose()?;
    let on_the_network = own_layers().contains(&(layer.b, layer.i, layer.o));
    let single = case.single().map(|backend| layer.enter(&mut race, case.name, backend)).transpose()?;
    let times = race.run(Duration::from_millis(if on_the_network { 240 } else { 80 }));
    let of_peak = times.of_peak(own, 2.0 * case.macs(), peak);
    Ok(Line {
        vs_naive: Some(times.speed_up(own, naive)),
        vs_matrixmultiply: borrowed.map(|borrowed| times.speed_up(own, borrowed)),
        vs_f32: single.map(|single| times.speed_up(own, single)),
        ..case.line(times.seconds(own), Some(of_peak))
    })
}
