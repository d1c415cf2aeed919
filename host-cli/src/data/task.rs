//! What a network is asked to answer.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The kind of answer. It decides the loss and how outputs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of several classes
    #[default]
    Classify,
    /// One or several numbers
    Regress,
    /// For each of several labels, whether it applies
    Multilabel,
    /// The inputs themselves, for an anomaly score
    Reconstruct,
}

impl Task {
    /// Its name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Regress => "regress",
            Self::Multilabel => "multilabel",
            Self::Reconstruct => "reconstruct",
        }
    }

    /// Whether it is the one of files that do not say theirs.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
