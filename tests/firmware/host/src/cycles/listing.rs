//! The instructions of a program, by class, from the listing of GNU's `objdump`.
//!
//! What a listing holds and the table of a core's mnemonics does not is kept as text, and refused once it runs: nothing is guessed.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use host_cli::error::{Error, Result};

use super::Timing;
use super::class::{Class, Instruction};
use super::mnemonics::{riscv, thumb};

/// A program's instructions.
pub struct Listing {
    instructions: HashMap<u32, std::result::Result<Instruction, String>>,
}

impl Listing {
    /// The instructions of a program, listed by the tool for its core.
    ///
    /// # Errors
    /// The tool is missing or refuses the file.
    pub fn of(elf: &Path, timing: Timing) -> Result<Self> {
        let (tool, package) = match timing {
            Timing::Ibex => ("riscv64-unknown-elf-objdump", "binutils-riscv64-unknown-elf"),
            _ => ("arm-none-eabi-objdump", "binutils-arm-none-eabi"),
        };
        let mut command = Command::new(tool);
        if timing == Timing::Ibex {
            command.args(["-M", "no-aliases"]);
        }
        let output = command.arg("-d").arg(elf).output();
        let output = output.map_err(|e| {
            Error::failed(format!("{tool} did not start: {e}; it is in Debian's package {package}"))
        })?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(Error::failed(format!("{tool} refuses {}: {}", elf.display(), why.trim())));
        }
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout), timing))
    }

    /// The instructions of a listing.
    pub fn parse(text: &str, timing: Timing) -> Self {
        Self { instructions: text.lines().filter_map(|line| instruction(line, timing)).collect() }
    }

    /// The instruction at an address.
    ///
    /// # Errors
    /// There is none, or it is not in the table.
    pub fn at(&self, address: u32) -> Result<&Instruction> {
        match self.instructions.get(&address) {
            Some(Ok(instruction)) => Ok(instruction),
            Some(Err(text)) => Err(Error::failed(format!(
                "{address:#x}: `{text}` is not in the table of instructions: add it to \
                 tests/firmware/host/src/cycles/mnemonics.rs with the cycles of the core's manual"
            ))),
            None => Err(Error::failed(format!(
                "{address:#x} runs and is not in the listing: the trace is of another program"
            ))),
        }
    }
}

/// Reads ` 46e:\tc838      \tldmia\tr0!, {r3, r4, r5}`.
fn instruction(line: &str, timing: Timing) -> Option<(u32, std::result::Result<Instruction, String>)> {
    let mut parts = line.splitn(4, '\t');
    let address = u32::from_str_radix(parts.next()?.trim().strip_suffix(':')?, 16).ok()?;
    let code = parts.next()?;
    let bytes = code.chars().filter(char::is_ascii_hexdigit).count() as u32 / 2;
    let (mnemonic, operands) = (parts.next()?.trim(), parts.next().unwrap_or_default());
    let operands = operands.split(['@', ';'].as_slice()).next().unwrap_or_default().trim();
    let of = match timing {
        Timing::Ibex => riscv(mnemonic, bytes),
        _ => thumb(mnemonic, operands, bytes),
    };
    let of = of.map(|of| Instruction { target: target(of.class, operands), ..of });
    Some((address, of.ok_or_else(|| format!("{mnemonic} {operands}"))))
}

