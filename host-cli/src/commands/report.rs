//! `selvedge report`: a run or a sweep as one HTML page.

use serde_json::json;

use super::{check_fit, load_data, protect};
use crate::cli::Report;
use crate::error::{Error, Result};
use crate::files;
use crate::memory::size;
use crate::model::{self, Model};
use crate::report;
use crate::run::Folder;
use crate::sweep::table;
use crate::terminal::{Output, Warnings};

/// Writes a report.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Report) -> Result<()> {
    files::check_output(&args.out, &model::file_of(&args.of))?;
    let name = args.of.file_name().map_or("here".into(), |n| n.to_string_lossy().into_owned());
    let file = args.of.join("table.json");
    let mut warnings = Warnings::default();
    let page = if file.exists() {
        let damaged = |why: String| {
            let again = "the command of the sweep writes it again from its trials";
            Error::failed(format!("{} is damaged: {why}; {again}", file.display()))
        };
        let bytes = std::fs::read(&file).map_err(|e| Error::io("read", &file, &e))?;
        report::sweep(&name, &table::read(&bytes).map_err(damaged)?)
    } else {
        let model = Model::load(&args.of)?;
        let dataset = load_data(&args.data, &args.of, Some(&model.about), &mut warnings)?;
        Some(&*args.out).map_or(Ok(()), |out| protect(out, &dataset))?;
        check_fit(model.shape, |c| model.class(c), &dataset, &[&dataset.test], &mut warnings)?;
        let (metrics, place) = match Folder::of_model(&args.of) {
            Some(run) => (run.metrics()?, run.place_text()?),
            None => Default::default(),
        };
        let epochs = metrics.iter().filter(|line| line.get("epoch").is_some()).count();
        if !metrics.is_empty() && epochs < model.about.epochs_done {
            warnings.add(format!(
                "metrics.jsonl ends after epoch {epochs}, but the model is of after epoch {}: the curves are cut short",
                model.about.epochs_done
            ));
        }
        report::run(&name, &model, &metrics, &place, &dataset)?
    };
    files::write_atomic(&args.out, page.as_bytes())?;
    let (mut output, file) = (Output::default(), args.out.display().to_string());
    if args.json {
        return output.json(&json!({"file": file, "bytes": page.len(), "warnings": warnings.list()}));
    }
    output.line(format!("{file}, {}", size(page.len() as u64)))
}
