//! Firmware: a cargo project that runs a flash file of integers on a board.

use std::path::{Path, PathBuf};

use selvedge::Rng;
use selvedge::format::{Dtype, Header, InputType, ModelView, SelfTest};
use selvedge::naive::integer::largest_code;
use serde_json::json;

use super::{Destination, ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile};
use crate::data::idx::Images;
use crate::data::{Reading, Source as DataSource};
use crate::error::{Error, Result, typed};
use crate::estimate::{self, classifies_pictures, row_values};
use crate::firmware::boards::{Board, Region};
use crate::firmware::{Inputs, Needs, needs, project};
use crate::flash;
use crate::memory::size;
use crate::terminal::Warnings;

/// The options of firmware.
#[derive(Debug)]
pub struct FirmwareOptions<'a> {
    /// The board.
    pub board: Board<'a>,
    /// The data set of the images.
    pub data: Option<&'a DataSource>,
    /// The folder of the data set's files.
    pub data_dir: Option<&'a Path>,
    /// The interpretation of the data set's files.
    pub reading: Reading,
    /// The folder of the core crate.
    pub core_crate: Option<&'a Path>,
}

/// `--format firmware`.
pub(super) struct Firmware;

impl Exporter for Firmware {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("firmware", "Cargo project that runs a flash file on a board")
            .with_options(&[ExportOption::Board, ExportOption::Overwrite, ExportOption::Schema])
            .with_destination(Destination::Folder(&["Cargo.toml", "memory.x", "model.selv"]))
    }

    fn accepts(&self, dtype: Dtype, path: &Path) -> Result<()> {
        if dtype.is_integer() { Ok(()) } else { Err(needs_integers(path)) }
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        let firmware = options.firmware.as_ref().ok_or_else(|| Error::usage("firmware needs a board"))?;
        match model {
            ModelFile::Flash(model) if model.header().dtype().is_integer() => write(model, options, firmware),
            _ => Err(needs_integers(options.model)),
        }
    }
}

fn needs_integers(model: &Path) -> Error {
    Error::usage(format!(
        "{} holds floats, and firmware runs integers: `selvedge quantize MODEL --dtype i8 -o FILE.selv` makes them; floats \
         run on a microcontroller too, from `selvedge export --format rust`",
        model.display()
    ))
}

/// The project with the model packed for the board's core.
fn write(
    model: &ModelView<'_>,
    options: &ExportOptions<'_>,
    firmware: &FirmwareOptions<'_>,
) -> Result<Exported> {
    let board = &firmware.board;
    let core = estimate::core(board.core).expect("the boards' cores are those of the estimate");
    let packed = flash::repack(model, model.header().dtype(), core.packing)?;
    let model = &flash::parse_own(&packed)?;
    let header = model.header();
    let needs = needs(header, board)?;
    let mut warnings = Warnings::default();
    let inputs = if classifies_pictures(header) {
        Inputs::Images(images(firmware, header, needs.images, &mut warnings)?)
    } else {
        Inputs::Rows(rows(model, firmware, needs.images, &mut warnings)?)
    };
    let selvedge = core_crate(firmware.core_crate)?;
    let files = project(header, &packed, board, (&inputs, &options.row_names()), selvedge.as_deref());

    let folder = options.out.display().to_string();
    let packing = header.packing().name();
    let json = json!({
        "folder": folder, "board": board.name, "target": board.target, "packing": packing,
        "flash_bytes": needs.flash, "ram_bytes": needs.ram, "images": needs.images,
        "warnings": warnings.list(),
    });
    Ok(Exported { files, report: vec![(summary(options.out, board, packing, &needs), json)] })
}

/// The project in words, and how to run it.
fn summary(out: &Path, board: &Board<'_>, packing: &str, needs: &Needs) -> String {
    let of =
        |needed: usize, region: Region| format!("{} of {}", size(needed as u64), size(region.size as u64));
    format!(
        "{}, a cargo project for {} ({}); the model is packed as {packing}\n\
         about {} of flash, {} of RAM\n\
         next: rustup target add {}; cd {}; cargo run --release",
        out.display(),
        board.name,
        board.about,
        of(needs.flash, board.flash),
        of(needs.ram, board.ram),
        board.target,
        typed(out),
    )
}

