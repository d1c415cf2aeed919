//! The values of a recipe that people write as words.

use std::fmt;
use std::str::FromStr;

use selvedge::Init;
use serde::{Deserialize, Serialize};

/// [`Init`] as people write it: `he`, `he-linear`, or `normal:0.01` with a standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Weights(pub Init);

impl FromStr for Weights {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "he" => return Ok(Self(Init::He)),
            "he-linear" => return Ok(Self(Init::HeLinear)),
            _ => {}
        }
        let deviation = text.strip_prefix("normal:").and_then(|d| d.parse::<f32>().ok());
        match deviation.filter(|d| d.is_finite() && *d > 0.0) {
            Some(deviation) => Ok(Self(Init::Normal { deviation })),
            None => {
                Err("write he, he-linear, or normal: and a standard deviation above 0, such as normal:0.01"
                    .into())
            }
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Init::Normal { deviation } => write!(f, "normal:{deviation}"),
            Init::He => f.write_str("he"),
            Init::HeLinear => f.write_str("he-linear"),
        }
    }
}

impl TryFrom<String> for Weights {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Weights> for String {
    fn from(weights: Weights) -> Self {
        weights.to_string()
    }
}

/// Widths of the hidden layers as people write them: `128`, `128,64`, or `none`.
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
    use super::{Hidden, Weights};

    #[test]
    fn weights_round_trip() {
        for text in ["he", "he-linear", "normal:0.01", "normal:2"] {
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
