//! Forward passes of a float network over images, batch by batch, in memory that is kept from one to the next.

use selvedge::{Activations, Arena, Backend, Mlp};

use super::BATCH;
use crate::data::Features;
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

/// Images whose inputs follow from each byte alone, as a device sees them.
#[derive(Debug, Clone)]
pub struct TableInputs<'a> {
    /// All images, one after the other.
    pub pixels: &'a [u8],
    /// The input that each byte becomes.
    pub values: Box<[f32; 256]>,
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

/// Rows of integer codes, the inputs of an integer network, as real numbers.
#[derive(Debug, Clone, Copy)]
pub struct CodeInputs<'a> {
    /// The codes of all rows, one after the other.
    pub codes: &'a [u16],
    /// The real value of one code.
    pub unit: f32,
}

impl InputSource for CodeInputs<'_> {
    fn fill(&self, _: Backend, index: &[u32], rows: &mut [f32]) {
        let inputs = rows.len() / index.len().max(1);
        for (row, &n) in rows.chunks_exact_mut(inputs.max(1)).zip(index) {
            let codes = &self.codes[n as usize * inputs..][..inputs];
            row.iter_mut().zip(codes).for_each(|(x, &q)| *x = self.unit * f32::from(q));
        }
    }
}

/// The inputs of a network that a device runs, of whichever samples.
#[derive(Debug)]
pub enum DeviceInputs<'a> {
    /// Of pictures.
    Bytes(TableInputs<'a>),
    /// Of rows, as integers.
    Codes(CodeInputs<'a>),
    /// Of rows, as floats.
    Floats(Inputs<'a>),
}

impl<'a> DeviceInputs<'a> {
    /// The inputs of a network that samples become.
    ///
    /// # Errors
    /// `Model` where the network takes pictures and the samples are none.
    pub fn new(net: &'a Folded, features: &'a Features) -> Result<Self> {
        Ok(match &net.columns {
            Some(columns) => Self::Floats(columns.inputs(features)),
            None => {
                let pixels = &features.images()?.pixels;
                Self::Bytes(TableInputs { pixels, values: Box::new(net.input_values()) })
            }
        })
    }
}

impl InputSource for DeviceInputs<'_> {
    fn fill(&self, backend: Backend, index: &[u32], rows: &mut [f32]) {
        match self {
            Self::Bytes(inputs) => inputs.fill(backend, index, rows),
            Self::Codes(inputs) => inputs.fill(backend, index, rows),
            Self::Floats(inputs) => inputs.fill(backend, index, rows),
        }
    }
}

/// Runs the network over the samples at `index` on one thread; `see` gets each batch's activations and its samples.
///
/// # Errors
/// `Failed` without the memory, or where the core refuses the network.
pub fn forward(
    mlp: &Mlp,
    params: &[f32],
    inputs: &impl InputSource,
    index: &[u32],
    see: impl FnMut(&Activations<'_>, &[u32]),
) -> Result<()> {
    let mut predictor = Predictor::for_images(*mlp, index.len())?;
    predictor.forward(&ThreadPool::new(Threads::ONE), params, inputs, index, see)
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

/// The logits `(index.len(), outputs)` of the samples at `index`, by a network as a device runs it.
///
/// # Errors
/// `Failed` without the memory, `Model` for samples that are no pictures where the network takes them.
pub fn folded_logits(net: &Folded, backend: Backend, features: &Features, index: &[u32]) -> Result<Vec<f32>> {
    let mlp = Mlp::new(net.shape, backend);
    logits(&ThreadPool::new(Threads::ONE), &mlp, &net.params, &DeviceInputs::new(net, features)?, index)
}
