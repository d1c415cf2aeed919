//! `selvedge export --format firmware`: a cargo project that runs a model on a board.

use std::path::{Path, PathBuf};

use selvedge::format::{Header, SelfTest};
use serde_json::json;

use crate::cli::{Export, FirmwareArgs};
use crate::data::idx::Images;
use crate::data::{Reading, Source};
use crate::error::{Error, Result, typed};
use crate::files;
use crate::firmware::boards::{self, BOARDS, Board, Loader, Region};
use crate::firmware::{Needs, needs, project};
use crate::flash;
use crate::memory::size;
use crate::model::{self, Model};
use crate::terminal::{Output, Warnings};

/// Files by which a folder of firmware is known.
const MARKS: [&str; 3] = ["Cargo.toml", "memory.x", "model.selv"];

/// Writes the project.
///
/// # Errors
/// Exit code 2 for an unknown board or a folder that is taken, 4 for an invalid model, 6 where it does not fit the board.
pub fn run(args: &Export) -> Result<()> {
    if args.packing.is_some() || args.dtype.is_some() || args.prefix.is_some() {
        return Err(Error::misused(
            "--packing, --dtype and --prefix do not go with --format firmware: the board decides",
        ));
    }
    let board = board(&args.firmware)?;
    // A file that is no model, or that is not there, says so itself.
    let Some(bytes) = model::flash(&args.model)? else {
        return Err(Model::load(&args.model).map_or_else(|e| e, |_| floats(&args.model)));
    };
    let image = model::parse_flash(&args.model, &bytes)?;
    let dtype = image.header().dtype();
    if !dtype.is_integer() {
        return Err(floats(&args.model));
    }
    let core = crate::estimate::core(board.core).expect("the boards' cores are those of the budget");
    let packed = flash::repack(&image, dtype, core.packing)?;
    let image = flash::parse_own(&packed)?;
    let header = image.header();
    let needs = needs(header, &board)?;
    let mut warnings = Warnings::default();
    let images = images(&args.firmware, header, needs.images, &mut warnings)?;
    let selvedge = core_crate(args.firmware.selvedge_path.as_deref())?;
    let files = project(header, &packed, &board, &images, selvedge.as_deref());
    files::write_folder(&args.out, &files, args.firmware.overwrite.then_some(&MARKS))?;
    report(args, &board, header, &needs, &warnings)
}

fn floats(model: &Path) -> Error {
    Error::misused(format!(
        "{} holds floats, and firmware runs integers: `selvedge quantize MODEL --dtype i8 -o FILE.selv` makes them; floats \
         run on a microcontroller too, from `selvedge export --format rust`",
        model.display()
    ))
}

fn report(
    args: &Export,
    board: &Board<'_>,
    header: &Header<'_>,
    needs: &Needs,
    warnings: &Warnings,
) -> Result<()> {
    let folder = args.out.display().to_string();
    let packing = header.packing().name();
    let mut output = Output::default();
    if args.json {
        return output.json(&json!({
            "folder": folder, "board": board.name, "target": board.target, "packing": packing,
            "flash_bytes": needs.flash, "ram_bytes": needs.ram, "images": needs.images,
            "warnings": warnings.list(),
        }));
    }
    let of =
        |needed: usize, region: Region| format!("{} of {}", size(needed as u64), size(region.size as u64));
    output.line(format!(
        "{folder}, a cargo project for {} ({}); the model is packed as {packing}\n\
         about {} of flash, {} of RAM\n\
         next: rustup target add {}; cd {}; cargo run --release",
        board.name,
        board.about,
        of(needs.flash, board.flash),
        of(needs.ram, board.ram),
        board.target,
        typed(&args.out),
    ))
}

/// The board that the words name or describe.
fn board(args: &FirmwareArgs) -> Result<Board<'_>> {
    let names = || BOARDS.iter().map(|b| b.name).collect::<Vec<_>>().join(", ");
    let Some(name) = args.board.as_deref() else {
        return Err(Error::misused(format!("--format firmware needs --board: {}, or custom", names())));
    };
    if name == "custom" {
        return custom(args);
    }
    if let Some(word) = args.of_custom_board() {
        return Err(Error::misused(format!(
            "{word} describes a board of your own: use it with --board custom"
        )));
    }
    boards::board(name).copied().ok_or_else(|| {
        let near = |b: &&Board<'_>| strsim::jaro_winkler(b.name, name);
        let nearest = BOARDS.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
        let hint = nearest.filter(|b| near(b) > 0.7).map(|b| format!(" did you mean {}?", b.name));
        Error::misused(format!(
            "--board {name}: no board of that name;{} the boards are {}, and custom",
            hint.unwrap_or_default(),
            names()
        ))
    })
}

