//! What turns the integers of a file's outputs into answers: a margin, a threshold, the units of numbers and of errors.

use selvedge::format::{Builder, ErrorScale, ValueScale};

use super::calibrate::Calibration;
use super::input::Input;
use crate::data::Task;
use crate::error::{Error, Result};
use crate::model::Model;

/// A label applies where its output is above 0, at a probability above ½.
const LABEL_THRESHOLD: i32 = 1;
/// The largest error that a score squares, in the units that are left after its shift.
const LARGEST_ERROR: f64 = 32767.0;
/// Errors up to this many times the widest range of an input are not clipped.
const ERROR_RANGES: f64 = 2.0;

/// A file whose answers are to be written.
pub(super) struct File<'a> {
    /// The model that it is made of.
    pub model: &'a Model,
    /// Its inputs.
    pub input: &'a Input,
    /// The real value of one unit of its outputs.
    pub unit: f64,
    /// The probability below which a class is unknown.
    pub reject: Option<f32>,
}

impl File<'_> {
    /// Writes what the task needs.
    ///
    /// # Errors
    /// `Model` where the numbers do not fit the format.
    pub fn write(&self, builder: &mut Builder<'_>, calibration: &Calibration) -> Result<()> {
        let refused = |e: selvedge::Error| Error::model(format!("the model cannot be quantized: {e}"));
        match self.model.about.task {
            Task::Classify => match self.margin() {
                Some(margin) => builder.margin_bits(margin).map_err(refused),
                None => Ok(()),
            },
            Task::Multilabel => builder.label_threshold_bits(LABEL_THRESHOLD as u32).map_err(refused),
            Task::Regress => self.values(builder),
            Task::Reconstruct => self.errors(builder, calibration),
        }
    }

    /// By how many units the largest logit must lead the second, so that of these two its class has the probability: the
    /// distance at which the softmax of two logits has it, at the model's temperature.
    fn margin(&self) -> Option<u32> {
        let p = f64::from(self.reject?);
        let temperature = self.model.about.temperature.map_or(1.0, f64::from);
        Some((temperature * (p / (1.0 - p)).ln() / self.unit).ceil() as u32)
    }

    fn values(&self, builder: &mut Builder<'_>) -> Result<()> {
        let scale = self.model.about.target_scale.as_ref();
        for o in 0..self.model.shape.outputs() {
            let (mean, deviation) =
                scale.map_or((0.0, 1.0), |s| (f64::from(s.means()[o]), f64::from(s.deviations()[o])));
            // The product as it is stored, so that adding the mean does not add an error of its own.
            let scale = (self.unit * deviation) as f32;
            let add = (mean / f64::from(scale)).round();
            if !(scale.is_finite() && scale > 0.0) || add.abs() > f64::from(1 << 30) {
                return Err(Error::model(format!(
                    "the mean of target {}, {mean}, is too large beside its standard deviation of {deviation} for 32-bit \
                     integers: subtract a constant from the target and train again",
                    self.model.class(o)
                )));
            }
            builder.value_scale(o, ValueScale::Integer { add: add as i32, scale })?;
        }
        Ok(())
    }

    /// What the network's outputs are compared with: the real values of the inputs' codes.
    fn errors(&self, builder: &mut Builder<'_>, calibration: &Calibration) -> Result<()> {
        let codes = self.input.codes(&self.model.about.normalisation, self.model.shape.inputs());
        let code_unit = f64::from(self.input.code_unit());
        let largest = f64::from(self.input.largest_code());
        let mut widest = 0.0f64;
        for (o, (&(low, step), mean)) in codes.iter().zip(&calibration.mean[0]).enumerate() {
            let exact = step / self.unit;
            let mul = (256.0 * exact).round();
            // What rounding the factor adds at the mean of the input is taken away again.
            let add = (-low / self.unit + mean / code_unit * (mul / 256.0 - exact)).round();
            widest = widest.max(exact * largest);
            if !(0.0..f64::from(1u32 << 31)).contains(&(mul * largest + 128.0))
                || add.abs() >= f64::from(1 << 23)
            {
                return Err(Error::model(format!(
                    "the model cannot be quantized: the range of input {o} is too wide beside the network's outputs; train \
                     it for longer, or leave the column out"
                )));
            }
            builder.error_scale(o, ErrorScale { add: add as i32, mul: mul as u32 })?;
        }
        let shift = (0..24).find(|&shift| LARGEST_ERROR * f64::from(1 << shift) >= ERROR_RANGES * widest);
        let shift = shift.unwrap_or(24);
        let step = self.unit * f64::from(1 << shift);
        let unit = (step * step / codes.len() as f64) as f32;
        let threshold = self.model.about.threshold.map(|t| (f64::from(t) / f64::from(unit)).floor() as u64);
        builder
            .score(shift, unit, threshold)
            .map_err(|e| Error::model(format!("the model cannot be quantized: {e}")))
    }
}
