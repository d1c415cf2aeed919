//! A recipe: everything that decides how a run comes out. It is the run's `config.toml` and lies in the model's metadata.

use std::fmt;
use std::str::FromStr;

use selvedge::shape::{MAX_LAYERS, MAX_WIDTH};
use selvedge::{Backend, Init, Shape};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// `fashion-mnist`, `demo` or a folder.
    pub data: String,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    /// The learning rate.
    pub lr: f32,
    /// The initial weights.
    pub init: Weights,
    /// Decides the split, the initial weights and the shuffles.
    pub seed: u64,
    /// Who does the arithmetic; `auto` is the fastest that the CPU has.
    pub backend: String,
}

/// [`Init`] as people write it: `he`, or `normal:0.01` with a standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Weights(pub Init);

impl FromStr for Weights {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "he" {
            return Ok(Self(Init::He));
        }
        let deviation = text.strip_prefix("normal:").and_then(|d| d.parse::<f32>().ok());
        match deviation.filter(|d| d.is_finite() && *d > 0.0) {
            Some(deviation) => Ok(Self(Init::Normal { deviation })),
            None => Err("write he, or normal: and a standard deviation above 0, such as normal:0.01".into()),
        }
    }
}

impl TryFrom<String> for Weights {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Weights> for String {
    fn from(weights: Weights) -> Self {
        weights.to_string()
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Init::Normal { deviation } => write!(f, "normal:{deviation}"),
            Init::He => f.write_str("he"),
        }
    }
}

/// Widths of the hidden layers as people write them: `128`, `128,64`, or `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden(pub Vec<usize>);

impl FromStr for Hidden {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let widths = text.split(',').map(|w| w.trim().parse::<usize>());
        widths
            .collect::<std::result::Result<_, _>>()
            .map(Self)
            .map_err(|_| "write widths with commas between them, such as 128 or 128,64, or none".into())
    }
}

impl Recipe {
    /// Refuses what cannot be trained, before any data is read.
    ///
    /// # Errors
    /// Exit code 2 with the flag, its value and what it may be.
    pub fn check(&self) -> Result<()> {
        if let Some(width) = self.hidden.iter().find(|w| !(1..=MAX_WIDTH).contains(*w)) {
            return Err(Error::misused(format!("--hidden {width}: a layer has 1 to {MAX_WIDTH} units")));
        }
        if self.hidden.len() >= MAX_LAYERS {
            return Err(Error::misused(format!(
                "--hidden with {} layers: a network has at most {} hidden layers",
                self.hidden.len(),
                MAX_LAYERS - 1
            )));
        }
        if self.epochs == 0 {
            return Err(Error::misused("--epochs 0: train for at least 1 epoch"));
        }
        if self.batch == 0 {
            return Err(Error::misused("--batch 0: a batch has at least 1 image"));
        }
        if !self.lr.is_finite() || self.lr <= 0.0 {
            return Err(Error::misused(format!("--lr {}: the learning rate is a number above 0", self.lr)));
        }
        self.backend().map(|_| ())
    }

    /// Refuses a batch larger than the training set.
    ///
    /// # Errors
    /// Exit code 2 with both numbers.
    pub fn check_batch(&self, images: usize) -> Result<()> {
        if self.batch <= images {
            return Ok(());
        }
        Err(Error::misused(format!("--batch {}: there are {images} training images", self.batch)))
    }

    /// The backend that the recipe names.
    ///
    /// # Errors
    /// Exit code 2 with the backends that this CPU has.
    pub fn backend(&self) -> Result<Backend> {
        if self.backend == "auto" {
            return Ok(Backend::detect());
        }
        Backend::by_name(&self.backend).ok_or_else(|| {
            let names: Vec<_> = Backend::available().map(Backend::name).collect();
            Error::misused(format!("--backend {}: this CPU has auto, {}", self.backend, names.join(", ")))
        })
    }

    /// The network for images of `inputs` pixels and `classes` classes.
    ///
    /// # Errors
    /// Exit code 3 where the data set itself is too wide.
    pub fn shape(&self, inputs: usize, classes: usize) -> Result<Shape> {
        let widths: Vec<_> =
            [inputs].into_iter().chain(self.hidden.iter().copied()).chain([classes]).collect();
        Shape::new(&widths).map_err(|e| Error::data(format!("images of {inputs} pixels: {e}")))
    }

    /// `784-128-10`'s middle, for names: `128`, `128x64`, `linear`.
    pub fn hidden_name(&self) -> String {
        if self.hidden.is_empty() {
            return "linear".into();
        }
        self.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
    }
}

#[cfg(test)]
mod tests {
    use super::{Hidden, Weights};

    #[test]
    fn weights_round_trip() {
        for text in ["he", "normal:0.01", "normal:2"] {
            assert_eq!(text.parse::<Weights>().unwrap().to_string(), text);
        }
        for text in ["", "normal", "normal:", "normal:nan", "normal:-1", "normal:0", "xavier"] {
            text.parse::<Weights>().unwrap_err();
        }
    }

    #[test]
    fn hidden_widths() {
        assert_eq!("128".parse::<Hidden>().unwrap().0, [128]);
        assert_eq!("128, 64".parse::<Hidden>().unwrap().0, [128, 64]);
        assert!("none".parse::<Hidden>().unwrap().0.is_empty());
        for text in ["", ",", "-1", "128,", "a"] {
            text.parse::<Hidden>().unwrap_err();
        }
    }
}
