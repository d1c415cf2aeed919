//! `selvedge export`: a model in another program's format.

use std::path::PathBuf;

use selvedge::format::{Dtype, Packing};
use serde_json::json;

use super::firmware;
use crate::cli::Export;
use crate::error::{Error, Result};
use crate::exchange::{self, Format, Net};
use crate::files;
use crate::flash;
use crate::inference::network::Network;
use crate::memory::size;
use crate::model::fold;
use crate::model::{self, Model};
use crate::terminal::Output;

/// Exports a model.
///
/// # Errors
/// Exit code 4 for an invalid model, 1 where the file cannot be written.
pub fn run(args: &Export) -> Result<()> {
    if args.format == Format::Firmware {
        return firmware::run(args);
    }
    if let Some(word) = args.firmware.said() {
        return Err(Error::misused(format!("{word} goes with --format firmware alone")));
    }
    let flash_file = matches!(args.format, Format::Selv | Format::Rust);
    if !flash_file && (args.packing.is_some() || args.dtype.is_some()) {
        return Err(Error::misused("--packing and --dtype go with --format selv and rust"));
    }
    files::can_hold(&args.out, &model::file_of(&args.model))?;
    if flash_file {
        return flash_or_module(args);
    }
    let bytes = model::flash(&args.model)?;
    let image = bytes.as_ref().map(|bytes| model::parse_flash(&args.model, bytes)).transpose()?;
    let (folded, classes): (_, Vec<String>);
    let net = match &image {
        Some(image) if image.header().dtype().is_integer() => Net::Integer(image),
        Some(image) => {
            (folded, classes) = (fold::from_file(image)?, image.labels().map(String::from).collect());
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

/// A flash file, or a Rust module around one.
fn flash_or_module(args: &Export) -> Result<()> {
    if args.prefix.is_some() {
        return Err(Error::misused("--prefix goes with --format c alone"));
    }
    let bytes = match Network::load(&args.model)? {
        Network::Float(model) => flash::of_model(
            &model,
            args.dtype.unwrap_or(Dtype::F32),
            args.packing.unwrap_or(Packing::Generic),
        )?,
        Network::Flash(flash) => {
            let image = flash.image();
            let (dtype, packing) = (image.header().dtype(), image.header().packing());
            flash::repack(&image, args.dtype.unwrap_or(dtype), args.packing.unwrap_or(packing))?
        }
    };
    let image = flash::parse_own(&bytes)?;
    match args.format {
        Format::Rust => files::write_atomic(&args.out, flash::module(&image).as_bytes())?,
        _ => files::write_atomic(&args.out, &bytes)?,
    }
    let header = image.header();
    let (file, dtype, packing) =
        (args.out.display().to_string(), header.dtype().name(), header.packing().name());
    let mut output = Output::default();
    if args.json {
        return output.json(&json!({"file": file, "bytes": bytes.len(), "dtype": dtype, "packing": packing}));
    }
    output.line(format!("{file}, {} of flash, {dtype} packed as {packing}", size(bytes.len() as u64)))
}
