//! Integer inference as a microcontroller does it: the fastest kernel for each core, around the zeros of the input.
//!
//! [`Model`] runs files of [`PACKING`] only, the order of weights that the kernel of this target reads; a
//! [`integer::Model`](crate::infer::integer::Model) runs any, slower, and both give the same logits to the bit.
//!
//! | target | [`PACKING`] | kernel | instructions for four products | of i4 |
//! |---|---|---|---|---|
//! | Cortex-M4, M7, M33 | `cortex-m4` | assembly, `SMLAD` | 3 | 4 |
//! | Cortex-M3 | `cortex-m0` | assembly, two products in one multiplication | 6 | 5 |
//! | Cortex-M0, M0+, M23 | `cortex-m0` | the same in Thumb-1 | 10 | 9.5 |
//! | Cortex-M55, M85 | `cortex-m55` | assembly, MVE | 0.5 | 0.6 |
//! | RISC-V and everything else | `cortex-m0` | the same as on the M3, in Rust | 10 | 9 |
//!
//! [`Model::new`] takes i8 weights and [`Model::new_i4`] i4, so that firmware holds the kernels of one type.
//!
//! A group of inputs that is all zero costs a look when the input is read and nothing in any row: what is left is a list
//! of groups. Lists and groups take the place of the pixels in the caller-provided memory, so that it stays small. Where few groups
//! are zero a dense form runs, which [`Model::dense`] asks for always: then every image takes the same instructions.
//!
//! What can be wrong with a file is known while firmware is compiled, or when the device starts:
//!
//! ```
//! use selvedge::format::{Header, ModelView};
//! use selvedge::infer::mcu;
//!
//! // In firmware the path of what `selvedge export --format selv --packing CORE` wrote, beside this source file.
//! const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8-cortex-m0.selv");
//! const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!("no flash file") };
//! const _: () = assert!(mcu::runs(&HEADER), "the flash file is packed for another core");
//! const _: () = assert!(mcu::ram_bytes(&HEADER) <= 512, "it needs more RAM than is there");
//!
//! let model = mcu::Model::new(ModelView::parse(MODEL)?)?; // once: refuses every flipped bit
//! let mut scratch = [0; mcu::scratch_words(&HEADER)];
//! let mut logits = [0; HEADER.shape().outputs()];
//! model.self_test(&mut scratch, &mut logits)?; // this processor computes what the desktop did
//! let pixels = [0; HEADER.shape().inputs()]; // of a camera: light on black, row by row
//! let class = model.classify(&pixels, &mut scratch, &mut logits)?;
//! assert_eq!(model.image().label(class), Some("boot"));
//! # Ok::<(), selvedge::Error>(())
//! ```

#[cfg(selvedge_core = "armv6m")]
mod armv6m;
#[cfg(selvedge_core = "armv7m")]
mod armv7m;
#[cfg(not(any(selvedge_core = "mve", selvedge_core = "portable")))]
mod assembly;
#[cfg(selvedge_core = "mve")]
mod blocks;
#[cfg(selvedge_core = "dsp")]
mod dsp;
#[cfg(selvedge_core = "mve")]
mod mve;
#[cfg(not(any(selvedge_core = "mve", selvedge_core = "dsp")))]
mod pairs;
#[cfg(not(selvedge_core = "mve"))]
mod quads;
mod sizes;
#[cfg(any(selvedge_core = "armv7m", selvedge_core = "dsp"))]
mod thumb2;

#[cfg(selvedge_core = "mve")]
use blocks as way;
#[cfg(not(selvedge_core = "mve"))]
use quads as way;

use crate::error::Error;
use crate::format::crc::Crc;
use crate::format::{Dtype, Header, LayerView, ModelView, Packing, SelfTest};
use crate::naive;

/// The order of weights that this target reads.
pub const PACKING: Packing = way::PACKING;

/// A checked file in the order of this target, ready to run.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    image: ModelView<'a>,
    words: usize,
    dense: bool,
    run: Run,
}

/// Runs some layers of a type of weights on the pixels in the caller-provided memory; returns the words of the last hidden outputs,
/// the inputs where there are none. Only the constructors name one, so that a program holds no kernel that it has no model
/// for.
type Run = for<'s> fn(&ModelView<'_>, &[LayerView<'_>], bool, &'s mut [u32], &mut [i32]) -> &'s [u32];

/// Whether [`Model::new`] takes a file: i8 weights in the order of [`PACKING`]. A constant, so that firmware with another
/// core's file need not compile.
pub const fn runs(header: &Header) -> bool {
    is(header, Dtype::I8)
}

/// Whether [`Model::new_i4`] takes a file: i4 weights in the order of [`PACKING`].
pub const fn runs_i4(header: &Header) -> bool {
    is(header, Dtype::I4)
}

const fn is(header: &Header, dtype: Dtype) -> bool {
    header.dtype() as u8 == dtype as u8 && header.packing() as u8 == PACKING as u8
}

/// Words of caller-provided memory that [`Model`] needs to run a file; the pixels lie in it too.
#[inline]
pub const fn scratch_words(header: &Header) -> usize {
    sizes::scratch_words(header, PACKING)
}

/// Bytes of RAM of an inference: [`scratch_words`] and the logits, without the stack of at most a few hundred bytes.
pub const fn ram_bytes(header: &Header) -> usize {
    ram_bytes_on(header, PACKING)
}

/// What [`ram_bytes`] is on the cores of a packing, for a host to know.
pub const fn ram_bytes_on(header: &Header, packing: Packing) -> usize {
    4 * sizes::scratch_words(header, packing) + 4 * header.shape().outputs()
}

