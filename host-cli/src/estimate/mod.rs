//! What a flash file will take on a microcontroller: bytes of flash and RAM, instructions, and a range of time.
//!
//! Bytes of weights, inputs and activations are exact, since they follow from the header. The rest is one table, [`CORES`]:
//! code, stack, and what a kernel spends on each part of its work. Instructions are not cycles; what a cycle brings is a
//! range, from code in fast memory to code behind the flash's wait states.

mod cores;
mod units;

pub use cores::{CORES, Core, Cost, Way, core, target};
pub use units::{Bytes, Hertz};

use selvedge::format::{Dtype, Header, InputMap, Packing};
use selvedge::infer::Profile;

/// What a file takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// The file and the code.
    pub flash: usize,
    /// Image, activations, logits and stack.
    pub ram: usize,
    /// Multiply-adds of an image.
    pub macs: usize,
    /// Instructions of an image, where weights of this type were measured.
    pub instructions: Option<u64>,
}

impl Budget {
    /// Of a file with this header on a core.
    pub fn new(header: &Header<'_>, core: &Core) -> Self {
        let way = core.way(header);
        let profile = match header.dtype() {
            dtype @ (Dtype::I8 | Dtype::I4) if core.runs(header) => Profile::Core(dtype, core.packing),
            Dtype::I8 | Dtype::I4 => Profile::Integer,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => Profile::Float,
        };
        let measured = match header.dtype() {
            // In the packing of another core the loops take up to nine times as many.
            Dtype::I8 | Dtype::I4 => core.runs(header) || header.packing() == Packing::Generic,
            Dtype::F32 => true,
            Dtype::F16 | Dtype::Bf16 => false,
        };
        Self {
            flash: header.file_bytes() + way.code,
            ram: profile.ram_bytes(header) + way.stack,
            macs: header.macs(),
            instructions: measured.then(|| instructions(header, &way.cost).round() as u64),
        }
    }

    /// What of `flash` and `ram` is missing, in words.
    pub fn short_of(&self, flash: Option<Bytes>, ram: Option<Bytes>) -> Option<String> {
        let short = |name: &str, needed: usize, there: Option<Bytes>| {
            let there = there.filter(|t| needed > t.0)?.0;
            Some(format!("{needed} bytes of {name} needed, {there} there"))
        };
        let short = [short("flash", self.flash, flash), short("RAM", self.ram, ram)];
        let short: Vec<_> = short.into_iter().flatten().collect();
        (!short.is_empty()).then(|| short.join(", "))
    }

    /// Seconds for an image at a clock, at best and at worst.
    pub fn seconds(&self, core: &Core, clock: f64) -> Option<[f64; 2]> {
        self.instructions.map(|n| core.cycles.map(|cycles| n as f64 * cycles / clock))
    }
}

fn instructions(header: &Header<'_>, cost: &Cost) -> f64 {
    let layer = |l: usize| {
        let together = header.width(l).div_ceil(cost.together) as f64;
        let groups = header.width(l + 1).div_ceil(cost.rows) as f64;
        let (busy, look_up) = match l {
            0 => (cost.busy, if header.input_map() == InputMap::Table { cost.look_up } else { 0.0 }),
            _ => (1.0, 0.0),
        };
        groups * together * busy * cost.product
            + together * (cost.prepare + look_up)
            + header.width(l + 1) as f64 * cost.row
    };
    (0..header.layers()).map(layer).sum()
}
