//! What the columns of a table hold, for people who look at it before they train.
//!
//! What training refuses, such as missing values or text among numbers, is counted here. Only a file that is no table, and a
//! flag that names a column that is not there, are errors.

use std::path::Path;

use super::blocks;
use super::cell::{self, Cell};
use super::columns::Columns;
use super::options::TableOptions;
use super::profile::{Column, Look, MAX_VALUES, Profile};
use super::source::Source;
use crate::error::Result;

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An input of the network.
    Feature,
    /// What it answers.
    Target,
    /// The time of the row.
    Time,
    /// What keeps rows together in a split.
    Group,
}

impl Role {
    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Target => "target",
            Self::Time => "time",
            Self::Group => "group",
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// `number`, `text`, `category` (numbers that are names), `date`, `mixed` (numbers and text) or `empty`.
    pub kind: &'static str,
    /// The finite numbers, row by row.
    pub numbers: Vec<f32>,
    /// The distinct texts or categories, sorted, and the rows of each; [`values_are_all`](Self::values_are_all) tells whether
    /// they are all.
    pub values: Vec<(String, usize)>,
    /// Whether no distinct text was left out because there are too many.
    pub values_are_all: bool,
    /// The rows without a value.
    pub missing: usize,
    /// Whether each row has the same value.
    pub constant: bool,
    /// The first column before it with the same cells.
    pub same_as: Option<String>,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its rows.
    pub rows: usize,
    /// The rows in which a value is missing.
    pub with_missing: usize,
    /// Its columns without those that are dropped, in their order.
    pub columns: Vec<ColumnDescription>,
    /// The names of the columns that are dropped.
    pub dropped: Vec<String>,
}

/// Describes a table.
///
/// # Errors
/// `Data` where the file is no table or has no rows, `Usage` where an option names a column that is not there.
pub fn describe(path: &Path, options: &TableOptions) -> Result<Description> {
    let source = Source::open(path, &[])?;
    let columns = Columns::chosen(&source, options, &mut Vec::new())?;
    let roles: Vec<Option<Role>> = (0..source.names.len()).map(|n| role(&columns, n)).collect();
    let seen = Columns {
        features: (0..roles.len()).filter(|&n| roles[n].is_some()).collect(),
        categorical: columns.categorical.iter().chain(&columns.group).copied().collect(),
        ..Columns::default()
    };
    let mut profile = blocks::profile(&source, &seen, false)?;
    if profile.rows == 0 {
        return Err(source.error("has no rows; write a line for each sample below the names"));
    }
    let mut numbers = numbers(&source, &seen, &mut profile)?;
    let mut described: Vec<ColumnDescription> = Vec::new();
    for (at, &n) in seen.features.iter().enumerate() {
        let column = &profile.columns[n];
        let same = |&&m: &&usize| {
            let other = &profile.columns[m];
            (other.hash, other.look) == (column.hash, column.look) && column.missing < profile.rows
        };
        let same_as = seen.features[..at].iter().find(same).map(|&m| source.names[m].clone());
        described.push(ColumnDescription {
            name: source.names[n].clone(),
            role: roles[n].unwrap_or(Role::Feature),
            kind: kind(column, columns.categorical.contains(&n)),
            numbers: std::mem::take(&mut numbers[at]),
            values: values(column),
            values_are_all: column.values.len() <= MAX_VALUES,
            missing: column.missing,
            constant: is_constant(column, profile.rows),
            same_as,
        });
    }
    let dropped = (0..roles.len()).filter(|&n| roles[n].is_none()).map(|n| source.names[n].clone());
    let dropped = dropped.collect();
    Ok(Description { rows: profile.rows, with_missing: profile.with_missing, columns: described, dropped })
}

fn role(columns: &Columns, n: usize) -> Option<Role> {
    if columns.targets.contains(&n) {
        Some(Role::Target)
    } else if columns.time == Some(n) {
        Some(Role::Time)
    } else if columns.group == Some(n) {
        Some(Role::Group)
    } else {
        columns.features.contains(&n).then_some(Role::Feature)
    }
}

