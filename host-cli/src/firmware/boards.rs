//! The supported boards: memory map, compiler target, and how to start a program.
//!
//! The build script of `tests/firmware` includes this file, so it needs nothing but `std`.

/// A memory region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The address.
    pub start: u32,
    /// Bytes.
    pub size: usize,
}

/// What the chip's boot loader needs in front of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    /// Nothing: the vector table comes first.
    None,
    /// The second stage of RP2040's loader.
    Rp2040,
    /// RP2350's image definition.
    Rp2350,
}

/// A board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board<'a> {
    /// The name for `--board`.
    pub name: &'a str,
    /// The processor.
    pub about: &'a str,
    /// The family of cores, by its name for `estimate --target`.
    pub core: &'static str,
    /// Rust's target.
    pub target: &'a str,
    /// `-Ctarget-cpu`, where the target alone does not say what the core has.
    pub cpu: Option<&'a str>,
    /// The memory of the program.
    pub flash: Region,
    /// The memory of variables.
    pub ram: Region,
    /// The chip, by its name in probe-rs.
    pub chip: Option<&'a str>,
    /// QEMU's machine that emulates the board.
    pub machine: Option<&'a str>,
    /// The boot loader's needs.
    pub loader: Loader,
}

const K: usize = 1024;
const M: usize = 1024 * K;

const fn region(start: u32, size: usize) -> Region {
    Region { start, size }
}

/// A board without optional settings.
const fn plain(
    name: &'static str,
    about: &'static str,
    core: &'static str,
    target: &'static str,
    flash: Region,
    ram: Region,
) -> Board<'static> {
    let (cpu, chip, machine, loader) = (None, None, None, Loader::None);
    Board { name, about, core, target, cpu, flash, ram, chip, machine, loader }
}

impl Board<'static> {
    const fn cpu(self, cpu: &'static str) -> Self {
        Self { cpu: Some(cpu), ..self }
    }
    const fn chip(self, chip: &'static str) -> Self {
        Self { chip: Some(chip), ..self }
    }
    const fn loader(self, loader: Loader) -> Self {
        Self { loader, ..self }
    }
    /// With a machine of QEMU.
    const fn emulated_as(self, machine: &'static str) -> Self {
        Self { machine: Some(machine), ..self }
    }
}

const V6M: &str = "thumbv6m-none-eabi";
const V7M: &str = "thumbv7m-none-eabi";
const V7EM: &str = "thumbv7em-none-eabihf";
const V8M: &str = "thumbv8m.main-none-eabihf";
const RV32: &str = "riscv32imc-unknown-none-elf";
/// Flash of the STM32 and of the Picos, and RAM of nearly every Cortex-M.
const STM32: u32 = 0x0800_0000;
const PICO: u32 = 0x1000_0000;
const RAM: u32 = 0x2000_0000;

/// The supported boards.
#[rustfmt::skip] // A table: a line a board.
pub static BOARDS: &[Board<'static>] = &[
    plain("microbit", "nRF51822, Cortex-M0", "m0", V6M, region(0, 256 * K), region(RAM, 16 * K))
        .chip("nRF51822_xxAA").emulated_as("microbit"),
    plain("microbit-v2", "nRF52833, Cortex-M4F", "m4", V7EM, region(0, 512 * K), region(RAM, 128 * K))
        .chip("nRF52833_xxAA"),
    plain("nrf52840-dk", "nRF52840, Cortex-M4F", "m4", V7EM, region(0, M), region(RAM, 256 * K))
        .chip("nRF52840_xxAA"),
    plain("pico", "RP2040, Cortex-M0+", "m0", V6M, region(PICO, 2 * M), region(RAM, 256 * K))
        .chip("RP2040").loader(Loader::Rp2040),
    plain("pico2", "RP2350, Cortex-M33", "m4", V8M, region(PICO, 4 * M), region(RAM, 512 * K))
        .cpu("cortex-m33").chip("RP235x").loader(Loader::Rp2350),
    plain("bluepill", "STM32F103C8, Cortex-M3", "m3", V7M, region(STM32, 64 * K), region(RAM, 20 * K))
        .chip("STM32F103C8"),
    plain("nucleo-f103rb", "STM32F103RB, Cortex-M3", "m3", V7M, region(STM32, 128 * K), region(RAM, 20 * K))
        .chip("STM32F103RB"),
    plain("nucleo-f401re", "STM32F401RE, Cortex-M4F", "m4", V7EM, region(STM32, 512 * K), region(RAM, 96 * K))
        .chip("STM32F401RETx"),
    plain("nucleo-g071rb", "STM32G071RB, Cortex-M0+", "m0", V6M, region(STM32, 128 * K), region(RAM, 36 * K))
        .chip("STM32G071RBTx"),
    plain("nucleo-h743zi", "STM32H743ZI, Cortex-M7", "m7", V7EM, region(STM32, 2 * M), region(RAM, 128 * K))
        .chip("STM32H743ZITx"),
    plain("stm32f4-discovery", "STM32F407VG, Cortex-M4F", "m4", V7EM, region(STM32, M), region(RAM, 128 * K))
        .chip("STM32F407VGTx"),
    plain("mps2-an385", "Cortex-M3, emulated", "m3", V7M, region(0, 4 * M), region(RAM, 4 * M))
        .emulated_as("mps2-an385"),
    plain("mps2-an386", "Cortex-M4F, emulated", "m4", V7EM, region(0, 4 * M), region(RAM, 4 * M))
        .emulated_as("mps2-an386"),
    plain("mps2-an500", "Cortex-M7, emulated", "m7", V7EM, region(0, 4 * M), region(RAM, 4 * M))
        .emulated_as("mps2-an500"),
    plain("mps2-an505", "Cortex-M33, emulated", "m4", V8M, region(0x1000_0000, 4 * M), region(0x3800_0000, 2 * M))
        .cpu("cortex-m33").emulated_as("mps2-an505"),
    plain("mps3-an547", "Cortex-M55, emulated", "m55", V8M, region(0, 512 * K), region(RAM, 512 * K))
        .cpu("cortex-m55").emulated_as("mps3-an547"),
    plain("riscv-virt", "RV32, emulated", "rv32", RV32, region(0x8000_0000, 4 * M), region(0x8040_0000, 12 * M))
        .emulated_as("virt"),
];

