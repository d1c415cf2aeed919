//! Arguments of `export --format firmware`.

use std::path::PathBuf;

use clap::Args;

use super::DataArgs;
use crate::estimate::Bytes;

/// The flags that need `--format firmware`.
#[derive(Debug, Args)]
#[command(mut_arg("data", |arg| arg.help("Let firmware classify test images of this data set [default: demo if its images have the model's \
    size, else noise]")))]
pub struct FirmwareArgs {
    /// Write firmware for this board, or custom; an unknown name lists all boards
    #[arg(long, value_name = "NAME")]
    pub board: Option<String>,
    /// Custom board: set the Rust target, such as thumbv7em-none-eabihf
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// Custom board: set the core, such as cortex-m33, if the target does not determine it
    #[arg(long, value_name = "CORE")]
    pub cpu: Option<String>,
    /// Custom board: set the start address of flash, such as 0x08000000
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub flash_start: Option<u32>,
    /// Custom board: set the size of flash, such as 512K
    #[arg(long, value_name = "BYTES")]
    pub flash_size: Option<Bytes>,
    /// Custom board: set the start address of RAM, such as 0x20000000
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub ram_start: Option<u32>,
    /// Custom board: set the size of RAM, such as 96K
    #[arg(long, value_name = "BYTES")]
    pub ram_size: Option<Bytes>,
    /// Custom board: set the chip name of probe-rs
    #[arg(long, value_name = "NAME")]
    pub chip: Option<String>,
    /// Build firmware with the crate selvedge in this folder [default: the one this program was built with if it still
    /// exists, else the registry's]
    #[arg(long, value_name = "DIR")]
    pub selvedge_path: Option<PathBuf>,
    /// The images to classify.
    #[command(flatten)]
    pub data: DataArgs,
    /// Replace the firmware project in the --out folder
    #[arg(long)]
    pub overwrite: bool,
}

impl FirmwareArgs {
    /// The first of the flags that was given which need `--format firmware`: all but `--overwrite`.
    pub fn said(&self) -> Option<&'static str> {
        self.of_custom_board().or_else(|| {
            let flags = [
                ("--board", self.board.is_some()),
                ("--selvedge-path", self.selvedge_path.is_some()),
                ("--data", self.data.data.is_some()),
                ("--data-dir", self.data.data_dir.is_some()),
                ("--transpose", self.data.reading.transpose.is_some()),
                ("--first-label", self.data.reading.first_label.is_some()),
            ];
            flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
        })
    }

    /// The first flag of a custom board that was given.
    pub fn of_custom_board(&self) -> Option<&'static str> {
        let flags = [
            ("--target", self.target.is_some()),
            ("--cpu", self.cpu.is_some()),
            ("--flash-start", self.flash_start.is_some()),
            ("--flash-size", self.flash_size.is_some()),
            ("--ram-start", self.ram_start.is_some()),
            ("--ram-size", self.ram_size.is_some()),
            ("--chip", self.chip.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// Parses an address: `0x08000000`, `0x0800_0000`, `134217728`.
fn address(text: &str) -> Result<u32, String> {
    let digits = text.replace('_', "");
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    parsed.map_err(|_| "write a 32-bit address, such as 0x08000000".into())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses() {
        assert_eq!(["0x08000000", "0x0800_0000", "134217728"].map(address), [0x0800_0000; 3].map(Ok));
        for bad in ["", "0x", "-1", "0x100000000", "flash"] {
            address(bad).unwrap_err();
        }
    }
}