fn kind(column: &Column, declared: bool) -> &'static str {
    let numbers = column.numbers > 0 || column.infinite.is_some();
    let is_date = column.first_text.as_ref().is_some_and(|(_, text)| cell::is_date(text));
    match (numbers, column.texts > 0) {
        (_, true) if declared => "category",
        (true, true) => "mixed",
        (false, true) if is_date && column.look == Look::Values => "date",
        (false, true) => "text",
        (true, false) => "number",
        (false, false) => "empty",
    }
}

fn values(column: &Column) -> Vec<(String, usize)> {
    let mut names: Vec<String> = column.values.keys().cloned().collect();
    cell::sort(&mut names);
    names.into_iter().map(|name| (column.values[&name], name)).map(|(rows, name)| (name, rows)).collect()
}

fn is_constant(column: &Column, rows: usize) -> bool {
    let one = if column.texts == 0 {
        column.constant && column.infinite.is_none()
    } else {
        column.values.len() == 1 && column.numbers == 0
    };
    one && column.missing == 0 && rows > 1
}

/// The finite numbers of each column.
fn numbers(source: &Source, seen: &Columns, profile: &mut Profile) -> Result<Vec<Vec<f32>>> {
    let width = seen.features.len();
    let mut numbers: Vec<Vec<f32>> =
        seen.features.iter().map(|&n| Vec::with_capacity(profile.columns[n].numbers)).collect();
    if let Some(numeric) = profile.numeric.take() {
        for row in numeric.features.chunks_exact(width) {
            numbers.iter_mut().zip(row).filter(|(_, v)| !v.is_nan()).for_each(|(to, &v)| to.push(v));
        }
        return Ok(numbers);
    }
    let mut rows = source.rows()?;
    while let Some((record, _)) = rows.next()? {
        for (to, &n) in numbers.iter_mut().zip(&seen.features) {
            if profile.columns[n].look == Look::Values
                && let Cell::Number(value) = cell::parse(&record[n])
            {
                to.push(value);
            }
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::{Role, describe};
    use crate::data::table::TableOptions;

    fn of(text: &str, options: &TableOptions) -> super::Description {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        describe(file.path(), options).unwrap()
    }

    #[test]
    fn what_training_refuses_is_counted() {
        let text = "a,b,c,d,when,y\n1,x,1,1,2024-01-31,p\n,y,2,,2024-02-01,q\n3,inf,7,3,2024-02-02,p\n";
        let found = of(text, &TableOptions::default());
        assert_eq!((found.rows, found.with_missing), (3, 1));
        let kinds: Vec<_> = found.columns.iter().map(|c| c.kind).collect();
        assert_eq!(kinds, ["number", "mixed", "number", "number", "date", "text"]);
        assert_eq!((&found.columns[0].numbers[..], found.columns[0].missing), (&[1.0, 3.0][..], 1));
        assert_eq!(found.columns[3].same_as.as_deref(), Some("a"));
        let target = &found.columns[5];
        assert_eq!(
            (target.role, &target.values[..]),
            (Role::Target, &[("p".into(), 2), ("q".into(), 1)][..])
        );
    }

    #[test]
    fn columns_have_the_roles_that_the_options_give_them() {
        let options = TableOptions {
            target: vec!["y".into()],
            drop: vec!["id".into()],
            group: "who".into(),
            categorical: vec!["c".into()],
            ..TableOptions::default()
        };
        let found = of("id,y,who,c,k\n1,0.5,7,2,4\n2,1.5,7,10,4\n3,2.5,8,2,4\n", &options);
        let roles: Vec<_> = found.columns.iter().map(|c| (&c.name[..], c.role.name(), c.kind)).collect();
        let expected = [("y", "target", "number"), ("who", "group", "text"), ("c", "feature", "category")];
        assert_eq!(roles[..3], expected);
        assert_eq!(found.columns[2].values, [("2".into(), 2), ("10".into(), 1)]);
        assert!(found.columns[3].constant && !found.columns[0].constant);
        assert_eq!((&found.dropped[..], found.columns[0].numbers.len()), (&["id".to_string()][..], 3));
    }
}
