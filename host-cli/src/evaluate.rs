//! Accuracy, loss and confusion of a network on a set of images.

use selvedge::{Activations, Arena, Mlp, kernel, naive};

use crate::data::Samples;
use crate::data::normalise::Inputs;
use crate::error::{Error, Result};
use crate::memory::Floats;
use crate::thread_pool::{ThreadPool, Workload};

/// Images of a forward pass; enough to fill every core, few enough to stay in its cache.
pub const BATCH: usize = 256;

/// What a network makes of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Images seen.
    pub images: usize,
    /// Σ of the images' cross entropies, in nats.
    pub loss_sum: f64,
    /// `[true class][predicted class]`, counts.
    pub confusion: Vec<Vec<u32>>,
}

impl Evaluation {
    /// Refuses what came of outputs that are not finite.
    ///
    /// # Errors
    /// Exit code 4 with what to do.
    pub fn finite(self) -> Result<Self> {
        finite([self.loss_sum]).map(|()| self)
    }

    /// Images whose class was predicted.
    pub fn correct(&self) -> u32 {
        (0..self.confusion.len()).map(|c| self.confusion[c][c]).sum()
    }

    /// The fraction of them.
    pub fn accuracy(&self) -> f64 {
        f64::from(self.correct()) / self.images as f64
    }

    /// The mean cross entropy.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images as f64
    }

    /// Images of class `c`.
    pub fn of_class(&self, c: usize) -> u32 {
        self.confusion[c].iter().sum()
    }

    /// Images predicted to be of class `c`.
    pub fn predicted(&self, c: usize) -> u32 {
        self.confusion.iter().map(|row| row[c]).sum()
    }

    /// The fraction of class `c` that was found; 0 where it has no images.
    pub fn recall(&self, c: usize) -> f64 {
        f64::from(self.confusion[c][c]) / f64::from(self.of_class(c).max(1))
    }

    /// The fraction of the predictions of class `c` that are right; 0 where there are none.
    pub fn precision(&self, c: usize) -> f64 {
        f64::from(self.confusion[c][c]) / f64::from(self.predicted(c).max(1))
    }
}

/// Evaluates on the images at `index` of `set`, which `inputs` makes ready.
///
/// # Errors
/// Exit code 1 without the memory, 4 where the network does not fit the images.
pub fn evaluate(
    thread_pool: &ThreadPool,
    mlp: &Mlp,
    params: &[f32],
    inputs: &Inputs<'_>,
    set: &Samples,
    index: &[u32],
) -> Result<Evaluation> {
    check_fit(mlp, set)?;
    let classes = mlp.shape.outputs();
    let mut evaluation =
        Evaluation { images: index.len(), loss_sum: 0.0, confusion: vec![vec![0; classes]; classes] };
    let mut losses = vec![0.0; BATCH];
    let mut predict = Predictor::new(*mlp, BATCH)?;
    for index in index.chunks(BATCH) {
        let labels: Vec<u8> = index.iter().map(|&n| set.labels[n as usize]).collect();
        let mut logits = predict.logits(thread_pool, params, inputs, index)?;
        for (row, &label) in logits.chunks_exact(classes).zip(&labels) {
            evaluation.confusion[usize::from(label)][naive::argmax(row)] += 1;
        }
        let losses = &mut losses[..labels.len()];
        kernel::softmax_loss(mlp.backend, &mut logits, &labels, losses);
        evaluation.loss_sum += losses.iter().copied().map(f64::from).sum::<f64>();
    }
    Ok(evaluation)
}

/// Refuses outputs of a network that are not finite: finite weights can be so large.
///
/// # Errors
/// Exit code 4 with what to do.
pub fn finite(outputs: impl IntoIterator<Item: Into<f64>>) -> Result<()> {
    if outputs.into_iter().all(|x| x.into().is_finite()) {
        return Ok(());
    }
    Err(Error::model(
        "the network's outputs are not finite: its weights are too large; train it again with a smaller --lr",
    ))
}

/// The memory of forward passes, kept from one to the next.
#[derive(Debug)]
pub struct Predictor {
    mlp: Mlp,
    memory: Floats,
    capacity: usize,
}

impl Predictor {
    /// Memory for batches of up to `capacity` images.
    ///
    /// # Errors
    /// Exit code 1 without the memory.
    pub fn new(mlp: Mlp, capacity: usize) -> Result<Self> {
        let purpose = format!("a forward pass of {capacity} images through {}", mlp.shape);
        Ok(Self {
            mlp,
            memory: Floats::zeroed(Activations::floats(mlp.shape, capacity), &purpose)?,
            capacity,
        })
    }

    /// The logits `(index.len(), classes)` of the images at `index`.
    ///
    /// # Errors
    /// Exit code 1 where the core refuses the batch.
    pub fn logits(
        &mut self,
        thread_pool: &ThreadPool,
        params: &[f32],
        inputs: &Inputs<'_>,
        index: &[u32],
    ) -> Result<Vec<f32>> {
        let Self { mlp, memory, capacity } = self;
        let mut activations = Activations::new(mlp.shape, *capacity, &mut Arena::new(memory))?;
        let width = mlp.shape.inputs();
        let fill = |first: usize, rows: &mut [f32]| {
            inputs.fill(mlp.backend, &index[first..][..rows.len() / width], rows);
        };
        let forward =
            || mlp.forward(thread_pool, params, &mut activations, index.len(), &fill).map(<[f32]>::to_vec);
        Ok(thread_pool.run(Workload::Forward, forward)?)
    }
}

/// The logits `(index.len(), classes)` of the images at `index`, batch by batch.
///
/// # Errors
/// Exit code 1 without the memory.
pub fn logits(
    thread_pool: &ThreadPool,
    mlp: &Mlp,
    params: &[f32],
    inputs: &Inputs<'_>,
    index: &[u32],
) -> Result<Vec<f32>> {
    let mut predictor = Predictor::new(*mlp, BATCH.min(index.len()))?;
    let mut logits = Vec::with_capacity(index.len() * mlp.shape.outputs());
    for index in index.chunks(BATCH) {
        logits.extend(predictor.logits(thread_pool, params, inputs, index)?);
    }
    Ok(logits)
}

/// Whether the network has the inputs and outputs that the set needs.
///
/// # Errors
/// Exit code 4 with both numbers.
pub fn check_fit(mlp: &Mlp, set: &Samples) -> Result<()> {
    let pixels = set.images.pixels_per_image();
    if pixels != mlp.shape.inputs() {
        return Err(Error::model(format!(
            "the model takes {} inputs, but the images have {} x {} = {pixels} pixels",
            mlp.shape.inputs(),
            set.images.rows,
            set.images.cols
        )));
    }
    match set.labels.iter().max() {
        Some(&most) if usize::from(most) >= mlp.shape.outputs() => Err(Error::model(format!(
            "the model has {} classes, but the data has class {most}; name the data set that it was trained on with --data, \
             or train a model on this one",
            mlp.shape.outputs()
        ))),
        _ => Ok(()),
    }
}
