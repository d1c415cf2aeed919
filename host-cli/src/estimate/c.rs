//! The size of the object of the exported C.
//!
//! Its code is a function a layer and one for the task. The figures are fitted on objects that `arm-none-eabi-gcc -O2` made of the
//! networks of `tests/firmware`, within 15 %; `tests/firmware/run` compares one with its CMake package.

use selvedge::format::{Dtype, Header, Task};

use super::{Core, classifies_pictures};

/// The bytes of an object of C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CObject {
    /// Weights, biases, multipliers, tables, and the sample of the self-test, which the linker leaves out where it is not called.
    pub constants: usize,
    /// Code that infers.
    pub code: usize,
}

/// Bytes of code: of a classifier of pictures with i8 weights and with i4, for both of 2 layers; else of a network, of each of its
/// layers, of a score.
struct Code {
    pictures: [f64; 2],
    network: f64,
    layer: f64,
    score: f64,
}

const fn code(pictures: [f64; 2], network: f64, layer: f64, score: f64) -> Code {
    Code { pictures, network, layer, score }
}

impl CObject {
    /// The object of a file of integers; floats were not measured.
    pub fn new(header: &Header<'_>, core: &Core) -> Option<Self> {
        let of = match core.name {
            "m0" => code([1112.0, 1104.0], 579.0, 262.0, 322.0),
            "m3" => code([980.0, 952.0], 459.0, 278.0, 249.0),
            "m4" | "m7" => code([972.0, 1032.0], 561.0, 259.0, 226.0),
            "m55" => code([776.0, 808.0], 547.0, 154.0, 233.0),
            _ => return None,
        };
        let layers = header.layers() as f64;
        let code = match header.dtype() {
            Dtype::I8 | Dtype::I4 if classifies_pictures(header) => {
                of.pictures[usize::from(header.dtype() == Dtype::I4)] + (layers - 2.0) * of.layer
            }
            Dtype::I8 | Dtype::I4 => {
                let score = if header.task() == Task::Reconstruction { of.score } else { 0.0 };
                of.network + of.layer * layers + score
            }
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => return None,
        };
        // The header and the layer records are not in C; a sample for its self-test with its logits is.
        let sample = header.inputs() * header.input_type().bytes() + 4 * header.outputs();
        let constants = header.file_bytes() - header.header_bytes() + sample;
        Some(Self { constants, code: code.max(0.0) as usize })
    }
}
