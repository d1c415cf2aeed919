//! `selvedge export`: a model in another program's format.

use super::firmware;
use crate::cli::Export;
use crate::error::{Error, Result};
use crate::export::{Destination, ExportOption, ExportOptions, Exporter, FirmwareOptions, ModelFile};
use crate::files;
use crate::inference::network::model_of;
use crate::model::{self, Model};
use crate::terminal::Output;

/// Exports a model.
///
/// # Errors
/// `Model` for an invalid model, `Usage` for a folder that is taken or options that do not go with the format, `Budget` if the model
/// does not fit the board, 1 if a file cannot be written.
pub fn run(args: &Export) -> Result<()> {
    let exporter = args.format.exporter();
    let firmware = check_options(args, exporter)?;
    if exporter.info().destination == Destination::Files {
        files::check_output(&args.out, &model::file_of(&args.model))?;
    }
    let bytes = model::flash(&args.model)?;
    let source = match &bytes {
        Some(bytes) => ModelFile::Flash(model::parse_flash(&args.model, bytes)?),
        None => ModelFile::Model(Box::new(Model::load(&args.model)?)),
    };
    exporter.accepts(source.dtype(), &args.model)?;
    let schema = match (&source, &args.schema) {
        (ModelFile::Flash(file), Some(path)) => model_of(path, file)?.about.schema,
        (ModelFile::Flash(_), None) => None,
        (ModelFile::Model(_), Some(_)) => {
            return Err(Error::usage(
                "--schema goes with a flash file, and the model says its columns itself",
            ));
        }
        (ModelFile::Model(model), None) => model.about.schema.clone(),
    };
    let options = ExportOptions {
        model: &args.model,
        out: &args.out,
        prefix: args.prefix.as_deref(),
        storage: args.storage,
        dtype: args.dtype,
        packing: args.packing,
        firmware,
        schema,
    };
    let exported = exporter.write(&source, &options)?;
    match exporter.info().destination {
        Destination::Files => {
            for (path, bytes) in &exported.files {
                files::write_atomic(path, bytes)?;
            }
        }
        Destination::Folder(marks) => {
            files::write_folder(&args.out, &exported.files, args.firmware.overwrite.then_some(marks))?;
        }
    }
    let mut output = Output::default();
    for (text, json) in &exported.report {
        if args.json { output.json(json)? } else { output.line(text)? }
    }
    Ok(())
}

/// Refuses options that the format does not take; returns those of firmware.
fn check_options<'a>(args: &'a Export, exporter: &dyn Exporter) -> Result<Option<FirmwareOptions<'a>>> {
    let takes = |option| exporter.info().options.contains(&option);
    if args.schema.is_some() && !takes(ExportOption::Schema) {
        return Err(ExportOption::Schema.refusal("--schema"));
    }
    let weights = args.packing.is_some() || args.dtype.is_some();
    if takes(ExportOption::Board) {
        if weights || args.prefix.is_some() {
            return Err(Error::usage(
                "--packing, --dtype and --prefix do not go with --format firmware: the board decides",
            ));
        }
        if args.storage.is_some() {
            return Err(ExportOption::Storage.refusal("--storage"));
        }
        return firmware::options(&args.firmware).map(Some);
    }
    if let Some(flag) = args.firmware.said() {
        return Err(ExportOption::Board.refusal(flag));
    }
    if args.firmware.overwrite && !takes(ExportOption::Overwrite) {
        return Err(ExportOption::Overwrite.refusal("--overwrite"));
    }
    if weights && !takes(ExportOption::Weights) {
        return Err(ExportOption::Weights.refusal("--packing and --dtype"));
    }
    if args.prefix.is_some() && !takes(ExportOption::Prefix) {
        return Err(ExportOption::Prefix.refusal("--prefix"));
    }
    if args.storage.is_some() && !takes(ExportOption::Storage) {
        return Err(ExportOption::Storage.refusal("--storage"));
    }
    Ok(None)
}
