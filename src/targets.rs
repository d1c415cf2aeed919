//! Targets: what the outputs of a batch are trained towards, as labels or as values, and how much each row counts.

use crate::error::Error;
use crate::loss::Loss;

/// The targets of the `b` rows of a batch: a label each, or a value for each of the `o` outputs; and optionally a weight each.
///
/// A weight multiplies the loss of its row and the row's gradient. The mean of a batch is still over its number of rows, so
/// weights whose mean is 1, as balanced class weights are, keep the learning rate's meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets<'a> {
    kind: Kind<'a>,
    weights: Option<&'a [f32]>,
}

/// The two kinds of targets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind<'a> {
    /// Numbers of classes, `(b)`.
    Labels(&'a [u8]),
    /// `(b, o)`.
    Values(&'a [f32]),
}

impl<'a> Targets<'a> {
    /// The number of a class for each row, `(b)`.
    #[must_use]
    pub const fn labels(labels: &'a [u8]) -> Self {
        Self { kind: Kind::Labels(labels), weights: None }
    }

    /// A value for each output of each row, `(b, o)` row-major.
    #[must_use]
    pub const fn values(values: &'a [f32]) -> Self {
        Self { kind: Kind::Values(values), weights: None }
    }

    /// With a weight for each row, `(b)`: finite and not negative.
    #[must_use]
    pub const fn with_weights(self, weights: &'a [f32]) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The weights of the rows, where they have any.
    #[must_use]
    pub const fn weights(self) -> Option<&'a [f32]> {
        self.weights
    }

    /// The weight of row `r`; 1 where rows have none.
    ///
    /// # Panics
    /// If there are weights, and none for the row.
    #[must_use]
    pub fn weight(self, r: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[r])
    }

    pub(crate) const fn kind(self) -> Kind<'a> {
        self.kind
    }

    /// The number of rows, for a network of `outputs`; a row that is not complete does not count.
    #[must_use]
    pub const fn rows(self, outputs: usize) -> usize {
        match self.kind {
            Kind::Labels(labels) => labels.len(),
            Kind::Values(values) => match values.len().checked_div(outputs) {
                Some(rows) => rows,
                None => 0,
            },
        }
    }

    /// The target of output `o` of row `r`, of a network of `outputs`. A label counts as 1 at its output and 0 elsewhere, and
    /// for a single output as its own value.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn value(self, r: usize, o: usize, outputs: usize) -> f32 {
        match self.kind {
            Kind::Labels(labels) if outputs == 1 => f32::from(labels[r]),
            Kind::Labels(labels) => f32::from(u8::from(usize::from(labels[r]) == o)),
            Kind::Values(values) => values[r * outputs + o],
        }
    }

    /// The first `rows` rows, and the others.
    pub(crate) fn split_at(self, rows: usize, outputs: usize) -> (Self, Self) {
        let (left, right) = match self.kind {
            Kind::Labels(labels) => {
                let (left, right) = labels.split_at(rows);
                (Kind::Labels(left), Kind::Labels(right))
            }
            Kind::Values(values) => {
                let (left, right) = values.split_at(rows * outputs);
                (Kind::Values(left), Kind::Values(right))
            }
        };
        let (weights, weights2) = self.weights.map(|weights| weights.split_at(rows)).unzip();
        (Self { kind: left, weights }, Self { kind: right, weights: weights2 })
    }

    /// Refuses what `loss` cannot compare with `outputs` logits a row.
    ///
    /// # Errors
    /// [`Error::TargetKind`] for labels where the loss takes values, and for values where it takes labels; [`Error::Label`],
    /// [`Error::Target`] and [`Error::RowWeight`] with the first bad one; [`Error::Length`] for values that are no whole
    /// number of rows, and for another number of weights than of rows.
    pub fn check(self, loss: Loss, outputs: usize) -> Result<(), Error> {
        let wrong_kind = |expected| Err(Error::TargetKind { loss: loss.name(), expected });
        match (loss, self.kind) {
            (Loss::SoftmaxCrossEntropy, Kind::Labels(labels)) => check_labels(labels, outputs)?,
            (Loss::SoftmaxCrossEntropy, Kind::Values(_)) => return wrong_kind("a label for each row"),
            (Loss::SigmoidCrossEntropy, Kind::Labels(labels)) if outputs == 1 => check_labels(labels, 2)?,
            (Loss::SigmoidCrossEntropy, Kind::Labels(_)) => {
                return wrong_kind("a value for each output, or labels for a single output,");
            }
            (Loss::SigmoidCrossEntropy, Kind::Values(values)) => {
                check_values(values, outputs, |t| (0.0..=1.0).contains(&t), "from 0 to 1")?;
            }
            (Loss::SquaredError | Loss::Huber, Kind::Labels(_)) => {
                return wrong_kind("a value for each output");
            }
            (Loss::SquaredError | Loss::Huber, Kind::Values(values)) => {
                check_values(values, outputs, f32::is_finite, "a finite number")?;
            }
        }
        let Some(weights) = self.weights else { return Ok(()) };
        let expected = self.rows(outputs);
        if weights.len() != expected {
            return Err(Error::Length { what: "row weights", expected, actual: weights.len() });
        }
        match weights.iter().position(|&weight| !weight.is_finite() || weight < 0.0) {
            Some(row) => Err(Error::RowWeight { row }),
            None => Ok(()),
        }
    }
}

fn check_labels(labels: &[u8], classes: usize) -> Result<(), Error> {
    match labels.iter().enumerate().find(|&(_, &label)| usize::from(label) >= classes) {
        Some((row, &label)) => Err(Error::Label { row, label, classes }),
        None => Ok(()),
    }
}

fn check_values(
    values: &[f32],
    outputs: usize,
    valid: impl Fn(f32) -> bool,
    expected: &'static str,
) -> Result<(), Error> {
    if !values.len().is_multiple_of(outputs) {
        let expected = values.len().saturating_add(outputs - values.len() % outputs);
        return Err(Error::Length { what: "target values", expected, actual: values.len() });
    }
    match values.iter().position(|&t| !valid(t)) {
        Some(at) => Err(Error::Target { row: at / outputs, output: at % outputs, expected }),
        None => Ok(()),
    }
}

impl<'a> From<&'a [u8]> for Targets<'a> {
    fn from(labels: &'a [u8]) -> Self {
        Self::labels(labels)
    }
}

impl<'a> From<&'a [f32]> for Targets<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::values(values)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Targets<'a> {
    fn from(labels: &'a [u8; N]) -> Self {
        Self::labels(labels)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Targets<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Self::values(values)
    }
}

#[cfg(feature = "alloc")]
impl<'a> From<&'a alloc::vec::Vec<u8>> for Targets<'a> {
    fn from(labels: &'a alloc::vec::Vec<u8>) -> Self {
        Self::labels(labels)
    }
}

#[cfg(feature = "alloc")]
impl<'a> From<&'a alloc::vec::Vec<f32>> for Targets<'a> {
    fn from(values: &'a alloc::vec::Vec<f32>) -> Self {
        Self::values(values)
    }
}
