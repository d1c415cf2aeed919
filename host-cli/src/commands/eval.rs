//! `selvedge eval`: accuracy, the table of classes and the confusion matrix.

use selvedge::{Backend, Mlp};
use serde_json::json;

use super::load_data;
use crate::cli::{Eval, SplitName};
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, check_fit, evaluate};
use crate::exchange::{self, Logits};
use crate::files;
use crate::model::{self, Model};
use crate::quantize::proof;
use crate::terminal::{Output, table};

/// Evaluates a model.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Eval) -> Result<()> {
    if let (Some(out), Some(bytes)) = (&args.logits, model::flash(&args.model)?) {
        let image = model::parse_flash(&args.model, &bytes)?;
        let test = load_data(&args.data, None)?.test;
        let mlp = Mlp { shape: image.header().shape(), backend: Backend::detect() };
        check_fit(&mlp, &test)?;
        let all: Vec<u32> = (0..test.labels.len() as u32).collect();
        let logits = Logits::Integer(proof::integer_logits(&image, &test.images.pixels, &all)?);
        return files::write_atomic(out, &exchange::logits(&test, &all, &logits)?);
    }
    let model = Model::load(&args.model)?;
    let dataset = load_data(&args.data, model.about.recipe.as_ref())?;
    let (name, set, index) = match args.split {
        SplitName::Test => ("test", &dataset.test, (0..dataset.test.labels.len() as u32).collect()),
        SplitName::Val => {
            let recipe = model.about.recipe.as_ref().ok_or_else(|| {
                Error::model(
                    "the model does not say which seed split its data, so there is no telling its validation images \
                     from its training images; use --split test",
                )
            })?;
            let val = recipe.split(dataset.train.labels.len()).val;
            if val.is_empty() {
                return Err(Error::misused("the model was trained on all images; use --split test"));
            }
            ("val", &dataset.train, val)
        }
    };
    let mlp = Mlp { shape: model.shape, backend: Backend::detect() };
    let inputs = model.about.normalisation.inputs(&set.images.pixels);
    let evaluation = evaluate(&Crew::new(args.threads), &mlp, &model.params, &inputs, set, &index)?;
    if let Some(out) = &args.logits {
        let logits = Logits::Float(proof::float_logits(&model, &set.images.pixels, &index)?);
        files::write_atomic(out, &exchange::logits(set, &index, &logits)?)?;
    }
    let mut output = Output::default();
    if args.json {
        let classes = 0..model.shape.outputs();
        return output.json(&json!({
            "split": name,
            "images": evaluation.images,
            "accuracy": evaluation.accuracy(),
            "loss": evaluation.loss(),
            "per_class": classes.map(|c| evaluation.recall(c)).collect::<Vec<_>>(),
            "confusion": evaluation.confusion,
        }));
    }
    output.line(format!(
        "{name}: {} of {} images, accuracy {:.2}%, loss {:.4}",
        evaluation.correct(),
        evaluation.images,
        100.0 * evaluation.accuracy(),
        evaluation.loss()
    ))?;
    output.line(format!("\n{}", per_class(&model, &evaluation)))?;
    output.line(format!("\n{}", confusion(&model, &evaluation)))
}

fn per_class(model: &Model, evaluation: &Evaluation) -> String {
    let header = ["class", "images", "found", "recall", "precision"].map(String::from);
    table(
        header,
        (0..model.shape.outputs()).map(|c| {
            [
                model.class(c),
                evaluation.of_class(c).to_string(),
                evaluation.confusion[c][c].to_string(),
                format!("{:.1}%", 100.0 * evaluation.recall(c)),
                format!("{:.1}%", 100.0 * evaluation.precision(c)),
            ]
        }),
    )
}

fn confusion(model: &Model, evaluation: &Evaluation) -> String {
    let classes = model.shape.outputs();
    let header = ["true \\ predicted".to_string()].into_iter().chain((0..classes).map(|c| c.to_string()));
    table(
        header,
        evaluation.confusion.iter().enumerate().map(|(c, row)| {
            let name = format!("{c} {}", model.class(c));
            [name].into_iter().chain(row.iter().map(u32::to_string)).collect::<Vec<_>>()
        }),
    )
}
