//! Instructions by what they take and by what they touch.

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
