//! Cycles of each class of instructions on each core, without wait states.
//!
//! | core | source |
//! |---|---|
//! | Cortex-M0+ | Arm DDI 0484C, table 3-1; the multiplier of one cycle |
//! | Cortex-M3 | Arm DDI 0337I, table 3-1 and section 3.3.3, load/store timings |
//! | Cortex-M4 | Arm 100166, table 3-1, load/store timings, and the table of the FPU |
//! | Ibex (RV32IMC) | the Ibex reference guide, pipeline details: two stages, single-cycle multiplier, no branch target ALU |
//!
//! Where a manual gives a range, the model takes:
//! - the refill of the pipeline on the M3 and the M4, 1 to 3 cycles: 1 where the instruction holds its target, which the processor
//!   speculates, 1 more if the target is an instruction of four bytes across two words, and 3 where the target is in a register or
//!   in memory;
//! - what depends on values, the divisions and the long products of the M3: the most;
//! - instructions in an IT block whose condition is false: as if it were true. `IT` itself takes a cycle and is never folded;
//! - `LDR` relative to the program counter, which "might add a cycle": it adds none.

use clap::ValueEnum;

use super::class::{Class, Instruction};

/// A core whose manual says what its instructions take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Timing {
    /// Cortex-M0+
    CortexM0plus,
    /// Cortex-M3
    CortexM3,
    /// Cortex-M4, with its FPU
    CortexM4,
    /// lowRISC Ibex, for RV32IMC
    Ibex,
}

/// Where a taken branch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Whether it is an instruction of four bytes across two words.
    pub unaligned: bool,
}

impl Timing {
    /// The cycles of an instruction behind another, which is followed by that at a target unless by the next in memory; `None` if
    /// the core has no such instruction.
    pub fn cycles(
        self,
        instruction: &Instruction,
        before: Option<&Instruction>,
        target: Option<Target>,
    ) -> Option<u64> {
        match self {
            Self::CortexM0plus => m0plus(instruction.class, target),
            Self::CortexM3 | Self::CortexM4 => self.armv7(instruction, before, target),
            Self::Ibex => ibex(instruction.class, target),
        }
    }

    fn armv7(self, of: &Instruction, before: Option<&Instruction>, target: Option<Target>) -> Option<u64> {
        let m4 = self == Self::CortexM4;
        let direct = target.map_or(0, |target| 1 + u64::from(target.unaligned));
        // An address is not forwarded from the instruction that computes it.
        let late = before.is_some_and(|before| before.class.computes() && before.writes & of.address != 0);
        // Its address goes out while the load before still waits for its data.
        let overlaps = before.is_some_and(|before| self.pipelined(before) && before.writes & of.address == 0);
        let float = before.is_some_and(|before| {
            matches!(before.class, Class::Float | Class::FloatSum | Class::FloatDivision)
                && before.float_writes & of.float_reads != 0
        });
        let cycles = match of.class {
            Class::Plain | Class::Product | Class::It => 1,
            Class::ProductSum => 2 - u64::from(m4),
            Class::LongProduct => {
                if m4 {
                    1
                } else {
                    5
                }
            }
            Class::LongProductSum => {
                if m4 {
                    1
                } else {
                    7
                }
            }
            Class::Dsp if m4 => 1,
            Class::Division => 12,
            Class::Load { updates } => 2 - u64::from(overlaps && (m4 || !updates)),
            Class::Store { indexed: false } => 1,
            Class::Store { indexed: true } => 2 - u64::from(overlaps),
            Class::Pair => 3,
            Class::Multiple { registers } => 1 + registers,
            Class::LoadPc => 2 + 3,
            Class::MultiplePc { registers } => 1 + registers + 3,
            Class::Table => 2 + 1 + 3,
            Class::Branch | Class::Call => 1 + direct,
            Class::Indirect | Class::IndirectCall => 1 + 3,
            // The barriers wait for nothing that is modelled; ISB refills the pipeline.
            Class::Barrier => 1 + 3,
            Class::Special => 1,
            Class::Float | Class::FloatMove if m4 => 1,
            Class::FloatSum if m4 => 3,
            Class::FloatDivision if m4 => 14,
            Class::FloatPair if m4 => 2,
            Class::FloatMemory { registers } if m4 => 1 + registers,
            _ => return None,
        };
        Some(cycles + u64::from(late) + u64::from(float))
    }

    /// Whether the next load or store may begin in the second cycle of an instruction.
    fn pipelined(self, of: &Instruction) -> bool {
        match of.class {
            // "Any load with a base update is not normally pipelined", says the manual of the M3 alone.
            Class::Load { updates } => !updates || self == Self::CortexM4,
            _ => false,
        }
    }
}

fn m0plus(class: Class, target: Option<Target>) -> Option<u64> {
    Some(match class {
        Class::Plain | Class::Product => 1,
        Class::Load { .. } | Class::Store { .. } => 2,
        Class::Multiple { registers } => 1 + registers,
        Class::MultiplePc { registers } => 3 + registers,
        Class::Branch => 1 + u64::from(target.is_some()),
        Class::Call => 3,
        Class::Indirect | Class::IndirectCall => 2,
        Class::Barrier | Class::Special => 3,
        _ => return None,
    })
}

