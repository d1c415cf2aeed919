//! From what the columns of a table hold to a schema: which are numbers, which are categories, and what is refused.

use super::cell;
use super::columns::Columns;
use super::options::{Missing, TableOptions};
use super::profile::{Column, Look, MAX_VALUES, Profile};
use super::schema::{Feature, FeatureKind, Schema, Window};
use super::source::Source;
use crate::error::Result;

/// The number of categories of a text column that is not declared as categorical.
const MAX_CATEGORIES: usize = 100;

/// The schema of a table to train on.
///
/// # Errors
/// `Data` where a column cannot be a feature or a target as it is, or values are missing.
pub fn schema(
    source: &Source,
    columns: &Columns,
    profile: &Profile,
    options: &TableOptions,
    notes: &mut Vec<String>,
) -> Result<Schema> {
    some_rows(source, columns, profile)?;
    let mut features = Vec::new();
    for &n in &columns.features {
        let kind = feature(source, n, &profile.columns[n], notes)?;
        features.push(Feature { name: source.names[n].clone(), kind, fill: None });
    }
    let name = |n: &usize| source.names[*n].clone();
    let schema = Schema {
        anomaly: None,
        features,
        targets: columns.targets.iter().map(name).collect(),
        classes: classes(source, columns, profile)?,
        time: columns.time.as_ref().map(name),
        group: columns.group.as_ref().map(name),
        missing: options.missing,
        window: (options.window > 0).then_some(Window {
            rows: options.window,
            stride: if options.stride == 0 { options.window } else { options.stride },
        }),
    };
    missing(source, columns, profile, options.missing)?;
    oddities(source, columns, profile, notes);
    Ok(schema)
}

/// How a feature's column becomes inputs.
fn feature(source: &Source, n: usize, column: &Column, notes: &mut Vec<String>) -> Result<FeatureKind> {
    let name = &source.names[n];
    if column.numbers + column.texts == 0 && column.infinite.is_none() {
        let e = format!("has no value in column {name:?}; `--drop {}` leaves it out", shell(name));
        return Err(source.error(e));
    }
    if column.texts == 0 {
        finite(source, n, column)?;
        return Ok(FeatureKind::Number);
    }
    if column.look == Look::Values {
        only_text(source, n, column, "a number")?;
        if let Some((byte, text)) = column.first_text.as_ref().filter(|(_, text)| cell::is_date(text)) {
            return Err(source.error_at(*byte, name, format!(
                "{text:?} is a date or a time, which is no feature; leave it out with `--drop {0}`, or name it as the time \
                 of the rows with `--time {0}`",
                shell(name)
            )));
        }
    }
    let declared = column.look == Look::Names;
    let limit = if declared { MAX_VALUES } else { MAX_CATEGORIES };
    if column.values.len() > limit {
        let advice = if declared {
            format!("leave it out with `--drop {}`", shell(name))
        } else {
            format!(
                "leave it out with `--drop {0}`, or take each value as a category with `--categorical {0}`",
                shell(name)
            )
        };
        return Err(source.error(format!("has more than {limit} values in column {name:?}; {advice}")));
    }
    let mut values: Vec<String> = column.values.keys().cloned().collect();
    cell::sort(&mut values);
    if !declared {
        let count = values.len();
        notes.push(format!("column {name:?} is text: one input for each of its {count} values (one-hot)"));
    }
    Ok(FeatureKind::Categories(values))
}

/// The names of the classes, sorted, where the target is text; none where it is numbers.
fn classes(source: &Source, columns: &Columns, profile: &Profile) -> Result<Vec<String>> {
    for &n in &columns.targets {
        let (name, column) = (&source.names[n], &profile.columns[n]);
        if column.numbers + column.texts == 0 && column.infinite.is_none() {
            return Err(
                source.error(format!("has no value in its target {name:?}; name another with --target"))
            );
        }
        if column.texts == 0 {
            finite(source, n, column)?;
            continue;
        }
        if column.look == Look::Values {
            only_text(source, n, column, "a number or a class")?;
        }
        let several = columns.targets.len() > 1;
        if let (true, Some((byte, text))) = (several, &column.first_text) {
            let message = format!(
                "{text:?} is not a number, but several targets must be numbers; write 0 and 1 for labels"
            );
            return Err(source.error_at(*byte, name, message));
        }
        if column.values.len() > MAX_VALUES {
            return Err(source.error(format!(
                "has more than {MAX_VALUES} classes in its target {name:?}; name another with --target"
            )));
        }
        let mut classes: Vec<String> = column.values.keys().cloned().collect();
        cell::sort(&mut classes);
        if let [only] = &classes[..] {
            return Err(source.error(format!(
                "has only the class {only:?} in its target {name:?}; a classifier needs two or more: name another with --target"
            )));
        }
        return Ok(classes);
    }
    Ok(Vec::new())
}

