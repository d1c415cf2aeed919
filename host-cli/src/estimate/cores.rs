//! The supported cores, and the instructions that each part of a kernel's work takes on each.
//!
//! The table was measured on emulated cores with Fashion-MNIST. `tests/firmware/run` compares it with the programs that it
//! builds, and fails if one is more than 3 % off.

use selvedge::format::{Dtype, Header, Packing};

use super::AnyCost;
use crate::error::{Error, Result};

/// A family of cores and its kernels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Core {
    /// The name for `--target`.
    pub name: &'static str,
    /// The processors of the family.
    pub processors: &'static str,
    /// The feature that its kernel relies on.
    pub about: &'static str,
    /// The packing that its kernel reads.
    pub packing: Packing,
    /// The kernel of i8 weights in its packing.
    pub packed_i8: KernelProfile,
    /// The kernel of i4 weights in its packing.
    pub packed_i4: KernelProfile,
    /// The portable kernel of i8 weights.
    pub generic_i8: KernelProfile,
    /// The portable kernel of i4 weights.
    pub generic_i4: KernelProfile,
    /// The kernel of floats.
    pub float: KernelProfile,
    /// What its kernel takes besides for other files than classifiers of pictures.
    pub any: AnyCost,
    /// Bytes of the program for those files, without model and rows, and bytes of it that infer: in the middle of the projects that
    /// were measured, which are within 15 %.
    pub any_program: [usize; 2],
    /// Cycles of its instructions.
    pub cycles: Cycles,
    /// The default of `--clock`, in Hz.
    pub clock: f64,
}

/// Cycles of an instruction on average, without wait states and with those of flash; where no manual says what instructions
/// take, an assumption of the best and of the worst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cycles {
    /// For classifiers of pictures with i8 weights, and for what was not traced: other packings, floats.
    pub i8: [f64; 2],
    /// For those with i4 weights.
    pub i4: [f64; 2],
    /// For raw values and other tasks, their input map included.
    pub any: [f64; 2],
    /// The flash with wait states, where cycles are modelled.
    pub flash: Option<Flash>,
}

/// A flash without cache and prefetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flash {
    /// Wait states of each line that is fetched anew.
    pub wait_states: u32,
    /// Bytes of a line.
    pub line_bytes: u32,
}

/// Modelled by `tests/firmware/run`, whose README has the cycles that these ratios give.
const fn modelled(i8: [f64; 2], i4: [f64; 2], any: [f64; 2], wait_states: u32, line_bytes: u32) -> Cycles {
    Cycles { i8, i4, any, flash: Some(Flash { wait_states, line_bytes }) }
}

const fn assumed(range: [f64; 2]) -> Cycles {
    Cycles { i8: range, i4: range, any: range, flash: None }
}

/// The size and the cost of inference with one kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelProfile {
    /// Bytes of the program that `export --format firmware` writes, without model and images: start-up, check of the
    /// file, inference, console.
    pub code: usize,
    /// Bytes of it that infer, where they were measured.
    pub inference: Option<usize>,
    /// Bytes of stack that an inference takes.
    pub stack: usize,
    /// Instructions per image.
    pub cost: Cost,
}

/// Instructions for each part of a kernel's work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Inputs in a group, which are multiplied together, and skipped together if all are 0.
    pub group_inputs: usize,
    /// Outputs that are summed together.
    pub group_outputs: usize,
    /// For each group of inputs and group of outputs, unless the inputs are all 0.
    pub product: f64,
    /// For the preparation of each group of inputs.
    pub prepare: f64,
    /// For the requantization of each output.
    pub output: f64,
    /// For the table lookups of each group of pixels, if the file has a table.
    pub look_up: f64,
    /// The fraction of the first layer's groups that are not all 0 in an image of Fashion-MNIST.
    pub busy: f64,
}

impl Cost {
    /// With that many instructions for the table lookups of a group.
    const fn look_up(self, look_up: f64) -> Self {
        Self { look_up, ..self }
    }
}

/// Four inputs of four outputs.
const fn quads(product: f64, prepare: f64, output: f64) -> Cost {
    Cost { group_inputs: 4, group_outputs: 4, product, prepare, output, look_up: 0.0, busy: 118.0 / 196.0 }
}

/// Four inputs of one output.
const fn rows(product: f64, prepare: f64, output: f64) -> Cost {
    Cost { group_outputs: 1, ..quads(product, prepare, output) }
}

/// Eight inputs of one output.
const fn octets(product: f64, prepare: f64, output: f64) -> Cost {
    Cost { group_inputs: 8, busy: 0.7, ..rows(product, prepare, output) }
}

