//! The instructions of a program, by class, from the listing of GNU's `objdump`.
//!
//! What a listing holds and the table of a core's mnemonics does not is kept as text, and refused once it runs: nothing is guessed.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use host_cli::error::{Error, Result};

use super::Timing;

/// Instructions that take the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Arithmetic, logic, shifts, moves, comparisons, hints.
    Plain,
    /// A product of 32 bits.
    Product,
    /// A product of 32 bits added to or subtracted from another number.
    ProductSum,
    /// A product of 64 bits, or its upper half.
    LongProduct,
    /// A product of 64 bits added to another number.
    LongProductSum,
    /// The DSP extension: products, sums and packing of halves.
    Dsp,
    Division,
    /// A load into one register; it may update the register that holds the address.
    Load {
        updates: bool,
    },
    /// A store of one register; the offset may be in a register.
    Store {
        indexed: bool,
    },
    /// A load or store of two registers.
    Pair,
    /// A load or store of several registers.
    Multiple {
        registers: u64,
    },
    /// A load of the program counter.
    LoadPc,
    /// A load of several registers with the program counter among them.
    MultiplePc {
        registers: u64,
    },
    /// A branch by a table of offsets.
    Table,
    /// A branch whose target is in the instruction, taken or not.
    Branch,
    /// A call whose target is in the instruction; a jump of RISC-V.
    Call,
    /// A branch to a register.
    Indirect,
    /// A call of a register.
    IndirectCall,
    It,
    Barrier,
    /// Access to a special register.
    Special,
    Float,
    /// A product of floats added to another.
    FloatSum,
    FloatDivision,
    /// A comparison, or a move of a word between the FPU and the core.
    FloatMove,
    /// A move of two words between the FPU and the core.
    FloatPair,
    /// A load or store of registers of the FPU.
    FloatMemory {
        registers: u64,
    },
}

impl Class {
    /// Whether the program may go on elsewhere.
    pub fn branches(self) -> bool {
        matches!(
            self,
            Self::Branch
                | Self::Call
                | Self::Indirect
                | Self::IndirectCall
                | Self::Table
                | Self::LoadPc
                | Self::MultiplePc { .. }
        )
    }

    /// Whether QEMU may end a block behind it, since it changes how the next instructions are to be read.
    pub fn cuts(self) -> bool {
        matches!(
            self,
            Self::Barrier
                | Self::Special
                | Self::Float
                | Self::FloatSum
                | Self::FloatDivision
                | Self::FloatMove
                | Self::FloatPair
                | Self::FloatMemory { .. }
        )
    }

    /// Whether the result comes from the arithmetic unit, which the load and store unit does not see in the next cycle.
    pub fn computes(self) -> bool {
        matches!(
            self,
            Self::Plain
                | Self::Product
                | Self::ProductSum
                | Self::LongProduct
                | Self::LongProductSum
                | Self::Dsp
                | Self::Division
        )
    }
}

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Its class.
    pub class: Class,
    /// Its bytes.
    pub bytes: u32,
    /// Registers that it writes, a bit each.
    pub writes: u32,
    /// Registers that its address comes from.
    pub address: u32,
    /// Registers of the FPU that it writes.
    pub float_writes: u32,
    /// Registers of the FPU that it reads.
    pub float_reads: u32,
    /// Where it branches, if that is in the instruction.
    pub target: Option<u32>,
}

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
                 tests/firmware/host/src/cycles/listing.rs with the cycles of the core's manual"
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

fn riscv(mnemonic: &str, bytes: u32) -> Option<Instruction> {
    let class = match mnemonic.strip_prefix("c.").unwrap_or(mnemonic) {
        "add" | "addi" | "addi16sp" | "addi4spn" | "sub" | "and" | "andi" | "or" | "ori" | "xor" | "xori"
        | "sll" | "slli" | "srl" | "srli" | "sra" | "srai" | "slt" | "slti" | "sltu" | "sltiu" | "lui"
        | "auipc" | "li" | "mv" | "nop" => Class::Plain,
        "mul" => Class::Product,
        "mulh" | "mulhu" | "mulhsu" => Class::LongProduct,
        "div" | "divu" | "rem" | "remu" => Class::Division,
        "lw" | "lh" | "lhu" | "lb" | "lbu" | "lwsp" => Class::Load { updates: false },
        "sw" | "sh" | "sb" | "swsp" => Class::Store { indexed: false },
        "beq" | "bne" | "blt" | "bge" | "bltu" | "bgeu" | "beqz" | "bnez" => Class::Branch,
        "j" | "jal" => Class::Call,
        "jr" | "jalr" => Class::Indirect,
        "csrrw" | "csrrs" | "csrrc" | "csrrwi" | "csrrsi" | "csrrci" => Class::Special,
        "fence" | "fence.i" => Class::Barrier,
        _ => return None,
    };
    Some(Instruction { class, bytes, writes: 0, address: 0, float_writes: 0, float_reads: 0, target: None })
}

const CONDITIONS: [&str; 16] =
    ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "hs", "lo"];

