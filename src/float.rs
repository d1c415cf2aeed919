//! Inference from flash files of f32, f16 and bf16 weights, in place.
//!
//! One way for every machine: sums in f32 over the inputs in order, each product and each sum rounded. That is what the
//! `portable` backend does with a batch, so a file of f32 gives the same bits as the network it was made from does there.
//! An input of 0 adds nothing and costs nothing.

use core::slice::ChunksExact;

use crate::error::Error;
use crate::format::crc::Crc;
use crate::format::{Builder, Dtype, Header, Image, SelfTest, Stored};
use crate::naive;
use crate::shape::Shape;

/// A checked file of float weights, ready to run.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    image: Image<'a>,
}

impl<'a> Model<'a> {
    /// The model in a file.
    ///
    /// # Errors
    /// [`Error::Dtype`] where its weights are integers.
    pub fn new(image: Image<'a>) -> Result<Self, Error> {
        let dtype = image.header().dtype();
        if dtype.is_integer() { Err(Error::Dtype { found: dtype.name() }) } else { Ok(Self { image }) }
    }

    /// The file.
    pub const fn image(&self) -> &Image<'a> {
        &self.image
    }

    /// The logits of an image of `inputs` bytes. `scratch` holds at least [`scratch_floats`] floats.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has not the length that the network needs.
    pub fn logits(&self, pixels: &[u8], scratch: &mut [f32], logits: &mut [f32]) -> Result<(), Error> {
        self.run(pixels.len(), pixels.iter().copied(), scratch, logits)
    }

    /// The class of an image: the position of its largest logit, the first of equals.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn classify(&self, pixels: &[u8], scratch: &mut [f32], logits: &mut [f32]) -> Result<usize, Error> {
        self.logits(pixels, scratch, logits)?;
        Ok(naive::argmax(logits))
    }

    /// Runs the file's self-test; a file without one passes.
    ///
    /// # Errors
    /// [`Error::SelfTest`] where the logits are others than when the file was written, and as
    /// [`logits`](Self::logits).
    pub fn self_test(&self, scratch: &mut [f32], logits: &mut [f32]) -> Result<(), Error> {
        let Some(SelfTest { seed, crc: expected }) = self.image.header().self_test() else { return Ok(()) };
        let actual = self.self_test_crc(seed, scratch, logits)?;
        if actual == expected { Ok(()) } else { Err(Error::SelfTest { expected, actual }) }
    }

    /// The CRC-32 of the logits of [`SelfTest::pixels`], to be stored with a file.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn self_test_crc(&self, seed: u32, scratch: &mut [f32], logits: &mut [f32]) -> Result<u32, Error> {
        let inputs = self.image.header().shape().inputs();
        self.run(inputs, SelfTest::pixels(seed), scratch, logits)?;
        Ok(logits.iter().fold(Crc::new(), |crc, z| crc.of(&z.to_le_bytes())).value())
    }

    fn run(
        &self,
        given: usize,
        pixels: impl Iterator<Item = u8>,
        scratch: &mut [f32],
        logits: &mut [f32],
    ) -> Result<(), Error> {
        let layers = self.image.layers();
        let length = |what, expected, actual| {
            if expected == actual { Ok(()) } else { Err(Error::Length { what, expected, actual }) }
        };
        let inputs = layers.first().map_or(0, Stored::inputs);
        length("pixels", inputs, given)?;
        length("logits", layers.last().map_or(0, Stored::outputs), logits.len())?;
        let (odd, even) = scratch_split(self.image.header());
        let short = Error::Length { what: "scratch floats", expected: odd + even, actual: scratch.len() };
        let (mut x, mut y) =
            scratch.get_mut(..odd + even).and_then(|s| s.split_at_mut_checked(odd)).ok_or(short)?;
        let table = self.image.table();
        let input = |p: u8| naive::unit(table.map_or(p, |t| t[usize::from(p)]));
        let mut pixels = Some(pixels.take(inputs).map(input));
        for (l, layer) in layers.iter().enumerate() {
            let last = l + 1 == layers.len();
            let z = if last { Some(&mut *logits) } else { y.get_mut(..layer.outputs()) };
            let z = z.unwrap_or_default();
            match pixels.take() {
                Some(pixels) => dense(layer, pixels, !last, z),
                None => dense(layer, x.iter().copied().take(layer.inputs()), !last, z),
            }
            core::mem::swap(&mut x, &mut y);
        }
        Ok(())
    }
}

/// A layer of any float type.
fn dense(layer: &Stored<'_>, x: impl Iterator<Item = f32>, relu: bool, z: &mut [f32]) {
    match layer.place().dtype() {
        Dtype::F16 => sums(x, layer.weights().chunks_exact(2 * z.len().max(1)), z, |b| {
            half::f16::from_le_bytes(b).to_f32()
        }),
        Dtype::Bf16 => sums(x, layer.weights().chunks_exact(2 * z.len().max(1)), z, |b| {
            half::bf16::from_le_bytes(b).to_f32()
        }),
        _ => sums(x, layer.weights().chunks_exact(4 * z.len().max(1)), z, f32::from_le_bytes),
    }
    for (row, z) in z.iter_mut().enumerate() {
        *z += layer.float_bias(row);
        if relu && 0.0 > *z {
            *z = 0.0;
        }
    }
}

/// `z(o) = Σ_i x(i) * weights(i,o)`, the inputs in order.
fn sums<const N: usize>(
    x: impl Iterator<Item = f32>,
    weights: ChunksExact<'_, u8>,
    z: &mut [f32],
    value: impl Fn([u8; N]) -> f32,
) {
    z.fill(0.0);
    for (x, row) in x.zip(weights) {
        if x != 0.0 {
            for (z, w) in z.iter_mut().zip(row.as_chunks().0) {
                *z += x * value(*w);
            }
        }
    }
}

/// Floats of the hidden layers of odd and of even number.
const fn scratch_split(header: &Header) -> (usize, usize) {
    let shape = header.shape();
    let mut floats = [0; 2];
    let mut l = 1;
    while l < shape.layers() {
        if shape.width_or_zero(l) > floats[l % 2] {
            floats[l % 2] = shape.width_or_zero(l);
        }
        l += 1;
    }
    (floats[0], floats[1])
}

/// Floats of lent memory that [`Model`] needs to run a file.
pub const fn scratch_floats(header: &Header) -> usize {
    let (even, odd) = scratch_split(header);
    even + odd
}

/// Bytes of RAM of an inference: the image, [`scratch_floats`] and the logits.
pub const fn ram_bytes(header: &Header) -> usize {
    let shape: Shape = header.shape();
    shape.inputs() + 4 * scratch_floats(header) + 4 * shape.outputs()
}

/// Fills a file of a float type with the network of `params`, rounded to it. Labels and self-test are not touched.
///
/// # Errors
/// [`Error::Length`] for the wrong number of parameters, [`Error::Dtype`] for a file of integers. Parameters outside
/// the type's range are refused when the file is finished.
pub fn store(builder: &mut Builder<'_>, params: &[f32]) -> Result<(), Error> {
    let header = *builder.header();
    if header.dtype().is_integer() {
        return Err(Error::Dtype { found: header.dtype().name() });
    }
    for (l, layer) in header.shape().split(params)?.iter().enumerate() {
        let o = layer.biases.len();
        for (at, &w) in layer.weights.iter().enumerate() {
            builder.float_weight(l, at % o, at / o, w);
        }
        for (row, &bias) in layer.biases.iter().enumerate() {
            builder.float_bias(l, row, bias);
        }
    }
    Ok(())
}
