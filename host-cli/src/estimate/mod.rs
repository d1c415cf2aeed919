//! Estimates the flash, RAM, instructions and time that a flash file takes on a microcontroller.
//!
//! Bytes of weights, inputs and activations are exact, since they follow from the header. The rest comes from one table,
//! [`CORES`]: code, stack, and instructions per part of a kernel's work, which for raw values, activations and tasks are
//! [modelled](AnyCost). Cycles are modelled from [cycles of an
//! instruction](Cycles), without wait states and with those of a flash without cache, and never measured.

mod any;
mod c;
mod cores;
mod units;

pub use any::AnyCost;
pub use c::CObject;
pub use cores::{CORES, Core, Cost, Cycles, Flash, KernelProfile, core, target};
pub use units::{Bytes, Hertz};

use selvedge::format::{Dtype, Header, InputMap, Packing, Task};
use selvedge::infer::Profile;

/// The requirements of a flash file on a core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Requirements {
    /// Bytes of flash: the file and the program around it.
    pub flash: usize,
    /// Bytes of RAM: image, activations, logits and stack; for other files than classifiers of pictures also the window, a row
    /// and the answers.
    pub ram: usize,
    /// Bytes of the stack among them.
    pub stack: usize,
    /// Multiply-adds per image.
    pub macs: usize,
    /// Instructions per sample, if files of this kind were measured; those of a file that is not
    /// [plain](Header::is_plain) are [modelled](AnyCost).
    pub instructions: Option<u64>,
    /// Cycles per sample, without wait states and [with those of flash](Cycles).
    pub cycles: Option<[u64; 2]>,
}

impl Requirements {
    /// The requirements of a file with this header.
    pub fn new(header: &Header<'_>, core: &Core) -> Self {
        let profile = core.profile(header);
        let plain = header.is_plain();
        let engine = match header.dtype() {
            dtype @ (Dtype::I8 | Dtype::I4) if core.runs(header) && plain => {
                Profile::Core(dtype, core.packing)
            }
            dtype @ (Dtype::I8 | Dtype::I4) if core.runs(header) => Profile::AnyCore(dtype, core.packing),
            Dtype::I8 | Dtype::I4 => Profile::Integer,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => Profile::Float,
        };
        let layers = || (0..header.layers()).map(|l| profile.cost.layer(header, l)).sum::<f64>();
        let counted = match header.dtype() {
            _ if !plain => core.runs(header),
            // A file packed for another core runs in the portable loops, which take up to nine times as many.
            Dtype::I8 | Dtype::I4 => core.runs(header) || header.packing() == Packing::Generic,
            Dtype::F32 => true,
            Dtype::F16 | Dtype::Bf16 => false,
        };
        let (memory, stack) = if classifies_pictures(header) {
            (engine.ram_bytes(header), profile.stack)
        } else {
            (4 * engine.scratch_words(header) + answering(header), profile.stack.max(ANY_STACK))
        };
        let instructions = counted.then(|| match plain {
            true => layers().round() as u64,
            false => any::instructions(header, &profile.cost, &core.any).round() as u64,
        });
        Self {
            flash: header.file_bytes() + core.program_bytes(header),
            ram: memory + stack,
            stack,
            macs: header.macs(),
            instructions,
            cycles: instructions.map(|n| core.cycles(header).map(|each| (n as f64 * each).round() as u64)),
        }
    }

    /// The shortage of flash and RAM for a message; `None` if they suffice.
    pub fn short_of(&self, flash: Option<Bytes>, ram: Option<Bytes>) -> Option<String> {
        let short = |name: &str, needed: usize, there: Option<Bytes>| {
            let there = there.filter(|t| needed > t.0)?.0;
            Some(format!("{needed} bytes of {name} needed, {there} there"))
        };
        let short = [short("flash", self.flash, flash), short("RAM", self.ram, ram)];
        let short: Vec<_> = short.into_iter().flatten().collect();
        (!short.is_empty()).then(|| short.join(", "))
    }

    /// Seconds per sample at a clock, for both of the [cycles](Self::cycles).
    pub fn seconds(&self, clock: f64) -> Option<[f64; 2]> {
        self.cycles.map(|both| both.map(|cycles| cycles as f64 / clock))
    }
}

/// The largest stack of an inference with an input map, a table of activations or a reconstruction, of those that
/// `tests/firmware/run` measures; bytes.
const ANY_STACK: usize = 620;

/// Whether a file is a classifier of pictures.
pub fn classifies_pictures(header: &Header<'_>) -> bool {
    header.is_plain() && header.task() == Task::Class && header.window().is_none()
}

/// Values of a row of raw values: a sample, or a row of a window.
pub fn row_values(header: &Header<'_>) -> usize {
    header.inputs() / header.window().map_or(1, |(rows, _)| rows)
}

/// Bytes that the program for rows holds beside the scratch: the window, and the row, its logits and what they mean, or at boot
/// the logits of the self-test.
fn answering(header: &Header<'_>) -> usize {
    let raw = header.input_type().bytes();
    let window = if header.window().is_some() { header.inputs() * raw } else { 0 };
    let logits = 4 * header.outputs();
    let answer = match header.task() {
        Task::Labels => logits + header.outputs().div_ceil(8),
        Task::Values => 2 * logits,
        // Integers are squared one by one.
        Task::Reconstruction if header.dtype().is_integer() => 0,
        _ => logits,
    };
    window + logits.max(row_values(header) * raw + answer)
}

impl Cost {
    /// Instructions of a pass over the inputs of layer `l`.
    fn sums(&self, header: &Header<'_>, l: usize) -> f64 {
        let input_groups = header.width(l).div_ceil(self.group_inputs) as f64;
        let output_groups = header.width(l + 1).div_ceil(self.group_outputs) as f64;
        let busy = if l == 0 { self.busy } else { 1.0 };
        output_groups * input_groups * busy * self.product + input_groups * self.prepare
    }

    /// Instructions of layer `l`.
    fn layer(&self, header: &Header<'_>, l: usize) -> f64 {
        let looked_up = l == 0 && header.input_map() == InputMap::Table;
        let table =
            if looked_up { header.width(0).div_ceil(self.group_inputs) as f64 * self.look_up } else { 0.0 };
        self.sums(header, l) + table + header.width(l + 1) as f64 * self.output
    }
}
