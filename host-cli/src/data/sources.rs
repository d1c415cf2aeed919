//! Data sets from tables, NumPy arrays and folders of pictures.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::arrays::{self, Array, Arrays, Labels, Values};
use super::assemble::{self, dataset, divide};
use super::options::{refuse_folds, refuse_picture_options, refuse_table_options};
use super::pictures::{self, PictureFolder, Pictures};
use super::samples::{Features, Images, Matrix, Samples, Targets};
use super::split::Parts;
use super::table::windows::{segments, split_segments, windows};
use super::table::{self, Numbers, Schema, Table, Target};
use super::{Dataset, Reading, Task};
use crate::error::{Error, Result};

/// A data set from a table; the test rows are those of `reading.test`, or split off.
///
/// # Errors
/// `Data` where the table cannot be used as it is, `Usage` where an option does not go with it.
pub(super) fn from_table(path: &Path, reading: &Reading) -> Result<Dataset> {
    let mut table = table::read(path, &reading.table)?;
    let mut notes = std::mem::take(&mut table.notes);
    let task = assemble::task(&table.target, reading.task, &mut notes)?;
    if task == Task::Classify || task == Task::Reconstruct && !matches!(table.target, Target::None) {
        table.classify()?;
    }
    if task == Task::Reconstruct {
        table.schema.anomaly = assemble::anomaly(&table.target, &mut notes)?;
    }
    refuse_picture_options(path, reading)?;
    let has_test = reading.test.is_some() && reading.fold.is_none();
    let (train, split_off, schema) = if table.schema.window.is_some() {
        from_windows(table, task, reading, has_test)?
    } else {
        from_rows(table, task, reading, has_test)?
    };
    let names = output_names(task, &schema);
    let test = match reading.test.as_deref().filter(|_| has_test) {
        Some(path) => {
            let rows = read_as(path, &schema, task, task != Task::Reconstruct)?;
            notes.extend(rows.notes);
            rows.samples
        }
        None => split_off,
    };
    Ok(Dataset { split_off: !has_test, ..dataset((train, test), task, names, Some(schema), notes) })
}

/// The names of the outputs.
fn output_names(task: Task, schema: &Schema) -> Vec<String> {
    match task {
        Task::Classify => schema.classes.clone(),
        Task::Regress | Task::Multilabel => schema.targets.clone(),
        Task::Reconstruct => Vec::new(),
    }
}

fn from_rows(
    mut table: Table,
    task: Task,
    reading: &Reading,
    has_test: bool,
) -> Result<(Samples, Samples, Schema)> {
    let target = std::mem::replace(&mut table.target, Target::None);
    let Schema { targets: names, anomaly, .. } = &table.schema;
    let (targets, names) = assemble::targets(task, target, names, anomaly.as_deref())?;
    let parts = assemble::parts(&targets, &names, table.groups.as_deref(), reading, has_test, table.rows)?;
    table.fill_missing(&parts.train)?;
    let features = Features::Table(Matrix { columns: table.schema.columns(), values: table.features });
    let (train, test) = divide(features, targets, &parts);
    Ok((train, test, table.schema))
}