/// Sixteen inputs of eight outputs, in blocks.
const fn blocks(product: f64, prepare: f64, output: f64) -> Cost {
    Cost { group_inputs: 16, group_outputs: 8, busy: 0.67, ..quads(product, prepare, output) }
}

/// One input of one output.
const fn products(product: f64, prepare: f64, output: f64) -> Cost {
    Cost { group_inputs: 1, busy: 0.5, ..rows(product, prepare, output) }
}

/// An answer, a layer, a table's entry, the codes of a float and of an integer, an error.
const fn any([answer, layer, look_up, float, integer, error]: [f64; 6]) -> AnyCost {
    AnyCost { answer, layer, look_up, float, integer, error }
}

/// Cortex-M7 runs the same kernels.
const M4: Core = Core {
    name: "m4",
    processors: "Cortex-M4 and M33",
    about: "the DSP extension",
    packing: Packing::CortexM4,
    packed_i8: KernelProfile {
        code: 14_664,
        inference: Some(1_448),
        stack: 264,
        cost: quads(15.4, 19.6, 16.0).look_up(10.0),
    },
    packed_i4: KernelProfile {
        code: 15_020,
        inference: Some(1_718),
        stack: 320,
        cost: quads(19.5, 22.0, 26.6).look_up(10.0),
    },
    generic_i8: KernelProfile { code: 13_166, inference: None, stack: 328, cost: rows(20.0, 53.9, 50.9) },
    generic_i4: KernelProfile { code: 13_166, inference: None, stack: 328, cost: octets(24.0, 95.6, 105.0) },
    float: KernelProfile { code: 14_910, inference: None, stack: 296, cost: products(8.92, 22.2, 0.0) },
    any: any([-417.0, 735.0, 22.0, 38.0, 46.0, 93.0]),
    any_program: [19_700, 5_700],
    cycles: modelled([1.536, 3.313], [1.345, 2.763], [1.462, 2.941], 5, 16),
    clock: 168e6,
};

/// The supported cores.
pub const CORES: [Core; 6] = [
    Core {
        name: "m0",
        processors: "Cortex-M0 and M0+",
        about: "two products in a multiplication of one cycle",
        packing: Packing::CortexM0,
        packed_i8: KernelProfile {
            code: 14_600,
            inference: Some(1_562),
            stack: 288,
            cost: quads(42.0, 43.0, 49.0).look_up(14.0),
        },
        packed_i4: KernelProfile {
            code: 14_600,
            inference: Some(1_602),
            stack: 344,
            cost: quads(40.5, 44.0, 51.0).look_up(14.0),
        },
        generic_i8: KernelProfile {
            code: 13_142,
            inference: None,
            stack: 376,
            cost: rows(35.2, 68.6, 111.6),
        },
        generic_i4: KernelProfile {
            code: 13_142,
            inference: None,
            stack: 376,
            cost: octets(52.2, 122.2, 178.4),
        },
        float: KernelProfile { code: 17_046, inference: None, stack: 404, cost: products(221.5, 501.0, 0.0) },
        any: any([-24.0, 714.0, 37.0, 431.0, 66.0, 118.0]),
        any_program: [21_050, 6_000],
        cycles: modelled([1.202, 1.543], [1.172, 1.480], [1.368, 1.695], 1, 8),
        clock: 48e6,
    },
    Core {
        name: "m3",
        processors: "Cortex-M3",
        about: "two products in a multiplication",
        packing: Packing::CortexM0,
        packed_i8: KernelProfile {
            code: 14_744,
            inference: Some(1_566),
            stack: 260,
            cost: quads(28.2, 20.5, 17.0).look_up(10.0),
        },
        packed_i4: KernelProfile {
            code: 14_828,
            inference: Some(1_584),
            stack: 324,
            cost: quads(24.0, 23.0, 32.0).look_up(10.0),
        },
        generic_i8: KernelProfile { code: 13_166, inference: None, stack: 256, cost: rows(20.0, 53.9, 52.9) },
        generic_i4: KernelProfile {
            code: 13_166,
            inference: None,
            stack: 280,
            cost: octets(24.0, 95.7, 107.0),
        },
        float: KernelProfile { code: 16_186, inference: None, stack: 288, cost: products(132.3, 209.8, 0.0) },
        any: any([-388.0, 613.0, 31.0, 278.0, 52.0, 90.0]),
        any_program: [21_100, 6_200],
        cycles: modelled([1.310, 2.519], [1.435, 2.551], [1.400, 2.387], 2, 8),
        clock: 72e6,
    },
    M4,
    Core {
        name: "m7",
        processors: "Cortex-M7",
        about: "up to two instructions in a cycle",
        cycles: assumed([0.6, 1.3]),
        clock: 480e6,
        ..M4
    },
    Core {
        name: "m55",
        processors: "Cortex-M55",
        about: "MVE, whose vectors take two cycles for most of their instructions",
        packing: Packing::CortexM55,
        packed_i8: KernelProfile {
            code: 15_844,
            inference: Some(1_692),
            stack: 288,
            cost: blocks(19.0, 21.6, 10.7).look_up(1.0),
        },
        packed_i4: KernelProfile {
            code: 16_040,
            inference: Some(1_748),
            stack: 288,
            cost: blocks(23.1, 21.6, 10.4).look_up(1.0),
        },
        generic_i8: KernelProfile { code: 14_562, inference: None, stack: 336, cost: rows(7.9, 45.4, 74.9) },
        generic_i4: KernelProfile {
            code: 14_562,
            inference: None,
            stack: 360,
            cost: octets(22.5, 82.6, 106.2),
        },
        float: KernelProfile { code: 14_822, inference: None, stack: 368, cost: products(6.93, 25.0, 0.0) },
        any: any([265.0, 338.0, 4.0, 50.0, 42.0, 33.0]),
        any_program: [21_600, 4_700],
        cycles: assumed([1.3, 2.2]),
        clock: 400e6,
    },
    Core {
        name: "rv32",
        processors: "RV32IMC",
        about: "two products in a multiplication of one cycle",
        packing: Packing::CortexM0,
        packed_i8: KernelProfile {
            code: 18_378,
            inference: Some(1_632),
            stack: 236,
            cost: quads(46.2, 24.5, 23.0).look_up(18.0),
        },
        packed_i4: KernelProfile {
            code: 18_446,
            inference: Some(1_668),
            stack: 280,
            cost: quads(42.0, 30.0, 33.3).look_up(18.0),
        },
        generic_i8: KernelProfile {
            code: 14_666,
            inference: None,
            stack: 272,
            cost: rows(23.6, 60.7, 132.3),
        },
        generic_i4: KernelProfile {
            code: 14_666,
            inference: None,
            stack: 276,
            cost: octets(33.4, 108.8, 190.6),
        },
        float: KernelProfile { code: 17_654, inference: None, stack: 268, cost: products(127.5, 198.4, 0.0) },
        any: any([236.0, 721.0, 32.0, 264.0, 49.0, 73.0]),
        any_program: [25_000, 5_700],
        cycles: modelled([1.210, 2.172], [1.190, 2.160], [1.248, 2.178], 2, 8),
        clock: 160e6,
    },
];

