//! Learning curves: loss and accuracy by epoch.

use serde_json::Value;

use super::section;
use super::svg::Chart;
use crate::model::Model;

/// The curves of the lines of a `metrics.jsonl`; `samples` is what the data are called, such as `rows`.
pub(super) fn curves(model: &Model, metrics: &[Value], samples: &str) -> String {
    let of = |key: &str, factor: f64| -> Vec<(f64, f64)> {
        let point = |line: &Value| Some((line["epoch"].as_f64()?, factor * line[key].as_f64()?));
        metrics.iter().filter_map(point).collect()
    };
    let (train_loss, val_loss) = (of("loss", 1.0), of("val_loss", 1.0));
    let (train, val) = (of("train_accuracy", 100.0), of("val_accuracy", 100.0));
    if train_loss.is_empty() {
        return section("curves", "Learning curves", "<p>No epoch has been recorded.</p>\n");
    }
    // The best epoch is marked once, in the chart of the figure that people look at first.
    let best_accuracy = val.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let least_loss = val_loss.iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a });
    let mut losses = Chart::log_lines(
        &format!("Mean loss by epoch: training {samples} during the epoch, validation {samples} after it"),
        &present([("training", train_loss), ("validation", val_loss)]),
    );
    let mut plots = String::new();
    if train.is_empty() && val.is_empty() {
        losses = least_loss.into_iter().fold(losses, |chart, (epoch, _)| chart.mark(epoch, "best"));
    } else {
        let accuracies = Chart::lines(
            &format!(
                "Accuracy by epoch in percent: training {samples} during the epoch, validation {samples} after it"
            ),
            &present([("training %", train), ("validation %", val)]),
        );
        let marked =
            best_accuracy.into_iter().fold(accuracies, |chart, (epoch, _)| chart.mark(epoch, "best"));
        plots = marked.finish("epoch");
    }
    let kept = format!("the model is that of epoch {}", model.about.epochs_done);
    let note = match (best_accuracy, least_loss) {
        (Some((epoch, value)), _) => {
            format!("<p>Best validation accuracy {value:.2} % after epoch {epoch}; {kept}.</p>\n")
        }
        (None, Some((epoch, value))) => {
            format!("<p>Least validation loss {} after epoch {epoch}; {kept}.</p>\n", super::number(value))
        }
        (None, None) => String::new(),
    };
    let text = format!("<div class=\"plots\">{}{plots}</div>\n{note}", losses.finish("epoch"));
    section("curves", "Learning curves", &text)
}

/// The series that have points.
fn present(series: [(&str, Vec<(f64, f64)>); 2]) -> Vec<(&str, Vec<(f64, f64)>)> {
    series.into_iter().filter(|(_, points)| !points.is_empty()).collect()
}
