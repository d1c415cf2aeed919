//! From samples as they were read to a data set: what their target asks for, and which of them train, validate and test.

use selvedge::Rng;

use super::samples::{Features, Images, Matrix, Samples, Targets};
use super::split::{Classes, Parts, SplitPlan, TestPart, split};
use super::table::{Numbers, Schema, Target};
use super::{Dataset, Reading, Task};
use crate::error::{Error, Result};

/// A target of so many distinct whole numbers or fewer is taken as classes, unless the task is named.
const MAX_ASSUMED_CLASSES: usize = 20;
/// The task of a target: the one that was named, or the one that its values suggest, which is noted.
///
/// # Errors
/// `Usage` where there is no target and the task needs one.
pub(super) fn task(target: &Target, named: Option<Task>, notes: &mut Vec<String>) -> Result<Task> {
    if let Some(task) = named {
        return match (task, target) {
            (Task::Reconstruct, _) => Ok(task),
            (_, Target::None) => Err(Error::usage(format!(
                "--task {}: the samples have no target; name its column with --target, or use --task reconstruct",
                task.name()
            ))),
            _ => Ok(task),
        };
    }
    let (task, note) = match target {
        Target::None => {
            return Err(Error::usage(
                "the samples have no target; name its column with --target, or use --task reconstruct",
            ));
        }
        Target::Text { names, .. } => {
            return if names.len() > 1 {
                Ok(Task::Classify)
            } else {
                Err(Error::data(format!(
                    "every sample is {:?}, and a classifier needs two classes or more; name another --target",
                    names.first().map_or("", String::as_str)
                )))
            };
        }
        Target::Numbers(Numbers { targets: 1, integers: true, distinct, .. })
            if *distinct <= MAX_ASSUMED_CLASSES =>
        {
            let note = format!(
                "the target has {distinct} distinct whole numbers, which are taken as classes; --task regress predicts the \
                 number"
            );
            (Task::Classify, note)
        }
        Target::Numbers(Numbers { targets: 1, .. }) => (
            Task::Regress,
            "the target is a number, which is predicted; --task classify makes classes of it".into(),
        ),
        Target::Numbers(Numbers { targets, binary: true, .. }) => {
            let note = format!(
                "the {targets} targets are 0 or 1 and are taken as labels of which several may apply; --task regress predicts \
                 numbers"
            );
            (Task::Multilabel, note)
        }
        Target::Numbers(Numbers { targets, .. }) => {
            (Task::Regress, format!("the {targets} targets are numbers, which are predicted"))
        }
    };
    notes.push(note);
    Ok(task)
}

/// What a network should answer, and the names of its outputs. `anomaly` is the value of a reconstruction's target that means
/// one.
///
/// # Errors
/// `Data` where the values of the target are none for the task.
pub(super) fn targets(
    task: Task,
    target: Target,
    names: &[String],
    anomaly: Option<&str>,
) -> Result<(Targets, Vec<String>)> {
    match (task, target) {
        (Task::Classify, Target::Text { names, codes }) => {
            let labels = codes.into_iter().map(|code| u8::try_from(code).map_err(|_| too_many(names.len())));
            Ok((Targets::Classes(labels.collect::<Result<_>>()?), names))
        }
        (Task::Regress, Target::Numbers(Numbers { values, targets, .. })) => {
            Ok((Targets::Values(Matrix { values, columns: targets }), names.to_vec()))
        }
        (Task::Multilabel, Target::Numbers(Numbers { values, targets, binary: true, .. })) => {
            Ok((Targets::Values(Matrix { values, columns: targets }), names.to_vec()))
        }
        (Task::Multilabel, Target::Numbers(Numbers { values, targets, .. })) => {
            let at = values.iter().position(|v| ![0.0, 1.0].contains(v)).unwrap_or(0);
            Err(Error::data(format!(
                "--task multilabel: the target {:?} has the value {}, where a label is 0 or 1; --task regress predicts numbers",
                names.get(at % targets).map_or("", String::as_str),
                values[at]
            )))
        }
        (Task::Reconstruct, Target::None) => Ok((Targets::Inputs(None), Vec::new())),
        (Task::Reconstruct, Target::Text { names, codes }) => {
            let is_anomaly = |&code: &u32| u8::from(anomaly == Some(&names[code as usize][..]));
            Ok((Targets::Inputs(Some(codes.iter().map(is_anomaly).collect())), Vec::new()))
        }
        (Task::Regress | Task::Multilabel, Target::Text { names: values, .. }) => Err(Error::data(format!(
            "--task {}: the target {:?} is text, such as {:?}; leave --task out to tell its values apart",
            task.name(),
            names.first().map_or("", String::as_str),
            values.first().map_or("", String::as_str)
        ))),
        (task, _) => Err(Error::data(format!("--task {}: the target has other values", task.name()))),
    }
}

