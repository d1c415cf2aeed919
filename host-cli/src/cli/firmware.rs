//! The words of `export --format firmware`.

use std::path::PathBuf;

use clap::Args;

use super::DataArgs;
use crate::estimate::Bytes;

/// What goes with `--format firmware` alone.
#[derive(Debug, Args)]
#[command(mut_arg("data", |arg| arg.help("The data set whose test images firmware classifies [default: the demo's, if they have the \
    size, or else noise]")))]
pub struct FirmwareArgs {
    /// The board that firmware is for, or custom; another name lists them all
    #[arg(long, value_name = "NAME")]
    pub board: Option<String>,
    /// Of a custom board: Rust's target, such as thumbv7em-none-eabihf
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// Of a custom board: the core, where the target does not say what it has, such as cortex-m33
    #[arg(long, value_name = "CORE")]
    pub cpu: Option<String>,
    /// Of a custom board: where its flash starts
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub flash_start: Option<u32>,
    /// Of a custom board: bytes of flash, such as 512K
    #[arg(long, value_name = "BYTES")]
    pub flash_size: Option<Bytes>,
    /// Of a custom board: where its RAM starts
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub ram_start: Option<u32>,
    /// Of a custom board: bytes of RAM, such as 96K
    #[arg(long, value_name = "BYTES")]
    pub ram_size: Option<Bytes>,
    /// Of a custom board: the chip, as probe-rs calls it
    #[arg(long, value_name = "NAME")]
    pub chip: Option<String>,
    /// The folder of the crate selvedge that firmware is built with [default: the one that this program was built with,
    /// if it is still there, or else the registry's]
    #[arg(long, value_name = "DIR")]
    pub selvedge_path: Option<PathBuf>,
    /// The images.
    #[command(flatten)]
    pub data: DataArgs,
    /// Replace the firmware in the folder that --out names
    #[arg(long)]
    pub overwrite: bool,
}

impl FirmwareArgs {
    /// The first of the words that were said, all of which need `--format firmware`.
    pub fn said(&self) -> Option<&'static str> {
        self.of_custom_board().or_else(|| {
            let words = [
                ("--board", self.board.is_some()),
                ("--selvedge-path", self.selvedge_path.is_some()),
                ("--data", self.data.data.is_some()),
                ("--data-dir", self.data.data_dir.is_some()),
                ("--transpose", self.data.reading.transpose.is_some()),
                ("--first-label", self.data.reading.first_label.is_some()),
                ("--overwrite", self.overwrite),
            ];
            words.into_iter().find(|(_, said)| *said).map(|(word, _)| word)
        })
    }

    /// The first of the words that were said of a custom board.
    pub fn of_custom_board(&self) -> Option<&'static str> {
        let words = [
            ("--target", self.target.is_some()),
            ("--cpu", self.cpu.is_some()),
            ("--flash-start", self.flash_start.is_some()),
            ("--flash-size", self.flash_size.is_some()),
            ("--ram-start", self.ram_start.is_some()),
            ("--ram-size", self.ram_size.is_some()),
            ("--chip", self.chip.is_some()),
        ];
        words.into_iter().find(|(_, said)| *said).map(|(word, _)| word)
    }
}

/// An address as people write it: `0x08000000`, `0x0800_0000`, `134217728`.
fn address(text: &str) -> Result<u32, String> {
    let digits = text.replace('_', "");
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    parsed.map_err(|_| "write an address of 32 bits, such as 0x08000000".into())
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
