//! The settings of a recipe that depend on what a network is asked to answer.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use selvedge::{Activation, Loss, Shape};
use serde::{Deserialize, Serialize};

use crate::data::Task;
use crate::error::{Error, Result};

/// The task, or that the target decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TaskChoice {
    /// Classes where the target is text or a few whole numbers, else numbers
    #[default]
    Auto,
    /// One of several classes
    Classify,
    /// One or several numbers
    Regress,
    /// For each of several labels, whether it applies
    Multilabel,
    /// The inputs themselves, for an anomaly score
    Reconstruct,
}

impl TaskChoice {
    /// The task, unless the target decides.
    pub const fn task(self) -> Option<Task> {
        match self {
            Self::Auto => None,
            Self::Classify => Some(Task::Classify),
            Self::Regress => Some(Task::Regress),
            Self::Multilabel => Some(Task::Multilabel),
            Self::Reconstruct => Some(Task::Reconstruct),
        }
    }
}

/// The loss, or that the task decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LossChoice {
    /// Cross entropy for classes and labels, squared error for numbers
    #[default]
    Auto,
    /// Cross entropy: softmax for classes, sigmoid for each of several labels
    CrossEntropy,
    /// Half the squared error, summed over the outputs
    SquaredError,
    /// Squared up to one standard deviation of the target, linear beyond: outliers pull less
    Huber,
}

impl LossChoice {
    /// The loss of a task.
    ///
    /// # Errors
    /// `Usage` for a loss that does not go with the task.
    pub fn loss(self, task: Task) -> Result<Loss> {
        match (task, self) {
            (Task::Classify, Self::Auto | Self::CrossEntropy) => Ok(Loss::SoftmaxCrossEntropy),
            (Task::Multilabel, Self::Auto | Self::CrossEntropy) => Ok(Loss::SigmoidCrossEntropy),
            (Task::Regress | Task::Reconstruct, Self::Auto | Self::SquaredError) => Ok(Loss::SquaredError),
            (Task::Regress | Task::Reconstruct, Self::Huber) => Ok(Loss::Huber),
            _ => Err(Error::usage(format!(
                "--loss {}: {} minimises {}; leave --loss out, or choose another --task",
                self.to_possible_value().map_or_else(String::new, |value| value.get_name().into()),
                task.name(),
                if matches!(task, Task::Classify | Task::Multilabel) {
                    "cross-entropy"
                } else {
                    "squared-error or huber"
                }
            ))),
        }
    }
}

/// What early stopping and the model that is kept go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// The accuracy on the validation samples; the loss where the answers are no classes
    #[default]
    Accuracy,
    /// The loss on the validation samples
    Loss,
}

/// The activations of the hidden layers as text: `relu` for all, or one for each, such as `tanh,relu`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HiddenActivations(pub Vec<Activation>);

impl Default for HiddenActivations {
    fn default() -> Self {
        Self(vec![Activation::Relu])
    }
}

impl HiddenActivations {
    /// The activations of a shape's hidden layers.
    pub fn of(shape: Shape) -> Self {
        Self::from_layers((0..shape.layers().saturating_sub(1)).map(|l| shape.activation(l)).collect())
    }

    /// The activations of hidden layers, from the first to the last.
    pub fn from_layers(mut each: Vec<Activation>) -> Self {
        if each.windows(2).all(|pair| pair[0] == pair[1]) {
            each.truncate(1);
        }
        if each.is_empty() { Self::default() } else { Self(each) }
    }

    /// The shape with these activations.
    ///
    /// # Errors
    /// One clause, where there is neither one nor one for each hidden layer.
    pub fn apply(&self, shape: Shape) -> std::result::Result<Shape, String> {
        self.check(shape.layers() - 1)?;
        match self.0[..] {
            [all] => Ok(shape.with_activation(all)),
            _ => shape.with_activations(&self.0).map_err(|e| e.to_string()),
        }
    }

    /// Refuses activations of another number of hidden layers than `hidden`.
    ///
    /// # Errors
    /// One clause, where there is neither one nor one for each hidden layer.
    pub fn check(&self, hidden: usize) -> std::result::Result<(), String> {
        match self.0.len() {
            1 => Ok(()),
            n if n == hidden => Ok(()),
            n => {
                Err(format!("{n} activations for {hidden} hidden layers; write one for all, or one for each"))
            }
        }
    }
}

impl FromStr for HiddenActivations {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let each = text.split(',').map(|name| {
            let known = Activation::HIDDEN.into_iter().find(|a| a.name() == name.trim());
            known.ok_or_else(|| {
                let names: Vec<_> = Activation::HIDDEN.iter().map(|a| a.name()).collect();
                format!("there is no activation {}; write {}", name.trim(), names.join(", "))
            })
        });
        each.collect::<std::result::Result<_, _>>().map(Self)
    }
}

