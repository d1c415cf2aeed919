//! The second pass over a table: its cells, as numbers in one matrix.
//!
//! The first pass counted the rows, so that the matrix has its size from the start: a table of any size takes its f32 matrix
//! and a buffer.

use std::collections::HashMap;

use csv::ByteRecord;

use super::cell::{self, Cell};
use super::columns::Columns;
use super::options::Missing;
use super::profile::{Numeric, Profile};
use super::schema::{FeatureKind, Schema};
use super::source::Source;
use super::target::{Numbers, Target};
use super::{Table, plural};
use crate::error::{Error, Result};

/// The index of each value of a column.
type Values = HashMap<String, u32>;

/// How the cells of a row become numbers.
struct Loader<'s> {
    source: &'s Source,
    schema: &'s Schema,
    columns: &'s Columns,
    /// Whether missing numbers become what the schema says.
    fill: bool,
    /// Whether targets must be there and known.
    needs_target: bool,
    /// The categories of each feature; empty for numbers.
    categories: Vec<Values>,
    classes: Values,
}

/// What the rows become.
#[derive(Default)]
struct Loaded {
    features: Vec<f32>,
    codes: Vec<u32>,
    values: Vec<f32>,
    group_names: HashMap<Vec<u8>, u32>,
    groups: Vec<u32>,
    times: Vec<f64>,
    gaps: Vec<u32>,
    /// The first target that is missing or unknown where none is needed.
    no_target: Option<String>,
}

/// Reads the rows that a profile counted.
///
/// # Errors
/// `Data` where a category, class or time is not what it must be, or the file changed since; `Failed` where memory is short.
pub fn rows(
    source: &Source,
    columns: &Columns,
    profile: &mut Profile,
    schema: Schema,
    needs_target: bool,
) -> Result<Table> {
    let index = |values: &[String]| -> Values { values.iter().cloned().zip(0..).collect() };
    let categories = schema.features.iter().map(|feature| match &feature.kind {
        FeatureKind::Number => Values::new(),
        FeatureKind::Categories(values) => index(values),
    });
    if let Some(numeric) = profile.numeric.take()
        && let Some(target) = target_of(&numeric, columns, &schema, &index(&schema.classes))
        && schema.features.iter().all(|feature| feature.kind == FeatureKind::Number)
    {
        return Ok(of_numbers(numeric, target, profile, columns, schema));
    }
    let loader = Loader {
        source,
        schema: &schema,
        columns,
        fill: matches!(schema.missing, Missing::Mean | Missing::Median),
        needs_target,
        categories: categories.collect(),
        classes: index(&schema.classes),
    };
    let mut loaded = loader.reserve(profile.rows)?;
    let drop_rows = profile.dropped > 0;
    let used: Vec<usize> = columns
        .features
        .iter()
        .chain(&columns.targets)
        .chain(&columns.time)
        .chain(&columns.group)
        .copied()
        .collect();
    let (mut rows, mut count, mut dropped) = (source.rows()?, 0, 0);
    while let Some((record, byte)) = rows.next()? {
        if drop_rows && used.iter().any(|&n| cell::parse(&record[n]) == Cell::Missing) {
            loaded.gaps.push(count as u32);
            dropped += 1;
            continue;
        }
        if count == profile.rows {
            return Err(loader.changed());
        }
        loader.row(record, byte, &mut loaded)?;
        count += 1;
    }
    if (count, dropped) != (profile.rows, profile.dropped) {
        return Err(loader.changed());
    }
    loaded.gaps.dedup();
    let mut notes = Vec::new();
    let target = loader.target(&mut loaded, &mut notes);
    let Loaded { features, groups, group_names, times, gaps, .. } = loaded;
    let groups = columns.group.map(|_| groups);
    notes.extend(group_note(&schema, columns, group_names.len()));
    let times = columns.time.map(|_| times);
    Ok(Table { schema, rows: count, features, target, groups, times, gaps, notes })
}

/// The target of a table of numbers; `None` where it is not what the schema says.
fn target_of(numeric: &Numeric, columns: &Columns, schema: &Schema, classes: &Values) -> Option<Target> {
    let Numeric { targets, classes: found, codes, .. } = numeric;
    match (columns.targets.len(), schema.classes.is_empty(), found.is_empty()) {
        (0, ..) => Some(Target::None),
        (count, true, true) => Some(Target::Numbers(Numbers::new(targets.clone(), count))),
        (_, false, false) => {
            let known: Option<Vec<u32>> = found.iter().map(|name| classes.get(name).copied()).collect();
            let known = known?;
            let codes = codes.iter().map(|&code| known[code as usize]).collect();
            Some(Target::Text { names: schema.classes.clone(), codes })
        }
        _ => None,
    }
}

/// The table that one pass has read.
fn of_numbers(
    numeric: Numeric,
    target: Target,
    profile: &Profile,
    columns: &Columns,
    schema: Schema,
) -> Table {
    let Numeric { mut features, groups, group_count, times, .. } = numeric;
    if profile.with_missing > 0 && matches!(schema.missing, Missing::Mean | Missing::Median) {
        let fills: Vec<f32> = schema.features.iter().map(|f| f.fill.unwrap_or(f32::NAN)).collect();
        for row in features.chunks_exact_mut(fills.len()) {
            row.iter_mut().zip(&fills).filter(|(value, _)| value.is_nan()).for_each(|(value, &f)| *value = f);
        }
    }
    let notes = group_note(&schema, columns, group_count).into_iter().collect();
    let (groups, times) = (columns.group.map(|_| groups), columns.time.map(|_| times));
    Table { schema, rows: profile.rows, features, target, groups, times, gaps: Vec::new(), notes }
}

