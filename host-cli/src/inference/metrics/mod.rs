//! Metrics of predictions: pure functions over slices, in f64, without a model, files or output.
//!
//! A file per task: [`classes`], [`regression`], [`multilabel`], [`reconstruction`]. [`calibration`] makes probabilities
//! mean what they say, [`importance`] ranks the input features of any model, [`roc`] is the area under a ROC curve.
//!
//! Tables of outputs are row-major `(rows, columns)`, of `f32` as a network gives them or of `f64`. Slices that do not
//! fit each other are a mistake of the caller and panic. A value that is undefined for the data is `None` or an error,
//! never a NaN; the one exception is scikit-learn's `zero_division=0`: precision, recall and F1 of a class without
//! rows are 0.

pub mod calibration;
pub mod classes;
pub mod importance;
pub mod multilabel;
pub mod reconstruction;
pub mod regression;
pub mod roc;

/// `part / whole`; 0 for an empty whole, as scikit-learn's `zero_division=0`.
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN), from `correct` = TP, `predicted` = TP + FP and
/// `support` = TP + FN; 0 where all are 0.
fn f1(correct: u64, predicted: u64, support: u64) -> f64 {
    fraction(2 * correct, predicted + support)
}

/// The mean of values; `None` of none.
fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0_u64), |(sum, count), x| (sum + x, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The number of rows of `table (rows, columns)`.
fn rows_of<T>(table: &[T], columns: usize) -> usize {
    assert!(
        columns > 0 && table.len().is_multiple_of(columns),
        "{} values in rows of {columns}",
        table.len()
    );
    table.len() / columns
}

#[cfg(test)]
fn assert_close(found: impl Into<Option<f64>>, expected: f64) {
    let found: f64 = found.into().expect("a defined value");
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{found} is not {expected}");
}
