//! Forward passes of a float network over images, batch by batch, in memory that is kept from one to the next.

use selvedge::{Activations, Arena, Backend, Mlp};

use super::BATCH;
use crate::data::normalise::Inputs;
use crate::error::Result;
use crate::memory::Floats;
use crate::model::fold::Folded;
use crate::thread_pool::{ThreadPool, Threads, Workload};

/// What turns images into the inputs of a float network.
pub trait InputSource: Sync {
    /// Writes the inputs `(index.len(), inputs)` of the images at `index`.
    fn fill(&self, backend: Backend, index: &[u32], rows: &mut [f32]);
}

impl InputSource for Inputs<'_> {
    fn fill(&self, backend: Backend, index: &[u32], rows: &mut [f32]) {
        Inputs::fill(self, backend, index, rows);
    }
}

/// Some images whose inputs follow from each byte alone, as a device sees them.
#[derive(Debug, Clone, Copy)]
pub struct TableInputs<'a> {
    /// All images, one after the other.
    pub pixels: &'a [u8],
    /// The images to run.
    pub index: &'a [u32],
    /// The input that each byte becomes.
    pub values: &'a [f32; 256],
}

impl InputSource for TableInputs<'_> {
    fn fill(&self, _: Backend, index: &[u32], rows: &mut [f32]) {
        let inputs = rows.len() / index.len().max(1);
        for (row, &n) in rows.chunks_exact_mut(inputs.max(1)).zip(index) {
            let pixels = &self.pixels[n as usize * inputs..][..inputs];
            for (x, &p) in row.iter_mut().zip(pixels) {
                *x = self.values[usize::from(p)];
            }
        }
    }
}

impl TableInputs<'_> {
    /// Runs the network over the samples on one thread; `see` gets each batch's activations and its images.
    ///
    /// # Errors
    /// `Failed` without the memory, or where the core refuses the network.
    pub fn forward(
        &self,
        mlp: &Mlp,
        params: &[f32],
        see: impl FnMut(&Activations<'_>, &[u32]),
    ) -> Result<()> {
        let mut predictor = Predictor::for_images(*mlp, self.index.len())?;
        predictor.forward(&ThreadPool::new(Threads::ONE), params, self, self.index, see)
    }
}

/// The memory of forward passes, kept from one to the next.
#[derive(Debug)]
pub struct Predictor {
    mlp: Mlp,
    memory: Floats,
    capacity: usize,
}

impl Predictor {
    /// Memory for batches of up to `capacity` images, at least one.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn new(mlp: Mlp, capacity: usize) -> Result<Self> {
        let purpose = format!("a forward pass of {capacity} images through {}", mlp.shape);
        Ok(Self {
            mlp,
            memory: Floats::zeroed(Activations::floats(mlp.shape, capacity), &purpose)?,
            capacity,
        })
    }

    /// Memory for a pass over so many images in batches of [`BATCH`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_images(mlp: Mlp, images: usize) -> Result<Self> {
        Self::new(mlp, images.clamp(1, BATCH))
    }

    /// Runs the network over the images at `index`, batch by batch; `see` gets each batch's activations and its images.
    ///
    /// # Errors
    /// `Failed` where the core refuses the parameters.
    pub fn forward(
        &mut self,
        thread_pool: &ThreadPool,
        params: &[f32],
        inputs: &impl InputSource,
        index: &[u32],
        mut see: impl FnMut(&Activations<'_>, &[u32]),
    ) -> Result<()> {
        let Self { mlp, memory, capacity } = self;
        let mut activations = Activations::new(mlp.shape, *capacity, &mut Arena::new(memory))?;
        let width = mlp.shape.inputs();
        for index in index.chunks(*capacity) {
            let fill = |first: usize, rows: &mut [f32]| {
                inputs.fill(mlp.backend, &index[first..][..rows.len() / width], rows);
            };
            let forward =
                || mlp.forward(thread_pool, params, &mut activations, index.len(), &fill).map(|_| ());
            thread_pool.run(Workload::Forward, forward)?;
            see(&activations, index);
        }
        Ok(())
    }

    /// The logits `(index.len(), outputs)` of the images at `index`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn logits(
        &mut self,
        thread_pool: &ThreadPool,
        params: &[f32],
        inputs: &impl InputSource,
        index: &[u32],
    ) -> Result<Vec<f32>> {
        let mut logits = Vec::with_capacity(index.len() * self.mlp.shape.outputs());
        let collect = |activations: &Activations<'_>, index: &[u32]| {
            logits.extend_from_slice(activations.logits(index.len()));
        };
        self.forward(thread_pool, params, inputs, index, collect)?;
        Ok(logits)
    }
}

/// The logits `(index.len(), outputs)` of the images at `index`.
///
/// # Errors
/// `Failed` without the memory.
pub fn logits(
    thread_pool: &ThreadPool,
    mlp: &Mlp,
    params: &[f32],
    inputs: &impl InputSource,
    index: &[u32],
) -> Result<Vec<f32>> {
    Predictor::for_images(*mlp, index.len())?.logits(thread_pool, params, inputs, index)
}

/// The logits `(index.len(), outputs)` of the images at `index`, by a network as a device runs it.
///
/// # Errors
/// `Failed` without the memory.
pub fn folded_logits(net: &Folded, backend: Backend, pixels: &[u8], index: &[u32]) -> Result<Vec<f32>> {
    let samples = TableInputs { pixels, index, values: &net.input_values() };
    let mlp = Mlp::new(net.shape, backend);
    logits(&ThreadPool::new(Threads::ONE), &mlp, &net.params, &samples, index)
}