fn ibex(class: Class, target: Option<Target>) -> Option<u64> {
    // Another word must be fetched before such an instruction is whole.
    let unaligned = u64::from(target.is_some_and(|target| target.unaligned));
    Some(match class {
        Class::Plain | Class::Product | Class::Special => 1,
        Class::LongProduct => 2,
        Class::Division => 38,
        Class::Load { .. } | Class::Store { .. } => 2,
        Class::Branch if target.is_some() => 3 + unaligned,
        Class::Branch => 1,
        Class::Call | Class::Indirect | Class::IndirectCall | Class::Barrier => 2 + unaligned,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Target, Timing};
    use crate::cycles::listing::Listing;

    /// The cycles of instructions one behind the other; none branches.
    fn straight(timing: Timing, instructions: &[(&str, u32)]) -> u64 {
        let mut at = 0x100;
        let mut text = String::new();
        for (instruction, bytes) in instructions {
            let code = if *bytes == 2 { "bf00     " } else { "bf00 bf00" };
            text += &format!(" {at:x}:\t{code}\t{instruction}\n");
            at += bytes;
        }
        let listing = Listing::parse(&text, timing);
        let (mut at, mut before, mut sum) = (0x100, None, 0);
        for (_, bytes) in instructions {
            let of = listing.at(at).unwrap();
            sum += timing.cycles(of, before, None).unwrap();
            (before, at) = (Some(of), at + bytes);
        }
        sum
    }

    #[test]
    fn examples_of_the_manuals() {
        // Those of "load/store timings".
        for timing in [Timing::CortexM3, Timing::CortexM4] {
            for (instructions, cycles) in [
                (&[("ldr\tr0, [r1, #0]", 2), ("ldr\tr1, [r2, #0]", 2)][..], 3),
                (&[("ldr\tr0, [r1, r2]", 2), ("str\tr0, [r3, #20]", 2)], 3),
                (&[("ldr\tr0, [r1, r2]", 2), ("str\tr1, [r3, r2]", 2)], 3),
                (&[("ldr\tr0, [r1, r5]", 2), ("ldr\tr1, [r2, #0]", 2), ("ldr\tr2, [r3, #4]", 2)], 4),
                (&[("ldrd\tr0, r1, [r2]", 4)], 3),
                (&[("ldmia.w\tr0!, {r1, r2, r3}", 4)], 4),
                (&[("ldr\tr0, [r1, #0]", 2), ("ldr\tr2, [r0, #0]", 2)], 4),
                (&[("adds\tr1, #4", 2), ("ldr\tr0, [r1, #0]", 2)], 4),
                (&[("mls\tr0, r1, r2, r3", 4)], if timing == Timing::CortexM3 { 2 } else { 1 }),
                (&[("umull\tr0, r1, r2, r3", 4)], if timing == Timing::CortexM3 { 5 } else { 1 }),
            ] {
                assert_eq!(straight(timing, instructions), cycles, "{timing:?} {instructions:?}");
            }
        }
        let m4 = |instructions: &[(&str, u32)]| straight(Timing::CortexM4, instructions);
        assert_eq!(m4(&[("smlad\tr0, r1, r2, r0", 4), ("uxtb16\tr1, r2, ror #8", 4)]), 2);
        assert_eq!(m4(&[("vadd.f32\ts0, s1, s2", 4), ("vmul.f32\ts3, s4, s5", 4)]), 2);
        assert_eq!(m4(&[("vadd.f32\ts0, s1, s2", 4), ("vmul.f32\ts3, s0, s5", 4)]), 3);
        assert_eq!(m4(&[("ldr.w\tr0, [r1], #4", 4), ("ldr.w\tr2, [r1], #4", 4)]), 4);
        let m0 = |instructions: &[(&str, u32)]| straight(Timing::CortexM0plus, instructions);
        assert_eq!(m0(&[("ldr\tr0, [r1, #0]", 2), ("muls\tr0, r1", 2), ("ldmia\tr0!, {r1, r2}", 2)]), 6);
        assert_eq!(m0(&[("pop\t{r4, pc}", 2), ("bl\t200 <f>", 4), ("bx\tlr", 2)]), 10);
        let ibex = |instructions: &[(&str, u32)]| straight(Timing::Ibex, instructions);
        assert_eq!(ibex(&[("c.lw\ta0,0(a1)", 2), ("mul\ta0,a0,a1", 4), ("mulhu\ta0,a0,a1", 4)]), 5);
    }

    #[test]
    fn branches_and_what_a_core_lacks() {
        let listing = |text: &str, timing| Listing::parse(&format!(" 100:\tbf00     \t{text}\n"), timing);
        let cycles = |timing: Timing, text: &str, target| {
            timing.cycles(listing(text, timing).at(0x100).ok()?, None, target)
        };
        let (near, far) = (Some(Target { unaligned: false }), Some(Target { unaligned: true }));
        assert_eq!(
            [None, near, far].map(|to| cycles(Timing::CortexM4, "bne.n\t90 <f>", to)),
            [1, 2, 3].map(Some)
        );
        assert_eq!(
            [None, near, far].map(|to| cycles(Timing::CortexM0plus, "bne.n\t90 <f>", to)),
            [1, 2, 2].map(Some)
        );
        assert_eq!(
            [None, near, far].map(|to| cycles(Timing::Ibex, "bne\ta0,a1,90 <f>", to)),
            [1, 3, 4].map(Some)
        );
        assert_eq!(cycles(Timing::CortexM3, "bx\tlr", near), Some(4));
        assert_eq!(cycles(Timing::CortexM3, "smlad\tr0, r1, r2, r0", None), None);
        assert_eq!(cycles(Timing::CortexM0plus, "udiv\tr0, r1, r2", None), None);
    }
}