/// The core of a name, such as `m4` or `cortex-m4`.
pub fn core(name: &str) -> Option<&'static Core> {
    CORES.iter().find(|core| core.name == name.strip_prefix("cortex-").unwrap_or(name))
}

/// The core that `--target` names.
///
/// # Errors
/// `Usage` with the supported names.
pub fn target(name: &str) -> Result<&'static Core> {
    core(name).ok_or_else(|| {
        let names: Vec<_> = CORES.iter().map(|core| core.name).collect();
        Error::usage(format!("--target {name}: the targets are {}", names.join(", ")))
    })
}

impl Core {
    /// Whether its kernel runs a file with this header.
    pub fn runs(&self, header: &Header<'_>) -> bool {
        header.dtype().is_integer() && header.packing() == self.packing
    }

    /// Bytes of the program that `export --format firmware` writes for a file of this header, without model and images or rows.
    pub fn program_bytes(&self, header: &Header<'_>) -> usize {
        if header.is_plain() { self.profile(header).code } else { self.any_program[0] }
    }

    /// Bytes of it that infer, where they were measured: in files packed for the core.
    pub fn inference_bytes(&self, header: &Header<'_>) -> Option<usize> {
        match header.is_plain() {
            true => self.profile(header).inference,
            false => self.runs(header).then_some(self.any_program[1]),
        }
    }

    /// Cycles of an instruction with a file of this header.
    pub fn cycles(&self, header: &Header<'_>) -> [f64; 2] {
        match header.dtype() {
            _ if !header.is_plain() => self.cycles.any,
            Dtype::I4 if self.runs(header) => self.cycles.i4,
            _ => self.cycles.i8,
        }
    }

    /// The kernel that runs a file with this header.
    pub fn profile(&self, header: &Header<'_>) -> &KernelProfile {
        match header.dtype() {
            Dtype::I8 if self.runs(header) => &self.packed_i8,
            Dtype::I4 if self.runs(header) => &self.packed_i4,
            Dtype::I8 => &self.generic_i8,
            Dtype::I4 => &self.generic_i4,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => &self.float,
        }
    }
}
