//! The page of a run: how it learned, what it confuses, what its weights look like, how it was made.

use std::fmt::Write;

use selvedge::Mlp;
use serde_json::Value;

use super::svg::Chart;
use super::{escape, page, picture, quantized, section, shade};
use crate::data::{Dataset, Set};
use crate::error::Result;
use crate::inference::evaluate::{Evaluation, evaluate};
use crate::inference::float::logits;
use crate::inference::{argmax, classes};
use crate::model::Model;
use crate::recipe::Recipe;
use crate::thread_pool::{ThreadPool, Threads};

/// Mistakes shown.
const MISTAKES: usize = 24;
/// Units of the first layer shown.
const UNITS: usize = 64;

/// The page of a finished or unfinished run; `metrics` are its lines, `place` what its folder says of the machine.
///
/// # Errors
/// Exit code 4 where the model does not fit the data or cannot be quantized.
pub fn run(name: &str, model: &Model, metrics: &[Value], place: &str, dataset: &Dataset) -> Result<String> {
    let mlp = Mlp { shape: model.shape, backend: selvedge::Backend::detect() };
    let thread_pool = ThreadPool::new(Threads::Auto);
    let set = &dataset.test;
    let inputs = model.about.normalisation.inputs(&set.images.pixels);
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
    body += &section("confusion", "What is taken for what", &confusion(model, &tested));
    let logits = logits(&thread_pool, &mlp, &model.params, &inputs, &all)?;
    body += &section("mistakes", "The most confident mistakes", &mistakes(model, set, &logits)?);
    body += &section("weights", "First-layer weights", &first_layer(model, set)?);
    body += &quantized::sections(model, dataset, &classes(&logits, mlp.shape.outputs()))?;
    let recipe = model.about.recipe.as_ref().map_or(Ok(String::new()), Recipe::to_toml)?;
    let about = format!(
        "<pre>{}</pre>\n<pre>{}</pre>\n<p>Input: {}. Written by selvedge {}.</p>\n",
        escape(recipe.trim_end()),
        escape(place.trim_end()),
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
        return section("curves", "How it learned", "<p>No epoch was recorded.</p>\n");
    }
    let best = val.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let losses = Chart::lines("Mean training loss by epoch", &[("loss", loss)]).finish("epoch");
    let mut accuracies = Chart::lines(
        "Accuracy by epoch in percent, on training images as they were met and on validation images",
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
    section("curves", "How it learned", &plots)
}

fn confusion(model: &Model, tested: &Evaluation) -> String {
    let classes = model.shape.outputs();
    let mut text = String::from("<div class=\"wide\"><table><thead><tr><th>true \\ predicted</th>");
    (0..classes).for_each(|c| text += &format!("<th>{}</th>", escape(&model.class(c))));
    text += "<th>found</th></tr></thead><tbody>\n";
    for (c, row) in tested.confusion.iter().enumerate() {
        let _ = write!(text, "<tr><th>{}</th>", escape(&model.class(c)));
        for &count in row {
            let share = f64::from(count) / f64::from(tested.of_class(c).max(1));
            let _ = write!(text, "<td {}>{count}</td>", shade(share));
        }
        let _ = writeln!(text, "<td>{:.1} %</td></tr>", 100.0 * tested.recall(c));
    }
    text + "</tbody></table></div>\n"
}

/// The images whose wrong class got the highest probability.
fn mistakes(model: &Model, set: &Set, logits: &[f32]) -> Result<String> {
    let classes = model.shape.outputs();
    let mut wrong: Vec<(f64, usize, usize)> = Vec::new();
    for (n, row) in logits.chunks_exact(classes).enumerate() {
        let class = argmax(row);
        if class != usize::from(set.labels[n]) {
            let sum: f64 = row.iter().map(|&z| f64::from(z - row[class]).exp()).sum();
            wrong.push((1.0 / sum, n, class));
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut text = String::from("<div class=\"grid\">\n");
    for &(probability, n, class) in wrong.iter().take(MISTAKES) {
        let (truth, taken) = (model.class(usize::from(set.labels[n])), model.class(class));
        let words = format!("test image {n}: {truth} taken for {taken}, {:.1} %", 100.0 * probability);
        let pixels = set.images.image(n).unwrap_or_default();
        let _ = writeln!(
            text,
            "<figure class=\"mistake\">{}<figcaption>{} → {}, {:.1}\u{a0}%</figcaption></figure>",
            picture::grey(pixels, set.images.cols, &words)?,
            escape(&truth),
            escape(&taken),
            100.0 * probability
        );
    }
    Ok(text + "</div>\n")
}

fn first_layer(model: &Model, set: &Set) -> Result<String> {
    let (i, o) = (model.shape.width(0), model.shape.width(1));
    let units: Vec<Vec<f32>> =
        (0..o.min(UNITS)).map(|u| (0..i).map(|p| model.params[p * o + u]).collect()).collect();
    let words = format!(
        "The weights of {} of {o} units of the first layer as images: blue below 0, white at 0, orange above",
        units.len()
    );
    let image = picture::weights(&units, set.images.cols, 16.min(units.len()), &words)?;
    Ok(format!("<div class=\"weights\">{image}</div>\n<p>{words}.</p>\n"))
}
