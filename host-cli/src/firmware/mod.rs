//! Generates a cargo project that runs a network on a board: the program in `firmware/`, which `tests/firmware` builds and
//! runs too, with a flash file, some images or rows, and the board's memory map and runner.
//!
//! Classifiers of pictures have a program of their own, `MAIN`, in which a camera is easily put; all other files have
//! `SAMPLES`, which answers the question of the file's task for rows of raw values.
//!
//! [`boards`] holds what differs between boards. Nothing here touches the disk.

pub mod boards;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use selvedge::format::{Dtype, Header, InputType};

use crate::data::idx::{self, Images};
use crate::error::{Error, ErrorKind, Result};
use crate::estimate::{self, Bytes, Requirements, classifies_pictures, row_values};
use boards::{Board, Loader};

/// The program that classifies images.
const MAIN: &str = include_str!("../../firmware/src/main.rs");
/// The same for other files, with placeholders in angle brackets for the engine and the type of raw values.
const SAMPLES: &str = include_str!("../../firmware/src/samples.rs.in");
const CONSOLE: &str = include_str!("../../firmware/src/console.rs");
const STATIC_BUFFER: &str = include_str!("../../firmware/src/static_buffer.rs");
const CYCLES_DWT: &str = include_str!("../../firmware/src/cycles_dwt.rs");
const CYCLES_SYSTICK: &str = include_str!("../../firmware/src/cycles_systick.rs");
const CYCLES_MCYCLE: &str = include_str!("../../firmware/src/cycles_mcycle.rs");
const BUILD: &str = include_str!("../../firmware/build.rs");
const BOOT_RP2040: &str = include_str!("../../firmware/src/boot_rp2040.rs");
const BOOT_RP2350: &str = include_str!("../../firmware/src/boot_rp2350.rs");

/// The number of images, rows or windows in a project, if there is room.
const MAX_IMAGES: usize = 10;

/// What a program answers for.
#[derive(Debug)]
pub enum Inputs {
    /// Images, for a [classifier of pictures](estimate::classifies_pictures).
    Images(Images),
    /// Rows of raw values, little-endian.
    Rows(Vec<u8>),
}

/// The files of a project, with their paths inside it.
pub type Files = Vec<(PathBuf, Vec<u8>)>;

/// The memory that a program takes on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of flash: model, code and images or rows.
    pub flash: usize,
    /// Bytes of RAM.
    pub ram: usize,
    /// The number of images or rows that fit.
    pub images: usize,
}

/// The memory that a program with a flash file of this header takes on a board.
///
/// # Errors
/// `Budget` with the numbers if the board has less.
pub fn needs(header: &Header<'_>, board: &Board<'_>) -> Result<Needs> {
    let core = estimate::core(board.core).expect("the boards' cores are those of the estimate");
    let bare = Requirements::new(header, core);
    let row_bytes = row_values(header) * header.input_type().bytes();
    // A window is due after its rows, then after each stride.
    let (least, most) =
        header.window().map_or((1, MAX_IMAGES), |(rows, stride)| (rows, rows + (MAX_IMAGES - 1) * stride));
    let images = most.min(board.flash.size.saturating_sub(bare.flash) / row_bytes);
    let requirements = Requirements { flash: bare.flash + images.max(least) * row_bytes, ..bare };
    let Some(short) = requirements.short_of(Some(Bytes(board.flash.size)), Some(Bytes(board.ram.size)))
    else {
        return Ok(Needs { flash: requirements.flash, ram: requirements.ram, images });
    };
    let message = format!(
        "the model does not fit {} ({}): {}; take fewer or narrower layers, `selvedge quantize --dtype i4`, or a \
         larger board",
        board.name, board.about, short
    );
    Err(Error::new(ErrorKind::Budget, message))
}

