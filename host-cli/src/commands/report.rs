//! `selvedge report`: a run or a sweep as one HTML page.

use selvedge::{Backend, Mlp};
use serde_json::json;

use super::{check_classes, load_data};
use crate::cli::Report;
use crate::error::{Error, Result};
use crate::evaluate::check_fit;
use crate::files;
use crate::memory::size;
use crate::model::Model;
use crate::report;
use crate::run::Folder;
use crate::terminal::{Output, Warnings};

/// Writes a report.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Report) -> Result<()> {
    files::can_hold(&args.out)?;
    let name = args.of.file_name().map_or("here".into(), |n| n.to_string_lossy().into_owned());
    let mut warnings = Warnings::default();
    let table = args.of.join("table.json");
    let page = if table.exists() {
        let text = std::fs::read_to_string(&table).map_err(|e| Error::io("read", &table, &e))?;
        let table = serde_json::from_str(&text)
            .map_err(|e| Error::failed(format!("{} is damaged: {e}", table.display())))?;
        report::sweep(&name, &table)
    } else {
        let model = Model::load(&args.of)?;
        let dataset = load_data(&args.data, model.about.recipe.as_ref(), &mut warnings)?;
        let mlp = Mlp { shape: model.shape, backend: Backend::detect() };
        check_fit(&mlp, &dataset.test)?;
        check_classes(model.shape.outputs(), |c| model.class(c), &dataset, &mut warnings)?;
        let folder = Folder(args.of.clone());
        report::run(&name, &model, &folder.metrics(), &folder.place_text(), &dataset)?
    };
    files::write_atomic(&args.out, page.as_bytes())?;
    let (mut output, file) = (Output::default(), args.out.display().to_string());
    if args.json {
        return output.json(&json!({"file": file, "bytes": page.len(), "warnings": warnings.list()}));
    }
    output.line(format!("{file}, {}", size(page.len() as u64)))
}
