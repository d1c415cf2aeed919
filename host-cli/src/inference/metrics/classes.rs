//! Metrics of classes: from a confusion matrix `[true][predicted]`, or from probabilities `(rows, classes)` and labels.
//!
//! Probabilities of one column are those of class 1 of two, as a sigmoid gives them.

use super::roc::roc_auc;
use super::{f1 as harmonic_mean, fraction, mean, rows_of};
use crate::inference::argmax;

/// Bins of the [`calibration_error`].
pub const CALIBRATION_BINS: usize = 15;

/// Rows of class `c`.
pub fn support(confusion: &[Vec<u32>], c: usize) -> u64 {
    confusion[c].iter().copied().map(u64::from).sum()
}

/// Rows predicted to be of class `c`.
pub fn predicted(confusion: &[Vec<u32>], c: usize) -> u64 {
    confusion.iter().map(|row| u64::from(row[c])).sum()
}

/// Rows whose class was predicted.
pub fn correct(confusion: &[Vec<u32>]) -> u64 {
    confusion.iter().enumerate().map(|(c, row)| u64::from(row[c])).sum()
}

/// Rows.
pub fn rows(confusion: &[Vec<u32>]) -> u64 {
    confusion.iter().flatten().copied().map(u64::from).sum()
}

/// The fraction of class `c` that was found; 0 where it has no rows.
pub fn recall(confusion: &[Vec<u32>], c: usize) -> f64 {
    fraction(u64::from(confusion[c][c]), support(confusion, c))
}

/// The fraction of the predictions of class `c` that are right; 0 where there are none.
pub fn precision(confusion: &[Vec<u32>], c: usize) -> f64 {
    fraction(u64::from(confusion[c][c]), predicted(confusion, c))
}

/// The harmonic mean of precision and recall of class `c`; 0 where the class neither occurs nor is predicted.
pub fn f1(confusion: &[Vec<u32>], c: usize) -> f64 {
    harmonic_mean(u64::from(confusion[c][c]), predicted(confusion, c), support(confusion, c))
}

/// The mean [`f1`] over the classes that occur or are predicted, all of equal weight: scikit-learn's
/// `f1_score(average="macro", zero_division=0)`. `None` without rows.
pub fn macro_f1(confusion: &[Vec<u32>]) -> Option<f64> {
    let seen = |&c: &usize| support(confusion, c) + predicted(confusion, c) > 0;
    mean((0..confusion.len()).filter(seen).map(|c| f1(confusion, c)))
}

/// The mean [`recall`] over the classes that occur: scikit-learn's `balanced_accuracy_score`. Always answering one of `n`
/// classes reaches 1 / n. `None` without rows.
pub fn balanced_accuracy(confusion: &[Vec<u32>]) -> Option<f64> {
    let occurs = |&c: &usize| support(confusion, c) > 0;
    mean((0..confusion.len()).filter(occurs).map(|c| recall(confusion, c)))
}

/// The fraction of rows whose class was predicted; `None` without rows.
pub fn accuracy(confusion: &[Vec<u32>]) -> Option<f64> {
    let rows = rows(confusion);
    (rows > 0).then(|| fraction(correct(confusion), rows))
}

/// The most frequent class (the first of equals) and its fraction of the rows, which is the accuracy of always answering
/// it; `None` without rows.
pub fn majority(confusion: &[Vec<u32>]) -> Option<(usize, f64)> {
    let class = (0..confusion.len()).rev().max_by_key(|&c| support(confusion, c))?;
    let rows = rows(confusion);
    (rows > 0).then(|| (class, fraction(support(confusion, class), rows)))
}

/// The class that a row of probabilities answers, and its probability; the first of equals. One column answers class 1
/// above 0.5.
///
/// # Panics
/// If the row is empty.
pub fn top<T: Copy + Into<f64>>(probabilities: &[T]) -> (usize, f64) {
    match *probabilities {
        [p] if p.into() > 0.5 => (1, p.into()),
        [p] => (0, 1.0 - p.into()),
        _ => {
            let row: Vec<f64> = probabilities.iter().map(|&p| p.into()).collect();
            let class = argmax(&row);
            (class, row[class])
        }
    }
}

