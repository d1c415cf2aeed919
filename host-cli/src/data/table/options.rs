//! How to read a table: which columns mean what, and what to do about missing values.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What the user says of a table. The default takes every column as a feature but the last, which is the target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TableOptions {
    /// Names of the target columns; the last column if empty.
    pub target: Vec<String>,
    /// Whether there is no target unless [`target`](Self::target) names one: the last column is a feature too.
    pub unsupervised: bool,
    /// Names of the columns to leave out.
    pub drop: Vec<String>,
    /// Names of the columns whose values are categories even where they are numbers.
    pub categorical: Vec<String>,
    /// What to do about missing values.
    pub missing: Missing,
    /// The column of time; empty for none.
    pub time: String,
    /// The column of the subject, board or session; empty for none.
    pub group: String,
    /// Rows per window; 0 for none.
    pub window: usize,
    /// Rows from the start of a window to that of the next; 0 for the window's length.
    pub stride: usize,
}

/// What to do about missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Refuse the table
    #[default]
    Error,
    /// Replace a missing number by the mean of its column
    Mean,
    /// Replace a missing number by the median of its column
    Median,
    /// Leave out rows with missing values
    DropRows,
}
