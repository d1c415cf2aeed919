//! From a recipe and a data set to a model: split, normalise, draw the weights, train, evaluate, keep.
//!
//! `train`, each trial of a `sweep` and the epoch of `bench` run this and nothing else. `--resume` makes the same
//! [`Pipeline`] and the same [`State`], into which the checkpoint is read. Whatever looks at a model later finds the
//! images that it was trained on by [`split`].
//!
//! Nothing here prints or writes a file.

mod batch;
mod state;
mod train;

use selvedge::{Backend, Mlp};

use crate::data::Samples;
use crate::data::normalise::Normalisation;
use crate::error::Result;
use crate::model::{About, Activation, Model};
use crate::recipe::Recipe;
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
    /// The training files.
    pub set: &'a Samples,
    /// The network.
    pub mlp: Mlp,
    /// The model that training starts from; without one the weights are drawn.
    pub start: Option<&'a Model>,
    /// Which images of the set to train and to validate on.
    pub split: Split,
    /// How pixels become inputs.
    pub normalisation: Normalisation,
}

/// The network of a recipe, for the images of `set`.
///
/// # Errors
/// `Data` where the images are too large for a network.
pub fn network(recipe: &Recipe, set: &Samples, classes: usize, backend: Backend) -> Result<Mlp> {
    Ok(Mlp::new(recipe.shape(set.features.width(), classes)?, backend))
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
    pub fn new(recipe: &'a Recipe, set: &'a Samples, mlp: Mlp, start: Option<&'a Model>) -> Result<Self> {
        let split = recipe.split(set);
        recipe.check_batch(split.train.len())?;
        let normalisation = match start {
            Some(model) => model.about.normalisation.clone(),
            None => recipe.normalisation(&set.features, &split),
        };
        Ok(Self { recipe, set, mlp, start, split, normalisation })
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

    /// The model that a state keeps; `classes` are the names of the classes, `data_sha256` the data's fingerprint.
    pub fn model(&self, state: State, classes: &[String], data_sha256: Option<String>) -> Model {
        let about = About {
            version: env!("CARGO_PKG_VERSION").into(),
            classes: classes.to_vec(),
            image: self.set.images().ok().map(|images| (images.rows, images.cols)),
            normalisation: self.normalisation.clone(),
            activation: Activation::default(),
            recipe: Some(self.recipe.clone()),
            epochs_done: state.kept_epoch,
            val_accuracy: state.val_accuracy(),
            data_sha256,
        };
        Model { shape: self.mlp.shape, params: state.kept, about }
    }
}
