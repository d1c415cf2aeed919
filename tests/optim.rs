//! Optimizers on every backend and with every executor against the specification, and the gradients of regularized steps
//! against central differences.

mod common;

use common::{Problem, Threads, assert_close, backends, bits, painted, wide};
use selvedge::optim::{self, Optimizer, OptimizerStep};
use selvedge::{Arena, Executor, Regularize, Serial, Shape, Update, Workspace, naive};

const OPTIMIZERS: [Optimizer; 4] = [
    Optimizer::SGD,
    Optimizer::Sgd { momentum: 0.9, nesterov: false },
    Optimizer::Sgd { momentum: 0.9, nesterov: true },
    Optimizer::ADAMW,
];

fn shape() -> Shape {
    Shape::new(&[37, 19, 5]).unwrap()
}

/// The parameters after five steps, each with another painted gradient.
fn five_steps(optimizer: Optimizer, backend: selvedge::Backend, executor: &impl Executor) -> Vec<f32> {
    let n = shape().params();
    let (mut params, mut state) = (painted(n, 1), vec![0.0; optimizer.state_floats(shape())]);
    for step in 1..=5 {
        let gradient = painted(n, 10 * step as usize);
        OptimizerStep::new(optimizer, 0.01, step)
            .with_weight_decay(0.1)
            .with_gradient_scale(0.5)
            .apply(backend, executor, shape(), &gradient, &mut state, &mut params)
            .unwrap();
    }
    params
}

/// The same by the specification, in double precision.
fn expected(optimizer: Optimizer) -> Vec<f64> {
    let shape = shape();
    let weights = |n: usize| n < 37 * 19 || (38 * 19..38 * 19 + 19 * 5).contains(&n);
    let mut params = wide(&painted(shape.params(), 1));
    for (n, p) in params.iter_mut().enumerate() {
        let (mut first, mut second) = (0.0, 0.0);
        for step in 1..=5 {
            let gradient = 0.5 * f64::from(painted(shape.params(), 10 * step as usize)[n]);
            let decay = if weights(n) { 0.1 } else { 0.0 };
            match optimizer {
                Optimizer::Sgd { momentum, nesterov } => {
                    naive::momentum((0.01, decay, f64::from(momentum), nesterov), gradient, &mut first, p);
                }
                Optimizer::AdamW { beta1, beta2, epsilon } => {
                    let [b1, b2, e] = [beta1, beta2, epsilon].map(f64::from);
                    naive::adamw((0.01, decay, b1, b2, e), step, gradient, (&mut first, &mut second), p);
                }
                _ => panic!("{optimizer:?} is not specified"),
            }
        }
    }
    params
}

#[test]
fn optimizers_are_what_the_specification_says() {
    for optimizer in OPTIMIZERS {
        let expected = expected(optimizer);
        for backend in backends() {
            let params = five_steps(optimizer, backend, &Serial);
            assert_close(
                &format!("{optimizer:?} {}", backend.name()),
                &params,
                &expected,
                &vec![2e-6; params.len()],
            );
            for workers in [2, 3, 8] {
                assert_eq!(
                    bits(&five_steps(optimizer, backend, &Threads(workers))),
                    bits(&params),
                    "{optimizer:?} {workers}"
                );
            }
        }
    }
}

/// AdamW's correction divides by `1 - beta^step`, which a caller who counts from 0 must not make a division by 0.
#[test]
fn step_zero_is_the_first() {
    let n = shape().params();
    let [from_zero, from_one] = [0, 1].map(|step| {
        let (mut params, mut state) = (painted(n, 1), vec![0.0; 2 * n]);
        let step = OptimizerStep::new(Optimizer::ADAMW, 0.01, step).with_weight_decay(0.1);
        let backend = selvedge::Backend::PORTABLE;
        step.apply(backend, &Serial, shape(), &painted(n, 2), &mut state, &mut params).unwrap();
        params
    });
    assert!(from_zero.iter().all(|p| p.is_finite()));
    assert_eq!(bits(&from_zero), bits(&from_one));
}

