//! `selvedge data show` of a table: its columns, its target, and what training would make of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::data::table::{self, ColumnDescription, Description, Role};
use crate::data::{Dataset, Features, Reading, Source, Targets, Task};
use crate::error::{ErrorKind, Result};
use crate::terminal::{Histogram, Output, Warnings, count, significant, table as lines};

/// The width of a histogram in characters, and its number of bins in JSON.
const BINS: usize = 16;
/// A target of so many whole numbers at most has the rows of each listed.
const MAX_LISTED: usize = 20;
/// The values of a column of text that its row in the table names.
const MAX_NAMED: usize = 3;

/// Describes the table at `path`, and says what training would make of it.
///
/// # Errors
/// As [`table::describe`]; `Usage` for flags that do not go with the table.
pub(super) fn run(path: &Path, reading: &Reading, json: bool) -> Result<()> {
    let description = table::describe(path, &reading.table)?;
    let mut warnings = Warnings::default();
    let dataset = match Source::Path(path.into()).load(None, reading) {
        Ok(dataset) => Some(dataset),
        Err(error) if error.kind == ErrorKind::Usage => return Err(error),
        Err(error) => {
            warnings.add(format!("training refuses it as it is: {}", error.message));
            None
        }
    };
    print(&path.display().to_string(), &description, dataset.as_ref(), warnings, json)
}

/// Describes rows of numbers that are no file of text: those of NumPy arrays.
///
/// # Errors
/// `Failed` where stdout cannot be written.
pub(super) fn run_arrays(dataset: &Dataset, json: bool) -> Result<()> {
    print(&dataset.name, &of_arrays(dataset), Some(dataset), Warnings::default(), json)
}

fn print(
    name: &str,
    description: &Description,
    dataset: Option<&Dataset>,
    mut warnings: Warnings,
    json: bool,
) -> Result<()> {
    dataset.iter().flat_map(|dataset| &dataset.warnings).for_each(|text| warnings.add(text));
    let task = dataset.map(|dataset| dataset.task);
    let columns: Vec<Facts> = description.columns.iter().map(|column| Facts::new(column, task)).collect();
    let samples = dataset.map(|dataset| {
        let validation = dataset.train.validation.as_ref().map_or(0, Vec::len);
        [dataset.train.len() - validation, validation, dataset.test.len()]
    });
    let mut output = Output::default();
    if json {
        return output.json(&json!({
            "data": name,
            "rows": description.rows,
            "rows_with_missing": description.with_missing,
            "task": task.map(Task::name),
            "samples": samples.map(|[train, validation, test]| json!({"train": train, "validation": validation, "test": test})),
            "columns": columns.iter().map(Facts::json).collect::<Vec<_>>(),
            "dropped": description.dropped,
            "warnings": warnings.list(),
        }));
    }
    output.line(format!(
        "{name}: {}, {}",
        count(description.rows, "row"),
        count(description.columns.len() + description.dropped.len(), "column")
    ))?;
    if let (Some([train, validation, test]), Some(dataset)) = (samples, dataset) {
        let what =
            if dataset.schema.as_ref().is_some_and(|s| s.window.is_some()) { "windows" } else { "rows" };
        output.line(format!(
            "task {}: {train} {what} to train on, {validation} to validate on, {test} to test on",
            dataset.task.name()
        ))?;
    }
    let header =
        ["column", "role", "kind", "missing", "distinct", "min", "median", "mean", "max", "histogram"];
    output.line(format!("\n{}", lines(header.map(String::from), columns.iter().map(Facts::row))))?;
    let remarks = remarks(description, &columns);
    if remarks.is_empty() { Ok(()) } else { output.line(format!("\n{}", remarks.join("\n"))) }
}

