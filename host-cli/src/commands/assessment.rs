//! How good a network's answers are, as text and as JSON.

use serde_json::{Map, Value, json};

use crate::inference::assess::{Assessment, ClassFigures, ScoreFigures};
use crate::inference::evaluate::Evaluation;
use crate::inference::metrics::{classes, multilabel, reconstruction, regression};
use crate::terminal::{self, count, table};

/// The measures as the keys of `eval --json`; `names` are those of the outputs.
pub(super) fn json(assessment: &Assessment, names: &[String]) -> Map<String, Value> {
    let value = match assessment {
        Assessment::Classes(figures) => class_json(figures),
        Assessment::Regression(errors) => {
            let target = |(name, e): (&String, &regression::TargetErrors)| {
                json!({"name": name, "rmse": e.rmse, "mae": e.mae, "r2": e.r2,
                       "mean_rmse": e.baseline_rmse, "mean_mae": e.baseline_mae})
            };
            let targets: Vec<_> = names.iter().zip(&errors.targets).map(target).collect();
            json!({"rows": errors.rows, "rmse": errors.rmse(), "mae": errors.mae(), "r2": errors.r2(), "targets": targets})
        }
        Assessment::Multilabel(counts) => {
            let label = |(name, l): (&String, &multilabel::LabelCounts)| json!({"name": name, "precision": l.precision(), "recall": l.recall(), "f1": l.f1(), "rows": l.support});
            let labels: Vec<_> = names.iter().zip(&counts.labels).map(label).collect();
            json!({"rows": counts.rows, "macro_f1": counts.macro_f1(), "per_label": labels})
        }
        Assessment::Reconstruction(figures) => json!({
            "rows": figures.scores.len(), "score_mean": figures.mean(), "threshold": figures.threshold,
            "auc": figures.auc,
        }),
    };
    value.as_object().cloned().unwrap_or_default()
}

fn class_json(figures: &ClassFigures) -> Value {
    let ClassFigures { evaluation, auc, ece, rejection } = figures;
    let mut value = json!({
        "images": evaluation.images,
        "accuracy": evaluation.accuracy(),
        "loss": evaluation.loss(),
        "per_class": (0..evaluation.confusion.len()).map(|c| evaluation.recall(c)).collect::<Vec<_>>(),
        "confusion": evaluation.confusion,
        "macro_f1": classes::macro_f1(&evaluation.confusion),
        "balanced_accuracy": classes::balanced_accuracy(&evaluation.confusion),
        "auc": auc,
        "ece": ece,
    });
    if let Some(rejection) = rejection {
        value["coverage"] = json!(rejection.coverage());
        value["accuracy_answered"] = json!(rejection.accuracy());
    }
    value
}

/// The measures for people: a line, then tables; `what` is a sample, such as `image`.
pub(super) fn text(split: &str, what: &str, names: &[String], assessment: &Assessment) -> String {
    match assessment {
        Assessment::Classes(figures) => class_text(split, what, names, figures),
        Assessment::Regression(errors) => {
            let r2 = |r2: Option<f64>| r2.map_or("-".into(), |r2| format!("{r2:.4}"));
            let header =
                ["target", "RMSE", "MAE", "R²", "RMSE of the mean", "MAE of the mean"].map(String::from);
            let number = |x: f64| format!("{x:.5}");
            let rows = names.iter().zip(&errors.targets).map(|(name, e)| {
                let [rmse, mae, mean_rmse, mean_mae] =
                    [e.rmse, e.mae, e.baseline_rmse, e.baseline_mae].map(number);
                [name.clone(), rmse, mae, r2(e.r2), mean_rmse, mean_mae]
            });
            let title = format!(
                "{split}: {}, RMSE {:.5}, MAE {:.5}, R² {}",
                count(errors.rows, what),
                errors.rmse(),
                errors.mae(),
                r2(errors.r2())
            );
            format!("{title}\n\n{}", table(header, rows))
        }
        Assessment::Multilabel(counts) => {
            let header = ["label", "rows", "precision", "recall", "F1"].map(String::from);
            let rows = names.iter().zip(&counts.labels).map(|(name, label)| {
                let [precision, recall, f1] = [label.precision(), label.recall(), label.f1()].map(percent);
                [name.clone(), label.support.to_string(), precision, recall, f1]
            });
            let title = format!(
                "{split}: {}, macro F1 {}, all labels right {}",
                count(counts.rows, what),
                percent(counts.macro_f1()),
                percent(counts.exact_fraction())
            );
            format!("{title}\n\n{}", table(header, rows))
        }
        Assessment::Reconstruction(figures) => score_text(split, what, figures),
    }
}