/// [`top`] of each row, with its label.
fn answers<'a, T: Copy + Into<f64>>(
    probabilities: &'a [T],
    columns: usize,
    labels: &'a [u8],
) -> impl Iterator<Item = (usize, f64, usize)> + 'a {
    assert_eq!(rows_of(probabilities, columns), labels.len(), "a label for each row");
    let rows = probabilities.chunks_exact(columns).zip(labels);
    rows.map(|(row, &label)| {
        let (class, probability) = top(row);
        (class, probability, usize::from(label))
    })
}

/// The area under the ROC curve. Of one or two columns, that of class 1; of more, the mean over each class against the
/// rest: scikit-learn's `roc_auc_score(multi_class="ovr", average="macro")`. Classes that have no rows, or all, are left
/// out, where scikit-learn refuses them.
///
/// `None` where no class is left, or a probability is NaN.
///
/// # Panics
/// If there is not a label for each row.
pub fn auc<T: Copy + Into<f64>>(probabilities: &[T], columns: usize, labels: &[u8]) -> Option<f64> {
    assert_eq!(rows_of(probabilities, columns), labels.len(), "a label for each row");
    if probabilities.iter().any(|&p| p.into().is_nan()) {
        return None;
    }
    let of_class = |class: usize| {
        let column = if columns == 1 { 0 } else { class };
        let scores: Vec<f64> = probabilities.chunks_exact(columns).map(|row| row[column].into()).collect();
        let positive: Vec<bool> = labels.iter().map(|&label| usize::from(label) == class).collect();
        roc_auc(&scores, &positive)
    };
    if columns <= 2 { of_class(1) } else { mean((0..columns).filter_map(of_class)) }
}

/// The expected calibration error (Guo et al., 2017), 0 to 1: rows in [`CALIBRATION_BINS`] bins of equal width by the
/// probability of their answer, Σ (rows of the bin / rows) · |its accuracy − its mean probability|. A bin excludes its
/// lower edge and includes its upper one. `None` without rows.
///
/// # Panics
/// If there is not a label for each row.
pub fn calibration_error<T: Copy + Into<f64>>(
    probabilities: &[T],
    columns: usize,
    labels: &[u8],
) -> Option<f64> {
    let mut excess = [0.0; CALIBRATION_BINS]; // Σ (probability - right) of each bin
    for (class, probability, label) in answers(probabilities, columns, labels) {
        let bin = (probability * CALIBRATION_BINS as f64).ceil() as usize;
        let right = if class == label { 1.0 } else { 0.0 };
        excess[bin.clamp(1, CALIBRATION_BINS) - 1] += probability - right;
    }
    let sum: f64 = excess.iter().map(|excess| excess.abs()).sum();
    (!labels.is_empty()).then(|| sum / labels.len() as f64)
}

/// The mean cross entropy in nats: −ln of the probability of the label. Probabilities below 2⁻²³ count as 2⁻²³, as in
/// scikit-learn's `log_loss` of `f32`, so that one confident mistake does not make it infinite. `None` without rows.
///
/// # Panics
/// If there is not a label for each row, or a label has no column.
pub fn log_loss<T: Copy + Into<f64>>(probabilities: &[T], columns: usize, labels: &[u8]) -> Option<f64> {
    assert_eq!(rows_of(probabilities, columns), labels.len(), "a label for each row");
    let of_label = |(row, &label): (&[T], &u8)| match (row, label) {
        ([p], 0) => 1.0 - (*p).into(),
        ([p], 1) => (*p).into(),
        _ => row[usize::from(label)].into(),
    };
    let rows = probabilities.chunks_exact(columns).zip(labels);
    mean(rows.map(|row| -of_label(row).max(f64::from(f32::EPSILON)).ln()))
}