fn too_many(classes: usize) -> Error {
    Error::data(format!(
        "the target has {classes} classes, and a classifier has at most 256; name another --target, or use --task regress"
    ))
}

/// The value of a reconstruction's target that means an anomaly: the rarer of two, which is noted; `None` without a target.
///
/// # Errors
/// `Data` for more or fewer than two values.
pub(super) fn anomaly(target: &Target, notes: &mut Vec<String>) -> Result<Option<String>> {
    let Target::Text { names, codes } = target else { return Ok(None) };
    let [first, second] = &names[..] else {
        return Err(Error::data(format!(
            "--task reconstruct: the target has {} values, where it tells anomalies from normal samples by two; leave \
             --target out to train without it",
            names.len()
        )));
    };
    let seconds = codes.iter().filter(|&&code| code == 1).count();
    let anomaly = if 2 * seconds <= codes.len() { second } else { first };
    notes.push(format!(
        "samples that are {anomaly:?}, the rarer value of the target, are taken as anomalies: they are tested on, and the \
         network learns the others"
    ));
    Ok(Some(anomaly.clone()))
}

/// How samples are divided that bring no test samples of their own.
pub(super) fn plan(reading: &Reading, has_test: bool) -> SplitPlan {
    let test = match reading.fold {
        Some((index, of)) => TestPart::Fold { index, of },
        None if has_test => TestPart::None,
        None => SplitPlan::DEFAULT.test,
    };
    SplitPlan { test, ..SplitPlan::DEFAULT }
}

/// The generator of a split.
pub(super) fn generator(reading: &Reading) -> Rng {
    Rng::new(reading.seed ^ 0x7465_7374_2073_706c)
}

/// Decides which samples train, validate and test: at random by the seed, each class in each part, and groups whole. Anomalies
/// are tested only.
///
/// # Errors
/// `Data` where there are too few samples.
pub(super) fn parts(
    targets: &Targets,
    names: &[String],
    groups: Option<&[u32]>,
    reading: &Reading,
    has_test: bool,
    rows: usize,
) -> Result<Parts> {
    let plan = plan(reading, has_test);
    let mut rng = generator(reading);
    match targets {
        Targets::Classes(labels) => {
            let codes: Vec<u32> = labels.iter().copied().map(u32::from).collect();
            split(rows, Some(Classes { codes: &codes, names }), groups, &plan, &mut rng)
        }
        Targets::Inputs(Some(anomalies)) => {
            let normal: Vec<u32> = (0..rows as u32).filter(|&n| anomalies[n as usize] == 0).collect();
            let groups = groups.map(|groups| normal.iter().map(|&n| groups[n as usize]).collect::<Vec<_>>());
            let parts = split(normal.len(), None, groups.as_deref(), &plan, &mut rng)?;
            let rows_of = |part: Vec<u32>| part.into_iter().map(|n| normal[n as usize]).collect::<Vec<_>>();
            let mut test = rows_of(parts.test);
            test.extend((0..rows as u32).filter(|&n| anomalies[n as usize] == 1));
            test.sort_unstable();
            Ok(Parts { train: rows_of(parts.train), val: rows_of(parts.val), test })
        }
        _ => split(rows, None, groups, &plan, &mut rng),
    }
}