/// Checks that a column of text has no numbers, and a column of numbers no text.
fn only_text(source: &Source, n: usize, column: &Column, wanted: &str) -> Result<()> {
    decimal_points(source, n, column)?;
    let (name, Some((byte, text))) = (&source.names[n], &column.first_text) else { return Ok(()) };
    if text.contains('\n') && column.numbers > 0 {
        let message =
            "the cell is text of several lines among numbers: a quote that opens here is not closed";
        return Err(source.error_at(*byte, name, message));
    }
    if column.numbers > 0 {
        let numbers = column.numbers;
        return Err(source.error_at(*byte, name, format!(
            "{text:?} is not {wanted}, as {numbers} other cells of the column are; correct it, leave it empty if it is \
             missing, or take every value as a name with `--categorical {}`",
            shell(name)
        )));
    }
    Ok(())
}

/// Checks that the first text of a column is not a number with a decimal comma.
fn decimal_points(source: &Source, n: usize, column: &Column) -> Result<()> {
    let Some((byte, text)) = column.first_text.as_ref().filter(|(_, text)| cell::has_decimal_comma(text))
    else {
        return Ok(());
    };
    let point = text.replace('.', "").replace(',', ".");
    let message = format!("{text:?} has a decimal comma; write {point:?}: replace decimal commas by points");
    Err(source.error_at(*byte, &source.names[n], message))
}

/// Checks that a column has no infinite numbers.
pub fn finite(source: &Source, n: usize, column: &Column) -> Result<()> {
    let Some((byte, text)) = &column.infinite else { return Ok(()) };
    let message =
        format!("{text} is infinite in 32-bit floats; correct it, or leave the cell empty if it is missing");
    Err(source.error_at(*byte, &source.names[n], message))
}

/// Checks that a row is left.
fn some_rows(source: &Source, columns: &Columns, profile: &Profile) -> Result<()> {
    let count = |n: &&usize| profile.columns[**n].missing;
    if profile.rows == 0 {
        if profile.dropped == 0 {
            return Err(source.error("has no rows; write a line for each sample below the names"));
        }
        let used = columns.features.iter().chain(&columns.targets);
        let everywhere: Vec<String> =
            used.filter(|n| count(n) == profile.dropped).map(|&n| shell(&source.names[n])).collect();
        let advice = match &everywhere[..] {
            [] => "use --missing mean or --missing median instead".into(),
            [first, ..] => format!("column {first} is always missing: `--drop {first}`"),
        };
        return Err(
            source.error(format!("has a missing value in each of its {} rows; {advice}", profile.dropped))
        );
    }
    Ok(())
}

/// Checks that no values are missing that must be there.
///
/// # Errors
/// `Data` where a target, time or group is missing, or a feature and nothing is to be done about it.
pub fn missing(source: &Source, columns: &Columns, profile: &Profile, policy: Missing) -> Result<()> {
    some_rows(source, columns, profile)?;
    let count = |n: &&usize| profile.columns[**n].missing;
    if policy == Missing::DropRows {
        return Ok(());
    }
    let whole = columns.targets.iter().map(|n| (n, "target"));
    let whole = whole
        .chain(columns.time.iter().map(|n| (n, "time")))
        .chain(columns.group.iter().map(|n| (n, "group")));
    for (n, what) in whole {
        if count(&n) > 0 {
            let (byte, rows) = (profile.columns[*n].first_missing, count(&n));
            return Err(source.error_at(byte, &source.names[*n], format!(
                "the {what} is missing here and in {} other rows; fill it in, or leave such rows out with `--missing drop-rows`",
                rows - 1
            )));
        }
    }
    let with: Vec<&usize> = columns.features.iter().filter(|n| count(n) > 0).collect();
    if policy != Missing::Error || with.is_empty() {
        return Ok(());
    }
    let list: Vec<String> =
        with.iter().take(8).map(|n| format!("{:?} ({})", source.names[**n], count(n))).collect();
    let more = if with.len() > 8 { format!(" and {} more", with.len() - 8) } else { String::new() };
    let first = with.iter().map(|n| profile.columns[**n].first_missing).min().unwrap_or(0);
    Err(source.error(format!(
        "has missing values in {} of {} rows, first in line {}, in the columns {}{more}; say what to do about them with \
         `--missing mean`, `median` or `drop-rows`",
        profile.with_missing,
        profile.rows,
        source.line(first),
        list.join(", ")
    )))
}

