//! The page of a run: learning curves, confusion matrix, worst mistakes, weights, settings.

use std::fmt::Write;

use selvedge::Mlp;
use serde_json::Value;

use super::svg::Chart;
use super::{escape, page, picture, quantized, section, shade};
use crate::data::{Dataset, Samples};
use crate::error::Result;
use crate::inference::evaluate::{Evaluation, evaluate};
use crate::inference::float::logits;
use crate::inference::{argmax, classes};
use crate::model::Model;
use crate::recipe::Recipe;
use crate::thread_pool::{ThreadPool, Threads};

/// The number of misclassified images that are shown.
const MAX_MISTAKES_SHOWN: usize = 24;
/// The number of first-layer units that are shown.
const MAX_UNITS_SHOWN: usize = 64;

/// The page of a finished or unfinished run; `metrics` are the lines of its `metrics.jsonl`, `machine` is what its folder
/// records about the machine.
///
/// # Errors
/// `Model` where the model does not fit the data or cannot be quantized.
pub fn run(name: &str, model: &Model, metrics: &[Value], machine: &str, dataset: &Dataset) -> Result<String> {
    let mlp = Mlp::new(model.shape, selvedge::Backend::detect());
    let thread_pool = ThreadPool::new(Threads::Auto);
    let set = &dataset.test;
    let inputs = model.about.normalisation.inputs(&set.features);
    let all = set.indices();
    let tested = evaluate(&thread_pool, &mlp, &model.params, &inputs, set, &all)?;
    let mut body = format!(
        "<p id=\"summary\">{}, {} parameters. Test accuracy <strong>{:.2} %</strong> of {} images.</p>\n",
        model.shape,
        model.shape.params(),
        100.0 * tested.accuracy(),
        tested.images
    );
    body += &curves(model, metrics);
    body += &section("confusion", "Confusion matrix", &confusion(model, &tested));
    let logits = logits(&thread_pool, &mlp, &model.params, &inputs, &all)?;
    body += &section("mistakes", "Most confident mistakes", &mistakes(model, set, &logits)?);
    body += &section("weights", "First-layer weights", &first_layer(model, set)?);
    body += &quantized::sections(model, dataset, &classes(&logits, mlp.shape.outputs()))?;
    let recipe = model.about.recipe.as_ref().map_or(Ok(String::new()), Recipe::to_toml)?;
    let about = format!(
        "<pre>{}</pre>\n<pre>{}</pre>\n<p>Input: {}. Written by selvedge {}.</p>\n",
        escape(recipe.trim_end()),
        escape(machine.trim_end()),
        escape(&model.about.normalisation.describe()),
        escape(&model.about.version)
    );
    body += &section("recipe", "Recipe and machine", &about);
    Ok(page(&format!("Run {name}"), &body))
}

fn curves(model: &Model, metrics: &[Value]) -> String {
    let of = |key: &str, factor: f64| -> Vec<(f64, f64)> {
        let point = |line: &Value| Some((line["epoch"].as_f64()?, factor * line[key].as_f64()?));
        metrics.iter().filter_map(point).collect()
    };
    let (loss, train, val) = (of("loss", 1.0), of("train_accuracy", 100.0), of("val_accuracy", 100.0));
    if loss.is_empty() {
        return section("curves", "Learning curves", "<p>No epoch has been recorded.</p>\n");
    }
    let best = val.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let losses = Chart::lines("Mean training loss by epoch", &[("loss", loss)]).finish("epoch");
    let mut accuracies = Chart::lines(
        "Accuracy by epoch in percent: training images during the epoch, validation images after it",
        &[("training %", train), ("validation %", val)],
    );
    let mut note = String::new();
    if let Some((epoch, value)) = best {
        accuracies = accuracies.mark(epoch, "best");
        note = format!(
            "<p>Best validation accuracy {value:.2} % after epoch {epoch}; the model is that of epoch {}.</p>\n",
            model.about.epochs_done
        );
    }
    let plots = format!("<div class=\"plots\">{losses}{}</div>\n{note}", accuracies.finish("epoch"));
    section("curves", "Learning curves", &plots)
}

fn confusion(model: &Model, tested: &Evaluation) -> String {
    let classes = model.shape.outputs();
    let mut text = String::from("<div class=\"wide\"><table><thead><tr><th>true \\ predicted</th>");
    (0..classes).for_each(|c| text += &format!("<th>{}</th>", escape(&model.class(c))));
    text += "<th>recall</th></tr></thead><tbody>\n";
    for (c, row) in tested.confusion.iter().enumerate() {
        let _ = write!(text, "<tr><th>{}</th>", escape(&model.class(c)));
        for &count in row {
            let fraction = f64::from(count) / f64::from(tested.of_class(c).max(1));
            let _ = write!(text, "<td {}>{count}</td>", shade(fraction));
        }
        let _ = writeln!(text, "<td>{:.1} %</td></tr>", 100.0 * tested.recall(c));
    }
    text + "</tbody></table></div>\n"
}

/// The misclassified images with the highest probabilities of the predicted class.
fn mistakes(model: &Model, set: &Samples, logits: &[f32]) -> Result<String> {
    let classes = model.shape.outputs();
    let mut wrong: Vec<(f64, usize, usize)> = Vec::new();
    for (n, row) in logits.chunks_exact(classes).enumerate() {
        let class = argmax(row);
        if class != usize::from(set.labels()[n]) {
            let sum: f64 = row.iter().map(|&z| f64::from(z - row[class]).exp()).sum();
            wrong.push((1.0 / sum, n, class));
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut text = String::from("<div class=\"grid\">\n");
    for &(probability, n, class) in wrong.iter().take(MAX_MISTAKES_SHOWN) {
        let (truth, predicted) = (model.class(usize::from(set.labels()[n])), model.class(class));
        let caption =
            format!("test image {n}: {truth}, predicted {predicted} with {:.1} %", 100.0 * probability);
        let pixels = set.images()?.image(n).unwrap_or_default();
        let _ = writeln!(
            text,
            "<figure class=\"mistake\">{}<figcaption>{} → {}, {:.1}\u{a0}%</figcaption></figure>",
            picture::grey(pixels, set.images()?.cols, &caption)?,
            escape(&truth),
            escape(&predicted),
            100.0 * probability
        );
    }
    Ok(text + "</div>\n")
}

fn first_layer(model: &Model, set: &Samples) -> Result<String> {
    let (i, o) = (model.shape.width(0), model.shape.width(1));
    let units: Vec<Vec<f32>> =
        (0..o.min(MAX_UNITS_SHOWN)).map(|u| (0..i).map(|p| model.params[p * o + u]).collect()).collect();
    let caption = format!(
        "The weights of {} of {o} units of the first layer as images: negative blue, zero white, positive orange",
        units.len()
    );
    let image = picture::weights(&units, set.images()?.cols, 16.min(units.len()), &caption)?;
    Ok(format!("<div class=\"weights\">{image}</div>\n<p>{caption}.</p>\n"))
}
