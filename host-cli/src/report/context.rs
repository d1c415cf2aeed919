//! What the sections of a run's page look at: the model, its test samples, and the names of its outputs.

use selvedge::Backend;

use super::escape;
use crate::data::{Dataset, Features, Samples};
use crate::error::Result;
use crate::inference::answers::{Answers, answers};
use crate::model::Model;
use crate::thread_pool::{ThreadPool, Threads};

/// A model and the data that it is shown on.
pub(super) struct Context<'a> {
    /// The model.
    pub model: &'a Model,
    /// The data set.
    pub dataset: &'a Dataset,
    /// Its test samples.
    pub test: &'a Samples,
    /// The threads that run the network.
    pub pool: ThreadPool,
    /// The names of the outputs; of inputs that are reconstructed, numbers.
    pub names: Vec<String>,
}

/// A figure of the summary.
pub(super) struct Fact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What to compare it with, or nothing.
    pub note: String,
}

impl Fact {
    /// A figure and what to compare it with.
    pub fn new(name: impl Into<String>, value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), note: note.into() }
    }
}

/// What a task says of the test samples.
pub(super) struct Results {
    /// The figures for the summary.
    pub facts: Vec<Fact>,
    /// The sections.
    pub sections: String,
}

impl<'a> Context<'a> {
    /// A model and its data set, with threads.
    pub fn new(model: &'a Model, dataset: &'a Dataset) -> Self {
        let outputs = model.shape.outputs();
        let named = model.about.classes.is_empty() && dataset.classes.len() == outputs;
        let name = |o: usize| if named { dataset.classes[o].clone() } else { model.class(o) };
        Self {
            model,
            dataset,
            test: &dataset.test,
            pool: ThreadPool::new(Threads::Auto),
            names: (0..outputs).map(name).collect(),
        }
    }

    /// The answers for samples like those of the data set.
    ///
    /// # Errors
    /// `Failed` without the memory, `Model` for outputs that are not finite.
    pub fn answers(&self, features: &Features) -> Result<Answers> {
        let index: Vec<u32> = (0..features.len() as u32).collect();
        answers(&self.pool, Backend::detect(), self.model, features, &index)
    }

    /// The name of an output, for HTML.
    pub fn name(&self, output: usize) -> String {
        escape(&self.names[output])
    }

    /// What a sample is called: `image` or `row`.
    pub fn singular(&self) -> &'static str {
        self.dataset.singular()
    }
}
