//! A [`Network`] as a flash file: save, load, quantize.
//!
//! Files are those of [`format`](crate::format), which microcontrollers run in place. The program in `host-cli` converts to
//! and from safetensors, ONNX and others, and quantizes with more care: it fine-tunes, and searches the range of the weights.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Deref;
#[cfg(feature = "std")]
use std::{fs, io, path::Path};

use super::Network;
use super::memory::FileBytes;
use crate::error::Error;
use crate::format::{Builder, Dtype, HeaderBuf, InputMap, ModelView, Packing, Task};
use crate::infer::{float, integer};
use crate::quantize::{self, HALVED_PIXELS, Scales};
use crate::samples::Samples;
use crate::shape::Shape;

/// The seed of the self-test of a quantized file.
const SELF_TEST_SEED: u32 = 7;

/// The bytes of a flash file, aligned so that they can be run in place.
#[derive(Debug, Clone)]
pub struct ModelFile(FileBytes);

impl ModelFile {
    /// A copy of the bytes of a file, wherever they are in memory.
    ///
    /// # Errors
    /// What [`ModelView::parse`] refuses, and [`Error::OutOfMemory`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let file = Self(FileBytes::copy_of(bytes)?);
        file.view()?;
        Ok(file)
    }

    /// The file, checked, for [`integer::Engine`], [`float::Engine`] or [`mcu::Engine`](crate::infer::mcu::Engine).
    ///
    /// # Errors
    /// None: the file was checked when it was made.
    pub fn view(&self) -> Result<ModelView<'_>, Error> {
        ModelView::parse(&self.0)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What the system reports; [`io::ErrorKind::InvalidData`] for what [`ModelView::parse`] refuses.
    #[cfg(feature = "std")]
    pub fn load(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::from_bytes(&fs::read(path)?)?)
    }

    /// Writes the file under a temporary name, waits until it is stored, and then renames it: after a failure there is the
    /// old file or the new one, never a part.
    ///
    /// # Errors
    /// What the system reports.
    #[cfg(feature = "std")]
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(std::format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        let write = || {
            let mut file = fs::File::create(&temporary)?;
            io::Write::write_all(&mut file, &self.0)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
    }
}

impl Deref for ModelFile {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for ModelFile {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Network {
    /// The network as a flash file of `f32` weights, from which [`from_bytes`](Self::from_bytes) makes the same network.
    ///
    /// # Errors
    /// [`Error::Weight`] and [`Error::RowBound`] for parameters that are not finite, [`Error::TooLarge`] for a network that
    /// does not fit a file, [`Error::OutOfMemory`].
    pub fn to_file(&self) -> Result<ModelFile, Error> {
        self.float_file(Dtype::F32)
    }

    /// The network in a flash file of float weights. Class names in it are ignored.
    ///
    /// # Errors
    /// What [`ModelView::parse`] refuses; [`Error::Dtype`] for integer weights, which do not give the floats back;
    /// [`Error::NotOwned`] for a file with an input map, a window, a margin or a task of its own, which a network does not have;
    /// [`Error::OutOfMemory`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let file = ModelFile::from_bytes(bytes)?;
        let view = file.view()?;
        let (shape, dtype) = (view.header().shape()?, view.header().dtype());
        if dtype.is_integer() {
            return Err(Error::Dtype { found: dtype.name() });
        }
        let header = view.header();
        let plain = header.input_map() == InputMap::Plain && header.window().is_none();
        if !plain || header.task() != Task::Class || header.margin_bits() != 0 {
            return Err(Error::NotOwned);
        }
        let mut params = vec![0.0; shape.params()];
        for (to, from) in shape.split_mut(&mut params)?.into_iter().zip(view.layers()) {
            let o = to.biases.len();
            to.weights.iter_mut().enumerate().for_each(|(at, w)| *w = from.float_weight(at % o, at / o));
            to.biases.iter_mut().enumerate().for_each(|(row, b)| *b = from.float_bias(row));
        }
        Self::from_params(shape, &params)
    }

