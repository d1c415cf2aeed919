//! Results do not depend on the number of workers: every executor gives the same bytes.

mod common;

use common::{Problem, Threads, backends, bits};
use selvedge::{Arena, Backend, Executor, Serial, Update, Workspace};

fn train(backend: Backend, problem: &Problem, executor: &impl Executor) -> (Vec<u32>, Vec<u64>) {
    let b = problem.labels.len();
    let mut memory = vec![f32::NAN; Workspace::floats(problem.shape, b)];
    let mut workspace = Workspace::new(problem.shape, b, &mut Arena::new(&mut memory)).unwrap();
    let mut params = problem.params.clone();
    let losses = (0..3).map(|_| {
        let update = Update::Sgd { learning_rate: 0.1 };
        let mlp = problem.mlp(backend);
        let outcome = mlp
            .step(executor, &mut params, &mut workspace, &problem.labels[..], &problem.fill(), update)
            .unwrap();
        outcome.loss_sum.to_bits()
    });
    let losses = losses.collect();
    (bits(&params), losses)
}

#[test]
fn the_same_bytes_from_every_executor() {
    for (widths, b) in [(&[784, 128, 10][..], 64), (&[50, 33, 17, 5], 13), (&[3, 2], 1)] {
        let problem = Problem::new(widths, b, 5);
        // `matrixmultiply` chooses another kernel for a few rows, and with it another order of summation.
        for backend in backends().filter(|b| b.name() != "matrixmultiply") {
            let alone = train(backend, &problem, &Serial);
            for workers in [1, 2, 3, 4, 8, 20] {
                let together = train(backend, &problem, &Threads(workers));
                assert!(alone == together, "{} {} with {workers}", problem.shape, backend.name());
            }
        }
    }
}
