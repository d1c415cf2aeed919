//! Whole steps of the network, and predictions.

use std::hint::black_box;
use std::num::NonZero;
use std::time::Duration;

use selvedge::mat::{Mat, MatMut};
use selvedge::{
    Activations, Arena, Backend, Executor, Init, Mlp, Rng, Serial, Shape, Update, Workspace, kernel,
};

use super::busy::BusyCores;
use super::compare::{CandidateId, Comparison};
use super::{BATCH, Case, Dtype, Measurement, Operation, WIDTHS};
use crate::data::demo;
use crate::data::normalise::Inputs;
use crate::error::Result;
use crate::inference::float::Predictor;
use crate::memory::Floats;
use crate::pipeline::State;
use crate::recipe::{Recipe, WeightInit};
use crate::thread_pool::{ThreadPool, Threads};

/// Images of a large batch of predictions.
const MANY: usize = 10_000;
/// Garments drawn; larger sets repeat them.
pub(super) const DRAWN: usize = 2_000;

/// Multiply-adds of a forward pass of `[b, widths..]`.
pub(super) fn forward_macs(shape: &[usize]) -> f64 {
    (shape[0] * shape[1..].windows(2).map(|w| w[0] * w[1]).sum::<usize>()) as f64
}

/// Multiply-adds of a step of `[b, widths..]`: forward, weights, and the deltas of all layers but the first.
pub(super) fn step_macs(shape: &[usize]) -> f64 {
    3.0 * forward_macs(shape) - (shape[0] * shape[1] * shape[2]) as f64
}

/// Threads to measure with: two, if the machine has as many cores.
pub(super) fn two_threads() -> Option<usize> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (cores >= 2).then_some(2)
}

/// A thread pool of exactly so many.
pub(super) fn thread_pool(threads: usize) -> ThreadPool {
    ThreadPool::new(NonZero::new(threads).map_or(Threads::ONE, Threads::Count))
}

/// Steps and, unless in bf16, which only training knows, predictions of `backend`; on two threads too if it is the best.
pub(super) fn cases(backend: Backend, best: bool) -> Vec<Case> {
    let shape = |rows: usize| [&[rows], &WIDTHS[..]].concat();
    let step = Case::new(Operation::Step, backend, &shape(BATCH));
    if step.single().is_some() {
        return vec![step];
    }
    let one = Case::new(Operation::Infer, backend, &shape(1));
    let many = Case::new(Operation::Infer, backend, &shape(MANY));
    let integer = |case: &Case| Case { dtype: Dtype::I8, ..case.clone() };
    let mut cases = vec![step.clone(), one.clone(), integer(&one), many.clone(), integer(&many)];
    if let Some(threads) = two_threads().filter(|_| best) {
        cases.push(Case { threads, ..step.clone() });
        cases.push(Case { threads, busy: true, ..step });
        cases.push(Case { threads, ..many });
    }
    cases
}

/// Images and labels: garments as the demo draws them, so that as many pixels are black as in photographs of clothes.
pub(super) fn images(count: usize) -> (Vec<u8>, Vec<u8>) {
    let (pixels, labels) = demo::generate(1, DRAWN.min(count));
    (
        pixels.iter().copied().cycle().take(count * WIDTHS[0]).collect(),
        labels.iter().copied().cycle().take(count).collect(),
    )
}

/// The recipe of the networks that are measured.
pub(super) fn recipe() -> Recipe {
    let hidden = WIDTHS[1..WIDTHS.len() - 1].to_vec();
    Recipe { hidden, batch: BATCH, init: WeightInit(Init::He), ..Recipe::default() }
}

/// A network at the start of its training.
pub(super) struct Net {
    pub mlp: Mlp,
    pub params: Floats,
    memory: Floats,
    batch: usize,
}

impl Net {
    pub(super) fn new(backend: Backend, widths: &[usize], batch: usize) -> Result<Self> {
        let shape = Shape::new(widths)?;
        let params = State::new(&recipe(), shape, None)?.params;
        let memory = Floats::zeroed(Workspace::floats(shape, batch), "a step to measure")?;
        Ok(Self { mlp: Mlp::new(shape, backend), params, memory, batch })
    }

    /// A step on the images at `index`.
    pub(super) fn step(
        &mut self,
        team: &impl Executor,
        pixels: &[u8],
        labels: &[u8],
        index: &[u32],
        rate: f32,
    ) {
        let inputs = self.mlp.shape.inputs();
        let mut workspace = Workspace::new(self.mlp.shape, self.batch, &mut Arena::new(&mut self.memory))
            .expect("memory of this size");
        let fill = |first: usize, rows: &mut [f32]| {
            kernel::gather(self.mlp.backend, pixels, &index[first..][..rows.len() / inputs], rows);
        };
        let update = Update::Sgd { learning_rate: rate };
        let outcome = self.mlp.step(team, &mut self.params, &mut workspace, labels, &fill, update);
        outcome.expect("a small rate does not diverge");
    }
}

