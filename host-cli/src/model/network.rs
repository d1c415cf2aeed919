//! A network to run, from either kind of file: a master, or a flash file.
//!
//! The commands that only look on take this, and do not care which it is. A flash file is run as a device would run it: integers
//! by the integer kernels, floats on the backend whose bits every machine has.

use std::path::Path;

use selvedge::format::ModelView;
use selvedge::{Backend, Mlp, Shape, naive};

use crate::data::{Dataset, Samples};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, check_fit, evaluate, finite, logits};
use crate::memory::Bytes;
use crate::model::fold;
use crate::model::{self, About, Model};
use crate::quantize::calibrate::Images;
use crate::quantize::evaluation;
use crate::recipe::Recipe;
use crate::thread_pool::{ThreadPool, Threads};

/// The logits of images, image by image.
#[derive(Debug, Clone, PartialEq)]
pub enum Logits {
    /// Of a network of floats.
    Float(Vec<f32>),
    /// Of a file of integers.
    Integer(Vec<i32>),
}

/// A network from a file.
#[derive(Debug)]
pub enum Network {
    /// A master.
    Master(Box<Model>),
    /// A flash file.
    Flash(Flash),
}

/// A flash file that was checked.
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
    /// Exit code 4 with what is wrong with it.
    pub fn load(path: &Path) -> Result<Self> {
        let Some(bytes) = model::flash(path)? else { return Ok(Self::Master(Box::new(Model::load(path)?))) };
        let shape = model::flash_shape(&model::parse_flash(path, &bytes)?);
        model::classifies(shape).map_err(|why| Error::model(format!("{}: {why}", path.display())))?;
        Ok(Self::Flash(Flash { bytes, shape }))
    }

    /// Its widths.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Master(model) => model.shape,
            Self::Flash(flash) => flash.shape,
        }
    }

    /// The name of a class.
    pub fn class(&self, label: usize) -> String {
        match self {
            Self::Master(model) => model.class(label),
            Self::Flash(flash) => flash.image().label(label).map_or_else(|| label.to_string(), String::from),
        }
    }

    /// The names of its classes; of one without names those that the data set has.
    pub fn names(&self, dataset: &Dataset) -> Vec<String> {
        let named = match self {
            Self::Master(model) => !model.about.classes.is_empty(),
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
            Self::Master(model) => model.about.image,
            Self::Flash(flash) => flash.image().header().image(),
        }
    }

    /// What its file says of it; a flash file says nothing of its training.
    pub fn about(&self) -> Option<&About> {
        match self {
            Self::Master(model) => Some(&model.about),
            Self::Flash(_) => None,
        }
    }

    /// How it was trained, if that is known.
    pub fn recipe(&self) -> Option<&Recipe> {
        self.about().and_then(|about| about.recipe.as_ref())
    }

    /// Refuses images of another size than its inputs, and classes that it does not know.
    ///
    /// # Errors
    /// Exit code 4 with both numbers.
    pub fn check_fit(&self, set: &Samples) -> Result<()> {
        check_fit(&Mlp::new(self.shape(), Backend::PORTABLE), set)
    }

    /// Evaluates on the images at `index` of `set`.
    ///
    /// # Errors
    /// Exit code 1 without the memory, 4 where the network does not fit the images.
    pub fn evaluate(&self, thread_pool: &ThreadPool, set: &Samples, index: &[u32]) -> Result<Evaluation> {
        if let Self::Master(model) = self {
            let mlp = Mlp::new(model.shape, Backend::detect());
            let inputs = model.about.normalisation.inputs(&set.images.pixels);
            return evaluate(thread_pool, &mlp, &model.params, &inputs, set, index)?.finite();
        }
        self.check_fit(set)?;
        let classes = self.shape().outputs();
        let confusion = vec![vec![0; classes]; classes];
        let mut evaluation = Evaluation { images: index.len(), loss_sum: 0.0, confusion };
        let logits = self.logits(&set.images.pixels, index)?;
        for (row, &n) in logits.chunks_exact(classes).zip(index) {
            let label = usize::from(set.labels[n as usize]);
            evaluation.confusion[label][naive::argmax(row)] += 1;
            evaluation.loss_sum -= softmax(row)[label].ln();
        }
        Ok(evaluation)
    }

    /// The logits of each image at `index`, as real numbers.
    ///
    /// # Errors
    /// Exit code 1 without the memory.
    pub fn logits(&self, pixels: &[u8], index: &[u32]) -> Result<Vec<f64>> {
        Ok(match self.exact_logits(pixels, index)? {
            Logits::Float(logits) => logits.into_iter().map(f64::from).collect(),
            Logits::Integer(logits) => {
                let unit = self.unit();
                logits.into_iter().map(|z| unit * f64::from(z)).collect()
            }
        })
    }

    /// What one unit of an exact logit is worth.
    fn unit(&self) -> f64 {
        match self {
            Self::Master(_) => 1.0,
            Self::Flash(flash) => f64::from(flash.image().scale(flash.shape.layers())),
        }
    }

    /// The logits of each image at `index`, as the network computes them.
    ///
    /// # Errors
    /// Exit code 1 without the memory.
    pub fn exact_logits(&self, pixels: &[u8], index: &[u32]) -> Result<Logits> {
        let flash = match self {
            Self::Master(model) => {
                let mlp = Mlp::new(model.shape, Backend::detect());
                let inputs = model.about.normalisation.inputs(pixels);
                let logits = logits(&ThreadPool::new(Threads::ONE), &mlp, &model.params, &inputs, index)?;
                finite(logits.iter().copied())?;
                return Ok(Logits::Float(logits));
            }
            Self::Flash(flash) => flash,
        };
        let image = flash.image();
        if image.header().dtype().is_integer() {
            return Ok(Logits::Integer(evaluation::integer_logits(&image, pixels, index)?));
        }
        let folded = fold::of_file(&image)?;
        let values = folded.input_values();
        let mut logits = Vec::new();
        Images { pixels, index, values: &values }.forward(
            &Mlp::new(folded.shape, Backend::PORTABLE),
            &folded.params,
            |activations, b| logits.extend_from_slice(activations.logits(b)),
        )?;
        finite(logits.iter().copied())?;
        Ok(Logits::Float(logits))
    }
}

/// Probabilities in f64, so that they add up to 1 as printed.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|&z| (z - max).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.into_iter().map(|e| e / sum).collect()
}
