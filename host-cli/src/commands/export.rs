//! `selvedge export`: a model in another program's format.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::Export;
use crate::error::Result;
use crate::exchange::{self, Net};
use crate::files;
use crate::fold;
use crate::memory::size;
use crate::model::{self, Model};
use crate::terminal::Output;

/// Exports a model.
///
/// # Errors
/// Exit code 4 for an invalid model, 1 where the file cannot be written.
pub fn run(args: &Export) -> Result<()> {
    let bytes = model::flash(&args.model)?;
    let image = bytes.as_ref().map(|bytes| model::parse_flash(&args.model, bytes)).transpose()?;
    let (folded, classes): (_, Vec<String>);
    let net = match &image {
        Some(image) if image.header().dtype().is_integer() => Net::Integer(image),
        Some(image) => {
            (folded, classes) = (fold::of_file(image)?, image.labels().map(String::from).collect());
            Net::Float(&folded, &classes)
        }
        None => {
            let model = Model::load(&args.model)?;
            (folded, classes) = (fold::fold(&model)?, model.about.classes);
            Net::Float(&folded, &classes)
        }
    };
    let written = exchange::export(net, args.format, &args.out, args.prefix.as_deref())?;
    for (path, bytes) in &written {
        files::write_atomic(path, bytes)?;
    }
    let mut output = Output::default();
    let of = |(path, bytes): &(PathBuf, Vec<u8>)| (path.display().to_string(), bytes.len());
    for (file, bytes) in written.iter().map(of) {
        if args.json {
            output.json(&json!({"file": file, "bytes": bytes}))?;
        } else {
            output.line(format!("{file}, {}", size(bytes as u64)))?;
        }
    }
    Ok(())
}
