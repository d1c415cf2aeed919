//! Inference from a flash file where it lies, one image at a time, in caller-provided memory.
//!
//! One [`Engine`] runs every file. Which kernels it runs is a type, so that firmware holds no others:
//!
//! | engine | files |
//! |---|---|
//! | [`float::Engine`] | f32, f16 and bf16 |
//! | [`integer::Engine`] | i8 and i4 in any packing |
//! | [`mcu::I8Engine`], [`mcu::I4Engine`] | i8 and i4 in the packing of this core, several times as fast |
//!
//! A [`Profile`] is the same choice as a value: it says whether a file runs and how much memory that needs, also on a
//! desktop for a microcontroller. [`integer::BatchEngine`] runs many images at once with a desktop's vectors.

pub mod float;
pub mod integer;
pub mod mcu;
mod profile;

pub use profile::Profile;

use crate::error::Error;
use crate::format::crc::Crc;
use crate::format::{Header, ModelView, SelfTest};
use crate::naive;
use kernel::Kernel;

/// Not public: the engines of this crate are all that there are.
pub(crate) mod kernel {
    use core::fmt::Debug;

    use super::Profile;
    use crate::format::{Header, ModelView};

    /// The kernels of an engine.
    pub trait Kernel: Debug + Clone {
        /// The files that they run, and the memory that they need.
        const PROFILE: Profile;
        /// What the caller-provided memory consists of; four bytes each.
        type Scratch;
        /// A logit.
        type Logit: Copy + PartialOrd;

        /// What they keep of a file that they run.
        fn new(header: &Header<'_>) -> Self;

        /// The bytes of a logit in the checksum of a self-test.
        fn bytes(logit: Self::Logit) -> [u8; 4];

        /// Takes as many pixels as the network has inputs through all layers. `scratch` has the length that the profile
        /// asks for, `logits` one for each output.
        fn run(
            &self,
            view: &ModelView<'_>,
            pixels: impl Iterator<Item = u8>,
            scratch: &mut [Self::Scratch],
            logits: &mut [Self::Logit],
        );
    }
}

/// A checked file, ready to run.
#[derive(Debug, Clone)]
pub struct Engine<'a, K> {
    view: ModelView<'a>,
    kernel: K,
    /// What `PROFILE` asks for.
    scratch_words: usize,
}

impl<'a, K: Kernel> Engine<'a, K> {
    /// The engine for a file.
    ///
    /// # Errors
    /// [`Error::Dtype`] where its weights are of another type, [`Error::PackedFor`] where they lie in another core's
    /// order.
    pub fn new(view: ModelView<'a>) -> Result<Self, Error> {
        let header = view.header();
        K::PROFILE.check(header)?;
        let (kernel, scratch_words) = (K::new(header), Self::scratch_words(header));
        Ok(Self { view, kernel, scratch_words })
    }

    /// Whether [`new`](Self::new) takes a file. A `const fn`, so that firmware can refuse an unsuitable file at compile time.
    pub const fn runs(header: &Header<'_>) -> bool {
        K::PROFILE.check(header).is_ok()
    }

    /// Words of caller-provided memory that an inference needs, four bytes each.
    pub const fn scratch_words(header: &Header<'_>) -> usize {
        K::PROFILE.scratch_words(header)
    }

    /// Bytes of RAM of an inference: the image, [`scratch_words`](Self::scratch_words) and the logits, without the stack
    /// of at most a few hundred bytes. A constant, so that firmware can assert what it has:
    ///
    /// ```
    /// use selvedge::{format::Header, infer::integer::Engine};
    /// const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8.selv");
    /// const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
    /// const _: () = assert!(HEADER.file_bytes() <= 16 * 1024 && Engine::ram_bytes(&HEADER) <= 1024);
    /// ```
    ///
    /// An over-budget model does not compile:
    ///
    /// ```compile_fail,E0080
    /// use selvedge::format::Header;
    /// const MODEL: &[u8] = selvedge::include_model!("../../fixtures/i8.selv");
    /// const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
    /// const _: () = assert!(HEADER.file_bytes() <= 1024, "the model does not fit the flash");
    /// ```
    pub const fn ram_bytes(header: &Header<'_>) -> usize {
        K::PROFILE.ram_bytes(header)
    }

    /// The file.
    pub const fn view(&self) -> &ModelView<'a> {
        &self.view
    }

    /// The logits of an image of `inputs` bytes; one unit of them is worth [`scale`](ModelView::scale)`(layers)`.
    /// `scratch` has at least [`scratch_words`](Self::scratch_words) elements.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has not the length that the network needs.
    pub fn logits(
        &self,
        pixels: &[u8],
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
    ) -> Result<(), Error> {
        let expected = self.view.header().inputs();
        if pixels.len() != expected {
            return Err(Error::Length { what: "pixels", expected, actual: pixels.len() });
        }
        self.run_on(pixels.iter().copied(), scratch, logits)
    }

    /// The class of an image: the position of its largest logit, the first of equals.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn classify(
        &self,
        pixels: &[u8],
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
    ) -> Result<usize, Error> {
        self.logits(pixels, scratch, logits)?;
        Ok(naive::argmax(logits))
    }

    /// Runs the file's self-test; a file without one passes.
    ///
    /// # Errors
    /// [`Error::SelfTest`] where the logits are others than when the file was written, and as [`logits`](Self::logits).
    pub fn self_test(&self, scratch: &mut [K::Scratch], logits: &mut [K::Logit]) -> Result<(), Error> {
        let Some(SelfTest { seed, crc: expected }) = self.view.header().self_test() else { return Ok(()) };
        let actual = self.self_test_crc(seed, scratch, logits)?;
        if actual == expected { Ok(()) } else { Err(Error::SelfTest { expected, actual }) }
    }

    /// The CRC-32 of the logits of [`SelfTest::pixels`], to be stored with a file.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn self_test_crc(
        &self,
        seed: u32,
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
    ) -> Result<u32, Error> {
        self.run_on(SelfTest::pixels(seed), scratch, logits)?;
        Ok(logits.iter().fold(Crc::new(), |crc, z| crc.of(&K::bytes(*z))).value())
    }

    fn run_on(
        &self,
        pixels: impl Iterator<Item = u8>,
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
    ) -> Result<(), Error> {
        let scratch = self.checked(scratch, logits.len())?;
        self.kernel.run(&self.view, pixels.take(self.view.header().inputs()), scratch, logits);
        Ok(())
    }

    /// The part of `scratch` that an inference uses.
    #[inline]
    fn checked<'s>(
        &self,
        scratch: &'s mut [K::Scratch],
        logits: usize,
    ) -> Result<&'s mut [K::Scratch], Error> {
        let expected = self.view.header().outputs();
        if logits != expected {
            return Err(Error::Length { what: "logits", expected, actual: logits });
        }
        let (expected, actual) = (self.scratch_words, scratch.len());
        scratch.get_mut(..expected).ok_or(Error::Length { what: "scratch words", expected, actual })
    }
}
