//! What the core refuses, with the numbers in the refusal, and what it leaves untouched.

mod common;

use common::{Problem, bits};
use selvedge::shape::MAX_WIDTH;
use selvedge::{Activations, Arena, Backend, Error, Serial, Shape, Update, Workspace};

#[test]
fn an_arena_holds_exactly_what_floats_says() {
    for widths in [&[3, 2][..], &[784, 128, 10], &[7, 5, 3, 2]] {
        let shape = Shape::new(widths).unwrap();
        for batch in [1, 3, 64] {
            for (needed, training) in
                [(Workspace::floats(shape, batch), true), (Activations::floats(shape, batch), false)]
            {
                let try_with = |floats: usize| {
                    let mut memory = vec![0.0; floats];
                    let mut arena = Arena::new(&mut memory);
                    let left = arena.available();
                    let made = if training {
                        Workspace::new(shape, batch, &mut arena).map(|_| ())
                    } else {
                        Activations::new(shape, batch, &mut arena).map(|_| ())
                    };
                    (made, left - arena.available())
                };
                assert_eq!(try_with(needed), (Ok(()), needed));
                let refused = Error::ArenaTooSmall { needed, available: needed - 1 };
                assert_eq!(try_with(needed - 1), (Err(refused), 0));
            }
        }
    }
}

#[test]
fn a_batch_that_no_memory_holds_is_an_error_with_its_numbers() {
    let shape = Shape::new(&[MAX_WIDTH, 1]).unwrap();
    let needed = Workspace::floats(shape, usize::MAX);
    let mut memory = [0.0; 64];
    let error = Workspace::new(shape, usize::MAX, &mut Arena::new(&mut memory)).unwrap_err();
    assert!(matches!(error, Error::ArenaTooSmall { needed: n, .. } if n == needed && n > usize::MAX / 2));
    assert!(error.to_string().contains(&needed.to_string()), "{error}");
}

#[test]
fn bad_batches_leave_the_parameters_alone() {
    let problem = Problem::new(&[6, 5, 3], 4, 1);
    let mut memory = vec![0.0; Workspace::floats(problem.shape, 4)];
    let mut workspace = Workspace::new(problem.shape, 4, &mut Arena::new(&mut memory)).unwrap();
    for backend in Backend::available() {
        let mlp = problem.mlp(backend);
        let mut params = problem.params.clone();
        let mut step = |params: &mut [f32], labels: &[u8], learning_rate| {
            mlp.step(&Serial, params, &mut workspace, labels, &problem.fill(), Update::Sgd { learning_rate })
        };
        assert_eq!(step(&mut params, &[0, 3], 0.1), Err(Error::Label { row: 1, label: 3, classes: 3 }));
        assert_eq!(step(&mut params, &[], 0.1), Err(Error::Batch { rows: 0, capacity: 4 }));
        let length = problem.params.len();
        let short = Error::Length { what: "params", expected: length, actual: length - 1 };
        assert_eq!(step(&mut params[1..], &[0], 0.1), Err(short));
        params[0] = f32::INFINITY;
        let before = bits(&params);
        assert_eq!(
            step(&mut params, &problem.labels[..], 0.1),
            Err(Error::NonFiniteLoss),
            "{}",
            backend.name()
        );
        assert_eq!(bits(&params), before);
        let fill = |_: usize, rows: &mut [f32]| rows.fill(0.0);
        let too_many = mlp.step(
            &Serial,
            &mut params,
            &mut workspace,
            &[0; 5],
            &fill,
            Update::Sgd { learning_rate: 0.1 },
        );
        assert_eq!(too_many, Err(Error::Batch { rows: 5, capacity: 4 }));
    }
    let mut memory = [0.0; 64];
    let empty = Workspace::new(problem.shape, 0, &mut Arena::new(&mut memory));
    assert_eq!(empty.err(), Some(Error::Batch { rows: 0, capacity: 0 }));
}

/// Memory need not be aligned: as many floats as `floats` says are enough wherever they start, and give the same bits.
#[test]
fn memory_may_start_anywhere() {
    let problem = Problem::new(&[20, 16, 5], 8, 1);
    let floats = Workspace::floats(problem.shape, 8);
    for backend in Backend::available() {
        let mut memory = vec![f32::NAN; floats + 31];
        let line = memory.as_ptr().align_offset(64);
        let mut train = |start: usize| {
            let memory = &mut memory[line + start..][..floats];
            let mut workspace = Workspace::new(problem.shape, 8, &mut Arena::new(memory)).unwrap();
            let mut params = problem.params.clone();
            for _ in 0..2 {
                let update = Update::Sgd { learning_rate: 0.1 };
                let (mlp, fill) = (problem.mlp(backend), problem.fill());
                mlp.step(&Serial, &mut params, &mut workspace, &problem.labels[..], &fill, update).unwrap();
            }
            bits(&params)
        };
        let aligned = train(0);
        for start in 1..16 {
            assert_eq!(train(start), aligned, "{} {} bytes after a cache line", backend.name(), 4 * start);
        }
    }
}
