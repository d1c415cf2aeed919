//! From a recipe and a data set to a model: split, normalise, draw the weights, train, evaluate, keep.
//!
//! `train`, each trial of a `sweep` and the epoch of `bench` run this and nothing else. `--resume` makes the same
//! [`Pipeline`] and the same [`State`], into which the checkpoint is read. Whatever looks at a model later finds the
//! images that it was trained on by [`split`].
//!
//! Nothing here prints or writes a file.

mod batch;
mod calibrate;
mod state;
mod train;

use selvedge::{Backend, Mlp};

use crate::data::normalise::Normalisation;
use crate::data::{Dataset, Features, Samples, Targets, Task};
use crate::error::{Error, Result};
use crate::model::{About, Model, TargetScale};
use crate::recipe::{ClassWeights, HiddenActivations, Monitor, Recipe, Standardisation};
use crate::sampling::{Generator, Split};
use crate::thread_pool::ThreadPool;

pub use state::{Position, State};
pub use train::{Ending, Epoch, Observer};

/// The seed of a model that does not say how it was trained.
pub const SEED: u64 = 42;

/// A training run before its first step: the network, and the data as the recipe prepares them.
#[derive(Debug)]
pub struct Pipeline<'a> {
    /// How to train.
    pub recipe: &'a Recipe,
    /// The data set.
    pub dataset: &'a Dataset,
    /// Its training samples.
    pub set: &'a Samples,
    /// The network.
    pub mlp: Mlp,
    /// The model that training starts from; without one the weights are drawn.
    pub start: Option<&'a Model>,
    /// Which images of the set to train and to validate on.
    pub split: Split,
    /// How samples become inputs.
    pub normalisation: Normalisation,
    /// The units of the targets, where they are numbers of a regression.
    pub target_scale: Option<TargetScale>,
    /// The weight of each class in the loss; empty where all count the same.
    pub class_weights: Vec<f32>,
}

/// The network of a recipe, for the samples of a data set.
///
/// # Errors
/// `Data` where a sample is too large for a network, `Usage` for a loss that does not go with the task.
pub fn network(recipe: &Recipe, dataset: &Dataset, backend: Backend) -> Result<Mlp> {
    let shape = recipe.shape(dataset.train.features.width(), dataset.outputs())?;
    Ok(Mlp::new(shape, backend).with_loss(recipe.loss.loss(dataset.task)?))
}

/// Refuses settings that do not go with the kind of samples.
fn check_features(recipe: &Recipe, set: &Samples) -> Result<()> {
    let standardise = recipe.standardise;
    let wrong = match set.features {
        Features::Images(_) if standardise == Standardisation::Column => {
            Some(("--standardise column", "columns of a table", "pictures; pixel and global go with them"))
        }
        Features::Images(_) => None,
        Features::Table(_) if matches!(standardise, Standardisation::Pixel | Standardisation::Global) => {
            Some(("--standardise pixel or global", "pixels", "rows of a table; column goes with them"))
        }
        Features::Table(_) if recipe.gamma != 1.0 => Some(("--gamma", "pixels", "rows of a table")),
        Features::Table(_) if recipe.flip || recipe.shift > 0 => {
            Some(("--flip and --shift", "pictures", "rows of a table"))
        }
        Features::Table(_) => None,
    };
    if recipe.loss_epsilon > 0.0 && !matches!(set.targets, Targets::Classes(_)) {
        return Err(Error::usage(
            "--loss-epsilon is for the loss of classes, and the answers of this task are none",
        ));
    }
    if matches!(set.targets, Targets::Inputs(_)) && (recipe.flip || recipe.shift > 0) {
        return Err(Error::usage(
            "--flip and --shift change the inputs, which the task reconstruct answers with",
        ));
    }
    if recipe.label_smoothing > 0.0 && !matches!(set.targets, Targets::Classes(_)) {
        return Err(Error::usage(
            "--label-smoothing spreads the label over classes, and the answers of this task are none",
        ));
    }
    wrong.map_or(Ok(()), |(flag, of, samples)| {
        Err(Error::usage(format!("{flag} is for {of}, and the samples are {samples}")))
    })
}

