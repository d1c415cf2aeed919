//! Inference from a flash file where it lies, one image at a time, in caller-provided memory: what all types of weights share.
//!
//! [`integer`] and [`float`] say how their numbers go through the layers.

use core::fmt::Debug;
use core::marker::PhantomData;

pub mod float;
pub mod integer;
pub mod mcu;

use crate::error::Error;
use crate::format::crc::Crc;
use crate::format::{Header, LayerView, ModelView, SelfTest};
use crate::naive;
use sealed::Sealed;

/// How the weights of a family of types compute: [`Integers`](crate::infer::integer::Integers) or
/// [`Floats`](crate::infer::float::Floats), and no others.
pub trait Numbers: Sealed + Debug + Clone {
    /// What the caller-provided memory consists of.
    type Scratch;
    /// A logit.
    type Logit: Copy + PartialOrd;
    /// Whether the weights are integers; files of others are refused.
    const INTEGERS: bool;
    /// What errors call the caller-provided memory.
    const SCRATCH: &'static str;

    /// How much of the caller-provided memory the layers of even and of odd position read their inputs from.
    fn split(header: &Header) -> (usize, usize);

    /// The bytes of a logit in the checksum of a self-test.
    fn bytes(logit: Self::Logit) -> [u8; 4];

    /// Takes the pixels through all layers. `even` and `odd` have the lengths of [`split`](Self::split), `logits` one for
    /// each class.
    fn run(
        image: &ModelView<'_>,
        pixels: impl Iterator<Item = u8>,
        even: &mut [Self::Scratch],
        odd: &mut [Self::Scratch],
        logits: &mut [Self::Logit],
    );
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A checked file, ready to run.
#[derive(Debug, Clone)]
pub struct Model<'a, N> {
    image: ModelView<'a>,
    numbers: PhantomData<N>,
}

impl<'a, N: Numbers> Model<'a, N> {
    /// The model in a file.
    ///
    /// # Errors
    /// [`Error::Dtype`] where its weights are of the other family.
    pub fn new(image: ModelView<'a>) -> Result<Self, Error> {
        let dtype = image.header().dtype();
        if dtype.is_integer() == N::INTEGERS {
            Ok(Self { image, numbers: PhantomData })
        } else {
            Err(Error::Dtype { found: dtype.name() })
        }
    }

    /// The file.
    pub const fn image(&self) -> &ModelView<'a> {
        &self.image
    }

    /// The logits of an image of `inputs` bytes; one unit of them is worth [`scale`](ModelView::scale)`(layers)`.
    /// `scratch` is at least [`integer::scratch_words`] or
    /// [`float::scratch_floats`] long.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has not the length that the network needs.
    pub fn logits(
        &self,
        pixels: &[u8],
        scratch: &mut [N::Scratch],
        logits: &mut [N::Logit],
    ) -> Result<(), Error> {
        self.run(pixels.len(), pixels.iter().copied(), scratch, logits)
    }

    /// The class of an image: the position of its largest logit, the first of equals.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn classify(
        &self,
        pixels: &[u8],
        scratch: &mut [N::Scratch],
        logits: &mut [N::Logit],
    ) -> Result<usize, Error> {
        self.logits(pixels, scratch, logits)?;
        Ok(naive::argmax(logits))
    }

    /// Runs the file's self-test; a file without one passes.
    ///
    /// # Errors
    /// [`Error::SelfTest`] where the logits are others than when the file was written, and as [`logits`](Self::logits).
    pub fn self_test(&self, scratch: &mut [N::Scratch], logits: &mut [N::Logit]) -> Result<(), Error> {
        let Some(SelfTest { seed, crc: expected }) = self.image.header().self_test() else { return Ok(()) };
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
        scratch: &mut [N::Scratch],
        logits: &mut [N::Logit],
    ) -> Result<u32, Error> {
        let inputs = self.image.header().shape().inputs();
        self.run(inputs, SelfTest::pixels(seed), scratch, logits)?;
        Ok(logits.iter().fold(Crc::new(), |crc, z| crc.of(&N::bytes(*z))).value())
    }

    fn run(
        &self,
        given: usize,
        pixels: impl Iterator<Item = u8>,
        scratch: &mut [N::Scratch],
        logits: &mut [N::Logit],
    ) -> Result<(), Error> {
        let layers = self.image.layers();
        let length = |what, expected, actual| {
            if expected == actual { Ok(()) } else { Err(Error::Length { what, expected, actual }) }
        };
        let inputs = layers.first().map_or(0, LayerView::inputs);
        length("pixels", inputs, given)?;
        length("logits", layers.last().map_or(0, LayerView::outputs), logits.len())?;
        let (even, odd) = N::split(self.image.header());
        let short = Error::Length { what: N::SCRATCH, expected: even + odd, actual: scratch.len() };
        let (even, odd) =
            scratch.get_mut(..even + odd).and_then(|s| s.split_at_mut_checked(even)).ok_or(short)?;
        N::run(&self.image, pixels.take(inputs), even, odd, logits);
        Ok(())
    }
}