/// Notes what is probably a mistake: constant columns, columns that are the same, columns that count the rows.
fn oddities(source: &Source, columns: &Columns, profile: &Profile, notes: &mut Vec<String>) {
    if profile.dropped > 0 {
        let (dropped, all) = (profile.dropped, profile.dropped + profile.rows);
        notes.push(format!("{dropped} of {all} rows are left out: they have missing values"));
    }
    let used: Vec<usize> = columns.features.iter().chain(&columns.targets).copied().collect();
    for (i, &n) in columns.features.iter().enumerate() {
        let (name, column) = (&source.names[n], &profile.columns[n]);
        let drop = format!("`--drop {}` leaves it out", shell(name));
        let same = |&&m: &&usize| {
            m != n && profile.columns[m].hash == column.hash && profile.columns[m].look == column.look
        };
        let is_constant = if column.texts == 0 { column.constant } else { column.values.len() == 1 };
        if is_constant && column.missing == 0 && profile.rows > 1 {
            notes.push(format!("column {name:?} has the same value in every row; {drop}"));
        } else if let Some(&other) = used[..i].iter().chain(&columns.targets).find(same) {
            let other_name = &source.names[other];
            let other = if columns.targets.contains(&other) {
                format!("the target, {other_name:?}, and gives it away")
            } else {
                format!("column {other_name:?}")
            };
            notes.push(format!("column {name:?} is the same as {other}; {drop}"));
        }
        let counts = column.counts_rows && column.texts == 0 && [0.0, 1.0].contains(&column.first);
        if counts && profile.rows > 2 && profile.dropped == 0 && is_identifier(name) {
            notes.push(format!("column {name:?} only counts the rows; {drop}"));
        }
    }
}

/// Whether a column's name is that of a row number, or none.
fn is_identifier(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = ["id", "index", "idx", "row", "nr", "no", "number", "unnamed: 0", "row_id", "sample"];
    words.contains(&&name[..]) || name.starts_with("column_") || name.ends_with("_id")
}

/// A column's name as one types it after a flag.
fn shell(name: &str) -> String {
    crate::error::typed(std::path::Path::new(name))
}

/// Checks that the columns of rows for a model hold what its schema says.
///
/// # Errors
/// `Data` where a cell is not what the model takes, or is missing.
pub fn check(source: &Source, columns: &Columns, profile: &Profile, schema: &Schema) -> Result<()> {
    for (&n, feature) in columns.features.iter().zip(&schema.features) {
        let column = &profile.columns[n];
        if feature.kind == FeatureKind::Number {
            finite(source, n, column)?;
            number(source, n, column)?;
        }
    }
    if schema.classes.is_empty() { target_numbers(source, columns, profile) } else { Ok(()) }
}

fn target_numbers(source: &Source, columns: &Columns, profile: &Profile) -> Result<()> {
    for &n in &columns.targets {
        finite(source, n, &profile.columns[n])?;
        number(source, n, &profile.columns[n])?;
    }
    Ok(())
}

/// Whether the targets of rows for a model could be read: none is missing, and all are numbers where the model's are.
///
/// # Errors
/// `Data` where they could not.
pub fn check_target(source: &Source, columns: &Columns, profile: &Profile, schema: &Schema) -> Result<()> {
    if let Some(&n) = columns.targets.iter().find(|&&n| profile.columns[n].missing > 0) {
        return Err(source.error(format!("has missing values in its target {:?}", source.names[n])));
    }
    if schema.classes.is_empty() { target_numbers(source, columns, profile) } else { Ok(()) }
}

/// Checks that a column has no text.
fn number(source: &Source, n: usize, column: &Column) -> Result<()> {
    decimal_points(source, n, column)?;
    let Some((byte, text)) = &column.first_text else { return Ok(()) };
    let message = format!("{text:?} is not a number, which the model needs here; correct it");
    Err(source.error_at(*byte, &source.names[n], message))
}
