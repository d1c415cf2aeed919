//! Training a [`Network`]: epochs of shuffled batches.

use alloc::vec::Vec;

use super::memory::Floats;
use super::{Evaluation, Network};
use crate::arena::Arena;
use crate::error::Error;
use crate::mlp::{Mlp, Regularize, StepStats, Workspace};
use crate::optim::{Optimizer, OptimizerStep, Schedule, Update};
use crate::parallel::{Executor, Serial};
use crate::rng::Rng;
use crate::samples::Samples;

/// How [`Network::fit`] trains. The default is AdamW at a learning rate of 0.001, 10 epochs of batches of 32.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct FitOptions {
    /// Passes over all samples.
    pub epochs: u32,
    /// Samples of a step; the last step of an epoch may have fewer.
    pub batch_size: usize,
    /// The update rule.
    pub optimizer: Optimizer,
    /// The peak of the learning rate.
    pub learning_rate: f32,
    /// The learning rate over the run, after the warm-up.
    pub schedule: Schedule,
    /// The fraction of the run, 0 to 1, in which the learning rate rises to its peak.
    pub warmup: f32,
    /// Decoupled weight decay: `w -= learning_rate * weight_decay * w`. Biases are excluded.
    pub weight_decay: f32,
    /// The fraction of a label that is spread over all classes, 0 to below 1.
    pub label_smoothing: f32,
    /// The fraction of the hidden units that each step drops, 0 to below 1.
    pub dropout: f32,
    /// Decides the order of the samples in each epoch, and the units that drop out.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 32,
            optimizer: Optimizer::ADAMW,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            warmup: 0.0,
            weight_decay: 0.0,
            label_smoothing: 0.0,
            dropout: 0.0,
            seed: 0,
        }
    }
}

