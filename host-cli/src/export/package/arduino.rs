//! `--format arduino`: a zip that the Arduino IDE and PlatformIO take as a library, with a sketch that asks the network.
//!
//! On AVR the constants stay in flash, and a network that an ATmega328P has no room for is refused; `--storage const` makes a
//! library for boards with more memory. The zip is stored, not deflated, so that its bytes depend on the model alone.

use std::io::{Cursor, Write};

use selvedge::format::{Dtype, Header, InputType, ModelView, Packing, Task};
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::super::{ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile};
use super::c::{self, Storage};
use super::{filled, library_json, name, sketch};
use crate::error::{Error, ErrorKind, Result};
use crate::flash;
use crate::memory::size;

const PROPERTIES: &str = include_str!("../../../templates/package/library.properties.in");
const README: &str = include_str!("../../../templates/package/arduino-README.md.in");

/// RAM of an ATmega328P.
const AVR_RAM: usize = 2048;

/// What Arduino's core, the serial port and the stack of the functions take of it at least; `tests/arduino/run` prints it.
const AVR_RAM_OF_PROGRAM: usize = 400;

/// What to type for a network that an AVR has no room for.
const ADVICE: &str = "take fewer or narrower layers, `selvedge quantize --dtype i8` or i4, or --storage const for boards \
                      with more memory";

/// `--format arduino`.
pub(in crate::export) struct Arduino;

impl Exporter for Arduino {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("arduino", "Zip of a library for Arduino and PlatformIO, and an example sketch")
            .with_options(&[ExportOption::Prefix, ExportOption::Storage, ExportOption::Schema])
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        if !options.out.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip")) {
            return Err(Error::usage(format!(
                "{}: Arduino takes a library as a zip; name it FILE.zip",
                options.out.display()
            )));
        }
        let stem =
            options.out.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let name = name(options.prefix, &stem)?;
        let storage = options.storage.unwrap_or(Storage::Progmem);
        let inputs = &options.row_names();
        let (files, constants) = match model {
            ModelFile::Flash(model) => files(model, &name, inputs, storage)?,
            ModelFile::Model(model) => {
                let bytes = flash::of_model(model, Dtype::F32, Packing::Generic)?;
                files(&flash::parse_own(&bytes)?, &name, inputs, storage)?
            }
        };
        let zipped = zipped(&name, &files)
            .map_err(|error| Error::failed(format!("cannot make the zip of the library: {error}")))?;
        let (file, bytes) = (options.out.display().to_string(), zipped.len());
        let json = json!({
            "file": file, "bytes": bytes, "name": name, "files": files.len(), "constant_bytes": constants,
            "storage": storage.name(),
        });
        let line = format!(
            "{file}, the Arduino library {name}: {} files, {}, constants of {}\nnext: Sketch > Include Library > Add .ZIP \
             Library in the Arduino IDE, then File > Examples > {name}",
            files.len(),
            size(bytes as u64),
            size(constants as u64),
        );
        Ok(Exported { files: vec![(options.out.to_path_buf(), zipped)], report: vec![(line, json)] })
    }
}

/// The files, sorted by their paths, and the bytes of the network's constants.
fn files(
    model: &ModelView<'_>,
    name: &str,
    inputs: &[String],
    storage: Storage,
) -> Result<(Vec<(String, String)>, usize)> {
    let code = c::files(model, name, inputs, storage)?;
    storage.check(code.constants, ADVICE)?;
    let ram = ram(model.header());
    if storage == Storage::Progmem && ram > AVR_RAM - AVR_RAM_OF_PROGRAM {
        return Err(Error::new(
            ErrorKind::Budget,
            format!(
                "the network does not fit an AVR with {AVR_RAM} bytes of RAM, such as the ATmega328P: a sample and the buffers \
                 of the layers take {ram} bytes, and beside the program there is room for {}; {ADVICE}",
                AVR_RAM - AVR_RAM_OF_PROGRAM
            ),
        ));
    }
    let memory = match storage {
        Storage::Progmem => format!("On AVR its {} bytes of constants stay in flash.", code.constants),
        Storage::Const => format!("Its {} bytes of constants go to RAM on AVR.", code.constants),
    };
    let fill = |template: &str| filled(template, model, name).replace("@MEMORY@", &memory);
    let mut files = vec![
        ("README.md".into(), fill(README)),
        (format!("examples/{name}/{name}.ino"), sketch::text(model, name, storage)),
        ("library.json".into(), library_json(model, name, "arduino")),
        ("library.properties".into(), fill(PROPERTIES)),
        (format!("src/{name}.c"), code.source.replacen("HEADER", &format!("{name}.h"), 2)),
        (format!("src/{name}.h"), code.header),
    ];
    files.sort();
    Ok((files, code.constants))
}

/// Bytes of RAM that an answer takes: the sample, the inputs of the layers, and the logits.
fn ram(header: &Header<'_>) -> usize {
    let integer = header.dtype().is_integer();
    let raw = match header.input_type() {
        InputType::F32 => 4,
        InputType::I16 | InputType::U16 => 2,
        _ => 1,
    };
    let widest = |parity: usize| (parity..header.layers()).step_by(2).map(|l| header.width(l)).max();
    let buffers = widest(0).unwrap_or(0) + widest(1).unwrap_or(0);
    let low = if integer && header.input_bits() == 14 { header.inputs() } else { 0 };
    let logits = if integer && header.task() == Task::Reconstruction { 0 } else { header.outputs() };
    header.inputs() * raw + buffers * if integer { 1 } else { 4 } + low + 4 * logits
}

/// A zip of the files in a folder, which Arduino wants to be alone in it.
fn zipped(folder: &str, files: &[(String, String)]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in files {
        zip.start_file(format!("{folder}/{path}"), options)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}