/// What `of` finds for a mnemonic, without its condition and without the `s` that sets the flags.
fn found<T>(mnemonic: &str, of: impl Fn(&str) -> Option<T>) -> Option<T> {
    let bare = || CONDITIONS.iter().find_map(|condition| mnemonic.strip_suffix(condition));
    of(mnemonic)
        .or_else(|| bare().and_then(&of))
        .or_else(|| mnemonic.strip_suffix('s').and_then(&of))
        .or_else(|| bare().and_then(|m| m.strip_suffix('s')).and_then(&of))
}

fn thumb(mnemonic: &str, operands: &str, bytes: u32) -> Option<Instruction> {
    let (name, _) = mnemonic.split_once('.').unwrap_or((mnemonic, ""));
    let mut of = Instruction {
        class: Class::Plain,
        bytes,
        writes: 0,
        address: 0,
        float_writes: 0,
        float_reads: 0,
        target: None,
    };
    if name.strip_prefix("it").is_some_and(|rest| rest.chars().all(|c| matches!(c, 't' | 'e'))) {
        of.class = Class::It;
        return Some(of);
    }
    let outside = operands.split(['[', '{'].as_slice()).next().unwrap_or_default();
    of.address = operands
        .split_once('[')
        .map_or(0, |(_, inside)| registers(inside.split(']').next().unwrap_or_default()));
    if name.starts_with('v') {
        return float(of, name, mnemonic, operands);
    }
    // What is written stands first.
    let mut names = outside.split(',').map(registers).filter(|&bit| bit != 0);
    let (first, second) = (names.next().unwrap_or(0), names.next().unwrap_or(0));
    let list =
        operands.split_once('{').map(|(_, inside)| registers(inside.split('}').next().unwrap_or_default()));
    let updates = operands.contains("]!") || operands.contains("],") || outside.contains('!');
    let base = if updates { of.address } else { 0 };
    let pc = 1 << 15;
    let kind = found(name, class)?;
    match kind {
        Kind::Plain(class) => {
            let compares =
                found(name, |name| matches!(name, "cmp" | "cmn" | "tst" | "teq").then_some(())).is_some();
            of.writes = if compares { 0 } else { first };
            if matches!(class, Class::LongProduct | Class::LongProductSum) && !name.starts_with("smm") {
                of.writes |= second;
            }
            of.class = if of.writes & pc != 0 { Class::Indirect } else { class };
        }
        Kind::Load => {
            of.writes = first | base;
            of.class = if first & pc != 0 { Class::LoadPc } else { Class::Load { updates } };
        }
        Kind::Store => {
            of.writes = base;
            of.class = Class::Store { indexed: of.address.count_ones() > 1 };
        }
        Kind::Pair => {
            of.writes = if name.starts_with("ldr") { first | second | base } else { base };
            of.class = Class::Pair;
        }
        Kind::LoadMultiple | Kind::StoreMultiple => {
            let list = list?;
            // `push` and `pop` name no register that holds the address.
            of.address = if first == 0 { 1 << 13 } else { first };
            of.writes = if kind == Kind::LoadMultiple { list } else { 0 }
                | if updates || first == 0 { of.address } else { 0 };
            let registers = u64::from(list.count_ones());
            of.class = match kind {
                Kind::LoadMultiple if list & pc != 0 => Class::MultiplePc { registers },
                _ => Class::Multiple { registers },
            };
        }
    }
    Some(of)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain(Class),
    Load,
    Store,
    Pair,
    LoadMultiple,
    StoreMultiple,
}

/// The class of a mnemonic without condition and flags.
fn class(name: &str) -> Option<Kind> {
    Some(match name {
        "mov" | "movw" | "movt" | "mvn" | "add" | "addw" | "adc" | "sub" | "subw" | "sbc" | "rsb" | "neg"
        | "adr" | "and" | "orr" | "orn" | "eor" | "bic" | "lsl" | "lsr" | "asr" | "ror" | "rrx" | "cmp"
        | "cmn" | "tst" | "teq" | "clz" | "rbit" | "rev" | "rev16" | "revsh" | "bfc" | "bfi" | "ubfx"
        | "sbfx" | "uxtb" | "uxth" | "sxtb" | "sxth" | "ssat" | "usat" | "nop" | "yield" => {
            Kind::Plain(Class::Plain)
        }
        "mul" => Kind::Plain(Class::Product),
        "mla" | "mls" => Kind::Plain(Class::ProductSum),
        "smull" | "umull" => Kind::Plain(Class::LongProduct),
        "smlal" | "umlal" => Kind::Plain(Class::LongProductSum),
        "udiv" | "sdiv" => Kind::Plain(Class::Division),
        "smlabb" | "smlabt" | "smlatb" | "smlatt" | "smulbb" | "smulbt" | "smultb" | "smultt" | "smlawb"
        | "smlawt" | "smulwb" | "smulwt" | "smlad" | "smladx" | "smuad" | "smuadx" | "smlsd" | "smlsdx"
        | "smusd" | "smusdx" | "smmul" | "smmulr" | "smmla" | "smmlar" | "smmls" | "smmlsr" | "sxtb16"
        | "uxtb16" | "sxtab" | "sxtah" | "uxtab" | "uxtah" | "sxtab16" | "uxtab16" | "pkhbt" | "pkhtb"
        | "sadd16" | "ssub16" | "uadd16" | "usub16" | "sadd8" | "ssub8" | "uadd8" | "usub8" | "sel"
        | "qadd" | "qsub" | "qadd16" | "qsub16" | "qadd8" | "qsub8" | "usad8" | "usada8" | "ssat16"
        | "usat16" => Kind::Plain(Class::Dsp),
        "ldr" | "ldrb" | "ldrh" | "ldrsb" | "ldrsh" => Kind::Load,
        "str" | "strb" | "strh" => Kind::Store,
        "ldrd" | "strd" => Kind::Pair,
        "ldmia" | "ldmdb" | "pop" => Kind::LoadMultiple,
        "stmia" | "stmdb" | "push" => Kind::StoreMultiple,
        "tbb" | "tbh" => Kind::Plain(Class::Table),
        "b" | "cbz" | "cbnz" => Kind::Plain(Class::Branch),
        "bl" => Kind::Plain(Class::Call),
        "bx" => Kind::Plain(Class::Indirect),
        "blx" => Kind::Plain(Class::IndirectCall),
        "dsb" | "dmb" | "isb" => Kind::Plain(Class::Barrier),
        "mrs" | "msr" => Kind::Plain(Class::Special),
        _ => return None,
    })
}