fn group_note(schema: &Schema, columns: &Columns, groups: usize) -> Option<String> {
    let name = schema.group.as_ref().filter(|_| columns.group.is_some())?;
    Some(format!("column {name:?} tells {} apart; it is no feature", plural(groups, "group")))
}

impl Loader<'_> {
    /// Memory for all rows.
    fn reserve(&self, rows: usize) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        if u32::try_from(rows).is_err() {
            return Err(self.source.error("has more rows than 32 bits count; take a part of them"));
        }
        let (columns, targets) = (self.schema.columns(), self.columns.targets.len());
        let mut reserve = || {
            loaded.features.try_reserve_exact(rows.checked_mul(columns)?).ok()?;
            if self.classes.is_empty() {
                loaded.values.try_reserve_exact(rows.checked_mul(targets)?).ok()?;
            } else {
                loaded.codes.try_reserve_exact(rows * targets).ok()?;
            }
            loaded.groups.try_reserve_exact(if self.columns.group.is_some() { rows } else { 0 }).ok()?;
            loaded.times.try_reserve_exact(if self.columns.time.is_some() { rows } else { 0 }).ok()
        };
        match reserve() {
            Some(()) => Ok(loaded),
            None => Err(Error::failed(format!(
                "{rows} rows of {columns} inputs do not fit into memory; leave out columns with --drop, or take fewer rows"
            ))),
        }
    }

    fn row(&self, record: &ByteRecord, byte: u64, loaded: &mut Loaded) -> Result<()> {
        for (n, &column) in self.columns.features.iter().enumerate() {
            let cell = &record[column];
            match (&self.schema.features[n].kind, cell::parse(cell)) {
                (FeatureKind::Number, Cell::Number(value)) => loaded.features.push(value),
                (FeatureKind::Number, Cell::Missing) => {
                    let fill = self.schema.features[n].fill.filter(|_| self.fill);
                    loaded.features.push(fill.unwrap_or(f32::NAN));
                }
                (FeatureKind::Number, _) => return Err(self.changed()),
                (FeatureKind::Categories(values), kind) => {
                    let at = loaded.features.len();
                    loaded.features.resize(at + values.len(), 0.0);
                    if kind != Cell::Missing {
                        let code = self.code(&self.categories[n], cell, byte, column, "category")?;
                        loaded.features[at + code as usize] = 1.0;
                    }
                }
            }
        }
        for &column in &self.columns.targets {
            match self.target_cell(&record[column], byte, column, loaded) {
                Err(error) if self.needs_target => return Err(error),
                Err(error) => drop(loaded.no_target.get_or_insert(error.message)),
                Ok(()) => {}
            }
        }
        if let Some(column) = self.columns.group {
            let (cell, next) = (record[column].trim_ascii(), loaded.group_names.len() as u32);
            let group = match loaded.group_names.get(cell) {
                Some(&group) => group,
                None => *loaded.group_names.entry(cell.to_vec()).or_insert(next),
            };
            loaded.groups.push(group);
        }
        if let Some(column) = self.columns.time {
            loaded.times.push(self.time(&record[column], byte, column)?);
        }
        Ok(())
    }

    fn target_cell(&self, cell: &[u8], byte: u64, column: usize, loaded: &mut Loaded) -> Result<()> {
        let kind = cell::parse(cell);
        if kind == Cell::Missing {
            return Err(self.source.error_at(
                byte,
                &self.source.names[column],
                "the target is missing; fill it in",
            ));
        }
        if !self.classes.is_empty() {
            loaded.codes.push(self.code(&self.classes, cell, byte, column, "class")?);
            return Ok(());
        }
        let Cell::Number(value) = kind else { return Err(self.changed()) };
        loaded.values.push(value);
        Ok(())
    }

    /// The index of a value.
    fn code(&self, values: &Values, cell: &[u8], byte: u64, column: usize, what: &str) -> Result<u32> {
        let name = &self.source.names[column];
        let value = cell::name(cell).ok_or_else(|| self.source.not_utf8(byte, name, cell))?;
        values.get(&*value).copied().ok_or_else(|| {
            let mut known: Vec<String> = values.keys().cloned().collect();
            cell::sort(&mut known);
            let more = if known.len() > 12 { ", …" } else { "" };
            known.truncate(12);
            let known = known.join(", ");
            let message =
                format!("{value:?} is a {what} that the model does not know; it knows {known}{more}");
            self.source.error_at(byte, name, message)
        })
    }

    fn time(&self, cell: &[u8], byte: u64, column: usize) -> Result<f64> {
        let text = String::from_utf8_lossy(cell);
        cell::seconds(&text).ok_or_else(|| {
            let message = format!(
                "{:?} is not a time; write a number, 2024-01-31T12:30:05.5 or 12:30:05.5",
                text.trim()
            );
            self.source.error_at(byte, &self.source.names[column], message)
        })
    }

    fn target(&self, loaded: &mut Loaded, notes: &mut Vec<String>) -> Target {
        if let Some(why) = &loaded.no_target {
            notes.push(format!("the target column is not used: {why}"));
            return Target::None;
        }
        let targets = self.columns.targets.len();
        if targets == 0 {
            return Target::None;
        }
        if self.classes.is_empty() {
            return Target::Numbers(Numbers::new(std::mem::take(&mut loaded.values), targets));
        }
        Target::Text { names: self.schema.classes.clone(), codes: std::mem::take(&mut loaded.codes) }
    }

    fn changed(&self) -> Error {
        self.source.error("changed while it was read; try again")
    }
}
