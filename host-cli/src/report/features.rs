//! The columns of a table as people know them: a category is one column, not one input for each of its values, and a channel
//! of a window is one, not one for each row.

use crate::data::Matrix;
use crate::data::table::Schema;
use crate::data::table::schema::{Feature, FeatureKind};

/// A column of a table.
pub(super) struct Column {
    /// Its name.
    pub name: String,
    /// The inputs that come of it: in a window those of its first row first.
    pub inputs: Vec<usize>,
    /// The values of a category; empty for numbers.
    values: Vec<String>,
}

/// The columns whose inputs have these samples.
pub(super) fn columns(schema: Option<&Schema>, matrix: &Matrix) -> Vec<Column> {
    let Some(schema) = schema.filter(|schema| schema.inputs() == matrix.columns) else {
        let column = |n| Column { name: format!("column {}", n + 1), inputs: vec![n], values: Vec::new() };
        return (0..matrix.columns).map(column).collect();
    };
    let (rows, width) = (schema.window.map_or(1, |window| window.rows), schema.columns());
    let mut first = 0;
    let column = |feature: &Feature| {
        let of_row = first..first + feature.width();
        first = of_row.end;
        Column {
            name: feature.name.clone(),
            inputs: (0..rows).flat_map(|row| of_row.clone().map(move |n| row * width + n)).collect(),
            values: match &feature.kind {
                FeatureKind::Number => Vec::new(),
                FeatureKind::Categories(values) => values.clone(),
            },
        }
    };
    schema.features.iter().map(column).collect()
}

impl Column {
    /// Its value in a sample, of a window in the last row.
    pub fn value(&self, sample: &[f32]) -> String {
        if self.values.is_empty() {
            return self.inputs.last().map_or(String::new(), |&n| figure(sample[n]));
        }
        let last = &self.inputs[self.inputs.len() - self.values.len()..];
        let set = last.iter().position(|&n| sample[n] > 0.5);
        // A value that training did not know sets none.
        set.map_or("other".into(), |n| self.values[n].clone())
    }
}

/// A number as in a table: seven digits at most.
fn figure(x: f32) -> String {
    let rounded: f64 = format!("{x:.6e}").parse().unwrap_or_else(|_| x.into());
    if rounded != 0.0 && !(1e-5..1e9).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{columns, figure};
    use crate::data::Matrix;
    use crate::data::table::Schema;
    use crate::data::table::schema::{Feature, FeatureKind, Window};

    #[test]
    fn a_category_and_a_channel_are_one_column_each() {
        let colour = FeatureKind::Categories(vec!["blue".into(), "red".into()]);
        let schema = Schema {
            features: vec![
                Feature { name: "ax".into(), kind: FeatureKind::Number, fill: None },
                Feature { name: "colour".into(), kind: colour, fill: None },
            ],
            window: Some(Window { rows: 2, stride: 1 }),
            ..Schema::default()
        };
        let matrix = Matrix { values: vec![0.1, 1.0, 0.0, 2.5, 0.0, 1.0], columns: 6 };
        let found = columns(Some(&schema), &matrix);
        assert_eq!((&found[0].inputs[..], &found[1].inputs[..]), (&[0, 3][..], &[1, 2, 4, 5][..]));
        let values: Vec<String> = found.iter().map(|column| column.value(matrix.row(0))).collect();
        assert_eq!(values, ["2.5", "red"]);
        assert_eq!(found[1].value(&[0.0; 6]), "other");
        // A table of other columns than the schema's has numbered ones.
        let other = columns(Some(&schema), &Matrix { values: vec![1.0, 2.0], columns: 2 });
        assert_eq!((&other[1].name[..], &other[1].inputs[..]), ("column 2", &[1][..]));
    }

    #[test]
    fn numbers_read_as_they_were_written() {
        assert_eq!(
            [0.1, 17.99, -3.0, 1e-9, 123_456.8].map(figure),
            ["0.1", "17.99", "-3", "1e-9", "123456.8"]
        );
    }
}