impl fmt::Display for HiddenActivations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|a| a.name()).collect::<Vec<_>>().join(","))
    }
}

impl TryFrom<String> for HiddenActivations {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<HiddenActivations> for String {
    fn from(activations: HiddenActivations) -> Self {
        activations.to_string()
    }
}

/// The weights of the classes in the loss, as text: `none`, `balanced`, or `NAME=W,..`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ClassWeights {
    /// Every sample counts the same.
    #[default]
    None,
    /// Every class counts the same.
    Balanced,
    /// The weights of some classes; the others have 1.
    Named(Vec<(String, f32)>),
}

impl ClassWeights {
    /// The weight of each of `classes`, of which there are `counts` samples; empty where all samples count the same.
    ///
    /// Balanced weights are `samples / (classes * count)`, as scikit-learn's, so that their mean over the samples is 1.
    ///
    /// # Errors
    /// `Usage` for a name that is no class.
    pub fn of(&self, classes: &[String], counts: &[usize]) -> Result<Vec<f32>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Balanced => {
                let classes = counts.iter().filter(|&&n| n > 0).count() as f32;
                let samples = counts.iter().sum::<usize>() as f32;
                Ok(counts.iter().map(|&n| samples / (classes * n.max(1) as f32)).collect())
            }
            Self::Named(named) => {
                let mut weights = vec![1.0; classes.len()];
                for (name, weight) in named {
                    let class = classes.iter().position(|class| class == name).ok_or_else(|| {
                        Error::usage(format!(
                            "--class-weights {name}={weight}: there is no class {name}, only {}",
                            classes.join(", ")
                        ))
                    })?;
                    weights[class] = *weight;
                }
                Ok(weights)
            }
        }
    }
}

impl FromStr for ClassWeights {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "none" => return Ok(Self::None),
            "balanced" => return Ok(Self::Balanced),
            _ => {}
        }
        let pair = |pair: &str| {
            let (name, weight) = pair.rsplit_once('=')?;
            let weight = weight.trim().parse::<f32>().ok().filter(|w| w.is_finite() && *w >= 0.0)?;
            Some((name.trim().to_string(), weight))
        };
        let named: Option<Vec<_>> = text.split(',').map(pair).collect();
        named.map(Self::Named).ok_or_else(|| {
            "write none, balanced, or a weight of 0 or more for classes, such as cat=2,dog=0.5".into()
        })
    }
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Balanced => f.write_str("balanced"),
            Self::Named(named) => {
                let pairs: Vec<_> = named.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
                f.write_str(&pairs.join(","))
            }
        }
    }
}

impl TryFrom<String> for ClassWeights {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<ClassWeights> for String {
    fn from(weights: ClassWeights) -> Self {
        weights.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{ClassWeights, HiddenActivations, LossChoice};
    use crate::data::Task;
    use selvedge::{Loss, Shape};

    #[test]
    fn activations_are_one_or_one_for_each() {
        let shape = Shape::new(&[4, 3, 2, 1]).unwrap();
        for text in ["tanh", "relu,hard-swish"] {
            let activations: HiddenActivations = text.parse().unwrap();
            assert_eq!(activations.to_string(), text);
            assert_eq!(HiddenActivations::of(activations.apply(shape).unwrap()), activations);
        }
        assert!("tanh,tanh,tanh".parse::<HiddenActivations>().unwrap().apply(shape).is_err());
        assert!("softplus".parse::<HiddenActivations>().unwrap_err().contains("leaky-relu"));
    }

    #[test]
    fn balanced_weights_have_a_mean_of_one() {
        let names = ["a", "b"].map(String::from);
        let weights = ClassWeights::Balanced.of(&names, &[30, 10]).unwrap();
        assert!((30.0 * weights[0] + 10.0 * weights[1] - 40.0).abs() < 1e-4 && weights[1] == 2.0);
        let named: ClassWeights = "b=3".parse().unwrap();
        assert_eq!((named.to_string(), named.of(&names, &[]).unwrap()), ("b=3".into(), vec![1.0, 3.0]));
        assert!(named.of(&names[..1], &[]).unwrap_err().message.contains("no class b"));
        for text in ["", "b", "b=-1", "b=x", "b=inf"] {
            text.parse::<ClassWeights>().unwrap_err();
        }
    }

    #[test]
    fn a_loss_goes_with_a_task() {
        assert_eq!(LossChoice::Auto.loss(Task::Multilabel).unwrap(), Loss::SigmoidCrossEntropy);
        assert_eq!(LossChoice::Huber.loss(Task::Regress).unwrap(), Loss::Huber);
        let error = LossChoice::Huber.loss(Task::Classify).unwrap_err();
        assert!(error.message.contains("--loss huber") && error.message.contains("cross-entropy"), "{error}");
    }
}
