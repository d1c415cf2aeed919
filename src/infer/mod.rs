//! Inference from a flash file where it lies, one sample at a time, in caller-provided memory.
//!
//! One [`Engine`] runs every file. Which kernels it runs is a type, so that firmware holds no others:
//!
//! | engine | files |
//! |---|---|
//! | [`float::Engine`] | f32, f16 and bf16 |
//! | [`integer::Engine`] | i8 and i4 in any packing |
//! | [`mcu::I8Engine`], [`mcu::I4Engine`] | i8 and i4 in the packing of this core, several times as fast: pictures, and ReLU |
//! | [`mcu::AnyI8Engine`], [`mcu::AnyI4Engine`] | the same with the code for every input map, activation and task |
//!
//! A [`Sample`] is a slice of raw values of the file's type, or a [`Window`] of a time series. Which question an engine answers
//! is in the file: [`classify`](Engine::classify), [`predict`](Engine::predict), [`labels`](Engine::labels) or
//! [`score`](Engine::score).
//!
//! A [`Profile`] is the same choice as a value: it says whether a file runs and how much memory that needs, also on a
//! desktop for a microcontroller. [`integer::BatchEngine`] runs many images at once with a desktop's vectors.

mod answer;
pub mod float;
pub mod integer;
pub mod mcu;
mod profile;
mod sample;
mod score;
mod window;

pub use answer::{Logit, class_of, labels_of, value_of};
pub use profile::Profile;
pub use sample::Sample;
pub use score::Score;
pub use window::Window;

use crate::error::Error;
use crate::format::crc::Crc;
use crate::format::{Header, ModelView, SelfTest};
use answer::logit::Logit as _;
use kernel::{Kernel, Outputs};

/// Not public: the engines of this crate are all that there are.
pub(crate) mod kernel {
    use core::fmt::Debug;

    use super::sample::source::Source;
    use super::{Logit, Profile};
    use crate::format::{ErrorScale, Header, ModelView};

    /// Where outputs go.
    pub enum Outputs<'o, Z> {
        /// Into a slice that has one for each.
        Logits(&'o mut [Z]),
        /// A few at a time, in order, with the position of the first, to a function; there is no memory for all of them.
        Each(&'o mut dyn FnMut(usize, &[Z])),
    }

    /// The kernels of an engine.
    pub trait Kernel: Debug + Clone {
        /// The files that they run, and the memory that they need.
        const PROFILE: Profile;
        /// What the caller-provided memory consists of; four bytes each.
        type Scratch;
        /// An output.
        type Logit: Logit;

        /// What they keep of a file that they run.
        fn new(header: &Header<'_>) -> Self;

        /// Takes a sample through all layers. `scratch` has the length that the profile asks for, and logits one for each
        /// output.
        fn run(
            &self,
            view: &ModelView<'_>,
            sample: &(impl Source + ?Sized),
            scratch: &mut [Self::Scratch],
            outputs: Outputs<'_, Self::Logit>,
        );

        /// The sum of the squares of some errors, as [`squares`].
        fn squares(scales: &[[u32; 2]], outputs: &[i32], codes: &[u8], rounding: u32, shift: u32) -> u64 {
            squares(scales, outputs, codes, rounding, shift)
        }
    }

    /// The sum of the squares of some [`reconstruction_error`](crate::naive::integer::reconstruction_error)s: of outputs and of codes
    /// of 7 bits, each with its entry of a file. `rounding` is what is added to their products, so that both shifts round.
    #[inline(never)]
    pub fn squares(scales: &[[u32; 2]], outputs: &[i32], codes: &[u8], rounding: u32, shift: u32) -> u64 {
        let each = scales.iter().zip(outputs).zip(codes);
        each.fold(0, |sum, ((&scale, &z), &q)| sum + square(z, scale, q.into(), rounding, shift))
    }

    /// The square of an error, whose sign is dropped before the limit.
    #[inline(always)]
    pub fn square(z: i32, scale: [u32; 2], q: u32, rounding: u32, shift: u32) -> u64 {
        let ErrorScale { add, mul } = ErrorScale::of(scale);
        let expected = q.wrapping_mul(mul).wrapping_add(rounding) as i32 >> 8;
        let error = z.wrapping_add(add).wrapping_sub(expected) >> shift;
        let error = error.wrapping_abs().clamp(0, 32767) as u32;
        // A multiplication of 64 bits is a call on a core that has none of 32 by 32.
        if cfg!(selvedge_core = "armv6m") {
            (error * error).into()
        } else {
            u64::from(error) * u64::from(error)
        }
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

    /// The outputs of a sample of `inputs` raw values, of the type that the file takes; one unit of them is worth
    /// [`scale`](ModelView::scale)`(layers)`. `scratch` has at least [`scratch_words`](Self::scratch_words) elements.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has not the length that the network needs, [`Error::InputType`] for raw values of
    /// another type, [`Error::NotANumber`] for a value that is none.
    pub fn logits(
        &self,
        sample: &(impl Sample + ?Sized),
        scratch: &mut [K::Scratch],
        logits: &mut [K::Logit],
    ) -> Result<(), Error> {
        self.run_on(sample, scratch, Outputs::Logits(logits))
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
        self.run_on(&SelfTest { seed, crc: 0 }, scratch, Outputs::Logits(&mut *logits))?;
        Ok(logits.iter().fold(Crc::new(), |crc, z| crc.of(&z.bytes())).value())
    }

    fn run_on<S: Sample + ?Sized>(
        &self,
        sample: &S,
        scratch: &mut [K::Scratch],
        outputs: Outputs<'_, K::Logit>,
    ) -> Result<(), Error> {
        let header = self.view.header();
        let (expected, found) = (header.input_type(), S::TYPE.unwrap_or(header.input_type()));
        if expected as u8 != found as u8 {
            return Err(Error::InputType { expected: expected.name(), found: found.name() });
        }
        let expected = header.inputs();
        let actual = sample.len().unwrap_or(expected);
        if actual != expected {
            return Err(Error::Length { what: "values of a sample", expected, actual });
        }
        if let Some(feature) = sample.nan() {
            return Err(Error::NotANumber { feature });
        }
        let logits = if let Outputs::Logits(logits) = &outputs { logits.len() } else { header.outputs() };
        let scratch = self.checked(scratch, logits)?;
        self.kernel.run(&self.view, sample, scratch, outputs);
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
