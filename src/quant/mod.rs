//! Integer networks: inference from flash files, and how a trained network becomes one.
//!
//! [`Model`] runs a file of any packing in place, one image at a time, in a few hundred bytes of lent memory, with the
//! same result on every machine: the arithmetic of [`format`](crate::format), whose specification in plain loops is
//! [`naive::integer`]. [`quantize`](quantize::quantize) makes such a file from trained parameters.

mod prepared;
pub mod quantize;
mod rows;

use crate::error::Error;
use crate::format::crc::Crc;
use crate::format::{Header, Image, Packing, SelfTest, Stored};
use crate::naive;
use crate::naive::integer::requantize;
use crate::shape::Shape;

pub use prepared::Prepared;
pub use quantize::{Scales, quantize};
use rows::{dot, input_words, pack, sum_of};

/// A checked file of integer weights, ready to run.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    image: Image<'a>,
}

impl<'a> Model<'a> {
    /// The model in a file.
    ///
    /// # Errors
    /// [`Error::Dtype`] where its weights are floats.
    pub fn new(image: Image<'a>) -> Result<Self, Error> {
        let dtype = image.header().dtype();
        if dtype.is_integer() { Ok(Self { image }) } else { Err(Error::Dtype { found: dtype.name() }) }
    }

    /// The file.
    pub const fn image(&self) -> &Image<'a> {
        &self.image
    }

    /// The logits of an image of `inputs` bytes; one unit of them is worth
    /// [`scale`](Image::scale)`(layers)`. `scratch` holds at least [`scratch_words`] words.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has not the length that the network needs.
    pub fn logits(&self, pixels: &[u8], scratch: &mut [u32], logits: &mut [i32]) -> Result<(), Error> {
        self.run(pixels.len(), pixels.iter().copied(), scratch, logits)
    }

    /// The class of an image: the position of its largest logit, the first of equals.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn classify(&self, pixels: &[u8], scratch: &mut [u32], logits: &mut [i32]) -> Result<usize, Error> {
        self.logits(pixels, scratch, logits)?;
        Ok(naive::argmax(logits))
    }

    /// Runs the file's self-test; a file without one passes.
    ///
    /// # Errors
    /// [`Error::SelfTest`] where the logits are others than when the file was written, and as
    /// [`logits`](Self::logits).
    pub fn self_test(&self, scratch: &mut [u32], logits: &mut [i32]) -> Result<(), Error> {
        let Some(SelfTest { seed, crc: expected }) = self.image.header().self_test() else { return Ok(()) };
        let actual = self.self_test_crc(seed, scratch, logits)?;
        if actual == expected { Ok(()) } else { Err(Error::SelfTest { expected, actual }) }
    }

    /// The CRC-32 of the logits of [`SelfTest::pixels`], to be stored with a file.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn self_test_crc(&self, seed: u32, scratch: &mut [u32], logits: &mut [i32]) -> Result<u32, Error> {
        let inputs = self.image.header().shape().inputs();
        self.run(inputs, SelfTest::pixels(seed), scratch, logits)?;
        Ok(logits.iter().fold(Crc::new(), |crc, z| crc.of(&z.to_le_bytes())).value())
    }

    /// The way that reads any packing: rows one by one.
    fn run(
        &self,
        given: usize,
        pixels: impl Iterator<Item = u8>,
        scratch: &mut [u32],
        logits: &mut [i32],
    ) -> Result<(), Error> {
        let layers = self.image.layers();
        let length = |what, expected, actual| {
            if expected == actual { Ok(()) } else { Err(Error::Length { what, expected, actual }) }
        };
        let inputs = layers.first().map_or(0, Stored::inputs);
        length("pixels", inputs, given)?;
        length("logits", layers.last().map_or(0, Stored::outputs), logits.len())?;
        let (even, odd) = scratch_split(self.image.header());
        let needed = even + odd;
        let short = Error::Length { what: "scratch words", expected: needed, actual: scratch.len() };
        let (mut x, mut y) =
            scratch.get_mut(..needed).and_then(|s| s.split_at_mut_checked(even)).ok_or(short)?;
        let table = self.image.table();
        let input = |p: u8| table.map_or(p >> 1, |t| t[usize::from(p)]);
        pack(pixels.take(inputs).map(input), x);
        for layer in layers {
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
        Ok(())
    }
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

/// Words of lent memory that [`Model`] needs to run a file.
pub const fn scratch_words(header: &Header) -> usize {
    let (even, odd) = scratch_split(header);
    even + odd
}

/// Bytes of RAM of an inference: the image, [`scratch_words`] and the logits. A constant, so that firmware can assert
/// what it has:
///
/// ```
/// use selvedge::format::Header;
/// use selvedge::quant;
/// const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8.selv");
/// const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
/// const _: () = assert!(HEADER.file_bytes() <= 16 * 1024 && quant::ram_bytes(&HEADER) <= 1024);
/// ```
///
/// An over-budget model does not compile:
///
/// ```compile_fail,E0080
/// use selvedge::format::Header;
/// use selvedge::quant;
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
