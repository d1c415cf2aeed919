//! The page of a run: summary, learning curves, what the task's measures say of the test samples, what the model looks at,
//! settings.

use serde_json::Value;

use super::context::{Context, Results};
use super::curves::curves;
use super::importance::importance;
use super::summary::summary;
use super::{classes, escape, labels, page, picture, quantized, regression, scores, section};
use crate::data::{Dataset, Features, Images, Targets};
use crate::error::{Error, Result};
use crate::inference;
use crate::inference::answers::Answers;
use crate::model::Model;
use crate::recipe::Recipe;

/// The number of first-layer units that are shown.
const MAX_UNITS_SHOWN: usize = 64;

/// The page of a finished or unfinished run; `metrics` are the lines of its `metrics.jsonl`, `machine` is what its folder
/// records about the machine.
///
/// # Errors
/// `Model` where the model does not fit the data or cannot be quantized, `Data` where the test samples have no answers.
pub fn run(name: &str, model: &Model, metrics: &[Value], machine: &str, dataset: &Dataset) -> Result<String> {
    let context = Context::new(model, dataset);
    let answers = context.answers(&context.test.features)?;
    let Results { facts, sections } = results(&context, &answers)?;
    let mut body = summary(&context, &facts);
    body += &curves(model, metrics, dataset.plural());
    body += &sections;
    body += &importance(&context)?;
    if let Features::Images(images) = &context.test.features {
        body += &section("weights", "First-layer weights", &first_layer(model, images)?);
    }
    if let (None, Answers::Classes(probabilities)) = (model.more_than_layers(), &answers) {
        let classes = inference::classes(probabilities, model.shape.outputs());
        body += &quantized::sections(model, dataset, &classes)?;
    }
    let recipe = model.about.recipe.as_ref().map_or(Ok(String::new()), Recipe::to_toml)?;
    let about = format!(
        "<pre>{}</pre>\n<pre>{}</pre>\n<p>Input: {}. Written by selvedge {}.</p>\n",
        escape(recipe.trim_end()),
        escape(machine.trim_end()),
        escape(&inputs(model, dataset)),
        escape(&model.about.version)
    );
    body += &section("recipe", "Recipe", &about);
    Ok(page(&format!("Run {name}"), &body))
}

/// What is done to samples before the network.
fn inputs(model: &Model, dataset: &Dataset) -> String {
    let normalisation = &model.about.normalisation;
    match &dataset.test.features {
        Features::Table(_) if !normalisation.standardises() => "the numbers as they are".into(),
        _ => normalisation.describe(),
    }
}

/// The figures and sections of the model's task.
fn results(context: &Context<'_>, answers: &Answers) -> Result<Results> {
    let outputs = context.names.len();
    match (answers, &context.test.targets) {
        (Answers::Values(_) | Answers::Labels(_), Targets::Values(truth)) if truth.columns != outputs => {
            Err(Error::data(format!(
                "the model answers {outputs} numbers for a sample, but the data have {}; name the data set that it was trained \
                 on with --data",
                truth.columns
            )))
        }
        (Answers::Classes(probabilities), Targets::Classes(labels)) => {
            classes::results(context, probabilities, labels)
        }
        (Answers::Values(values), Targets::Values(truth)) => regression::results(context, values, truth),
        (Answers::Labels(probabilities), Targets::Values(truth)) => {
            labels::results(context, probabilities, truth)
        }
        (Answers::Scores(scores), _) => Ok(scores::results(context, scores)),
        _ => Err(Error::data(format!(
            "the test {} have no target to compare answers with; a report needs rows with it",
            context.dataset.plural()
        ))),
    }
}

/// The weights of the first units as images; of a pixel of several channels their mean.
fn first_layer(model: &Model, images: &Images) -> Result<String> {
    let (i, o, channels) = (model.shape.width(0), model.shape.width(1), images.channels);
    let pixel = |unit: usize, p: usize| {
        let weights = (0..channels).map(|c| model.params[(p * channels + c) * o + unit]);
        weights.sum::<f32>() / channels as f32
    };
    let shown = o.min(MAX_UNITS_SHOWN);
    let units: Vec<Vec<f32>> =
        (0..shown).map(|unit| (0..i / channels).map(|p| pixel(unit, p)).collect()).collect();
    let caption = format!(
        "The weights of {} of {o} units of the first layer as images{}: negative blue, zero white, positive orange",
        units.len(),
        if channels > 1 { ", each the mean of a pixel's channels" } else { "" }
    );
    let image = picture::weights(&units, images.cols, 16.min(units.len()), &caption)?;
    Ok(format!("<div class=\"weights\">{image}</div>\n<p>{caption}.</p>\n"))
}
