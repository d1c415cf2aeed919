//! Anomaly scores of an autoencoder, their threshold, and what it finds.
//!
//! The score of a row is the mean squared error between input and output. A row is an anomaly when its score is above the
//! threshold, which is chosen on normal rows that were not trained on, for a rate of false alarms.

use super::roc::roc_auc;
use super::{fraction, rows_of};

/// The mean over the columns of (input − output)²: 0 is a perfect reconstruction.
///
/// # Panics
/// If the row is empty, or input and output differ in length.
pub fn score(input: &[f32], output: &[f32]) -> f64 {
    assert!(!input.is_empty() && input.len() == output.len(), "an output for each input");
    let square = |(&x, &y): (&f32, &f32)| (f64::from(x) - f64::from(y)).powi(2);
    input.iter().zip(output).map(square).sum::<f64>() / input.len() as f64
}

/// [`score`] of each row of `inputs` and `outputs (rows, columns)`.
///
/// # Panics
/// If they differ in length, or `columns` is 0.
pub fn scores(inputs: &[f32], outputs: &[f32], columns: usize) -> Vec<f64> {
    rows_of(inputs, columns);
    assert_eq!(inputs.len(), outputs.len(), "an output for each input");
    inputs.chunks_exact(columns).zip(outputs.chunks_exact(columns)).map(|(x, y)| score(x, y)).collect()
}

/// Whether a score is one of an anomaly: above the threshold, not at it.
pub fn is_anomaly(score: f64, threshold: f64) -> bool {
    score > threshold
}

/// The smallest threshold above which lie at most the fraction `false_alarms` of the scores of normal rows.
///
/// It is one of the scores: with k = ⌊`false_alarms` · rows⌋, the one below the k largest. With fewer than
/// 1 / `false_alarms` rows, k is 0 and the threshold is the largest score.
///
/// # Errors
/// Without scores, with one that is not finite, or where the fraction is not in 0..1.
pub fn threshold(scores: &[f64], false_alarms: f64) -> Result<f64, String> {
    if !(0.0..1.0).contains(&false_alarms) {
        return Err(format!("a rate of false alarms is at least 0 and below 1, not {false_alarms}"));
    }
    if scores.is_empty() {
        return Err("a threshold needs the scores of normal rows, and there are none".into());
    }
    if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
        return Err(format!("a threshold needs finite scores, and one is {score}"));
    }
    let rows = scores.len() as f64;
    // Rounding may put the product on the wrong side of a whole number (0.29 · 100 is below 29). The quotient decides: it is
    // the same float as a fraction that was typed.
    let mut above = (false_alarms * rows) as usize + 1;
    while above as f64 / rows > false_alarms {
        above -= 1;
    }
    let mut sorted = scores.to_vec();
    let last = scores.len() - 1;
    let (_, threshold, _) = sorted.select_nth_unstable_by(last - above.min(last), f64::total_cmp);
    Ok(*threshold)
}

/// The area under the ROC curve of scores, where `anomaly` says which rows are one; `None` as in [`roc_auc`].
///
/// # Panics
/// If there is not an answer for each score.
pub fn auc(scores: &[f64], anomaly: &[bool]) -> Option<f64> {
    roc_auc(scores, anomaly)
}

/// What a threshold makes of rows of which it is known whether they are anomalies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detection {
    /// Anomalies found (true positives).
    pub found: u64,
    /// Anomalies missed (false negatives).
    pub missed: u64,
    /// Normal rows taken for anomalies (false positives).
    pub false_alarms: u64,
    /// Normal rows taken for normal (true negatives).
    pub normal: u64,
}

impl Detection {
    /// Counts rows by their scores.
    ///
    /// # Panics
    /// If there is not an answer for each score.
    pub fn count(scores: &[f64], anomaly: &[bool], threshold: f64) -> Self {
        assert_eq!(scores.len(), anomaly.len(), "a score for each row");
        let mut counts = Self::default();
        for (&score, &anomaly) in scores.iter().zip(anomaly) {
            *match (anomaly, is_anomaly(score, threshold)) {
                (true, true) => &mut counts.found,
                (true, false) => &mut counts.missed,
                (false, true) => &mut counts.false_alarms,
                (false, false) => &mut counts.normal,
            } += 1;
        }
        counts
    }

    /// The fraction of the alarms that are right; 0 without alarms.
    pub fn precision(&self) -> f64 {
        fraction(self.found, self.found + self.false_alarms)
    }

    /// The fraction of the anomalies that were found; 0 without anomalies.
    pub fn recall(&self) -> f64 {
        fraction(self.found, self.found + self.missed)
    }

    /// The fraction of the normal rows that raise an alarm; 0 without normal rows.
    pub fn false_alarm_rate(&self) -> f64 {
        fraction(self.false_alarms, self.false_alarms + self.normal)
    }
}

/// The number of scores above a threshold.
pub fn count_above(scores: &[f64], threshold: f64) -> usize {
    scores.iter().filter(|&&score| is_anomaly(score, threshold)).count()
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    #[test]
    fn a_score_is_the_mean_squared_error() {
        assert_eq!(score(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0, 5.0, 4.0]), 1.25);
        assert_eq!(scores(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0, 5.0, 4.0], 2), [0.5, 2.0]);
        // Squares of large floats do not overflow.
        assert!(score(&[f32::MAX], &[-f32::MAX]).is_finite());
    }

    #[test]
    fn the_threshold_is_the_smallest_that_keeps_the_rate() {
        let all: Vec<f64> = (0..100).rev().map(f64::from).collect();
        for percent in 0..100 {
            // As typed: 0.29, which times 100 is below 29.
            let rate: f64 = format!("0.{percent:02}").parse().unwrap();
            let found = threshold(&all, rate).unwrap();
            assert_eq!(count_above(&all, found), percent, "{rate}");
            // Any smaller one lets one more through.
            assert!(count_above(&all, found.next_down()) > percent);
        }
        assert_eq!(threshold(&all, 0.999), Ok(0.0));
        assert_eq!(threshold(&[3.0, 1.0, 2.0], 0.01), Ok(3.0));
        assert_eq!(threshold(&[5.0], 0.5), Ok(5.0));
        // Of equal scores none lies above.
        assert_eq!(threshold(&[1.0, 2.0, 2.0, 2.0], 0.5), Ok(2.0));
    }

    #[test]
    fn what_has_no_threshold_is_refused() {
        for rate in [-0.01, 1.0, f64::NAN] {
            assert!(threshold(&[1.0], rate).unwrap_err().contains("at least 0 and below 1"));
        }
        assert!(threshold(&[], 0.01).unwrap_err().contains("none"));
        assert!(threshold(&[1.0, f64::NAN], 0.01).unwrap_err().contains("NaN"));
    }

    #[test]
    fn detection_of_labelled_rows() {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.9, 0.2];
        let anomaly = [false, false, true, true, true, true, false];
        // roc_auc_score
        assert_close(auc(&scores, &anomaly), 0.875);
        let counts = Detection::count(&scores, &anomaly, 0.4);
        assert_eq!(counts, Detection { found: 2, missed: 2, false_alarms: 0, normal: 3 });
        assert_eq!((counts.precision(), counts.recall(), counts.false_alarm_rate()), (1.0, 0.5, 0.0));
        let counts = Detection::count(&scores, &anomaly, 0.3);
        assert_eq!(counts, Detection { found: 4, missed: 0, false_alarms: 1, normal: 2 });
        assert_close(counts.false_alarm_rate(), 1.0 / 3.0);
        assert_eq!(Detection::default().precision(), 0.0);
    }
}
