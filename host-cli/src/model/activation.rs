//! The activation of the hidden layers.

use serde::{Deserialize, Serialize};

/// The activation function of the hidden layers.
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