/// The address in `r0, 200 <f>`.
fn target(class: Class, operands: &str) -> Option<u32> {
    let direct = matches!(class, Class::Branch | Class::Call);
    let (before_name, _) = operands.split_once('<').filter(|_| direct)?;
    let address = before_name.trim().rsplit([',', ' ', '\t']).next()?;
    u32::from_str_radix(address, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{Listing, Timing};
    use crate::cycles::class::Class;

    fn of(timing: Timing, text: &str) -> Option<Class> {
        Listing::parse(&format!(" 100:\tbf00     \t{text}\n"), timing).at(0x100).ok().map(|of| of.class)
    }

    #[test]
    fn classes_of_thumb() {
        let load = |updates| Some(Class::Load { updates });
        for (text, class) in [
            ("bls.n\t200 <f>", Some(Class::Branch)),
            ("blt.w\t200 <f>", Some(Class::Branch)),
            ("bl\t200 <f>", Some(Class::Call)),
            ("blne\t200 <f>", Some(Class::Call)),
            ("bxeq\tlr", Some(Class::Indirect)),
            ("bics\tr0, r1", Some(Class::Plain)),
            ("movcs\tr0, #1", Some(Class::Plain)),
            ("addeq\tpc, r0", Some(Class::Indirect)),
            ("mlscs\tr0, r1, r2, r3", Some(Class::ProductSum)),
            ("muls\tr0, r1", Some(Class::Product)),
            ("smmulr\tr0, r1, r2", Some(Class::Dsp)),
            ("itete\tne", Some(Class::It)),
            ("ldrheq.w\tr0, [r1, #2]", load(false)),
            ("ldr.w\tr0, [r1], #4", load(true)),
            ("ldr.w\tr0, [r1, #4]!", load(true)),
            ("ldr\tr0, [pc, #8]\t@ (108 <f>)", load(false)),
            ("ldr.w\tpc, [r0, r1, lsl #2]", Some(Class::LoadPc)),
            ("str\tr0, [r1, r2]", Some(Class::Store { indexed: true })),
            ("str\tr0, [r1, #4]", Some(Class::Store { indexed: false })),
            ("strd\tr0, r1, [sp, #8]", Some(Class::Pair)),
            ("popcs\t{r4, r5, pc}", Some(Class::MultiplePc { registers: 3 })),
            ("stmdb\tsp!, {r4, r5, sl, lr}", Some(Class::Multiple { registers: 4 })),
            ("tbb\t[pc, r0]", Some(Class::Table)),
            ("vpush\t{d8-d9}", Some(Class::FloatMemory { registers: 4 })),
            ("vldr\ts0, [r1, #4]", Some(Class::FloatMemory { registers: 1 })),
            ("vcvt.f32.u32\ts0, s0", Some(Class::Float)),
            ("vmla.f32\ts0, s1, s2", Some(Class::FloatSum)),
            ("vmov\tr0, r1, d4", Some(Class::FloatPair)),
            ("vmov\tr0, s4", Some(Class::FloatMove)),
            ("vadd.f64\td0, d1, d2", None),
            ("vmrs\tAPSR_nzcv, fpscr", Some(Class::FloatMove)),
            ("wfi", None),
            (".word\t0x20000000", None),
        ] {
            assert_eq!(of(Timing::CortexM4, text), class, "{text}");
        }
    }

    #[test]
    fn classes_of_riscv() {
        for (text, class) in [
            ("c.lw\ta0,0(a1)", Some(Class::Load { updates: false })),
            ("c.swsp\ta0,4(sp)", Some(Class::Store { indexed: false })),
            ("mulhu\ta0,a0,a1", Some(Class::LongProduct)),
            ("c.bnez\ta0,90 <f>", Some(Class::Branch)),
            ("jalr\tra,0(a0)", Some(Class::Indirect)),
            ("csrrs\ta0,mcycle,zero", Some(Class::Special)),
            ("fadd.s\tfa0,fa0,fa1", None),
        ] {
            assert_eq!(of(Timing::Ibex, text), class, "{text}");
        }
    }

    #[test]
    fn registers_that_meet() {
        let listing = Listing::parse(
            " 100:\tbf00     \tldmia\tr0!, {r3, sl}\n 102:\tbf00     \tstr.w\tr9, [r1, r2, lsl #2]\n \
             104:\tbf00     \tcmp\tr1, r2\n 106:\tbf00 bf00\tumlal\tr0, r1, r2, r3\n",
            Timing::CortexM3,
        );
        let at = |address| *listing.at(address).unwrap();
        assert_eq!((at(0x100).writes, at(0x100).address), (1 | 1 << 3 | 1 << 10, 1));
        assert_eq!((at(0x102).writes, at(0x102).address), (0, 0b110));
        assert_eq!(at(0x104).writes, 0);
        assert_eq!((at(0x106).writes, at(0x106).bytes), (0b11, 4));
    }
}