impl<'a> Model<'a> {
    /// The model in a file of i8 weights.
    ///
    /// # Errors
    /// [`Error::Dtype`] where its weights are not i8, [`Error::PackedFor`] where they lie in another core's order.
    pub fn new(image: ModelView<'a>) -> Result<Self, Error> {
        Self::of(image, Dtype::I8, way::run::<false>)
    }

    /// The model in a file of i4 weights: half the flash, at about the same speed.
    ///
    /// # Errors
    /// [`Error::Dtype`] where its weights are not i4, [`Error::PackedFor`] where they lie in another core's order.
    pub fn new_i4(image: ModelView<'a>) -> Result<Self, Error> {
        Self::of(image, Dtype::I4, way::run::<true>)
    }

    fn of(image: ModelView<'a>, expected: Dtype, run: Run) -> Result<Self, Error> {
        let (dtype, packing) = (image.header().dtype(), image.header().packing());
        if dtype as u8 != expected as u8 {
            return Err(Error::Dtype { found: dtype.name() });
        }
        if packing as u8 != PACKING as u8 {
            return Err(Error::PackedFor { found: packing.name(), expected: PACKING.name() });
        }
        let words = scratch_words(image.header());
        Ok(Self { image, words, dense: false, run })
    }

    /// The same, without looking for zeros: slower, but with the same instructions for every image.
    #[must_use]
    pub const fn dense(mut self) -> Self {
        self.dense = true;
        self
    }

    /// The file.
    pub const fn image(&self) -> &ModelView<'a> {
        &self.image
    }

    /// The place in `scratch` where [`run`](Self::run) expects the pixels, for whoever fills it from a camera or a wire;
    /// empty if `scratch` has fewer than [`scratch_words`].
    pub fn pixels<'s>(&self, scratch: &'s mut [u32]) -> &'s mut [u8] {
        let words = scratch.get_mut(..self.words).unwrap_or_default();
        let bytes = crate::format::bytes_mut(words);
        let inputs = self.inputs();
        let at = bytes.len().saturating_sub(inputs.next_multiple_of(4));
        bytes.get_mut(at..).and_then(|b| b.get_mut(..inputs)).unwrap_or_default()
    }

    fn inputs(&self) -> usize {
        self.image.layers().first().map_or(0, LayerView::inputs)
    }

    /// What the last layer sees of the image whose [`pixels`](Self::pixels) lie in `scratch`: its inputs, 0..=127, one unit
    /// of which is worth [`scale`](ModelView::scale)`(layers - 1)`. A head of floats can be trained on them on the device.
    ///
    /// # Errors
    /// [`Error::Length`] where `scratch` has fewer than [`scratch_words`].
    pub fn features<'s>(&self, scratch: &'s mut [u32]) -> Result<&'s [u8], Error> {
        let actual = scratch.len();
        let short = Error::Length { what: "scratch words", expected: self.words, actual };
        let scratch = scratch.get_mut(..self.words).ok_or(short)?;
        let Some((output, hidden)) = self.image.layers().split_last() else { return Ok(&[]) };
        let words = (self.run)(&self.image, hidden, self.dense, scratch, &mut []);
        Ok(crate::format::bytes(words).get(..output.inputs()).unwrap_or_default())
    }

    /// The logits of the image whose [`pixels`](Self::pixels) lie in `scratch`, which keeps nothing of them.
    ///
    /// # Errors
    /// [`Error::Length`] where `scratch` has fewer than [`scratch_words`], or `logits` not one for each class.
    pub fn run(&self, scratch: &mut [u32], logits: &mut [i32]) -> Result<(), Error> {
        let actual = scratch.len();
        let short = Error::Length { what: "scratch words", expected: self.words, actual };
        let scratch = scratch.get_mut(..self.words).ok_or(short)?;
        let expected = self.image.layers().last().map_or(0, LayerView::outputs);
        if logits.len() != expected {
            return Err(Error::Length { what: "logits", expected, actual: logits.len() });
        }
        (self.run)(&self.image, self.image.layers(), self.dense, scratch, logits);
        Ok(())
    }

    /// The logits of an image of `inputs` bytes; one unit of them is worth [`scale`](ModelView::scale)`(layers)`.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`Error::Length`] for another number of pixels.
    pub fn logits(&self, pixels: &[u8], scratch: &mut [u32], logits: &mut [i32]) -> Result<(), Error> {
        if pixels.len() != self.inputs() {
            return Err(Error::Length { what: "pixels", expected: self.inputs(), actual: pixels.len() });
        }
        let to = self.pixels(scratch);
        // Where it is not, `run` says that the scratch is too short.
        if to.len() == pixels.len() {
            to.copy_from_slice(pixels);
        }
        self.run(scratch, logits)
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
    /// [`Error::SelfTest`] where the logits are others than when the file was written, and as [`run`](Self::run).
    pub fn self_test(&self, scratch: &mut [u32], logits: &mut [i32]) -> Result<(), Error> {
        let Some(SelfTest { seed, crc: expected }) = self.image.header().self_test() else { return Ok(()) };
        for (to, pixel) in self.pixels(scratch).iter_mut().zip(SelfTest::pixels(seed)) {
            *to = pixel;
        }
        self.run(scratch, logits)?;
        let actual = logits.iter().fold(Crc::new(), |crc, z| crc.of(&z.to_le_bytes())).value();
        if actual == expected { Ok(()) } else { Err(Error::SelfTest { expected, actual }) }
    }
}