/// Batches of garments, each elsewhere in memory, as a shuffle makes it.
struct Batches {
    pixels: Vec<u8>,
    /// The images of each batch and their labels.
    batches: Vec<(Vec<u32>, Vec<u8>)>,
}

impl Batches {
    fn new(batch: usize) -> Self {
        let (pixels, labels) = images(DRAWN.max(batch));
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        Rng::new(3).shuffle(&mut order);
        let with_labels =
            |index: &[u32]| (index.to_vec(), index.iter().map(|&n| labels[n as usize]).collect());
        Self { pixels, batches: order.chunks_exact(batch).map(with_labels).collect() }
    }
}

/// Enters steps on one batch after another.
fn enter_step<'a, T: Executor>(
    comparison: &mut Comparison<'a>,
    mut net: Net,
    data: &'a Batches,
    team: &'a T,
) -> CandidateId {
    /// Low enough that the network stays as it is, nearly, however often it steps.
    const RATE: f32 = 1e-6;
    let mut turn = data.batches.iter().cycle();
    comparison.add(move || {
        let (index, labels) = turn.next().expect("batches without end");
        net.step(team, &data.pixels, labels, index, RATE);
    })
}

/// Measures a step.
pub(super) fn step(case: &Case) -> Result<Measurement> {
    let (batch, widths) = (case.shape[0], &case.shape[1..]);
    let data = Batches::new(batch);
    let net = |backend: Backend| Net::new(backend, widths, batch);
    if case.threads > 1 {
        return step_together(case, &data, net(case.backend)?, net(case.backend)?);
    }
    let mut comparison = Comparison::new();
    let own = enter_step(&mut comparison, net(case.backend)?, &data, &Serial);
    let peak = comparison.add_peak(case.backend);
    let naive = enter_step(&mut comparison, net(Backend::NAIVE)?, &data, &Serial);
    let borrowed = match Backend::by_name("matrixmultiply") {
        Some(backend) => Some(enter_step(&mut comparison, net(backend)?, &data, &Serial)),
        None => None,
    };
    let single =
        case.single().map(net).transpose()?.map(|net| enter_step(&mut comparison, net, &data, &Serial));
    let last = output_layer(
        &mut comparison,
        case.backend,
        batch,
        [widths[widths.len() - 2], widths[widths.len() - 1]],
    )?;
    let times = comparison.run(Duration::from_millis(600));
    let of_peak = times.of_peak(own, 2.0 * case.macs(), peak);
    Ok(Measurement {
        vs_naive: Some(times.speed_up(own, naive)),
        vs_matrixmultiply: borrowed.map(|borrowed| times.speed_up(own, borrowed)),
        vs_f32: single.map(|single| times.speed_up(own, single)),
        output_layer_percent: Some(100.0 / times.speed_up(last, own)),
        ..case.measurement(times.seconds(own), Some(of_peak))
    })
}

/// Measures a step on several threads beside one on one.
fn step_together(case: &Case, data: &Batches, together: Net, alone: Net) -> Result<Measurement> {
    let thread_pool = thread_pool(case.threads);
    let _busy = case.busy.then(BusyCores::start).transpose()?;
    // Threads take a moment to wake up and to find their cores, and other processes get theirs in slices.
    let (sample, budget) = if case.busy { (20, 3000) } else { (4, 600) };
    let mut comparison = Comparison::with_sample(Duration::from_millis(sample));
    let own = enter_step(&mut comparison, together, data, &thread_pool);
    let alone = enter_step(&mut comparison, alone, data, &Serial);
    let peak = comparison.add_peak(case.backend);
    let times = comparison.run(Duration::from_millis(budget));
    let of_peak = times.of_peak(own, 2.0 * case.macs(), peak) / case.threads as f64;
    let line = case.measurement(times.seconds(own), (!case.busy).then_some(of_peak));
    Ok(Measurement { vs_one_thread: Some(times.speed_up(own, alone)), ..line })
}

