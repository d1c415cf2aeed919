//! The flags of `selvedge export --format firmware`: the board that they name or describe.

use crate::cli::FirmwareArgs;
use crate::data::Reading;
use crate::error::{Error, Result};
use crate::export::FirmwareOptions;
use crate::firmware::boards::{self, BOARDS, Board, Loader, Region};

/// The options that the flags give.
///
/// # Errors
/// `Usage` for an unknown board, or one that is described in part.
pub fn options(args: &FirmwareArgs) -> Result<FirmwareOptions<'_>> {
    Ok(FirmwareOptions {
        board: board(args)?,
        data: args.data.data.as_ref(),
        data_dir: args.data.data_dir.as_deref(),
        reading: args.data.reading.over(Reading::default()),
        core_crate: args.selvedge_path.as_deref(),
    })
}

/// The board that the flags name or describe.
fn board(args: &FirmwareArgs) -> Result<Board<'_>> {
    let names = || BOARDS.iter().map(|b| b.name).collect::<Vec<_>>().join(", ");
    let Some(name) = args.board.as_deref() else {
        return Err(Error::usage(format!("--format firmware needs --board: {}, or custom", names())));
    };
    if name == "custom" {
        return custom(args);
    }
    if let Some(flag) = args.of_custom_board() {
        return Err(Error::usage(format!(
            "{flag} describes a board of your own: use it with --board custom"
        )));
    }
    boards::board(name).copied().ok_or_else(|| {
        let near = |b: &&Board<'_>| strsim::jaro_winkler(b.name, name);
        let nearest = BOARDS.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
        let hint = nearest.filter(|b| near(b) > 0.7).map(|b| format!(" did you mean {}?", b.name));
        Error::usage(format!(
            "--board {name}: no board of that name;{} the boards are {}, and custom",
            hint.unwrap_or_default(),
            names()
        ))
    })
}

fn custom(args: &FirmwareArgs) -> Result<Board<'_>> {
    let needed = |flag: &str| {
        Error::usage(format!(
            "--board custom needs {flag}; such as --target thumbv7em-none-eabihf --flash-start 0x08000000 --flash-size \
             512K --ram-start 0x20000000 --ram-size 96K"
        ))
    };
    let target = args.target.as_deref().ok_or_else(|| needed("--target"))?;
    let cpu = args.cpu.as_deref();
    let core = boards::core_of(target, cpu).ok_or_else(|| {
        Error::usage(format!(
            "--target {target}: the targets are thumbv6m-none-eabi, thumbv7m-none-eabi, thumbv7em-none-eabi(hf), \
             thumbv8m.base-none-eabi, thumbv8m.main-none-eabi(hf) and riscv32imc-unknown-none-elf"
        ))
    })?;
    let region = |start: Option<u32>, size: Option<crate::estimate::Bytes>, flags: [&str; 2]| {
        let start = start.ok_or_else(|| needed(flags[0]))?;
        let size = size.ok_or_else(|| needed(flags[1]))?.0;
        if size == 0 || u64::from(start) + size as u64 > 1 << 32 {
            return Err(Error::usage(format!(
                "{} and {}: no memory of 32 bits lies there",
                flags[0], flags[1]
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
