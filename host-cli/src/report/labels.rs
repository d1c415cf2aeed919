//! Labels of which several may apply: precision, recall and F1 of each.

use super::context::{Context, Fact, Results};
use super::{percent, section, table};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::inference::metrics::multilabel::{Counts, counts};

/// The probability above which a label is predicted.
const THRESHOLD: f32 = 0.5;

/// What the probabilities `(samples, labels)` say where `truth` is right.
///
/// # Errors
/// `Data` without samples.
pub(super) fn results(context: &Context<'_>, probabilities: &[f64], truth: &Matrix) -> Result<Results> {
    let outputs: Vec<f32> = probabilities.iter().map(|&p| p as f32).collect();
    let counts = counts(&outputs, &truth.values, truth.columns, THRESHOLD)
        .ok_or_else(|| Error::data("there are no test rows"))?;
    let (right, baseline) = labels_right(&counts);
    let facts = vec![
        Fact::new("Macro F1", percent(counts.macro_f1()), ""),
        Fact::new(
            "Labels right",
            percent(right),
            format!("always the more frequent answer: {}", percent(baseline)),
        ),
        Fact::new("All labels right", percent(counts.exact_fraction()), ""),
    ];
    let samples = format!("{}s", context.singular());
    let header = ["label", &samples, "predicted", "precision", "recall", "F1"].map(String::from);
    let rows = context.names.iter().zip(&counts.labels).map(|(name, label)| {
        let of = [label.precision(), label.recall(), label.f1()].map(percent);
        [vec![name.clone(), label.support.to_string(), label.predicted.to_string()], of.to_vec()].concat()
    });
    let text = format!(
        "{}<p>Macro F1 {}, micro F1 {}. A label is predicted where its probability is above {THRESHOLD}.</p>\n",
        table(&header, rows),
        percent(counts.macro_f1()),
        percent(counts.micro_f1())
    );
    Ok(Results { facts, sections: section("labels", "Precision and recall", &text) })
}

/// The fraction of the labels of all samples that are right, and that of always saying of each label what is more frequent.
fn labels_right(counts: &Counts) -> (f64, f64) {
    let rows = counts.rows as u64;
    let (mut wrong, mut rarer) = (0, 0);
    for label in &counts.labels {
        wrong += label.predicted + label.support - 2 * label.correct;
        rarer += label.support.min(rows - label.support);
    }
    let all = (rows * counts.labels.len() as u64).max(1) as f64;
    (1.0 - wrong as f64 / all, 1.0 - rarer as f64 / all)
}

#[cfg(test)]
mod tests {
    use super::{counts, labels_right};

    #[test]
    fn labels_are_counted_one_by_one() {
        // Four rows of two labels; the first is found twice of three, the second is missed once and claimed once.
        let truth = [1., 0., 1., 0., 1., 1., 0., 0.];
        let outputs = [0.9, 0.8, 0.9, 0.1, 0.2, 0.1, 0.1, 0.1];
        let counts = counts(&outputs, &truth, 2, 0.5).unwrap();
        assert_eq!(labels_right(&counts), (5.0 / 8.0, 6.0 / 8.0));
    }
}
