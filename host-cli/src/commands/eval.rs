//! `selvedge eval`: the measures of a network's answers.

use serde_json::json;

use super::{assessment, check_columns, check_fit, check_reject, load_data, protect};
use crate::cli::{Eval, SplitName};
use crate::error::{Error, Result};
use crate::export;
use crate::files;
use crate::inference::assess::assess;
use crate::inference::network::Network;
use crate::model;
use crate::terminal::{Output, Warnings};
use crate::thread_pool::ThreadPool;

/// Evaluates a model.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Eval) -> Result<()> {
    args.logits.as_deref().map_or(Ok(()), |out| files::check_output(out, &model::file_of(&args.model)))?;
    let network = Network::load(&args.model)?.with_schema(args.schema.as_deref())?;
    check_columns(&network, &args.model)?;
    check_reject(&network, args.reject)?;
    let mut warnings = Warnings::default();
    let of = args.schema.as_deref().unwrap_or(&args.model);
    let dataset = load_data(&args.data, of, network.about(), &mut warnings)?;
    args.logits.as_deref().map_or(Ok(()), |out| protect(out, &dataset))?;
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
    let reject = args.reject.map(f64::from);
    let tested = assess(&network, &ThreadPool::new(args.threads), set, &index, reject)?;
    if let Some(out) = &args.logits {
        let logits = network.exact_logits(&set.features, &index)?;
        files::write_atomic(out, &export::logits(set, &index, &logits)?)?;
    }
    let mut output = Output::default();
    let names = network.names(&dataset);
    if args.json {
        let mut line = assessment::json(&tested, &names);
        line.insert("split".into(), json!(name));
        line.insert("warnings".into(), json!(warnings.list()));
        return output.json(&line);
    }
    output.line(assessment::text(name, dataset.singular(), &names, &tested))
}