    /// Writes [`to_file`](Self::to_file) to a path; see [`ModelFile::save`].
    ///
    /// # Errors
    /// As these.
    #[cfg(feature = "std")]
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.to_file()?.save(path)
    }

    /// Reads a file that [`save`](Self::save) wrote, or any other that [`from_bytes`](Self::from_bytes) takes.
    ///
    /// # Errors
    /// What the system reports; [`io::ErrorKind::InvalidData`] for what [`from_bytes`](Self::from_bytes) refuses.
    #[cfg(feature = "std")]
    pub fn load(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::from_bytes(&fs::read(path)?)?)
    }

    /// The network as a flash file of another type of weights, packed for a core, with a self-test where its weights are
    /// integers. The activations that `calibration` causes decide the scales of the integer types: some hundred samples of
    /// the training set will do.
    ///
    /// The inputs of a file are bytes. It is given the pixels of an image as they are, and `255 * x` in place of a feature
    /// `x`, which is from 0 to 1.
    ///
    /// # Errors
    /// [`Error::FeatureRange`] for features outside 0 to 1, as [`logits`](Self::logits) for other faults of the samples;
    /// [`Error::PackingOf`] where the packing does not exist for the type; as [`quantize`](quantize::quantize()) for the
    /// network.
    pub fn quantize<'a>(
        &self,
        dtype: Dtype,
        packing: Packing,
        calibration: impl Into<Samples<'a>>,
    ) -> Result<ModelFile, Error> {
        let shape = self.shape();
        let header = HeaderBuf::new(shape, dtype, packing)?;
        if !dtype.is_integer() {
            return self.float_file(dtype);
        }
        if (0..shape.layers() - 1).any(|l| shape.activation(l).has_table()) {
            let expected = "relu, whose range a network measures; the program quantizes the others";
            return Err(Error::Setting { name: "the activation", expected });
        }
        let mut activations = self.activation_scales(calibration.into())?;
        let mut rows = vec![0.0; Scales::rows_of(shape)];
        quantize::largest_weights(shape, dtype, &self.params, &mut rows)?;
        let mut scratch = vec![0; integer::Engine::scratch_words(&header.header())];
        let mut logits = vec![0; shape.outputs()];
        let mut scales =
            Scales { activations: &mut activations, offsets: &[], sums: &mut [], rows: &mut rows };
        let header = quantize::with_wide_multipliers(header, &self.params, &scales)?;
        let mut bytes = FileBytes::zeroed(header.file_bytes())?;
        let mut builder = Builder::new(header, &mut bytes)?;
        quantize::quantize(&mut builder, &self.params, &mut scales)?;
        builder.finish_with(SELF_TEST_SEED, |seed, view| {
            integer::Engine::new(view.clone())?.self_test_crc(seed, &mut scratch, &mut logits)
        })?;
        Ok(ModelFile(bytes))
    }

    fn float_file(&self, dtype: Dtype) -> Result<ModelFile, Error> {
        let header = HeaderBuf::new(self.shape(), dtype, Packing::Generic)?;
        let mut bytes = FileBytes::zeroed(header.file_bytes())?;
        let mut builder = Builder::new(header, &mut bytes)?;
        float::store(&mut builder, &self.params)?;
        builder.finish()?;
        Ok(ModelFile(bytes))
    }

    /// The real value of one unit of the inputs of each layer: of a halved pixel, and of 1/127 of the largest activation
    /// that a sample causes.
    fn activation_scales(&self, samples: Samples<'_>) -> Result<Vec<f32>, Error> {
        let shape: Shape = self.shape();
        samples.check_unit_range(shape.inputs())?;
        let mut largest = vec![0.0f32; shape.layers()];
        self.forward(samples, |activations, logits| {
            let b = logits.len() / shape.outputs();
            for (l, largest) in largest.iter_mut().enumerate().skip(1) {
                *largest = activations.activation(l, b).iter().copied().fold(*largest, f32::max);
            }
        })?;
        let mut scales: Vec<f32> =
            largest.into_iter().map(|x| if x > 0.0 { x / 127.0 } else { 1.0 }).collect();
        scales[0] = HALVED_PIXELS;
        Ok(scales)
    }
}
