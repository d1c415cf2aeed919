//! The values of a recipe that are written as text.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use selvedge::Init;
use selvedge::optim::Schedule;
use serde::{Deserialize, Serialize};

/// [`Init`] as text: `he`, `he-linear`, or `normal:0.01` with a standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeightInit(pub Init);

impl FromStr for WeightInit {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "he" => return Ok(Self(Init::He)),
            "he-linear" => return Ok(Self(Init::HeLinear)),
            _ => {}
        }
        let standard_deviation = text.strip_prefix("normal:").and_then(|d| d.parse::<f32>().ok());
        match standard_deviation.filter(|d| d.is_finite() && *d > 0.0) {
            Some(standard_deviation) => Ok(Self(Init::Normal { standard_deviation })),
            None => {
                Err("write he, he-linear, or normal: and a standard deviation above 0, such as normal:0.01"
                    .into())
            }
        }
    }
}

impl fmt::Display for WeightInit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Init::Normal { standard_deviation } => write!(f, "normal:{standard_deviation}"),
            Init::He => f.write_str("he"),
            Init::HeLinear => f.write_str("he-linear"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Conversions between a type and its text, which serde uses.
macro_rules! text_conversions {
    ($t:ty) => {
        impl TryFrom<String> for $t {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
        impl From<$t> for String {
            fn from(value: $t) -> Self {
                value.to_string()
            }
        }
    };
}
text_conversions!(WeightInit);
text_conversions!(ScheduleKind);

/// The optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Stochastic gradient descent, with momentum if set
    Sgd,
    /// Adam with decoupled weight decay
    Adamw,
}

/// The images to train on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TrainOn {
    /// Train on five sixths of the images, validate on the rest
    Split,
    /// Train on all images, without validation
    All,
}

/// The precision of the operands of a step's matrix products. Weights, sums and evaluation are in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision
    F32,
    /// Rounded to bf16: faster on CPUs with AVX512-BF16; elsewhere the same bits, but slow
    Bf16,
}

impl From<Precision> for selvedge::simd::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// [`Schedule`] as text: `constant`, `linear`, `cosine`, `one-cycle` or `step:EPOCHS:FACTOR`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ScheduleKind {
    /// A constant learning rate.
    Constant,
    /// Linear decay to 0.
    Linear,
    /// Cosine decay to 0.
    Cosine,
    /// A rise, then a decay.
    OneCycle,
    /// Multiplication by a factor every so many epochs.
    Step(f32, f32),
}

impl ScheduleKind {
    /// The schedule of a run of `epochs`.
    pub fn schedule(self, epochs: usize) -> Schedule {
        match self {
            Self::Constant => Schedule::Constant,
            Self::Linear => Schedule::Linear,
            Self::Cosine => Schedule::Cosine,
            Self::OneCycle => Schedule::OneCycle,
            Self::Step(every, factor) => Schedule::Step { every: every / epochs as f32, factor },
        }
    }
}

impl FromStr for ScheduleKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let above_0 = |t: &str| t.parse::<f32>().ok().filter(|x| x.is_finite() && *x > 0.0);
        match text {
            "constant" => return Ok(Self::Constant),
            "linear" => return Ok(Self::Linear),
            "cosine" => return Ok(Self::Cosine),
            "one-cycle" => return Ok(Self::OneCycle),
            _ => {}
        }
        let step = text.strip_prefix("step:").and_then(|t| t.split_once(':'));
        let step = step.and_then(|(every, factor)| Some(Self::Step(above_0(every)?, above_0(factor)?)));
        step.ok_or_else(|| {
            "write constant, linear, cosine, one-cycle, or step:EPOCHS:FACTOR such as step:2:0.5".into()
        })
    }
}

impl fmt::Display for ScheduleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Linear => f.write_str("linear"),
            Self::Cosine => f.write_str("cosine"),
            Self::OneCycle => f.write_str("one-cycle"),
            Self::Step(every, factor) => write!(f, "step:{every}:{factor}"),
        }
    }
}

/// The widths of the hidden layers as text: `128`, `128,64`, or `none`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Hidden(pub Vec<usize>);

impl FromStr for Hidden {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let widths = text.split(',').map(|w| w.trim().parse::<usize>());
        widths
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(|_| "write widths with commas between them, such as 128 or 128,64, or none".into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Hidden, ScheduleKind, WeightInit};

    #[test]
    fn schedules_round_trip() {
        for text in ["constant", "linear", "cosine", "one-cycle", "step:2:0.5"] {
            assert_eq!(text.parse::<ScheduleKind>().unwrap().to_string(), text);
        }
        for text in ["", "step", "step:1", "step:0:1", "step:1:nan", "square"] {
            text.parse::<ScheduleKind>().unwrap_err();
        }
    }

    #[test]
    fn weight_inits_round_trip() {
        for text in ["he", "he-linear", "normal:0.01", "normal:2"] {
            assert_eq!(text.parse::<WeightInit>().unwrap().to_string(), text);
        }
        for text in ["", "normal", "normal:", "normal:nan", "normal:-1", "normal:0", "xavier"] {
            text.parse::<WeightInit>().unwrap_err();
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
