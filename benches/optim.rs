//! What an optimizer adds to a step of 784-128-10 at batch 64: `cargo bench -p selvedge --bench optim` prints the time of
//! each optimizer's step over that of plain SGD, measured in alternation, medians of the pairs, on every vector backend.

use std::time::Instant;

use selvedge::arena::CACHE_LINE_FLOATS;
use selvedge::optim::{Optimizer, OptimizerStep};
use selvedge::{Arena, Backend, Init, Mlp, Rng, Serial, Shape, Update, Workspace, kernel};

const IMAGES: usize = 4096;
const BATCH: usize = 64;
const STEPS: usize = 100;
const ROUNDS: usize = 15;
const OPTIMIZERS: [(&str, Optimizer); 3] = [
    ("momentum", Optimizer::Sgd { momentum: 0.9, nesterov: false }),
    ("nesterov", Optimizer::Sgd { momentum: 0.9, nesterov: true }),
    ("adamw", Optimizer::ADAMW),
];

/// A network in training and what its steps use.
struct Training<'a> {
    mlp: Mlp,
    pixels: &'a [u8],
    labels: &'a [u8],
    params: Vec<f32>,
    gradient: Vec<f32>,
    state: Vec<f32>,
    workspace: Workspace<'a>,
}

impl Training<'_> {
    /// Microseconds of a step, of plain SGD where there is no optimizer.
    fn step_time(&mut self, optimizer: Option<Optimizer>) -> f64 {
        let Self { mlp, pixels, labels, params, gradient, state, workspace } = self;
        let begin = Instant::now();
        for step in 0..STEPS {
            let first = step * BATCH % IMAGES;
            let index: [u32; BATCH] = std::array::from_fn(|n| (first + n) as u32);
            let fill = |row: usize, rows: &mut [f32]| {
                kernel::gather(mlp.backend, pixels, &index[row..][..rows.len() / 784], rows);
            };
            let update = match optimizer {
                None => Update::Sgd { learning_rate: 1e-3 },
                Some(_) => Update::Gradient(gradient),
            };
            mlp.step(&Serial, params, workspace, &labels[first..][..BATCH], &fill, update).unwrap();
            if let Some(optimizer) = optimizer {
                let optimizer_step =
                    OptimizerStep::new(optimizer, 1e-3, step as u32 + 1).with_weight_decay(0.1);
                let state = &mut state[..optimizer.state_floats(mlp.shape)];
                optimizer_step.apply(mlp.backend, &Serial, mlp.shape, gradient, state, params).unwrap();
            }
        }
        begin.elapsed().as_secs_f64() * 1e6 / STEPS as f64
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut rng = Rng::new(2);
    let pixels: Vec<u8> = (0..IMAGES * 784).map(|_| rng.below(256) as u8).collect();
    let labels: Vec<u8> = (0..IMAGES).map(|_| rng.below(10) as u8).collect();
    let shape = Shape::new(&[784, 128, 10]).unwrap();
    for backend in Backend::available().filter(|b| !["naive", "scalar"].contains(&b.name())) {
        let mut memory = vec![0.0; Workspace::floats(shape, BATCH) + CACHE_LINE_FLOATS];
        let mut params = vec![0.0; shape.params()];
        Init::He.draw(shape, &mut rng, &mut params).unwrap();
        let mut training = Training {
            mlp: Mlp::new(shape, backend),
            pixels: &pixels,
            labels: &labels,
            params,
            gradient: vec![0.0; shape.params()],
            state: vec![0.0; 2 * shape.params()],
            workspace: Workspace::new(shape, BATCH, &mut Arena::aligned(&mut memory)).unwrap(),
        };
        for (name, optimizer) in OPTIMIZERS {
            training.state.fill(0.0);
            let pairs = (0..ROUNDS).map(|_| (training.step_time(None), training.step_time(Some(optimizer))));
            let pairs: Vec<(f64, f64)> = pairs.collect();
            let ratio = median(pairs.iter().map(|p| p.1 / p.0).collect());
            let (plain, optimized) =
                (median(pairs.iter().map(|p| p.0).collect()), median(pairs.iter().map(|p| p.1).collect()));
            println!(
                "{:15} {name:9} {optimized:6.1} us a step, plain SGD {plain:6.1} us, ratio {ratio:.2}",
                backend.name()
            );
        }
    }
}
