//! The tables of mnemonics, and the registers of operands.

use super::class::{Class, Instruction};

/// An instruction of RV32IMC, its target left out; `None` for one that is not in the table.
pub fn riscv(mnemonic: &str, bytes: u32) -> Option<Instruction> {
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

/// The same of Thumb.
pub fn thumb(mnemonic: &str, operands: &str, bytes: u32) -> Option<Instruction> {
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
    use super::floats;

    #[test]
    fn registers_of_the_fpu() {
        assert_eq!((floats("s0, s31"), floats("{d1-d2}")), (1 | 1 << 31, 0b11_1100));
    }
}