/// Defines `with_FIELD` for each field.
macro_rules! with_fields {
    ($($field:ident: $type:ty = $with:ident),* $(,)?) => {
        impl FitOptions {
            $(
                #[doc = concat!("With another [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
                #[must_use]
                pub const fn $with(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

with_fields! {
    epochs: u32 = with_epochs,
    batch_size: usize = with_batch_size,
    optimizer: Optimizer = with_optimizer,
    learning_rate: f32 = with_learning_rate,
    schedule: Schedule = with_schedule,
    warmup: f32 = with_warmup,
    weight_decay: f32 = with_weight_decay,
    label_smoothing: f32 = with_label_smoothing,
    dropout: f32 = with_dropout,
    seed: u64 = with_seed,
}

impl FitOptions {
    fn check(&self) -> Result<(), Error> {
        let fraction = |x: f32| (0.0..1.0).contains(&x);
        let positive = |x: f32| x.is_finite() && x >= 0.0;
        let coefficients = match self.optimizer {
            Optimizer::Sgd { momentum, .. } => fraction(momentum),
            Optimizer::AdamW { beta1, beta2, epsilon } => {
                fraction(beta1) && fraction(beta2) && positive(epsilon)
            }
        };
        for (valid, name, expected) in [
            (self.epochs > 0, "epochs", "1 or more"),
            (self.batch_size > 0, "batch_size", "1 or more"),
            (coefficients, "optimizer", "made of coefficients from 0 to below 1 and an epsilon of 0 or more"),
            (positive(self.learning_rate), "learning_rate", "a finite number of 0 or more"),
            ((0.0..=1.0).contains(&self.warmup), "warmup", "a fraction from 0 to 1"),
            (positive(self.weight_decay), "weight_decay", "a finite number of 0 or more"),
            (fraction(self.label_smoothing), "label_smoothing", "a fraction from 0 to below 1"),
            (fraction(self.dropout), "dropout", "a fraction from 0 to below 1"),
        ] {
            if !valid {
                return Err(Error::Setting { name, expected });
            }
        }
        Ok(())
    }

    /// Whether steps can add the gradient straight to the parameters.
    fn is_plain_sgd(&self) -> bool {
        matches!(self.optimizer, Optimizer::Sgd { momentum: 0.0, .. }) && self.weight_decay == 0.0
    }
}

impl Network {
    /// Trains on samples and their labels. Returns what each epoch saw while it trained: the loss and the accuracy of every
    /// batch before its step.
    ///
    /// The same network, samples and options give the same parameters. After an error the network is what it was before.
    ///
    /// # Errors
    /// [`Error::Setting`] for an option out of its range, [`Error::NoSamples`], [`Error::Length`], [`Error::Label`] and
    /// [`Error::NotFinite`] for samples and labels, [`Error::NonFiniteLoss`] where training diverges: try a smaller learning
    /// rate; [`Error::OutOfMemory`].
    pub fn fit<'a>(
        &mut self,
        samples: impl Into<Samples<'a>>,
        labels: &[u8],
        options: FitOptions,
    ) -> Result<Vec<Evaluation>, Error> {
        self.fit_on(&Serial, samples, labels, options)
    }

    /// As [`fit`](Self::fit), with the workers of a thread pool. The results do not depend on their number.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_on<'a>(
        &mut self,
        executor: &impl Executor,
        samples: impl Into<Samples<'a>>,
        labels: &[u8],
        options: FitOptions,
    ) -> Result<Vec<Evaluation>, Error> {
        options.check()?;
        let samples = samples.into();
        let rows = self.check(samples, labels)?;
        let (shape, batch) = (self.shape(), options.batch_size.min(rows));
        let mut memory = Floats::zeroed(Workspace::floats(shape, batch))?;
        let workspace = Workspace::new(shape, batch, &mut Arena::new(&mut memory))?;
        let steps = u64::from(options.epochs).saturating_mul(rows.div_ceil(batch) as u64);
        let mut training = Training {
            executor,
            mlp: self.mlp,
            options,
            steps: u32::try_from(steps).unwrap_or(u32::MAX),
            step: 0,
            params: Floats::copy_of(&self.params)?,
            gradient: Floats::zeroed(if options.is_plain_sgd() { 0 } else { shape.params() })?,
            state: Floats::zeroed(options.optimizer.state_floats(shape))?,
            workspace,
            dropout: Rng::new(!options.seed),
        };
        let mut order: Vec<u32> = (0..rows as u32).collect();
        let mut batch_labels = Vec::with_capacity(batch);
        let mut rng = Rng::new(options.seed);
        let mut history = Vec::new();
        for _ in 0..options.epochs {
            rng.shuffle(&mut order);
            let mut epoch = Evaluation::NONE;
            for index in order.chunks(batch) {
                batch_labels.clear();
                batch_labels.extend(index.iter().map(|&n| labels[n as usize]));
                epoch.add(index.len(), training.step(&batch_labels, &self.fill(samples, index))?);
            }
            history.push(epoch);
        }
        if training.params.iter().any(|p| !p.is_finite()) {
            return Err(Error::NonFiniteLoss);
        }
        self.params = training.params;
        Ok(history)
    }
}

/// A run: what the steps use and change.
struct Training<'a, E> {
    executor: &'a E,
    mlp: Mlp,
    options: FitOptions,
    /// Steps of the run.
    steps: u32,
    /// Steps done.
    step: u32,
    params: Floats,
    gradient: Floats,
    state: Floats,
    workspace: Workspace<'a>,
    dropout: Rng,
}

impl<E: Executor> Training<'_, E> {
    fn step(
        &mut self,
        labels: &[u8],
        fill: &(impl Fn(usize, &mut [f32]) + Sync),
    ) -> Result<StepStats, Error> {
        let Self { executor, mlp, options, steps, step, params, gradient, state, workspace, dropout } = self;
        let learning_rate =
            options.schedule.learning_rate(options.learning_rate, options.warmup, *step, *steps);
        *step = step.saturating_add(1);
        let regularize = Regularize::NONE.with_label_smoothing(options.label_smoothing);
        let regularize = match options.dropout {
            0.0 => regularize,
            fraction => regularize.with_dropout(fraction, dropout.next_u64()),
        };
        let plain = options.is_plain_sgd();
        let update = if plain { Update::Sgd { learning_rate } } else { Update::Gradient(gradient) };
        let stats = mlp.step_regularized(*executor, params, workspace, labels, fill, update, regularize)?;
        if !plain {
            OptimizerStep::new(options.optimizer, learning_rate, *step)
                .with_weight_decay(options.weight_decay)
                .apply(mlp.backend, *executor, mlp.shape, gradient, state, params)?;
        }
        Ok(stats)
    }
}
