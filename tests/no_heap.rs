//! Without `Network` the core never allocates: a counting allocator watches workspaces, forward passes, training steps and
//! flash files.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::Problem;
use common::flash::{Network, kinds};
use selvedge::format::{Dtype, ModelView, Packing};
use selvedge::{Arena, Backend, Memory, Serial, Shape, Update, Workspace, infer::float, infer::integer};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SHAPE: Shape = match Shape::new(&[30, 20, 10, 5]) {
    Ok(shape) => shape,
    Err(_) => panic!(),
};

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn steps_and_passes_allocate_nothing() {
    let problem = Problem::new(&[30, 20, 10, 5], 9, 1);
    let mut params = problem.params.clone();
    let mut gradient = vec![0.0; params.len()];
    let mut memory = Box::new(Memory::<{ Workspace::floats(SHAPE, 9) }>::new());
    // The borrowed GEMM packs on the heap; that is why it needs `std`.
    for backend in Backend::available().filter(|b| b.name() != "matrixmultiply") {
        let mlp = problem.mlp(backend);
        let count = allocations(|| {
            let mut workspace = Workspace::new(SHAPE, 9, &mut Arena::new(memory.floats())).unwrap();
            for _ in 0..3 {
                for update in [Update::Sgd { learning_rate: 0.1 }, Update::Gradient(&mut gradient)] {
                    mlp.step(
                        &Serial,
                        &mut params,
                        &mut workspace,
                        &problem.labels[..],
                        &problem.fill(),
                        update,
                    )
                    .unwrap();
                }
            }
            mlp.evaluate(&Serial, &params, &mut workspace, &problem.labels[..], &problem.fill()).unwrap();
            let logits = mlp.forward(&Serial, &params, workspace.activations(), 9, &problem.fill()).unwrap();
            assert!(logits.iter().all(|z| z.is_finite()));
        });
        assert_eq!(count, 0, "{}", backend.name());
    }
}

#[test]
fn parsing_and_inference_allocate_nothing() {
    for (dtype, packing) in kinds() {
        let file = Network::golden().file(dtype, packing);
        let (mut words, mut floats) = ([0; 64], [0.0; 64]);
        let count = allocations(|| {
            let image = ModelView::parse(file.get()).unwrap();
            if dtype.is_integer() {
                let engine = integer::Engine::new(image).unwrap();
                engine.self_test(&mut words, &mut [0; 5]).unwrap();
                engine.classify(&[9_u8; 64], &mut words, &mut [0; 5]).unwrap();
            } else {
                let engine = float::Engine::new(image).unwrap();
                engine.self_test(&mut floats, &mut [0.0; 5]).unwrap();
                engine.classify(&[9_u8; 64], &mut floats, &mut [0.0; 5]).unwrap();
            }
            assert!(ModelView::parse(&file.get()[1..]).is_err());
        });
        assert_eq!(count, 0, "{} {}", dtype.name(), packing.name());
    }
}

#[test]
fn batches_of_integers_allocate_nothing() {
    let file = Network::golden().file(Dtype::I8, Packing::Generic);
    let engine = integer::Engine::new(ModelView::parse(file.get()).unwrap()).unwrap();
    let header = engine.view().header();
    let mut memory = vec![0; integer::BatchEngine::bytes(header)];
    let mut scratch = vec![0; integer::BatchEngine::scratch_bytes(header, 3)];
    for backend in Backend::available() {
        let count = allocations(|| {
            let batch = integer::BatchEngine::new(&engine, backend, &mut memory).unwrap();
            batch.logits(&[9_u8; 3 * 64], &mut scratch, &mut [0; 15]).unwrap();
            batch.logits(&[9_u8; 64], &mut scratch, &mut [0; 5]).unwrap();
        });
        assert_eq!(count, 0, "{}", backend.name());
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}