/// The project. `file` is a flash file of integers in the board's packing; `selvedge` is the core crate's folder, unless it
/// comes from the registry. `names` are those of the values of a row, where they are known.
pub fn project(
    header: &Header<'_>,
    file: &[u8],
    board: &Board<'_>,
    (inputs, names): (&Inputs, &[String]),
    selvedge: Option<&Path>,
) -> Files {
    let boot = match board.loader {
        Loader::None => None,
        Loader::Rp2040 => Some(BOOT_RP2040),
        Loader::Rp2350 => Some(BOOT_RP2350),
    };
    let mut main = match inputs {
        Inputs::Images(_) => MAIN.to_string(),
        Inputs::Rows(_) => samples(header),
    };
    if boot.is_some() {
        main = main.replace("mod console;", "mod boot;\nmod console;");
    }
    let mut files: Files = [
        ("Cargo.toml", manifest(board, selvedge)),
        (".cargo/config.toml", config(board)),
        ("memory.x", board.memory_x()),
        ("README.md", readme(header, board) + &values_of_a_row(names)),
        ("build.rs", BUILD.into()),
        ("src/main.rs", main),
        ("src/console.rs", CONSOLE.into()),
        ("src/cycles.rs", cycles(board)),
        ("src/static_buffer.rs", STATIC_BUFFER.into()),
    ]
    .map(|(path, text)| (path.into(), text.into_bytes()))
    .into();
    files.extend(boot.map(|text| ("src/boot.rs".into(), text.into())));
    files.push(("model.selv".into(), file.to_vec()));
    files.push(match inputs {
        Inputs::Images(images) => ("images.idx".into(), idx::write_images(images)),
        Inputs::Rows(rows) => ("rows.bin".into(), rows.clone()),
    });
    files
}

/// The counter of cycles that the board's core has. What QEMU counts in its place, except the DWT's 0, is no cycle.
fn cycles(board: &Board<'_>) -> String {
    let (text, counter) = match board.core {
        "m0" => (CYCLES_SYSTICK, "SysTick"),
        "rv32" => (CYCLES_MCYCLE, "mcycle"),
        _ => return CYCLES_DWT.into(),
    };
    match board.machine {
        Some(_) => text.replace(
            &format!("\"{counter}\""),
            &format!("\"{counter} (in QEMU its own time, not a core's cycles)\""),
        ),
        None => text.into(),
    }
}

/// The program of rows, for the file's engine and raw values.
fn samples(header: &Header<'_>) -> String {
    let engine = match (header.dtype(), header.is_plain()) {
        (Dtype::I4, true) => "I4Engine",
        (_, true) => "I8Engine",
        (Dtype::I4, false) => "AnyI4Engine",
        (_, false) => "AnyI8Engine",
    };
    let zero = if header.input_type() == InputType::F32 { "0.0" } else { "0" };
    SAMPLES.replace("<engine>", engine).replace("<raw>", header.input_type().name()).replace("<zero>", zero)
}

fn manifest(board: &Board<'_>, selvedge: Option<&Path>) -> String {
    let path = selvedge.map(|p| format!(", path = {}", toml::Value::from(p.to_string_lossy().as_ref())));
    let mut dependencies = format!(
        "selvedge = {{ version = \"{}\"{}, default-features = false }}\nsemihosting = \"0.1.25\"\n",
        env!("CARGO_PKG_VERSION"),
        path.unwrap_or_default()
    );
    let runtime = if board.target.starts_with("riscv") {
        "riscv-rt = { version = \"0.18\", features = [\"single-hart\"] }\n"
    } else {
        "cortex-m-rt = \"0.7.7\"\n"
    };
    dependencies.push_str(runtime);
    if board.loader == Loader::Rp2040 {
        dependencies.push_str("rp2040-boot2 = \"0.3\"\n");
    }
    format!(
        "[package]\nname = \"firmware\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         # A workspace of its own, wherever the folder lies.\n[workspace]\n\n\
         [dependencies]\n{dependencies}\n\
         [profile.dev]\nopt-level = \"s\"\n\n\
         [profile.release]\nlto = \"fat\"\ncodegen-units = 1\npanic = \"abort\"\n\n\
         [profile.release.package.selvedge]\nopt-level = \"s\"\n"
    )
}

