//! What a model keeps of the table that it was trained on, so that other rows become the same inputs.

use selvedge::format::crc::Crc;
use serde::{Deserialize, Serialize};

use super::options::Missing;

/// The columns of a table and their meaning.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The feature columns, in the order of the inputs.
    pub features: Vec<Feature>,
    /// The names of the target columns.
    pub targets: Vec<String>,
    /// The names of the classes, where the target is one; empty where targets are numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// The value of the target that means an anomaly, where samples are reconstructed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<String>,
    /// The column of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The column of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What is done about missing values.
    pub missing: Missing,
    /// The windows of a time series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// A feature column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The name of the column.
    pub name: String,
    /// How a cell becomes inputs.
    pub kind: FeatureKind,
    /// The number that replaces a missing one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<f32>,
}

/// How a cell becomes inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// One input: the number.
    Number,
    /// An input for each of these values, sorted: 1 where the cell has that value, else 0 (one-hot).
    Categories(Vec<String>),
}

/// Samples of consecutive rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Rows per window.
    pub rows: usize,
    /// Rows from the start of a window to that of the next.
    pub stride: usize,
}

impl Feature {
    /// The number of inputs of one cell.
    pub fn width(&self) -> usize {
        match &self.kind {
            FeatureKind::Number => 1,
            FeatureKind::Categories(values) => values.len(),
        }
    }
}

impl Schema {
    /// Whether another schema has the same columns for the same inputs and answers.
    pub fn same_columns(&self, other: &Self) -> bool {
        let columns =
            |s: &Self| s.features.iter().map(|f| (f.name.clone(), f.kind.clone())).collect::<Vec<_>>();
        columns(self) == columns(other)
            && (&self.targets, &self.classes, self.window) == (&other.targets, &other.classes, other.window)
    }

    /// The CRC-32 of the names of the inputs, in their order, and of the targets and classes: a flash file keeps no more of them.
    pub fn crc(&self) -> u32 {
        let groups = [self.input_names(), self.targets.clone(), self.classes.clone()];
        let names = groups.map(|names| names.join("\n")).join("\n\n");
        Crc::new().of(names.as_bytes()).value()
    }

    /// Columns of numbers with these names.
    pub fn of_columns(names: impl IntoIterator<Item = String>) -> Self {
        let feature = |name| Feature { name, kind: FeatureKind::Number, fill: None };
        Self { features: names.into_iter().map(feature).collect(), ..Self::default() }
    }

    /// Inputs of one row: one for a number, one for each category.
    pub fn columns(&self) -> usize {
        self.features.iter().map(Feature::width).sum()
    }

    /// Inputs of one sample: those of a row, times the rows of a window.
    pub fn inputs(&self) -> usize {
        self.columns() * self.window.map_or(1, |window| window.rows)
    }

    /// The name of each input of one row: `sepal_length`, `colour=red`.
    pub fn row_names(&self) -> Vec<String> {
        self.features.iter().flat_map(names).collect()
    }

    /// The name of each input; in a window `ax[t-3]` for the row three before the last.
    pub fn input_names(&self) -> Vec<String> {
        let row = self.row_names();
        let Some(Window { rows, .. }) = self.window else { return row };
        let back = (0..rows).rev();
        back.flat_map(|back| row.iter().map(move |name| at(name, back))).collect()
    }
}

/// The names of a feature's inputs in one row.
fn names(feature: &Feature) -> Vec<String> {
    match &feature.kind {
        FeatureKind::Number => vec![feature.name.clone()],
        FeatureKind::Categories(values) => values.iter().map(|v| format!("{}={v}", feature.name)).collect(),
    }
}

/// The name of an input `back` rows before the last one of a window.
fn at(name: &str, back: usize) -> String {
    if back == 0 { format!("{name}[t]") } else { format!("{name}[t-{back}]") }
}

#[cfg(test)]
mod tests {
    use super::{Feature, FeatureKind, Schema, Window};

    #[test]
    fn inputs_are_named_row_by_row() {
        let colour = FeatureKind::Categories(vec!["blue".into(), "red".into()]);
        let mut schema = Schema {
            features: vec![
                Feature { name: "ax".into(), kind: FeatureKind::Number, fill: Some(0.5) },
                Feature { name: "colour".into(), kind: colour, fill: None },
            ],
            ..Schema::default()
        };
        assert_eq!(schema.input_names(), ["ax", "colour=blue", "colour=red"]);
        schema.window = Some(Window { rows: 2, stride: 1 });
        let names =
            ["ax[t-1]", "colour=blue[t-1]", "colour=red[t-1]", "ax[t]", "colour=blue[t]", "colour=red[t]"];
        assert_eq!(schema.input_names(), names);
        assert_eq!((schema.columns(), schema.inputs()), (3, names.len()));
        let json = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
        assert!(serde_json::from_str::<Schema>(&json.replacen("targets", "target", 1)).is_err());
    }
}