/// What is answered of some rows where answers below a probability are withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// Rows.
    pub rows: usize,
    /// Rows with an answer: the probability of their [`top`] class is not below the threshold.
    pub answered: usize,
    /// Rows whose answer is right.
    pub correct: usize,
}

impl Rejection {
    /// The fraction of rows with an answer; `None` without rows.
    pub fn coverage(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.answered as f64 / self.rows as f64)
    }

    /// The fraction of the answers that are right; `None` without answers.
    pub fn accuracy(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.correct as f64 / self.answered as f64)
    }
}

/// Whether an answer of this probability is given at a reject threshold: unless it is below.
pub fn answers_at(probability: f64, threshold: f64) -> bool {
    probability >= threshold
}

/// Counts answers at a reject threshold, 0 to 1.
///
/// # Panics
/// If there is not a label for each row.
pub fn reject<T: Copy + Into<f64>>(
    probabilities: &[T],
    columns: usize,
    labels: &[u8],
    threshold: f64,
) -> Rejection {
    let mut counts = Rejection { rows: 0, answered: 0, correct: 0 };
    for (class, probability, label) in answers(probabilities, columns, labels) {
        let answered = answers_at(probability, threshold);
        counts.rows += 1;
        counts.answered += usize::from(answered);
        counts.correct += usize::from(answered && class == label);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    /// Class 2 neither occurs nor is predicted.
    fn confusion() -> Vec<Vec<u32>> {
        vec![vec![5, 2, 0, 0], vec![1, 3, 0, 1], vec![0, 0, 0, 0], vec![0, 4, 0, 8]]
    }

    const PROBABILITIES: [f32; 24] = [
        0.5, 0.25, 0.25, 0.125, 0.75, 0.125, 0.25, 0.25, 0.5, 0.5, 0.5, 0.0, 0.25, 0.625, 0.125, 0.0, 0.125,
        0.875, 0.75, 0.125, 0.125, 0.375, 0.25, 0.375,
    ];
    const LABELS: [u8; 8] = [0, 1, 1, 0, 2, 2, 0, 1];

    #[test]
    fn scores_of_a_confusion_matrix() {
        let confusion = confusion();
        // precision_score, recall_score and f1_score with average=None, zero_division=0
        let expected = [
            (0.833_333_333_333_333_4, 0.714_285_714_285_714_3, 0.769_230_769_230_769_3),
            (0.333_333_333_333_333_3, 0.6, 0.428_571_428_571_428_55),
            (0.0, 0.0, 0.0),
            (0.888_888_888_888_888_8, 0.666_666_666_666_666_6, 0.761_904_761_904_761_9),
        ];
        for (c, (precise, recalled, both)) in expected.into_iter().enumerate() {
            assert_close(precision(&confusion, c), precise);
            assert_close(recall(&confusion, c), recalled);
            assert_close(f1(&confusion, c), both);
        }
        // f1_score(average="macro"), balanced_accuracy_score, accuracy_score
        assert_close(macro_f1(&confusion), 0.653_235_653_235_653_2);
        assert_close(balanced_accuracy(&confusion), 0.660_317_460_317_460_3);
        assert_close(accuracy(&confusion), 0.666_666_666_666_666_6);
        assert_eq!(majority(&confusion), Some((3, 0.5)));
    }

    #[test]
    fn a_class_only_predicted_counts_for_macro_f1_alone() {
        // The same functions of scikit-learn, of truth 0 0 0 1 1 and predictions 0 0 2 1 0.
        let confusion = vec![vec![2, 0, 1], vec![1, 1, 0], vec![0, 0, 0]];
        assert_close(macro_f1(&confusion), 0.444_444_444_444_444_4);
        assert_close(balanced_accuracy(&confusion), 0.583_333_333_333_333_3);
        assert_eq!(majority(&[vec![1, 0], vec![0, 1]]), Some((0, 0.5)));
    }

    #[test]
    fn nothing_is_undefined() {
        let none = vec![vec![0; 3]; 3];
        assert_eq!((macro_f1(&none), balanced_accuracy(&none), accuracy(&none)), (None, None, None));
        assert_eq!((majority(&none), majority(&[])), (None, None));
        let no_rows: [f32; 0] = [];
        assert_eq!((auc(&no_rows, 3, &[]), log_loss(&no_rows, 3, &[])), (None, None));
        assert_eq!(calibration_error(&no_rows, 3, &[]), None);
        assert_eq!(reject(&no_rows, 3, &[], 0.5).coverage(), None);
    }

    #[test]
    fn scores_of_probabilities() {
        // roc_auc_score(multi_class="ovr", average="macro"), log_loss
        assert_close(auc(&PROBABILITIES, 3, &LABELS), 0.777_777_777_777_777_7);
        assert_close(log_loss(&PROBABILITIES, 3, &LABELS), 0.868_402_520_320_949);
        // Guo et al.'s definition in NumPy.
        assert_close(calibration_error(&PROBABILITIES, 3, &LABELS), 0.265_625);
    }

    #[test]
    fn one_column_is_class_1_of_two() {
        let (scores, labels) = ([0.125_f32, 0.5, 0.5, 0.75, 0.25, 0.25], [0, 0, 1, 1, 0, 1]);
        let pairs: Vec<f32> = scores.iter().flat_map(|&p| [1.0 - p, p]).collect();
        // roc_auc_score, log_loss
        for (table, columns) in [(&scores[..], 1), (&pairs[..], 2)] {
            assert_close(auc(table, columns, &labels), 0.777_777_777_777_777_8);
            assert_close(log_loss(table, columns, &labels), 0.580_247_376_627_977_5);
        }
        assert_eq!(calibration_error(&scores, 1, &labels), calibration_error(&pairs, 2, &labels));
        assert_eq!(reject(&scores, 1, &labels, 0.7), reject(&pairs, 2, &labels, 0.7));
        assert_eq!((top(&[0.5_f32]), top(&[0.75_f32])), ((0, 0.5), (1, 0.75)));
    }

    #[test]
    fn auc_leaves_out_classes_that_do_not_occur() {
        let table = [0.5_f32, 0.25, 0.25, 0.25, 0.5, 0.25, 0.125, 0.75, 0.125];
        assert_eq!(auc(&table, 3, &[0, 1, 1]), Some(1.0));
        assert_eq!(auc(&table, 3, &[1, 1, 1]), None);
        let mut broken = table;
        broken[0] = f32::NAN;
        assert_eq!(auc(&broken, 3, &[0, 1, 1]), None);
    }

    #[test]
    fn a_confident_mistake_has_a_finite_loss() {
        assert_close(log_loss(&[1.0_f32, 0.0], 2, &[1]), 23.0 * std::f64::consts::LN_2);
    }

    #[test]
    fn rejecting_trades_coverage_for_accuracy() {
        let counts = |threshold| {
            let r = reject(&PROBABILITIES, 3, &LABELS, threshold);
            (r.rows, r.answered, r.correct)
        };
        // Answers 0 1 2 0 1 2 0 0 of probability 4/8 6/8 4/8 4/8 5/8 7/8 6/8 3/8; rows 2, 4 and 7 are wrong.
        assert_eq!(counts(0.0), (8, 8, 5));
        assert_eq!(counts(0.5), (8, 7, 5));
        assert_eq!(counts(0.51), (8, 4, 3));
        let strict = reject(&PROBABILITIES, 3, &LABELS, 0.75);
        assert_eq!((strict.coverage(), strict.accuracy()), (Some(0.375), Some(1.0)));
        assert_eq!(reject(&PROBABILITIES, 3, &LABELS, 1.0).accuracy(), None);
    }
}
