//! Permutation importance (Breiman, 2001): how much worse a model scores when the values of some columns are shuffled
//! over the rows, so that they still look the same but say nothing of their row.
//!
//! It needs nothing of the model but its score. Columns that belong together are shuffled together: the one-hot columns of a
//! categorical feature, or all time steps of a channel of a window. Of two features that say the same each may look
//! unimportant, since the model still has the other.

use selvedge::Rng;

use super::rows_of;

/// As many rows are enough, and keep it quick: the model runs on them once for each shuffle of each group.
pub const MAX_ROWS: usize = 2000;

/// The importance of a group of columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance {
    /// The mean drop of the score, in its units: about 0, or below, for columns that do not help.
    pub drop: f64,
    /// The standard deviation of the drop over the shuffles (divided by their number, as NumPy's `std`): a drop that is not
    /// well above it says nothing.
    pub deviation: f64,
}

/// The rows to measure on, in order: all of `rows`, or [`MAX_ROWS`] of them drawn without replacement.
///
/// # Panics
/// If there are 2³² rows or more.
pub fn sample_rows(rows: usize, rng: &mut Rng) -> Vec<u32> {
    let mut index: Vec<u32> = (0..u32::try_from(rows).expect("an index of 32 bits")).collect();
    if rows > MAX_ROWS {
        // The front of a Fisher-Yates shuffle.
        for n in 0..MAX_ROWS {
            let other = n + rng.below((rows - n) as u32) as usize;
            index.swap(n, other);
        }
        index.truncate(MAX_ROWS);
        index.sort_unstable();
    }
    index
}

/// The importance of each of `groups` of columns of `table (rows, columns)`, in their order. `score` takes a table of the
/// same shape and says how good the model is on it; higher is better (accuracy, R², or −loss). It is called once, then
/// `shuffles` times for each group. The same `rng` gives the same result; scikit-learn's `permutation_importance` is the
/// same with a group for each column. Without shuffles, or with fewer than two rows, all are 0.
///
/// # Errors
/// What `score` returns.
///
/// # Panics
/// If a column is not in the table.
pub fn permutation_importance<E>(
    table: &[f32],
    columns: usize,
    groups: &[Vec<usize>],
    shuffles: usize,
    rng: &mut Rng,
    mut score: impl FnMut(&[f32]) -> Result<f64, E>,
) -> Result<Vec<Importance>, E> {
    let rows = rows_of(table, columns);
    assert!(groups.iter().flatten().all(|&column| column < columns), "columns of the table");
    if rows < 2 || shuffles == 0 {
        return Ok(vec![Importance { drop: 0.0, deviation: 0.0 }; groups.len()]);
    }
    let intact = score(table)?;
    let mut shuffled = table.to_vec();
    let mut order: Vec<u32> = (0..u32::try_from(rows).expect("an index of 32 bits")).collect();
    let mut importances = Vec::with_capacity(groups.len());
    for group in groups {
        let mut drops = Vec::with_capacity(shuffles);
        for _ in 0..shuffles {
            rng.shuffle(&mut order);
            for (row, &from) in order.iter().enumerate() {
                for &column in group {
                    shuffled[row * columns + column] = table[from as usize * columns + column];
                }
            }
            drops.push(intact - score(&shuffled)?);
        }
        for row in 0..rows {
            for &column in group {
                shuffled[row * columns + column] = table[row * columns + column];
            }
        }
        importances.push(summary(&drops));
    }
    Ok(importances)
}

