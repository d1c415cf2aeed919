//! How good a network's answers are, by the measures of its task.

use super::answers::Answers;
use super::check_finite;
use super::evaluate::Evaluation;
use super::metrics::classes::{self, Rejection};
use super::metrics::{multilabel, reconstruction, regression};
use super::network::Network;
use crate::data::{Samples, Targets};
use crate::error::{Error, Result};
use crate::thread_pool::ThreadPool;

/// The measures of some samples' answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Assessment {
    /// Of classes.
    Classes(Box<ClassFigures>),
    /// Of numbers, in the targets' units.
    Regression(regression::Errors),
    /// Of labels of which several may apply.
    Multilabel(multilabel::Counts),
    /// Of reconstructions.
    Reconstruction(ScoreFigures),
}

/// The measures of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassFigures {
    /// Loss and confusion matrix.
    pub evaluation: Evaluation,
    /// The area under the ROC curve, of several classes the mean of one against the rest; `None` where it is not defined.
    pub auc: Option<f64>,
    /// The expected calibration error of the probabilities.
    pub ece: Option<f64>,
    /// What is answered where less probable answers are rejected.
    pub rejection: Option<Rejection>,
}

/// The measures of anomaly scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreFigures {
    /// The score of each sample.
    pub scores: Vec<f64>,
    /// The score above which a sample counts as an anomaly.
    pub threshold: Option<f64>,
    /// Whether each sample is an anomaly, where it is known.
    pub anomalies: Option<Vec<bool>>,
    /// The area under the ROC curve, where anomalies are known.
    pub auc: Option<f64>,
}

impl ScoreFigures {
    /// The mean score.
    pub fn mean(&self) -> f64 {
        self.scores.iter().sum::<f64>() / self.scores.len().max(1) as f64
    }

    /// The samples above the threshold.
    pub fn alarms(&self) -> Option<usize> {
        let threshold = self.threshold?;
        Some(self.scores.iter().filter(|&&score| reconstruction::is_anomaly(score, threshold)).count())
    }
}

impl Assessment {
    /// The samples.
    pub fn rows(&self) -> usize {
        match self {
            Self::Classes(figures) => figures.evaluation.images,
            Self::Regression(errors) => errors.rows,
            Self::Multilabel(counts) => counts.rows,
            Self::Reconstruction(figures) => figures.scores.len(),
        }
    }
}

/// Measures the answers of a network for the samples at `index` of `set`. Classes less probable than `reject` count as not
/// answered.
///
/// # Errors
/// `Failed` without the memory, `Model` where the network does not fit the samples or its outputs are not finite, `Data`
/// where the answers are not known.
pub fn assess(
    network: &Network,
    pool: &ThreadPool,
    set: &Samples,
    index: &[u32],
    reject: Option<f64>,
) -> Result<Assessment> {
    let unknown = || Error::data("the samples have no target to compare answers with");
    if let Targets::Values(matrix) = &set.targets
        && matrix.columns != network.shape().outputs()
    {
        return Err(Error::model(format!(
            "the model has {} outputs, but the samples have {} targets",
            network.shape().outputs(),
            matrix.columns
        )));
    }
    let answers = network.answers(pool, &set.features, index)?;
    match (answers, &set.targets) {
        (Answers::Classes(probabilities), Targets::Classes(labels)) => {
            let evaluation = network.evaluate(pool, set, index)?;
            let labels: Vec<u8> = index.iter().map(|&n| labels[n as usize]).collect();
            let classes = network.shape().outputs();
            let rejection = match network.unknown(&set.features, index)? {
                Some(unknown) => Some(known(&probabilities, classes, &labels, &unknown)),
                None => reject.map(|least| classes::reject(&probabilities, classes, &labels, least)),
            };
            let auc = classes::auc(&probabilities, classes, &labels);
            let ece = classes::calibration_error(&probabilities, classes, &labels);
            Ok(Assessment::Classes(Box::new(ClassFigures { evaluation, auc, ece, rejection })))
        }
        (Answers::Values(values), Targets::Values(matrix)) => {
            let scale = network.about().and_then(|about| about.target_scale.as_ref());
            let means =
                scale.map_or(vec![0.0; matrix.columns], |s| s.means().iter().map(|&m| m.into()).collect());
            let truth: Vec<f32> = index.iter().flat_map(|&n| matrix.row(n as usize)).copied().collect();
            regression::errors(&values, &truth, &means).map(Assessment::Regression).ok_or_else(unknown)
        }
        (Answers::Labels(probabilities), Targets::Values(matrix)) => {
            let truth: Vec<f32> = index.iter().flat_map(|&n| matrix.row(n as usize)).copied().collect();
            let probabilities: Vec<f32> = probabilities.into_iter().map(|p| p as f32).collect();
            let counts = multilabel::counts(&probabilities, &truth, matrix.columns, 0.5);
            counts.map(Assessment::Multilabel).ok_or_else(unknown)
        }
        (Answers::Scores(scores), targets) => {
            check_finite(scores.iter().copied())?;
            let anomalies: Option<Vec<bool>> = match targets {
                Targets::Inputs(Some(known)) => Some(index.iter().map(|&n| known[n as usize] == 1).collect()),
                _ => None,
            };
            let auc = anomalies.as_ref().and_then(|known| reconstruction::auc(&scores, known));
            let threshold = network.score_threshold();
            Ok(Assessment::Reconstruction(ScoreFigures { scores, threshold, anomalies, auc }))
        }
        _ => Err(unknown()),
    }
}

/// What is answered where some samples are unknown.
fn known(probabilities: &[f64], classes: usize, labels: &[u8], unknown: &[bool]) -> Rejection {
    let rows = probabilities.chunks_exact(classes).zip(labels).zip(unknown);
    let answered = rows.filter(|(_, unknown)| !**unknown).map(|(row, _)| row);
    let right = |(row, label): &(&[f64], &u8)| classes::top(row).0 == usize::from(**label);
    Rejection {
        rows: labels.len(),
        answered: answered.clone().count(),
        correct: answered.filter(right).count(),
    }
}