/// Samples of windows: the rows are split first, so that no window reaches into another part.
fn from_windows(
    mut table: Table,
    task: Task,
    reading: &Reading,
    has_test: bool,
) -> Result<(Samples, Samples, Schema)> {
    let Some(window) = table.schema.window else { return from_rows(table, task, reading, has_test) };
    let plan = assemble::plan(reading, has_test);
    let (runs, faults) = normal_and_faulty(&table, segments(&table));
    let mut parts = split_segments(&table, &runs, window, &plan, &mut assemble::generator(reading))?;
    parts.test.extend(faults);
    let rows: Vec<u32> = parts.train.iter().flat_map(Clone::clone).collect();
    table.fill_missing(&rows)?;
    let cut = |runs: &[Range<u32>]| -> Result<(Vec<f32>, Targets)> {
        if runs.is_empty() {
            let columns = table.schema.targets.len().max(1);
            let none = match task {
                Task::Classify => Targets::Classes(Vec::new()),
                Task::Regress | Task::Multilabel => Targets::Values(Matrix { values: Vec::new(), columns }),
                Task::Reconstruct => Targets::Inputs(None),
            };
            return Ok((Vec::new(), none));
        }
        let cut = windows(&table, runs, window)?;
        let Schema { targets: names, anomaly, .. } = &table.schema;
        Ok((cut.features, assemble::targets(task, cut.target, names, anomaly.as_deref())?.0))
    };
    let columns = table.schema.inputs();
    let ((mut values, targets), (val_values, val_targets)) = (cut(&parts.train)?, cut(&parts.val)?);
    let first = (values.len() / columns) as u32;
    values.extend(val_values);
    let train = Samples {
        validation: Some((first..(values.len() / columns) as u32).collect()),
        features: Features::Table(Matrix { values, columns }),
        targets: targets.followed_by(val_targets),
    };
    let (values, targets) = cut(&parts.test)?;
    let features = Features::Table(Matrix { values, columns });
    Ok((train, Samples { features, targets, validation: None }, table.schema))
}

/// Runs of rows, and those that are anomalies, which are tested on only. A run of both is cut where they meet.
fn normal_and_faulty(table: &Table, runs: Vec<Range<u32>>) -> (Vec<Range<u32>>, Vec<Range<u32>>) {
    let (Some(anomaly), Target::Text { names, codes }) = (&table.schema.anomaly, &table.target) else {
        return (runs, Vec::new());
    };
    let is_faulty = |row: u32| names[codes[row as usize] as usize] == *anomaly;
    let mut pure = Vec::new();
    for run in runs {
        let mut start = run.start;
        for row in run.start + 1..run.end {
            if is_faulty(row) != is_faulty(row - 1) {
                pure.push(start..row);
                start = row;
            }
        }
        pure.push(start..run.end);
    }
    pure.into_iter().partition(|run| !is_faulty(run.start))
}

/// The samples of a table for a model.
#[derive(Debug)]
pub struct Rows {
    /// The samples.
    pub samples: Samples,
    /// The last row of each sample's window; `None` where each row is a sample.
    pub last_rows: Option<Vec<u32>>,
    /// What was assumed.
    pub notes: Vec<String>,
}

/// The samples of a table for a model with `schema`. Columns are matched by name; the target may be
/// missing unless it is needed.
///
/// # Errors
/// `Data` where a column is missing or a value is not what the schema says.
pub fn read_as(path: &Path, schema: &Schema, task: Task, needs_target: bool) -> Result<Rows> {
    let mut table = table::read_as(path, schema, needs_target)?;
    let notes = std::mem::take(&mut table.notes);
    // Answers must not depend on what is to be answered.
    if !needs_target {
        table.target = Target::None;
    }
    let (values, columns, target, last_rows) = match schema.window {
        Some(window) => {
            let cut = windows(&table, &segments(&table), window)?;
            (cut.features, schema.inputs(), cut.target, Some(cut.rows))
        }
        None => (table.features, schema.columns(), table.target, None),
    };
    let targets = match target {
        Target::None if task == Task::Reconstruct => Targets::Inputs(None),
        Target::None => Targets::Unknown,
        target => assemble::targets(task, target, &schema.targets, schema.anomaly.as_deref())?.0,
    };
    let features = Features::Table(Matrix { values, columns });
    Ok(Rows { samples: Samples { features, targets, validation: None }, last_rows, notes })
}