fn config(board: &Board<'_>) -> String {
    // Not the target's name: cargo takes the dot in thumbv8m.main for a table's.
    let arch = if board.target.starts_with("riscv") { "riscv32" } else { "arm" };
    let mut text = format!(
        "[build]\ntarget = \"{}\"\n\n[target.'cfg(all(target_arch = \"{arch}\", target_os = \"none\"))']\n",
        board.target
    );
    let mut flags = Vec::new();
    if board.target.starts_with("riscv") {
        flags.push("-Clink-arg=-Tmemory.x".to_string());
    }
    flags.push("-Clink-arg=-Tlink.x".to_string());
    flags.extend(board.cpu.map(|cpu| format!("-Ctarget-cpu={cpu}")));
    let probe = board.chip.map(|chip| format!("probe-rs run --chip {chip}"));
    let emulated = board.machine.map(|machine| emulator(board, machine));
    match (emulated, probe) {
        (Some(emulated), probe) => {
            writeln!(text, "runner = \"{emulated}\"").expect(TAKES);
            if let Some(probe) = probe {
                writeln!(text, "# On the board itself:\n# runner = \"{probe}\"").expect(TAKES);
            }
        }
        (None, Some(probe)) => writeln!(text, "runner = \"{probe}\"").expect(TAKES),
        (None, None) => text.push_str("# runner = \"probe-rs run --chip NAME\"\n"),
    }
    writeln!(text, "rustflags = {flags:?}").expect(TAKES);
    text
}

/// A string takes what it is given.
const TAKES: &str = "a string takes what it is given";

/// QEMU's command line for a machine, without the program.
fn emulator(board: &Board<'_>, machine: &str) -> String {
    let system =
        if board.target.starts_with("riscv") { "qemu-system-riscv32 -bios none" } else { "qemu-system-arm" };
    format!(
        "{system} -M {machine} -display none -serial none -monitor none \
         -semihosting-config enable=on,target=native -kernel"
    )
}

/// The paragraph that names the values of a row, or nothing where they are not known.
fn values_of_a_row(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let line = |(n, name): (usize, &String)| {
        let code: String = name.chars().map(|c| if c.is_control() || c == '`' { ' ' } else { c }).collect();
        format!("{n}. `{code}`\n")
    };
    let lines: String = names.iter().enumerate().map(line).collect();
    format!(
        "\nThe values of a row, where `column=value` is 1 where the column has that value, else 0:\n\n{lines}"
    )
}

fn readme(header: &Header<'_>, board: &Board<'_>) -> String {
    let starts = match (board.machine, board.chip) {
        (Some(_), None) => {
            "QEMU (Debian: `qemu-system-arm`, for RISC-V `qemu-system-misc`) takes the place of the board."
        }
        (Some(_), Some(_)) => {
            "QEMU (Debian: `qemu-system-arm`) takes the place of the board; `.cargo/config.toml` says how to start it on one."
        }
        (None, Some(_)) => "[probe-rs](https://probe.rs) flashes it, starts it and shows what it prints.",
        (None, None) => "Name the chip in `.cargo/config.toml`, so that `probe-rs` can flash it.",
    };
    let images = classifies_pictures(header);
    let does = if images {
        "Classifies the images in `images.idx` with the network in `model.selv` and prints the classes"
    } else {
        "Answers for the rows in `rows.bin` with the network in `model.selv` and prints the answers"
    };
    let check = if images {
        " `selvedge predict model.selv images.idx --index 0` gives what the board must print for the first image."
    } else {
        ""
    };
    let source = if images {
        "a camera or a wire takes the place of `IMAGES`"
    } else {
        "a sensor takes the place of `ROWS`"
    };
    let data = if images {
        format!("| `images.idx` | images of {} bytes after a header of 16 |", header.inputs())
    } else {
        let (values, of) = (row_values(header), header.input_type().name());
        format!("| `rows.bin` | rows of {values} raw values, each a little-endian {of} |")
    };
    format!(
        "# {shape} on {name}\n\n\
         {about}. {does}.\n\n\
         ```sh\nrustup target add {target}\ncargo run --release\n```\n\n\
         {starts}{check}\n\n\
         | file | holds |\n|---|---|\n\
         | `src/main.rs` | the program; {source} |\n\
         | `src/console.rs`, `src/static_buffer.rs` | text on the host's console; static memory |\n\
         | `src/cycles.rs` | counts cycles, of which the most of an answer is printed last; QEMU counts none, or its own time |\n\
         | `model.selv` | the network: {dtype} weights packed as {packing}; write another with `selvedge export --format selv --packing {packing}` |\n\
         {data}\n\
         | `memory.x` | where flash and RAM lie |\n\
         | `.cargo/config.toml` | target, linker, what `cargo run` starts |\n",
        shape = header,
        name = board.name,
        about = board.about,
        target = board.target,
        dtype = header.dtype().name(),
        packing = header.packing().name(),
    )
}