fn summary(drops: &[f64]) -> Importance {
    let count = drops.len() as f64;
    let drop = drops.iter().sum::<f64>() / count;
    let variance = drops.iter().map(|d| (d - drop).powi(2)).sum::<f64>() / count;
    Importance { drop, deviation: variance.sqrt() }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const ROWS: usize = 1000;

    /// Rows of three uniform columns, the fourth a copy of the first.
    fn table() -> Vec<f32> {
        let mut rng = Rng::new(3);
        let row = |_| {
            let [a, b, c] = [0; 3].map(|_| rng.uniform());
            [a, b, c, a]
        };
        (0..ROWS).flat_map(row).collect()
    }

    /// −mean squared error of a model that computes `truth` exactly on intact rows.
    fn minus_mse(truth: &[f64], shuffled: &[f32], model: fn(&[f32]) -> f64) -> f64 {
        let errors = shuffled.chunks_exact(4).zip(truth).map(|(row, y)| (model(row) - y).powi(2));
        -errors.sum::<f64>() / truth.len() as f64
    }

    fn importances(model: fn(&[f32]) -> f64, groups: &[Vec<usize>], seed: u64) -> Vec<Importance> {
        let table = table();
        let truth: Vec<f64> = table.chunks_exact(4).map(model).collect();
        let score = |rows: &[f32]| Ok::<_, Infallible>(minus_mse(&truth, rows, model));
        permutation_importance(&table, 4, groups, 10, &mut Rng::new(seed), score).unwrap()
    }

    #[test]
    fn a_linear_model_loses_twice_the_variance() {
        // A shuffled column of weight w costs 2 w² times its variance, which is 1/12 here.
        let model = |row: &[f32]| 6.0 * f64::from(row[0]) + 3.0 * f64::from(row[1]);
        let found = importances(model, &[vec![0], vec![1], vec![2]], 1);
        for (importance, expected) in found.iter().zip([6.0, 1.5]) {
            assert!((importance.drop / expected - 1.0).abs() < 0.05, "{importance:?}, {expected}");
            // The mean of a thousand rows varies from shuffle to shuffle.
            assert!(importance.deviation > 0.0 && importance.deviation < 0.1 * expected, "{importance:?}");
        }
        assert_eq!(found[2], Importance { drop: 0.0, deviation: 0.0 });
        assert_eq!(found, importances(model, &[vec![0], vec![1], vec![2]], 1));
        assert_ne!(found, importances(model, &[vec![0], vec![1], vec![2]], 2));
    }

    #[test]
    fn columns_of_a_group_are_shuffled_together() {
        // The model sees whether the two copies agree: shuffled together they do, apart they do not.
        let model = |row: &[f32]| f64::from(row[0]) - f64::from(row[3]);
        let found = importances(model, &[vec![0, 3], vec![0]], 1);
        assert_eq!(found[0], Importance { drop: 0.0, deviation: 0.0 });
        assert!(found[1].drop > 0.1, "{:?}", found[1]);
    }

    #[test]
    fn a_group_is_restored_before_the_next() {
        let table = table();
        let mut calls = 0;
        let score = |rows: &[f32]| {
            let differs = |c: usize| (0..ROWS).any(|n| rows[4 * n + c] != table[4 * n + c]);
            let expected = [&[][..], &[0], &[0], &[1, 2], &[1, 2]][calls];
            assert_eq!((0..4).filter(|&c| differs(c)).collect::<Vec<_>>(), expected);
            let mut column: Vec<f32> = rows.chunks_exact(4).map(|row| row[1]).collect();
            let mut before: Vec<f32> = table.chunks_exact(4).map(|row| row[1]).collect();
            column.sort_unstable_by(f32::total_cmp);
            before.sort_unstable_by(f32::total_cmp);
            assert_eq!(column, before);
            calls += 1;
            Ok::<_, Infallible>(0.0)
        };
        permutation_importance(&table, 4, &[vec![0], vec![1, 2]], 2, &mut Rng::new(1), score).unwrap();
        assert_eq!(calls, 5);
    }

    #[test]
    fn errors_of_the_score_are_passed_on() {
        let found = permutation_importance(&[1.0, 2.0], 1, &[vec![0]], 3, &mut Rng::new(1), |_| Err("no"));
        assert_eq!(found, Err("no"));
        let one = permutation_importance(&[1.0], 1, &[vec![0]], 3, &mut Rng::new(1), |_| Err("no"));
        assert_eq!(one, Ok(vec![Importance { drop: 0.0, deviation: 0.0 }]));
    }

    #[test]
    fn samples_are_bounded_and_in_order() {
        assert_eq!(sample_rows(3, &mut Rng::new(1)), [0, 1, 2]);
        let sample = sample_rows(100_000, &mut Rng::new(1));
        assert_eq!(sample.len(), MAX_ROWS);
        assert!(sample.is_sorted_by(|a, b| a < b) && sample[MAX_ROWS - 1] < 100_000);
        let mean = sample.iter().map(|&n| f64::from(n)).sum::<f64>() / MAX_ROWS as f64;
        assert!((mean - 50_000.0).abs() < 3000.0, "{mean}");
    }
}
