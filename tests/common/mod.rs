//! What the tests share: painted inputs, guarded outputs, the backends under test.
#![allow(dead_code, missing_docs)]

pub mod flash;

use selvedge::{Backend, Executor, Init, Mlp, Rng, Shape};

/// Floats on either side of an output that nobody may touch.
const GUARD: usize = 64;
const GUARD_BITS: u32 = 0x4b1d_0b0e;

/// Every backend of this CPU.
pub fn backends() -> impl Iterator<Item = Backend> {
    Backend::available()
}

/// The sizes at which kernels switch between paths, and those of the real network.
pub const SIZES: [usize; 15] = [0, 1, 2, 3, 5, 6, 7, 8, 9, 15, 16, 17, 33, 64, 784];

/// `len` floats that differ from their neighbours, positive and negative, with zeros among them.
pub fn painted(len: usize, salt: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + salt * 31) % 251) as f32 / 64.0 - 125.0 / 64.0).collect()
}

/// The same values in double precision.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// An output between guards, started at a value.
pub struct Guarded {
    memory: Vec<f32>,
    len: usize,
}

impl Guarded {
    /// `len` floats of NaN: reading one shows.
    pub fn poisoned(len: usize) -> Self {
        Self::of(&vec![f32::NAN; len])
    }

    /// A copy of `values`.
    pub fn of(values: &[f32]) -> Self {
        let guard = [f32::from_bits(GUARD_BITS); GUARD];
        Self { memory: [&guard, values, &guard].concat(), len: values.len() }
    }

    /// The output.
    pub fn get(&mut self) -> &mut [f32] {
        &mut self.memory[GUARD..GUARD + self.len]
    }

    /// The output, after the guards were found as they were.
    pub fn finish(self, what: &str) -> Vec<f32> {
        let intact = |part: &[f32]| part.iter().all(|x| x.to_bits() == GUARD_BITS);
        assert!(intact(&self.memory[..GUARD]), "{what}: wrote before its output");
        assert!(intact(&self.memory[GUARD + self.len..]), "{what}: wrote after its output");
        self.memory[GUARD..GUARD + self.len].to_vec()
    }
}

/// Asserts that `|got - expected| <= bound` for each element, with NaN equal to NaN.
pub fn assert_close(what: &str, got: &[f32], expected: &[f64], bound: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, ((&g, &e), &b)) in got.iter().zip(expected).zip(bound).enumerate() {
        let close = (f64::from(g) - e).abs() <= b || (g.is_nan() && e.is_nan());
        assert!(close, "{what}: element {at} is {g}, expected {e} within {b:e}");
    }
}

/// The bits of each float.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// A network with He weights and biases that are not zero, a batch and its labels.
pub struct Problem {
    pub shape: Shape,
    pub params: Vec<f32>,
    pub x: Vec<f32>,
    pub labels: Vec<u8>,
}

impl Problem {
    /// Draws one from a seed.
    pub fn new(widths: &[usize], b: usize, seed: u64) -> Self {
        let shape = Shape::new(widths).unwrap();
        let mut rng = Rng::new(seed);
        let mut params = vec![0.0; shape.params()];
        Init::He.draw(shape, &mut rng, &mut params).unwrap();
        for layer in shape.split_mut(&mut params).unwrap() {
            layer.biases.fill_with(|| 0.1 * rng.normal());
        }
        let x = (0..b * shape.inputs()).map(|_| rng.normal()).collect();
        let labels = (0..b).map(|_| rng.below(shape.outputs() as u32) as u8).collect();
        Self { shape, params, x, labels }
    }

    /// The network on a backend.
    pub fn mlp(&self, backend: Backend) -> Mlp {
        Mlp::new(self.shape, backend)
    }

    /// What fills a batch with the rows of `x`.
    pub fn fill(&self) -> impl Fn(usize, &mut [f32]) + Sync + '_ {
        |first, rows| {
            let start = first * self.shape.inputs();
            rows.copy_from_slice(&self.x[start..start + rows.len()]);
        }
    }
}

/// An executor that starts a thread for each part: slow, simple, and safe code only.
#[derive(Clone, Copy)]
pub struct Threads(pub usize);

impl Executor for Threads {
    fn workers(&self) -> usize {
        self.0
    }
    fn for_each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
        std::thread::scope(|scope| {
            for job in jobs {
                scope.spawn(move || work(job));
            }
        });
    }
}
