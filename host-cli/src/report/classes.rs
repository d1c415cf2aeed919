//! Classes: precision and recall, the confusion matrix, calibration, and the mistakes that the model is surest of.

use std::fmt::Write;

use super::context::{Context, Fact, Results};
use super::examples::{Example, MAX_EXAMPLES_SHOWN, examples};
use super::svg::Chart;
use super::{escape, percent, section, shade, table};
use crate::error::Result;
use crate::inference::metrics::classes::{
    CALIBRATION_BINS, accuracy, auc, balanced_accuracy, calibration_error, f1, macro_f1, majority, precision,
    recall, support, top,
};

/// What the probabilities `(samples, classes)` say where `labels` are right.
///
/// # Errors
/// `Failed` where a picture cannot be encoded.
pub(super) fn results(context: &Context<'_>, probabilities: &[f64], labels: &[u8]) -> Result<Results> {
    let classes = context.names.len();
    let tops: Vec<(usize, f64)> = probabilities.chunks_exact(classes).map(top).collect();
    let mut confusion = vec![vec![0; classes]; classes];
    for (&(class, _), &label) in tops.iter().zip(labels) {
        confusion[usize::from(label)][class] += 1;
    }
    let auc = auc(probabilities, classes, labels);
    let ece = calibration_error(probabilities, classes, labels);
    let baseline = majority(&confusion)
        .map(|(class, share)| format!("always {}: {}", context.names[class], percent(share)));
    let none = || "–".to_string();
    let accuracy = accuracy(&confusion).map_or_else(none, percent);
    let occurring = (0..classes).filter(|&c| support(&confusion, c) > 0).count();
    let chance = format!("always one class: {}", percent(1.0 / occurring.max(1) as f64));
    let facts = vec![
        Fact::new("Test accuracy", accuracy, baseline.unwrap_or_default()),
        Fact::new("Balanced accuracy", balanced_accuracy(&confusion).map_or_else(none, percent), chance),
    ];
    let figures = [
        ("macro F1", macro_f1(&confusion).map(percent)),
        ("balanced accuracy", balanced_accuracy(&confusion).map(percent)),
        ("ROC AUC", auc.map(|auc| format!("{auc:.4}"))),
        ("calibration error", ece.map(percent)),
    ];
    let of_classes = per_class(context, &confusion) + &sentence(figures);
    let sections = [
        section("classes", "Precision and recall", &of_classes),
        section("confusion", "Confusion matrix", &matrix(context, &confusion)),
        section("calibration", "Calibration", &calibration(context, &tops, labels, ece)),
        section("mistakes", "Most confident mistakes", &mistakes(context, &tops, labels)?),
    ];
    Ok(Results { facts, sections: sections.concat() })
}

/// The figures that are defined.
fn sentence<const N: usize>(figures: [(&str, Option<String>); N]) -> String {
    let defined = figures.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    let mut text = defined.collect::<Vec<_>>().join(", ");
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
        text = format!("<p>{}.</p>\n", escape(&text));
    }
    text
}

fn per_class(context: &Context<'_>, confusion: &[Vec<u32>]) -> String {
    let samples = format!("{}s", context.singular());
    let header = ["class", &samples, "precision", "recall", "F1"].map(String::from);
    let rows = context.names.iter().enumerate().map(|(c, name)| {
        let of = [precision(confusion, c), recall(confusion, c), f1(confusion, c)].map(percent);
        [vec![name.clone(), support(confusion, c).to_string()], of.to_vec()].concat()
    });
    table(&header, rows)
}

fn matrix(context: &Context<'_>, confusion: &[Vec<u32>]) -> String {
    let mut text = String::from("<div class=\"wide\"><table><thead><tr><th>true \\ predicted</th>");
    (0..confusion.len()).for_each(|c| text += &format!("<th>{}</th>", context.name(c)));
    text += "<th>recall</th></tr></thead><tbody>\n";
    for (c, row) in confusion.iter().enumerate() {
        let _ = write!(text, "<tr><th>{}</th>", context.name(c));
        for &count in row {
            let fraction = f64::from(count) / support(confusion, c).max(1) as f64;
            let _ = write!(text, "<td {}>{count}</td>", shade(fraction));
        }
        let _ = writeln!(text, "<td>{:.1} %</td></tr>", 100.0 * recall(confusion, c));
    }
    text + "</tbody></table></div>\n"
}

/// A reliability diagram over the bins of the calibration error.
fn calibration(context: &Context<'_>, tops: &[(usize, f64)], labels: &[u8], ece: Option<f64>) -> String {
    // Σ of the probabilities, right answers, and rows of each bin.
    let mut bins = [(0.0, 0_u32, 0_usize); CALIBRATION_BINS];
    for (&(class, probability), &label) in tops.iter().zip(labels) {
        let bin = (probability * CALIBRATION_BINS as f64).ceil() as usize;
        let (sum, right, rows) = &mut bins[bin.clamp(1, CALIBRATION_BINS) - 1];
        *sum += probability;
        *right += u32::from(class == usize::from(label));
        *rows += 1;
    }
    let points: Vec<_> = bins
        .into_iter()
        .filter(|&(_, _, rows)| rows > 0)
        .map(|(sum, right, rows)| (sum / rows as f64, f64::from(right) / rows as f64, rows))
        .collect();
    let title = format!(
        "Reliability of the test {}s: on the dashed line, answers are right as often as their probability says; the area of a \
         mark shows how many there are",
        context.singular()
    );
    let diagram = Chart::reliability(&title, &points).finish("probability of the answer");
    let ece = ece.map_or(String::new(), |ece| format!("Expected calibration error {}. ", percent(ece)));
    let temperature = context.model.about.temperature.map_or(String::new(), |temperature| {
        format!("Logits are divided by a temperature of {temperature:.3}, fitted on validation data.")
    });
    format!("{diagram}<p>{ece}{temperature}</p>\n")
}

/// The misclassified samples with the highest probabilities of the predicted class.
fn mistakes(context: &Context<'_>, tops: &[(usize, f64)], labels: &[u8]) -> Result<String> {
    let mut wrong: Vec<(f64, usize)> = Vec::new();
    for (n, (&(class, probability), &label)) in tops.iter().zip(labels).enumerate() {
        if class != usize::from(label) {
            wrong.push((probability, n));
        }
    }
    if wrong.is_empty() {
        return Ok(format!("<p>No test {} is misclassified.</p>\n", context.singular()));
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let example = |&(probability, n): &(f64, usize)| {
        let [truth, predicted] = [usize::from(labels[n]), tops[n].0].map(|c| context.names[c].clone());
        let probability = format!("{:.1}\u{a0}%", 100.0 * probability);
        Example {
            sample: n,
            caption: format!("{truth} → {predicted}, {probability}"),
            cells: vec![truth, predicted, probability],
        }
    };
    let shown: Vec<_> = wrong.iter().take(MAX_EXAMPLES_SHOWN).map(example).collect();
    let shown = examples(context, &["true", "predicted", "probability"], &shown)?;
    Ok(format!(
        "<p>{} of {} test {}s are misclassified.</p>\n{shown}",
        wrong.len(),
        labels.len(),
        context.singular()
    ))
}