/// An instruction of the FPU of single precision.
fn float(mut of: Instruction, name: &str, mnemonic: &str, operands: &str) -> Option<Instruction> {
    if mnemonic.contains(".f64") {
        return None;
    }
    let list =
        operands.split_once('{').map(|(_, inside)| floats(inside.split('}').next().unwrap_or_default()));
    let all = floats(operands.split(['[', '{'].as_slice()).next().unwrap_or_default());
    let first = operands.split(',').next().unwrap_or_default();
    (of.float_writes, of.float_reads) =
        (floats(first), floats(operands.split_once(',').map_or("", |(_, rest)| rest)));
    of.class = found(name, |name| {
        Some(match name {
            "vadd" | "vsub" | "vmul" | "vnmul" | "vneg" | "vabs" | "vcvt" | "vcvtr" | "vsel" => Class::Float,
            "vcmp" | "vcmpe" | "vmrs" | "vmsr" => Class::FloatMove,
            "vmla" | "vmls" | "vnmla" | "vnmls" | "vfma" | "vfms" | "vfnma" | "vfnms" => Class::FloatSum,
            "vdiv" | "vsqrt" => Class::FloatDivision,
            "vmov" => match registers(operands).count_ones() {
                2 => Class::FloatPair,
                _ => Class::FloatMove,
            },
            "vldr" | "vstr" => Class::FloatMemory { registers: u64::from(all.count_ones()) },
            "vldmia" | "vldmdb" | "vstmia" | "vstmdb" | "vpush" | "vpop" => {
                Class::FloatMemory { registers: u64::from(list?.count_ones()) }
            }
            _ => return None,
        })
    })?;
    match of.class {
        Class::FloatSum => of.float_reads |= of.float_writes,
        // A comparison reads both, and a move to the core reads what stands behind it.
        Class::FloatMove if name.starts_with("vcmp") => {
            of.float_reads |= std::mem::take(&mut of.float_writes)
        }
        _ => {}
    }
    Some(of)
}

/// The core's registers in a text, a bit each.
fn registers(text: &str) -> u32 {
    words(text).fold(0, |bits, name| {
        let number = match name {
            "sb" => Some(9),
            "sl" => Some(10),
            "fp" => Some(11),
            "ip" => Some(12),
            "sp" => Some(13),
            "lr" => Some(14),
            "pc" => Some(15),
            _ => name.strip_prefix('r').and_then(|n| n.parse().ok()).filter(|&n: &u32| n < 16),
        };
        bits | number.map_or(0, |n| 1 << n)
    })
}

/// The FPU's registers in a text, a bit for each of single precision; ranges and doubles are more than one.
fn floats(text: &str) -> u32 {
    let one = |name: &str| {
        let single =
            name.strip_prefix('s').and_then(|n| n.parse().ok()).filter(|&n: &u32| n < 32).map(|n| (n, n));
        let double = || name.strip_prefix('d').and_then(|n| n.parse().ok()).filter(|&n: &u32| n < 16);
        single.or_else(|| double().map(|n| (2 * n, 2 * n + 1)))
    };
    text.split([',', '{', '}'].as_slice()).fold(0, |bits, part| {
        let (from, to) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
        match (one(from), one(to)) {
            (Some((from, _)), Some((_, to))) => (from..=to).fold(bits, |bits, n| bits | 1 << n),
            _ => bits,
        }
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Class, Listing, Timing, floats};

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
        assert_eq!((floats("s0, s31"), floats("{d1-d2}")), (1 | 1 << 31, 0b11_1100));
    }
}