/// The training samples of `parts`, with those that validate, and the test samples.
pub(super) fn divide(features: Features, targets: Targets, parts: &Parts) -> (Samples, Samples) {
    let is_test = flags(features.len(), &parts.test);
    let (features, test_features) = match features {
        Features::Table(mut matrix) => {
            let (values, columns) = (&mut matrix.values, matrix.columns);
            let test = separate(values, columns, &is_test);
            (Features::Table(matrix), Features::Table(Matrix { values: test, columns }))
        }
        Features::Images(mut images) => {
            let pixels_per_image = images.pixels_per_image();
            let test = separate(&mut images.pixels, pixels_per_image, &is_test);
            let Images { rows, cols, channels, .. } = images;
            let test = Images { pixels: test, count: parts.test.len(), rows, cols, channels };
            images.count -= parts.test.len();
            (Features::Images(images), Features::Images(test))
        }
    };
    let (targets, test_targets) = match targets {
        Targets::Unknown => (Targets::Unknown, Targets::Unknown),
        Targets::Classes(mut labels) => {
            let test = separate(&mut labels, 1, &is_test);
            (Targets::Classes(labels), Targets::Classes(test))
        }
        Targets::Values(mut matrix) => {
            let columns = matrix.columns;
            let test = separate(&mut matrix.values, columns, &is_test);
            (Targets::Values(matrix), Targets::Values(Matrix { values: test, columns }))
        }
        Targets::Inputs(None) => (Targets::Inputs(None), Targets::Inputs(None)),
        Targets::Inputs(Some(mut anomalies)) => {
            let test = separate(&mut anomalies, 1, &is_test);
            (Targets::Inputs(Some(anomalies)), Targets::Inputs(Some(test)))
        }
    };
    let is_val = flags(is_test.len(), &parts.val);
    let kept = is_test.iter().zip(&is_val).filter(|(test, _)| !**test).map(|(_, val)| *val);
    let validation = (0u32..).zip(kept).filter(|(_, val)| *val).map(|(n, _)| n).collect();
    let train = Samples { features, targets, validation: Some(validation) };
    (train, Samples { features: test_features, targets: test_targets, validation: None })
}

fn flags(rows: usize, chosen: &[u32]) -> Vec<bool> {
    let mut flags = vec![false; rows];
    chosen.iter().for_each(|&n| flags[n as usize] = true);
    flags
}

/// Takes the rows that are flagged out of `values`, of `columns` each, and returns them. The others move up, so that no second
/// matrix is in memory.
fn separate<T: Copy>(values: &mut Vec<T>, columns: usize, out: &[bool]) -> Vec<T> {
    let mut taken = Vec::with_capacity(columns * out.iter().filter(|out| **out).count());
    let mut kept = 0;
    for (row, &out) in out.iter().enumerate() {
        let range = row * columns..(row + 1) * columns;
        if out {
            taken.extend_from_slice(&values[range]);
        } else {
            values.copy_within(range, kept * columns);
            kept += 1;
        }
    }
    values.truncate(kept * columns);
    values.shrink_to_fit();
    taken
}

/// A data set of divided samples.
pub(super) fn dataset(
    (train, test): (Samples, Samples),
    task: Task,
    names: Vec<String>,
    schema: Option<Schema>,
    warnings: Vec<String>,
) -> Dataset {
    Dataset {
        name: String::new(),
        split_off: false,
        train,
        test,
        task,
        classes: names,
        counted: false,
        first_label: 0,
        schema,
        warnings,
    }
}

#[cfg(test)]
mod tests {
    use super::{divide, separate};
    use crate::data::samples::{Features, Matrix, Targets};
    use crate::data::split::Parts;

    #[test]
    fn rows_are_taken_out_in_place() {
        let mut values = vec![0, 1, 10, 11, 20, 21, 30, 31];
        assert_eq!(separate(&mut values, 2, &[false, true, false, true]), [10, 11, 30, 31]);
        assert_eq!(values, [0, 1, 20, 21]);
    }

    #[test]
    fn validation_rows_are_counted_without_the_test_rows() {
        let features = Features::Table(Matrix { values: (0..6u8).map(f32::from).collect(), columns: 1 });
        let parts = Parts { train: vec![0, 3, 5], val: vec![2, 4], test: vec![1] };
        let (train, test) = divide(features, Targets::Classes(vec![0, 1, 2, 3, 4, 5]), &parts);
        assert_eq!((train.labels(), test.labels()), (&[0, 2, 3, 4, 5][..], &[1][..]));
        assert_eq!(train.validation, Some(vec![1, 3]));
        assert_eq!(test.features, Features::Table(Matrix { values: vec![1.0], columns: 1 }));
    }
}
