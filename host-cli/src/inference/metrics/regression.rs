//! Metrics of regression, for each target and as a mean over the targets, in the units of the values passed.

use super::{mean, rows_of};

/// The errors of one target, beside those of the simplest model that can be beaten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetErrors {
    /// √ of the mean squared error.
    pub rmse: f64,
    /// The mean absolute error.
    pub mae: f64,
    /// R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)², scikit-learn's `r2_score`: 1 is perfect, 0 as good as the mean of these rows,
    /// below 0 worse. `None` for fewer than two rows or where the true values are all equal.
    pub r2: Option<f64>,
    /// [`rmse`](Self::rmse) of always answering the mean of the training rows.
    pub baseline_rmse: f64,
    /// [`mae`](Self::mae) of always answering the mean of the training rows.
    pub baseline_mae: f64,
}

/// The errors of all targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Errors {
    /// Rows; not 0.
    pub rows: usize,
    /// One entry for each target.
    pub targets: Vec<TargetErrors>,
}

impl Errors {
    /// The mean over the targets of their RMSE, as scikit-learn's `root_mean_squared_error`.
    pub fn rmse(&self) -> f64 {
        mean(self.targets.iter().map(|target| target.rmse)).unwrap_or(0.0)
    }

    /// The mean over the targets of their MAE.
    pub fn mae(&self) -> f64 {
        mean(self.targets.iter().map(|target| target.mae)).unwrap_or(0.0)
    }

    /// The mean R² over the targets where it is defined; `None` where it is for none.
    pub fn r2(&self) -> Option<f64> {
        mean(self.targets.iter().filter_map(|target| target.r2))
    }

    /// The mean over the targets of the RMSE of always answering the mean of the training rows.
    pub fn baseline_rmse(&self) -> f64 {
        mean(self.targets.iter().map(|target| target.baseline_rmse)).unwrap_or(0.0)
    }

    /// The mean over the targets of the MAE of always answering the mean of the training rows.
    pub fn baseline_mae(&self) -> f64 {
        mean(self.targets.iter().map(|target| target.baseline_mae)).unwrap_or(0.0)
    }
}

/// The errors of `outputs (rows, targets)` where `truth (rows, targets)` is right. `means` are the means of the targets over
/// the training rows, one each. `None` without rows.
///
/// # Panics
/// If outputs and truth differ in length, or there is no target.
pub fn errors(outputs: &[f32], truth: &[f32], means: &[f64]) -> Option<Errors> {
    let targets = means.len();
    let rows = rows_of(truth, targets);
    assert_eq!(outputs.len(), truth.len(), "an output for each true value");
    let of_target = |t: usize| {
        let column = |table: &'_ [f32]| -> Vec<f64> {
            table.chunks_exact(targets).map(|row| f64::from(row[t])).collect()
        };
        target_errors(&column(outputs), &column(truth), means[t])
    };
    (rows > 0).then(|| Errors { rows, targets: (0..targets).map(of_target).collect() })
}

/// The errors of one target; there are rows.
fn target_errors(outputs: &[f64], truth: &[f64], training_mean: f64) -> TargetErrors {
    let rows = truth.len() as f64;
    let squares = |from: &dyn Fn(usize) -> f64| -> f64 {
        truth.iter().enumerate().map(|(n, y)| (y - from(n)).powi(2)).sum()
    };
    let mae = |from: &dyn Fn(usize) -> f64| -> f64 {
        truth.iter().enumerate().map(|(n, y)| (y - from(n)).abs()).sum::<f64>() / rows
    };
    let (network, constant) = (|n: usize| outputs[n], |_: usize| training_mean);
    let own_mean = truth.iter().sum::<f64>() / rows;
    let residual = squares(&network);
    // Compared by value: rounding of the mean leaves a sum of squares above 0 of equal values.
    let varies = truth.iter().any(|&y| y != truth[0]);
    TargetErrors {
        rmse: (residual / rows).sqrt(),
        mae: mae(&network),
        r2: varies.then(|| 1.0 - residual / squares(&|_| own_mean)),
        baseline_rmse: (squares(&constant) / rows).sqrt(),
        baseline_mae: mae(&constant),
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::errors;

    const TRUTH: [f32; 10] = [3.0, -1.0, -0.5, 2.0, 2.0, 0.0, 7.0, 4.5, 4.25, -2.0];
    const OUTPUTS: [f32; 10] = [2.5, -0.5, 0.0, 2.0, 2.0, 1.0, 8.0, 4.0, 4.0, -3.0];

    #[test]
    fn errors_of_two_targets() {
        let errors = errors(&OUTPUTS, &TRUTH, &[3.0, 1.0]).unwrap();
        assert_eq!(errors.rows, 5);
        // root_mean_squared_error, mean_absolute_error and r2_score with multioutput="raw_values", then of the constants
        // 3 and 1.
        let expected = [
            [0.559_016_994_374_947_5, 0.45, 0.949_104_234_527_687_3, 2.482_438_317_461_282, 1.95],
            [std::f64::consts::FRAC_1_SQRT_2, 0.6, 0.906_716_417_910_447_8, 2.334_523_505_985_750_5, 2.1],
        ];
        for (target, [rmse, mae, r2, baseline_rmse, baseline_mae]) in errors.targets.iter().zip(expected) {
            assert_close(target.rmse, rmse);
            assert_close(target.mae, mae);
            assert_close(target.r2, r2);
            assert_close(target.baseline_rmse, baseline_rmse);
            assert_close(target.baseline_mae, baseline_mae);
        }
        // The same with the default multioutput, a uniform average.
        assert_close(errors.rmse(), 0.633_061_887_780_747_5);
        assert_close(errors.mae(), 0.525);
        assert_close(errors.r2(), 0.927_910_326_219_067_5);
        assert_close(errors.baseline_rmse(), f64::midpoint(2.482_438_317_461_282, 2.334_523_505_985_750_5));
        assert_close(errors.baseline_mae(), 2.025);
    }

    #[test]
    fn r2_needs_values_that_differ() {
        let one = errors(&[1.0], &[2.0], &[0.0]).unwrap();
        assert_eq!((one.rmse(), one.r2(), one.baseline_rmse()), (1.0, None, 2.0));
        // The mean of three times 0.1 is not 0.1, so the sum of squares is not 0.
        assert_eq!(errors(&[0.1, 0.2, 0.3], &[0.1; 3], &[0.1]).unwrap().r2(), None);
        // The mean is over the targets where it is defined.
        let half = errors(&[1.0, 5.0, 2.0, 5.0], &[1.0, 5.0, 2.0, 5.0], &[0.0, 0.0]).unwrap();
        assert_eq!((half.targets[0].r2, half.targets[1].r2, half.r2()), (Some(1.0), None, Some(1.0)));
        assert_eq!(errors(&[], &[], &[0.0]), None);
    }

    #[test]
    fn answering_the_mean_of_the_rows_has_r2_0() {
        let errors = errors(&[2.0; 3], &[1.0, 2.0, 3.0], &[2.0]).unwrap();
        assert_eq!(errors.r2(), Some(0.0));
        assert_eq!((errors.rmse(), errors.mae()), (errors.baseline_rmse(), errors.baseline_mae()));
    }
}
