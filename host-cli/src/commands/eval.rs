//! `selvedge eval`: accuracy, the table of classes and the confusion matrix.

use serde_json::json;

use super::{check_fit, load_data};
use crate::cli::{Eval, SplitName};
use crate::error::{Error, Result};
use crate::export;
use crate::files;
use crate::inference::evaluate::Evaluation;
use crate::inference::network::Network;
use crate::model;
use crate::terminal::{self, Output, Warnings, table};
use crate::thread_pool::ThreadPool;

/// Evaluates a model.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Eval) -> Result<()> {
    args.logits.as_deref().map_or(Ok(()), |out| files::check_output(out, &model::file_of(&args.model)))?;
    let network = Network::load(&args.model)?;
    let mut warnings = Warnings::default();
    let dataset = load_data(&args.data, &args.model, network.about(), &mut warnings)?;
    let (name, set, index) = match args.split {
        SplitName::Test => ("test", &dataset.test, dataset.test.indices()),
        SplitName::Val => {
            let recipe = network.recipe().ok_or_else(|| {
                Error::model(
                    "the model does not say which seed split its data, so there is no telling its validation images \
                     from its training images; use --split test",
                )
            })?;
            let val = recipe.split(&dataset.train).val;
            if val.is_empty() {
                return Err(Error::usage("the model was trained on all images; use --split test"));
            }
            ("val", &dataset.train, val)
        }
    };
    check_fit(network.shape(), |c| network.class(c), &dataset, &[set], &mut warnings)?;
    let evaluation = network.evaluate(&ThreadPool::new(args.threads), set, &index)?;
    if let Some(out) = &args.logits {
        let logits = network.exact_logits(&set.features, &index)?;
        files::write_atomic(out, &export::logits(set, &index, &logits)?)?;
    }
    let mut output = Output::default();
    if args.json {
        let classes = 0..network.shape().outputs();
        return output.json(&json!({
            "split": name,
            "images": evaluation.images,
            "accuracy": evaluation.accuracy(),
            "loss": evaluation.loss(),
            "per_class": classes.map(|c| evaluation.recall(c)).collect::<Vec<_>>(),
            "confusion": evaluation.confusion,
            "warnings": warnings.list(),
        }));
    }
    output.line(format!(
        "{name}: {} of {} images, accuracy {:.2}%, loss {:.4}",
        evaluation.correct(),
        evaluation.images,
        100.0 * evaluation.accuracy(),
        evaluation.loss()
    ))?;
    let names = network.names(&dataset);
    output.line(format!("\n{}", per_class(&names, &evaluation)))?;
    output.line(format!("\n{}", confusion(&names, &evaluation)))
}

fn per_class(names: &[String], evaluation: &Evaluation) -> String {
    let header = ["class", "images", "found", "recall", "precision"].map(String::from);
    table(
        header,
        names.iter().enumerate().map(|(c, name)| {
            [
                name.clone(),
                evaluation.of_class(c).to_string(),
                evaluation.confusion[c][c].to_string(),
                format!("{:.1}%", 100.0 * evaluation.recall(c)),
                format!("{:.1}%", 100.0 * evaluation.precision(c)),
            ]
        }),
    )
}

fn confusion(names: &[String], evaluation: &Evaluation) -> String {
    let names = names.iter().enumerate().map(|(c, name)| format!("{c} {name}"));
    terminal::confusion(&names.collect::<Vec<_>>(), &evaluation.confusion)
}
