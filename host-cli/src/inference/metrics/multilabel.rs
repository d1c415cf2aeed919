//! Metrics of several labels for each row, each of which is there or not.

use super::{f1, fraction, mean, rows_of};

/// The counts of one label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Rows that have the label.
    pub support: u64,
    /// Rows for which it was predicted.
    pub predicted: u64,
    /// Rows for which it was predicted and right.
    pub correct: u64,
}

impl LabelCounts {
    /// The fraction of the predictions that are right; 0 where there are none.
    pub fn precision(&self) -> f64 {
        fraction(self.correct, self.predicted)
    }

    /// The fraction of the rows with the label that were found; 0 where there are none.
    pub fn recall(&self) -> f64 {
        fraction(self.correct, self.support)
    }

    /// The harmonic mean of both; 0 where the label neither occurs nor is predicted.
    pub fn f1(&self) -> f64 {
        f1(self.correct, self.predicted, self.support)
    }
}

/// The counts of all labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Rows; not 0.
    pub rows: usize,
    /// Rows with every label right.
    pub exact: usize,
    /// One entry for each label.
    pub labels: Vec<LabelCounts>,
}

impl Counts {
    /// The mean F1 over all labels, as scikit-learn's `f1_score(average="macro", zero_division=0)`.
    pub fn macro_f1(&self) -> f64 {
        mean(self.labels.iter().map(LabelCounts::f1)).unwrap_or(0.0)
    }

    /// The F1 of the counts added up over the labels, as scikit-learn's `f1_score(average="micro")`: frequent labels
    /// weigh more.
    pub fn micro_f1(&self) -> f64 {
        let sum = |of: fn(&LabelCounts) -> u64| self.labels.iter().map(of).sum();
        f1(sum(|l| l.correct), sum(|l| l.predicted), sum(|l| l.support))
    }

    /// The fraction of rows with every label right (subset accuracy), as scikit-learn's `accuracy_score`.
    pub fn exact_fraction(&self) -> f64 {
        fraction(self.exact as u64, self.rows as u64)
    }
}

/// Counts `outputs (rows, labels)` against `truth (rows, labels)`, where a label is there if above 0.5. A label is
/// predicted where its output is above `threshold`: 0.5 for probabilities, 0 for logits. `None` without rows.
///
/// # Panics
/// If outputs and truth differ in length, or `labels` is 0.
pub fn counts(outputs: &[f32], truth: &[f32], labels: usize, threshold: f32) -> Option<Counts> {
    let rows = rows_of(truth, labels);
    assert_eq!(outputs.len(), truth.len(), "an output for each true value");
    let mut counts = Counts { rows, exact: 0, labels: vec![LabelCounts::default(); labels] };
    for (outputs, truth) in outputs.chunks_exact(labels).zip(truth.chunks_exact(labels)) {
        let mut exact = true;
        for ((label, &output), &truth) in counts.labels.iter_mut().zip(outputs).zip(truth) {
            let (predicted, there) = (output > threshold, truth > 0.5);
            label.support += u64::from(there);
            label.predicted += u64::from(predicted);
            label.correct += u64::from(predicted && there);
            exact &= predicted == there;
        }
        counts.exact += usize::from(exact);
    }
    (rows > 0).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::{LabelCounts, counts};

    #[test]
    fn counts_of_four_labels() {
        #[rustfmt::skip]
        let truth = [1., 0., 1., 0.,  0., 1., 0., 0.,  1., 1., 0., 0.,  0., 0., 1., 0.,  1., 0., 0., 0.];
        #[rustfmt::skip]
        let outputs = [0.9, 0.1, 0.5, 0.,  0.2, 0.8, 0., 0.,  0.6, 0.4, 0., 0.,  0.7, 0., 0.51, 0.,  1., 0.9, 0., 0.];
        let counts_of = counts(&outputs, &truth, 4, 0.5).unwrap();
        // precision_score, recall_score and f1_score with average=None, zero_division=0
        let expected = [
            (3, 0.75, 1.0, 0.857_142_857_142_857_1),
            (2, 0.5, 0.5, 0.5),
            (2, 1.0, 0.5, 0.666_666_666_666_666_6),
            (0, 0.0, 0.0, 0.0),
        ];
        for (label, (support, precision, recall, f1)) in counts_of.labels.iter().zip(expected) {
            assert_eq!(label.support, support);
            assert_close(label.precision(), precision);
            assert_close(label.recall(), recall);
            assert_close(label.f1(), f1);
        }
        // f1_score(average="macro"), f1_score(average="micro"), accuracy_score
        assert_close(counts_of.macro_f1(), 0.505_952_380_952_380_9);
        assert_close(counts_of.micro_f1(), 0.714_285_714_285_714_3);
        assert_close(counts_of.exact_fraction(), 0.2);
        // Logits of the same answers.
        let logits: Vec<f32> = outputs.iter().map(|p| p - 0.5).collect();
        assert_eq!(counts(&logits, &truth, 4, 0.0), Some(counts_of));
    }

    #[test]
    fn no_rows_and_no_labels_found() {
        assert_eq!(counts(&[], &[], 3, 0.5), None);
        let none = counts(&[0.0; 4], &[0.0; 4], 2, 0.5).unwrap();
        assert_eq!(none.labels, [LabelCounts::default(); 2]);
        assert_eq!((none.macro_f1(), none.micro_f1(), none.exact_fraction()), (0.0, 0.0, 1.0));
    }
}
