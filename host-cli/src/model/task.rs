//! What a network computes besides its layers: what is between them, and what its outputs mean.

use selvedge::Shape;
use serde::{Deserialize, Serialize};

/// What a hidden layer's outputs go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(0, x)`.
    #[default]
    Relu,
}

impl Activation {
    /// Its name in model files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
        }
    }
}

/// Why a network of one output is none.
pub const ONE_OUTPUT: &str = "it has one output, as for regression or a yes-or-no decision, and a model here tells \
    classes apart: the softmax of one output is 1 whatever the image; train it with an output for each of the two classes";

/// Refuses a network whose softmax is 1 whatever it is given.
///
/// # Errors
/// One clause without the file's name.
pub fn classifies(shape: Shape) -> std::result::Result<(), String> {
    if shape.outputs() > 1 { Ok(()) } else { Err(ONE_OUTPUT.into()) }
}

/// Refuses class names that are not of as many classes as the network has.
///
/// # Errors
/// One clause without the file's name.
pub fn check_classes(classes: &[String], shape: Shape) -> std::result::Result<(), String> {
    match classes.len() {
        0 => Ok(()),
        n if n == shape.outputs() => Ok(()),
        n => Err(format!("{n} class names for {} outputs", shape.outputs())),
    }
}