/// Enters what a step does for an output layer: its product and biases, its weights' and biases' update, and the
/// gradient that it carries down.
fn output_layer(
    comparison: &mut Comparison<'_>,
    backend: Backend,
    b: usize,
    [i, o]: [usize; 2],
) -> Result<CandidateId> {
    const RATE: f32 = -1e-9;
    let floats = |len: usize| -> Result<Floats> {
        let mut floats = Floats::zeroed(len, "an output layer to measure")?;
        floats.fill(0.01);
        Ok(floats)
    };
    let (a, mut w, mut bias) = (floats(b * i)?, floats(i * o)?, floats(o)?);
    let (mut z, dz, mut dx) = (floats(b * o)?, floats(b * o)?, floats(b * i)?);
    Ok(comparison.add(move || {
        let (a, dz) = (Mat::new(&a, b, i), Mat::new(&dz, b, o));
        kernel::dense(backend, a, Mat::new(&w, i, o), &bias, false, MatMut::new(&mut z, b, o));
        kernel::input_gradient(backend, dz, Mat::new(&w, i, o), a, MatMut::new(&mut dx, b, i));
        kernel::gemm(backend, RATE, a.t(), dz, 1.0, MatMut::new(&mut w, i, o));
        kernel::column_sum(backend, RATE, dz.data(), 1.0, &mut bias);
    }))
}

/// Measures predictions: of one image at a time, or of many in batches.
pub(super) fn infer(case: &Case) -> Result<Measurement> {
    let images = images(case.shape[0].max(DRAWN)).0;
    let (thread_pool, solo) = (thread_pool(case.threads), thread_pool(1));
    let mut comparison =
        if case.threads == 1 { Comparison::new() } else { Comparison::with_sample(Duration::from_millis(4)) };
    let own = add_inference(&mut comparison, case, case.backend, &images, &thread_pool)?;
    let peak = comparison.add_peak(case.backend);
    let rivals = if case.threads > 1 {
        [None, None, Some(add_inference(&mut comparison, case, case.backend, &images, &solo)?)]
    } else {
        let borrowed = Backend::by_name("matrixmultiply");
        let borrowed =
            borrowed.map(|b| add_inference(&mut comparison, case, b, &images, &solo)).transpose()?;
        [Some(add_inference(&mut comparison, case, Backend::NAIVE, &images, &solo)?), borrowed, None]
    };
    let times = comparison.run(Duration::from_millis(500));
    let of_peak = times.of_peak(own, 2.0 * case.macs(), peak) / case.threads as f64;
    let [vs_naive, vs_matrixmultiply, vs_one_thread] = rivals.map(|r| r.map(|r| times.speed_up(own, r)));
    Ok(Measurement {
        vs_naive,
        vs_matrixmultiply,
        vs_one_thread,
        ..case.measurement(times.seconds(own), Some(of_peak))
    })
}

pub(super) fn add_inference<'a>(
    comparison: &mut Comparison<'a>,
    case: &Case,
    backend: Backend,
    pixels: &'a [u8],
    thread_pool: &'a ThreadPool,
) -> Result<CandidateId> {
    let net = Net::new(backend, &case.shape[1..], 1)?;
    if case.shape[0] == 1 {
        enter_one(comparison, net, pixels)
    } else {
        enter_many(comparison, net, pixels, thread_pool)
    }
}

/// Enters predictions of one image after another.
fn enter_one<'a>(comparison: &mut Comparison<'a>, net: Net, pixels: &'a [u8]) -> Result<CandidateId> {
    let Net { mlp, params, .. } = net;
    let mut memory = Floats::zeroed(Activations::floats(mlp.shape, 1), "a prediction to measure")?;
    let mut turn = (0..(pixels.len() / mlp.shape.inputs()) as u32).cycle();
    Ok(comparison.add(move || {
        let mut activations =
            Activations::new(mlp.shape, 1, &mut Arena::new(&mut memory)).expect("memory of this size");
        let index = [turn.next().expect("images without end")];
        let fill = |_: usize, row: &mut [f32]| kernel::gather(mlp.backend, pixels, &index, row);
        let logits = mlp.forward(&Serial, &params, &mut activations, 1, &fill);
        black_box(logits.expect("parameters of this shape"));
    }))
}

/// Enters predictions of all images, in the batches of an evaluation.
fn enter_many<'a>(
    comparison: &mut Comparison<'a>,
    net: Net,
    pixels: &'a [u8],
    thread_pool: &'a ThreadPool,
) -> Result<CandidateId> {
    let Net { mlp, params, .. } = net;
    let index: Vec<u32> = (0..(pixels.len() / mlp.shape.inputs()) as u32).collect();
    let mut predictor = Predictor::for_images(mlp, index.len())?;
    let inputs = Inputs::plain(pixels);
    Ok(comparison.add(move || {
        let see = |activations: &Activations<'_>, index: &[u32]| {
            black_box(activations.logits(index.len()));
        };
        predictor.forward(thread_pool, &params, &inputs, &index, see).expect("parameters of this shape");
    }))
}
