//! Numbers: the errors of each target, predicted against true values, and residuals.

use selvedge::Rng;

use super::context::{Context, Fact, Results};
use super::examples::{Example, MAX_EXAMPLES_SHOWN, examples};
use super::svg::{Chart, counts};
use super::{number, section, table};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::inference::metrics::importance::sample_rows;
use crate::inference::metrics::regression::{Errors, TargetErrors, errors};

/// The number of targets that have charts; the table has all.
const MAX_TARGETS_SHOWN: usize = 8;
/// Bins of the residuals.
const BINS: usize = 40;

/// What the `values (samples, targets)` say where `truth` is right, both in the targets' units.
///
/// # Errors
/// `Data` without samples, `Failed` where a picture cannot be encoded.
pub(super) fn results(context: &Context<'_>, values: &[f32], truth: &Matrix) -> Result<Results> {
    let targets = truth.columns;
    let scale = context.model.about.target_scale.as_ref();
    let means = scale.map_or(vec![0.0; targets], |s| s.means().iter().map(|&mean| mean.into()).collect());
    let errors =
        errors(values, &truth.values, &means).ok_or_else(|| Error::data("there are no test rows"))?;
    let r2 = errors.r2().map_or("–".into(), |r2| format!("{r2:.4}"));
    let over = if targets > 1 { format!(", mean of {targets} targets") } else { String::new() };
    let facts = vec![
        Fact::new(
            format!("Test RMSE{over}"),
            number(errors.rmse()),
            format!("always the mean: {}", number(errors.baseline_rmse())),
        ),
        Fact::new(format!("R²{over}"), r2, "always the mean: 0"),
    ];
    let index = sample_rows(truth.rows(), &mut Rng::new(1));
    let (mut scatters, mut residuals) = (String::new(), String::new());
    for (target, name) in context.names.iter().enumerate().take(MAX_TARGETS_SHOWN) {
        let pair =
            |n: usize| [truth.values[n * targets + target], values[n * targets + target]].map(f64::from);
        let points: Vec<_> = index.iter().map(|&n| pair(n as usize).into()).collect();
        let of = if points.len() < truth.rows() { format!(" of {}", truth.rows()) } else { String::new() };
        let title = format!(
            "{name} of {}{of} test {}s; a perfect prediction lies on the dashed line",
            points.len(),
            context.singular()
        );
        scatters += &Chart::scatter(&title, &points).finish(&format!("true {name}"));
        let differences: Vec<f64> = (0..truth.rows()).map(|n| pair(n)[1] - pair(n)[0]).collect();
        residuals += &histogram(name, &differences);
    }
    let more = context.names.len().saturating_sub(MAX_TARGETS_SHOWN);
    let more =
        if more > 0 { format!("<p>{more} more targets are in the table only.</p>\n") } else { String::new() };
    let plots = |plots: &str| format!("<div class=\"plots\">{plots}</div>\n{more}");
    let sections = [
        section("errors", "Errors", &of_targets(context, &errors)),
        section("predicted", "Predicted against true", &plots(&scatters)),
        section("residuals", "Residuals", &plots(&residuals)),
        section("mistakes", "Largest errors", &largest(context, values, truth, &errors)?),
    ];
    Ok(Results { facts, sections: sections.concat() })
}

fn of_targets(context: &Context<'_>, errors: &Errors) -> String {
    let header = ["target", "RMSE", "MAE", "R²", "RMSE of the mean", "MAE of the mean"].map(String::from);
    let row = |(name, e): (&String, &TargetErrors)| {
        let r2 = e.r2.map_or("–".into(), |r2| format!("{r2:.4}"));
        let [rmse, mae, mean_rmse, mean_mae] = [e.rmse, e.mae, e.baseline_rmse, e.baseline_mae].map(number);
        vec![name.clone(), rmse, mae, r2, mean_rmse, mean_mae]
    };
    let note = "<p>In the units of each target. “Of the mean” is the error of always answering the mean of the training \
                data.</p>\n";
    table(&header, context.names.iter().zip(&errors.targets).map(row)) + note
}

fn histogram(name: &str, differences: &[f64]) -> String {
    let (low, high) = differences.iter().fold((0_f64, 0_f64), |(l, h), &d| (l.min(d), h.max(d)));
    let title = format!("Residuals of {name}: predicted minus true");
    let (low, high) = if low < high { (low, high) } else { (-0.5, 0.5) };
    let counts = counts(differences.iter().copied(), low, high, BINS);
    Chart::histogram(&title, low, high, &counts).mark(0.0, "").finish("predicted − true")
}

/// The samples whose error is largest, of several targets relative to the RMSE of each.
fn largest(context: &Context<'_>, values: &[f32], truth: &Matrix, errors: &Errors) -> Result<String> {
    let pairs = |n: usize| {
        let row = values[n * truth.columns..].iter().zip(truth.row(n));
        row.map(|(&value, &truth)| (f64::from(truth), f64::from(value)))
    };
    let worst = |n: usize| {
        let relative = |((truth, value), e): ((f64, f64), &TargetErrors)| {
            (value - truth).abs() / e.rmse.max(f64::MIN_POSITIVE)
        };
        let each = pairs(n).zip(&errors.targets).map(relative).enumerate();
        each.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
    };
    let mut samples: Vec<(usize, (usize, f64))> = (0..truth.rows()).map(|n| (n, worst(n))).collect();
    samples.sort_by(|a, b| b.1.1.total_cmp(&a.1.1).then(a.0.cmp(&b.0)));
    // A target that is alone is not named in every row.
    let alone = usize::from(truth.columns == 1);
    let example = |&(n, (target, _)): &(usize, (usize, f64))| {
        let (truth, value) = pairs(n).nth(target).unwrap_or_default();
        let name = context.names[target].clone();
        let [truth, predicted, residual] = [truth, value, value - truth].map(number);
        Example {
            sample: n,
            caption: format!("{name}: {truth} → {predicted}"),
            cells: [vec![name], vec![truth, predicted, residual]].concat().split_off(alone),
        }
    };
    let shown: Vec<_> = samples.iter().take(MAX_EXAMPLES_SHOWN / 2).map(example).collect();
    examples(context, &["target", "true", "predicted", "residual"][alone..], &shown)
}
