//! Tables: rows of numbers and text from CSV and TSV files, plain or gzip, as one f32 matrix.
//!
//! A file is streamed twice: the first pass, `profile`, finds out what each column holds, the second, `load`, writes the
//! numbers where they belong. A table whose features are all numbers is done after one pass on all cores, `blocks`. So a table
//! takes no more memory than its matrix, whatever the size of its text. The meaning of the columns is kept as a [`Schema`], by
//! which other rows become the same inputs.
//!
//! What is assumed is noted; what cannot be right is refused with the line and the column. A line is counted as a text editor
//! counts, from 1 and with the header and blank lines.

mod blocks;
mod cell;
mod columns;
mod copy;
mod decide;
pub mod describe;
mod header;
mod load;
mod missing;
pub mod options;
mod profile;
pub mod schema;
mod source;
pub mod target;
#[cfg(test)]
mod tests;
pub mod windows;

use std::path::Path;

use crate::error::Result;
use columns::Columns;
use source::Source;

pub use copy::copy_with;
pub use describe::{ColumnDescription, Description, Role, describe};
pub use options::{Missing, TableOptions};
pub use schema::{Feature, FeatureKind, Schema, Window};
pub use target::{Numbers, Target};

/// A table in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What its columns are.
    pub schema: Schema,
    /// The rows.
    pub rows: usize,
    /// The inputs: (rows, columns of the schema). A missing number is NaN until it is [filled](Self::fill_missing); a missing
    /// category is 0 in all inputs of its column.
    pub features: Vec<f32>,
    /// The targets.
    pub target: Target,
    /// The group of each row: 0 and up, in the order of appearance.
    pub groups: Option<Vec<u32>>,
    /// The time of each row, in seconds or in the unit of its column.
    pub times: Option<Vec<f64>>,
    /// The rows above which rows were left out; ascending. No window reaches across.
    pub gaps: Vec<u32>,
    /// What was assumed, a clause each, for stderr.
    pub notes: Vec<String>,
}

/// Reads a table to train on.
///
/// # Errors
/// `Data` where the file cannot be used as it is, `Usage` where an option names a column that is not there.
pub fn read(path: &Path, options: &TableOptions) -> Result<Table> {
    let mut source = Source::open(path, &[])?;
    let mut notes = std::mem::take(&mut source.notes);
    let columns = Columns::chosen(&source, options, &mut notes)?;
    let mut profile = blocks::profile(&source, &columns, options.missing == Missing::DropRows)?;
    let schema = decide::schema(&source, &columns, &profile, options, &mut notes)?;
    let mut table = load::rows(&source, &columns, &mut profile, schema, true)?;
    notes.append(&mut table.notes);
    Ok(Table { notes, ..table })
}

/// Reads rows for a model: its columns are matched by name, in any order; others are ignored. Missing numbers become what the
/// schema says. Without `needs_target` the target is [`Target::None`] where it is missing or unknown in any row.
///
/// # Errors
/// `Data` where a column is missing, or a cell is not what the schema says.
pub fn read_as(path: &Path, schema: &Schema, needs_target: bool) -> Result<Table> {
    let known: Vec<&str> = schema.features.iter().map(|f| &f.name[..]).collect();
    let mut source = Source::open(path, &known)?;
    let mut notes = std::mem::take(&mut source.notes);
    let mut columns = Columns::matched(&source, schema)?;
    columns.need(&source, schema, needs_target)?;
    // Each row that is to be predicted gets an answer, so none is left out.
    let policy = match schema.missing {
        Missing::DropRows if !needs_target => Missing::Error,
        policy => policy,
    };
    let mut profile = blocks::profile(&source, &columns, policy == Missing::DropRows)?;
    if !needs_target && decide::check_target(&source, &columns, &profile, schema).is_err() {
        notes.push("the target column is not used: a value in it is missing or no number".into());
        columns.targets.clear();
    }
    decide::missing(&source, &columns, &profile, policy)?;
    decide::check(&source, &columns, &profile, schema)?;
    if profile.dropped > 0 {
        notes.push(format!("{} left out: they have missing values", plural(profile.dropped, "row")));
    }
    let mut table = load::rows(&source, &columns, &mut profile, schema.clone(), needs_target)?;
    notes.append(&mut table.notes);
    Ok(Table { notes, ..table })
}

/// Whether a file holds a table: text in two columns or more, or lines of numbers; plain or gzip.
pub fn is_table(path: &Path) -> bool {
    path.is_file() && source::looks_like_a_table(path)
}

impl Table {
    /// Makes classes of a target of integers: see [`Target::classify`].
    ///
    /// # Errors
    /// `Data` where the target is not one column of 2 to 256 integers.
    pub fn classify(&mut self) -> Result<()> {
        self.target.classify(&mut self.schema)
    }
}

/// `1 row`, `2 rows`.
fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