/// How the training samples were split for a model: as its recipe says, or by [`SEED`] where it has none.
pub fn split(about: &About, set: &Samples) -> Split {
    let recipe = about.recipe.as_ref();
    recipe.map_or_else(|| Split::new(Generator::Selvedge, SEED, set.len()), |recipe| recipe.split(set))
}

impl<'a> Pipeline<'a> {
    /// Splits the images and measures the normalisation on the training part; a model to start from brings its own.
    ///
    /// # Errors
    /// `Usage` for a batch larger than the training part.
    pub fn new(recipe: &'a Recipe, dataset: &'a Dataset, mlp: Mlp, start: Option<&'a Model>) -> Result<Self> {
        let set = &dataset.train;
        check_features(recipe, set)?;
        let split = recipe.split(set);
        recipe.check_batch(split.train.len())?;
        let normalisation = match start {
            Some(model) => model.about.normalisation.clone(),
            None => recipe.normalisation(&set.features, &split),
        };
        let target_scale = match (&set.targets, dataset.task, start) {
            (Targets::Values(_), Task::Regress, Some(model)) if model.about.target_scale.is_some() => {
                model.about.target_scale.clone()
            }
            (Targets::Values(matrix), Task::Regress, _) => Some(TargetScale::measure(matrix, &split.train)),
            _ => None,
        };
        let class_weights = match &set.targets {
            Targets::Classes(labels) => {
                let mut counts = vec![0; dataset.classes.len()];
                split.train.iter().for_each(|&n| counts[usize::from(labels[n as usize])] += 1);
                recipe.class_weights.of(&dataset.classes, &counts)?
            }
            _ if recipe.class_weights == ClassWeights::None => Vec::new(),
            _ => {
                return Err(Error::usage(
                    "--class-weights weighs classes, and the answers of this task are none",
                ));
            }
        };
        Ok(Self { recipe, dataset, set, mlp, start, split, normalisation, target_scale, class_weights })
    }

    /// The state before the first step.
    ///
    /// # Errors
    /// `Failed` without the memory, `Usage` where the weights cannot be drawn.
    pub fn initial_state(&self) -> Result<State> {
        State::new(self.recipe, self.mlp.shape, self.start.map(|model| &model.params[..]))
    }

    /// Trains from `state` to the end of the recipe, or until the observer stops it.
    ///
    /// # Errors
    /// `Failed` without the memory, and the observer's.
    pub fn train(
        &self,
        thread_pool: &ThreadPool,
        state: &mut State,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        train::train(self, thread_pool, state, observer)
    }

    /// The validation figure of early stopping.
    fn monitor(&self) -> Monitor {
        match self.dataset.task {
            Task::Classify | Task::Multilabel => self.recipe.monitor,
            Task::Regress | Task::Reconstruct => Monitor::Loss,
        }
    }

    /// The model that a state keeps; `data_sha256` is the data's fingerprint.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn model(&self, pool: &ThreadPool, state: State, data_sha256: Option<String>) -> Result<Model> {
        let about = About {
            version: env!("CARGO_PKG_VERSION").into(),
            classes: self.dataset.classes.clone(),
            image: self.set.images().ok().map(|images| (images.rows, images.cols)),
            channels: self.set.images().map_or(1, |images| images.channels),
            normalisation: self.normalisation.clone(),
            activation: HiddenActivations::of(self.mlp.shape),
            task: self.dataset.task,
            schema: self.dataset.schema.clone(),
            target_scale: self.target_scale.clone(),
            temperature: None,
            threshold: None,
            recipe: Some(self.recipe.clone()),
            epochs_done: state.kept_epoch,
            val_accuracy: state.val_accuracy(),
            data_sha256,
        };
        let mut model = Model { shape: self.mlp.shape, params: state.kept, about };
        calibrate::calibrate(self, pool, &mut model)?;
        Ok(model)
    }
}