/// What is to be said of the table as a whole, a line each.
fn remarks(description: &Description, columns: &[Facts]) -> Vec<String> {
    let with = |is: &dyn Fn(&ColumnDescription) -> bool| {
        let names = description.columns.iter().filter(|c| is(c)).map(|c| c.name.clone());
        names.collect::<Vec<_>>().join(", ")
    };
    let mut lines: Vec<String> = columns.iter().filter_map(Facts::remark).collect();
    let rows = description.rows;
    if description.with_missing > 0 {
        lines.push(format!(
            "missing values: in {} of {rows} rows; --missing mean, median or drop-rows says what to do about them",
            description.with_missing
        ));
    }
    let same = description.columns.iter().filter(|c| !c.constant);
    let same = same.filter_map(|c| Some(format!("{} is the same as {}", c.name, c.same_as.as_ref()?)));
    let listed = [
        ("constant columns", with(&|c| c.constant)),
        ("empty columns", with(&|c| c.kind == "empty")),
        ("duplicate columns", same.collect::<Vec<_>>().join(", ")),
        ("dropped columns", description.dropped.join(", ")),
    ];
    lines.extend(
        listed.into_iter().filter(|(_, list)| !list.is_empty()).map(|(what, list)| format!("{what}: {list}")),
    );
    lines
}

/// A column and its figures.
struct Facts<'a> {
    column: &'a ColumnDescription,
    /// Of its numbers.
    histogram: Option<Histogram>,
    mean: Option<f64>,
    /// `None` for more than are counted.
    distinct: Option<usize>,
    /// The rows of each value, where they are text or, in a target that may be classes, few whole numbers.
    values: Vec<(String, usize)>,
}

impl<'a> Facts<'a> {
    fn new(column: &'a ColumnDescription, task: Option<Task>) -> Self {
        let numbers = &column.numbers;
        let mut sorted = numbers.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let runs: Vec<(f32, usize)> = sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
        let sum: f64 = numbers.iter().map(|&v| f64::from(v)).sum();
        let few = runs.len() <= MAX_LISTED && numbers.iter().all(|v| v.fract() == 0.0);
        let mut values = column.values.clone();
        if few && column.role == Role::Target && task != Some(Task::Regress) {
            values.extend(runs.iter().map(|&(value, rows)| ((value + 0.0).to_string(), rows)));
        }
        Self {
            column,
            histogram: Histogram::new(numbers.iter().map(|&v| f64::from(v)), BINS),
            mean: (!numbers.is_empty()).then(|| sum / numbers.len() as f64),
            distinct: column.values_are_all.then_some(runs.len() + column.values.len()),
            values,
        }
    }

    fn json(&self) -> Value {
        let Self { column, histogram, mean, distinct, values } = self;
        let figure = |of: fn(&Histogram) -> f64| histogram.as_ref().map(of);
        let value = |(name, rows): &(String, usize)| json!({"name": name, "rows": rows});
        json!({
            "name": column.name,
            "role": column.role.name(),
            "kind": column.kind,
            "missing": column.missing,
            "distinct": distinct,
            "min": figure(|h| h.min),
            "median": figure(|h| h.median),
            "mean": mean,
            "max": figure(|h| h.max),
            "histogram": histogram.as_ref().map(|h| &h.counts),
            "values": (!values.is_empty()).then(|| values.iter().map(value).collect::<Vec<_>>()),
            "constant": column.constant,
            "same_as": column.same_as,
        })
    }

    /// Its row in the table.
    fn row(&self) -> [String; 10] {
        let Self { column, histogram, mean, .. } = self;
        let figure = |value: Option<f64>| value.map_or_else(String::new, significant);
        let drawn = match histogram {
            Some(histogram) => histogram.blocks(),
            None => frequent(&self.values),
        };
        [
            column.name.clone(),
            column.role.name().into(),
            column.kind.into(),
            column.missing.to_string(),
            self.distinct.map_or_else(|| format!("over {}", column.values.len() - 1), |n| n.to_string()),
            figure(histogram.as_ref().map(|h| h.min)),
            figure(histogram.as_ref().map(|h| h.median)),
            figure(*mean),
            figure(histogram.as_ref().map(|h| h.max)),
            drawn,
        ]
    }

