//! Feature importance of a table's columns: how much worse the model does on test rows where a column is shuffled.

use std::fmt::Write;

use selvedge::Rng;

use super::context::Context;
use super::features::{Column, columns};
use super::{escape, section};
use crate::data::{Features, Matrix, Targets};
use crate::error::{Error, Result};
use crate::inference::answers::Answers;
use crate::inference::metrics::importance::{Importance, permutation_importance, sample_rows};
use crate::inference::metrics::{classes, multilabel, reconstruction, regression};

/// The number of columns that are shown.
const MAX_COLUMNS_SHOWN: usize = 30;
/// Shuffles of each column.
const SHUFFLES: usize = 5;
/// The seed of the shuffles, so that a report is the same each time.
const SEED: u64 = 1;

/// The section of a table; nothing for pictures, and where no measure is defined for the rows.
///
/// # Errors
/// `Failed` without the memory.
pub(super) fn importance(context: &Context<'_>) -> Result<String> {
    let Features::Table(matrix) = &context.test.features else { return Ok(String::new()) };
    let mut rng = Rng::new(SEED);
    let index = sample_rows(matrix.rows(), &mut rng);
    let rows = gather(matrix, &index);
    let score = |values: &[f32]| -> Result<Option<(f64, &str)>> {
        let features = Features::Table(Matrix { values: values.to_vec(), columns: matrix.columns });
        Ok(measure(&context.answers(&features)?, &context.test.targets, &index))
    };
    let Some((_, what)) = score(&rows)? else { return Ok(String::new()) };
    let columns = columns(context.model.about.schema.as_ref(), matrix);
    let groups: Vec<Vec<usize>> = columns.iter().map(|column| column.inputs.clone()).collect();
    let found = permutation_importance(&rows, matrix.columns, &groups, SHUFFLES, &mut rng, |values| {
        Ok::<_, Error>(score(values)?.map_or(0.0, |(score, _)| score))
    })?;
    let text = format!(
        "<p>{what} where the values of a column are shuffled over {} test rows, mean and standard deviation of {SHUFFLES} \
         shuffles. Of columns that say the same, each may look unimportant.</p>\n{}",
        index.len(),
        bars(&columns, &found)
    );
    Ok(section("importance", "Feature importance", &text))
}

/// How good answers are, higher is better, and what its drop is called; `None` where that is not defined for the rows.
fn measure(answers: &Answers, targets: &Targets, index: &[u32]) -> Option<(f64, &'static str)> {
    match (answers, targets) {
        (Answers::Classes(probabilities), Targets::Classes(labels)) => {
            let classes = probabilities.len() / index.len().max(1);
            let mut confusion = vec![vec![0; classes]; classes];
            for (row, &n) in probabilities.chunks_exact(classes).zip(index) {
                confusion[usize::from(labels[n as usize])][classes::top(row).0] += 1;
            }
            Some((
                100.0 * classes::balanced_accuracy(&confusion)?,
                "Drop of the balanced accuracy in percentage points",
            ))
        }
        (Answers::Values(values), Targets::Values(matrix)) => {
            let errors = regression::errors(values, &gather(matrix, index), &vec![0.0; matrix.columns])?;
            Some((errors.r2()?, "Drop of R²"))
        }
        (Answers::Labels(probabilities), Targets::Values(matrix)) => {
            let outputs: Vec<f32> = probabilities.iter().map(|&p| p as f32).collect();
            let counts = multilabel::counts(&outputs, &gather(matrix, index), matrix.columns, 0.5)?;
            Some((100.0 * counts.macro_f1(), "Drop of the macro F1 in percentage points"))
        }
        (Answers::Scores(scores), targets) => {
            let area = match targets {
                Targets::Inputs(Some(known)) => {
                    let known: Vec<bool> = index.iter().map(|&n| known[n as usize] == 1).collect();
                    reconstruction::auc(scores, &known)
                }
                _ => None,
            };
            let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
            Some(area.map_or((-mean, "Rise of the mean anomaly score"), |area| (area, "Drop of the ROC AUC")))
        }
        _ => None,
    }
}

/// The rows at `index`.
fn gather(matrix: &Matrix, index: &[u32]) -> Vec<f32> {
    index.iter().flat_map(|&n| matrix.row(n as usize)).copied().collect()
}

/// A bar for each column, the most important first.
fn bars(columns: &[Column], found: &[Importance]) -> String {
    let mut sorted: Vec<(&Column, &Importance)> = columns.iter().zip(found).collect();
    sorted.sort_by(|a, b| b.1.drop.total_cmp(&a.1.drop));
    let largest = sorted.first().map_or(0.0, |(_, first)| first.drop).max(f64::MIN_POSITIVE);
    // Three digits of the largest, so that what is nothing beside it reads as 0.
    let decimals = (2.0 - largest.log10().floor()).clamp(0.0, 8.0) as usize;
    let fixed = |x: f64| {
        let text = format!("{x:.decimals$}");
        if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".into() } else { text }
    };
    let mut text = String::from("<table class=\"bars\"><tbody>\n");
    for (column, Importance { drop, deviation }) in sorted.iter().take(MAX_COLUMNS_SHOWN) {
        let _ = writeln!(
            text,
            "<tr><th>{}</th><td class=\"bar\"><div style=\"width:{:.1}%\"></div></td><td>{} ± {}</td></tr>",
            escape(&column.name),
            100.0 * (drop / largest).max(0.0),
            fixed(*drop),
            fixed(*deviation)
        );
    }
    text += "</tbody></table>\n";
    let less = sorted.len().saturating_sub(MAX_COLUMNS_SHOWN);
    if less > 0 {
        let _ = writeln!(text, "<p>{less} columns of less importance are not shown.</p>");
    }
    text
}
