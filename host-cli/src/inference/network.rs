//! A network to run, from either kind of file: an f32 model, or a flash file.
//!
//! Commands that only run a network take this, and do not care which it is. A flash file is run as a device would run it: integers
//! by the integer kernels, floats on the backend whose bits every machine has.

use std::path::Path;

use selvedge::format::ModelView;
use selvedge::{Backend, Mlp, Shape};

use super::evaluate::{Evaluation, evaluate_model};
use super::{Logits, argmax, check_finite, float, integer, softmax};
use crate::data::{Dataset, Features, Samples, Task};
use crate::error::{Error, Result};
use crate::memory::Bytes;
use crate::model::fit::{check_outputs, check_set};
use crate::model::{self, About, Model, fold};
use crate::recipe::Recipe;
use crate::thread_pool::{ThreadPool, Threads};

/// A network from a file.
#[derive(Debug)]
pub enum Network {
    /// An f32 model.
    Float(Box<Model>),
    /// A flash file.
    Flash(Flash),
}

/// A flash file, checked.
#[derive(Debug)]
pub struct Flash {
    bytes: Bytes,
    shape: Shape,
}

impl Flash {
    /// The file.
    pub fn image(&self) -> ModelView<'_> {
        ModelView::parse(&self.bytes)
            .expect("the file was checked when it was read, and its memory stays aligned")
    }
}

impl Network {
    /// Reads a flash file, a model file, or the one in a run's folder.
    ///
    /// # Errors
    /// `Model` with what is wrong with it.
    pub fn load(path: &Path) -> Result<Self> {
        let Some(bytes) = model::flash(path)? else { return Ok(Self::Float(Box::new(Model::load(path)?))) };
        let shape = model::flash_shape(&model::parse_flash(path, &bytes)?);
        check_outputs(shape, Task::Classify)
            .map_err(|why| Error::model(format!("{}: {why}", path.display())))?;
        Ok(Self::Flash(Flash { bytes, shape }))
    }

    /// Its widths.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Float(model) => model.shape,
            Self::Flash(flash) => flash.shape,
        }
    }

    /// The name of a class.
    pub fn class(&self, label: usize) -> String {
        match self {
            Self::Float(model) => model.class(label),
            Self::Flash(flash) => flash.image().label(label).map_or_else(|| label.to_string(), String::from),
        }
    }

    /// The names of its classes, or those of the data set where it has none.
    pub fn names(&self, dataset: &Dataset) -> Vec<String> {
        let named = match self {
            Self::Float(model) => !model.about.classes.is_empty(),
            Self::Flash(flash) => flash.image().label(0).is_some(),
        };
        if !named && dataset.classes.len() == self.shape().outputs() {
            return dataset.classes.clone();
        }
        (0..self.shape().outputs()).map(|c| self.class(c)).collect()
    }

    /// Rows and columns of its images, where it knows them.
    pub fn image_size(&self) -> Option<(usize, usize)> {
        match self {
            Self::Float(model) => model.about.image,
            Self::Flash(flash) => flash.image().header().image(),
        }
    }

    /// Its file's metadata; a flash file says nothing of its training.
    pub fn about(&self) -> Option<&About> {
        match self {
            Self::Float(model) => Some(&model.about),
            Self::Flash(_) => None,
        }
    }

    /// The recipe that it was trained by, if that is known.
    pub fn recipe(&self) -> Option<&Recipe> {
        self.about().and_then(|about| about.recipe.as_ref())
    }

    /// Evaluates on the images at `index` of `set`.
    ///
    /// # Errors
    /// `Failed` without the memory, `Model` where the network does not fit the images or gives outputs that are not finite.
    pub fn evaluate(&self, thread_pool: &ThreadPool, set: &Samples, index: &[u32]) -> Result<Evaluation> {
        if let Self::Float(model) = self {
            return evaluate_model(thread_pool, Backend::detect(), model, set, index);
        }
        check_set(self.shape(), set)?;
        let classes = self.shape().outputs();
        let mut evaluation = Evaluation::new(index.len(), classes);
        let logits = self.logits(&set.features, index)?;
        for (row, &n) in logits.chunks_exact(classes).zip(index) {
            let label = usize::from(set.labels()[n as usize]);
            evaluation.confusion[label][argmax(row)] += 1;
            evaluation.loss_sum -= softmax(row)[label].ln();
        }
        Ok(evaluation)
    }

    /// The logits of each sample at `index`, as real numbers.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn logits(&self, features: &Features, index: &[u32]) -> Result<Vec<f64>> {
        Ok(match self.exact_logits(features, index)? {
            Logits::Float(logits) => logits.into_iter().map(f64::from).collect(),
            Logits::Integer(logits) => {
                let unit = self.unit();
                logits.into_iter().map(|z| unit * f64::from(z)).collect()
            }
        })
    }

    /// The real value of one unit of an exact logit.
    fn unit(&self) -> f64 {
        match self {
            Self::Float(_) => 1.0,
            Self::Flash(flash) => f64::from(flash.image().scale(flash.shape.layers())),
        }
    }

    /// The logits of each sample at `index`, as the network computes them.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn exact_logits(&self, features: &Features, index: &[u32]) -> Result<Logits> {
        let flash = match self {
            Self::Float(model) => {
                let mlp = Mlp::new(model.shape, Backend::detect());
                let inputs = model.about.normalisation.inputs(features);
                let pool = ThreadPool::new(Threads::ONE);
                return finite(float::logits(&pool, &mlp, &model.params, &inputs, index)?);
            }
            Self::Flash(flash) => flash,
        };
        let (image, pixels) = (flash.image(), &features.images()?.pixels);
        if image.header().dtype().is_integer() {
            return Ok(Logits::Integer(integer::logits(&image, pixels, index)?));
        }
        finite(float::folded_logits(&fold::from_file(&image)?, Backend::PORTABLE, pixels, index)?)
    }
}

fn finite(logits: Vec<f32>) -> Result<Logits> {
    check_finite(logits.iter().copied())?;
    Ok(Logits::Float(logits))
}
