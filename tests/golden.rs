//! Ten literal losses that every backend must give, and the bits that the portable ones must give on every machine.

mod common;

use common::{Problem, backends};
use selvedge::{Arena, Backend, Loss, Serial, Update, Workspace, naive};

/// The mean losses of ten steps of plain gradient descent at rate 0.5, computed by the specification in double precision
/// (`the_literals_are_the_specification` computes them again).
const LOSSES: [f64; 10] = [
    2.422_991_033_763_35,
    0.908_780_253_837_624,
    0.457_508_686_977_448,
    0.290_533_556_195_258,
    0.201_435_282_856_6,
    0.146_633_816_348_041,
    0.111_809_644_632_326,
    0.087_717_920_043_367,
    0.071_795_221_499_738,
    0.059_945_493_307_959,
];

/// FNV-1a of the bits of the parameters after the ten steps, on `scalar` and `portable`.
const PORTABLE_PARAMS: u64 = 0x726b_6335_5fce_85b7;

fn problem() -> Problem {
    Problem::new(&[20, 16, 5], 8, 2026)
}

#[test]
fn the_literals_are_the_specification() {
    let problem = problem();
    let (mut params, x) = (common::wide(&problem.params), common::wide(&problem.x));
    let mut gradient = vec![0.0; params.len()];
    let mut scratch = vec![0.0; naive::gradient_scratch(problem.shape, 8)];
    for (step, literal) in LOSSES.into_iter().enumerate() {
        let loss = naive::gradient(
            problem.shape,
            Loss::SoftmaxCrossEntropy,
            &params,
            &x,
            &problem.labels[..],
            &mut gradient,
            &mut scratch,
        );
        assert!((loss - literal).abs() < 1e-12, "step {step}: {loss:.15} for {literal}");
        params.iter_mut().zip(&gradient).for_each(|(p, g)| *p -= 0.5 * g);
    }
}

/// The losses of the ten steps and the parameters after them.
fn train(backend: Backend) -> (Vec<f64>, Vec<f32>) {
    let problem = problem();
    let mut memory = vec![0.0; Workspace::floats(problem.shape, 8)];
    let mut workspace = Workspace::new(problem.shape, 8, &mut Arena::new(&mut memory)).unwrap();
    let mut params = problem.params.clone();
    let mlp = problem.mlp(backend);
    let losses = (0..LOSSES.len()).map(|_| {
        let update = Update::Sgd { learning_rate: 0.5 };
        let outcome = mlp
            .step(&Serial, &mut params, &mut workspace, &problem.labels[..], &problem.fill(), update)
            .unwrap();
        outcome.loss_sum / 8.0
    });
    (losses.collect(), params)
}

/// Bound: 1e-5 relative at every step; single precision starts near 1e-7 and ten steps amplify it.
#[test]
fn every_backend_gives_the_literals() {
    for backend in backends() {
        let (losses, _) = train(backend);
        for (step, (loss, literal)) in losses.iter().zip(LOSSES).enumerate() {
            assert!(
                (loss / literal - 1.0).abs() < 1e-5,
                "{} step {step}: {loss} for {literal}",
                backend.name()
            );
        }
    }
}

#[test]
fn portable_bits_are_pinned() {
    for backend in [Backend::SCALAR, Backend::PORTABLE] {
        let (_, params) = train(backend);
        let hash = params
            .iter()
            .flat_map(|p| p.to_bits().to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(hash, PORTABLE_PARAMS, "{}: {hash:#018x}", backend.name());
    }
}