#[test]
fn wrong_lengths_are_refused() {
    let step = OptimizerStep::new(Optimizer::ADAMW, 0.1, 1);
    let n = shape().params();
    let try_with = |gradient: usize, state: usize, params: usize| {
        let (mut state, mut params) = (vec![0.0; state], vec![0.0; params]);
        let backend = selvedge::Backend::PORTABLE;
        step.apply(backend, &Serial, shape(), &vec![0.0; gradient], &mut state, &mut params)
    };
    try_with(n, 2 * n, n).unwrap();
    for (gradient, state, params) in [(n - 1, 2 * n, n), (n, n, n), (n, 2 * n, n + 1)] {
        try_with(gradient, state, params).unwrap_err();
    }
}

#[test]
fn averages_and_norms() {
    for backend in backends() {
        let mut average = painted(100, 2);
        optim::update_ema(backend, 0.75, &painted(100, 1), &mut average);
        for (n, &a) in average.iter().enumerate() {
            assert!((a - 0.75 * painted(100, 2)[n] - 0.25 * painted(100, 1)[n]).abs() < 1e-6);
        }
    }
    assert_eq!(optim::norm(&[3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -4.0]), 5.0);
    assert_eq!(optim::norm(&[]), 0.0);
}

/// The loss of a regularized step, as its gradient sees it: cross entropy with smoothed labels, after the dropout of a
/// seed. Labels are smoothed by averaging the losses of all labels, which the step's own loss leaves out.
fn smoothed_loss(problem: &Problem, params: &[f32], regularize: Regularize) -> f64 {
    let loss = |labels: &[u8]| {
        let b = labels.len();
        let mut memory = vec![0.0; Workspace::floats(problem.shape, b)];
        let mut workspace = Workspace::new(problem.shape, b, &mut Arena::new(&mut memory)).unwrap();
        let (mut params, mut gradient) = (params.to_vec(), vec![0.0; params.len()]);
        let mlp = problem.mlp(selvedge::Backend::PORTABLE);
        let update = Update::Gradient(&mut gradient);
        mlp.step_regularized(
            &Serial,
            &mut params,
            &mut workspace,
            labels,
            &problem.fill(),
            update,
            regularize,
        )
        .unwrap()
        .loss_sum
            / b as f64
    };
    let classes = problem.shape.outputs();
    let all: f64 = (0..classes).map(|c| loss(&vec![c as u8; problem.labels.len()])).sum();
    let smoothing = f64::from(regularize.label_smoothing);
    (1.0 - smoothing) * loss(&problem.labels[..]) + smoothing * all / classes as f64
}

#[test]
fn regularized_gradients_are_those_of_the_loss() {
    let problem = Problem::new(&[12, 20, 16, 4], 9, 3);
    for regularize in [
        Regularize::NONE.with_label_smoothing(0.1),
        Regularize::NONE.with_dropout(0.3, 5),
        Regularize::NONE.with_label_smoothing(0.2).with_dropout(0.5, 6),
    ] {
        for backend in backends() {
            let b = problem.labels.len();
            let mut memory = vec![f32::NAN; Workspace::floats(problem.shape, b)];
            let mut workspace = Workspace::new(problem.shape, b, &mut Arena::new(&mut memory)).unwrap();
            let (mut params, mut gradient) = (problem.params.clone(), vec![f32::NAN; problem.params.len()]);
            let mut step = |executor: &Threads, gradient: &mut Vec<f32>| {
                let update = Update::Gradient(gradient);
                let (labels, fill) = (&problem.labels[..], problem.fill());
                problem
                    .mlp(backend)
                    .step_regularized(
                        executor,
                        &mut params,
                        &mut workspace,
                        labels,
                        &fill,
                        update,
                        regularize,
                    )
                    .unwrap();
            };
            step(&Threads(1), &mut gradient);
            if backend.name() != "matrixmultiply" {
                let mut together = gradient.clone();
                step(&Threads(3), &mut together);
                assert_eq!(bits(&gradient), bits(&together), "{}", backend.name());
            }
            for n in (0..gradient.len()).step_by(17) {
                let at = |delta: f32| {
                    let mut moved = problem.params.clone();
                    moved[n] += delta;
                    smoothed_loss(&problem, &moved, regularize)
                };
                let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
                let error = (f64::from(gradient[n]) - difference).abs();
                assert!(
                    error < 5e-3 * difference.abs().max(0.1),
                    "{regularize:?} {n}: {} for {difference}",
                    gradient[n]
                );
            }
        }
    }
}
