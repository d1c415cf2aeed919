//! The core never allocates: a counting allocator watches workspaces, forward passes and training steps.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::Problem;
use selvedge::{Arena, Backend, Memory, Shape, Solo, Update, Workspace};

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
                for update in [Update::Sgd { rate: 0.1 }, Update::Gradient(&mut gradient)] {
                    mlp.step(&Solo, &mut params, &mut workspace, &problem.labels, &problem.fill(), update)
                        .unwrap();
                }
            }
            let logits = mlp.forward(&Solo, &params, workspace.activations(), 9, &problem.fill()).unwrap();
            assert!(logits.iter().all(|z| z.is_finite()));
        });
        assert_eq!(count, 0, "{}", backend.name());
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}