/// A data set from a file of NumPy arrays.
///
/// # Errors
/// `Data` where the arrays cannot be used as they are.
pub(super) fn from_arrays(path: &Path, reading: &Reading) -> Result<Dataset> {
    refuse_table_options(path, reading)?;
    let Arrays { x, y, x_test, y_test, mut notes } = arrays::read(path)?;
    refuse_folds(path, reading, x_test.is_some())?;
    let (features, mut schema) = array_features(x, &mut notes)?;
    let target = y.map_or(Ok(Target::None), |y| array_target(y, &mut notes))?;
    let task = assemble::task(&target, reading.task, &mut notes)?;
    let target = classes(target, task, schema.as_mut())?;
    let anomaly = match task {
        Task::Reconstruct => assemble::anomaly(&target, &mut notes)?,
        _ => None,
    };
    let known = match &target {
        Target::Text { names, .. } => names.clone(),
        _ => Vec::new(),
    };
    let target_names = target_names(&target);
    let (targets, names) = assemble::targets(task, target, &target_names, anomaly.as_deref())?;
    let rows = features.len();
    let parts = assemble::parts(&targets, &names, None, reading, x_test.is_some(), rows)?;
    let (train, split_off) = divide(features, targets, &parts);
    let split_off_here = x_test.is_none();
    let test = match x_test {
        Some(x) => {
            let (features, _) = array_features(x, &mut notes)?;
            let target = y_test.map_or(Ok(Target::None), |y| array_target(y, &mut notes))?;
            let target = known_classes(target, task, &known)?;
            let (targets, _) = assemble::targets(task, target, &target_names, anomaly.as_deref())?;
            Samples { features, targets, validation: None }
        }
        None => split_off,
    };
    check_same_width(&train, &test)?;
    Ok(Dataset { split_off: split_off_here, ..dataset((train, test), task, names, schema, notes) })
}

fn array_features(x: Array, notes: &mut Vec<String>) -> Result<(Features, Option<Schema>)> {
    // Numbers that cannot be brightnesses are series of several sensors.
    let series = matches!(&x.values, Values::F32(v) if v.iter().any(|v| !(0.0..=255.0).contains(v)));
    if x.shape.len() > 2 && !series {
        let (images, note) = arrays::images(x)?;
        notes.extend(note);
        return Ok((Features::Images(images), None));
    }
    let name = x.name.clone();
    if x.shape.len() > 2 {
        let width: usize = x.shape.iter().skip(1).product();
        notes.push(format!(
            "{name}: each sample of shape {:?} is taken as a row of {width} numbers",
            &x.shape[1..]
        ));
    }
    let (_, columns, values) = arrays::rows(x)?;
    if let Some(at) = values.iter().position(|v| v.is_nan()) {
        return Err(Error::data(format!(
            "{name}: row {} has no number in column {}; arrays cannot be filled here: fill them, or save them as CSV and add \
             --missing mean",
            at / columns,
            at % columns
        )));
    }
    let schema = Schema::of_columns((0..columns).map(|column| format!("x{column}")));
    Ok((Features::Table(Matrix { values, columns }), Some(schema)))
}

fn array_target(y: Array, notes: &mut Vec<String>) -> Result<Target> {
    let (labels, note) = arrays::labels(y)?;
    notes.extend(note);
    Ok(match labels {
        Labels::Integers(values) => {
            Target::Numbers(Numbers::new(values.into_iter().map(|v| v as f32).collect(), 1))
        }
        Labels::Numbers { columns, values } => Target::Numbers(Numbers::new(values, columns)),
        Labels::Text(texts) => {
            let names: Vec<String> = texts.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
            let code = |text: &String| names.partition_point(|name| name < text) as u32;
            Target::Text { codes: texts.iter().map(code).collect(), names }
        }
    })
}

/// Makes classes of a target of integers where the task needs them.
fn classes(mut target: Target, task: Task, schema: Option<&mut Schema>) -> Result<Target> {
    if task == Task::Classify || task == Task::Reconstruct && !matches!(target, Target::None) {
        let mut own = Schema { targets: vec!["y".into()], ..Schema::default() };
        target.classify(&mut own)?;
        if let (Some(schema), Target::Text { names, .. }) = (schema, &target) {
            (schema.targets, schema.classes) = (own.targets, names.clone());
        }
    }
    Ok(target)
}

