//! Integer networks: inference from flash files, and how a trained network becomes one.
//!
//! [`Model`] runs a file of any packing in place, one image at a time, in a few hundred bytes of caller-provided memory, with the
//! same result on every machine: the arithmetic of [`format`](crate::format), whose specification in plain loops is
//! [`naive::integer`](crate::naive::integer). [`quantize`](crate::quantize::quantize) makes such a file from trained parameters.

mod batch;
mod row_dot;

use crate::format::{Header, ModelView, Packing};
use crate::infer::{self, Numbers};
use crate::naive::integer::requantize;
use crate::shape::Shape;

pub use batch::Prepared;
use row_dot::{dot, input_words, pack, sum_of};

/// A checked file of integer weights, ready to run in [`scratch_words`] words.
pub type Model<'a> = infer::Model<'a, Integers>;

/// i8 and i4 weights in any packing, rows one by one.
#[derive(Debug, Clone)]
pub enum Integers {}

impl infer::sealed::Sealed for Integers {}

impl Numbers for Integers {
    type Scratch = u32;
    type Logit = i32;
    const INTEGERS: bool = true;
    const SCRATCH: &'static str = "scratch words";

    fn split(header: &Header) -> (usize, usize) {
        scratch_split(header)
    }

    fn bytes(logit: i32) -> [u8; 4] {
        logit.to_le_bytes()
    }

    fn run(
        image: &ModelView<'_>,
        pixels: impl Iterator<Item = u8>,
        even: &mut [u32],
        odd: &mut [u32],
        logits: &mut [i32],
    ) {
        let table = image.table();
        pack(pixels.map(|p| table.map_or(p >> 1, |t| t[usize::from(p)])), even);
        layers(image, even, odd, logits);
    }
}

/// All layers, of whichever pixels.
fn layers(image: &ModelView<'_>, even: &mut [u32], odd: &mut [u32], logits: &mut [i32]) {
    let (mut x, mut y) = (even, odd);
    for layer in image.layers() {
        let inputs = x.get(..input_words(layer.inputs())).unwrap_or_default();
        let sum = sum_of(inputs);
        let row = |row| dot(layer, row, inputs, sum);
        if layer.multipliers().is_empty() {
            logits.iter_mut().enumerate().for_each(|(at, z)| *z = row(at));
        } else {
            pack((0..layer.outputs()).map(|at| requantize(row(at), layer.multiplier(at))), y);
        }
        core::mem::swap(&mut x, &mut y);
    }
}

/// Whether [`Model::new`](infer::Model::new) takes a file: integer weights, in any packing.
pub const fn runs(header: &Header) -> bool {
    header.dtype().is_integer()
}

/// Words of the inputs of even and of odd layers.
const fn scratch_split(header: &Header) -> (usize, usize) {
    let shape = header.shape();
    let mut words = [0; 2];
    let mut l = 0;
    while l < shape.layers() {
        let width = input_words(shape.width_or_zero(l));
        if width > words[l % 2] {
            words[l % 2] = width;
        }
        l += 1;
    }
    (words[0], words[1])
}

/// Words of caller-provided memory that [`Model`] needs to run a file.
pub const fn scratch_words(header: &Header) -> usize {
    let (even, odd) = scratch_split(header);
    even + odd
}

/// Bytes of RAM of an inference: the image, [`scratch_words`] and the logits. A constant, so that firmware can assert
/// what it has:
///
/// ```
/// use selvedge::format::Header;
/// use selvedge::infer::integer;
/// const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8.selv");
/// const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
/// const _: () = assert!(HEADER.file_bytes() <= 16 * 1024 && integer::ram_bytes(&HEADER) <= 1024);
/// ```
///
/// An over-budget model does not compile:
///
/// ```compile_fail,E0080
/// use selvedge::format::Header;
/// use selvedge::infer::integer;
/// const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8.selv");
/// const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
/// const _: () = assert!(HEADER.file_bytes() <= 1024, "the model does not fit the flash");
/// ```
pub const fn ram_bytes(header: &Header) -> usize {
    let shape: Shape = header.shape();
    shape.inputs() + 4 * scratch_words(header) + 4 * shape.outputs()
}

/// The packing that suits a core, by the names that people give them.
pub fn packing_for(core: &str) -> Option<Packing> {
    Some(match core {
        "generic" => Packing::Generic,
        "cortex-m4" | "cortex-m7" | "cortex-m33" => Packing::CortexM4,
        "cortex-m0" | "cortex-m0+" | "cortex-m3" | "rv32" | "riscv" => Packing::CortexM0,
        "cortex-m55" | "cortex-m85" => Packing::CortexM55,
        _ => return None,
    })
}