fn custom(args: &FirmwareArgs) -> Result<Board<'_>> {
    let needed = |word: &str| {
        Error::misused(format!(
            "--board custom needs {word}; such as --target thumbv7em-none-eabihf --flash-start 0x08000000 --flash-size \
             512K --ram-start 0x20000000 --ram-size 96K"
        ))
    };
    let target = args.target.as_deref().ok_or_else(|| needed("--target"))?;
    let cpu = args.cpu.as_deref();
    let core = boards::core_of(target, cpu).ok_or_else(|| {
        Error::misused(format!(
            "--target {target}: the targets are thumbv6m-none-eabi, thumbv7m-none-eabi, thumbv7em-none-eabi(hf), \
             thumbv8m.base-none-eabi, thumbv8m.main-none-eabi(hf) and riscv32imc-unknown-none-elf"
        ))
    })?;
    let region = |start: Option<u32>, size: Option<crate::estimate::Bytes>, words: [&str; 2]| {
        let start = start.ok_or_else(|| needed(words[0]))?;
        let size = size.ok_or_else(|| needed(words[1]))?.0;
        if size == 0 || u64::from(start) + size as u64 > 1 << 32 {
            return Err(Error::misused(format!(
                "{} and {}: no memory of 32 bits lies there",
                words[0], words[1]
            )));
        }
        Ok(Region { start, size })
    };
    Ok(Board {
        name: "custom",
        about: cpu.unwrap_or(target),
        core,
        target,
        cpu,
        flash: region(args.flash_start, args.flash_size, ["--flash-start", "--flash-size"])?,
        ram: region(args.ram_start, args.ram_size, ["--ram-start", "--ram-size"])?,
        chip: args.chip.as_deref(),
        machine: None,
        loader: Loader::None,
    })
}

/// The first image of each class, `count` in all: of the data set that is named, else of the demo, else noise.
fn images(args: &FirmwareArgs, header: &Header<'_>, count: usize, warnings: &mut Warnings) -> Result<Images> {
    let inputs = header.inputs();
    let named =
        args.data.data.clone().or_else(|| args.data.data_dir.is_some().then_some(Source::FashionMnist));
    let demo = header.image().is_none_or(|size| size == (28, 28)) && inputs == 28 * 28;
    let Some(source) = named.or_else(|| demo.then_some(Source::Demo)) else {
        let (rows, cols) = header.image().unwrap_or((1, inputs));
        let noise = (1..=count).flat_map(|seed| SelfTest::pixels(seed as u32).take(inputs));
        return Ok(Images { pixels: noise.collect(), count, rows, cols });
    };
    let dataset = source.load(args.data.data_dir.as_deref(), args.data.reading.over(Reading::default()))?;
    dataset.warnings.iter().for_each(|text| warnings.add(text));
    let set = dataset.test;
    let (rows, cols) = (set.images.rows, set.images.cols);
    if rows * cols != inputs || header.image().is_some_and(|size| size != (rows, cols)) {
        return Err(Error::model(format!(
            "the images of {source} are {rows} x {cols} pixels, but the model takes {inputs} inputs"
        )));
    }
    let mut pixels = Vec::new();
    let firsts = (0..=u8::MAX).filter_map(|class| set.labels.iter().position(|l| *l == class));
    let others = 0..set.labels.len();
    let mut chosen = Vec::new();
    for n in firsts.chain(others) {
        if chosen.len() < count && !chosen.contains(&n) {
            chosen.push(n);
            pixels.extend_from_slice(set.images.image(n).unwrap_or_default());
        }
    }
    Ok(Images { pixels, count: chosen.len(), rows, cols })
}

/// The folder of the core crate: the one that is named, or the one that this program was built with.
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
            Error::misused(format!(
                "--selvedge-path {}: the crate selvedge is not there; name the folder with its Cargo.toml",
                folder.display()
            ))
        }),
    }
}
