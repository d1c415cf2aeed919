//! Flash files: as they are, or inside a Rust module.

use selvedge::format::{Dtype, Packing, Task};
use serde_json::json;

use super::{ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile};
use crate::data;
use crate::error::{Error, Result};
use crate::flash;
use crate::memory::{Bytes, size};
use crate::model;

/// `--format selv`.
pub(super) struct FlashFile;

impl Exporter for FlashFile {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("selv", "Flash file").with_options(&[ExportOption::Weights])
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        exported(model, options, |bytes| Ok(bytes.to_vec()))
    }
}

/// `--format rust`.
pub(super) struct RustModule;

impl Exporter for RustModule {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("rust", "Rust module around a flash file")
            .with_options(&[ExportOption::Weights, ExportOption::Schema])
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        let inputs = options.row_names();
        exported(model, options, |bytes| Ok(flash::module(&flash::parse_own(bytes)?, &inputs).into_bytes()))
    }
}

/// The file that `contents` makes of the flash file; the report is the flash file's.
fn exported(
    model: &ModelFile<'_>,
    options: &ExportOptions<'_>,
    contents: impl Fn(&[u8]) -> Result<Vec<u8>>,
) -> Result<Exported> {
    let bytes = flash_file(model, options)?;
    let model = flash::parse_own(&bytes)?;
    let header = model.header();
    let (file, dtype, packing) =
        (options.out.display().to_string(), header.dtype().name(), header.packing().name());
    let text = format!("{file}, {} of flash, {dtype} packed as {packing}", size(bytes.len() as u64));
    let json = json!({"file": file, "bytes": bytes.len(), "dtype": dtype, "packing": packing});
    let files = vec![(options.out.to_path_buf(), contents(&bytes)?)];
    Ok(Exported { files, report: vec![(text, json)] })
}

/// The flash file of a model, in the type and packing that the options ask for.
fn flash_file(model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Bytes> {
    match model {
        ModelFile::Model(model) => flash::of_model(
            model,
            options.dtype.unwrap_or(Dtype::F32),
            options.packing.unwrap_or(Packing::Generic),
        ),
        ModelFile::Flash(model) => {
            let header = model.header();
            if header.task() == Task::Class {
                model::fit::check_outputs(model::flash_shape(model), data::Task::Classify)
                    .map_err(|why| Error::model(format!("{}: {why}", options.model.display())))?;
            }
            let (dtype, packing) = (header.dtype(), header.packing());
            flash::repack(model, options.dtype.unwrap_or(dtype), options.packing.unwrap_or(packing))
        }
    }
}