/// `count` images, the first of each class first: from the named data set, else the demo, else noise.
fn images(
    options: &FirmwareOptions<'_>,
    header: &Header<'_>,
    count: usize,
    warnings: &mut Warnings,
) -> Result<Images> {
    let inputs = header.inputs();
    let named = options.data.or_else(|| options.data_dir.is_some().then_some(&DataSource::FashionMnist));
    let demo = header.image().is_none_or(|size| size == (28, 28)) && inputs == 28 * 28;
    let Some(source) = named.or_else(|| demo.then_some(&DataSource::Demo)) else {
        let (rows, cols) = header.image().unwrap_or((1, inputs));
        let noise = (1..=count).flat_map(|seed| SelfTest::pixels(seed as u32).take(inputs));
        return Ok(Images { pixels: noise.collect(), count, rows, cols, channels: 1 });
    };
    let dataset = source.load(options.data_dir, &options.reading)?;
    dataset.warnings.iter().for_each(|text| warnings.add(text));
    let set = dataset.test;
    let Images { rows, cols, channels, .. } = *set.images()?;
    if rows * cols * channels != inputs || header.image().is_some_and(|size| size != (rows, cols)) {
        return Err(Error::model(format!(
            "the images of {source} are {rows} x {cols} pixels{}, but the model takes {inputs} inputs",
            if channels == 3 { " in colour" } else { "" }
        )));
    }
    let mut pixels = Vec::new();
    let firsts = (0..=u8::MAX).filter_map(|class| set.labels().iter().position(|l| *l == class));
    let others = 0..set.len();
    let mut chosen = Vec::new();
    for n in firsts.chain(others) {
        if chosen.len() < count && !chosen.contains(&n) {
            chosen.push(n);
            pixels.extend_from_slice(set.images()?.image(n).unwrap_or_default());
        }
    }
    Ok(Images { pixels, count: chosen.len(), rows, cols, channels })
}

/// `count` rows of raw values: images where samples are bytes, else values drawn from the range that the input map covers.
fn rows(
    model: &ModelView<'_>,
    options: &FirmwareOptions<'_>,
    count: usize,
    warnings: &mut Warnings,
) -> Result<Vec<u8>> {
    let header = model.header();
    if !header.input_map().is_affine() && header.window().is_none() {
        return Ok(images(options, header, count, warnings)?.pixels);
    }
    if options.data.is_some() || options.data_dir.is_some() {
        return Err(Error::usage(format!(
            "--data and --data-dir do not go with this file: it does not say which columns its inputs are; leave them out, and \
             write your rows into rows.bin, {} little-endian {} each",
            row_values(header),
            header.input_type().name()
        )));
    }
    let (rng, mut bytes) = (&mut Rng::new(1), Vec::new());
    for value in 0..count * row_values(header) {
        let feature = value % header.inputs();
        match header.input_type() {
            InputType::F32 => {
                let (offset, scale) = model.float_map(feature);
                let width = 2.0 * f32::from(largest_code(header.input_bits())) / scale;
                let x = offset + width * rng.uniform();
                bytes.extend(if x.is_finite() { x } else { offset }.to_le_bytes());
            }
            of => {
                let (lo, span) = match header.input_map().is_affine() {
                    true => (model.integer_map(feature).0, model.integer_map(feature).1),
                    false => (0, 255),
                };
                let x = lo + rng.below(u32::from(span) + 1) as i32;
                bytes.extend(&x.to_le_bytes()[..of.bytes()]);
            }
        }
    }
    Ok(bytes)
}

/// The folder of the core crate: the named one, or the one that this program was built with.
fn core_crate(named: Option<&Path>) -> Result<Option<PathBuf>> {
    let ours = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        let manifest: toml::Table = text.parse().ok()?;
        let package = manifest.get("package")?.get("name")?.as_str()?;
        (package == "selvedge").then(|| folder.canonicalize().ok()).flatten()
    };
    match named {
        None => Ok(ours(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")))),
        Some(folder) => ours(folder).map(Some).ok_or_else(|| {
            Error::usage(format!(
                "--selvedge-path {}: the crate selvedge is not there; name the folder with its Cargo.toml",
                folder.display()
            ))
        }),
    }
}
