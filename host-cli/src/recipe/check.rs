//! The valid values of a recipe.

use selvedge::shape::{MAX_LAYERS, MAX_WIDTH};

use super::{OptimizerKind, Recipe, TrainOn};
use crate::error::{Error, Result};

/// The maximum random shift of images.
const MAX_SHIFT_PIXELS: usize = 8;

impl Recipe {
    /// Refuses invalid settings, before any data is read.
    ///
    /// # Errors
    /// `Usage` with the flag, its value and the valid values.
    pub fn check(&self) -> Result<()> {
        if let Some(width) = self.hidden.iter().find(|w| !(1..=MAX_WIDTH).contains(*w)) {
            return Err(Error::usage(format!("--hidden {width}: a layer has 1 to {MAX_WIDTH} units")));
        }
        if self.hidden.len() >= MAX_LAYERS {
            return Err(Error::usage(format!(
                "--hidden with {} layers: a network has at most {} hidden layers",
                self.hidden.len(),
                MAX_LAYERS - 1
            )));
        }
        if self.epochs == 0 {
            return Err(Error::usage("--epochs 0: train for at least 1 epoch"));
        }
        if self.batch == 0 {
            return Err(Error::usage("--batch 0: a batch has at least 1 image"));
        }
        if !self.lr.is_finite() || self.lr <= 0.0 {
            return Err(Error::usage(format!("--lr {}: the learning rate is a number above 0", self.lr)));
        }
        self.check_ranges()?;
        self.picture_size()?;
        if self.stride > 0 && self.window == 0 {
            return Err(Error::usage("--stride goes with --window, the number of rows of a sample"));
        }
        if self.data.is_empty() {
            return Err(Error::usage("--data is empty: name fashion-mnist, demo, or a folder"));
        }
        if self.nesterov && (self.optimizer != OptimizerKind::Sgd || self.momentum == 0.0) {
            return Err(Error::usage("--nesterov looks ahead along SGD's --momentum; give one, such as 0.9"));
        }
        if self.shift > MAX_SHIFT_PIXELS {
            return Err(Error::usage(format!(
                "--shift {}: images move by at most {MAX_SHIFT_PIXELS} pixels",
                self.shift
            )));
        }
        if self.patience > 0 && self.train_on == TrainOn::All {
            return Err(Error::usage(
                "--patience waits for a better validation accuracy, and --train-on all leaves no images to validate on",
            ));
        }
        self.backend().map(|_| ())
    }

    fn check_ranges(&self) -> Result<()> {
        let below_1 = [
            ("momentum", self.momentum),
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("label-smoothing", self.label_smoothing),
            ("dropout", self.dropout),
            ("ema", self.ema),
            ("false-alarms", self.false_alarms),
        ];
        if let Some((flag, value)) = below_1.into_iter().find(|(_, x)| !(0.0..1.0).contains(x)) {
            return Err(Error::usage(format!("--{flag} {value}: it is a number from 0 to below 1")));
        }
        let up_to_1 = [("warmup", self.warmup), ("loss-epsilon", self.loss_epsilon)];
        if let Some((flag, value)) = up_to_1.into_iter().find(|(_, x)| !(0.0..=1.0).contains(x)) {
            return Err(Error::usage(format!("--{flag} {value}: it is a number from 0 to 1")));
        }
        let not_negative = [("weight-decay", self.weight_decay), ("clip", self.clip)];
        if let Some((flag, value)) = not_negative.into_iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            return Err(Error::usage(format!("--{flag} {value}: it is a number of 0 or more")));
        }
        if !(0.1..=10.0).contains(&self.gamma) {
            return Err(Error::usage(format!("--gamma {}: it is a number from 0.1 to 10", self.gamma)));
        }
        Ok(())
    }
}