/// The target of test samples, with the classes of the training samples.
fn known_classes(target: Target, task: Task, names: &[String]) -> Result<Target> {
    let target = classes(target, task, None)?;
    let Target::Text { names: found, codes } = target else { return Ok(target) };
    let code = |name: &String| {
        let code = names.iter().position(|known| known == name);
        code.map(|code| code as u32).ok_or_else(|| {
            Error::data(format!("the test samples have the class {name}, which no training sample has"))
        })
    };
    let known: Vec<u32> = found.iter().map(code).collect::<Result<_>>()?;
    let codes = codes.into_iter().map(|code| known[code as usize]).collect();
    Ok(Target::Text { names: names.to_vec(), codes })
}

fn target_names(target: &Target) -> Vec<String> {
    match target {
        Target::Numbers(Numbers { targets, .. }) if *targets > 1 => {
            (0..*targets).map(|target| format!("y{target}")).collect()
        }
        _ => vec!["y".into()],
    }
}

fn check_same_width(train: &Samples, test: &Samples) -> Result<()> {
    let (a, b) = (train.features.width(), test.features.width());
    if std::mem::discriminant(&train.features) != std::mem::discriminant(&test.features) {
        return Err(Error::data(
            "the values of the training samples are read as numbers and those of the test samples as brightnesses, or the other \
             way round; give both the same range, or save each sample as one row",
        ));
    }
    if a == b || test.is_empty() {
        return Ok(());
    }
    Err(Error::data(format!("a training sample has {a} values, a test sample {b}")))
}

/// A data set from a folder of pictures, a folder per class; `progress` is called with the pictures read and of all.
///
/// # Errors
/// `Data` where a picture cannot be read or the pictures differ in size.
pub(super) fn from_pictures(
    folder: &Path,
    reading: &Reading,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Dataset> {
    refuse_table_options(folder, reading)?;
    if let Some(task) = reading.task.filter(|task| !matches!(task, Task::Classify | Task::Reconstruct)) {
        return Err(Error::usage(format!(
            "--task {}: the pictures of a folder have classes; leave --task out",
            task.name()
        )));
    }
    let task = reading.task.unwrap_or_default();
    let PictureFolder { mut train, val, test, classes, notes } =
        pictures::read(folder, &reading.pictures, progress)?;
    refuse_folds(folder, reading, test.is_some() || val.is_some())?;
    if val.is_some() && test.is_none() {
        return Err(Error::data(format!(
            "{} has pictures to validate on, but none to test on; add a folder `test`, or put all of them into `train`",
            folder.display()
        )));
    }
    let targets_of = |labels: Vec<u8>| match task {
        Task::Reconstruct => Targets::Inputs(None),
        _ => Targets::Classes(labels),
    };
    let samples = |pictures: Pictures| Samples {
        features: Features::Images(pictures.images),
        targets: targets_of(pictures.labels),
        validation: None,
    };
    let given = val.map(|val| {
        let first = train.images.count as u32;
        append(&mut train, val);
        (first..train.images.count as u32).collect::<Vec<_>>()
    });
    let rows = train.images.count;
    let targets = targets_of(std::mem::take(&mut train.labels));
    let features = Features::Images(train.images);
    let parts = match given {
        Some(val) if test.is_some() => {
            Parts { train: (0..rows as u32 - val.len() as u32).collect(), val, test: Vec::new() }
        }
        _ => assemble::parts(&targets, &classes, None, reading, test.is_some(), rows)?,
    };
    let (train, split_off) = divide(features, targets, &parts);
    let split_off_here = test.is_none();
    let test = test.map_or(split_off, samples);
    let names = if task == Task::Reconstruct { Vec::new() } else { classes };
    Ok(Dataset { split_off: split_off_here, ..dataset((train, test), task, names, None, notes) })
}

fn append(to: &mut Pictures, from: Pictures) {
    let Images { pixels, count, .. } = from.images;
    to.images.pixels.extend(pixels);
    to.images.count += count;
    to.labels.extend(from.labels);
}