    /// The class balance or the range of a target, or the number of groups.
    fn remark(&self) -> Option<String> {
        let Self { column, histogram, mean, distinct, values } = self;
        let name = &column.name;
        match column.role {
            Role::Group => {
                let rows = values.iter().map(|(_, rows)| *rows);
                let (least, most) = (rows.clone().min()?, rows.max()?);
                let groups = distinct.map_or_else(|| "over 256".into(), |n| n.to_string());
                Some(format!("group {name}: {groups} groups of {least} to {most} rows"))
            }
            Role::Target if values.is_empty() => {
                let Histogram { min, max, .. } = histogram.as_ref()?;
                let [min, max, mean] = [*min, *max, (*mean)?].map(significant);
                Some(format!("target {name}: numbers from {min} to {max}, mean {mean}"))
            }
            Role::Target => {
                let all = values.iter().map(|(_, rows)| rows).sum::<usize>().max(1) as f64;
                let share = |(value, rows): &(String, usize)| {
                    format!("{value} {rows} ({:.1}%)", 100.0 * *rows as f64 / all)
                };
                let listed: Vec<String> = values.iter().take(MAX_LISTED).map(share).collect();
                let more = values.len().saturating_sub(MAX_LISTED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                Some(format!("target {name}: {}{more}", listed.join(", ")))
            }
            Role::Feature | Role::Time => None,
        }
    }
}

/// The most frequent values of a column of text.
fn frequent(values: &[(String, usize)]) -> String {
    let mut values: Vec<_> = values.iter().collect();
    values.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let short = |name: &str| match name.char_indices().nth(16) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.into(),
    };
    let named = values.iter().take(MAX_NAMED).map(|(name, rows)| format!("{} {rows}", short(name)));
    let more = if values.len() > MAX_NAMED { ", …" } else { "" };
    format!("{}{more}", named.collect::<Vec<_>>().join(", "))
}

/// The description of the samples of a data set that has no file of text: training samples, then test samples.
fn of_arrays(dataset: &Dataset) -> Description {
    let sets = [&dataset.train, &dataset.test];
    let names = dataset.schema.iter().flat_map(|schema| &schema.features).map(|feature| feature.name.clone());
    let mut columns: Vec<ColumnDescription> = Vec::new();
    for (n, name) in names.enumerate() {
        let of_set = |features: &Features| match features {
            Features::Table(matrix) => (0..matrix.rows()).map(|row| matrix.row(row)[n]).collect(),
            Features::Images(_) => Vec::new(),
        };
        let mut column =
            numbers(name, Role::Feature, sets.iter().flat_map(|set| of_set(&set.features)).collect());
        let same = |other: &&ColumnDescription| !column.constant && other.numbers == column.numbers;
        column.same_as = columns.iter().find(same).map(|other| other.name.clone());
        columns.push(column);
    }
    match &dataset.train.targets {
        Targets::Classes(_) => {
            let rows = |class: usize| {
                let labels = sets.iter().flat_map(|set| set.labels());
                labels.filter(|&&label| usize::from(label) == class).count()
            };
            let values =
                dataset.classes.iter().enumerate().map(|(c, name)| (name.clone(), rows(c))).collect();
            columns.push(ColumnDescription {
                kind: "category",
                values,
                ..numbers("y".into(), Role::Target, Vec::new())
            });
        }
        Targets::Values(_) => {
            for (n, name) in dataset.classes.iter().enumerate() {
                let of_set = |targets: &Targets| match targets {
                    Targets::Values(matrix) => (0..matrix.rows()).map(|row| matrix.row(row)[n]).collect(),
                    _ => Vec::new(),
                };
                let values = sets.iter().flat_map(|set| of_set(&set.targets)).collect();
                columns.push(numbers(name.clone(), Role::Target, values));
            }
        }
        Targets::Unknown | Targets::Inputs(_) => {}
    }
    let rows = sets.iter().map(|set| set.len()).sum();
    Description { rows, with_missing: 0, columns, dropped: Vec::new() }
}

/// A column of numbers, none of which is missing.
fn numbers(name: String, role: Role, numbers: Vec<f32>) -> ColumnDescription {
    let constant = numbers.len() > 1 && numbers.iter().all(|v| *v == numbers[0]);
    let (kind, values, same_as) = ("number", Vec::new(), None);
    ColumnDescription {
        name,
        role,
        kind,
        numbers,
        values,
        values_are_all: true,
        missing: 0,
        constant,
        same_as,
    }
}
