//! A network to run, from either kind of file: an f32 model, or a flash file.
//!
//! Commands that only run a network take this, and do not care which it is. A flash file is run as a device would run it: integers
//! by the integer kernels, floats on the backend whose bits every machine has.

use std::path::Path;

use selvedge::format::ModelView;
use selvedge::{Backend, Mlp, Shape};

use super::evaluate::{Evaluation, evaluate_model};
use super::{Logits, argmax, check_finite, file, float, softmax};
use crate::data::{Dataset, Features, Samples, Task};
use crate::error::{Error, Result};
use crate::memory::Bytes;
use crate::model::fit::{check_outputs, check_set};
use crate::model::{self, About, Model};
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
    /// What the model that it was made of says of its data.
    about: Option<Box<About>>,
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
        let view = model::parse_flash(path, &bytes)?;
        let (shape, task) = (model::flash_shape(&view), file::task(&view));
        check_outputs(shape, task).map_err(|why| Error::model(format!("{}: {why}", path.display())))?;
        Ok(Self::Flash(Flash { bytes, shape, about: None }))
    }

    /// The network of a flash file that this program has just made.
    ///
    /// # Errors
    /// `Failed` without the memory, `Model` where the file is not sound.
    pub fn of_flash(bytes: &[u8]) -> Result<Self> {
        let bytes = Bytes::copy_of(bytes, "the file")?;
        let shape = model::flash_shape(&ModelView::parse(&bytes)?);
        Ok(Self::Flash(Flash { bytes, shape, about: None }))
    }

    /// The same with the columns of a table, which a flash file does not say, from the model in the file at `schema`, which it
    /// was made of.
    ///
    /// # Errors
    /// `Usage` where the network is a model itself, `Model` where the other one is no model or another network.
    pub fn with_schema(self, schema: Option<&Path>) -> Result<Self> {
        let Some(path) = schema else { return Ok(self) };
        let Self::Flash(flash) = self else {
            return Err(Error::usage(
                "--schema goes with a flash file, and the model says its columns itself",
            ));
        };
        let about = model_of(path, &flash.image())?.about;
        Ok(Self::Flash(Flash { about: Some(Box::new(about)), ..flash }))
    }

    /// What it answers.
    pub fn task(&self) -> Task {
        match self {
            Self::Float(model) => model.about.task,
            Self::Flash(flash) => file::task(&flash.image()),
        }
    }

    /// The score above which a reconstruction is an anomaly.
    pub fn score_threshold(&self) -> Option<f64> {
        match self {
            Self::Float(model) => model.about.threshold.map(f64::from),
            Self::Flash(flash) => file::score_threshold(&flash.image()),
        }
    }

    /// Whether a flash file has a margin below which a class is unknown.
    pub fn has_margin(&self) -> bool {
        match self {
            Self::Float(_) => false,
            Self::Flash(flash) => self.task() == Task::Classify && flash.image().header().margin_bits() != 0,
        }
    }

    /// Which of the samples at `index` are unknown to a flash file that has a margin.
    ///
    /// # Errors
    /// As [`exact_logits`](Self::exact_logits).
    pub fn unknown(&self, features: &Features, index: &[u32]) -> Result<Option<Vec<bool>>> {
        match self {
            Self::Flash(flash) if self.has_margin() => {
                Ok(file::unknown(&flash.image(), &self.exact_logits(features, index)?))
            }
            _ => Ok(None),
        }
    }

    /// Whether its samples are rows of a table.
    pub fn takes_rows(&self) -> bool {
        match self {
            Self::Float(model) => model.about.schema.is_some(),
            Self::Flash(flash) => flash.image().header().input_map().is_affine(),
        }
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

    /// The metadata of a model file; a flash file says nothing of its training, unless another file does.
    pub fn about(&self) -> Option<&About> {
        match self {
            Self::Float(model) => Some(&model.about),
            Self::Flash(flash) => flash.about.as_deref(),
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
        let logits = self.exact_logits(features, index)?;
        Ok(match (self, logits) {
            (Self::Flash(flash), logits) => file::real(&flash.image(), &logits),
            (Self::Float(_), Logits::Float(logits)) => logits.into_iter().map(f64::from).collect(),
            (Self::Float(_), Logits::Integer(_)) => unreachable!("a model computes in floats"),
        })
    }

    /// The logits of each sample at `index`, as the network computes them.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn exact_logits(&self, features: &Features, index: &[u32]) -> Result<Logits> {
        match self {
            Self::Flash(flash) => file::logits(&flash.image(), features, index),
            Self::Float(model) => {
                let mlp = Mlp::new(model.shape, Backend::detect());
                let inputs = model.about.normalisation.inputs(features);
                let pool = ThreadPool::new(Threads::ONE);
                let logits = float::logits(&pool, &mlp, &model.params, &inputs, index)?;
                check_finite(logits.iter().copied())?;
                Ok(Logits::Float(logits))
            }
        }
    }
}

/// The model in the file at `path`, which the flash file was made of.
///
/// # Errors
/// `Model` where it is no model or another network.
pub fn model_of(path: &Path, file: &ModelView<'_>) -> Result<Model> {
    let model = Model::load(path)?;
    let (shape, task) = (model::flash_shape(file), file::task(file));
    let differs = if !model.shape.widths().eq(shape.widths()) {
        Some(format!("that is {}, and the flash file {}", model.shape, shape))
    } else if model.about.task != task {
        Some(format!("its task is {}, and that of the flash file {}", model.about.task.name(), task.name()))
    } else {
        let (crc, columns) = (file.header().columns_crc(), model.about.schema.as_ref());
        let other = crc != 0 && columns.is_none_or(|schema| schema.crc() != crc);
        other.then(|| {
            "its columns, their order, or its targets are others than those of the flash file".into()
        })
    };
    if let Some(differs) = differs {
        return Err(Error::model(format!(
            "--schema {}: {differs}; name the model that the flash file was made of",
            path.display()
        )));
    }
    Ok(model)
}
