//! Reconstructions: the anomaly scores, the threshold, and what it finds.

use selvedge::{Backend, Rng};

use super::context::{Context, Fact, Results};
use super::svg::{Chart, counts};
use super::{number, percent, section, table};
use crate::data::Targets;
use crate::inference::metrics::importance::sample_rows;
use crate::inference::metrics::reconstruction::{Detection, auc, count_above};

/// Bins of the histogram.
const BINS: usize = 60;
/// Scores whose largest is more than this many times the middle one are drawn on a logarithmic axis.
const MAX_LINEAR: f64 = 20.0;

/// What the anomaly scores say of the test samples.
pub(super) fn results(context: &Context<'_>, scores: &[f64]) -> Results {
    let known: Option<Vec<bool>> = match &context.test.targets {
        Targets::Inputs(Some(known)) => Some(known.iter().map(|&anomaly| anomaly == 1).collect()),
        _ => None,
    };
    let threshold = context.model.about.threshold.map(f64::from);
    let of = |anomalies: bool| -> Vec<f64> {
        let truth = |n: usize| known.as_ref().is_some_and(|known| known[n]);
        scores.iter().enumerate().filter(|(n, _)| truth(*n) == anomalies).map(|(_, &score)| score).collect()
    };
    let (normal, anomalies) = (of(false), of(true));
    let parts: Vec<(&str, &[f64])> = match &known {
        Some(_) => vec![("normal", &normal), ("anomalous", &anomalies)],
        None => vec![("all", &normal)],
    };
    let area = known.as_ref().and_then(|known| auc(scores, known));
    let mut facts = vec![Fact::new(
        if known.is_some() { "Mean anomaly score of normal data" } else { "Mean anomaly score" },
        mean(&normal).map_or("–".into(), number),
        score_of_the_mean(context, known.as_deref())
            .map_or(String::new(), |mean| format!("always the mean: {}", number(mean))),
    )];
    facts.extend(area.map(|area| Fact::new("ROC AUC", format!("{area:.4}"), "chance: 0.5")));
    if let Some(threshold) = threshold {
        let detection = known.as_ref().map(|known| Detection::count(scores, known, threshold));
        facts.push(match detection {
            Some(found) => Fact::new(
                "Anomalies found",
                percent(found.recall()),
                format!(
                    "false alarms: {} of normal data, above {}",
                    percent(found.false_alarm_rate()),
                    number(threshold)
                ),
            ),
            None => Fact::new(
                "Above the threshold",
                percent(share(scores, threshold)),
                format!("threshold: {}", number(threshold)),
            ),
        });
    }
    let text = histogram(context, &parts, threshold) + &of_parts(context, &parts, threshold);
    Results { facts, sections: section("scores", "Anomaly scores", &text) }
}

/// The mean anomaly score of normal samples where every reconstruction is their mean: the mean variance of their inputs. It is
/// taken over as many samples as suffice; `None` without one.
fn score_of_the_mean(context: &Context<'_>, known: Option<&[bool]>) -> Option<f64> {
    let features = &context.test.features;
    let mut index = sample_rows(features.len(), &mut Rng::new(1));
    index.retain(|&n| known.is_none_or(|known| !known[n as usize]));
    let width = features.width();
    let mut inputs = vec![0.0; index.len() * width];
    context.model.about.normalisation.inputs(features).fill(Backend::detect(), &index, &mut inputs);
    let column = |c: usize| inputs.iter().skip(c).step_by(width).map(|&x| f64::from(x));
    let variance = |c: usize| {
        let mean = column(c).sum::<f64>() / index.len() as f64;
        column(c).map(|x| (x - mean).powi(2)).sum::<f64>() / index.len() as f64
    };
    (!index.is_empty()).then(|| (0..width).map(variance).sum::<f64>() / width as f64)
}

/// The distribution of the scores of each part.
fn histogram(context: &Context<'_>, parts: &[(&str, &[f64])], threshold: Option<f64>) -> String {
    let mut all: Vec<f64> = parts.iter().flat_map(|(_, scores)| scores.iter()).copied().collect();
    all.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (all.first(), all.last()) else { return String::new() };
    let log = low > 0.0 && high > MAX_LINEAR * all[all.len() / 2];
    let on_axis = |score: f64| if log { score.log10() } else { score };
    let ends = [low, high].into_iter().chain(threshold.filter(|&threshold| threshold > 0.0)).map(on_axis);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
    let of = |scores: &[f64]| counts(scores.iter().map(|&score| on_axis(score)), low, high, BINS);
    let binned: Vec<(&str, Vec<usize>)> = parts.iter().map(|(name, scores)| (*name, of(scores))).collect();
    let series: Vec<(&str, &[usize])> = match &binned[..] {
        [(_, counts)] => vec![("", counts)],
        several => several.iter().map(|(name, counts)| (*name, &counts[..])).collect(),
    };
    let title = format!(
        "Anomaly scores of the test {}s: mean squared error of the reconstruction{}{}",
        context.singular(),
        if context.model.about.normalisation.standardises() { ", in standardised units" } else { "" },
        if log { ", on a logarithmic axis" } else { "" }
    );
    let chart = Chart::histograms(&title, [low, high], log, &series);
    let marked = threshold
        .into_iter()
        .filter(|&threshold| threshold > 0.0)
        .fold(chart, |chart, threshold| chart.mark(on_axis(threshold), "threshold"));
    marked.finish("anomaly score")
}

fn of_parts(context: &Context<'_>, parts: &[(&str, &[f64])], threshold: Option<f64>) -> String {
    let samples = format!("{}s", context.singular());
    let header = ["", &samples, "mean score", "median score", "above the threshold"].map(String::from);
    let rows = parts.iter().map(|(name, scores)| {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        let none = || "–".to_string();
        vec![
            (*name).into(),
            scores.len().to_string(),
            mean(scores).map_or_else(none, number),
            sorted.get(sorted.len() / 2).map_or_else(none, |&score| number(score)),
            threshold.filter(|_| !scores.is_empty()).map_or_else(none, |t| percent(share(scores, t))),
        ]
    });
    table(&header, rows)
}

fn mean(scores: &[f64]) -> Option<f64> {
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

/// The fraction of the scores above a threshold.
fn share(scores: &[f64], threshold: f64) -> f64 {
    count_above(scores, threshold) as f64 / scores.len().max(1) as f64
}