fn class_text(split: &str, what: &str, names: &[String], figures: &ClassFigures) -> String {
    let ClassFigures { evaluation, auc, ece, rejection } = figures;
    let mut text = format!(
        "{split}: {} of {}, accuracy {:.2}%, loss {:.4}\n",
        evaluation.correct(),
        count(evaluation.images, what),
        100.0 * evaluation.accuracy(),
        evaluation.loss()
    );
    let figure = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value:.4}"));
    let more = [
        figure("macro F1", classes::macro_f1(&evaluation.confusion)),
        figure("balanced accuracy", classes::balanced_accuracy(&evaluation.confusion)),
        figure("ROC AUC", *auc),
        figure("calibration error", *ece),
    ];
    text += &more.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if let Some(rejection) = rejection {
        let accuracy = rejection.accuracy().map_or("none".into(), percent);
        text += &format!(
            "\nanswered: {} of {}, coverage {}, accuracy of the answers {accuracy}",
            rejection.answered,
            rejection.rows,
            rejection.coverage().map_or("none".into(), percent),
        );
    }
    let plural = format!("{what}s");
    let (classes, matrix) = (per_class(&plural, names, evaluation), confusion(names, evaluation));
    format!("{text}\n\n{classes}\n\n{matrix}")
}

fn per_class(plural: &str, names: &[String], evaluation: &Evaluation) -> String {
    let header = ["class", plural, "found", "recall", "precision", "F1"].map(String::from);
    let rows = names.iter().enumerate().map(|(c, name)| {
        let f1 = classes::f1(&evaluation.confusion, c);
        let [recall, precision, f1] = [evaluation.recall(c), evaluation.precision(c), f1].map(percent);
        let (of_class, found) = (evaluation.of_class(c).to_string(), evaluation.confusion[c][c].to_string());
        [name.clone(), of_class, found, recall, precision, f1]
    });
    table(header, rows)
}

fn confusion(names: &[String], evaluation: &Evaluation) -> String {
    let names = names.iter().enumerate().map(|(c, name)| format!("{c} {name}"));
    terminal::confusion(&names.collect::<Vec<_>>(), &evaluation.confusion)
}

fn score_text(split: &str, what: &str, figures: &ScoreFigures) -> String {
    let rows = count(figures.scores.len(), what);
    let mut text = format!("{split}: {rows}, mean anomaly score {:.5}", figures.mean());
    if let (Some(threshold), Some(alarms)) = (figures.threshold, figures.alarms()) {
        text += &format!(", {alarms} above the threshold {threshold:.5}");
        if let Some(anomalies) = &figures.anomalies {
            let counts = reconstruction::Detection::count(&figures.scores, anomalies, threshold);
            let [recall, precision, false_alarms] =
                [counts.recall(), counts.precision(), counts.false_alarm_rate()].map(percent);
            text +=
                &format!("\nanomalies found {recall}, precision {precision}, false alarms {false_alarms}");
        }
    }
    if let Some(auc) = figures.auc {
        text += &format!("\nROC AUC {auc:.4}");
    }
    text
}

fn percent(fraction: f64) -> String {
    format!("{:.1}%", 100.0 * fraction)
}