/// The board of a name; `an386` is short for `mps2-an386`.
pub fn board(name: &str) -> Option<&'static Board<'static>> {
    BOARDS
        .iter()
        .find(|b| b.name == name || b.name.split_once("-an").is_some_and(|(_, n)| name == format!("an{n}")))
}

/// The family of cores of a target. The core crate's build script chooses its kernels by the same rule.
pub fn core_of(target: &str, cpu: Option<&str>) -> Option<&'static str> {
    Some(match (target.split('-').next().unwrap_or_default(), cpu) {
        ("thumbv8.1m.main", _) | ("thumbv8m.main", Some("cortex-m52" | "cortex-m55" | "cortex-m85")) => "m55",
        ("thumbv7em", _) | ("thumbv8m.main", Some("cortex-m33" | "cortex-m35p")) => "m4",
        ("thumbv7m" | "thumbv8m.main", _) => "m3",
        ("thumbv6m" | "thumbv8m.base", _) => "m0",
        ("riscv32i" | "riscv32im" | "riscv32imc" | "riscv32imac" | "riscv32imafc", _) => "rv32",
        _ => return None,
    })
}

impl Board<'_> {
    /// The linker's `memory.x`.
    pub fn memory_x(&self) -> String {
        let line = |name: &str, region: Region| {
            let size = if region.size.is_multiple_of(K) {
                format!("{}K", region.size / K)
            } else {
                region.size.to_string()
            };
            format!("  {name} : ORIGIN = {:#010x}, LENGTH = {size}\n", region.start)
        };
        let (mut boot, mut flash, mut rest) = (String::new(), self.flash, String::new());
        match self.loader {
            Loader::None => {}
            Loader::Rp2040 => {
                boot = line("BOOT2", Region { size: 256, ..flash });
                flash = Region { start: flash.start + 256, size: flash.size - 256 };
                rest = "SECTIONS {\n  .boot2 ORIGIN(BOOT2) : { KEEP(*(.boot2)); } > BOOT2\n} INSERT BEFORE .text;\n".into();
            }
            Loader::Rp2350 => {
                rest = "SECTIONS {\n  .start_block : ALIGN(4) { KEEP(*(.start_block)); } > FLASH\n} INSERT AFTER .vector_table;\n\
                        _stext = ADDR(.start_block) + SIZEOF(.start_block);\n"
                    .into();
            }
        }
        if self.target.starts_with("riscv") {
            let alias = |of: &str, to: &str| format!("REGION_ALIAS(\"REGION_{of}\", {to});\n");
            rest = ["TEXT", "RODATA"].map(|of| alias(of, "FLASH")).concat()
                + &["DATA", "BSS", "HEAP", "STACK"].map(|of| alias(of, "RAM")).concat();
        }
        format!("MEMORY\n{{\n{boot}{}{}}}\n{rest}", line("FLASH", flash), line("RAM", self.ram))
    }
}
