//! Missing numbers, replaced by the mean or the median of the rows to train on.

use super::schema::{Feature, FeatureKind};
use super::{Missing, Table};
use crate::error::{Error, Result};

impl Table {
    /// Measures the mean or median of each column of numbers on the training rows alone, keeps it in the schema, and replaces
    /// the missing numbers of all rows by it. Does nothing under the other policies.
    ///
    /// # Errors
    /// `Data` where a column has no value in the training rows.
    pub fn fill_missing(&mut self, training_rows: &[u32]) -> Result<()> {
        let middle: fn(&mut [f32]) -> f32 = match self.schema.missing {
            Missing::Mean => mean,
            Missing::Median => median,
            Missing::Error | Missing::DropRows => return Ok(()),
        };
        let columns = self.schema.columns();
        let (mut at, mut values) = (0, Vec::new());
        for Feature { name, kind, fill } in &mut self.schema.features {
            if let FeatureKind::Categories(names) = kind {
                at += names.len();
                continue;
            }
            values.clear();
            let column = training_rows.iter().map(|&row| self.features[row as usize * columns + at]);
            values.extend(column.filter(|v| !v.is_nan()));
            if values.is_empty() {
                return Err(Error::data(format!(
                    "column {name:?} has no value in the {} rows to train on; leave it out with --drop",
                    training_rows.len()
                )));
            }
            let value = middle(&mut values);
            *fill = Some(value);
            let column = self.features.iter_mut().skip(at).step_by(columns);
            column.filter(|v| v.is_nan()).for_each(|v| *v = value);
            at += 1;
        }
        Ok(())
    }
}

/// The mean, summed in f64.
fn mean(values: &mut [f32]) -> f32 {
    (values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64) as f32
}

/// The median: of an even number of values, the mean of the middle two.
fn median(values: &mut [f32]) -> f32 {
    let half = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(half, f32::total_cmp);
    let lower = below.iter().copied().max_by(f32::total_cmp).filter(|_| even);
    f64::midpoint(f64::from(upper), f64::from(lower.unwrap_or(upper))) as f32
}
